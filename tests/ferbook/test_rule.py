"""Exactly one answer, the one that the rules say, on every interval of a grid."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from ferbook.errors import ParameterError
from ferbook.estimate import Estimate
from ferbook.rule import degree_answer, difference_answer

# Bounds of .05, .1, .5 and 1 among them.
GRID = np.linspace(-1.5, 1.5, 61)


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, how="a grid")


def intervals():
    return combinations_with_replacement(GRID.round(10).tolist(), 2)


def fits_of_degree(low, high):
    """Which of the lines of ``claims.yaml`` fit an interval, each by itself; the controls differ."""
    lines = [("no", high < 0.1), ("yes", low > 0.5), ("partly", low > 0)]
    return [name for name, fits in lines if fits] or ["undecided"]


def test_a_degree_has_the_answer_of_the_first_line_that_fits():
    apart = estimate(0.2, 0.3)
    for low, high in intervals():
        assert degree_answer(estimate(low, high), apart, 0.05) == fits_of_degree(low, high)[0]


def test_controls_that_do_not_differ_come_first_and_a_degree_without_interval_is_undecided():
    degree = estimate(0.6, 0.7)
    for low, high in intervals():
        none = low <= 0 and high < 0.3
        assert (degree_answer(degree, estimate(low, high), 0.3) == "controls alike") is none
    anything = Estimate(0.6, why="the distance is too uncertain to divide by")
    assert degree_answer(anything, estimate(0.01, 0.4), 0.3) == "undecided"
    assert degree_answer(anything, estimate(-0.1, 0.2), 0.3) == "controls alike"


def oracle(low, high, polarity, s):
    """The lines as they are written, by a second hand: a dictionary of sets of conditions."""
    inside = low > -s and high < s
    lines = {
        "more": [("no", inside), ("no", high < 0), ("yes", low > 0)],
        "as_good": [("yes", inside), ("no", low > s or high < -s)],
        "not_worse": [("yes", low > -s), ("no", high < -s)],
        "more_than": [("yes", low > s), ("no", high < s)],
    }[polarity]
    return next((name for name, fits in lines if fits), "undecided")


@pytest.mark.parametrize("polarity", ["more", "as_good", "not_worse", "more_than"])
def test_a_difference_has_the_answer_of_the_first_line_that_fits(polarity):
    replies = set()
    for (low, high), s in product(intervals(), (0.05, 0.5)):
        reply = difference_answer(estimate(low, high), polarity, s)
        assert reply == oracle(low, high, polarity, s)
        replies.add(reply)
    assert replies == {"yes", "no", "undecided"}


def test_what_cannot_answer_is_refused():
    with pytest.raises(ParameterError, match=r"a difference without .*: one person"):
        difference_answer(Estimate(1.0, why="one person"), "more", 1)
    with pytest.raises(ParameterError, match="distance of controls without"):
        degree_answer(estimate(0, 1), Estimate(1.0, why="one network"), 1)
