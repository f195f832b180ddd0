"""The figures of the training show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from book.training import figures, study
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import score_trainings
from ferbook.estimate import Estimate


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def toy_curve(epochs: int = 4) -> pd.DataFrame:
    e = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {"epoch": e, "train_loss": 2.0 / e, "valid_loss": 2.2 / e, "valid_accuracy": 1 - 0.5 / e}
    )


def toy_recalls() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "emotion": ["neutral", "anger", "fear"],
            "n": [10, 4, 0],
            "recall": [0.8, 0.3, np.nan],
            "recall_low": [0.6, 0.1, np.nan],
            "recall_high": [0.9, 0.5, np.nan],
        }
    )


def toy_weights() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (64, 1, 5, 5))


def toy_curves() -> dict[str, tuple[pd.DataFrame, int]]:
    return {"seed 0": (toy_curve(), 3), "seed 1": (toy_curve(), 4)}


def toy_scored(conditions=(study.OWN, study.OWN, "with_biases", study.HOG)):
    labels = np.arange(40) % 3
    right = np.random.default_rng(0).random((len(conditions), 40)) < 0.7
    said = np.eye(3)[np.where(right, labels, (labels + 1) % 3)]
    table = pd.DataFrame({"condition": conditions, "seed": range(len(conditions))})
    return score_trainings(table, said, labels, np.arange(40) // 2, ["condition"], draws=200)


def toy_people():
    return {name: toy_scored((study.OWN,) * 2) for name in (study.CHOSE, study.HAD_NO_SAY, study.FRESH)}


GAINS = {"ahead_of_hog": Estimate(12.5, 8.0, 17.0), "dropout_gain": Estimate(-1.0, -3.0, 1.0)}
TOY_CORRELATIONS = pd.DataFrame(
    {
        "network": [0, 0, 1, 1],
        "layer": ["conv1", "output"] * 2,
        "kind": ["convolution", "dense"] * 2,
        "correlation": [0.97, 0.5, 0.95, -0.1],
    }
)


def toy_hardest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "picture": [3, 0, 7],
            "true": ["neutral", "neutral", "anger"],
            "predicted": ["anger", "happiness", "anger"],
            "p_true": [0.1, 0.2, 0.6],
            "p_predicted": [0.9, 0.7, 0.6],
            "loss": [2.3, 1.6, 0.5],
        }
    )


CLASSES = ("neutral", "anger", "happiness")


def toy_faces() -> FaceSet:
    """Six people with three emotions; the grey value of a picture tells its emotion and subject."""
    table = pd.DataFrame({"subject": [f"s{s}" for s in range(6)] * 3, "emotion": np.repeat(CLASSES, 6)})
    pixels = np.array([80 * k + s for k in range(3) for s in range(6)], np.uint8)
    table = table.assign(dataset="toy", sequence="", frame=0, split="test")
    return FaceSet("toy", np.tile(pixels[:, None, None], (1, 48, 48)), table)


DRAWINGS = {
    "tested_networks": lambda: figures.tested_networks(toy_scored(), 0.3),
    "differences": lambda: figures.differences(GAINS),
    "people_who_chose": lambda: figures.people_who_chose(toy_people()),
    "moved_layers": lambda: figures.moved_layers(TOY_CORRELATIONS),
    "hardest_grid": lambda: figures.hardest_grid(toy_faces(), toy_hardest(), CLASSES),
    "learning_curves": lambda: figures.learning_curves(toy_curves(), 0.25),
    "one_epoch": lambda: figures.learning_curves({"fold 0": (toy_curve(1), 1)}, 0.25),
    "per_class_dots": lambda: figures.per_class_dots(toy_recalls(), 1 / 3),
    "first_layer_filters": lambda: figures.first_layer_filters(toy_weights(), toy_weights() / 2),
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
    assert len(loss.lines) == 4 and any(set(line.get_ydata()) == {0.25} for line in accuracy.lines)


def test_single_networks_are_strokes_below_the_mean_of_their_kind():
    drawn = figures.tested_networks(scored := toy_scored(), 0.3)
    assert drawn.data["accuracy"].tolist() == scored.table["accuracy"].tolist()
    own = drawn.data[drawn.data["condition"].eq(0)]
    assert own["mean"].tolist() == pytest.approx([own["accuracy"].mean()] * 2)
    assert (
        "the networks of this page (2)" in drawn.alt
        and "with biases (1)" in drawn.alt
        and "linear on HOG" in drawn.alt
    )


def test_only_what_was_compared_is_drawn():
    drawn = figures.differences(GAINS)
    assert drawn.data["asked"].tolist() == [1, 3] and drawn.data["value"].tolist() == [12.5, -1.0]


def test_per_class_dots_say_which_interval_includes_the_null():
    drawn = figures.per_class_dots(toy_recalls(), 1 / 3)
    data, alt = drawn.data, drawn.alt
    assert data["null"].tolist() == [1 / 3] * 3
    assert "within the interval of anger." in alt
    assert "Without pictures: fear." in alt and "anger (4) 30.0 % (10.0 to 50.0)" in alt
    assert "within the interval of none." in figures.per_class_dots(toy_recalls(), 0.05).alt
    without = toy_recalls().assign(recall_low=np.nan, recall_high=np.nan)
    assert "No interval could be computed." in figures.per_class_dots(without, 0.05).alt


def test_filters_are_tidy_and_on_a_symmetric_scale():
    weights = np.zeros((5, 1, 5, 5))
    weights[3, 0, 1, 2] = -2.0
    start = np.zeros_like(weights)
    start[3, 0, 1, 2], start[4, 0, 0, 0] = -0.5, 1.0
    drawn = figures.first_layer_filters(weights, start)
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert len(data) == 125
    assert data.query("weight != 0").to_dict("records") == [
        {"filter": 3, "row": 1, "column": 2, "start": -0.5, "weight": -2.0}
    ]
    # Filter 3 of 5 is the first of the second row of the 3-wide grid.
    for axes, shown in zip(figure.axes[:2], (-0.5, -2.0), strict=True):
        assert axes.images[0].get_clim() == (-2.0, 2.0), "one scale for before and after"
        assert axes.images[0].get_array()[6 + 1, 0 + 2] == shown
    assert "the strongest is filter 3 (norm 2.00)" in alt
    assert "Filter 3 has changed most (by a norm of 1.50), filter 0 least (by 0.00)" in alt


def test_the_hardest_pictures_are_named_by_number_in_the_data():
    drawn = figures.hardest_grid(toy_faces(), toy_hardest(), ("neutral", "anger", "happiness"))
    data, alt = drawn.data, drawn.alt
    assert data["true"].tolist() == [0, 0, 1] and data["predicted"].tolist() == [1, 2, 1]
    assert data["mean_grey"].tolist() == [3, 0, 81], "grey tells which picture it is"
    assert "neutral taken for anger (90.0 %)" in alt and "anger, named rightly with 60.0 %" in alt
