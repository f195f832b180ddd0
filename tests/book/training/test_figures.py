"""The figures of the training show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book.training import figures, study
from fer_lib.stats.contrasts import score_trainings
from ferbook.estimate import Estimate


def toy_curve(epochs: int = 4) -> pd.DataFrame:
    e = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {"epoch": e, "train_loss": 2.0 / e, "valid_loss": 2.2 / e, "valid_accuracy": 1 - 0.5 / e}
    )


def toy_curves() -> dict[str, tuple[pd.DataFrame, int]]:
    return {"seed 0": (toy_curve(), 3), "seed 1": (toy_curve(), 4)}


def toy_scored(conditions=(study.OWN, study.OWN, "emotions_with_biases", study.HOG)):
    labels = np.arange(40) % 3
    right = np.random.default_rng(0).random((len(conditions), 40)) < 0.7
    said = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    table = pd.DataFrame({"condition": conditions, "seed": range(len(conditions))})
    table["learned"] = np.where(table["condition"].eq(study.HOG), np.nan, 0.95)
    return score_trainings(table, said, labels, np.arange(40) // 2, ["condition"], draws=200)


def toy_kept():
    return toy_scored((study.OWN, study.OWN, study.HOG))


CHOICES = pd.DataFrame({"by_tested": [0.8, 0.75], "by_validation": [0.79, 0.75]})
CHOICE = Estimate(0.5, 0.2, 0.9)
GAINS = {"ahead_of_hog": Estimate(12.5, 8.0, 17.0), "dropout_gain": Estimate(-1.0, -3.0, 1.0)}


CLASSES = ("neutral", "anger", "happiness")


DRAWINGS = {
    "tested_networks": lambda: figures.tested_networks(toy_scored(), 0.3),
    "differences": lambda: figures.gains(GAINS, {}),
    "differences_beside": lambda: figures.gains(GAINS, {"augmentation_gain": Estimate(2.0, 1.0, 3.0)}),
    "kept_networks": lambda: figures.tested_networks(toy_scored(), 0.3, toy_kept()),
    "choice_of_epoch": lambda: figures.choice_of_epoch(CHOICES, CHOICE),
    "choice_of_one": lambda: figures.choice_of_epoch(CHOICES[:1], Estimate(0.5, why="one training")),
    "learning_curves": lambda: figures.learning_curves(toy_curves(), 0.25),
    "one_epoch": lambda: figures.learning_curves({"fold 0": (toy_curve(1), 1)}, 0.25),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_drawn_can_be_stored(name, well_drawn):
    well_drawn(DRAWINGS[name])


def test_every_network_has_its_curve_and_its_chosen_epoch():
    drawn = figures.learning_curves(toy_curves(), 0.25)
    chosen = drawn.data[drawn.data["best"]]
    assert chosen[["network", "epoch"]].to_numpy().tolist() == [[0, 3], [1, 4]]
    assert "2 networks, over 4 epochs" in drawn.alt and "from 2.00 to 0.50" in drawn.alt
    assert "85.4 % on average" in drawn.alt and "at 25.0 %" in drawn.alt
    loss, accuracy = drawn.figure.axes
    assert any(set(line.get_ydata()) == {0.25} for line in accuracy.lines)
    means = drawn.data.groupby("epoch")[["train_loss", "valid_loss"]].mean()
    for line, name in zip(loss.lines, means, strict=True):
        np.testing.assert_allclose(line.get_ydata(), means[name])
    assert len(loss.collections) == 2 and len(accuracy.collections) == 1, "a band from lowest to highest"


def test_single_networks_are_strokes_below_the_mean_of_their_kind():
    drawn = figures.tested_networks(scored := toy_scored(), 0.3)
    assert drawn.data["accuracy"].tolist() == scored.table["accuracy"].tolist()
    assert "linear on HOG (" not in drawn.caption
    own = drawn.data[drawn.data["condition"].eq(0)]
    assert own["mean"].tolist() == pytest.approx([own["accuracy"].mean()] * 2)
    assert "this page's networks (2)" in drawn.alt
    assert "with biases (1)" in drawn.alt
    assert "linear on HOG" in drawn.alt


def test_what_is_known_of_its_own_pictures_stands_beside():
    drawn = figures.tested_networks(toy_scored(), 0.3)
    assert drawn.data["learned"].tolist()[:3] == [0.95] * 3 and np.isnan(drawn.data["learned"].iloc[3])
    assert f"with biases (1), {figures.LEARNED} 95.0 %" in drawn.alt
    assert f"linear on HOG, {figures.LEARNED}" not in drawn.alt


def test_only_what_was_compared_is_drawn():
    drawn = figures.gains(GAINS, {})
    assert drawn.data["asked"].tolist() == [1, 3] and drawn.data["value"].tolist() == [12.5, -1.0]
    assert drawn.caption.startswith("Clear of zero, in points of accuracy: over linear HOG +12.5. Not told")
    assert "from zero: dropout (D) −1.0. Only the reference run asks" in drawn.caption


def test_the_reference_stands_beside_and_decides_the_caption():
    drawn = figures.gains(GAINS, {"dropout_gain": Estimate(2.0, 1.0, 3.0)})
    assert drawn.data["reference"].tolist() == [False, False, True]
    assert "HOG +12.5; dropout (D) +2.0. Only" in drawn.caption


def test_what_choosing_adds_is_told_with_its_interval():
    drawn = figures.choice_of_epoch(CHOICES, CHOICE)
    assert "adds +0.5 (+0.2 to +0.9) points" in drawn.caption
    assert drawn.data["points"].tolist() == pytest.approx([1.0, 0.0])
    assert figures.choice_of_epoch(CHOICES[:0], None) is None, "no answers after each epoch are kept"


def test_kept_networks_stand_below_the_own_one_and_are_the_ones_that_answer():
    drawn = figures.tested_networks(toy_scored(), 0.3, toy_kept())
    kept = drawn.data[drawn.data["condition"].ge(len(figures.CONDITIONS))]
    assert len(kept) == 3 and kept["condition"].nunique() == 2
    assert "kept networks, all people (2)" in drawn.alt and "linear on HOG, all people" in drawn.caption
