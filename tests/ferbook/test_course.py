"""Assignments: built, checked and graded, on the example book's one."""

import builtins
import csv
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from ferbook.course import grade as grading
from ferbook.course import judge, sandbox
from ferbook.course.build import build_course, make_data, packages, read_secret, read_students, variant_of
from ferbook.course.check import check_assignment, leaks
from ferbook.course.grade import grade
from ferbook.course.judge import Bench, Checked, Judgement
from ferbook.course.sandbox import ISOLATIONS, TRUST, Box, Worker, choose_isolation
from ferbook.course.source import assignments, is_check, is_given, is_solution, is_written, name_of
from ferbook.course.worker import decode, encode
from ferbook.errors import BookError, DataError, MissingError, ParameterError
from tests.ferbook.attack_suite import attacks
from tests.ferbook.mock_class import handed_out, make_class, solved

QUIET = {"tell": lambda line: None}
EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture(scope="module")
def isolation():
    """What isolates here; tests that need it are skipped where nothing does."""
    try:
        return choose_isolation([EXAMPLE])
    except MissingError as fault:
        pytest.skip(f"no isolation works here: {fault}")


@pytest.fixture
def dice(example):
    """The example's assignment."""
    return assignments()[0]


def rows_of(out: Path) -> dict[str, dict]:
    """The rows of grades.csv, by student."""
    with (out / "grades.csv").open() as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def unexpected(out, expected):
    """Students of whom the reports say another thing than they should, with it."""
    rows, found = rows_of(out), {}
    for student, one in expected.items():
        page = out / "feedback" / f"{student}.html"
        said = (
            f"{rows[student]['reason']} {rows[student]['notes']} {page.read_text() if page.exists() else ''}"
        )
        points = one.points is None or rows[student]["points"] == f"{one.points:g}"
        if not points or not re.search(one.told, said):
            found[student] = (one, rows[student])
    return found


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        [1, [2]],
        (1, "a"),
        {"a": (1, [np.int8(2)])},
        np.float32(2),
        np.array(["ä", "b"]),
    ],
)
def test_data_come_back_as_they_were(value):
    found = decode(json.loads(json.dumps(encode(value))))
    assert type(found) is type(value)
    assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value


def test_arrays_come_back_as_they_were():
    for array in (np.arange(6.0).reshape(2, 3)[:, ::-1], np.zeros((0, 3), bool), np.array(2 + 1j)):
        found = decode(json.loads(json.dumps(encode(array))))
        assert found.dtype == array.dtype and np.array_equal(found, array)


@pytest.mark.parametrize(
    "value",
    [object(), np.array([object()]), {1: 2}, {1, 2}, len, type("Poses", (list,), {})(), b"bytes", [10**5000]],
)
def test_what_is_no_data_is_not_told(value):
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize(
    "told",
    [
        ["array", "|O", [1], "AAAAAAAAAAA="],
        ["array", "<f8", [10**12], "AAAA"],
        ["array", "<f8", [-1], ""],
        ["array", "<f8", "12", ""],
        ["array", "<f8"],
        ["dict", ["a"]],
        ["dict", [1, 2]],
        ["set", 1],
        [],
        {"a": 1},
    ],
)
def test_what_is_no_data_is_not_taken(told):
    with pytest.raises(ValueError):
        decode(told)


def test_the_release_holds_no_solution_and_validates_as_nbgrader_does(course, dice):
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.utils import compute_checksum

    text = nbformat.writes(handed_out(course, dice, 3))
    assert leaks(dice.notebook, text) == []
    notebook = handed_out(course, dice, 3)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    told = {name_of(cell): cell.metadata.nbgrader.get("checksum") for cell in notebook.cells}
    locked = [cell for cell in notebook.cells if is_check(cell) or is_given(cell)]
    assert "parameters" in map(name_of, locked)
    assert all(told[name_of(cell)] == compute_checksum(cell) for cell in locked)
    assert "variant = 3" in text and "NotImplementedError" in text and "BEGIN" not in text


def test_variants_have_other_numbers_and_a_student_always_the_same(course):
    keys = {
        json.loads((course / "judge" / "dice" / f"variant-{v}" / "key.json").read_text())["mean"]
        for v in range(8)
    }
    assert len(keys) == 8
    secret = read_secret(course)
    students = [f"student-{number}" for number in range(400)]
    counts = np.bincount([variant_of(student, secret) for student in students], minlength=8)
    assert counts.min() > 25 and len(counts) == 8
    assert [variant_of(s, secret) for s in students] != [variant_of(s, b"another") for s in students]


