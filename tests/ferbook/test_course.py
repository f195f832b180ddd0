"""Assignments: built, checked and graded, on the example book's one. Most tests put a mark in the place of a
kernel; what a kernel and its box do is tested by themselves.
"""

import asyncio
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import unicodedata
import zipfile
from copy import deepcopy
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from ferbook.course import box, build, marking
from ferbook.course import grade as grading
from ferbook.course.build import build_course, check_assignment, make_data, released
from ferbook.course.grade import MOST_VARIANTS, grade, read_students, variant_of
from ferbook.course.marking import Judgement, assignments, digest, mark, read_cells
from ferbook.errors import BookError, DataError, MissingError, ParameterError

EXAMPLE = Path(__file__).parent / "example"
boxes = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


def the_assignment(book=EXAMPLE):
    return assignments(book / "assignments")["dice"]


@pytest.fixture
def dice(example):
    """The example's assignment."""
    return the_assignment()


@pytest.fixture
def marked(monkeypatch):
    """In the place of a kernel: each check has its points where its solution is the instructor's."""

    def mark(model, student, files, boxed):
        sources = [cell.source for cell in student]
        right = dict(zip(model.checks, [each in sources for each in model.solutions.values()], strict=True))
        points = sum(model.points[name] for name in right if right[name])
        return Judgement(points, {name: "" if ok else "wrong" for name, ok in right.items()}, [], "")

    monkeypatch.setattr(grading, "mark", mark)


@pytest.fixture
def own_course(course, tmp_path):
    """A copy of the built course, to be changed."""
    return shutil.copytree(course, tmp_path / "course")


@pytest.fixture
def grade_all(course, example, tmp_path, marked):
    """Grade what lies in ``class``; the rows of grades.csv by student, and what is told."""

    def grade_all(place=course, names=None):
        out = tmp_path / "out"
        told = grade(tmp_path / "class", place, out, names, boxed=False)
        with (out / "grades.csv").open() as file:
            return {row["student"]: row for row in csv.DictReader(file)}, told

    return grade_all


def handed_out(course):
    """The released notebook."""
    with zipfile.ZipFile(course / "dice" / "release" / "dice-variant-0.zip") as packed:
        return nbformat.reads(packed.read("dice/dice.ipynb").decode(), as_version=4)


def solved(course, **instead):
    """The released notebook with the instructor's solutions, or by a cell's name what is given instead."""
    notebook, right = handed_out(course), the_assignment().solutions
    for cell in notebook.cells:
        cell.source = (right | instead).get(cell.metadata.nbgrader.grade_id, cell.source)
    return notebook


def cells_of(notebook):
    return read_cells(nbformat.writes(notebook).encode())


def hand_in(folder, notebook, student, file="dice.ipynb"):
    """A notebook in the student's folder."""
    (folder / student).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / student / file)
    return folder / student / file


def edited(copy, old, new, file="dice.ipynb"):
    """The copied book's assignment with another text in a file."""
    file = copy / "assignments" / "dice" / file
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return the_assignment(copy)


# What is handed out


def test_the_release_holds_no_solution_and_validates_as_nbgrader_does(course, dice):
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.utils import compute_checksum

    notebook = handed_out(course)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    checks = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id in dice.checks]
    assert checks and all(cell.metadata.nbgrader.checksum == compute_checksum(cell) for cell in checks)
    text = nbformat.writes(notebook)
    assert "NotImplementedError" in text
    assert not [word for word in ("BEGIN", "key", "bincount", "hundred", "Rubric") if word in text]


def test_variants_have_other_numbers_and_a_student_always_the_same(course):
    keys = {float(np.load(file)["mean"]) for file in (course / "dice").glob("*/key.npz")}
    assert len(keys) == MOST_VARIANTS
    counts = np.bincount([variant_of(f"student-{n}") for n in range(400)], minlength=MOST_VARIANTS)
    assert counts.min() > 25 and len(counts) == MOST_VARIANTS
    assert [variant_of(name) for name in ("ada", "alan")] == [5, 1]


def test_what_is_up_to_date_stays_and_students_get_their_variants(own_course, example, tmp_path, command):
    place, students = own_course, tmp_path / "students.csv"
    students.write_text("student\nada\nalan\n")
    (place / "variants.csv").write_text("student,variant\nada,7\n")
    told = f"dice: up to date\nto hand out: {place}/*/release; to keep: all else in {place}\n"
    assert command("course", "build", "dice", "--course", place, "--students", students) == (0, told, "")
    lines = ["ada,7", f"alan,{variant_of('alan')}"]  # what was handed out stays
    assert (place / "variants.csv").read_text().splitlines() == ["student,variant", *lines]


