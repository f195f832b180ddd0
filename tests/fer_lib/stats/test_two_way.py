"""Intervals over networks and people: parts by hand, and coverage of means and ratios."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from fer_lib.stats import resampling, two_way
from fer_lib.stats.classification import accuracy, calibration_error
from fer_lib.stats.contrasts import contrast, contrast_of_sets, difference, mean_score, minus, score_trainings
from fer_lib.stats.resampling import bootstrap, cluster_sums, interval
from fer_lib.stats.two_way import (
    DEVIATES,
    StandardError,
    networks_and_draws,
    networks_and_people,
    people_groups,
    two_way_interval,
)
from ferbook.errors import DataError, ParameterError


def test_the_people_s_part_is_the_jackknife_of_a_mean():
    people = np.random.default_rng(0).normal(size=12)
    left_out = [np.delete(people, i).mean() for i in range(12)]
    found = networks_and_people(np.array([[people.mean(), *left_out]]))
    # Leaving out one at a time gives the standard error of the mean.
    reach = stats.t.ppf(0.975, 11) * people.std(ddof=1) / np.sqrt(12)
    assert found.high - found.value == pytest.approx(reach, rel=1e-3)
    assert found.value - found.low == pytest.approx(found.high - found.value, rel=1e-6)
    assert "one network: seed variance is not covered" in found.how and found.n == 1


def behrens_fisher(first, second, d1, d2):
    """Where the distribution function of ``first`` · t(d1) + ``second`` · t(d2) is .975, by integration."""
    half_way = (np.arange(20_000) + 0.5) / 20_000
    deviates = first * stats.t.ppf(half_way, d1)

    def beyond(reach):
        return stats.t.cdf((reach - deviates) / second, d2).mean() - 0.975

    return optimize.brentq(beyond, 0, 100 * (first + second))


def test_the_networks_part_is_the_standard_error_of_their_mean():
    networks = np.random.default_rng(1).normal(size=9)
    found = networks_and_people(np.repeat(networks[:, None], 6, axis=1))
    error = networks.std(ddof=1) / 3
    assert found.value == pytest.approx(networks.mean())
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 8) * error, rel=1e-3)
    other = np.random.default_rng(2).normal(size=4)
    apart = networks_and_people(*(np.repeat(each[:, None], 6, axis=1) for each in (networks, other)))
    reach = behrens_fisher(error, other.std(ddof=1) / 2, 8, 3)
    assert apart.high - apart.value == pytest.approx(reach, rel=0.02)
    welch = stats.ttest_ind(networks, other, equal_var=False).confidence_interval()
    assert apart.low < welch.low and apart.high > welch.high


def test_draws_of_people_and_networks_that_differ_by_hand():
    networks = np.array([0.5, 0.6, 0.9])
    people = 0.04 * stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    found = networks_and_draws(networks[:, None] + np.array([0, *people]), 10_000, n=7, unit="share")
    assert found.value == pytest.approx(2 / 3) and found.n == 7 and found.how.endswith("and 3 networks")
    # Percentiles of the sum of a normal and a Student's deviate with two degrees of freedom.
    reach = behrens_fisher(networks.std(ddof=1) / np.sqrt(3), 0.04, 2, 1e6)
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.05)
    alone = networks_and_draws(networks[:1, None] + np.array([0, *people]), 10_000)
    assert (alone.high - alone.low) / 2 == pytest.approx(1.96 * 0.04, rel=0.01)
    assert "one network: seed variance is not covered" in alone.how


def test_without_seed_errors_the_rule_is_that_over_people_and_a_share_ends_at_its_limits():
    draws = np.random.default_rng(0).normal(0.9, 0.1, 500)
    assert two_way_interval(0.9, draws, 20, []) == interval(0.9, draws, 20)
    share = two_way_interval(0.9, draws, 20, [StandardError(0.1, 2)], limits=(0, 1))
    assert share.high == 1 and share.low < interval(0.9, draws, 20).low


SLOW = [pytest.param(*each, marks=pytest.mark.slow) for each in ((2, 1.0), (3, 0.2), (5, 1.0))]


@pytest.mark.parametrize(("networks", "spread"), [(3, 1.0), *SLOW])
def test_few_networks_are_covered_whatever_their_share_of_the_variance(networks, spread):
    """Means of 2 to 5 networks over 20 people, by draws and by groups left out: of 300 intervals at least
    95 % hold 0, within three standard errors. Welch's degrees of freedom fall short of it with two.
    """
    generator, groups = np.random.default_rng(networks), people_groups(np.arange(20), 10)
    weights = generator.multinomial(20, np.full(20, 1 / 20), size=1000) / 20
    covered = {"draws": 0, "groups": 0}
    for _ in range(300):
        answers = spread * generator.normal(size=(networks, 1)) + generator.normal(size=20)
        left_out = np.stack([answers.mean(1), *(answers[:, groups != g].mean(1) for g in range(10))], axis=1)
        drawn = np.hstack([answers.mean(1, keepdims=True), answers @ weights.T])
        for name, found in (
            ("groups", networks_and_people(left_out)),
            ("draws", networks_and_draws(drawn, 20)),
        ):
            covered[name] += found.low <= 0 <= found.high
    assert min(covered.values()) / 300 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_what_people_do_to_both_sides_cancels_in_their_difference():
    generator = np.random.default_rng(3)
    people, own = generator.normal(size=11), generator.normal(size=(4, 1))
    apart = networks_and_people(people + own, people + 2 * own)
    still = networks_and_people(np.repeat(own, 11, 1), 2 * np.repeat(own, 11, 1))
    assert (apart.low, apart.high) == pytest.approx((still.low, still.high))


@pytest.mark.slow
def test_networks_and_people_are_covered_together():
    """Means of 8 networks over 40 people: 95 % of 400 intervals hold 0, within four standard errors."""
    generator, held = np.random.default_rng(5), 0
    groups = people_groups(np.arange(40), 10)
    for _ in range(400):
        answers = (
            0.5 * generator.normal(size=(8, 1)) + generator.normal(size=40) + generator.normal(size=(8, 40))
        )
        left_out = [answers[:, groups != g].mean(1) for g in range(10)]
        found = networks_and_people(np.stack([answers.mean(1), *left_out], 1))
        held += found.low <= 0 <= found.high
    assert held / 400 == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 400))


UNITS = tuple(f"AU{a}" for a in range(8))


def toy_estimates():
    """By the rule that it follows, one estimate of every kind that ``stats`` makes."""
    generator = np.random.default_rng(7)
    people, labels = np.repeat(np.arange(30), 4), generator.integers(3, size=120)
    given = generator.dirichlet(np.ones(3), size=(4, 120)) + np.eye(3)[labels] / 4
    named = given[0].argmax(1)
    table = pd.DataFrame({"condition": ["a", "a", "b", "b"]})
    one, other = (
        score_trainings(table, given, truth, people, ["condition"], seed=seed)
        for seed, truth in enumerate((labels, np.roll(labels, 1)))
    )
    alone = score_trainings(table.assign(condition=[*"abcd"]), given, labels, people, ["condition"])
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1], bool)
    left_out = generator.normal(size=(5, 11))
    over_people = {
        "accuracy": accuracy(labels, named, people),
        "calibration": calibration_error(given[0] / 1.25, labels, people),
        "mean": bootstrap(cluster_sums(np.stack([named, np.ones(120)], 1), people)),
        "one training each": difference(alone, first, second),
    }
    over_both = {
        "score": mean_score(one, first),
        "difference": difference(one, first, second),
        "gap": contrast(minus(one, other, ["condition"]), np.array([1, 0, -1, 0]), unit=""),
        "sets": contrast_of_sets(
            [one, other], [first / 2] * 2, condition=["condition"], without_seed=[second] * 2
        ),
        "left out": networks_and_people(left_out),
        "over others": networks_and_people(left_out, left_out[:3] + 1),
        "drawn": networks_and_draws(generator.normal(size=(3, 1001)), 30),
    }
    return over_people, over_both


def widths(estimates):
    return {name: one.high - one.low for name, one in estimates.items()}


def test_changing_a_rule_moves_every_interval_that_uses_it(monkeypatch):
    before = [widths(estimates) for estimates in toy_estimates()]
    with monkeypatch.context() as changed:
        changed.setattr(resampling, "expanded_tail", lambda clusters: 0.2)
        for was, estimates in zip(before, toy_estimates(), strict=True):
            assert all(now < 0.8 * was[name] for name, now in widths(estimates).items())
    deviates = two_way.student_deviates
    monkeypatch.setattr(two_way, "student_deviates", lambda *given: 3 * deviates(*given))
    people, both = (widths(estimates) for estimates in toy_estimates())
    assert people == before[0], "where no network's seed variance is known people alone are drawn"
    assert all(now > before[1][name] for name, now in both.items())


def test_a_share_of_networks_and_people_ends_at_its_limits_and_a_difference_of_shares_at_one():
    values = np.array([[0.05, *[0.0, 0.6] * 3], [0.9, *[0.2, 0.9] * 3]])
    free, share = networks_and_people(values), networks_and_people(values, limits=(0, 1))
    assert free.low < 0 and free.high > 1
    assert (share.low, share.value, share.high) == (0, free.value, 1)
    apart = networks_and_people(values, values[::-1], limits=(0, 1))
    assert (apart.low, apart.high) == (-1, 1)


def test_what_is_drawn_ends_at_its_limits_too():
    values = np.clip(np.random.default_rng(0).normal(0.95, 0.2, (3, 1001)), 0, 1)
    free, share = networks_and_draws(values, 12), networks_and_draws(values, 12, limits=(0, 1))
    assert free.high > 1 == share.high and share.value == free.value


def test_groups_of_people_are_even_and_keep_a_person_together():
    people = np.repeat([f"s{i}" for i in range(23)], 3)
    groups = people_groups(people, 5)
    assert sorted(np.bincount(groups[::3])) == [4, 4, 5, 5, 5]
    assert (groups.reshape(23, 3) == groups[::3, None]).all()
    with pytest.raises(DataError, match="23 people make no 24 groups"):
        people_groups(people, 24)
    with pytest.raises(ParameterError, match="groups = 1"):
        people_groups(people, 1)
    with pytest.raises(DataError, match="picture 2 has no subject"):
        people_groups(np.array(["a", "b", None], object), 2)


def test_what_does_not_fit_is_refused_and_what_never_varies_says_so():
    assert "the same in all networks" in networks_and_people(np.ones((3, 5))).why
    with pytest.raises(DataError, match=r"\(3, 2\)"):
        networks_and_people(np.ones((3, 2)))
    with pytest.raises(DataError, match=r"\(3, 5\), \(3, 6\)"):
        networks_and_people(np.ones((3, 5)), np.ones((3, 6)))


def test_the_degrees_of_freedom_of_one_error_are_its_own_and_of_two_lie_between():
    draws = np.zeros(DEVIATES)
    alone = two_way_interval(0.0, draws, np.inf, [StandardError(1.0, 4)])
    assert alone.freedom == pytest.approx(4)
    # Welch's: (1 + 1)² / (1/4 + 1/9).
    both = two_way_interval(0.0, draws, np.inf, [StandardError(1.0, 4), StandardError(1.0, 9)])
    assert both.freedom == pytest.approx(4 / (1 / 4 + 1 / 9))
    people = np.random.default_rng(0).normal(size=DEVIATES)
    assert two_way_interval(0.0, people, 20, []).freedom == pytest.approx(19)