def test_nbgrader_takes_the_same_source_with_the_keys_in_its_hidden_checks(
    course, dice, tmp_path, monkeypatch
):
    place = course / "nbgrader" / "source" / "dice"
    shutil.copy(place / "data.npz", tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in nbformat.read(place / "dice.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
    assert names["key"].mean == names["mean"]


def test_what_is_up_to_date_stays_and_students_get_their_variants(course, example, tmp_path):
    names = tmp_path / "students.csv"
    names.write_text("student,name\nada,Ada\nalan,Alan\n")
    before = (course / "release" / "dice" / "dice-variant-0.zip").stat().st_mtime_ns
    assert build_course(["dice"], course, read_students(names)) == ["dice: up to date"]
    assert (course / "release" / "dice" / "dice-variant-0.zip").stat().st_mtime_ns == before
    secret = read_secret(course)
    told = [f"{name},{variant_of(name, secret)}" for name in ("ada", "alan")]
    assert (course / "variants.csv").read_text().splitlines() == ["student,variant", *told]
    shutil.rmtree(course / "release" / "dice")
    assert build_course(["dice"], course, read_students(names)) != ["dice: up to date"]
    assert (course / "release" / "dice" / "dice-variant-0.zip").exists()


@pytest.mark.defect("C9")
@pytest.mark.parametrize(
    "text",
    [
        "student,name\nada,Ada\nalan,Alan\n",
        "\ufeffstudent;name\r\nada;Ada\r\nalan;Alan\r\n",
        '"name","student"\n"Lovelace, Ada","ada"\n"Turing, Alan","alan"\n',
        "Student\tmark\nada\t\nalan\t\n",
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
    ("content", "told"),
    [
        (b"student\nAda Lovelace\nada\n../x\n", r"'Ada Lovelace' cannot .*; '\.\./x' cannot name a folder"),
        (b"student\nada\nalan\nada\n", "ada comes twice"),
        (b"student\n\n", "no names"),
        (b"student\nAnn\xe9\n", "cannot be read as a list of students"),
        (b'student\n"ada\n', "cannot be read as a list of students"),
    ],
)
def test_names_that_no_folder_can_have_are_named_before_anything_is_built(content, told, tmp_path):
    file = tmp_path / "students.csv"
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=told):
        read_students(file)


def test_an_assignment_that_does_not_exist_is_named(example, tmp_path):
    with pytest.raises(ParameterError, match=r"no assignment 'dise'.*did you mean 'dice'"):
        build_course(["dise"], tmp_path, [])


def test_the_example_can_be_handed_out(dice):
    assert check_assignment(dice, TRUST, variants=2) == []


def edited(copy, old, new, file="dice.ipynb"):
    """The copied book's assignment with another text in a file."""
    file = copy / "assignments" / "dice" / file
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return assignments()[0]


def test_a_solution_that_stands_in_the_release_is_found(copy):
    line = "    return np.bincount(throws, minlength=7)[1:]"
    leaking = edited(copy, '"    ### END SOLUTION"', f'"    ### END SOLUTION\\n",\n    "{line}"')
    assert any("np.bincount(throws, minlength=7)" in fault for fault in check_assignment(leaking, TRUST))


def test_a_wrong_solution_that_passes_or_fails_another_check_is_found(copy):
    weak = edited(copy, "< 1e-9", "< 9")
    assert any("mean_check" in fault and "fails no check" in fault for fault in check_assignment(weak, TRUST))
    other = edited(copy, "fails longest_check", "fails mean_check", "wrong.py")
    with pytest.raises(BookError, match="longest_check"):
        other.wrong()


def test_an_instructor_notebook_that_fails_its_own_checks_is_refused(copy):
    broken = edited(copy, "minlength=7)[1:]", "minlength=7)[:6]")
    with pytest.raises(BookError, match=r"variant 0: its own checks fail: counts_check \(1 came twice\)"):
        check_assignment(broken, TRUST)


def test_a_build_that_fails_leaves_the_last_good_one_and_the_next_takes_its_place(course, copy, tmp_path):
    place = tmp_path / "course"
    shutil.copytree(course, place)
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    edited(copy, "minlength=7)[1:]", "minlength=7)[:6]")
    with pytest.raises(BookError, match="its own checks fail"):
        build_course(None, place, [])
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before
    dice = edited(copy, "minlength=7)[:6]", "minlength=7)[1:] + 0")
    build_course(None, place, [])
    assert json.loads((place / "judge" / "dice" / "bundle.json").read_text())["digest"] == dice.digest()
    assert {file for file in place.rglob("*") if file.is_file()} == before.keys()


def test_isolation_that_shows_too_much_is_refused(monkeypatch):
    seeing = [sandbox.sys.executable, "-P", sandbox.worker.__file__]
    monkeypatch.setattr(sandbox, "ISOLATIONS", {"seeing": lambda box: seeing})
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name)
    monkeypatch.setattr(sandbox, "_environment", lambda home, packages: {"HOME": "/tmp", "PATH": "/usr/bin"})
    with pytest.raises(MissingError, match=r"sees .*example.*reaches a server.*--trust-students"):
        choose_isolation([EXAMPLE])


def test_without_any_isolation_nothing_is_graded(course, dice, tmp_path, monkeypatch):
    make_class(tmp_path / "class", course, dice, partial(variant_of, secret=read_secret(course)))
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(
        MissingError,
        match=r"bwrap: not installed; unshare: not installed.*install bubblewrap.*--trust-students",
    ):
        grade(tmp_path / "class", course, tmp_path / "out", **QUIET)
    assert not (tmp_path / "out").exists()


@pytest.mark.defect("C7")
@pytest.mark.isolation
@pytest.mark.parametrize("below", [tempfile.gettempdir(), str(Path.home()), "a path with spaces"])
@pytest.mark.parametrize("way", ISOLATIONS)
def test_python_may_lie_anywhere(way, below, tmp_path, monkeypatch):
    if shutil.which(way) is None:
        pytest.skip(f"{way} is not installed")
    inside = tmp_path / below if " " in below else Path(below)
    inside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=inside) as folder:
        environment = Path(folder) / "environment"
        environment.symlink_to(sys.prefix)
        monkeypatch.setattr(
            sys, "executable", str(environment / Path(sys.executable).relative_to(sys.prefix))
        )
        monkeypatch.setattr(sys, "prefix", str(environment))
        with Worker(way, Box(), 20) as worker:
            worker.ask(do="cell", source="import sys; open('/tmp/written', 'w').close()")
            assert not worker.ended, worker.printed()
            worker.ask(do="cell", source="prefix = sys.prefix")
            assert worker.ask(do="value", name="prefix")["value"] == str(environment)


