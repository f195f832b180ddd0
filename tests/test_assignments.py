"""The course's assignments can be handed out."""

import pytest

from ferbook.course.check import check_assignment
from ferbook.course.sandbox import TRUST
from ferbook.course.source import assignments

QUICK = ("facs", "convolution")


def named(assignment):
    return pytest.param(
        assignment, id=assignment.name, marks=() if assignment.name in QUICK else pytest.mark.slow
    )


@pytest.mark.parametrize("assignment", map(named, assignments()))
def test_the_instructor_earns_all_the_release_nothing_and_wrong_solutions_fail(assignment):
    assert check_assignment(assignment, TRUST) == []
    assert sum(assignment.points.values()) == 20