def test_only_the_variants_of_the_listed_students_are_built(example, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(build, "make_bundle", lambda _, folder, variants, advance: made.append([*variants]))
    monkeypatch.setattr(build, "_release", lambda *_: None)
    (line,) = build_course(["dice"], tmp_path / "course", ["ada", "alan"])
    assert made == [[variant_of("alan"), variant_of("ada")]] and line.endswith("2 variants")
    build_course(["dice"], tmp_path / "course", [])
    assert made[1] == [*range(MOST_VARIANTS)]


@pytest.mark.defect("C9")
@pytest.mark.parametrize(
    "text",
    [
        "student,name\nada,Ada\nalan,Alan\n",
        "\ufeffstudent;name\r\nada;Ada\r\nalan;Alan\r\n;\r\n",
        '"name","student"\n"Lovelace, Ada","ada"\n"Turing, Alan","alan"\n',
    ],
)
def test_a_list_of_students_is_read_as_spreadsheets_write_it(text, tmp_path):
    file = tmp_path / "students.csv"
    file.write_bytes(text.encode())
    assert read_students(file) == ["ada", "alan"]


@pytest.mark.defect("C9")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"student\nAda Lovelace\nada\n../x\n", r"'Ada Lovelace', '\.\./x' cannot name a folder"),
        (b"ada\nalan\n", "line 1: expected the columns student; without student"),
        (b"student\nAnn\xe9\n", "cannot be read .* save it as CSV in UTF-8"),
        (b"student,name\nada,Lovelace, Ada\n", "line 2: not as many cells as the 2 columns"),
        (b'student,name\nada,"Lovelace\nalan,Turing\n', "line 2: cannot be read .*is each quote closed"),
        (b'student,name\nada,"Lovelace\nalan,Turing"\n', "line 3: a quote of a row above it is closed only"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_before_anything_is_built(content, words, tmp_path):
    file = tmp_path / "students.csv"
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=words):
        read_students(file)


@pytest.mark.defect("C9")
def test_where_the_committed_run_is_not_the_build_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    known = assignments(EXAMPLE.parents[2] / "assignments", ["convolution"])
    with pytest.raises(BookError, match=r"data of convolution, variant 3: .* read from /.*FER_RUNS"):
        make_data(known["convolution"], 3)


def test_an_assignment_that_does_not_exist_is_named(example, tmp_path):
    with pytest.raises(ParameterError, match=r"no assignment 'dise'.*did you mean 'dice'"):
        build_course(["dise"], tmp_path, [])


def test_what_nbgrader_refuses_is_named(copy):
    with pytest.raises(BookError, match=r"assignments/dice: nbgrader's ClearSolutions: no end solution"):
        released(edited(copy, "### END SOLUTION", "### THE END"))


# course check


def test_the_example_can_be_handed_out_and_weak_checks_are_found(copy):
    assert check_assignment(the_assignment(copy)) == []
    weak = edited(copy, "< 1e-9", "< 9")
    (fault,) = check_assignment(weak)
    assert "mean_check" in fault and "fails no check" in fault
    other = edited(copy, "fails longest_check", "fails mean_check", "wrong.py")
    with pytest.raises(BookError, match="longest_check"):
        other.wrong()


def test_a_build_whose_model_fails_its_checks_leaves_the_last_good_one(own_course, copy):
    before = {file: file.read_bytes() for file in own_course.rglob("*") if file.is_file()}
    edited(copy, "minlength=7)[1:]", "minlength=7)[:6]")
    with pytest.raises(BookError, match=r"variant 0: its own checks fail: counts_check \(1 came twice\)"):
        build_course(None, own_course, [])
    assert {file: file.read_bytes() for file in own_course.rglob("*") if file.is_file()} == before


# A kernel and its box


@pytest.mark.isolation
@boxes
@pytest.mark.slow
def test_a_box_has_no_files_no_network_little_memory_and_goes_on_after_a_loop(tmp_path):
    (tmp_path / "data.npz").write_bytes(b"its own")
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        cells = [
            f"import os; assert open('data.npz').read() and not os.path.exists({str(EXAMPLE)!r})",
            f"import socket; {reach}",
            "while True: pass",
            "import numpy as np; np.ones(5 * 2**30 // 8)",
            "open('/usr/mine', 'w')",
            "print('x' * 10**7); kept = np.arange(3); np.save('kept.npy', kept)",
        ]
        ran = box.run_cells(cells, {"data.npz": tmp_path / "data.npz"}, 10, True)
    kinds = [error and error[0] for error in ran.errors]
    assert kinds[1] in ("ConnectionRefusedError", "OSError")
    assert [*kinds[:1], *kinds[2:]] == [None, "KeyboardInterrupt", "MemoryError", "OSError", None]
    assert ran.errors[2][1] == "it took longer than 10 s" and not ran.ended


