"""What a notebook earns: the teacher's locked cells and hidden tests are laid over it, and it runs alone in a
kernel. A check whose cells end without an error has its points; nothing that they print decides.
"""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from nbformat import NotebookNode

from ferbook.course.box import run_cells
from ferbook.course.source import Assignment, Cell, grading, hidden, is_check, is_solution, visible

SECONDS = 60  # that a cell may take, by the clock
_SEEN, _UNSEEN = "in the notebook", "on new inputs"  # the parts of a check


@dataclass
class Judgement:
    """What came of a notebook. ``checks``: of each which of its parts failed and why, nothing where none did;
    ``notes``: (cell, what is odd about it); ``ended``: why its kernel did.
    """

    points: float
    checks: dict[str, str]
    notes: list[tuple[str, str]]
    ended: str


def beside(bundle: Path, variant: int | str) -> dict[str, Path]:
    """What lies beside a notebook of a variant while it is graded: the student's data, and the values that
    hidden tests ask for.
    """
    place = bundle / f"variant-{variant}"
    return {name: place / name for name in ("data.npz", "key.npz")}


def merged(model: Assignment, student: list[Cell]) -> list[tuple[str, list[Cell]]]:
    """The cells to run, in the instructor's order: (a cell's name, the student's cells of that name); of the
    student's own cells the name is empty, and each stays behind the cell that it followed.
    """
    own: dict[str, list[Cell]] = {"": []} | {name: [] for name in model.cells}
    same, last = {name: [] for name in model.cells}, ""
    for cell in student:
        last = cell.name if cell.name in same else last
        (same if cell.name in same else own)[last].append(cell)
    return [("", own[""]), *(each for name in same for each in ((name, same[name]), ("", own[name])))]


def oddity(cell: NotebookNode, same: list[Cell]) -> str:
    """What is odd about the student's cells of a name: deleted, there twice, edited though locked."""
    locked = not grading(cell)["solution"]
    if not same:
        return "deleted, and restored" if locked else "deleted"
    if len(same) > 1:
        all_run = "all run, in their order, before the check: what the last one defines counts"
        counts = "the original runs once" if locked else all_run if is_solution(cell) else "all count"
        return f"there {len(same)} times; {counts}"
    if same[0].cell_type != cell.cell_type:
        return f"made a {same[0].cell_type} cell"
    edited = locked and cell.cell_type == "code" and same[0].source.strip() != visible(cell.source)
    return "edited though it is locked, and restored" if edited else ""


def mark(model: Assignment, student: list[Cell], files: dict[str, Path], boxed: bool) -> Judgement:
    """What the student's notebook earns, beside ``files``."""
    cells: list[tuple[str, str, str]] = []  # the cell's name, which part of a check it is, and its source
    notes, failed = [], {}
    for name, same in merged(model, student):
        cell = model.cells.get(name)
        if cell and (what := oddity(cell, same)):
            notes.append((name, what))
        if cell is None or is_solution(cell):
            cells += [(name, "", each.source) for each in same if each.cell_type == "code"]
        elif is_check(cell):
            cells += [(name, _SEEN, visible(cell.source)), (name, _UNSEEN, hidden(cell.source))]
        elif cell.cell_type == "code":
            cells.append((name, "", cell.source))
    ran = run_cells([source for *_, source in cells], files, SECONDS, boxed)
    for (name, part, _), error in zip_longest(cells, ran.errors, fillvalue=("", f"not reached: {ran.ended}")):
        if error and part:
            failed.setdefault(name, f"{part}: {_told(part, *error)}")
        elif error and error[0] not in ("", "NotImplementedError"):
            notes.append((name or "a cell without a task", f"raised {error[0]}"))
    checks = {name: failed.get(name, "") for name in model.checks}
    points = sum(model.points[name] for name, message in checks.items() if not message)
    return Judgement(points, checks, notes, ran.ended)


def _told(part: str, kind: str, message: str) -> str:
    """What a student reads of an error in a check."""
    if kind in ("", "AssertionError", "KeyboardInterrupt"):
        return message or "the result is not right"
    # The words of other errors may hold what was hidden.
    return f"{kind}: {message}" if part == _SEEN else f"the result cannot be used ({kind})"
