"""Simulated data sets have the structure that they claim, and the rules keep or break their promise on them."""

import numpy as np
import pytest

from book.au_verification.simulation import (
    Noise,
    error_share,
    family_wise_error,
    null_responses,
    simulated_presence,
)
from fer_lib.aus.decision import decide
from fer_lib.aus.nulls import permutation_null
from ferbook.errors import ParameterError


def test_each_effect_varies_with_what_it_belongs_to():
    presence = simulated_presence(5, sequences=3, frames=4)
    silent = {"subject": 0, "sequence": 0, "frame": 0}
    for name, codes in (
        ("subject", presence.subjects),
        ("sequence", presence.sequences),
        ("emotion", presence.emotions),
    ):
        drawn = null_responses(presence, 40, noise=Noise(**(silent | {name: 1.0})))
        names = np.unique(codes)
        within = [np.ptp(drawn[codes == one], axis=0).max() for one in names]
        assert max(within) == 0
        assert len(np.unique(drawn.max(1))) == len(names)


def test_frames_correlate_as_a_first_order_process():
    presence = simulated_presence(300, sequences=2, frames=6)
    # Against so little noise the levels stay above 0, so nothing is cut off.
    drawn = null_responses(presence, 20, noise=Noise(subject=0, sequence=0, frame=1e-3, correlation=0.6))
    drawn = drawn[:, drawn.mean(0) > 0.1].reshape(600, 6, -1)
    drawn = (drawn - drawn.mean((0, 1))) / 1e-3
    # The same variance in every frame, and lag 1, 2 correlate by 0.6, 0.36: standard errors are below 0.01.
    np.testing.assert_allclose(drawn.var((0, 2)), 1, atol=0.06)
    for lag, expected in ((1, 0.6), (2, 0.36)):
        assert (drawn[:, lag:] * drawn[:, :-lag]).mean() == pytest.approx(expected, abs=0.04)


def test_responses_are_rectified_reproducible_and_of_many_levels():
    presence = simulated_presence(20)
    drawn = null_responses(presence, 50, seed=4)
    assert drawn.shape == (len(presence), 50) and drawn.min() == 0
    np.testing.assert_array_equal(drawn, null_responses(presence, 50, seed=4))
    active = (drawn > 0).mean(0)
    assert active.min() < 0.4 and active.max() > 0.6


def test_simulated_people_start_neutral_and_show_units_as_often_as_asked():
    presence = simulated_presence(200, sequences=2, frames=3, aus=40, prevalence=0.3)
    assert len(presence) == 1200 and len(np.unique(presence.subjects)) == 200
    first = presence.emotions == "neutral"
    assert first.sum() == 400 and not presence.present[first].any()
    assert presence.present[~first].mean() == pytest.approx(0.33, abs=0.05)


def test_habit_makes_units_run_in_people():
    def spread(habit):
        presence = simulated_presence(60, sequences=4, aus=20, habit=habit)
        shares = presence.present.reshape(60, -1, 20).mean(1)
        return shares.var(0).mean()

    assert spread(2.0) > 1.5 * spread(0.0)


def test_family_wise_error_counts_sets_with_any_claim():
    presence = simulated_presence(16, aus=2)
    found = family_wise_error(
        presence, "auroc", rules=("max_statistic", "argmax"), sets=6, filters=4, permutations=19, seed=5
    ).set_index("rule")
    errors = 0
    for number in range(6):
        null = permutation_null(
            null_responses(presence, 4, seed=5 + number), presence, "auroc", permutations=19, seed=5 + number
        )
        errors += decide(null, "max_statistic").any()
    assert found.loc["max_statistic", "errors"] == errors
    # The papers' rule names a unit for every filter that varies.
    assert found.loc["argmax", "share"] == 1 and found.loc["argmax", "claimed"] == 1


def test_exact_interval_by_hand():
    # No error in 10: the upper bound solves (1 - p)^10 = 0.025.
    found = error_share(0, 10)
    assert found["low"] == 0 and found["high"] == pytest.approx(1 - 0.025 ** (1 / 10))


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="correlation=1"):
        Noise(correlation=1)
    with pytest.raises(ParameterError, match="frames 1"):
        simulated_presence(5, frames=1)
    with pytest.raises(ParameterError, match="sets = 0"):
        family_wise_error(simulated_presence(10), "kl", sets=0)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["auroc", "kl", "smd"])
def test_family_wise_error_is_five_per_cent_under_no_effect(measure):
    presence = simulated_presence(40)
    found = family_wise_error(presence, measure, rules=("max_statistic",), sets=400, filters=8)
    assert found["low"].item() <= 0.05 <= found["high"].item()


@pytest.mark.slow
def test_units_that_run_in_people_call_for_subjects_as_blocks():
    presence = simulated_presence(40, habit=2.0)
    options = {"rules": ("max_statistic",), "sets": 400, "filters": 8, "noise": Noise(subject=1.0)}
    by_sequence, by_subject = (
        family_wise_error(presence, "auroc", blocks=blocks, **options) for blocks in ("sequence", "subject")
    )
    assert by_sequence["low"].item() > 0.05
    assert by_subject["low"].item() <= 0.05 <= by_subject["high"].item()
    within = family_wise_error(presence, "auroc", within=presence.subjects, **options)
    assert within["low"].item() <= 0.05 <= within["high"].item()


@pytest.mark.slow
def test_units_of_an_emotion_are_no_detectors_within_it():
    presence = simulated_presence(40)
    options = {"rules": ("max_statistic",), "sets": 400, "filters": 8, "noise": Noise(emotion=1.0)}
    assert family_wise_error(presence, "auroc", **options)["low"].item() > 0.05
    within = family_wise_error(presence, "auroc", within=presence.emotions, **options)
    assert within["low"].item() <= 0.05 <= within["high"].item()
