"""The mean over seeds, against a table of Student's t."""

import pytest

from fer_lib.stats.two_way import mean_over_seeds
from ferbook.estimate import Estimate


def metrics(*values, unit=""):
    return [Estimate(value, value - 1, value + 1, how="x", unit=unit) for value in values]


def test_the_interval_is_students_by_hand():
    mean = mean_over_seeds(metrics(1.0, 2.0, 3.0))
    assert mean.value == 2.0 and mean.n == 3 and mean.freedom == 2
    assert mean.high - 2.0 == pytest.approx(4.302653 / 3**0.5) and mean.high - 2 == pytest.approx(
        2 - mean.low
    )
    assert "3 seeds" in mean.how


def test_a_share_ends_at_one_and_equal_values_have_no_interval():
    assert mean_over_seeds(metrics(0.9, 1.0, 0.95, unit="share")).high == 1.0
    for values in ([0.5] * 2, [0.1] * 3, [0.7] * 6):
        assert mean_over_seeds(metrics(*values)).why == "every seed gives the same value"
    assert mean_over_seeds(metrics(0.5)).why == "one seed"
