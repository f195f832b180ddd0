"""Read instructors' notebooks, with nbgrader's cell metadata, and grade students' notebooks.

The teacher's locked cells and hidden tests replace those of the student, and the notebook runs alone in a
kernel. A check whose cells end without an error has its points; what they print has no effect.
"""

import hashlib
import json
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from pydantic import AfterValidator, AliasChoices, AliasPath, BaseModel, Field, ValidationError

from ferbook.course.box import TOO_LONG, run_cells
from ferbook.errors import BookError, first_fault, require_name
from ferbook.notebook import read_notebook, with_line_ends

# Hidden tests are between lines that hold these words, as nbgrader reads them.
HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS[^\n]*\n(.*?)^[^\n]*END HIDDEN TESTS[^\n]*\n", re.M | re.S)
WRONG = re.compile(r"^# %% fails (\S+): (.+)\n((?:(?!^# %% ).*\n?)*)", re.M)
# How a hidden test reads the instructor's value of a name, after ``key = np.load("key.npz")``.
KEY = re.compile(r'\bkey\["(\w+)"\]')
_IMPORTED = re.compile(r"^ *(?:import|from) +([\w.]+)", re.M)
NO_TASK = "a cell without a task"
SECONDS = 60  # that a cell may take, by the clock
_SEEN, _UNSEEN = "in the notebook", "on new inputs"  # the parts of a check
_TEXT = 2**20  # most characters in a notebook's cells
_NAME = AliasChoices(AliasPath("metadata", "nbgrader", "grade_id"), "id")


def grading(cell: NotebookNode) -> dict:
    """Return nbgrader's metadata of an instructor's cell; empty if there are none."""
    return cell.metadata.get("nbgrader", {})


def is_check(cell: NotebookNode) -> bool:
    """Whether the cell holds asserts that points are given for."""
    return cell.cell_type == "code" and bool(grading(cell).get("grade")) and not is_solution(cell)


def is_solution(cell: NotebookNode) -> bool:
    """Whether it is a code cell that the student fills."""
    return cell.cell_type == "code" and bool(grading(cell).get("solution"))


def visible_part(source: str) -> str:
    """A cell's source without its hidden tests."""
    return HIDDEN.sub("", source + "\n").strip()


def hidden(source: str) -> str:
    """The hidden tests in a cell's source."""
    return "".join(HIDDEN.findall(source + "\n"))


def _text(source: str | list[str]) -> str:
    return with_line_ends("".join(source))


class Cell(BaseModel):
    """The graded part of a student's cell. ``name``: its ``grade_id``, or if an editor dropped that its id,
    which is the same in what was handed out.
    """

    cell_type: Literal["code", "markdown", "raw"]
    source: Annotated[str | Annotated[list[str], Field(fail_fast=True)], AfterValidator(_text)]
    name: str = Field("", max_length=200, validation_alias=_NAME)


class _Notebook(BaseModel):
    nbformat: Literal[4]
    cells: Annotated[list[Cell], Field(max_length=2000, fail_fast=True)]


def read_cells(content: bytes) -> list[Cell]:
    """Return the graded part of the cells of a student's notebook. Raises ValueError, with the reason, if it
    is no notebook of format 4, or has too many cells or too long ones.
    """
    try:
        text = json.dumps(json.loads(content.decode("utf-8-sig")), ensure_ascii=False)
        # What cannot be encoded are halves of surrogate pairs.
        cells = _Notebook.model_validate_json(text.encode(errors="replace")).cells
    except (ValueError, RecursionError) as fault:
        why = first_fault(fault) if isinstance(fault, ValidationError) else type(fault).__name__
        raise ValueError(f"not a readable notebook ({why})") from fault
    if (length := sum(len(cell.source) for cell in cells)) > _TEXT:
        raise ValueError(f"{length} characters in its cells; a notebook has at most {_TEXT}")
    return cells


