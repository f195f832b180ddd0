"""What a notebook earns: the teacher's locked cells and hidden tests are laid over it, and it runs alone in a
kernel. A check whose cells end without an error has its points; nothing that they print decides.
"""

import builtins
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from ferbook.course.box import Ran, run_cells
from ferbook.course.source import (
    Checked,
    Judgement,
    Written,
    grading,
    hidden,
    is_check,
    is_open,
    is_solution,
    is_written,
    name_of,
    visible,
)

_KINDS = {name for name, each in vars(builtins).items() if isinstance(each, type)}
_ALL_RUN = "all run, in their order, before the check: what the last one defines counts"


def merged(
    instructor: NotebookNode, student: NotebookNode
) -> Iterator[tuple[NotebookNode | None, list[NotebookNode]]]:
    """The cells to run, in the instructor's order: (the instructor's cell, the student's of that name); of
    the student's own cells the first is None, and each stays behind the cell that it followed.
    """
    cells = {name_of(cell): cell for cell in instructor.cells if name_of(cell)}
    own: dict[str, list[NotebookNode]] = {"": []} | {name: [] for name in cells}
    same, last = {name: [] for name in cells}, ""
    for cell in student.cells:
        last = name_of(cell) if name_of(cell) in cells else last
        (same if name_of(cell) in cells else own)[last].append(cell)
    yield None, own[""]
    for name, cell in cells.items():
        yield from ((cell, same[name]), (None, own[name]))


def oddities(instructor: NotebookNode, student: NotebookNode) -> list[tuple[str, str]]:
    """Cells that were deleted, came twice, or were edited though they are locked."""
    notes = []
    for cell, same in merged(instructor, student):
        if cell is None:
            continue
        locked = not is_open(cell)
        if not same:
            what = "deleted, and restored" if locked else "deleted"
        elif len(same) > 1:
            counts = "the original runs once" if locked else _ALL_RUN if is_solution(cell) else "all count"
            what = f"there {len(same)} times; {counts}"
        elif same[0].cell_type != cell.cell_type:
            what = f"made a {same[0].cell_type} cell"
        else:
            edited = locked and cell.cell_type == "code" and same[0].source.strip() != visible(cell)
            what = "edited though it is locked, and restored" if edited else ""
        notes += [(name_of(cell), what)] if what else []
    return notes


def mark(
    instructor: NotebookNode,
    student: NotebookNode,
    files: dict[str, Path],
    seconds: float,
    boxed: bool,
    keys: list[str] | None = None,
) -> tuple[Judgement, bytes]:
    """What the student's notebook earns, beside ``files``, where each cell has ``seconds``. ``keys``: this
    notebook is the instructor's, and the values of those names are written to ``key.npz`` before each check,
    whose content is the second result.
    """
    verdict = Judgement(notes=oddities(instructor, student))
    keep = f"import numpy\nnumpy.savez('key.npz', **{{k: globals()[k] for k in {keys} if k in globals()}})"
    cells: list[tuple[str, str, str]] = []
    for cell, same in merged(instructor, student):
        name = name_of(cell) if cell is not None else "a cell without a task"
        if cell is None or is_solution(cell):
            cells += [(name, "", each.source) for each in same if each.cell_type == "code"]
        elif is_written(cell):
            about = {"question": name, "most": grading(cell)["points"], "rubric": cell.source}
            verdict.written.append(Written(answer="\n\n".join(each.source for each in same), **about))
        elif is_check(cell):
            cells += [("", "", keep if keys is not None else "")]
            cells += [(name, "seen", visible(cell)), (name, "hidden", hidden(cell))]
        elif cell.cell_type == "code":
            cells.append((name, "", cell.source))
    ran = run_cells(
        [source for *_, source in cells], files, seconds, boxed, "" if keys is None else "key.npz"
    )
    for cell in filter(is_check, instructor.cells):
        numbers = [number for number, (of, part, _) in enumerate(cells) if part and of == name_of(cell)]
        verdict.checks.append(_checked(name_of(cell), grading(cell)["points"], numbers, ran))
    for number, (kind, _) in ran.faults.items():
        if not cells[number][1] and kind != "NotImplementedError":
            what = f"raised {kind if kind in _KINDS else 'an error'}"
            verdict.notes.append((cells[number][0], what))
    verdict.ended, verdict.seconds = ran.ended, ran.seconds
    return verdict, ran.kept


def _checked(name: str, most: float, numbers: list[int], ran: Ran) -> Checked:
    """What came of a check, of which the first cell is what students see and the second what they do not."""
    for number, part in zip(numbers, ("in the notebook", "on new inputs"), strict=True):
        if ran.passed(number):
            continue
        kind, message = ran.faults.get(number, ("", f"not reached: {ran.ended}"))
        if kind == "AssertionError":
            message = message or "the result is not right"
        elif kind == "KeyboardInterrupt":
            message = f"it {message}"
        elif kind and part == "on new inputs":  # its words may hold what was hidden
            message = f"the result cannot be used ({kind if kind in _KINDS else 'an error'})"
        elif kind:
            message = f"{kind}: {message}"
        return Checked(check=name, points=0, most=most, part=part, message=message)
    return Checked(check=name, points=most, most=most)


def beside(bundle: Path, variant: int) -> dict[str, Path]:
    """What lies beside a notebook of a variant while it is graded: the student's data, and the values that
    hidden tests ask for.
    """
    place = bundle / f"variant-{variant}"
    return {name: place / name for name in ("data.npz", "key.npz")}
