"""Every defect that was seen has tests that would see it again; and their table says what came of each."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ferbook.defects import DEFECTS

TESTS = Path(__file__).resolve().parent
SAMPLE = """
import pytest

@pytest.mark.defect("C1", "D6")
@pytest.mark.parametrize("case", [1, 2, 3])
def test_sample(case):
    assert case < 3

@pytest.mark.browser
@pytest.mark.defect("D6")
def test_page():
    pytest.skip("no browser below /root/here")

@pytest.mark.cluster
@pytest.mark.defect("D6")
def test_cluster():
    pytest.skip("only root can")
"""


def test_each_defect_has_a_test_and_each_mark_is_one_of_them():
    marks = re.findall(
        r"^@pytest\.mark\.defect\((.+)\)$", "\n".join(map(Path.read_text, TESTS.rglob("test_*.py"))), re.M
    )
    assert {number for mark in marks for number in re.findall(r'"(\w+)"', mark)} == DEFECTS.keys()


@pytest.mark.slow
@pytest.mark.defect("D6")
def test_the_table_counts_cases_and_what_was_skipped_for_want_of_a_browser_fails(tmp_path):
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "--rootdir",
        tmp_path,
        "-c",
        os.devnull,
    ]
    command += ["--guards", "-m", "defect", "--deselect", "test_sample.py::test_sample[3]"]
    search = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [*command, tmp_path], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": search}
    )
    table = ended.stdout.partition("\nC1  ")[2]
    assert "\n    test_sample.py::test_sample: 2 passed\nC6  " in table, ended.stdout + ended.stderr
    assert "test_page: 1 skipped" in table.partition("\nD6  ")[2]
    assert "not tested: 1 test: no browser below /root/here" in table and ended.returncode == 1
    there = (tmp_path / "test_sample.py").read_text().replace("no browser below /root/here", "only root can")
    (tmp_path / "test_sample.py").write_text(there)
    again = subprocess.run(
        [*command, tmp_path], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": search}
    )
    assert "not tested: 2 tests: only root can" in again.stdout and again.returncode == 0
