"""The answer follows from the intervals, and from nothing else."""

import pytest

from book.derl.answer import answer, summary_names
from ferbook.page.tables import records_table


def entry(value, low=None, high=None, unit=""):
    why = "one cluster" if low is None else ""
    return {"value": value, "low": low, "high": high, "unit": unit, "n": 20, "why": why}


def share(value):
    return entry(value, value - 0.1, value + 0.1, "share")


def metrics(cnn=(10, 5, 15), pixels=(10, 5, 15), **further):
    found = {"accuracy": share(0.6), "tested": entry(20, unit="count"), "people": entry(4, unit="count")}
    found |= {"cnn_accuracy": share(0.5), "pixel_difference_accuracy": share(0.5)}
    return found | {"ahead_of_cnn": entry(*cnn), "ahead_of_pixel_difference": entry(*pixels)} | further


@pytest.mark.parametrize(
    ("cnn", "pixels", "told"),
    [
        ((10, 5, 15), (10, 5, 15), "the claim holds: the residue in the layers beats both"),
        ((10, 5, 15), (1, -5, 7), "Half of the claim holds here: DeRL is clearly ahead of plain CNN"),
        ((-9, -15, -3), (1, -5, 7), "does not hold: DeRL is clearly behind plain CNN, equal size."),
        ((-9, -15, -3), (9, 3, 15), "behind plain CNN, equal size, and clearly ahead of pixel difference"),
        ((1, -5, 7), (-1, -5, 7), "both intervals include zero"),
        ((3, None, None), (3, None, None), "both intervals include zero"),
    ],
)
def test_the_verdict_on_the_claim(cnn, pixels, told):
    assert told in answer(metrics(cnn, pixels))


def test_a_lag_is_told_as_one_with_its_interval_the_same_way_round():
    said = answer(metrics(cnn=(-9, -15, -3)))
    assert "9.0 points behind (95 % interval 3.0 to 15.0)" in said
    assert "10.0 points ahead (95 % interval 5.0 to 15.0)" in said


def test_parts_that_were_left_out_are_not_told():
    said = answer(metrics())
    assert said.count("<p>") == 1
    assert list(summary_names(metrics())) == [
        "accuracy",
        "cnn_accuracy",
        "pixel_difference_accuracy",
        "ahead_of_cnn",
        "ahead_of_pixel_difference",
    ]


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        ((8, 2, 12), "To have learned neutral faces helps"),
        ((-8, -12, -2), "Random weights do better"),
        ((1, -4, 6), "is not shown: random weights do as well"),
    ],
)
def test_what_the_generator_had_to_learn(gap, told):
    further = {"untrained_generator_accuracy": share(0.5), "ahead_of_untrained_generator": entry(*gap)}
    further |= {"shuffled_neutrals_accuracy": share(0.5), "ahead_of_shuffled_neutrals": entry(*gap)}
    said = answer(metrics(**further))
    assert told in said
    assert ("of the same person helps" in said) == (gap[1] > 0)


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        ((2, 1, 3), "nearer to the truth than the input is"),
        ((-2, -3, -1), "farther from the truth"),
        ((0, -1, 1), "neither clearly nearer"),
    ],
)
def test_how_near_the_neutral_faces_come(gap, told):
    values = {
        f"{name}_{measure}": entry(v)
        for name in ("generated", "input", "mean_face")
        for measure, v in (("psnr", 24.5), ("ssim", 0.75))
    }
    said = answer(metrics(psnr_over_input=entry(*gap), **values))
    assert told in said and "24.5 dB" in said and "called" not in said


def test_where_and_which_units():
    places = {
        "pair8_accuracy": share(0.5),
        "pair8_concentration": entry(1.3),
        "pair8_untrained": entry(1.1),
        "pixels_concentration": entry(1.2),
        "edges_concentration": entry(1.0),
    }
    units = {"au_trained": entry(0.8), "au_untrained": entry(0.7), "au_hog": entry(0.75)}
    units |= {"au_over_untrained": entry(0.1, 0.05, 0.15), "au_scored": entry(9, unit="count")}
    said = answer(metrics(**places, **units))
    assert "8 × 8: 1.30 (1.10 untrained)" in said and "better than the pixels do" in said
    assert "detect 9 action units" in said and "easier to read." in said
    worse = answer(metrics(**places | {"pair8_concentration": entry(1.15)}))
    assert "No layer points to the moving skin better" in worse


def test_the_summary_can_be_shown():
    found = metrics()
    assert len(records_table(found, summary_names(found))) == 5
