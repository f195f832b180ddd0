"""What an interval answers, and what all answers have in common."""

import pytest

from book.truth.questions import answer, in_all
from ferbook.estimate import Estimate


@pytest.mark.parametrize(
    ("low", "high", "bound", "told"),
    [(0.1, 0.3, 0.0, "yes"), (-0.3, -0.1, 0.0, "no"), (-0.1, 0.3, 0.0, "open"), (0.1, 0.3, 0.5, "no")],
)
def test_the_whole_interval_has_to_lie_on_one_side(low, high, bound, told):
    assert answer(Estimate(0.5 * (low + high), low, high, how="made up"), bound) == told


def test_what_has_no_interval_is_open():
    assert answer(None, 0.0) == "open"
    assert answer(Estimate(3.0, why="all alike"), 0.0) == "open"


def test_only_what_is_answered_alike_everywhere_stays():
    assert in_all(["no", "no"]) == "no"
    assert in_all(["yes", "open"]) == in_all(["yes", "no"]) == "open"
