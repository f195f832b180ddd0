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
from nbformat.v4 import new_code_cell

from ferbook.course import box, feedback, marking
from ferbook.course import grade as grading
from ferbook.course.build import build_course, make_data, read_secret, read_students, variant_of
from ferbook.course.check import check_assignment, leaks
from ferbook.course.grade import grade
from ferbook.course.marking import mark
from ferbook.course.source import (
    MOST_VARIANTS,
    Checked,
    Judgement,
    Written,
    assignments,
    is_check,
    is_solution,
    is_written,
    name_of,
)
from ferbook.course.submission import METADATA_GONE, Submission, read_cells
from ferbook.errors import BookError, DataError, MissingError, ParameterError

EXAMPLE = Path(__file__).parent / "example"
CHECKS = ("counts_check", "longest_check", "mean_check")
boxes = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture
def dice(example):
    """The example's assignment."""
    return assignments()[0]


@pytest.fixture
def told():
    """What grading says."""
    return []


@pytest.fixture
def marked(monkeypatch):
    """In the place of a kernel: each check has its points where its solution is the instructor's."""

    def mark(model, student, files, seconds, boxed):
        verdict, points = Judgement(notes=marking.oddities(model, student)), 0
        for cell, same in marking.merged(model, student):
            if cell is not None and is_solution(cell):
                points = [each.source for each in same] == [cell.source]
            elif cell is not None and is_check(cell):
                most = cell.metadata.nbgrader.points
                verdict.checks.append(Checked(check=name_of(cell), points=most * points, most=most))
            elif cell is not None and is_written(cell):
                answer = "\n\n".join(each.source for each in same)
                verdict.written.append(
                    Written(question=name_of(cell), most=2, answer=answer, rubric=cell.source)
                )
        return verdict, b""

    monkeypatch.setattr(grading, "mark", mark)


@pytest.fixture
def grade_all(course, example, tmp_path, told, marked):
    """Grade what lies in ``class``; the rows of grades.csv by student, and the folder of the reports."""

    def grade_all(place=course, **how):
        out = tmp_path / "out"
        grade(tmp_path / "class", place, out, boxed=False, tell=told.append, **how)
        with (out / "grades.csv").open() as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    return grade_all


def handed_out(course, variant=0):
    """The released notebook."""
    with zipfile.ZipFile(course / "release" / "dice" / f"dice-variant-{variant}.zip") as packed:
        return nbformat.reads(packed.read("dice/dice.ipynb").decode(), as_version=4)


def solved(course, dice, **instead):
    """The released notebook with the instructor's solutions, or by a cell's name what is given instead."""
    notebook = handed_out(course)
    right = {name_of(cell): cell.source for cell in dice.notebook.cells if is_solution(cell)}
    for cell in notebook.cells:
        cell.source = (right | instead).get(name_of(cell), cell.source)
    return notebook


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
    return assignments()[0]


# What is handed out


def test_the_release_holds_no_solution_and_validates_as_nbgrader_does(course, dice):
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.utils import compute_checksum

    notebook = handed_out(course)
    text = nbformat.writes(notebook)
    assert leaks(dice.notebook, text) == []
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    locked = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("locked")]
    assert all(cell.metadata.nbgrader.checksum == compute_checksum(cell) for cell in locked if is_check(cell))
    assert "NotImplementedError" in text and "BEGIN" not in text and "key" not in text


def test_variants_have_other_numbers_and_a_student_always_the_same(course):
    keys = {float(np.load(file)["mean"]) for file in (course / "judge" / "dice").glob("*/key.npz")}
    assert len(keys) == MOST_VARIANTS
    secret = read_secret(course)
    counts = np.bincount([variant_of(f"student-{n}", secret) for n in range(400)], minlength=MOST_VARIANTS)
    assert counts.min() > 25 and len(counts) == MOST_VARIANTS
    numbers = [[variant_of(f"s{n}", each) for n in range(20)] for each in (secret, secret, b"another")]
    assert numbers[0] == numbers[1] != numbers[2]


