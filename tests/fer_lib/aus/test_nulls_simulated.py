"""Simulated data sets have the structure that they claim, and rules keep or break their promise on them."""

import numpy as np
import pytest

from fer_lib.aus.nulls import decide, permutation_null
from tests.fer_lib.aus.invented import Noise, family_wise_error, null_responses, simulated_presence


def test_responses_are_rectified_reproducible_and_of_many_levels():
    presence = simulated_presence(20)
    drawn = null_responses(presence, 50, seed=4)
    assert drawn.shape == (len(presence), 50) and drawn.min() == 0
    np.testing.assert_array_equal(drawn, null_responses(presence, 50, seed=4))
    active = (drawn > 0).mean(0)
    assert active.min() < 0.4 and active.max() > 0.6


def test_sparse_filters_answer_to_few_pictures_and_units_move_what_they_are_told_to():
    presence = simulated_presence(40)
    noise = Noise(sparse=0.5)
    drawn = null_responses(presence, 8, noise=noise)
    active = (drawn > 0).mean(0)
    assert (active[4:] < 0.11).all() and (active[4:] > 0.005).all() and (active[:4] > 0.11).all()
    shifts = np.zeros((len(presence.aus), 8))
    shifts[2, 5] = 10
    other = null_responses(presence, 8, noise=noise, shifts=shifts)
    shown = presence.present[:, 2] == 1
    np.testing.assert_array_equal(np.delete(other, 5, 1), np.delete(drawn, 5, 1))
    assert (other[shown, 5] > 5).all() and np.array_equal(other[~shown, 5], drawn[~shown, 5])


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
    options = {"sets": 6, "filters": 4, "permutations": 19, "seed": 5}
    found = family_wise_error(presence, "auroc", **options)
    errors = 0
    for number in range(6):
        null = permutation_null(
            null_responses(presence, 4, seed=5 + number), presence, "auroc", permutations=19, seed=5 + number
        )
        errors += decide(null).any()
    assert found.value == errors / 6 and found.n == 6


def five_per_cent(presence, measure="auroc", **options):
    """The family-wise error of the maximum statistic over 400 sets."""
    return family_wise_error(presence, measure, sets=400, filters=8, **options)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["auroc", "kl", "mean_difference"])
def test_family_wise_error_is_five_per_cent_under_no_effect(measure):
    found = five_per_cent(simulated_presence(40), measure)
    assert found.low <= 0.05 <= found.high


@pytest.mark.slow
def test_units_that_run_in_people_call_for_subjects_as_blocks():
    presence, noise = simulated_presence(40, habit=2.0), Noise(subject=1.0)
    assert five_per_cent(presence, noise=noise, blocks="sequence").low > 0.05
    found = five_per_cent(presence, noise=noise, blocks="subject")
    assert found.low <= 0.05 <= found.high


@pytest.mark.slow
def test_within_emotions_too_people_change_places_where_units_run_in_them():
    """Of 120 people some have nobody who shows the same emotions; their labels stay."""
    presence, noise = simulated_presence(120, habit=2.0), Noise(subject=1.0, emotion=1.0)
    settings = {"noise": noise, "within": presence.emotions}
    assert five_per_cent(presence, blocks="sequence", **settings).low > 0.05
    found = five_per_cent(presence, blocks="subject", **settings)
    assert found.low <= 0.05 <= found.high


@pytest.mark.slow
def test_units_of_an_emotion_are_no_detectors_within_it():
    presence, noise = simulated_presence(40), Noise(emotion=1.0)
    assert five_per_cent(presence, noise=noise).low > 0.05
    within = five_per_cent(presence, noise=noise, within=presence.emotions)
    assert within.low <= 0.05 <= within.high
