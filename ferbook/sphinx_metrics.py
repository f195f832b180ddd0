"""Sphinx extension: the role ``{metric}`` prints a number from a chapter's ``metrics.json``.

``{metric}`training.test_accuracy` `` prints the value by its unit; ``…:interval``, ``:low``,
``:high`` and ``:n`` print its other parts. A chapter, metric or part that does not exist is a Sphinx
warning with file, line and the nearest name, so a page cannot quote a number that no run has
measured. The files are looked for in ``<source>/metrics/<chapter>.json``. Of a chapter of the suite that the
run does not have there is none; a result that other code than today's made may lack a number, and any result
one that decides a claim. The paragraph, or the cell of a table, that quotes such a number says in its place
that it was not measured.

The role ``{reference}`` prints the reference's number, whatever run is shown; the run's where there is no
reference at all.
"""

from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.typing import ExtensionMetadata

from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import read_claims
from ferbook.errors import FerError, nearest_name
from ferbook.estimate import Estimate
from ferbook.records import read_json
from ferbook.store import REFERENCE
from ferbook.text import OTHER_CODE, MetricError, metric_text

NOT_RUN = "not measured yet"
_logger = logging.getLogger(__name__)


def quote_metric(folder: Path, reference: str) -> str:
    """Return the text of ``chapter.metric`` or ``chapter.metric:part``, from ``folder/<chapter>.json``.

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
        near = nearest_name(chapter, chapters())
        raise MetricError(f"{reference!r}: there is no chapter {chapter!r}{near}")
    metrics = read_json(file)
    if metric not in metrics:
        if file.with_suffix(OTHER_CODE).exists() or f"{chapter}.{metric}" in _claimed():
            return NOT_RUN
        near = nearest_name(metric, metrics)
        raise MetricError(f"{reference!r}: chapter {chapter!r} has no metric {metric!r}{near}")
    try:
        return metric_text(Estimate.from_json(metrics[metric]), part or "value")
    except FerError as fault:
        raise MetricError(f"{reference!r}: {fault}") from fault


@cache
def _claimed() -> set[str]:
    """Return the metrics that decide claims."""
    file = paths.claims_file()
    return {claim.decided_by for claim in read_claims(file).every} if file.is_file() else set()


class MetricRole(SphinxRole):
    """Replaces its text by the number it names, as the role ``reference`` that of the reference."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        folder = Path(self.env.srcdir) / "metrics" / (REFERENCE * (self.name == "reference"))
        chapter = self.text.partition(".")[0]
        # A run that appears, changes or goes makes Sphinx read the page again.
        self.env.note_dependency(str(folder / f"{chapter}.json"))
        try:
            text = quote_metric(folder, self.text)
        except FerError as fault:
            _logger.warning("metric %s", fault, location=self.get_location(), type="metric")
            return [nodes.literal(self.rawtext, self.text)], []
        return [nodes.inline(self.rawtext, text, classes=["not-run" if text == NOT_RUN else "metric"])], []


def leave_out_unmeasured(app: Sphinx, doctree: nodes.document) -> None:
    """Put in place of each paragraph, its bold sentence, and each cell of a table, that quotes a number which
    was not measured, that it was not. A bold sentence that begins a paragraph, behind
    MyST's empty text, remains unless it quotes such a number itself.
    """
    lacking = [each for each in doctree.findall(nodes.inline) if "not-run" in each["classes"]]
    for block in {id(each.parent): each.parent for each in lacking}.values():
        in_table = isinstance(block.parent, nodes.entry)
        first = [each for each in block[:2] if isinstance(each, nodes.strong)]
        block[:] = first or [nodes.Text(NOT_RUN if in_table else f"{NOT_RUN.capitalize()}.")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the roles ``metric`` and ``reference``."""
    app.connect("doctree-read", leave_out_unmeasured)
    for name in ("metric", "reference"):
        app.add_role(name, MetricRole())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
