"""What an interval says beyond its ends, against Student's t as SciPy has it and against simulation."""

import numpy as np
import pytest
from scipy import stats

from ferbook.estimate import Estimate
from ferbook.rule import _beyond, _quantile, chance_alone, holm, sample_factor, smallest_effect


def of(values, level=0.95):
    """The mean of ``values`` with its interval by Student's t."""
    low, high = stats.t.interval(level, len(values) - 1, values.mean(), stats.sem(values))
    return Estimate(values.mean(), low, high, level=level, freedom=len(values) - 1)


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("bound", [-0.5, 0, 0.4])
def test_of_a_mean_p_is_that_of_the_t_test(level, bound):
    values = np.random.default_rng(2).normal(0.3, 1, 9)
    expected = stats.ttest_1samp(values, bound).pvalue
    assert chance_alone(of(values, level), bound) == pytest.approx(expected)


def test_p_passes_five_in_a_hundred_at_either_end_of_a_lopsided_interval():
    found = Estimate(1, 0.5, 4, freedom=6)
    assert chance_alone(found, 0.5) == pytest.approx(0.05) == chance_alone(found, 4)
    assert chance_alone(found, 1) == 1 and chance_alone(found, 0) < 0.05 < chance_alone(found, 3)


def test_an_interval_that_ends_at_its_value_has_a_p_all_the_same():
    assert 0 < chance_alone(Estimate(1, 1, 2, freedom=6), 0.5) < 1
    assert [chance_alone(Estimate(1, 1, 1, freedom=6), bound) for bound in (1, 0.5)] == [1, 0]


def test_of_unknown_tails_nothing_is_said():
    for found in (Estimate(1, 0, 2), Estimate(1, why="one person")):
        assert chance_alone(found, 0) is None and smallest_effect(found) is None


def test_the_smallest_effect_is_found_four_times_in_five():
    many = 40_000
    values = np.random.default_rng(3).normal(size=(many, 12))
    effect = smallest_effect(of(values[0] * 1 / values[0].std(ddof=1)))  # whose spread is the true one
    values = values + effect
    low = values.mean(1) - stats.t.ppf(0.975, 11) * values.std(1, ddof=1) / np.sqrt(12)
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("freedom", [0.7, 1, 9.5, 200, 3588, 1e6])
def test_tails_and_quantiles_are_those_of_scipy(freedom):
    law, shares = stats.t(freedom), (0.6, 0.8, 0.95, 0.975, 0.9995)
    assert [_quantile(freedom, share) for share in shares] == pytest.approx(law.ppf(shares), rel=1e-6)
    for t in (0, 0.01, 1, 2.5, 12, 40):
        assert _beyond(freedom, t) == pytest.approx(2 * law.sf(t), rel=1e-6, abs=1e-15)


def test_holm_multiplies_the_least_by_all_and_the_last_by_one():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == []


def test_a_sample_that_would_decide_is_as_many_times_as_large_as_its_interval_has_to_shrink_squared():
    def above(estimate):
        return "yes" if estimate.low > 1 else "undecided"

    assert sample_factor(Estimate(2.0, 0.0, 4.0), above) == pytest.approx(4, rel=0.06)
    assert sample_factor(Estimate(1.0, 0.0, 4.0), above) is None, "whatever the sample"
