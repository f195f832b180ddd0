import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from fer_lib.aus import association
from ferbook.errors import DataError


def scipys(measure, responses, shown, limits):
    """The measure by SciPy and scikit-learn for one filter and one AU; ``limits``: range of the bins."""
    with_au, without = responses[shown == 1], responses[shown == 0]
    if measure == "kl":
        counts = [
            np.histogram(part, association.KL_BINS, limits)[0] + association.PSEUDO_COUNT
            for part in (with_au, without)
        ]
        return entropy(*counts)
    return 2 * roc_auc_score(shown, responses) - 1 if measure == "auroc" else with_au.mean() - without.mean()


@pytest.fixture
def pictures():
    """200 pictures, 6 rectified filters with many ties, 5 AUs, two of which are not coded everywhere."""
    generator = np.random.default_rng(3)
    maxima = np.maximum(generator.normal(size=(200, 6)), 0).round(1)
    present = (generator.random((200, 5)) < (0.1, 0.3, 0.5, 0.2, 0.4)).astype(np.float32)
    maxima[:, 0] += present[:, 1]
    present[:60, 2:4] = np.nan
    return maxima, present


@pytest.mark.parametrize("measure", association.MEASURES)
def test_every_measure_is_that_of_scipy_or_scikit_learn(pictures, measure):
    maxima, present = pictures
    found = association.statistic(maxima, present, measure)
    for k in range(6):
        for a in range(5):
            coded = ~np.isnan(present[:, a])
            limits = (maxima[:, k].min(), maxima[:, k].max())
            expected = scipys(measure, maxima[coded, k], present[coded, a], limits)
            assert found[k, a] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("mean_difference", 7 / 3 - 1),
        # Of 9 pairs the AU wins (1>0), (2>0, 2>1), (4>0, 4>1, 4>2) and ties at 1 and 2.
        ("auroc", 2 * 7 / 9 - 1),
        # Bins 0.4 wide: (1, 2, 4) in 2, 5 and 9; (0, 1, 2) in 0, 2 and 5; all of 3 + 10/2.
        ("kl", (1.5 * np.log(3) - 0.5 * np.log(3)) / 8),
    ],
)
def test_values_worked_by_hand(measure, value):
    maxima = np.array([[1.0], [2.0], [4.0], [0.0], [1.0], [2.0]])
    present = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    assert association.statistic(maxima, present, measure) == pytest.approx(value)


@pytest.mark.parametrize("measure", association.MEASURES)
def test_a_filter_that_answers_to_all_pictures_alike_has_no_association(pictures, measure):
    maxima, present = pictures
    maxima[:, 2], maxima[:, 4] = 0, 0.1
    maxima[60:, 5] = 0.1  # where AU 2 and 3 were coded
    found = association.statistic(maxima, present, measure)
    assert not found[[2, 4]].any()
    assert not found[5, 2:4].any() and found[5, [0, 1, 4]].all()


@pytest.mark.parametrize("measure", association.MEASURES)
def test_an_au_that_nobody_or_everybody_shows_has_none_defined(pictures, measure):
    maxima, present = pictures
    present[:, 0], present[:, 1], present[:, 4] = 0, 1, np.nan
    found = association.statistic(maxima, present, measure)
    assert np.isnan(found[:, [0, 1, 4]]).all() and np.isfinite(found[:, 2:4]).all()


@pytest.mark.parametrize("measure", association.MEASURES)
def test_a_null_of_many_labellings_in_single_precision_says_the_same(pictures, measure):
    maxima, _ = pictures
    labels = (np.random.default_rng(5).random((600, 200)) < 0.3).astype(np.float32)
    found = association.scorer(maxima, np.arange(200), measure)(torch.from_numpy(labels)).numpy()
    expected = association.statistic(maxima, labels.T, measure).T
    assert found.shape == (600, 6)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("measure", association.MEASURES)
def test_filters_in_several_parts_are_as_good(pictures, monkeypatch, measure):
    maxima, present = pictures
    whole = association.statistic(maxima, present, measure)
    monkeypatch.setattr("fer_lib.aus.association.NUMBERS_AT_ONCE", 200 * 2)
    np.testing.assert_allclose(association.statistic(maxima, present, measure), whole, atol=1e-12)


def test_bins_are_those_of_numpy():
    maxima = np.random.default_rng(4).exponential(size=(300, 3))
    codes = association.bin_codes(maxima, 7)
    for k in range(3):
        assert np.bincount(codes[:, k], minlength=7).tolist() == np.histogram(maxima[:, k], 7)[0].tolist()
    assert not association.bin_codes(np.full((4, 1), 0.3)).any()


def test_aus_coded_for_the_same_pictures_go_together():
    nan = np.nan
    present = np.array([[1, nan, 0, nan], [0, 1, 1, nan], [1, 0, 0, nan]])
    found = {tuple(columns): tuple(rows) for columns, rows in association.coded_together(present)}
    assert found == {(0, 2): (0, 1, 2), (1,): (1, 2), (3,): ()}


def test_bad_input_is_named(pictures):
    maxima, present = pictures
    maxima[11, 3] = np.nan
    with pytest.raises(DataError, match="picture 11, filter 3: the maximal response is nan"):
        association.statistic(maxima, present, "kl")
