"""Instructor notebooks: nbgrader's cell metadata, what a grader asks of them, and what comes of others'."""

import ast
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nbformat import NotebookNode
from pydantic import BaseModel

from ferbook import paths
from ferbook.errors import BookError, ChapterError, require_name
from ferbook.files import read_yaml
from ferbook.notebook import read_notebook

MOST_VARIANTS = 8
HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS", re.M | re.S)
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION", re.M | re.S)
WRONG = re.compile(r"^# %% fails (\S+): (.+)\n((?:(?!^# %% ).*\n?)*)", re.M)


# How a hidden test asks for the instructor's value of a name, after ``key = np.load("key.npz")``.
KEY = re.compile(r'\bkey\["(\w+)"\]')


def grading(cell: NotebookNode) -> dict:
    """What nbgrader's metadata say of a cell; empty where they say nothing."""
    metadata = cell.metadata.get("nbgrader", {})
    return metadata if isinstance(metadata, dict) and isinstance(metadata.get("grade_id"), str) else {}


def name_of(cell: NotebookNode) -> str:
    """The cell's ``grade_id``; empty for one of the student's own."""
    return grading(cell).get("grade_id", "")


def is_check(cell: NotebookNode) -> bool:
    """Whether the cell holds asserts that points are given for."""
    metadata = grading(cell)
    return cell.cell_type == "code" and bool(metadata.get("grade")) and not metadata.get("solution")


def is_solution(cell: NotebookNode) -> bool:
    """Whether it is a code cell that the student fills."""
    return cell.cell_type == "code" and bool(grading(cell).get("solution"))


def is_written(cell: NotebookNode) -> bool:
    """Whether it is an answer in words, which a person grades."""
    return cell.cell_type == "markdown" and bool(grading(cell).get("grade"))


def is_open(cell: NotebookNode) -> bool:
    """Whether the student fills it, in code or in words."""
    return is_solution(cell) or is_written(cell)


def visible(cell: NotebookNode) -> str:
    """A cell's source without its hidden tests."""
    return HIDDEN.sub("", cell.source + "\n").strip()


def hidden(cell: NotebookNode) -> str:
    """The hidden tests of a check."""
    return HIDDEN.search(cell.source + "\n").group(1)


def defined(source: str) -> set[str]:
    """The names that code defines at its top level."""
    names = set()
    for node in ast.parse(source).body:
        names |= {node.name} if isinstance(node, ast.FunctionDef) else set()
        if isinstance(node, ast.Assign | ast.AnnAssign):
            every = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
            names |= {each.id for each in every if isinstance(each.ctx, ast.Store)}
    return names


@dataclass(frozen=True)
class Wrong:
    """A wrong solution: the one check that it must fail, what is wrong, and the code."""

    check: str
    what: str
    source: str


@dataclass(frozen=True)
class Assignment:
    """An instructor notebook, with ``data.py`` and ``wrong.py`` beside it."""

    name: str
    title: str
    folder: Path

    @property
    def file(self) -> Path:
        """The notebook."""
        return self.folder / f"{self.name}.ipynb"

    @cached_property
    def notebook(self) -> NotebookNode:
        """The instructor notebook. Raises BookError where a grader could not use it."""
        try:
            notebook = read_notebook(self.file)
        except ChapterError as fault:
            raise BookError(str(fault)) from fault
        counts = Counter(filter(None, map(name_of, notebook.cells)))
        if twice := [name for name, count in counts.items() if count > 1]:
            raise BookError(f"{self.file}: grade_id {', '.join(twice)} is given to two cells")
        checks = [cell for cell in notebook.cells if is_check(cell)]
        if not checks:
            raise BookError(f"{self.file}: no cell is marked as a check that points are given for")
        for cell in checks:
            if (count := len(HIDDEN.findall(cell.source + "\n"))) != 1:
                blocks = f"{count} blocks of hidden tests; put them into one" if count else "no hidden tests"
                raise BookError(f"{self.file}: check {name_of(cell)} has {blocks}")
        for cell in filter(is_solution, notebook.cells):
            if not SOLUTION.search(cell.source + "\n"):
                raise BookError(f"{self.file}: solution {name_of(cell)} has no ### BEGIN SOLUTION")
        return notebook

    @cached_property
    def keys(self) -> list[str]:
        """The names whose instructor's values hidden tests ask for."""
        checks = [cell for cell in self.notebook.cells if is_check(cell)]
        return sorted({name for cell in checks for name in KEY.findall(hidden(cell))})

    @cached_property
    def points(self) -> dict[str, int]:
        """Points of each check and each written answer, by ``grade_id``."""
        cells = [cell for cell in self.notebook.cells if is_check(cell) or is_written(cell)]
        return {name_of(cell): grading(cell)["points"] for cell in cells}

    @cached_property
    def tasks(self) -> dict[str, str]:
        """The heading above each check and each written answer, by ``grade_id``."""
        heading, titles = "", {}
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and (headings := re.findall(r"^##+ +(.+)", cell.source, re.M)):
                heading = re.sub(r" *\([^)]*\)$", "", headings[-1])
            titles[name_of(cell)] = heading or name_of(cell)
        return {name: titles[name] for name in self.points}

    def wrong(self) -> list[Wrong]:
        """The wrong solutions in ``wrong.py``. Raises BookError where one names no check."""
        file = self.folder / "wrong.py"
        solutions = [Wrong(*match) for match in WRONG.findall(file.read_text(encoding="utf-8"))]
        checks = {name_of(cell) for cell in self.notebook.cells if is_check(cell)}
        if odd := {each.check for each in solutions} ^ checks:
            raise BookError(
                f"{file}: checks without a wrong solution, or the reverse: {', '.join(sorted(odd))}"
            )
        return solutions

    def digest(self) -> str:
        """SHA-256 (hex) of the folder's files."""
        files = sorted(file for file in self.folder.iterdir() if file.suffix in (".ipynb", ".py"))
        parts = [file.name.encode() + file.read_bytes() for file in files]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


class Checked(BaseModel):
    """What came of a check. ``part``: of which one failed, what the student saw or what was hidden."""

    check: str
    points: float
    most: float
    part: str = ""
    message: str = ""


class Written(BaseModel):
    """An answer in words, to be graded by a person; ``rubric`` is the instructor's cell."""

    question: str
    most: float
    answer: str
    rubric: str


class Judgement(BaseModel):
    """What came of a notebook. ``notes``: (cell, what is odd about it); ``ended``: why its kernel did."""

    checks: list[Checked] = []
    written: list[Written] = []
    notes: list[tuple[str, str]] = []
    ended: str = ""
    seconds: float = 0

    @property
    def points(self) -> float:
        """What its checks give."""
        return sum(one.points for one in self.checks)


def assignments(names: list[str] | None = None) -> list[Assignment]:
    """The assignments of those names, all where none is named, in the course's order.

    Raises ParameterError with the known names for one that does not exist; BookError where the book has no
    course, or its file is not as it should be.
    """
    file = paths.root() / "assignments" / "course.yaml"
    about = read_yaml(file, BookError)
    titles = about.get("assignments") if isinstance(about, dict) else None
    if not isinstance(titles, dict) or not titles or {*map(type, (*titles, *titles.values()))} != {str}:
        raise BookError(f"{file}: expected `assignments`: a title for the name of each")
    for name in names or ():
        require_name("assignment", name, titles)
    return [
        Assignment(name, titles[name], file.parent / name) for name in titles if name in (names or titles)
    ]