@dataclass(frozen=True, eq=False)
class Assignment:
    """A folder with an instructor notebook of its name: among the book's with ``data.py`` and ``wrong.py``,
    in a built course with each variant's data and key. By their ``grade_id``: its ``cells``, the
    sources of its ``checks``, of all other ``code``, of the ``solutions`` among it, and of its answers in
    words (``written``, with the rubrics), the ``points`` that are given, and the heading above each cell
    (``tasks``; the first is the title). ``solution``: the notebook as if it had been handed in.
    """

    folder: Path
    notebook: NotebookNode
    cells: dict[str, NotebookNode]
    checks: dict[str, str]
    code: dict[str, str]
    solutions: dict[str, str]
    written: dict[str, str]
    points: dict[str, float]
    tasks: dict[str, str]
    solution: list[Cell]

    def wrong(self) -> list[tuple[str, str, str]]:
        """The wrong solutions in ``wrong.py``: the check that each must fail, what is wrong, and the code.
        Raises BookError where one names no check, or a check has none.
        """
        file = self.folder / "wrong.py"
        solutions = WRONG.findall(file.read_text(encoding="utf-8"))
        if odd := sorted({check for check, *_ in solutions} ^ self.checks.keys()):
            raise BookError(f"{file}: checks without a wrong solution, or the reverse: {', '.join(odd)}")
        return solutions

    def digest(self) -> str:
        """Of the folder's files."""
        files = sorted(file for file in self.folder.iterdir() if file.suffix in (".ipynb", ".py"))
        return digest(*(file.read_text(encoding="utf-8") for file in files))


def digest(*parts: str) -> str:
    """128 bits of SHA-256 (hex) behind a letter, lest a spreadsheet read a number."""
    return "k" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def read_assignment(folder: Path) -> Assignment:
    """The assignment in a folder. Raises ChapterError where its notebook is none."""
    notebook = read_notebook(file := folder / f"{folder.name}.ipynb")
    cells = {grading(cell)["grade_id"]: cell for cell in notebook.cells if grading(cell)}
    graded = {name: cell for name, cell in cells.items() if grading(cell)["grade"]}
    code = {name: cell for name, cell in cells.items() if cell.cell_type == "code"}
    kinds = [
        {name: cell.source for name, cell in code.items() if is_check(cell)},
        {name: cell.source for name, cell in code.items() if not is_check(cell)},
        {name: cell.source for name, cell in code.items() if is_solution(cell)},
        {name: cell.source for name, cell in graded.items() if name not in code},
    ]
    heading, tasks = folder.name, {}
    for name, cell in cells.items():
        if cell.cell_type == "markdown" and (headings := re.findall(r"^#+ +(.+)", cell.source, re.M)):
            heading = re.sub(r" *\([^)]*\)$", "", headings[-1])
        tasks[name] = heading
    points = {name: grading(cell)["points"] for name, cell in graded.items()}
    return Assignment(folder, notebook, cells, *kinds, points, tasks, read_cells(file.read_bytes()))


def assignments(folder: Path, names: list[str] | None = None) -> dict[str, Assignment]:
    """The assignments in a folder by their names, all where none is named. Raises ParameterError with the
    known names for one that does not exist.
    """
    known = {file.stem: file for file in sorted(folder.glob("*/*.ipynb")) if file.stem == file.parent.name}
    for name in names or ():
        require_name("assignment", name, known)
    return {name: read_assignment(folder / name) for name in known if name in (names or known)}


@dataclass
class Judgement:
    """What came of a notebook. ``checks``: of each which of its parts failed and why, nothing where none did;
    ``notes``: (cell, what is odd about it); ``ended``: why its kernel did.
    """

    points: float
    checks: dict[str, str]
    notes: list[tuple[str, str]]
    ended: str


def in_variant(bundle: Path, variant: int | str) -> dict[str, Path]:
    """Return the files of a variant for grading: the student's data, and the values that hidden tests compare
    with.
    """
    return {name: bundle / f"variant-{variant}" / name for name in ("data.npz", "key.npz")}


