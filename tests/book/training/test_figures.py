"""The figures of the training show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book.training import figures, study
from fer_lib.stats.contrasts import score_trainings
from ferbook.estimate import Estimate


def toy_curve(epochs: int = 4) -> pd.DataFrame:
    e = np.arange(1, epochs + 1)
    losses = {"train_loss": 2.0 / e, "valid_loss": 2.2 / e}
    return pd.DataFrame({"epoch": e} | losses | {"valid_accuracy": 1 - 0.5 / e})


CURVES = {"seed 0": (toy_curve(), 3), "seed 1": (toy_curve(), 4)}


def toy_scored(conditions=(study.OWN, study.OWN, study.HOG, study.MAJORITY, "emotions_with_biases")):
    labels = np.arange(40) % 3
    right = np.random.default_rng(0).random((len(conditions), 40)) < 0.7
    answers = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    table = pd.DataFrame({"condition": conditions, "seed": range(len(conditions))})
    baseline = table["condition"].isin([study.HOG, study.MAJORITY])
    table["train_accuracy"] = np.where(baseline, np.nan, 0.95)
    return score_trainings(table, answers, labels, np.arange(40) // 2, ["condition"], draws=200)


def toy_stored():
    scored = toy_scored((study.OWN, study.OWN, study.OWN, study.HOG, study.MAJORITY))
    scored.table.drop(columns="train_accuracy", inplace=True)
    return scored


CHOICES = pd.DataFrame({"by_tested": [0.8, 0.75], "by_validation": [0.79, 0.75]})
CHOICE = Estimate(0.5, 0.2, 0.9)
GAINS = {"ahead_of_hog": Estimate(-1.4, -11.0, 8.8), "stored_ahead_of_hog": Estimate(15.7, 11.8, 19.5)}
REFERENCE = {"augmentation_gain": Estimate(2.0, 1.0, 3.0)}


def test_every_network_has_its_curve_and_its_chosen_epoch(well_drawn):
    well_drawn(lambda: figures.learning_curves({"fold 0": (toy_curve(1), 1)}, 0.25))
    drawn = well_drawn(lambda: figures.learning_curves(CURVES, 0.25))
    chosen = drawn.data[drawn.data["best"]]
    assert chosen[["network", "epoch"]].to_numpy().tolist() == [[0, 3], [1, 4]]
    assert "2.00 to 0.50" in drawn.alt and "85.4 %" in drawn.alt and "25.0 %" in drawn.alt
    loss, accuracy = drawn.figure.axes
    assert any(set(line.get_ydata()) == {0.25} for line in accuracy.lines)
    means = drawn.data.groupby("epoch")[["train_loss", "valid_loss"]].mean()
    for line, name in zip(loss.lines, means, strict=True):
        np.testing.assert_allclose(line.get_ydata(), means[name])
    assert len(loss.collections) == 2 and len(accuracy.collections) == 1, "a band from lowest to highest"


def test_each_condition_has_its_networks_its_mean_and_its_training_accuracy(well_drawn):
    scored = toy_scored()
    drawn = well_drawn(lambda: figures.tested_networks(scored))
    data = drawn.data
    assert sorted(data["accuracy"]) == sorted(scored.table["accuracy"]) and not data["stored"].any()
    own = data[data["condition"].eq(0)]
    assert own["mean"].tolist() == pytest.approx([own["accuracy"].mean()] * 2)
    assert own["train_accuracy"].tolist() == [0.95] * 2
    assert data["train_accuracy"].isna().sum() == 2, "a baseline has none"
    for text in ("the network (2)", "with biases (1)", figures.CONDITIONS[study.MAJORITY]):
        assert text in drawn.caption
    assert f"{figures.CONDITIONS[study.HOG]} (" not in drawn.caption


def test_stored_networks_have_a_group_of_their_own_with_their_baselines(well_drawn):
    drawn = well_drawn(lambda: figures.tested_networks(toy_scored(), toy_stored()))
    own, stored = drawn.caption.split("; stored networks", 1)
    assert "the network (2)" in own and "the network (3)" in stored
    assert all(figures.CONDITIONS[study.HOG] in part for part in (own, stored))
    assert drawn.data["stored"].sum() == 5


def test_each_gain_carries_the_label_of_whose_it_is(well_drawn):
    well_drawn(lambda: figures.gains({}, REFERENCE))
    drawn = well_drawn(lambda: figures.gains(GAINS, REFERENCE))
    values = dict(zip(drawn.data["series"], drawn.data["value"], strict=True))
    assert values == {"this run": -1.4, "stored networks": 15.7, "reference": 2.0}
    excluded, parts = drawn.caption.split("different from 0: ")[1].rstrip(".").split(". ")
    by_label = dict(part.split(": ", 1) for part in parts.split("; "))
    assert "−1.4" in by_label["this run"] and "+15.7" in by_label["stored networks"]
    assert "(stored networks)" in excluded and "(reference)" in excluded and "(this run)" not in excluded


def test_the_choice_of_the_epoch_is_drawn_with_both_accuracies(well_drawn):
    well_drawn(lambda: figures.choice_of_epoch(CHOICES[:1], Estimate(0.5, why="one training")))
    drawn = well_drawn(lambda: figures.choice_of_epoch(CHOICES, CHOICE))
    assert drawn.data[["by_validation", "by_tested"]].to_numpy().tolist() == [[0.79, 0.8], [0.75, 0.75]]
    assert "+0.5" in drawn.caption and "+0.2 to +0.9" in drawn.caption
    assert figures.choice_of_epoch(CHOICES[:0], None) is None
