import numpy as np
import pandas as pd
import pytest

from fer_lib.stats import resampling
from ferbook.errors import DataError


def test_cluster_sums_are_those_of_a_grouped_table():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(50, 3))
    names = generator.choice(["b", "a", "d", "c"], size=50)
    expected = pd.DataFrame(values).groupby(names).sum().to_numpy()
    assert resampling.cluster_sums(values, names) == pytest.approx(expected)
    assert resampling.cluster_sums(np.array([1, 2, 4]), np.array([9, 3, 9])).tolist() == [2, 5]


def test_cluster_sums_refuse_codes_that_do_not_fit():
    with pytest.raises(DataError, match="3 values and 2 cluster codes"):
        resampling.cluster_sums(np.ones(3), np.array([1, 2]))


def test_each_draw_takes_as_many_clusters_as_there_are():
    weights = np.concatenate(list(resampling.cluster_weights(9, 4000, seed=2)))
    assert weights.shape == (4000, 9) and (weights.sum(axis=1) == 9).all() and (weights >= 0).all()
    # Binomial(9, 1/9): mean 1, variance 8/9; standard errors 0.015 and 0.02.
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.07)
    assert weights.var(axis=0) == pytest.approx(8 / 9, abs=0.12)


def test_draws_in_several_parts_are_as_good(monkeypatch):
    sums = np.random.default_rng(5).integers(10, size=(40, 4, 4))
    whole = resampling.resampled_sums(sums, 50, seed=1)
    monkeypatch.setattr(resampling, "MOST_WEIGHTS", 40 * 7)
    assert len(list(resampling.cluster_weights(40, 50, seed=1))) == 8
    assert np.array_equal(resampling.resampled_sums(sums, 50, seed=1), whole)
    assert not np.array_equal(resampling.resampled_sums(sums, 50, seed=2), whole)


def test_interval_equals_a_naive_bootstrap_picture_by_picture():
    generator = np.random.default_rng(5)
    values, clusters = generator.normal(size=60), generator.integers(12, size=60)
    sums = resampling.cluster_sums(np.stack((values, np.ones(60)), axis=1), clusters)
    drawn = np.random.default_rng(3).integers(12, size=(200, 12))
    naive = [np.concatenate([values[clusters == cluster] for cluster in row]).mean() for row in drawn]
    found, tail = resampling.bootstrap(sums, draws=200, seed=3), resampling.expanded_tail(12)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(naive, (tail, 1 - tail))))
    assert found.value == pytest.approx(values.mean())


def test_intervals_cover_where_naming_pictures_independent_does_not():
    """Subjects differ in how easy they are: 95 % intervals must count subjects, not pictures."""
    generator = np.random.default_rng(11)
    covered = {"subjects": 0, "pictures": 0}
    studies, people, pictures, truth = 400, 60, 10, 0.6
    subjects = np.repeat(np.arange(people), pictures)
    for study in range(studies):
        ease = generator.beta(1.2, 0.8, size=people)  # mean 0.6
        right = generator.random(people * pictures) < ease[subjects]
        for name, clusters in (("subjects", subjects), ("pictures", np.arange(len(subjects)))):
            # Rows of (right, all) per cluster: what the accuracy needs of each cluster's confusion matrix.
            sums = np.stack((np.bincount(clusters, right), np.bincount(clusters)), axis=-1)
            found = resampling.bootstrap(sums, draws=300, seed=study)
            covered[name] += found.low <= truth <= found.high
    # Binomial standard error of a share of 0.95 in 400 studies: 0.011.
    assert 0.91 <= covered["subjects"] / studies <= 0.98
    assert covered["pictures"] / studies < 0.80