def merged(model: Assignment, student: list[Cell]) -> list[tuple[str, list[Cell]]]:
    """The cells to run, in the instructor's order: (a cell's name, the student's cells of that name); of the
    student's own cells the name is empty, and each follows the same cell as before.
    """
    own: dict[str, list[Cell]] = {"": []} | {name: [] for name in model.cells}
    same, last = {name: [] for name in model.cells}, ""
    for cell in student:
        last = cell.name if cell.name in same else last
        (same if cell.name in same else own)[last].append(cell)
    return [("", own[""]), *(each for name in same for each in ((name, same[name]), ("", own[name])))]


def oddity(cell: NotebookNode, same: list[Cell]) -> str:
    """Return what is wrong with the student's cells of a name: deleted, there twice, edited though locked."""
    locked = not grading(cell)["solution"]
    if not same:
        return "deleted, and restored" if locked else "deleted"
    if len(same) > 1:
        all_run = "all run, in their order, before the check: what the last one defines counts"
        counts = "the original runs once" if locked else all_run if is_solution(cell) else "all count"
        return f"there {len(same)} times; {counts}"
    if same[0].cell_type != cell.cell_type:
        return f"made a {same[0].cell_type} cell"
    edited = locked and cell.cell_type == "code" and same[0].source.strip() != visible_part(cell.source)
    return "edited though it is locked, and restored" if edited else ""


def defined(sources: Iterable[str]) -> set[str]:
    """Return the names that cells define outside of functions."""
    text = TransformerManager().transform_cell("\n".join(sources))
    symbols = symtable.symtable(text, "cell", "exec").get_symbols()
    return {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}


def mark(model: Assignment, student: list[Cell], files: dict[str, Path], boxed: bool) -> Judgement:
    """Grade a student's notebook with the ``files`` of its variant."""
    tasks = defined(model.solutions.values())
    used = _IMPORTED.findall("\n".join([*model.checks.values(), *model.code.values()]))
    start = Path(__file__).with_name("checks.py").read_text(encoding="utf-8")
    start += f"sys.modules['course_checks'] = Checks({used})"
    cells = [("", "", f"exec({start!r}, {{}})")]  # a cell's name, which part of a check it is, its source
    notes, failed = [], {}
    for name, same in merged(model, student):
        cell = model.cells.get(name)
        if cell and (what := oddity(cell, same)):
            notes.append((name, what))
        if cell is None or is_solution(cell):
            cells += [(name, "", each.source) for each in same if each.cell_type == "code"]
        elif is_check(cell):
            parts = {_SEEN: visible_part(cell.source), _UNSEEN: hidden(cell.source)}
            cells += [(name, part, _run(text, tasks)) for part, text in parts.items()]
        elif cell.cell_type == "code":
            cells.append((name, "", _run(cell.source, tasks, defined([cell.source]))))
    ran = run_cells([source for *_, source in cells], files, SECONDS, boxed)
    for (name, part, _), error in zip_longest(cells, ran.errors, fillvalue=("", f"not reached: {ran.ended}")):
        if error and error[1].startswith(TOO_LONG):
            notes.append((name or NO_TASK, error[1]))
        if error and part:
            failed.setdefault(name, f"{part}: {_message(part, *error)}")
        elif error and error[0] not in ("", "NotImplementedError", "KeyboardInterrupt"):
            notes.append((name or NO_TASK, f"raised {error[0]}"))
    checks = {name: failed.get(name, "") for name in model.checks}
    points = sum(model.points[name] for name, message in checks.items() if not message)
    return Judgement(points, checks, notes, ran.ended)


def _run(*how: object) -> str:
    """Return the code that calls ``Checks.run`` in the kernel, whatever its names mean there."""
    return f'__import__("sys").modules["course_checks"].run{how!r}'


def _message(part: str, kind: str, message: str) -> str:
    """Return what a student reads of an error in a check."""
    if kind in ("", "AssertionError", "KeyboardInterrupt"):
        return message or "the result is not right"
    # The words of other errors may hold what was hidden.
    return f"{kind}: {message}" if part == _SEEN else f"the result cannot be used ({kind})"
