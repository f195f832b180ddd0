"""Planted detectors: planted as said, found by the maximum rule, and by the papers' rule along with
everything else.
"""

import numpy as np
import pytest

from book.au_verification.planted import _counted, _summary, plant, score_rules
from book.au_verification.simulation import null_responses, simulated_presence
from fer_lib.aus.presence import Presence
from ferbook.errors import ParameterError


def test_a_planted_channel_is_its_shuffled_self_plus_the_unit():
    presence = simulated_presence(12)
    maxima = null_responses(presence, 5)
    nothing = plant(maxima, presence, {1: "AU3"}, 0.0, seed=2)
    planted = plant(maxima, presence, {1: "AU3"}, 2.5, seed=2)
    others = [0, 2, 3, 4]
    np.testing.assert_array_equal(planted[:, others], maxima[:, others])
    # The same sequences of four frames in another order.
    before, after = (m[:, 1].reshape(-1, 4) for m in (maxima, nothing))
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(np.unique(before, axis=0), np.unique(after, axis=0))
    shift = planted[:, 1] - nothing[:, 1]
    np.testing.assert_allclose(shift, 2.5 * maxima[:, 1].std() * presence.present[:, 2], atol=1e-12)


def test_channels_are_shuffled_each_by_itself_and_uncoded_pictures_stay_noise():
    presence = simulated_presence(12)
    present = presence.present.copy()
    present[:24, 0] = np.nan
    presence = Presence(presence.aus, present, presence.subjects, presence.sequences, presence.emotions)
    same = np.repeat(null_responses(presence, 1), 2, axis=1)
    planted = plant(same, presence, {0: "AU1", 1: "AU1"}, 3.0)
    assert np.isfinite(planted).all() and planted[:24].max() <= same.max()
    assert not np.array_equal(planted[:, 0], planted[:, 1])
    np.testing.assert_array_equal(plant(same, presence, {}, 3.0), same)


def test_claims_are_counted_by_hand():
    truth = np.array([0, 1, 2, -1, -1])
    #                   right, wrong unit, missed, false, silent
    assert _counted(np.array([0, 2, -1, 1, -1]), truth) == (1, 1, 3, 1, 3)
    counts = np.array([[1, 1, 3, 1, 3], [3, 0, 3, 0, 3]], float)
    found = _summary(counts, 0)
    assert found["precision"] == 4 / 6 and found["recall"] == 4 / 6
    assert found["wrong_unit"] == 1 / 6 and found["family_wise_error"] == 0.5
    assert found["recall_low"] == pytest.approx(1 / 3) and found["recall_high"] == 1
    silent = _summary(np.array([[0, 0, 0, 0, 3.0]]), 0)
    assert np.isnan(silent["precision"]) and silent["recall"] == 0 and np.isnan(silent["recall_low"])


def test_clear_detectors_are_found_and_the_papers_rule_claims_all_else_too():
    presence = simulated_presence(40)
    scores = score_rules(
        presence, measures=("auroc", "kl"), snrs=(4.0,), filters=16, detectors=8, repeats=4, seed=1
    ).set_index(["measure", "rule"])
    for measure in ("auroc", "kl"):
        found = scores.loc[measure, "max_statistic"]
        assert found["precision"] >= 0.95 and found["recall"] >= 0.95
        papers = scores.loc[measure, "argmax"]
        assert papers["precision"] <= 0.5 and papers["family_wise_error"] == 1


def test_no_signal_is_not_found_and_more_people_find_more():
    presence = simulated_presence(60)
    scores = score_rules(
        presence, measures=("auroc",), rules=("max_statistic",), subjects=(15, 0), snrs=(0.0, 0.7), repeats=3
    ).set_index(["subjects", "snr"])
    assert (scores.xs(0.0, level="snr")["recall"] <= 0.1).all()
    assert scores.loc[(60, 0.7), "recall"] > scores.loc[(15, 0.7), "recall"]


def test_what_is_not_there_is_refused():
    presence = simulated_presence(12)
    maxima = null_responses(presence, 3)
    with pytest.raises(ParameterError, match="no filter 3"):
        plant(maxima, presence, {3: "AU1"}, 1)
    with pytest.raises(ParameterError, match="'AU99'"):
        plant(maxima, presence, {0: "AU99"}, 1)
    with pytest.raises(ParameterError, match="snr = -1"):
        plant(maxima, presence, {0: "AU1"}, -1)
    with pytest.raises(ParameterError, match="detectors 9 of 8"):
        score_rules(presence, filters=8, detectors=9)
    with pytest.raises(ParameterError, match=r"subjects = \[13\]: from 1 to 12"):
        score_rules(presence, subjects=(13,))
    with pytest.raises(ParameterError, match="needs at least"):
        score_rules(presence, measures=("auroc",), rules=("holm",), repeats=1)
