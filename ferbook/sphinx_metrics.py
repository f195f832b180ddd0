"""Sphinx extension: the role ``{metric}`` prints a number from a chapter's ``metrics.json``.

``{metric}`training.test_accuracy` `` prints the value by its unit; ``…:interval``, ``:low``,
``:high`` and ``:n`` print its other parts. A chapter, metric or part that does not exist is a Sphinx
warning with file, line and the nearest name, so a page cannot quote a number that no run has
measured. The files are looked for in ``<source>/metrics/<chapter>.json``; of a chapter of the suite that
the run does not have, there is none, and its numbers are printed as ``[not run]``.
"""

import difflib
import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.typing import ExtensionMetadata

from ferbook.book import chapters
from ferbook.errors import FerError
from ferbook.text import METRIC_PARTS, MetricError, metric_text

logger = logging.getLogger(__name__)


def quote_metric(folder: Path, reference: str) -> str:
    """The text of ``chapter.metric`` or ``chapter.metric:part``, from ``folder/<chapter>.json``.

    Raises MetricError, with the nearest known name, where there is no such chapter, metric or part.
    """
    name, _, part = reference.partition(":")
    chapter, dot, metric = name.partition(".")
    if not dot or not metric:
        raise MetricError(f"{reference!r} is not of the form chapter.metric or chapter.metric:part")
    part = part or "value"
    if part not in METRIC_PARTS:
        raise MetricError(
            f"{reference!r}: {part!r} is not a part of a metric{_nearest(part, METRIC_PARTS)}; "
            f"the parts are {', '.join(METRIC_PARTS)}"
        )
    file = folder / f"{chapter}.json"
    if not file.is_file() and chapter in chapters():
        return "[not run]"
    if not file.is_file():
        present = sorted(path.stem for path in folder.glob("*.json"))
        raise MetricError(
            f"{reference!r}: no run of a chapter {chapter!r}{_nearest(chapter, present)}; "
            f"{folder.name}/ holds {', '.join(present) or 'nothing'}"
        )
    try:
        metrics = json.loads(file.read_text())
    except ValueError as fault:
        raise MetricError(f"{file}: not JSON ({fault}); run the chapter again") from fault
    if metric not in metrics:
        raise MetricError(
            f"{reference!r}: chapter {chapter!r} has no metric {metric!r}{_nearest(metric, list(metrics))}"
        )
    try:
        return metric_text(metrics[metric], part)
    except MetricError as fault:
        raise MetricError(f"{reference!r}: {fault}") from fault


def _nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


class MetricRole(SphinxRole):
    """Replaces its text by the number it names."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        folder = Path(self.env.srcdir) / "metrics"
        chapter = self.text.partition(".")[0]
        # A run that appears, changes or goes makes Sphinx read the page again.
        self.env.note_dependency(str(folder / f"{chapter}.json"))
        try:
            text = quote_metric(folder, self.text)
        except FerError as fault:
            logger.warning("metric %s", fault, location=self.get_location(), type="metric")
            return [nodes.literal(self.rawtext, self.text)], []
        return [nodes.inline(self.rawtext, text, classes=["metric"])], []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the role ``metric``."""
    app.add_role("metric", MetricRole())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
