"""Whether an assignment can be handed out: the instructor notebook earns all, the released one nothing, each
wrong solution fails its check, and no line of a solution or of a hidden check is in the release.
"""

import json
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook.course import source
from ferbook.course.box import run_cells
from ferbook.course.build import make_bundle, released
from ferbook.course.marking import beside, mark
from ferbook.course.source import (
    HIDDEN,
    SOLUTION,
    Assignment,
    hidden,
    is_check,
    is_solution,
    name_of,
    visible,
)

SECONDS = 300  # that a cell may take
_SHORT = 16  # a line of fewer characters tells nothing by itself


def leaks(notebook: NotebookNode, release: str) -> list[str]:
    """Lines of solutions, hidden checks and rubrics that the text of the release holds, and outputs or
    attachments in it. A line of a hidden check that stands in what students see as well is no leak.
    """
    secret: set[str] = set()
    for cell in notebook.cells:
        text = cell.source + "\n"
        seen = "".join(map(visible, notebook.cells))
        secret |= {line for line in _lines(HIDDEN.findall(text)) if line not in seen}
        secret |= _lines([text] if source.is_written(cell) else SOLUTION.findall(text))
    lines = [line for line in sorted(secret) if json.dumps(line, ensure_ascii=False)[1:-1] in release]
    cells = nbformat.reads(release, as_version=4).cells
    lines += [f"output of {name_of(cell) or 'a cell'}" for cell in cells if cell.get("outputs")]
    return lines + [f"attachment of {name_of(cell) or 'a cell'}" for cell in cells if cell.get("attachments")]


def _lines(regions: list[str]) -> set[str]:
    lines = {line.strip() for region in regions for line in region.splitlines()}
    return {line for line in lines if len(line) >= _SHORT}


def wrong_solutions(assignment: Assignment, bundle: Path) -> list[str]:
    """What is amiss with the wrong solutions: each is put in place of the instructor's, one after the other
    in one kernel, and must fail its check and no other.
    """
    code = [cell for cell in assignment.notebook.cells if cell.cell_type == "code"]
    checks = [cell for cell in code if is_check(cell)]
    solutions = [cell.source for cell in filter(is_solution, code)]
    restore = {name: each for each in solutions for name in source.defined(each)}
    cells, begins = [("", cell.source) for cell in code if not is_check(cell)], []
    for wrong in assignment.wrong():
        begins.append(len(cells))
        cells.append(("", wrong.source))
        cells += [(name_of(cell), text) for cell in checks for text in (visible(cell), hidden(cell))]
        names = sorted(source.defined(wrong.source))
        cells += [("", text) for text in dict.fromkeys(restore.get(name, f"del {name}") for name in names)]
    ran = run_cells([text for _, text in cells], beside(bundle, 0), SECONDS, boxed=False)
    faults = []
    for wrong, begin in zip(assignment.wrong(), begins, strict=True):
        numbers = range(begin + 1, begin + 1 + 2 * len(checks))
        failed = [*dict.fromkeys(cells[number][0] for number in numbers if not ran.passed(number))]
        if failed != [wrong.check] or not ran.passed(begin):
            what = ran.faults.get(begin, ("", ""))[0] or ", ".join(failed) or "no check"
            faults.append(f"wrong.py: {wrong.check}: {wrong.what!r}: fails {what} {ran.ended}".rstrip())
    return faults


def check_assignment(assignment: Assignment, variants: int = 1) -> list[str]:
    """What is amiss with an assignment; empty where nothing is. ``variants``: so many of them, the first, are
    tried. Raises BookError where the instructor notebook fails its own checks.
    """
    with tempfile.TemporaryDirectory(prefix="course-check-") as place:
        bundle = Path(place)
        make_bundle(assignment, bundle, range(variants))
        release = released(assignment.notebook)
        verdict, _ = mark(assignment.notebook, release, beside(bundle, 0), SECONDS, boxed=False)
        faults = [f"in the release: {line}" for line in leaks(assignment.notebook, nbformat.writes(release))]
        faults += [
            f"the release earns {one.points:g} for {one.check}" for one in verdict.checks if one.points
        ]
        faults += [f"the release's cell {cell}: {what}" for cell, what in verdict.notes]
        faults += [f"the release does not run to its end: {verdict.ended}"] if verdict.ended else []
        return faults + wrong_solutions(assignment, bundle)