@pytest.mark.slow
def test_few_people_are_covered_better_than_by_percentiles():
    """Eight people: plain percentiles hold the truth far less often than they say, expanded ones nearly
    so.
    """
    generator = np.random.default_rng(4)
    studies, people = 600, 8
    truth, covered = 0.0, {"expanded": 0, "percentile": 0}
    for study in range(studies):
        sums = np.stack([generator.normal(size=people), np.ones(people)], axis=1)
        drawn = resampling.ratio(resampling.resampled_sums(sums, 1000, study))
        low, high = resampling.bounds(drawn, people, sums[:, 0].mean())
        covered["expanded"] += low <= truth <= high
        low, high = np.quantile(drawn, (0.025, 0.975))
        covered["percentile"] += low <= truth <= high
    # Binomial standard error of a share of 0.95 in 600 studies: 0.009.
    assert covered["expanded"] / studies >= 0.93
    assert covered["percentile"] / studies <= 0.91


def test_tails_are_those_of_hesterberg():
    # Table 3 of Hesterberg (2015) for a nominal tail of 0.025: 0.0010 at n = 5, 0.0086 at 10, 0.0159 at 20.
    assert [round(resampling.expanded_tail(n), 4) for n in (5, 10, 20)] == [0.0010, 0.0086, 0.0159]
    assert resampling.expanded_tail(10**6) == pytest.approx(0.025, abs=1e-6)


def test_bounds_of_many_statistics_are_those_of_each():
    drawn = np.random.default_rng(2).normal(size=(300, 2, 3))
    drawn[::7, 0, 1] = np.nan
    drawn[:, 1, 2] = 4.0
    people = np.array([5, 9, 1])
    low, high = resampling.bounds(drawn, people)
    for row, column in np.ndindex(2, 3):
        alone = resampling.bounds(drawn[:, row, column], people[column])
        assert np.array_equal((low[row, column], high[row, column]), alone, equal_nan=True)
    assert np.isnan(low[:, 2]).all(), "one cluster, and draws that are all the same"
    clean = drawn[np.isfinite(drawn[:, 0, 1]), 0, 1]
    assert (low[0, 1], high[0, 1]) == resampling.bounds(clean, 9)


def test_an_interval_holds_its_value_and_a_distance_is_reflected():
    drawn = np.random.default_rng(1).uniform(1, 2, size=2000)
    low, high = resampling.bounds(drawn, 30)
    assert resampling.bounds(drawn, 30, 0.5) == (0.5, high) and resampling.bounds(drawn, 30, 2.5) == (
        low,
        2.5,
    )
    assert resampling.bounds(drawn, 30, 1.2, reflected=True) == (max(2.4 - high, 0), max(2.4 - low, 1.2))
    found = resampling.interval(1.2, drawn, 30, of="people of the test split", n=9, reflected=True)
    assert found.how == (
        "95 % reflected expanded percentile bootstrap, 2000 draws of 30 people of the test split"
    )
    assert (found.n, found.level) == (9, 0.95)


def test_no_interval_without_a_reason():
    one = resampling.bootstrap(np.ones((1, 2)), draws=10)
    assert (one.low, one.high) == (None, None) and one.why == "fewer than two people"
    same = resampling.bootstrap(np.ones((5, 2)), draws=10, of="clusters")
    assert same.low is None and same.why == "all draws of the 5 clusters give the same value"
    absent = resampling.bootstrap(np.ones((5, 1)), lambda totals: totals[:, 0] * np.nan, 0.5, draws=10)
    assert absent.low is None and "undefined" in absent.why


def test_a_distance_whose_every_reflected_draw_is_cut_has_no_interval():
    drawn = np.random.default_rng(1).uniform(1, 2, size=2000)
    assert np.isnan(resampling.bounds(drawn, 30, 0.0, reflected=True)).all()
    alone = resampling.interval(0.0, drawn, 30, reflected=True)
    assert alone.low is None and alone.why == "reflected, every draw of the 30 people lies at or below 0"
    assert resampling.bounds(drawn, 30, 0.4, reflected=True) == (0.0, 0.4)
