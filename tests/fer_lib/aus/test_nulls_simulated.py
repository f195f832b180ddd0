"""Rules keep or break their promise on simulated data sets."""

import pytest

from tests.fer_lib.aus.invented import Noise, family_wise_error, simulated_presence


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
