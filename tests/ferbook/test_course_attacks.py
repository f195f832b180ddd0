"""Each attack of ``attacks/`` by itself: calls and code in a sandbox, files before anything runs. Solutions,
which end their process, are graded with the class in ``test_course``.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from ferbook import paths
from ferbook.course.sandbox import ISOLATIONS, Box, Worker
from ferbook.course.source import assignments
from ferbook.course.submission import find_submissions
from ferbook.course.syscalls import allowed_calls
from tests.ferbook.attack_suite import NO_NAME, PAGE, RECORD, attacks, page, write_file
from tests.ferbook.mock_class import handed_out, solved
from tests.ferbook.other_graders import GRADERS, TRIED, Trial, make_environment, pinned

LONG = 600
"""Seconds of the processor, and by the clock, that all attacks in one process may take: no limit here."""
CALLER = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def fault(number):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(number, *[ctypes.c_long(0)] * 6) == -1 else 0
"""


@pytest.fixture(scope="module", params=ISOLATIONS)
def box(request, tmp_path_factory):
    """A sandbox with a package, data, and a module that is withheld; it is to survive each attack."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    data = tmp_path_factory.mktemp("data") / "data.npz"
    data.write_bytes(b"numbers")
    data.chmod(0o644)
    shown = Box((paths.ENGINE.parent / "fer_lib",), (data,), ("fer_lib.look.placement",))
    with Worker(request.param, shown, LONG) as worker:
        if worker.ended:
            pytest.skip(f"{request.param} does not work here: {worker.printed()[-200:]}")
        worker.ask(do="cell", source=CALLER)
        yield worker


@pytest.mark.defect("C2", "C5")
@pytest.mark.isolation
@pytest.mark.parametrize("name", attacks("calls"))
def test_a_call_is_refused(box, name):
    number = attacks("calls")[name]["numbers"][["x86_64", "aarch64"].index(platform.machine())]
    if number is not None:
        box.ask(do="cell", source=f"told = fault({number})")
        assert box.ask(do="value", name="told").get("value") in (1, 38), box.ended


def test_no_call_of_the_attacks_is_allowed():
    for place, processor in enumerate(("x86_64", "aarch64")):
        numbers = {attack["numbers"][place] for attack in attacks("calls").values()}
        assert not numbers & set(allowed_calls(processor).values())


@pytest.mark.defect("C4", "C5", "C6")
@pytest.mark.isolation
@pytest.mark.parametrize("name", attacks("code"))
def test_code_in_a_cell_is_refused(box, name):
    attack = attacks("code")[name]
    below = attack.get("unless_below", "no such folder")
    if below in map(str, [*Path(sys.prefix).parents, *Path(sys.base_prefix).parents]):
        pytest.skip(f"Python lies below {below}, which is shown for that")
    answer = box.ask(do="cell", source=attack["code"])
    assert re.fullmatch(attack["raised"], answer.get("raised", "")), (answer, box.ended)
    box.ask(do="cell", source="import os\nfor file in os.listdir(): file == 'data.npz' or os.remove(file)")


@pytest.mark.defect("C1", "C8")
@pytest.mark.parametrize("name", attacks("files"))
def test_a_file_is_recognised_or_says_why_not(course, example, tmp_path, name, monkeypatch):
    attack, dice = attacks("files")[name], assignments()[0]
    notebook = solved(handed_out(course, dice, 0), dice)
    (tmp_path / "class" / "right").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "class" / "right" / "dice.ipynb")
    part, often = attack.get("student", ["student", 1])
    write_file(tmp_path / "class" / (part * often), notebook, attack)
    monkeypatch.chdir(tmp_path / "class")
    found = {one.student: one for one in find_submissions(tmp_path / "class", [dice])}
    assert found["right"].assignment == "dice" and not found["right"].reason
    one = found[part * often]
    if attack.get("points"):
        assert one.assignment == "dice" and not one.reason
        one.notebook.encode()
    else:
        assert re.search(attack.get("told", NO_NAME), one.reason)


def test_the_page_tells_the_attacks_as_they_are():
    assert PAGE.read_text(encoding="utf-8") == page()


AGAIN = {
    "solutions": ["takes", "numpy", "spies", "always_equal"],
    "files": ["a link to another student's work"],
}


def test_what_other_graders_made_of_the_attacks_is_recorded():
    record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    assert record.pop("versions") == pinned()
    assert {kind: list(each) for kind, each in record.items()} == TRIED
    for kind, graders in GRADERS.items():
        assert all(tuple(record[kind][name]) == graders for name in TRIED[kind])


@pytest.mark.slow
def test_other_graders_do_as_is_recorded(example, tmp_path):
    if shutil.which("bwrap") is None:
        pytest.skip("bwrap is not installed")
    try:
        trial = Trial(tmp_path, make_environment(tmp_path))
    except subprocess.CalledProcessError:
        pytest.skip(f"{' and '.join(pinned())} cannot be had here")
    record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    for kind, names in AGAIN.items():
        told = {name: {each: trial.outcome(each, kind, name) for each in GRADERS[kind]} for name in names}
        assert told == {name: record[kind][name] for name in names}