def test_cells_run_where_a_loop_is_running_as_in_a_notebook():
    async def from_a_notebook():
        return box.run_cells(["1", "1 / 0"], {}, 20, boxed=False)

    ran = asyncio.run(from_a_notebook())
    assert ran.errors[0] is None and ran.errors[1][0] == "ZeroDivisionError"


def test_a_kernel_that_ends_or_takes_too_much_says_so(monkeypatch):
    ran = box.run_cells(["1", "import os; os._exit(0)", "1"], {}, 20, boxed=False)
    assert ran.errors == [None] and "ended by itself" in ran.ended
    monkeypatch.setattr(box, "PROCESSES", 1)
    many = "import subprocess as s; [s.Popen(['sleep', '60']) for _ in range(2)]"
    ran = box.run_cells([many, "while True: pass"], {}, 30, boxed=False)
    assert "it started more than 1 processes" in ran.ended


def test_all_cells_together_have_no_longer_than_is_said():
    ran = box.run_cells(["while True: pass"], {}, 5, boxed=False, often=0)
    assert (ran.errors, ran.ended) == ([], "it took longer than 0 s")


def test_without_bubblewrap_one_sentence_says_what_to_do(course, tmp_path, monkeypatch):
    hand_in(tmp_path / "class", solved(course), "ada")
    monkeypatch.setattr(box.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match=r"bubblewrap makes none here: install it .*--without-box"):
        grade(tmp_path / "class", course, tmp_path / "out", None, boxed=True)
    assert not (tmp_path / "out").exists()


def test_checks_that_end_without_an_error_have_their_points_whatever_is_printed(course, dice):
    instead = {"counts": "def counts(throws):\n    return np.array([2, 0, 0, 1, 0, 0])"}
    instead |= {"mean": "mean = 'none'; print('4 of 4 points')", "longest_check": "assert True"}
    files = marking.in_variant(course / "dice", 0)
    verdict = mark(dice, cells_of(solved(course, **instead)), files, boxed=False)
    assert verdict.checks["counts_check"] == "on new inputs: wrong for a hundred throws"
    assert verdict.checks["mean_check"].startswith("in the notebook: TypeError: ")
    assert verdict.checks["longest_check"] == "" and verdict.points == dice.points["longest_check"]
    assert ("longest_check", "edited though it is locked, and restored") in verdict.notes


# Cells that are not as they were


@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
def test_line_ends_of_other_systems_change_neither_cells_nor_keys(dice, end):
    notebook = deepcopy(dice.notebook)
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", end)
    assert cells_of(notebook) == cells_of(dice.notebook)


@pytest.mark.parametrize(("old", "new"), [("TESTS\n", "TESTS \n"), ("### BEGIN", "#BEGIN"), ("\n", "\r\n")])
def test_building_and_grading_agree_on_what_is_hidden(copy, old, new):
    file = copy / "assignments" / "dice" / "dice.ipynb"
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        if cell.id.endswith("_check"):
            cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, file)
    found = the_assignment(copy)
    for cell in released(found).cells:
        if cell.id in found.checks:
            assert cell.source.strip() == marking.visible_part(found.checks[cell.id])
            assert marking.hidden(found.checks[cell.id])


def test_a_name_module_or_file_that_one_task_changes_costs_no_other_task_its_points(course, dice):
    helper = "\nsides, none = [1, 2], np.zeros(2)\ndef two(*, least=1):\n    return max(least, len(sides))"
    dice.cells["setup"].source += helper
    dice.cells["longest_check"].source += "\nassert two() == 2 and not none.any() and sides == [1, 2]"
    student = {cell.name: cell for cell in dice.solution}
    first = "range = len = none[:] = 0.5\nnp.shape, np.array, np.random = None, len, 3\nsides.clear()"
    more = "import builtins, os, sys\nbuiltins.sum = 0\nsys.path.clear()\ndel sys.modules['numpy'], two"
    student[
        "counts"
    ].source += f"\n%matplotlib widget\n%pylab qt\n{first}\n{more}\nos.remove('key.npz')\nos.chdir('/')"
    student["mean"].source += "\ndel range\nnp = data"
    verdict = mark(dice, dice.solution, marking.in_variant(course / "dice", 0), boxed=False)
    assert verdict.points == 6 and not [what for _, what in verdict.notes if "restored" not in what]


