import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from book.au_verification.simulation import coverage, simulated, truth
from fer_lib.aus.measures import MEASURES, SIGNED


def without(m):
    """Distribution function of the responses without the AU: half are 0, the others uniform."""
    return (m + 1) / 2


def with_au(m, effect):
    return norm.cdf(norm.ppf((m + 1) / 2) - effect)


def test_truths_are_those_of_the_distribution_functions():
    distance = quad(lambda m: without(m) - with_au(m, 1), 0, 1)[0]
    assert truth("mean_difference", 1) == pytest.approx(distance, abs=1e-4)
    assert truth("wasserstein", 1) == pytest.approx(distance, abs=1e-4)
    grid = np.linspace(0, 1, 10_001)[:-1]
    assert truth("ks", 1) == pytest.approx((without(grid) - with_au(grid, 1)).max(), abs=1e-4)
    # P(with > without) + P(equal)/2: both 0, or without uniform above.
    zero = with_au(0, 1)
    wins = (1 - zero) * 0.5 + zero * 0.5 / 2 + quad(lambda m: (1 - with_au(m, 1)) / 2, 0, 1)[0]
    assert truth("auroc", 1) == pytest.approx(2 * wins - 1, abs=1e-4)
    for measure in MEASURES:
        assert truth(measure, 0) == pytest.approx(0, abs=1e-4)


def test_simulated_pictures_of_a_subject_are_alike():
    maxima, presence = simulated(400, 2, 0.0, 30, np.random.default_rng(0))
    assert maxima.shape == (800, 30) and (maxima >= 0).all() and (maxima < 1).all()
    assert (maxima == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert presence.present.mean() == pytest.approx(0.3, abs=0.04)
    pairs = maxima.reshape(400, 2, 30)
    first, second = (pairs[:, k].ravel() > 0 for k in (0, 1))
    # Of two normals with correlation 1/2, signs agree with probability 1/2 + asin(1/2)/π = 2/3.
    assert (first == second).mean() == pytest.approx(2 / 3, abs=0.02)
    assert len(np.unique(presence.subjects)) == 400


def test_coverage_of_a_few_simulations_is_counted():
    table = coverage(("auroc",), effects=(1.0,), subjects=20, pictures=4, simulations=20, draws=40)
    row = table.iloc[0]
    assert row["simulations"] == 20 and row["truth"] == truth("auroc", 1.0)
    assert row["low"] <= row["coverage"] <= row["high"] and row["coverage"] >= 0.7


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """95 % within two points, at a standard error of 0.4 points."""
    table = coverage(SIGNED, effects=(0.0, 1.0), subjects=40, pictures=4, simulations=3000, draws=500)
    assert table["coverage"].between(0.93, 0.97).all(), table.to_string()
