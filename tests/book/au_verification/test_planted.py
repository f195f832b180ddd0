"""Planted detectors: planted as said, found by the maximum rule, and by the papers' rule along with
everything else.
"""

import numpy as np
import pandas as pd
import pytest

from book.au_verification import planted
from book.au_verification.planted import (
    decoy_table,
    decoys,
    plant,
    planted_metrics,
    score_rules,
)
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


def test_claims_are_counted_by_hand(monkeypatch):
    # One unit: eight claims in the first set, of which five are of the six planted; none in the second.
    said = iter([np.array([0, 0, 0, 0, 0, -1, 0, 0, 0, -1]), np.full(10, -1)])
    monkeypatch.setattr(planted, "claimed_units", lambda *_: next(said))
    presence = simulated_presence(16, aus=1)
    found = score_rules(
        presence, measures=("smd",), rules=("argmax",), snrs=(1,), filters=10, detectors=6, repeats=2
    )
    assert found[["precision", "recall"]].to_numpy().tolist() == [[5 / 8, 5 / 12]]
    assert found[["subjects", "repeats"]].to_numpy().tolist() == [[16, 2]]
    said = iter([np.full(10, -1)])
    silent = score_rules(
        presence, measures=("smd",), rules=("argmax",), snrs=(1,), filters=10, repeats=1
    ).iloc[0]
    assert np.isnan(silent["precision"]) and silent["recall"] == 0


def test_clear_detectors_are_found_and_the_papers_rule_claims_all_else_too():
    presence = simulated_presence(40)
    scores = score_rules(
        presence, measures=("auroc", "kl"), snrs=(4.0,), filters=16, detectors=8, repeats=4, seed=1
    ).set_index(["measure", "rule"])
    for measure in ("auroc", "kl"):
        found = scores.loc[measure, "max_statistic"]
        assert found["precision"] >= 0.95 and found["recall"] >= 0.95
        # Every channel is claimed, so no more than half of the claims are right.
        assert scores.loc[(measure, "argmax"), "precision"] <= 0.5


def test_no_signal_is_not_found_and_more_people_find_more():
    presence = simulated_presence(60)
    scores = score_rules(
        presence, measures=("auroc",), rules=("max_statistic",), subjects=(15, 0), snrs=(0.0, 0.7), repeats=3
    ).set_index(["subjects", "snr"])
    assert (scores.xs(0.0, level="snr")["recall"] <= 0.1).all()
    assert scores.loc[(60, 0.7), "recall"] > scores.loc[(15, 0.7), "recall"]


def test_a_rule_that_needs_more_permutations_says_so():
    with pytest.raises(ParameterError, match="needs at least"):
        score_rules(
            simulated_presence(12), measures=("auroc",), rules=("max_statistic",), permutations=18, repeats=1
        )


def test_decoys_are_what_they_are_called():
    presence = simulated_presence(40)
    shown = presence.present.copy()
    shown[:, 1] = shown[:, 0]  # the two that go together most
    presence = Presence(
        (*presence.aus[:7], "AU25"), shown, presence.subjects, presence.sequences, presence.emotions
    )
    brightness = np.random.default_rng(1).random(len(presence))
    found = decoys(presence, brightness, np.random.default_rng(0))
    assert list(found) == ["emotion only", "co-occurring unit", "brightness", "open mouth"]
    emotion, right = found["emotion only"]
    assert right == () and len(np.unique(presence.emotions[emotion])) == 1
    signal, right = found["co-occurring unit"]
    assert right[0] in ("AU1", "AU2") and np.array_equal(signal, shown[:, 0])
    assert np.corrcoef(found["brightness"][0], brightness)[0, 1] == pytest.approx(1)
    assert np.array_equal(found["open mouth"][0], shown[:, 7] == 1) and "AU25" in found["open mouth"][1]


def test_only_the_null_within_emotions_sees_through_an_emotion():
    presence = simulated_presence(60, seed=3)
    brightness = np.random.default_rng(1).random(len(presence))
    table = decoy_table(presence, brightness, "auroc", snr=3.0, repeats=4, permutations=99).data
    assert table.index.tolist() == ["emotion only", "co-occurring unit", "brightness", "open mouth"]
    assert table.loc["emotion only", "max statistic, overall"] > 0.3
    assert table.loc["emotion only", "max statistic, within emotions"] <= 0.1
    assert table.loc["brightness", "max statistic, overall"] <= 0.1
    # The papers' rule names a unit for everything.
    assert table.loc["brightness", "argmax, overall"] == 1


def test_planted_metrics_are_those_of_the_clearest_signal():
    table = pd.DataFrame(
        [
            {
                "measure": measure,
                "rule": rule,
                "snr": snr,
                "precision": precision,
                "recall": snr / 2,
                "repeats": 5,
            }
            for measure in ("kl", "auroc")
            for rule, precision in (("max_statistic", 0.9), ("argmax", np.nan if measure == "kl" else 0.3))
            for snr in (0.5, 2.0)
        ]
    )
    found = {name: metric.value for name, metric in planted_metrics(table, "auroc").items()}
    assert found == {"planted_precision": 0.9, "planted_recall": 1.0, "planted_precision_argmax": 0.3}
    assert set(planted_metrics(table, "kl")) == {"planted_precision", "planted_recall"}
