"""Sphinx extension: the role ``{metric}`` prints a number from a chapter's ``metrics.json``.

``{metric}`training.test_accuracy` `` prints the value by its unit; ``…:interval``, ``:low``,
``:high`` and ``:n`` print its other parts. A chapter, metric or part that does not exist is a Sphinx
warning with file, line and the nearest name, so a page cannot quote a number that no run has
measured. The files are looked for in ``<source>/metrics/<chapter>.json``; of a chapter of the suite that
the run does not have, there is none, and its numbers are printed as ``[not run]``, as is a number that the
result lacks where other code than today's made it.

The role ``{reference}`` prints the reference's number where that stands beside the run's, else the run's, and
``[not run]`` for one that only the reference has.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.typing import ExtensionMetadata

from ferbook.beside import REFERENCE
from ferbook.book import chapters
from ferbook.errors import FerError, nearest_name
from ferbook.estimate import Estimate
from ferbook.records import read_json
from ferbook.text import OTHER_CODE, MetricError, metric_text

NOT_RUN = "[not run]"
_logger = logging.getLogger(__name__)


def quote_metric(folder: Path, reference: str) -> str:
    """The text of ``chapter.metric`` or ``chapter.metric:part``, from ``folder/<chapter>.json``.

    Raises MetricError, with the nearest known name, where there is no such chapter, metric or part, and
    RunStoreError for a damaged file.
    """
    name, _, part = reference.partition(":")
    chapter, _, metric = name.partition(".")
    if not metric:
        raise MetricError(f"{reference!r} is not of the form chapter.metric or chapter.metric:part")
    file = folder / f"{chapter}.json"
    if not file.is_file():
        if chapter in chapters():
            return NOT_RUN
        present = sorted(path.stem for path in folder.glob("*.json"))
        raise MetricError(
            f"{reference!r}: no run of a chapter {chapter!r}{nearest_name(chapter, present)}; "
            f"{folder.name}/ holds {', '.join(present) or 'nothing'}"
        )
    metrics = read_json(file)
    if metric not in metrics:
        if file.with_suffix(OTHER_CODE).exists():
            return NOT_RUN
        near = nearest_name(metric, metrics)
        raise MetricError(f"{reference!r}: chapter {chapter!r} has no metric {metric!r}{near}")
    try:
        return metric_text(Estimate.from_json(metrics[metric]), part or "value")
    except FerError as fault:
        raise MetricError(f"{reference!r}: {fault}") from fault


class MetricRole(SphinxRole):
    """Replaces its text by the number it names, of the metrics in ``folder``."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        folder = Path(self.env.srcdir) / self.folder
        chapter = self.text.partition(".")[0]
        # A run that appears, changes or goes makes Sphinx read the page again.
        self.env.note_dependency(str(folder / f"{chapter}.json"))
        try:
            text = quote_metric(folder, self.text)
        except FerError as fault:
            _logger.warning("metric %s", fault, location=self.get_location(), type="metric")
            return [nodes.literal(self.rawtext, self.text)], []
        return [nodes.inline(self.rawtext, text, classes=["metric"])], []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the roles ``metric`` and ``reference``."""
    app.add_role("metric", MetricRole("metrics"))
    app.add_role("reference", MetricRole(f"metrics/{REFERENCE}"))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
