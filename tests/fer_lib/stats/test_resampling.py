import numpy as np
import pandas as pd
import pytest

from fer_lib.stats import resampling
from fer_lib.stats.resampling import bootstrap_interval, cluster_sums, cluster_weights, resampled_sums
from ferbook.errors import DataError


def means(totals):
    """Of rows (sum, count)."""
    return totals[:, 0] / totals[:, 1]


def test_cluster_sums_are_those_of_a_grouped_table():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(50, 3))
    names = generator.choice(["b", "a", "d", "c"], size=50)
    expected = pd.DataFrame(values).groupby(names).sum().to_numpy()
    assert cluster_sums(values, names) == pytest.approx(expected)
    assert cluster_sums(np.array([1, 2, 4]), np.array([9, 3, 9])).tolist() == [2, 5]


def test_cluster_sums_refuse_codes_that_do_not_fit():
    with pytest.raises(DataError, match="3 values and 2 cluster codes"):
        cluster_sums(np.ones(3), np.array([1, 2]))


def test_each_draw_takes_as_many_clusters_as_there_are():
    weights = np.concatenate(list(cluster_weights(9, 4000, seed=2)))
    assert weights.shape == (4000, 9) and (weights.sum(axis=1) == 9).all() and (weights >= 0).all()
    # Binomial(9, 1/9): mean 1, variance 8/9; standard errors 0.015 and 0.02.
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.07)
    assert weights.var(axis=0) == pytest.approx(8 / 9, abs=0.12)


def test_draws_in_several_parts_are_as_good(monkeypatch):
    sums = np.random.default_rng(5).integers(10, size=(40, 4, 4))
    whole = resampled_sums(sums, 50, seed=1)
    monkeypatch.setattr(resampling, "MOST_WEIGHTS", 40 * 7)
    assert len(list(cluster_weights(40, 50, seed=1))) == 8
    assert np.array_equal(resampled_sums(sums, 50, seed=1), whole)
    assert not np.array_equal(resampled_sums(sums, 50, seed=2), whole)


def test_interval_equals_a_naive_bootstrap_picture_by_picture():
    generator = np.random.default_rng(5)
    values, clusters = generator.normal(size=60), generator.integers(12, size=60)
    sums = cluster_sums(np.stack((values, np.ones(60)), axis=1), clusters)
    drawn = np.random.default_rng(3).integers(12, size=(200, 12))
    naive = [np.concatenate([values[clusters == cluster] for cluster in row]).mean() for row in drawn]
    interval = bootstrap_interval(means, sums, draws=200, seed=3)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(naive, (0.025, 0.975))))


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
            found = bootstrap_interval(means, sums, draws=300, seed=study)
            covered[name] += found.low <= truth <= found.high
    # Binomial standard error of a share of 0.95 in 400 studies: 0.011.
    assert 0.91 <= covered["subjects"] / studies <= 0.98
    assert covered["pictures"] / studies < 0.80


def test_no_interval_without_a_reason():
    one = bootstrap_interval(means, np.ones((1, 2)), draws=10)
    assert (one.low, one.high) == (None, None) and one.method.startswith("none: 1 cluster")
    same = bootstrap_interval(means, np.ones((5, 2)), draws=10)
    assert same.low is None and "same value" in same.method
    absent = bootstrap_interval(lambda totals: totals[:, 0] * np.nan, np.ones((5, 1)), draws=10)
    assert absent.low is None and "undefined" in absent.method
