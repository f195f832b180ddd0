"""The course's assignments can be handed out, and earn points for work alone."""

from pathlib import Path

import pytest
import yaml

from ferbook.course.build import make_bundle
from ferbook.course.check import check_assignment
from ferbook.course.source import assignments
from tests.ferbook.mutants import mutants, survivors

QUICK = ("facs",)
ALIKE = yaml.safe_load((Path(__file__).parent / "alike_mutants.yaml").read_text(encoding="utf-8"))
"""By assignment, mutants that earn the points, and why that is no hole of a check."""


def named(assignment):
    return pytest.param(
        assignment, id=assignment.name, marks=() if assignment.name in QUICK else pytest.mark.slow
    )


@pytest.mark.defect("C6")
@pytest.mark.parametrize("assignment", [named(each) for each in assignments()])
def test_the_instructor_earns_all_the_release_nothing_and_wrong_solutions_fail(assignment):
    assert check_assignment(assignment) == []
    assert sum(assignment.points.values()) == 20


def test_a_mutant_is_the_solution_with_one_change():
    found = mutants("def f(x):\n    return -x[1:].max(axis=0) < 3")
    assert sorted(each.removeprefix("def f(x):\n    return ") for each in found) == [
        "-x[0:].max(axis=0) < 3",
        "-x[1:].max() < 3",
        "-x[1:].max(axis=0) < 4",
        "-x[1:].max(axis=0) <= 3",
        "-x[1:].max(axis=1) < 3",
        "-x[1:].min(axis=0) < 3",
        "-x[:].max(axis=0) < 3",
        "x[1:].max(axis=0) < 3",
    ]


@pytest.mark.defect("C6")
@pytest.mark.slow
@pytest.mark.parametrize("assignment", assignments(), ids=lambda each: each.name)
def test_whoever_differs_in_one_idea_loses_points(assignment, tmp_path):
    make_bundle(assignment, tmp_path, range(1))
    passed = survivors(assignment, tmp_path)
    assert set(passed) - ALIKE.get(assignment.name, {}).keys() == set()
