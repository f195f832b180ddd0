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
    label_metrics,
    label_tests,
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


def test_a_decoy_that_a_coding_cannot_give_is_left_out():
    presence = presence_of(0.3)
    found = decoys(presence, np.random.default_rng(1).random(len(presence)), np.random.default_rng(0))
    assert list(found) == ["brightness", "open mouth"]


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


def presence_of(share: float, pictures: int = 2000) -> Presence:
    """One unit on such a ``share`` of pictures of as many people."""
    shown = (np.arange(pictures) < share * pictures).astype(float)[:, None]
    who = np.arange(pictures).astype(str)
    return Presence(("AU1",), shown, who, who, np.full(pictures, ""))


def test_wrong_labels_cost_a_perfect_detector_what_they_cost_by_hand():
    lost = label_tests(presence_of(0.2), repeats=4).set_index("measure")
    # Half of 20 % is missing: of the pictures labelled absent 10 of 90 are like those labelled present.
    wrong = 1 / 9
    for measure in ("mean_difference", "auroc", "ks", "wasserstein"):
        assert lost.loc[measure, "missing"] == pytest.approx(wrong, abs=0.03), measure
        # Of pictures labelled present half are like the others.
        assert lost.loc[measure, "extra"] == pytest.approx(0.5, abs=0.05), measure
    # Of extra labels the detector finds the right half first, then the others as they come: after a share u
    # of these (1 + u) of (1 + 4 u) are labelled, on average 1/4 + 3/16 ln 5.
    extra = 1 - (1 + 1 / 4 + 3 / 16 * np.log(5)) / 2
    assert lost.loc["average precision"].tolist() == pytest.approx([0.5, extra], abs=0.02)
    # The phi coefficient of .2 and .1, nearly.
    assert lost.loc["correlation", "missing"] == pytest.approx(1 - np.sqrt(0.1 * 0.8 / (0.2 * 0.9)), abs=0.02)
    assert lost.loc["smd", "missing"] > 0.5


def test_the_rarer_the_unit_the_less_do_missing_labels_cost_auroc_and_that_is_told():
    rare, often = (label_tests(presence_of(share), repeats=2) for share in (0.05, 0.4))
    rare_metrics, often_metrics = label_metrics(rare), label_metrics(often)
    assert rare_metrics["auroc_missing_lost"].value < 0.05 < 0.2 < often_metrics["auroc_missing_lost"].value
    # By the bound .1 only those two measures notice that look at the spread, or at the bins.
    assert rare_metrics["notice_missing"].value == 2 and often_metrics["notice_missing"].value == 6
    assert rare_metrics["notice_extra"].value == 6


def test_pictures_without_a_code_are_no_labels():
    presence = simulated_presence(12)
    present = presence.present.copy()
    present[:24, 0] = np.nan
    some = Presence(presence.aus, present, presence.subjects, presence.sequences, presence.emotions)
    lost = label_tests(some, repeats=2)
    assert lost[["missing", "extra"]].notna().all().all()
    assert label_tests(presence, repeats=2).drop(columns="measure").shape == (8, 2)