def test_what_an_endless_cell_did_stands_in_the_table(dice, tmp_path, monkeypatch):
    slow = ("KeyboardInterrupt", "it took longer than 60 s")
    monkeypatch.setattr(marking, "run_cells", lambda cells, *_: box.Ran([slow] + [None] * (len(cells) - 1)))
    one = grading.Submission("ada", "dice", tmp_path / "dice.ipynb", cells=dice.solution)
    one.verdict = mark(dice, dice.solution, {}, boxed=False)
    grading._report([one], {"dice": dice}, tmp_path, boxed=False)
    assert "it took longer than 60 s" in next(csv.DictReader((tmp_path / "grades.csv").open()))["reason"]


def test_a_graded_folder_is_removed_and_nothing_behind_its_links_changes(tmp_path):
    (tmp_path / "outside").mkdir(0o750)
    (tmp_path / "outside" / "file").touch(0o640)
    links = [f"os.symlink({str(tmp_path / name)!r}, {name[-4:]!r})" for name in ("outside", "outside/file")]
    write = f"import os; open({str(tmp_path / 'where')!r}, 'w').write(os.getcwd())"
    deep = "for _ in range(3000): os.mkdir('d'); os.chdir('d')"
    cells = [write, "os.mkdir('c'); os.chdir('c')", *links, "os.chmod('.', 0)", "os.chdir('..')", deep]
    assert box.run_cells(cells, {}, 30, boxed=False) == box.Ran([None] * len(cells))
    assert not Path((tmp_path / "where").read_text()).exists()
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("outside", "outside/file")]
    assert modes == [0o750, 0o640]


@pytest.mark.isolation
@boxes
def test_what_a_box_writes_has_a_bound_that_the_system_enforces(monkeypatch):
    monkeypatch.setattr(box, "FILES", 8 * 2**20)
    nameless = "f = open('x', 'wb', 0); os.unlink('x'); [f.write(bytes(2**20)) for _ in range(9)]"
    many = "for n in range(9): open(f'/dev/shm/{n}', 'wb').write(bytes(2**20))"
    deep = "for _ in range(1500): os.mkdir('d'); os.chdir('d')\nopen('x', 'wb').write(bytes(2**23))"
    shared = "found = ctypes.CDLL(None, use_errno=True).shmget(0, 9, 0o1600), ctypes.get_errno()"
    cells = ["import os, ctypes", nameless, many, deep, "os.memfd_create('x')", shared]
    ran = box.run_cells([*cells, "assert found == (-1, 38), found"], {}, 30, boxed=True)
    full, refused = ("OSError", "[Errno 28] No space left on device"), ("OSError", "[Errno 38] Function not ")
    assert ran.errors[:4] == [None, full, full, full] and ran.errors[5:] == [None, None]
    assert ran.errors[4][0] == refused[0] and ran.errors[4][1].startswith(refused[1])


def notes_of(dice, student):
    pairs = [(name, same) for name, same in marking.merged(dice, cells_of(student)) if name]
    return {name: said for name, same in pairs if (said := marking.oddity(dice.cells[name], same))}


def test_of_doubled_cells_it_is_said_which_counts(course, dice):
    cells = solved(course).cells
    place = next(n for n, cell in enumerate(cells) if cell.id == "mean")
    stub = deepcopy(cells[place])
    stub.source, stub.id = "mean = 0", "stub"
    for order in ([cells[place], stub], [stub, cells[place]]):
        student = new_notebook(cells=[*cells[:place], order[0], *cells[place + 1 :], order[1]])
        (run,) = (same for name, same in marking.merged(dice, cells_of(student)) if name == "mean")
        assert [each.source for each in run] == [each.source for each in order]
        assert notes_of(dice, student)["mean"] == (
            "there 2 times; all run, in their order, before the check: what the last one defines counts"
        )


def test_an_answer_in_words_that_was_split_is_whole_and_what_is_gone_is_named(dice):
    student = deepcopy(dice.notebook)
    student.cells.append(deepcopy(student.cells[-1]))
    student.cells = [cell for cell in student.cells if cell.id not in ("mean_check", "longest")]
    student.cells[-1].id = "another"
    notes = notes_of(dice, student)
    assert notes.pop("answer") == "there 2 times; all count"
    assert notes.pop("mean_check") == "deleted, and restored" and notes.pop("longest") == "deleted"


