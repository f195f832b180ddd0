"""A class that hands in what classes hand in, and what they should not; and what must come of each."""

import copy
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from ferbook.course.source import SOLUTION, Assignment, is_check, is_solution, name_of
from tests.ferbook.attack_suite import NO_NAME, attacks, write_file


@dataclass(frozen=True)
class Expected:
    """``points`` that the checks give (None: it does not matter); ``told``: how the row names what is odd."""

    points: float | None
    told: str = ""


def handed_out(course: Path, assignment: Assignment, variant: int):
    """The released notebook of a variant."""
    file = course / "release" / assignment.name / f"{assignment.name}-variant-{variant}.zip"
    with zipfile.ZipFile(file) as packed:
        return nbformat.reads(
            packed.read(f"{assignment.name}/{assignment.name}.ipynb").decode(), as_version=4
        )


def solved(notebook, assignment, **instead):
    """The notebook with the instructor's solutions, or by the cell's name what is given instead."""
    right = {name_of(cell): cell.source for cell in assignment.notebook.cells if is_solution(cell)}
    for cell in filter(is_solution, notebook.cells):
        cell.source = instead.get(name_of(cell), right[name_of(cell)])
    return notebook


def make_class(folder: Path, course: Path, assignment: Assignment, variant_of) -> dict[str, Expected]:
    """Write the class's folders; the expected result by student."""
    expected: dict[str, Expected] = {}
    every = assignment.points
    checks = [name_of(cell) for cell in assignment.notebook.cells if is_check(cell)]
    most = sum(every[name] for name in checks)
    first = next(name_of(cell) for cell in assignment.notebook.cells if is_solution(cell))
    function = next(name for name, is_function in assignment.names.items() if is_function)

    def hand_in(student, points, told="", file=None, **instead):
        notebook = solved(handed_out(course, assignment, variant_of(student)), assignment, **instead)
        place = folder / student / (file or f"{assignment.name}.ipynb")
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
        expected[student] = Expected(points, told)
        return notebook, place

    hand_in("right", most)
    hand_in("folders", most, file=f"{assignment.name}/{assignment.name}.ipynb")
    hand_in("renamed", most, "renamed", file="my homework.ipynb")
    for number, wrong in enumerate(assignment.wrong()):
        notebook, place = hand_in(f"wrong{number}", most - every[wrong.check])
        at = 1 + max(
            n
            for n, cell in enumerate(notebook.cells)
            if is_solution(cell) and n < _place(notebook, wrong.check)
        )
        notebook.cells.insert(at, new_code_cell(wrong.source))
        nbformat.write(notebook, place)
    nothing = {
        name_of(cell): SOLUTION.sub("raise NotImplementedError()", cell.source)
        for cell in assignment.notebook.cells
        if is_solution(cell)
    }
    hand_in("blank", 0, **nothing)
    for name, attack in attacks("solutions").items():
        code = attack["code"].replace("{function}", function)
        hand_in(name, 0, attack["told"], **(nothing | {first: code}))
    for number, attack in enumerate(attacks("files").values()):
        part, often = attack.get("student", [f"file{number}-", 1])
        student = part * often
        notebook = solved(handed_out(course, assignment, variant_of(student)), assignment)
        write_file(folder / student, notebook, attack)
        points = most if attack.get("points") else None
        row = f"'{student}" if student.startswith("=") else student  # as a spreadsheet has to see it
        expected[row] = Expected(points, attack.get("told", "" if points else NO_NAME))
    hand_in("syntax", None, "SyntaxError", **{first: "def ("})
    hand_in("dies_late", None, "ended by itself", **{_last(assignment): "import os\nos._exit(1)"})

    notebook, place = hand_in("edits_check", 0, "edited though it is locked", **nothing)
    for cell in filter(is_check, notebook.cells):
        cell.source = "assert True"
    nbformat.write(notebook, place)
    notebook, place = hand_in("deletes_check", 0, "deleted, and restored", **nothing)
    notebook.cells = [cell for cell in notebook.cells if not is_check(cell)]
    nbformat.write(notebook, place)
    notebook, place = hand_in("twice", most, "there 2 times")
    copied = copy.deepcopy(next(cell for cell in notebook.cells if is_check(cell)))
    notebook.cells.append(copied)
    copied.id = "copied"
    nbformat.write(notebook, place)
    notebook, place = hand_in("neighbour", None, "variant")
    other = (variant_of("neighbour") + 1) % 8
    nbformat.write(solved(handed_out(course, assignment, other), assignment), place)

    def write(student, told, file, content):
        (folder / student).mkdir()
        (folder / student / file).write_bytes(content)
        expected[student] = Expected(None, told)

    whole = nbformat.writes(handed_out(course, assignment, 0)).encode()
    write("pdf", "not a notebook", "a.pdf", b"%PDF")
    blank = nbformat.v4.new_notebook(cells=[new_code_cell("1")])
    write("another", "no assignment", "a.ipynb", nbformat.writes(blank).encode())
    write("two", "2 files", "a.ipynb", whole)
    (folder / "two" / "b.ipynb").write_bytes(whole)
    (folder / "linked").symlink_to(folder / "right")
    expected["linked"] = Expected(None, "a link")
    (folder / "none").mkdir()
    expected["none"] = Expected(None, "nothing handed in")
    os.mkdir(os.fsencode(folder) + b"/caf\xe9")
    expected["caf\\xe9"] = Expected(None, "cannot be a student's")
    return expected


def _place(notebook, name):
    return next(n for n, cell in enumerate(notebook.cells) if name_of(cell) == name)


def _last(assignment):
    return [name_of(cell) for cell in assignment.notebook.cells if is_solution(cell)][-1]