def test_what_is_up_to_date_stays_and_students_get_their_variants(course, example, tmp_path):
    names = tmp_path / "students.csv"
    names.write_text("student,name\nada,Ada\nalan,Alan\n")
    place = tmp_path / "course"
    shutil.copytree(course, place)
    assert build_course(["dice"], place, read_students(names)) == ["dice: up to date"]
    secret = read_secret(place)
    lines = [f"{name},{variant_of(name, secret)}" for name in ("ada", "alan")]
    assert (place / "variants.csv").read_text().splitlines() == ["student,variant", *lines]


@pytest.mark.defect("C9")
@pytest.mark.parametrize(
    "text",
    [
        "student,name\nada,Ada\nalan,Alan\n",
        "\ufeffstudent;name\r\nada;Ada\r\nalan;Alan\r\n",
        '"name","student"\n"Lovelace, Ada","ada"\n"Turing, Alan","alan"\n',
        "ada\nalan\n\n",
    ],
)
def test_a_list_of_students_is_read_as_spreadsheets_write_it(text, tmp_path):
    file = tmp_path / "students.csv"
    file.write_bytes(text.encode())
    assert read_students(file) == ["ada", "alan"]


@pytest.mark.defect("C9")
def test_where_the_committed_run_is_not_the_build_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    (convolution,) = assignments(["convolution"])
    with pytest.raises(
        BookError, match=r"data of convolution, variant 3: .* no run reference: unset FER_RUNS"
    ):
        make_data(convolution, 3)


@pytest.mark.defect("C9")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"student\nAda Lovelace\nada\n../x\n", r"'Ada Lovelace' cannot .*; '\.\./x' cannot name a folder"),
        ("student\nJos\u00e9\nJose\u0301\n".encode(), "Jos\u00e9 comes twice"),
        (b"student\n\n", "no names"),
        (b"student\nAnn\xe9\n", "cannot be read as a list of students"),
    ],
)
def test_names_that_no_folder_can_have_are_named_before_anything_is_built(content, words, tmp_path):
    file = tmp_path / "students.csv"
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=words):
        read_students(file)


def test_an_assignment_that_does_not_exist_is_named(example, tmp_path):
    with pytest.raises(ParameterError, match=r"no assignment 'dise'.*did you mean 'dice'"):
        build_course(["dise"], tmp_path, [])


# course check


def test_the_example_can_be_handed_out(dice):
    assert check_assignment(dice) == []


def test_leaks_and_weak_checks_are_found(copy):
    edited(copy, "< 1e-9", "< 9")
    line = "    return np.bincount(throws, minlength=7)[1:]"
    leaking = edited(copy, '"    ### END SOLUTION"', f'"    ### END SOLUTION\\n",\n    "{line}"')
    faults = check_assignment(leaking)
    assert any("np.bincount(throws, minlength=7)" in fault for fault in faults)
    assert any("mean_check" in fault and "fails no check" in fault for fault in faults)
    other = edited(copy, "fails longest_check", "fails mean_check", "wrong.py")
    with pytest.raises(BookError, match="longest_check"):
        other.wrong()


def test_a_build_whose_model_fails_its_checks_leaves_the_last_good_one(course, copy, tmp_path):
    place = tmp_path / "course"
    shutil.copytree(course, place)
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    edited(copy, "minlength=7)[1:]", "minlength=7)[:6]")
    with pytest.raises(BookError, match=r"variant 0: its own checks fail: counts_check \(1 came twice\)"):
        build_course(None, place, [])
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


# A kernel and its box


@pytest.mark.isolation
@boxes
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
        ran = box.run_cells(cells, {"data.npz": tmp_path / "data.npz"}, 10, True, "kept.npy")
    kinds = {number: kind for number, (kind, _) in ran.faults.items()}
    assert kinds[1] in ("ConnectionRefusedError", "OSError") and kinds[3] == "MemoryError"
    assert kinds[2] == "KeyboardInterrupt" and ran.faults[2][1] == "took longer than 10 s"
    assert kinds[4] == "OSError" and [ran.passed(n) for n in (0, 5)] == [True, True] and ran.kept


