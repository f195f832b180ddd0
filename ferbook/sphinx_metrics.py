"""Sphinx extension: the role ``{metric}`` prints a number from a chapter's ``metrics.json``.

``{metric}`training.test_accuracy` `` prints the value by its unit; ``…:interval``, ``:low``,
``:high`` and ``:n`` print its other parts. A chapter, metric or part that does not exist is a Sphinx
warning with file, line and the nearest name, so a page cannot quote a number that no run has
measured. The files are looked for in ``<source>/metrics/<chapter>.json``. Of a chapter of the suite that the
run does not have there is none; a result that other code than today's made may lack a number. The sentence,
or the cell of a table, that quotes such a number says in its place that it was not measured.

The role ``{reference}`` prints the reference's number where that stands beside the run's, else the run's.
"""

import re
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

NOT_RUN = "not measured yet"
_SENTENCES = re.compile(r"(?<=[.?!])(?=\s)")
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
        classes = ["metric", *(["not-run"] if text == NOT_RUN else [])]
        return [nodes.inline(self.rawtext, text, classes=classes)], []


def _lacks_number(node: nodes.Node) -> bool:
    return any("not-run" in each["classes"] for each in node.findall(nodes.inline))


def leave_out_unmeasured(app: Sphinx, doctree: nodes.document) -> None:
    """Put in place of each sentence, and each cell of a table, that quotes a number which was not measured,
    that it was not.
    """
    for block in [*doctree.findall(nodes.paragraph)]:
        if _lacks_number(block) and isinstance(block.parent, nodes.entry):
            block.children = []
            block += nodes.Text(NOT_RUN)
        elif _lacks_number(block):
            _rewrite_sentences(block)


def _rewrite_sentences(block: nodes.Element) -> None:
    sentences: list[list[nodes.Node]] = [[]]
    for child in block.children:
        if isinstance(child, nodes.Text):
            first, *others = _SENTENCES.split(child.astext())
            sentences[-1].append(nodes.Text(first))
            sentences += [[nodes.Text(each)] for each in others]
            continue
        sentences[-1].append(child)
        if isinstance(child, nodes.strong) and child.astext().endswith((".", "?")):
            _rewrite_sentences(child)
            sentences.append([])
    block.children, told = [], False
    for sentence in sentences:
        missing = any(map(_lacks_number, sentence))
        if missing and not told:
            space = " " if sentence[0].astext().startswith((" ", "\n")) else ""
            block += nodes.Text(f"{space}{NOT_RUN.capitalize()}.")
        elif not missing:
            block += sentence
        told = missing


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the roles ``metric`` and ``reference``."""
    app.connect("doctree-read", leave_out_unmeasured)
    app.add_role("metric", MetricRole("metrics"))
    app.add_role("reference", MetricRole(f"metrics/{REFERENCE}"))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
