import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from fer_lib.look.deconvolution import Projections
from fer_lib.look.sanity import correlation, correlations, similarities

SIDE = 6


def projections(maps: np.ndarray, corners: list[tuple[int, int]] | None = None) -> Projections:
    count = len(maps)
    places = np.zeros((count, 2), np.int64)
    corners = places if corners is None else np.array(corners)
    return Projections(maps.astype(np.float32), corners, (SIDE, SIDE), np.ones(count, np.float32), places)


def drawn(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4, 4))


def table(ours: Projections, theirs: Projections, pictures: list[int]) -> pd.DataFrame:
    names = np.array([f"person {i}" for i in range(len(ours))])
    long = similarities(ours, theirs, np.array(pictures), names)
    assert long.groupby("cluster", sort=False).size().tolist() == [2] * len(ours)
    return long.set_index(["cluster", "measure"]).unstack()


def test_measures_are_those_of_scipy_and_by_hand():
    one, other = drawn(2), drawn(2, seed=1)
    found = table(projections(one), projections(other), [0, 1])
    for pair in range(2):
        for kind, with_which in (("similarity", pair), ("floor", 1 - pair)):
            a, b = one[pair].ravel(), other[with_which].ravel()
            row = found.loc[f"person {pair}", kind]
            assert row["signed"] == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)
            assert row["absolute"] == pytest.approx(spearmanr(abs(a), abs(b)).statistic, abs=1e-6)


def test_a_map_is_like_itself_and_its_negative_differs_in_sign_only():
    maps = drawn(3)
    same = table(projections(maps), projections(2 * maps), [0, 1, 2])
    assert np.allclose(same["similarity"], 1)
    negative = table(projections(maps), projections(-maps), [0, 1, 2])["similarity"]
    assert np.allclose(negative["signed"], -1) and np.allclose(negative["absolute"], 1)


def test_pixels_beyond_the_picture_are_not_compared():
    one, other = drawn(2), drawn(2, seed=1)
    corners = [
        (-1, 4),
        (4, 0),
    ]  # of the first, rows 1 to 3 and columns 0 and 1 are inside; of the second, rows 0 and 1
    found = table(projections(one, corners), projections(other, corners), [0, 1])
    inside = (slice(1, 4), slice(0, 2))
    row = found.loc["person 0"]
    expected = spearmanr(one[0][inside].ravel(), other[0][inside].ravel()).statistic
    assert row["similarity", "signed"] == pytest.approx(expected, abs=1e-6)
    # The floor is taken where both maps are inside.
    both = (slice(1, 2), slice(0, 2))
    expected = spearmanr(one[0][both].ravel(), other[1][both].ravel()).statistic
    assert row["floor", "signed"] == pytest.approx(expected, abs=1e-6)


def test_the_floor_is_that_of_another_picture_and_of_units_that_are_on():
    one, other = drawn(4), drawn(4, seed=1)
    other[3] = 0
    found = table(projections(one), projections(other), [0, 0, 7, 8])
    # The next pair of another picture whose map is not zero; behind the last the first.
    for pair, beside in ((0, 2), (1, 2), (2, 0)):
        expected = spearmanr(one[pair].ravel(), other[beside].ravel()).statistic
        assert found.loc[f"person {pair}", ("floor", "signed")] == pytest.approx(expected, abs=1e-6)
    assert found.loc["person 3"].isna().all()
    three = table(projections(one), projections(one), [0, 1, 2, 3])["floor", "signed"]
    expected = [spearmanr(one[pair].ravel(), one[(pair + 1) % 4].ravel()).statistic for pair in range(4)]
    assert np.allclose(three, expected, atol=1e-6)
    alone = table(projections(one), projections(other), [5, 5, 5, 5])
    assert alone["floor"].isna().all(axis=None) and alone["similarity"].notna().sum().eq(3).all()


def test_correlations_are_those_of_numpy():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(10, 3)), generator.normal(size=(10, 4))
    other[:, 2] = 0.1  # its mean is not 0.1 in floating point
    assert other.mean(axis=0)[2] != 0.1
    found = correlations(one, other)
    expected = np.corrcoef(np.c_[one, other[:, [0, 1, 3]]].T)[:3, 3:]
    assert np.allclose(found[:, [0, 1, 3]], expected, atol=1e-6) and np.isnan(found[:, 2]).all()
    assert correlation(one, -one) == pytest.approx(-1)
    assert np.isnan(correlation(np.full((2, 2), 0.1), one[:2, :2]))