def test_cells_run_where_a_loop_is_running_as_in_a_notebook():
    async def from_a_notebook():
        return box.run_cells(["1", "1 / 0"], {}, 20, boxed=False)

    ran = asyncio.run(from_a_notebook())
    assert (ran.reached, ran.passed(0), ran.faults[1][0]) == (2, True, "ZeroDivisionError")


def test_a_kernel_that_ends_or_takes_too_long_in_all_says_so(monkeypatch):
    ran = box.run_cells(["1", "import os; os._exit(0)", "1"], {}, 20, boxed=False)
    assert ran.reached == 1 and "ended by itself" in ran.ended and not ran.passed(1)
    monkeypatch.setattr(box, "FILES", 1000)
    ran = box.run_cells(["open('x', 'w').write('x' * 10**6)", "while True: pass"], {}, 30, boxed=False)
    assert "it wrote more than" in ran.ended


def test_without_bubblewrap_one_sentence_says_what_to_do(course, dice, tmp_path, monkeypatch):
    hand_in(tmp_path / "class", solved(course, dice), "ada")
    monkeypatch.setattr(box.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match=r"bubblewrap is not here: install bubblewrap .*--without-box"):
        grade(tmp_path / "class", course, tmp_path / "out", tell=lambda line: None)
    assert not (tmp_path / "out").exists()


def test_checks_that_end_without_an_error_have_their_points_whatever_is_printed(course, dice):
    instead = {"counts": "def counts(throws):\n    return np.array([2, 0, 0, 1, 0, 0])"}
    notebook = solved(course, dice, mean="mean = 'none'; print('4 of 4 points')", **instead)
    for cell in notebook.cells:
        if name_of(cell) == "longest_check":
            cell.source = "assert True"
    files = marking.beside(course / "judge" / "dice", 0)
    verdict, _ = mark(dice.notebook, notebook, files, 30, boxed=False)
    found = {one.check: (one.points, one.part, one.message) for one in verdict.checks}
    assert found["counts_check"] == (0, "on new inputs", "wrong for a hundred throws")
    assert found["longest_check"][0] > 0 == found["mean_check"][0]
    assert found["mean_check"][1:] == ("in the notebook", found["mean_check"][2])
    assert found["mean_check"][2].startswith("TypeError: ")
    assert ("longest_check", "edited though it is locked, and restored") in verdict.notes


# Cells that are not as they were


def test_of_doubled_cells_it_is_said_which_counts(course, dice):
    notebook = solved(course, dice)
    right = next(cell for cell in notebook.cells if name_of(cell) == "mean")
    stub = deepcopy(right)
    stub.source, stub.id = "mean = 0", "stub"
    for order in ([right, stub], [stub, right]):
        cells = [cell for cell in notebook.cells if cell is not right]
        cells[7:7] = order
        student = nbformat.v4.new_notebook(cells=[*cells[:8], *cells[9:], cells[8]])  # the copy at the end
        every = marking.merged(dice.notebook, student)
        run = [same for cell, same in every if cell and name_of(cell) == "mean"]
        assert [[each.source for each in same] for same in run] == [[each.source for each in order]]
        notes = dict(marking.oddities(dice.notebook, student))
        assert notes["mean"] == (
            "there 2 times; all run, in their order, before the check: what the last one defines counts"
        )


def test_an_answer_in_words_that_was_split_is_whole_and_what_is_gone_is_named(dice):
    student = deepcopy(dice.notebook)
    place = next(n for n, cell in enumerate(student.cells) if is_written(cell))
    student.cells.insert(place + 1, deepcopy(student.cells[place]))
    student.cells = [cell for cell in student.cells if name_of(cell) not in ("mean_check", "longest")]
    notes = marking.oddities(dice.notebook, student)
    assert ("answer", "there 2 times; all count") in notes
    assert ("mean_check", "deleted, and restored") in notes and ("longest", "deleted") in notes