def test_cells_without_metadata_are_known_by_their_ids(course, tmp_path, grade_all):
    notebook = solved(course, answer="they are fair")
    notebook.cells.insert(0, new_code_cell("import this"))
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    hand_in(tmp_path / "class", notebook, "ada", "homework.ipynb")
    hand_in(tmp_path / "class", new_notebook(cells=[new_code_cell("mean = 3.5")]), "boris")
    rows, _ = grade_all()
    assert (rows["ada"]["points"], rows["ada"]["not_graded"]) == ("6", "1")
    assert (rows["boris"]["assignment"], rows["boris"]["points"]) == ("dice", "")
    assert "its metadata are gone" in rows["boris"]["reason"]


# What is handed in

NOTEBOOK = b'{"nbformat": 4, "cells": [%s]}'
CELL = b'{"cell_type": "raw", "source": "%s", "id": "%s"}'


@pytest.mark.defect("C1", "C8")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"my solution", "JSONDecodeError"),
        (b"\xff\xfe{}", "UnicodeDecodeError"),
        (b'{"nbformat": 4, "cells": 7}', "cells: Input should be a valid array"),
        (b"[]", "Input should be an object"),
        (b"[" * 10**5, "RecursionError"),
        (b'{"nbformat": 3, "worksheets": []}', "nbformat: Input should be 4"),
        (NOTEBOOK % b'{"cell_type": "code"}', "cells, entry 1, source: Field required"),
        (NOTEBOOK % b'{"cell_type": ["code"], "source": ""}', "cells, entry 1, cell_type"),
        (NOTEBOOK % (b"0," * 10**6 + b"0"), "cells, entry 1"),
        (NOTEBOOK % (CELL % (b"", b"x" * 300)), "at most 200 characters"),
        (NOTEBOOK % b",".join([CELL % (b"", b"a")] * 2001), "at most 2000 items"),
        (NOTEBOOK % (CELL % (b"x" * 2**21, b"a")), "a notebook has at most 1048576"),
    ],
)
def test_what_is_no_notebook_says_why(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_cells(content)


@pytest.mark.defect("C8")
def test_of_a_notebook_kinds_names_and_sources_are_read_and_nothing_else():
    cell = {"cell_type": "code", "source": ["a = 1\n", "b \ud800"], "outputs": [float("nan")]}
    cell["metadata"] = {"nbgrader": {"grade_id": "task"}}
    (found,) = read_cells(b"\xef\xbb\xbf" + json.dumps({"nbformat": 4, "cells": [cell]}).encode())
    assert found.model_dump() == {"cell_type": "code", "source": "a = 1\nb ?", "name": "task"}


def test_each_entry_of_a_class_is_a_row_without_formulas_and_litter_is_nobody(course, tmp_path, grade_all):
    folder, right = tmp_path / "class", solved(course)
    for student, file in (("ada", "my homework"), ("two", "a"), ("two", "b"), ("one", "dice"), ("one", "b")):
        hand_in(folder, right, student, f"{file}.ipynb")
    for name in ("pdf", "none", "__MACOSX"):
        (folder / name).mkdir()
    (folder / "pdf" / "a.pdf").write_bytes(b"%PDF")
    (folder / "=cmd|' ipynb").mkdir()
    hand_in(folder, right, "formula", "x;=1+1.ipynb")
    (folder / "linked").symlink_to(folder / "ada")
    (folder / "none" / os.fsdecode(b"\xff.ipynb")).symlink_to(folder / "ada" / "my homework.ipynb")
    for name in (".DS_Store", "._ada", "ada/._my homework.ipynb", "none/.DS_Store", "__MACOSX/a.ipynb"):
        (folder / name).write_bytes(b"x")
    hand_in(folder, right, unicodedata.normalize("NFD", "José"))
    rows, _ = grade_all()
    assert {*rows} == {"ada", "two", "one", "pdf", "none", "linked", "José", "formula", "'=cmd,' ipynb"}
    points = {name for name, row in rows.items() if row["points"] == "6"}
    reasons = {name: row["reason"] for name, row in rows.items()}
    assert points == {"ada", "José", "one", "formula"} and rows["ada"]["file"] == "my homework.ipynb"
    assert rows["formula"]["file"] == "x,=1+1.ipynb"
    assert reasons["two"] == "one of 2 files for this assignment, none is graded"
    assert reasons["pdf"] == "no notebook handed in" and reasons["none"] == "a link, no plain file"
    assert "\\udcff.ipynb" in (tmp_path / "out" / "feedback" / "none.html").read_text()
    assert "links are not followed" in reasons["linked"]


def test_one_students_folder_that_cannot_be_read_costs_nobody_else_a_grade(dice, tmp_path, monkeypatch):
    folder, known = tmp_path / "class", {"dice": dice}
    for student in ("ada", "deep", "deeper", "many"):
        hand_in(folder, dice.notebook, student)
    for student, depth in (("deep", 1500), ("deeper", 2500)):  # beyond recursion; beyond the longest path
        inner = os.open(folder / student, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=inner)
            outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
            os.close(outer)
        os.close(inner)
    monkeypatch.setattr(grading, "_ENTRIES", 3000)
    (folder / "many" / "more").mkdir()
    for number in range(3000):
        (folder / "many" / "more" / f"{number}").touch()
    reasons = {one.student: one.reason for one in grading.find_submissions(folder, known, known)}
    assert (reasons["ada"], reasons["deep"]) == ("", "")
    assert "name too long" in reasons["deeper"] and "more than 3,000" in reasons["many"]
    subprocess.run(["rm", "-rf", folder], check=True)  # pytest cannot


def test_h7_a_student_hands_in_at_most_20_mib_and_50_notebooks(course, tmp_path, grade_all):
    folder = tmp_path / "class"
    for student, count, size in (("big", 4, 6 * 2**20), ("many", 51, 10)):
        (folder / student).mkdir(parents=True)
        for number in range(count):
            (folder / student / f"{number}.ipynb").write_bytes(b"[]" + b" " * size)
    hand_in(folder, solved(course), "ada")
    rows, _ = grade_all(names=["dice"])
    most = "a student hands in at most 50 of 20 MiB in all"
    assert rows["big"]["reason"] == f"4 notebooks of 24.0 MiB, {most}" and rows["ada"]["points"] == "6"
    assert "24.0 MiB" in (tmp_path / "out" / "feedback" / "big.html").read_text()
    assert rows["many"]["reason"] == f"51 notebooks of 0.0 MiB, {most}"


def test_the_list_gives_variants_and_tells_who_is_missing(own_course, tmp_path, grade_all, monkeypatch):
    (own_course / "variants.csv").write_text("student,variant\nada,7\nemil,2\n")
    for student in ("ada", "zoe"):
        hand_in(tmp_path / "class", solved(own_course), student)
    old = tmp_path / "out" / "feedback" / "emil.html"
    old.parent.mkdir(parents=True)
    old.write_text("of before")
    real, seen = grading.mark, []
    monkeypatch.setattr(grading, "mark", lambda *how: seen.append(how[2]["data.npz"].parent) or real(*how))
    rows, _ = grade_all(own_course)
    assert rows["emil"]["reason"] == "no notebook handed in" and not old.exists()
    assert "not in variants.csv" in rows["zoe"]["look_at"] and "variants" not in rows["ada"]["look_at"]
    assert {file.name for file in old.parent.iterdir()} == {"ada.html", "zoe.html"}
    assert {folder.name for folder in seen} == {"variant-0", "variant-7", f"variant-{variant_of('zoe')}"}


@pytest.mark.parametrize("variant", ["7.0", "9", "-1", "8", "seven"])
def test_a_variant_that_there_is_not_is_refused_with_its_place(tmp_path, variant):
    (tmp_path / "variants.csv").write_text(f"student,variant\nada,7\nemil,\nzoe,{variant}\n")
    told = f"variants.csv, line 4, column variant: '{variant}'; expected 0 to 7, or none"
    with pytest.raises(DataError, match=told):
        grading.listed_variants(tmp_path)


def test_equal_work_is_pointed_out_to_the_teacher_alone(course, dice, tmp_path, grade_all):
    other = {"mean": "mean = float(data['throws'].mean())\n"}
    for student, answer, instead in (
        ("ada", "Sixty throws do not tell a small bias.", {}),
        ("boris", "Mine.", other),
        ("chen", "Yours.", {"mean": "# by me\nmean  =  float(data['throws'].mean())"}),
        ("dora", "mine. ", {"mean": "mean = 1"}),
        ("emil", "YOUR ANSWER HERE", {name: "raise NotImplementedError()" for name in dice.solutions}),
        ("finn", "YOUR ANSWER HERE", {name: "raise NotImplementedError()" for name in dice.solutions}),
    ):
        hand_in(tmp_path / "class", solved(course, answer=answer, **instead), student)
    rows, _ = grade_all()
    assert {name: row["look_at"] for name, row in rows.items()} == {
        "ada": "code of the model solution, words of the model solution",
        "boris": "code of chen, words of dora",
        "chen": "code of boris",
        "dora": "words of boris",
        "emil": "",
        "finn": "",
    }
    assert "chen" not in (tmp_path / "out" / "feedback" / "boris.html").read_text()


def test_nothing_handed_in_or_not_built_is_named(course, tmp_path, grade_all, monkeypatch):
    with pytest.raises(DataError, match="no such folder"):
        grade_all()
    with pytest.raises(DataError, match=r"no assignment is built; `ferbook course build --course .*other`"):
        grade_all(tmp_path / "other")
    hand_in(tmp_path / "class", solved(course), "ada")
    failing = Judgement(0, {"counts_check": "in the notebook: no SciPy"}, [], "")
    monkeypatch.setattr(grading, "mark", lambda *_: failing)
    told = r"dice: nothing is graded, .* fails counts_check \(in .*: no SciPy\)"
    with pytest.raises(DataError, match=told):
        grade_all()


def test_one_submission_that_raises_stops_no_other(course, tmp_path, grade_all, monkeypatch):
    for student in ("ada", "boris"):
        hand_in(tmp_path / "class", solved(course, answer=student), student)
    real = grading.mark

    def mark(model, student, *how):
        if any(cell.source == "boris" for cell in student):
            raise OSError("no space left")
        return real(model, student, *how)

    monkeypatch.setattr(grading, "mark", mark)
    rows, _ = grade_all()
    assert rows["ada"]["points"] == "6"
    assert rows["boris"]["reason"] == "could not be graded (OSError: no space left)"


# Points by hand


def test_keys_are_128_bits_behind_a_letter_and_differ_for_every_answer():
    keys = [digest(*parts) for parts in (("ada", "dice", "1"), ("ada", "dice", "2"), ("ad", "adice"))]
    assert len({*keys}) == 3 and all(key[0] == "k" and int(key[1:], 16) < 2**128 for key in keys)
    assert {len(key) for key in keys} == {1 + 128 // 4}


def test_points_given_by_hand_count_and_wait_again_for_another_answer(course, tmp_path, grade_all):
    file = hand_in(tmp_path / "class", solved(course, answer="perhaps"), "0012345")
    grade_all()
    table, pages = tmp_path / "out" / "by_hand.csv", tmp_path / "out" / "feedback"
    page = (pages / "0012345.html").read_text()
    assert "6 of 8 points" in page and "still to be graded" in page and "the students were trusted" in page
    assert "BEGIN" not in page and "bincount" not in page
    hand = (tmp_path / "out" / "by_hand.html").read_text()
    assert "one point for the number" in hand and "the students were trusted" in hand
    heading, row = table.read_text().splitlines()
    # As a spreadsheet leaves it: without zeros, with other separators, and a column of the teacher's own.
    typed = f"{heading},mine\n{row.replace('0012345', '12345').removesuffix(',,')},+1.50,- good,x\n"
    for sign in ".,.":
        table.write_text(typed.replace(",", ";").replace(".", sign))
        assert grade_all()[0]["0012345"]["by_hand"] == "1.5"
        assert table.read_text() == typed.replace(",", ";").replace(".", sign)
    assert "7.5 of 8 points" in (pages / "0012345.html").read_text()
    nbformat.write(solved(course, answer="certainly"), file)
    rows, told = grade_all()
    assert (rows["0012345"]["not_graded"], rows["0012345"]["by_hand"]) == ("1", "0")
    (line,) = [line for line in told if "by_hand.csv" in line]
    assert "the row of 12345 dice answer (k" in line and "belongs to no answer handed in" in line
    with table.open() as stream:
        assert [(row["points"], row["comment"], row["mine"]) for row in csv.DictReader(stream)] == [
            ("+1.50", "- good", "x"),
            ("", "", ""),
        ]


def test_a_wrong_table_of_points_is_named_before_grading_and_stays(course, tmp_path, grade_all, monkeypatch):
    for student in ("ada", "boris"):
        hand_in(tmp_path / "class", solved(course), student)
    grade_all()
    file = tmp_path / "out" / "by_hand.csv"
    new = file.read_text()
    heading, ada, boris = new.splitlines()
    monkeypatch.setattr(grading, "mark", lambda *_: pytest.fail("graded"))
    for wrong, message in (
        (new.replace(",2,,", ',2,1,"oops', 1).encode(), "cannot be read"),
        (new.replace(",2,,", ",2,1,tr\xe8s bien", 1).encode("latin-1"), "save it as CSV in UTF-8"),
        (new.replace(",2,,", ",2,1,well, late", 1).encode(), "line 2: not as many cells as the 7 columns"),
        (new.replace(",2,,", ",2,9,", 1).encode(), "line 2: expected points from 0 to 2, .* 0,5"),
        (new.replace(",2,,", ",2,nan,", 1).encode(), "line 2: expected points from 0 to 2"),
        ("\n".join((heading, ada, boris, ada)).encode(), "line 4: ada dice .* is there twice"),
        (f'{heading}\n{ada}"good\n{boris}well"'.encode(), "line 3: a quote of a row above it is closed only"),
        (new.replace("points", "mark").encode(), "line 1: expected the columns .*; without points"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(DataError, match=rf"by_hand\.csv.*{message}"):
            grade_all()
        assert file.read_bytes() == wrong


def test_points_that_are_given_while_others_are_graded_are_kept(course, tmp_path, grade_all, monkeypatch):
    hand_in(tmp_path / "class", solved(course), "ada")
    grade_all()
    file, real = tmp_path / "out" / "by_hand.csv", grading.mark

    def meanwhile(*how):
        file.write_text(file.read_text().replace(",2,,", ",2,2,good"))
        return real(*how)

    monkeypatch.setattr(grading, "mark", meanwhile)
    assert grade_all()[0]["ada"]["by_hand"] == "2" and ",2,2,good" in file.read_text()


# A class


@pytest.mark.slow
@pytest.mark.isolation
@boxes
def test_a_class_of_five_is_graded_whatever_one_of_them_does(course, example, tmp_path, monkeypatch):
    monkeypatch.setattr(marking, "SECONDS", 20)
    folder = tmp_path / "class"
    hand_in(folder, solved(course), "right")
    hand_in(folder, solved(course, mean="mean = 1.5"), "wrong")
    loop = "def longest(throws):\n    while True:\n        pass"
    hand_in(folder, solved(course, longest=loop), "endless")
    hand_in(folder, solved(course, counts="hoard = bytearray(5 * 2**30)"), "hungry")
    (folder / "nothing").mkdir()
    grade(folder, course, tmp_path / "out", None, boxed=True)
    with (tmp_path / "out" / "grades.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    points = {student: row["points"] for student, row in rows.items()}
    assert points == {"right": "6", "wrong": "5", "endless": "4", "hungry": "3", "nothing": ""}
    assert rows["nothing"]["reason"] == "no notebook handed in"
    assert "raised MemoryError" in rows["hungry"]["notes"]
    assert "longer than 20 s" in (tmp_path / "out" / "feedback" / "endless.html").read_text()
    assert {row["box"] for row in rows.values()} == {"yes"}


@pytest.mark.slow
def test_a_teachers_own_nbgrader_gives_the_same_points(course, dice, tmp_path, monkeypatch):
    from nbgrader.api import Gradebook

    place = tmp_path / "nbgrader"
    (place / "source" / "dice").mkdir(parents=True)
    shutil.copy(dice.folder / "dice.ipynb", place / "source" / "dice")
    wrong = {"mean": "mean = 1.5", "counts": "def counts(throws):\n    return np.array([2, 0, 0, 1, 0, 0])"}
    points, files = {}, marking.in_variant(course / "dice", 3)
    for student, instead in (("right", {}), ("wrong", wrong)):
        file = hand_in(place / "submitted" / student, solved(course, **instead), "dice")
        points[student] = mark(dice, read_cells(file.read_bytes()), files, boxed=False).points
        for source in files.values():
            shutil.copy(source, file.parent)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    for command in (["generate_assignment", "dice"], ["autograde", "dice", "--create"]):
        subprocess.run(["nbgrader", *command], cwd=place, check=True, capture_output=True, text=True)
    with Gradebook(f"sqlite:///{place / 'gradebook.db'}") as book:
        found = {student: book.find_submission("dice", student).score for student in points}
    assert found == points == {"right": 6, "wrong": points["wrong"]} and points["wrong"] < 6


def test_what_a_student_wrote_stands_on_pages_as_text(course, tmp_path, grade_all, monkeypatch):
    verdict = Judgement(3, {"counts_check": "got <b>"}, [("mean", "copied & changed")], "it took long")
    hand_in(tmp_path / "class", solved(course, answer="so <i>" + "x" * 30_000), "ada")
    (tmp_path / "class" / "ada" / "a<b>.ipynb").write_text("")
    real = grading.mark
    monkeypatch.setattr(grading, "mark", lambda *how: verdict if "so <i>" in str(how[1]) else real(*how))
    grade_all()
    page = (tmp_path / "out" / "feedback" / "ada.html").read_text()
    assert "<td>got &lt;b&gt;</td>" in page and "copied &amp; changed" in page
    assert "3 of 8 points</strong>; one answer in words is still to be graded." in page
    assert "The notebook was stopped: it took long" in page
    assert "Not graded" in page and "<code>a&lt;b&gt;.ipynb</code>: not a readable notebook" in page
    page = (tmp_path / "out" / "by_hand.html").read_text()
    assert "<pre>Sixty throws" in page and "so &lt;i&gt;" in page and "(30006 characters)" in page
    assert len(page) < 30_000