@pytest.mark.isolation
@pytest.mark.parametrize("way", ISOLATIONS)
def test_who_signals_the_own_group_does_not_find_the_grader_in_it(way):
    if shutil.which(way) is None:
        pytest.skip(f"{way} is not installed")
    with Worker(way, Box(), 20) as worker:
        assert os.getpgrp() not in {os.getpgid(process.pid) for process in worker._tree()}


def test_what_is_handed_in_is_not_imported_where_grading_is_started_in_the_classs_folder(
    course, dice, tmp_path, monkeypatch
):
    hand_in(course, dice, tmp_path / "class", "json")
    (tmp_path / "class" / "json" / "__init__.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path / "class")
    grades = grade(Path(), course, tmp_path / "out", trust=True, **QUIET)
    assert [each.reason for each in grades] == ["", "not a notebook"] and grades[0].verdict.checks[0].points


@pytest.mark.isolation
@pytest.mark.parametrize("way", ISOLATIONS)
def test_a_student_sees_neither_files_nor_network_and_writes_nowhere(way, isolation):
    if shutil.which(way) is None:
        pytest.skip(f"{way} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server, Worker(way, Box(), 20) as worker:
        onto_python = [*Path(sys.prefix).parents, *Path(sys.base_prefix).parents]
        others = [each for each in ("/home", "/var", "/sys", "/mnt") if Path(each) not in onto_python]
        source = (
            "import os, socket\n"
            f"seen = [path for path in {[str(EXAMPLE), *others]!r} if os.path.exists(path)]\n"
            "try:\n    socket.create_connection(('127.0.0.1', %d), 2)\n    reached = True\n"
            "except OSError:\n    reached = False\n"
            "root = os.getuid() == 0 and os.path.exists('/proc/1/root/boot')\n" % server.getsockname()[1]
        )
        assert "raised" not in worker.ask(do="cell", source=source)
        assert worker.ask(do="value", name="seen")["value"] == ["list"]
        assert worker.ask(do="value", name="reached")["value"] is False
        assert worker.ask(do="value", name="root")["value"] is False


@pytest.mark.isolation
def test_what_a_student_left_running_ends_with_the_work(isolation):
    with Worker(isolation, Box(), 20) as worker:
        worker.ask(do="cell", source=attacks("solutions")["lasting"]["code"])
    running = [" ".join(each.info["cmdline"] or ()) for each in sandbox.psutil.process_iter(["cmdline"])]
    assert not any("time.sleep(4321)" in line for line in running)


@pytest.mark.isolation
def test_the_processors_seconds_count_and_more_by_the_clock(isolation, monkeypatch):
    monkeypatch.setattr(sandbox, "ON_THE_CLOCK", 30)
    with Worker(isolation, Box(), 1) as worker:
        worker.ask(do="cell", source="while True: pass")
        assert worker.ended == "it took longer than 1 seconds" and worker.spent > 1
    monkeypatch.setattr(sandbox, "ON_THE_CLOCK", 2)
    with Worker(isolation, Box(), 1) as worker:
        worker.ask(do="cell", source="import time; time.sleep(1)")
        assert not worker.ended and worker.spent < 0.5
        worker.ask(do="cell", source="time.sleep(2)")
        assert worker.ended == "it took longer than 2 seconds by the clock"


def test_who_waits_for_its_turn_on_a_busy_machine_is_not_stopped_by_the_clock(monkeypatch):
    monkeypatch.setattr(sandbox, "ON_THE_CLOCK", 2)
    begun = time.monotonic()
    monkeypatch.setattr(sandbox, "queued", lambda pid: time.monotonic() - begun)
    for most, ended in ((120, False), (0, True)):
        monkeypatch.setattr(sandbox, "_MOST_QUEUED", most)
        with Worker(TRUST, Box(), 1) as worker:
            worker.ask(do="cell", source="import time; time.sleep(2.5)")
            assert bool(worker.ended) is ended


@pytest.mark.skipif(not Path("/proc/self/schedstat").is_file(), reason="this kernel does not say it")
def test_the_kernel_says_how_long_a_process_waited_for_its_turn():
    assert sandbox.queued(os.getpid()) > 0 == sandbox.queued(2**30)


CHILDREN = """
import os, time
for _ in range(200):
    middle = os.fork()
    if not middle:
        if {orphans} and os.fork():
            os._exit(0)
        begun = time.process_time()
        while time.process_time() - begun < 0.2:
            pass
        os._exit(0)
    os.waitpid(middle, 0)
    time.sleep(0.2)
"""


@pytest.mark.slow
@pytest.mark.defect("C5")
@pytest.mark.isolation
@pytest.mark.parametrize("orphans", [False, True])
@pytest.mark.parametrize("way", ISOLATIONS)
def test_seconds_of_children_and_of_orphans_count(way, orphans, isolation, monkeypatch):
    if shutil.which(way) is None:
        pytest.skip(f"{way} is not installed")
    monkeypatch.setattr(sandbox, "ON_THE_CLOCK", 300)
    monkeypatch.setattr(sandbox, "LONGEST_WAIT", 300)
    with Worker(way, Box(), 2) as worker:
        worker.ask(do="cell", source=CHILDREN.format(orphans=orphans))
        assert worker.ended == "it took longer than 2 seconds"


@pytest.mark.defect("C2")
@pytest.mark.isolation
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make each run another user's")
def test_the_two_runs_of_a_submission_are_of_two_users(isolation):
    users = []
    for _ in range(2):
        with Worker(isolation, Box(), 20) as worker:
            worker.ask(do="cell", source="import os; user = os.getuid()")
            users.append(worker.ask(do="value", name="user")["value"])
    assert len({*users, os.getuid()}) == 3


@pytest.mark.defect("C3")
def test_where_a_hidden_input_was_sent_few_kinds_of_errors_are_named():
    names = [name for name, each in vars(builtins).items() if isinstance(each, type)]
    silent, telling = Bench(None, {}), Bench(None, {}, silent=False)
    assert len({silent.said({"raised": name}) for name in [*names, "Bit0", "Bit1"]}) == 7
    assert silent.said({"raised": "Bit1", "message": "[4 1]"}) == "another error"
    assert telling.said({"raised": "Bit1", "message": "[4 1]"}) == "Bit1: [4 1]"


def test_a_withheld_module_that_does_not_exist_is_named(copy):
    file = copy / "assignments" / "course.yaml"
    file.write_text(file.read_text() + "packages: [ferbook]\nwithheld: [ferbook.eror]\n")
    with pytest.raises(BookError, match=r"there is no package or module ferbook\.eror"):
        packages()


@pytest.mark.defect("C1")
def test_what_grading_one_submission_raises_is_its_row(course, dice, tmp_path, monkeypatch):
    for student in ("ada", "alan"):
        hand_in(course, dice, tmp_path / "class", student)

    turns = itertools.count()

    def limit(bundle):
        if not next(turns):
            raise RuntimeError("a fault of \udcff ours")
        return 20

    monkeypatch.setattr(grading, "limit_of", limit)
    grade(tmp_path / "class", course, tmp_path / "out", cores=1, trust=True, **QUIET)
    rows = rows_of(tmp_path / "out")
    assert rows["ada"]["reason"] == "the judge failed (RuntimeError): a fault of \\udcff ours"
    assert rows["alan"]["points"] == "6" and (tmp_path / "out" / "feedback" / "ada.html").exists()


def test_a_judge_that_runs_too_long_and_says_something_is_its_row(course, dice, tmp_path, monkeypatch):
    for student in ("ada", "alan"):
        hand_in(course, dice, tmp_path / "class", student)
    run, turns = subprocess.run, itertools.count()

    def judge(command, **options):
        if "ferbook.course.judge" in command and not next(turns):
            raise subprocess.TimeoutExpired(command, 1, stderr=b"a warning\nof \xff numpy\n")
        return run(command, **options)

    monkeypatch.setattr(grading.subprocess, "run", judge)
    grade(tmp_path / "class", course, tmp_path / "out", cores=1, trust=True, **QUIET)
    rows = rows_of(tmp_path / "out")
    assert rows["ada"]["reason"].startswith("the judge failed (TimeoutExpired): of ")
    assert rows["alan"]["points"] == "6"


def test_without_its_secret_a_course_is_neither_graded_nor_built(course, dice, tmp_path):
    hand_in(course, dice, tmp_path / "class", "ada")
    place = tmp_path / "course"
    shutil.copytree(course, place)
    (place / "secret").unlink()
    with pytest.raises(DataError, match=r"secret: not found, and .*judge was built with it; put it back"):
        grade(tmp_path / "class", place, tmp_path / "out", trust=True, **QUIET)
    with pytest.raises(DataError, match="secret: not found"):
        build_course(["dice"], place, ["ada"])
    assert not (place / "secret").exists()


def test_a_check_with_two_blocks_of_hidden_tests_is_refused(copy):
    more = "### END HIDDEN TESTS\\n### BEGIN HIDDEN TESTS\\nassert False\\n### END HIDDEN TESTS"
    twice = edited(copy, "### END HIDDEN TESTS", more)
    with pytest.raises(BookError, match="2 blocks of hidden tests; put them into one"):
        twice.notebook.cells.clear()


@pytest.mark.defect("C4")
@pytest.mark.isolation
@pytest.mark.parametrize(
    "source",
    [
        "os.memfd_create('unseen')",
        "if ctypes.CDLL(None, use_errno=True).shmget(0, 4096, 0o1600) < 0: raise OSError(ctypes.get_errno())",
        "np.ones(2**30)",
    ],
)
def test_memory_that_is_not_seen_or_too_much_is_refused(isolation, source):
    with Worker(isolation, Box(), 20) as worker:
        answer = worker.ask(do="cell", source=f"import ctypes, os\nimport numpy as np\n{source}")
        assert answer["raised"] in ("PermissionError", "OSError", "MemoryError", "_ArrayMemoryError")
        assert not worker.ended


@pytest.mark.isolation
def test_magics_of_a_notebook_work(isolation):
    with Worker(isolation, Box(), 20) as worker:
        answer = worker.ask(do="cell", source="%matplotlib inline\nfiles = !echo here\n!true")
        assert answer["value"] is None
        assert worker.ask(do="value", name="files")["odd"] == "an object of type SList"


FEW = (
    "right",
    "wrong0",
    "blank",
    "exits",
    "forges",
    "takes",
    "numpy",
    "spies",
    "deletes_check",
    "two",
    "caf\\xe9",
)


@pytest.mark.slow
@pytest.mark.isolation
def test_a_few_are_graded_as_they_should_be_and_results_are_kept(course, dice, isolation, tmp_path):
    every = make_class(tmp_path / "class", course, dice, partial(variant_of, secret=read_secret(course)))
    for folder in (tmp_path / "class").iterdir():
        if folder.name not in FEW and "caf" not in folder.name and not folder.is_symlink():
            shutil.rmtree(folder)
    expected = {student: one for student, one in every.items() if student in FEW}
    out = tmp_path / "out"
    grade(tmp_path / "class", course, out, **QUIET)
    assert unexpected(out, expected) == {}
    first = (out / "grades.csv").read_text()
    results = {file: json.loads(file.read_text()) for file in (out / "results").rglob("*.json")}
    # What was stopped is judged again.
    kept = {file: file.stat().st_mtime_ns for file, one in results.items() if not one["verdict"]["ended"]}
    grade(tmp_path / "class", course, out, **QUIET)
    assert (out / "grades.csv").read_text() == first
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


@pytest.mark.slow
@pytest.mark.isolation
def test_a_class_is_graded_as_it_should_be_twice_the_same(course, dice, isolation, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "limit_of", lambda bundle: 5)  # seconds, lest those that never end take long
    expected = make_class(tmp_path / "class", course, dice, partial(variant_of, secret=read_secret(course)))
    assert len(expected) >= 40
    monkeypatch.chdir(tmp_path / "class")
    for out in (tmp_path / "one", tmp_path / "two"):
        grade(tmp_path / "class", course, out, **QUIET)
        assert unexpected(out, expected) == {}
    # A fork bomb meets one limit first or another: of processes, of memory, or of time.
    several = {name for name, attack in attacks("solutions").items() if "|" in attack["told"]}
    one, two = (rows_of(tmp_path / out) for out in ("one", "two"))
    for row in (rows[student] for rows in (one, two) for student in several):
        del row["reason"], row["notes"]
    assert one == two


def test_words_are_told_before_any_hidden_input_is_sent(monkeypatch):
    runs = []

    def run(case, keys, silent):
        runs.append(silent)
        words = "hidden: 11" if silent else "a visible check: 3"
        return Judgement(checks=[Checked(check="c", points=0, most=1, part=judge._SEEN, message=words)])

    monkeypatch.setattr(judge, "_run", run)
    verdict = judge.judge_submission(None)
    assert runs == [False, True] and verdict.checks[0].message == "a visible check: 3"


def test_an_answer_in_words_that_was_split_is_whole(dice):
    instructor, student = deepcopy(dice.notebook), deepcopy(dice.notebook)
    place = next(n for n, cell in enumerate(student.cells) if is_written(cell))
    student.cells.insert(place + 1, deepcopy(student.cells[place]))
    for half, cell in zip(("first half", "second half"), student.cells[place : place + 2], strict=True):
        cell.source = half
    answers = [
        cell for question, cell in judge.merged(instructor, student) if question and is_written(question)
    ]
    assert [cell.source for cell in answers] == ["first half\n\nsecond half"]
    told = judge.oddities(dice.notebook, student, 0)
    assert (name_of(student.cells[place]), "there 2 times; all count") in told


def test_what_was_stopped_is_judged_again(course, dice, tmp_path, monkeypatch):
    hand_in(course, dice, tmp_path / "class", "ada")
    stopped = SimpleNamespace(stdout=Judgement(ended="its process ended by itself").model_dump_json())
    start = subprocess.run

    def run(command, **options):
        return stopped if "ferbook.course.judge" in command else start(command, **options)

    with monkeypatch.context() as patch:
        patch.setattr(grading.subprocess, "run", run)
        grade(tmp_path / "class", course, tmp_path / "out", trust=True, **QUIET)
    assert rows_of(tmp_path / "out")["ada"]["reason"] == "its process ended by itself"
    grade(tmp_path / "class", course, tmp_path / "out", trust=True, **QUIET)
    assert rows_of(tmp_path / "out")["ada"]["points"] == "6"


def hand_in(course, assignment, folder, student, **instead):
    """A student's solved notebook in the class's folder."""
    notebook = solved(
        handed_out(course, assignment, variant_of(student, read_secret(course))), assignment, **instead
    )
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / f"{assignment.name}.ipynb")


def test_points_given_by_hand_stand_in_the_feedback(course, dice, tmp_path):
    hand_in(course, dice, tmp_path / "class", "ada")
    out = tmp_path / "out"
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    page = (out / "feedback" / "ada.html").read_text()
    assert "6 of 8 points" in page and "still to be graded" in page and "the students were trusted" in page
    assert "BEGIN" not in page and "bincount" not in page
    assert "one point for the number" in (out / "by_hand.html").read_text()
    file = out / "by_hand.csv"
    file.write_text(file.read_text().replace(",2,,\n", ",2,1.5,say how many throws\n"))
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    page = (out / "feedback" / "ada.html").read_text()
    assert "7.5 of 8 points" in page and "say how many throws" in page
    assert rows_of(out)["ada"]["by_hand"] == "1.5"
    handed = tmp_path / "class" / "ada" / "dice.ipynb"
    words = next(cell.source for cell in dice.notebook.cells if is_written(cell))
    notebook = nbformat.read(handed, as_version=4)
    next(cell for cell in notebook.cells if is_written(cell)).source = words + " indeed"
    nbformat.write(notebook, handed)
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    assert rows_of(out)["ada"]["not_graded"] == "1" and rows_of(out)["ada"]["by_hand"] == "0"
    assert ",2,,An earlier answer got 1.5. say how many throws" in file.read_text()
    file.write_text(file.read_text().replace(",2,,", ",2,three,"))
    with pytest.raises(DataError, match=r"by_hand.csv, line 2: expected points from 0 to 2"):
        grade(tmp_path / "class", course, out, trust=True, **QUIET)


def test_a_table_of_points_that_is_wrong_is_named_before_anything_is_judged_and_stays(
    course, dice, tmp_path, monkeypatch
):
    for student in ("ada", "boris"):
        hand_in(course, dice, tmp_path / "class", student)
    out = tmp_path / "out"
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    file = out / "by_hand.csv"
    new = file.read_text()
    heading, ada, boris = new.splitlines()
    monkeypatch.setattr("ferbook.course.grade._judged", lambda *_, **__: pytest.fail("judged"))
    for wrong, message in (
        (new.replace(",2,,", ',2,1,"oops', 1).encode(), "cannot be read as points that were given"),
        (new.replace(",2,,", ",2,1,tr\xe8s bien", 1).encode("latin-1"), "save it as CSV in UTF-8"),
        (new.replace(",2,,", ",2,1,well, but late", 1).encode(), "line 2: 8 cells, and 7 columns"),
        ("\n".join((heading, ada, boris, ada)).encode(), "line 4: ada dice .* stands above as well"),
        (new.replace("points", "mark").encode(), "line 1: expected the columns .*; without points"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(DataError, match=rf"by_hand\.csv.*{message}"):
            grade(tmp_path / "class", course, out, trust=True, **QUIET)
        assert file.read_bytes() == wrong


def test_points_that_are_given_while_others_are_judged_are_kept(course, dice, tmp_path, monkeypatch):
    hand_in(course, dice, tmp_path / "class", "ada")
    out = tmp_path / "out"
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    file, judged = out / "by_hand.csv", grading._judged

    def meanwhile(submission, **about):
        file.write_text(file.read_text().replace(",2,,", ",2,2,good"))
        return judged(submission, **about)

    monkeypatch.setattr(grading, "_judged", meanwhile)
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    assert rows_of(out)["ada"]["by_hand"] == "2" and ",2,2,good" in file.read_text()


def test_points_are_of_what_the_question_has_today_and_more_are_named_and_stay(course, dice, tmp_path):
    hand_in(course, dice, tmp_path / "class", "ada")
    place, out = tmp_path / "course", tmp_path / "out"
    shutil.copytree(course, place)
    file, bundle = out / "by_hand.csv", place / "judge" / "dice"
    notebook = nbformat.read(bundle / "instructor.ipynb", as_version=4)
    answer = next(cell for cell in notebook.cells if is_written(cell)).metadata.nbgrader

    def graded_of(most):
        answer.points = most
        nbformat.write(notebook, bundle / "instructor.ipynb")
        facts = json.loads((bundle / "bundle.json").read_text())
        facts["points"][answer.grade_id] = most
        (bundle / "bundle.json").write_text(json.dumps(facts))
        grade(tmp_path / "class", place, out, trust=True, **QUIET)

    graded_of(2)
    graded_of(5)
    assert ",5,," in file.read_text()
    file.write_text(file.read_text().replace(",5,,", ",5,4,good"))
    graded_of(6)
    assert ",6,4,good" in file.read_text()
    own = file.read_text().replace("comment", "comment,mine").replace("good", "good,+ see me")
    file.write_text(own)
    graded_of(7)
    assert ",7,4,good,'+ see me" in file.read_text(), "a column of the teacher's own stays"
    with pytest.raises(DataError, match=r"by_hand.csv, line 2: expected points from 0 to 3"):
        graded_of(3)
    assert ",7,4,good" in file.read_text()


def test_points_and_comments_are_read_as_they_were_meant_each_time(course, dice, tmp_path):
    hand_in(course, dice, tmp_path / "class", "ada")
    out = tmp_path / "out"
    grade(tmp_path / "class", course, out, trust=True, **QUIET)
    file = out / "by_hand.csv"
    file.write_text(file.read_text().replace(",2,,", ",2,+1.50,- good", 1).replace(",", ";"))
    for _ in range(3):
        grade(tmp_path / "class", course, out, trust=True, **QUIET)
        assert rows_of(out)["ada"]["by_hand"] == "1.5" and ",2,1.5,'- good" in file.read_text()
        page = (out / "feedback" / "ada.html").read_text()
        assert "- good" in page and "&#39;- good" not in page and "&#x27;- good" not in page


def test_a_check_that_was_not_visible_tells_neither_code_nor_inputs(course, dice, tmp_path):
    spying = "seen = []\ndef counts(throws):\n    seen.append(str(throws))\n"
    spying += (
        "    if len(throws) > 5: raise ValueError(f'spied {seen}')\n    return np.array([2, 0, 0, 1, 0, 0])"
    )
    later = "mean = 1\nraise type(f'Spied{len(seen)}', (ValueError,), {})(f'spied {seen}')"
    hand_in(course, dice, tmp_path / "class", "spy", counts=spying, mean=later)
    grade(tmp_path / "class", course, tmp_path / "out", trust=True, **QUIET)
    page = (tmp_path / "out" / "feedback" / "spy.html").read_text()
    assert "<code>counts</code> raised ValueError<" in page
    assert re.findall("raised Spied1: spied (.*)</li>", page) == ["[&#39;[1 4 1]&#39;]"]  # seen by all
    assert page.count("pied") == 2


def test_another_students_variant_is_named_and_judged_by_the_own(course, dice, tmp_path):
    student = "ada"
    own = variant_of(student, read_secret(course))
    notebook = solved(handed_out(course, dice, (own + 1) % 8), dice, mean="mean = 3.5")
    (tmp_path / "class" / student).mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "class" / student / "dice.ipynb")
    grade(tmp_path / "class", course, tmp_path / "out", trust=True, **QUIET)
    assert rows_of(tmp_path / "out")[student]["points"] == "5"
    assert (
        f"variant {(own + 1) % 8}, but this student's is {own}" in rows_of(tmp_path / "out")[student]["notes"]
    )


def test_a_table_runs_nothing_in_a_spreadsheet(course, dice, tmp_path):
    hand_in(course, dice, tmp_path / "class", "ada", mean="raise ValueError('x')\n#")
    (tmp_path / "class" / "=cmd|' ipynb").mkdir()
    grade(tmp_path / "class", course, tmp_path / "out", trust=True, **QUIET)
    assert "'=cmd|' ipynb" in rows_of(tmp_path / "out")


def test_a_notebook_for_an_assignment_that_is_not_to_be_graded_is_no_other_ones(course, copy, tmp_path):
    (dice,) = assignments()
    shutil.copytree(dice.folder, dice.folder.with_name("coins"))
    (dice.folder.with_name("coins") / "dice.ipynb").rename(dice.folder.with_name("coins") / "coins.ipynb")
    file = copy / "assignments" / "course.yaml"
    file.write_text(file.read_text() + "  coins: What coins tell\n")
    for student in ("ada", "alan"):
        hand_in(course, dice, tmp_path / "class", student)
    handed = tmp_path / "class" / "ada" / "dice.ipynb"
    handed.write_text(handed.read_text().replace('"assignment": "dice"', '"assignment": "coins"'))
    grades = grade(tmp_path / "class", course, tmp_path / "out", ["dice"], trust=True, **QUIET)
    assert {(each.student, each.assignment) for each in grades} == {("ada", ""), ("alan", "dice")}
    assert "nothing handed in for dice" in str(rows_of(tmp_path / "out")["ada"])
    shutil.rmtree(tmp_path / "class" / "alan")
    with pytest.raises(DataError, match="no student's folder with a notebook for dice in it"):
        grade(tmp_path / "class", course, tmp_path / "out", ["dice"], trust=True, **QUIET)


def test_nothing_handed_in_or_not_built_is_named(course, dice, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        grade(tmp_path / "absent", course, tmp_path / "out", **QUIET)
    (tmp_path / "class" / "ada").mkdir(parents=True)
    with pytest.raises(DataError, match="no student's folder with a notebook"):
        grade(tmp_path / "class", course, tmp_path / "out", **QUIET)
    with pytest.raises(DataError, match=r"not built: dice; `ferbook course build dice --course .*course`"):
        grade(tmp_path / "class", tmp_path / "course", tmp_path / "out", **QUIET)


def test_each_solution_is_followed_by_its_check(dice):
    kinds = [is_check(cell) for cell in dice.notebook.cells if is_check(cell) or is_solution(cell)]
    assert kinds == [False, True] * 3 and name_of(dice.notebook.cells[0]) == "about"


def test_a_zip_is_the_same_each_time(course, example, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(course / "secret", again)
    build_course(None, again, [])
    name = "release/dice/dice-variant-5.zip"
    with zipfile.ZipFile(course / name) as one, zipfile.ZipFile(again / name) as two:
        assert [one.read(file) for file in one.namelist()] == [two.read(file) for file in two.namelist()]
