"""The course's assignments can be handed out, and earn points for work alone."""

from pathlib import Path

import pytest

from ferbook.course.box import CELLS_EACH, FILES, MEMORY, PROCESSES
from ferbook.course.build import check_assignment
from ferbook.course.marking import SECONDS, assignments

ROOT = Path(__file__).parent.parent
ASSIGNMENTS = assignments(ROOT / "assignments")
QUICK = ("facs",)
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ASSIGNMENTS]


@pytest.mark.defect("C6")
@pytest.mark.parametrize("name", NAMES)
def test_the_instructor_earns_all_the_release_nothing_and_wrong_solutions_fail(name):
    assert check_assignment(ASSIGNMENTS[name]) == []
    assert sum(ASSIGNMENTS[name].points.values()) == 20


def test_students_and_teachers_read_the_limits_that_hold():
    pages = "".join((ROOT / "book" / f"course_{who}.md").read_text() for who in ("students", "teachers"))
    for limit in (
        f"| time of a cell, by the clock | {SECONDS} seconds |",
        f"| time of the whole notebook, its start apart | {CELLS_EACH * SECONDS} seconds |",
        f"| memory | {MEMORY >> 30} GiB |",
        f"| processes | {PROCESSES} |",
        f"| files written | {FILES >> 20} MiB, deleted afterwards |",
        f"interrupt a cell that takes longer than {SECONDS} s, and run the next one",
        f"end the notebook after {CELLS_EACH * SECONDS} s, its start apart",
        f"{MEMORY >> 30} GiB of data for each process; {FILES >> 20} MiB of files in the working folder",
        f"more than {MEMORY * 4 // 3 >> 30} GiB together, or that starts more than {PROCESSES} processes",
    ):
        assert limit in pages
