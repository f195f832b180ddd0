"""Every defect that was seen has tests that would see it again: ``pytest -m defect -v`` runs them. What was
skipped for want of something that can be installed has not passed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Number -> what happened (C: the course, R: runs from elsewhere, D: data and guards, M: numbers).
DEFECTS = {
    "C1": "one submission stops the grading of the whole class",
    "C6": "points for code that does not read what decides",
    "C8": "half a surrogate pair costs all points; cells or dicts without end take the grader's memory",
    "C9": "a list of students is misread in silence; a build with another run store names no remedy",
    "R1": "the check of a run executes the code that the run brings along",
    "R2": "numbers and weights are believed though they differ from their digests",
    "R3": "a run's words and outputs act on the page",
    "R4": "a damaged record ends in a traceback",
    "R5": "one damaged run hides all others; a pipe hangs; a link is up to date",
    "R6": "a record of weights asks for memory without end",
    "R7": "deleted or changed pages of a built book are up to date",
    "R8": "attempts share a path; the user's own start-up files are in the kernel; a name is not reserved",
    "D1": "a pipe in a copy hangs every reader",
    "D2": "ckplus: a folder in another letter case, landmarks or pictures that are gone are not told",
    "D3": "mmi: any XML is a coding; a decoder's complaint about a video is not told",
    "D4": "16-bit pictures with the values of 8 are black; a link to another picture is taken",
    "D5": "fer2013: exchanged lines of the votes are not told, even where the copy is sealed",
    "D6": "tests that were skipped for want of a browser pass as tested",
    "M1": "an even ground is not exactly 0 behind the first layer of a network without biases",
    "M2": "a training in bf16 inside a caller's autocast region spoils every later one",
    "M3": "which of several equal values a projection follows is decided by the last bit",
    "M4": "two methods whose scores are all equal are counted as two",
    "M5": "the order of equal values depends on the processor",
    "E1": "a run answers by numbers of stored networks as if they were its own",
    "M6": "a learner cannot do what fastai's learners do",
}

TESTS = Path(__file__).resolve().parent
SAMPLE = """
import pytest

@pytest.mark.browser
def test_page():
    pytest.skip("no browser below /root/here")

@pytest.mark.cluster
def test_cluster():
    pytest.skip("only root can")
"""


def test_each_defect_has_a_test_and_each_mark_is_one_of_them():
    sources = "\n".join(map(Path.read_text, TESTS.rglob("test_*.py")))
    marks = re.findall(r"^@pytest\.mark\.defect\((.+)\)$", sources, re.M)
    assert {number for mark in marks for number in re.findall(r'"(\w+)"', mark)} == DEFECTS.keys()


@pytest.mark.slow
@pytest.mark.defect("D6")
def test_what_was_skipped_for_want_of_a_browser_fails(tmp_path):
    command = (sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull, "--guards")
    search = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])

    def tested(sample):
        (tmp_path / "test_sample.py").write_text(sample)
        where = ("--rootdir", tmp_path, tmp_path)
        environment = os.environ | {"PYTHONPATH": search}
        return subprocess.run([*command, *where], capture_output=True, text=True, env=environment)

    ended = tested(SAMPLE)
    assert "not tested: 1 test: no browser below /root/here" in ended.stdout and ended.returncode == 1
    again = tested(SAMPLE.replace("no browser below /root/here", "only root can"))
    assert "not tested: 2 tests: only root can" in again.stdout and again.returncode == 0