@pytest.mark.parametrize("own", [False, True])
def test_cells_without_metadata_are_known_by_what_is_locked(own, course, dice, tmp_path, grade_all):
    notebook = solved(course, dice, answer="they are fair")
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    if own:
        notebook.cells.insert(0, new_code_cell("import this"))
    hand_in(tmp_path / "class", notebook, "ada", "homework.ipynb")
    row = grade_all()["ada"]
    assert row["points"] == "6" and "its metadata are gone" in row["notes"] and row["not_graded"] == "1"
    nothing = nbformat.v4.new_notebook(cells=[new_code_cell("mean = 3.5")])
    hand_in(tmp_path / "class", nothing, "boris")
    row = grade_all()["boris"]
    assert (row["assignment"], row["points"], row["reason"]) == ("dice", "", METADATA_GONE.replace(";", ","))


# What is handed in


@pytest.mark.defect("C1", "C8")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"my solution", "JSONDecodeError"),
        (b"\xff\xfe{}", "UnicodeDecodeError"),
        (b'{"nbformat": 4, "cells": 7}', "no list of cells"),
        (b"[]", "no list of cells"),
        (b'{"nbformat": 3, "worksheets": []}', "of notebook format 3"),
        (b'{"cells": [{"cell_type": "code"}]}', "cell 1 has no kind or no source"),
        (b'{"cells": [{"cell_type": ["code"], "source": ""}]}', "cell 1"),
        (b'{"cells": [' + b"0," * 2000 + b"0]}", "2001 cells; a notebook has at most 2000"),
        (b'{"cells": [{"cell_type": "code", "source": "' + b"x" * 2**21 + b'"}]}', "at most 1048576"),
    ],
)
def test_what_is_no_notebook_says_why(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_cells(content)


def test_of_a_notebook_kinds_names_and_sources_are_read_and_nothing_else():
    cell = {
        "cell_type": "code",
        "source": ["a = 1\n", "b \ud800"],
        "metadata": {"nbgrader": {"grade_id": "task"}},
    }
    content = json.dumps({"cells": [cell | {"outputs": ["x"], "attachments": {}}], "metadata": {"a": 1}})
    (found,) = read_cells(b"\xef\xbb\xbf" + content.encode()).cells
    assert found.source == "a = 1\nb \\ud800" and found.metadata == {"nbgrader": {"grade_id": "task"}}
    assert found.outputs == [] and "attachments" not in found


def test_each_entry_of_a_class_is_a_row_and_litter_is_nobody(course, dice, tmp_path, grade_all):
    folder, right = tmp_path / "class", solved(course, dice)
    hand_in(folder, right, "ada", "my homework.ipynb")
    hand_in(folder, right, "two", "a.ipynb")
    hand_in(folder, right, "two", "b.ipynb")
    for name in ("big", "pdf", "none", "__MACOSX"):
        (folder / name).mkdir()
    (folder / "pdf" / "a.pdf").write_bytes(b"%PDF")
    (folder / "linked").symlink_to(folder / "ada")
    for number in range(4):
        (folder / "big" / f"{number}.ipynb").write_bytes(b"[]" + b" " * 6 * 2**20)
    for name in (".DS_Store", "._ada", "ada/._my homework.ipynb", "none/.DS_Store", "__MACOSX/a.ipynb"):
        (folder / name).write_bytes(b"x")
    hand_in(folder, right, unicodedata.normalize("NFD", "José"))
    rows = grade_all()
    assert {*rows} == {"ada", "two", "big", "pdf", "none", "linked", "José"}
    reasons = {name: row["reason"] for name, row in rows.items()}
    assert rows["ada"]["points"] == "6" and "renamed to my homework.ipynb" in rows["ada"]["notes"]
    assert reasons["two"] == "2 files for this assignment" and "a link" in reasons["linked"]
    assert "6.0 MiB, a student hands in at most 20 in all" in reasons["big"]
    assert (reasons["pdf"], reasons["none"], reasons["José"]) == ("not a notebook", "nothing handed in", "")


def test_who_handed_in_nothing_or_is_on_no_list_is_said_and_an_old_page_goes(
    course, dice, tmp_path, grade_all
):
    place = tmp_path / "course"
    shutil.copytree(course, place)
    (place / "variants.csv").write_text("student,variant\nada,1\nemil,2\n")
    for student in ("ada", "zoe"):
        hand_in(tmp_path / "class", solved(course, dice), student)
    old = tmp_path / "out" / "feedback" / "emil.html"
    old.parent.mkdir(parents=True)
    old.write_text("of before")
    rows = grade_all(place)
    assert rows["emil"]["reason"] == "nothing handed in" and not old.exists()
    assert "not in variants.csv" in rows["zoe"]["notes"] and not rows["ada"]["notes"]
    assert {file.name for file in old.parent.iterdir()} == {"ada.html", "zoe.html"}


def test_equal_work_is_pointed_out_to_the_teacher_alone(course, dice, tmp_path, grade_all, told):
    words = next(cell.source for cell in dice.notebook.cells if is_written(cell))
    other = {"mean": "mean = float(data['throws'].mean())\n"}
    for student, answer, instead in (
        ("ada", words, {}),
        ("boris", "Mine.", other),
        ("chen", "Yours.", {"mean": "# by me\nmean  =  float(data['throws'].mean())"}),
        ("dora", "mine. ", {"mean": "mean = 1"}),
    ):
        hand_in(tmp_path / "class", solved(course, dice, answer=answer, **instead), student)
    rows = grade_all()
    assert rows["ada"]["alike"] == "code of the model solution, words of the model solution"
    assert (
        rows["boris"]["alike"] == "code of chen, words of dora" and rows["chen"]["alike"] == "code of boris"
    )
    assert "dice: equal code: boris, chen" in told
    assert "chen" not in (tmp_path / "out" / "feedback" / "boris.html").read_text()


def test_nothing_handed_in_or_not_built_is_named(course, example, tmp_path, grade_all):
    with pytest.raises(DataError, match="no such folder"):
        grade_all()
    (tmp_path / "class" / "ada").mkdir(parents=True)
    with pytest.raises(DataError, match="no student's folder with a notebook"):
        grade_all()
    with pytest.raises(DataError, match=r"not built: dice; `ferbook course build dice --course .*course`"):
        grade_all(tmp_path / "course")


def test_a_model_solution_that_fails_here_stops_the_grading(course, dice, tmp_path, grade_all, monkeypatch):
    hand_in(tmp_path / "class", solved(course, dice), "ada")
    failing = Judgement(checks=[Checked(check="counts_check", points=0, most=2, message="no SciPy")])
    monkeypatch.setattr(grading, "mark", lambda *_: (failing, b""))
    with pytest.raises(DataError, match=r"dice: nothing is graded, .* fails counts_check \(no SciPy\)"):
        grade_all()


def test_results_are_kept_but_not_of_what_was_stopped(course, dice, tmp_path, grade_all, monkeypatch):
    for student in ("ada", "boris"):
        hand_in(tmp_path / "class", solved(course, dice), student)
    real, runs = grading.mark, []

    def mark(model, student, *how):
        runs.append(student is not model)
        verdict, _ = real(model, student, *how)
        return verdict.model_copy(update={"ended": "it took long"} if sum(runs) == 1 else {}), b""

    monkeypatch.setattr(grading, "mark", mark)
    grade_all(cores=1)
    assert grade_all()["ada"]["points"] == "6" and sum(runs) == 3


def test_no_cell_of_a_table_is_a_formula(course, dice, tmp_path, grade_all):
    hand_in(tmp_path / "class", solved(course, dice), "ada", "x;=1+1.ipynb")
    (tmp_path / "class" / "=cmd|' ipynb").mkdir()
    rows = grade_all()
    assert "'=cmd|' ipynb" in rows and rows["ada"]["file"] == "x,=1+1.ipynb"


# Points by hand


def test_points_given_by_hand_count_and_wait_again_for_another_answer(course, dice, tmp_path, grade_all):
    file = hand_in(tmp_path / "class", solved(course, dice, answer="perhaps"), "0012345")
    grade_all()
    table, pages = tmp_path / "out" / "by_hand.csv", tmp_path / "out" / "feedback"
    page = (pages / "0012345.html").read_text()
    assert "6 of 8 points" in page and "still to be graded" in page and "the students were trusted" in page
    assert "BEGIN" not in page and "bincount" not in page
    hand = (tmp_path / "out" / "by_hand.html").read_text()
    assert "one point for the number" in hand and "the students were trusted" in hand
    heading, row = table.read_text().splitlines()
    assert row[0] == "k" and len(row.partition(",")[0]) == 33
    # As a spreadsheet leaves it: without zeros, with other separators.
    left = row.replace("0012345", "12345").removesuffix(",,") + ",+1.50,- good"
    for _ in range(2):
        table.write_text("\n".join([heading, left]).replace(",", ";"))
        assert grade_all()["0012345"]["by_hand"] == "1.5"
        assert "0012345,dice" in table.read_text() and ",2,1.5,'- good" in table.read_text()
    assert "7.5 of 8 points" in (pages / "0012345.html").read_text()
    nbformat.write(solved(course, dice, answer="certainly"), file)
    row = grade_all()["0012345"]
    assert row["not_graded"] == "1" and row["by_hand"] == "0"
    assert ",2,,An earlier answer got 1.5. - good" in table.read_text()


def test_a_row_that_belongs_to_nobody_is_named_and_stays(course, dice, tmp_path, grade_all, told):
    hand_in(tmp_path / "class", solved(course, dice, answer="perhaps"), "ada")
    grade_all()
    table = tmp_path / "out" / "by_hand.csv"
    heading, row = table.read_text().splitlines()
    typed = row.replace(row[:33], "ada").removesuffix(",,") + ",2,good"
    elsewhere = row.replace(row[:33], grading.digest("ada", "coins", "q")).replace("dice,answer", "coins,q")
    table.write_text("\n".join([heading, typed, elsewhere]))
    assert grade_all()["ada"]["by_hand"] == "0"
    strays = [line for line in told if "by_hand.csv" in line]
    assert len(strays) == 1 and "ada dice answer (ada) belongs to no answer" in strays[0]
    assert "its 2 points count for nobody" in strays[0] and typed in table.read_text()


def test_a_table_of_points_that_is_wrong_is_named_before_anything_is_graded_and_stays(
    course, dice, tmp_path, grade_all, monkeypatch
):
    for student in ("ada", "boris"):
        hand_in(tmp_path / "class", solved(course, dice), student)
    grade_all()
    file = tmp_path / "out" / "by_hand.csv"
    new = file.read_text()
    heading, ada, boris = new.splitlines()
    monkeypatch.setattr(grading, "mark", lambda *_: pytest.fail("graded"))
    for wrong, message in (
        (new.replace(",2,,", ',2,1,"oops', 1).encode(), "cannot be read as points that were given"),
        (new.replace(",2,,", ",2,1,tr\xe8s bien", 1).encode("latin-1"), "save it as CSV in UTF-8"),
        (new.replace(",2,,", ",2,1,well, but late", 1).encode(), "line 2: 9 cells, and 8 columns"),
        (new.replace(",2,,", ",2,9,", 1).encode(), "line 2: expected points from 0 to 2"),
        ("\n".join((heading, ada, boris, ada)).encode(), "line 4: ada dice .* stands above as well"),
        (new.replace("points", "mark").encode(), "line 1: expected the columns .*; without points"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(DataError, match=rf"by_hand\.csv.*{message}"):
            grade_all()
        assert file.read_bytes() == wrong


def test_points_that_are_given_while_others_are_graded_are_kept(
    course, dice, tmp_path, grade_all, monkeypatch
):
    hand_in(tmp_path / "class", solved(course, dice), "ada")
    grade_all()
    file, real = tmp_path / "out" / "by_hand.csv", grading.mark

    def meanwhile(*how):
        file.write_text(file.read_text().replace(",2,,", ",2,2,good"))
        return real(*how)

    monkeypatch.setattr(grading, "mark", meanwhile)
    shutil.rmtree(tmp_path / "out" / "results")
    assert grade_all()["ada"]["by_hand"] == "2" and ",2,2,good" in file.read_text()


# A class


@pytest.mark.slow
@pytest.mark.isolation
@boxes
def test_a_class_of_five_is_graded_whatever_one_of_them_does(course, dice, tmp_path, monkeypatch, told):
    monkeypatch.setattr(grading, "limit_of", lambda bundle: 20)
    folder = tmp_path / "class"
    hand_in(folder, solved(course, dice), "right")
    hand_in(folder, solved(course, dice, mean="mean = 1.5"), "wrong")
    loop = "def longest(throws):\n    while True:\n        pass"
    hand_in(folder, solved(course, dice, longest=loop), "endless")
    hand_in(folder, solved(course, dice, counts="hoard = bytearray(5 * 2**30)"), "hungry")
    (folder / "nothing").mkdir()
    grade(folder, course, tmp_path / "out", tell=told.append)
    with (tmp_path / "out" / "grades.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    points = {student: row["points"] for student, row in rows.items()}
    assert points == {"right": "6", "wrong": "5", "endless": "4", "hungry": "3", "nothing": ""}
    assert (
        rows["nothing"]["reason"] == "nothing handed in" and "raised MemoryError" in rows["hungry"]["notes"]
    )
    assert "longer than 20 s" in (tmp_path / "out" / "feedback" / "endless.html").read_text()
    assert {row["box"] for row in rows.values()} == {"yes"}


@pytest.mark.slow
def test_a_teachers_own_nbgrader_gives_the_same_points(course, dice, tmp_path, monkeypatch):
    from nbgrader.api import Gradebook

    place = tmp_path / "nbgrader"
    shutil.copytree(course / "nbgrader", place)
    wrong = {"mean": "mean = 1.5", "counts": "def counts(throws):\n    return np.array([2, 0, 0, 1, 0, 0])"}
    points = {}
    for student, instead in (("right", {}), ("wrong", wrong)):
        file = hand_in(place / "submitted" / student, solved(course, dice, **instead), "dice")
        files = marking.beside(course / "judge" / "dice", 3)
        student_notebook = read_cells(file.read_bytes())
        points[student] = mark(dice.notebook, student_notebook, files, 30, boxed=False)[0].points
        for source in files.values():
            shutil.copy(source, file.parent)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    for command in (["generate_assignment", "dice"], ["autograde", "dice", "--create"]):
        subprocess.run(["nbgrader", *command], cwd=place, check=True, capture_output=True, text=True)
    with Gradebook(f"sqlite:///{place / 'gradebook.db'}") as book:
        found = {student: book.find_submission("dice", student).score for student in points}
    assert found == points == {"right": 6, "wrong": points["wrong"]} and points["wrong"] < 6


def test_what_a_student_wrote_stands_on_pages_as_text(dice):
    verdict = Judgement(
        checks=[Checked(check="counts_check", points=0, most=3, part="`n` < 3", message="got <b>")],
        written=[Written(question="answer", most=2, answer="so <i>" + "x" * 30_000, rubric="because")],
        notes=[("mean", "copied & changed")],
        ended="it took long",
    )
    handed = [Submission("ada", "dice", Path("dice.ipynb"), verdict=verdict)]
    page = feedback.page("ada", handed, {"dice": dice}, {}, trusted=False)
    assert "<td><code>n</code> &lt; 3: got &lt;b&gt;</td>" in page and "copied &amp; changed" in page
    assert "0 of 8 points</strong>; one answer in words is still to be graded." in page
    assert "The notebook was stopped: it took long" in page and "were trusted" not in page
    page = feedback.page("ada", [Submission("ada", file=Path("a<b>.txt"), reason="empty")], {}, {}, False)
    assert "Not graded" in page and "<code>a&lt;b&gt;.txt</code>: empty." in page
    page = feedback.to_grade(handed, {"dice": dice}, trusted=False)
    assert "<pre>because</pre>" in page and "so &lt;i&gt;" in page and "(30006 characters)" in page
    assert len(page) < 30_000
