"""The course's assignments can be handed out, and earn points for work alone."""

from pathlib import Path

import pytest

from ferbook.course.build import check_assignment
from ferbook.course.marking import assignments

ASSIGNMENTS = assignments(Path(__file__).parent.parent / "assignments")
QUICK = ("facs",)
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ASSIGNMENTS]


@pytest.mark.defect("C6")
@pytest.mark.parametrize("name", NAMES)
def test_the_instructor_earns_all_the_release_nothing_and_wrong_solutions_fail(name):
    assert check_assignment(ASSIGNMENTS[name]) == []
    assert sum(ASSIGNMENTS[name].points.values()) == 20
