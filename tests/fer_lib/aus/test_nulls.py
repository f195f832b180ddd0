"""Permutation nulls: equal to a loop over permutations, exact where blocks are alike, and refusing what
cannot be judged.
"""

import numpy as np
import pytest
import torch
from scipy import stats

from fer_lib.aus import nulls
from fer_lib.aus.association import MEASURES, statistic
from fer_lib.aus.nulls import blocks_of, least_permutations, permutation_null
from fer_lib.aus.presence import Presence
from ferbook.errors import DataError, ParameterError


def small(seed=0, subjects=12, sequences=2, frames=3, aus=3, missing=False):
    """Responses (N, 4) in whole numbers, many of them tied at 0, and random units; the first frame shows
    none.
    """
    generator = np.random.default_rng(seed)
    blocks = subjects * sequences
    shown = generator.random((blocks, aus)) < 0.4
    present = np.repeat(shown, frames, axis=0).astype(np.float32)
    present[::frames] = 0
    if missing:
        present[frames * (blocks // 3) : frames * (blocks // 2), 0] = np.nan
    n = blocks * frames
    named = Presence(
        tuple(f"AU{a + 1}" for a in range(aus)),
        present,
        np.repeat([f"S{s:02}" for s in range(subjects)], sequences * frames),
        np.repeat([f"Q{q:02}" for q in range(blocks)], frames),
        np.where(np.arange(n) % frames == 0, "neutral", np.repeat(["anger", "fear"], n // 2)),
    )
    maxima = np.maximum(generator.integers(-4, 8, (n, 4)), 0).astype(float)
    return maxima, named


def loop(maxima, presence, measure, permutations, seed, **options):
    """(1 + permutations, K, A): every permutation by the statistic itself."""
    found = [statistic(maxima, presence.present, measure)]
    for draws in blocks_of(presence, **options).draws(permutations, seed):
        found += [statistic(maxima, presence.present[draw], measure) for draw in draws]
    return np.array(found)


def clipped(values):
    """The largest value of each pair counts as the second largest."""
    return np.minimum(values, np.sort(values, axis=0)[-2])


def standardised(values):
    return (values - clipped(values).mean(0)) / clipped(values).std(0)


def corrected(values):
    """The formula of Wilson and Hilferty, pair by pair, in double precision."""
    scores = standardised(values)
    found = np.empty_like(scores)
    for k, a in np.ndindex(scores.shape[1:]):
        g = max(np.mean(clipped(scores)[:, k, a] ** 3), nulls.LEAST_SKEWNESS)
        found[:, k, a] = [6 / g * (max(1 + g * z / 2, 0) ** (1 / 3) - 1) + g / 6 for z in scores[:, k, a]]
    return found


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
def test_null_equals_a_loop_over_the_same_permutations(measure, missing):
    maxima, presence = small(missing=missing)
    # The largest responses are to pictures that were not coded: bins span these, too.
    maxima[np.isnan(presence.present).any(1)] *= 3
    null = permutation_null(maxima, presence, measure, permutations=60, seed=3, min_subjects=2)
    values = loop(maxima, presence, measure, 60, 3)
    scores = standardised(values)
    np.testing.assert_allclose(null.observed, values[0], rtol=1e-12)
    np.testing.assert_allclose(null.scores, scores[0], atol=1e-4)
    np.testing.assert_allclose(null.excess, values[0] - clipped(values).mean(0), atol=1e-5)
    np.testing.assert_allclose(null.unskewed, corrected(values)[0], atol=3e-4)
    np.testing.assert_allclose(null.maxima, corrected(values)[1:].max((1, 2)), atol=3e-4)


@pytest.mark.parametrize("option", [{"kind": "subject"}, {"kind": "sequence", "within": "emotions"}])
def test_blocks_and_strata_reach_the_null(option):
    maxima, presence = small(1)
    within = presence.emotions if "within" in option else None
    null = permutation_null(
        maxima, presence, "auroc", permutations=40, blocks=option["kind"], within=within, min_subjects=2
    )
    values = loop(maxima, presence, "auroc", 40, 0, kind=option["kind"], within=within)
    np.testing.assert_allclose(null.unskewed, corrected(values)[0], atol=3e-4)


@pytest.mark.parametrize("skewness", [0.3, 1.0, 2.0])
def test_skewed_scores_become_normal_in_the_tail(skewness):
    tails = np.array([0.1, 0.01, 1e-3, 1e-4])
    share = (np.arange(20_000) + 0.5) / 20_000
    values = torch.tensor(np.stack([stats.pearson3.ppf(share, skewness), stats.norm.ppf(share)], 1))[:, None]
    given = nulls.standardise_(values)[1]
    np.testing.assert_allclose(given[0], [skewness, 0], atol=0.02)
    scores = values[:, 0].numpy().copy()
    found = nulls.unskew_(values, given)[:, 0].numpy()
    places = np.searchsorted(share, 1 - tails)
    np.testing.assert_allclose(found[places, 0], stats.norm.isf(tails), atol=0.1)
    # What is symmetric stays as it is, and the order stays in any case.
    np.testing.assert_allclose(found[places, 1], scores[places, 1], atol=0.06)
    assert (np.diff(found[len(share) // 2 :], axis=0) > 0).all()


def test_one_far_value_does_not_hide_behind_the_skewness_that_it_brings():
    values = torch.tensor(np.r_[40.0, stats.norm.ppf((np.arange(199) + 0.5) / 199)])[:, None, None]
    skewness = nulls.standardise_(values)[1]
    assert values[0, 0, 0] == pytest.approx(40, rel=0.05) and abs(skewness[0, 0]) < 0.1
    assert nulls.unskew_(values, skewness)[0, 0, 0] > 20
    # A pair of which but one arrangement differs says nothing.
    lonely = torch.tensor(np.r_[5.0, np.full(99, 0.1)])[:, None, None]
    assert not nulls.standardise_(lonely)[1].any() and not lonely.any()


def test_a_sparse_filter_does_not_raise_the_bar_for_the_others():
    maxima, presence = small(10, subjects=60, frames=2)
    null = permutation_null(maxima, presence, "auroc", permutations=999)
    maxima[:, 3] = 0
    rows = np.random.default_rng(0).choice(np.flatnonzero(presence.emotions != "neutral"), 9, replace=False)
    maxima[rows, 3] = np.arange(1, 10)
    sparse = permutation_null(maxima, presence, "auroc", permutations=999)
    assert sparse.tested.any(axis=1).all()
    assert np.quantile(sparse.maxima, 0.95) < np.quantile(null.maxima, 0.95) + 0.25


def test_parts_of_filters_and_of_labels_change_nothing(monkeypatch):
    maxima, presence = small(2)
    whole = permutation_null(maxima, presence, "kl", permutations=300, min_subjects=2)
    monkeypatch.setattr(nulls, "MOST_NULL_VALUES", 301 * 3)
    monkeypatch.setattr(nulls, "MOST_LABELS", 7 * len(presence))
    parts = permutation_null(maxima, presence, "kl", permutations=300, min_subjects=2)
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-5)
    np.testing.assert_allclose(parts.maxima, whole.maxima, atol=1e-5)
    # The first permutations are the same however many are asked for.
    fewer = loop(maxima, presence, "kl", 20, 0)
    np.testing.assert_array_equal(fewer, loop(maxima, presence, "kl", 255, 0)[:21])


def test_permuting_filters_permutes_the_null():
    maxima, presence = small(3)
    order = [2, 0, 3, 1]
    one = permutation_null(maxima, presence, "mean_difference", permutations=50, min_subjects=2)
    other = permutation_null(maxima[:, order], presence, "mean_difference", permutations=50, min_subjects=2)
    np.testing.assert_allclose(other.unskewed, one.unskewed[order], atol=1e-6)
    np.testing.assert_allclose(other.maxima, one.maxima, atol=1e-6)


def test_p_values_by_hand():
    maxima, presence = small(4)
    null = permutation_null(maxima, presence, "auroc", permutations=99, min_subjects=2)
    k, a = 1, 2
    reached = sum(largest >= null.unskewed[k, a] - 1e-4 for largest in null.maxima)
    assert null.p_family[k, a] == pytest.approx((1 + reached) / 100)


def test_filters_that_do_not_vary_and_rare_units_are_kept_but_not_tested():
    maxima, presence = small(5)
    maxima[:, 1] = 0
    rare = presence.present.copy()
    rare[:, 2] = 0
    rare[4, 2] = 1
    presence = Presence(presence.aus, rare, presence.subjects, presence.sequences, presence.emotions)
    null = permutation_null(maxima, presence, "kl", permutations=30, min_subjects=2)
    assert np.isnan(null.p_family[1]).all() and np.isnan(null.p_family[:, 2]).all()
    assert (null.observed[1, :2] == 0).all() and np.isnan(null.observed[:, 2]).all()
    assert null.tested.sum() == 6


def test_a_filter_of_one_sequence_does_not_hide_the_others():
    maxima, presence = small(8, subjects=60, frames=2)
    maxima[:, 0] += 2.5 * presence.present[:, 1]
    maxima[:, 3] = 0
    # A sequence that shows a unit which seven others show: its values are few, and one is far off.
    maxima[np.flatnonzero(presence.present[:, 2])[:1], 3] = 5
    null = permutation_null(maxima, presence, "auroc", permutations=199)
    assert null.tested.any(axis=1).tolist() == [True, True, True, False]
    assert null.p_family[0, 1] == 1 / 200 and np.isnan(null.p_family[3]).all()


def test_a_unit_that_could_change_in_few_blocks_is_too_few():
    maxima, presence = small(9, subjects=40)
    present = presence.present.copy()
    first = presence.emotions == "anger"
    # AU1 goes with the strata but for three sequences.
    present[:, 0] = np.where(first, 1, 0)
    present[np.flatnonzero(presence.emotions == "fear")[:6], 0] = 1
    presence = Presence(presence.aus, present, presence.subjects, presence.sequences, presence.emotions)
    everywhere = permutation_null(maxima, presence, "auroc", permutations=5)
    assert everywhere.tested[:, 0].all()
    within = permutation_null(maxima, presence, "auroc", permutations=5, within=presence.emotions)
    assert within.tested.any(axis=0).tolist() == [False, True, True]
    told = r"no action unit has 8 sequences whose labels could change; AU1.* with 3"
    with pytest.raises(DataError, match=told):
        permutation_null(maxima, presence.only(["AU1"]), "auroc", permutations=5, within=presence.emotions)


def test_a_unit_that_is_there_is_found_and_its_copy_in_noise_is_not():
    maxima, presence = small(6, subjects=30)
    maxima[:, 0] += 20 * presence.present[:, 1]
    null = permutation_null(maxima, presence, "mean_difference", permutations=199)
    assert null.p_family[0, 1] == 1 / 200
    assert (null.p_family[1:] > 0.05).all()


def test_too_many_pictures_for_float32_ranks_stay_exact():
    maxima, presence = small(7, subjects=1000)
    null = permutation_null(maxima, presence, "auroc", permutations=3)
    values = loop(maxima, presence, "auroc", 3, 0)
    np.testing.assert_allclose(null.unskewed, corrected(values)[0], atol=3e-4)


def test_what_cannot_be_judged_is_refused():
    maxima, presence = small()
    with pytest.raises(DataError, match="S00"):
        permutation_null(maxima[:6], presence.select(np.arange(6)), "kl")
    broken = maxima.copy()
    broken[5, 2] = np.nan
    with pytest.raises(DataError, match="picture 5, filter 2"):
        permutation_null(broken, presence, "kl", min_subjects=2)
    with pytest.raises(DataError, match="none of the 4 filters varies over as many as 2 sequences"):
        permutation_null(np.zeros_like(maxima), presence, "kl", min_subjects=2)
    with pytest.raises(DataError, match="no AU has 50"):
        permutation_null(maxima, presence, "kl", min_subjects=50)
    with pytest.raises(ParameterError, match=r"alpha = 1\.5"):
        least_permutations(1.5)


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.01, 99), (0.03, 33)])
def test_least_permutations_reach_the_level(alpha, needed):
    assert least_permutations(alpha) == needed
    assert 1 / (1 + needed) <= alpha + 1e-12 < 1 / needed + 1e-12
