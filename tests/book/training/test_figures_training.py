"""The figures of the training show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from book.training import figures
from fer_lib.faces.faceset import FaceSet
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


def toy_folds(folds: int = 2) -> tuple[pd.DataFrame, Estimate]:
    table = pd.DataFrame({"fold": range(folds), "pictures": 10, "accuracy": 0.7, "majority": 0.2})
    bounds = {"low": [np.nan] + [0.6] * (folds - 1), "high": [np.nan] + [0.8] * (folds - 1)}
    return table.assign(**bounds), Estimate(0.7, 0.5, 0.9, 10 * folds, unit="share")


def toy_ablation() -> tuple[pd.DataFrame, dict[str, Estimate]]:
    rows = [
        {"biases": biases, "variant": variant, "accuracy": 0.5 + 0.1 * k, "low": 0.4, "high": np.nan}
        for biases in (False, True)
        for k, variant in enumerate(("none", "D", "A", "AD"))
    ]
    effect = Estimate(0.02, -0.01, 0.05, 100, unit="share")
    return pd.DataFrame(rows), {"no_biases_effect": effect, "dropout_effect": Estimate(-0.1)}


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
    "fold_accuracies": lambda: figures.fold_accuracies(*toy_folds()),
    "many_folds": lambda: figures.fold_accuracies(*toy_folds(26)),
    "ablation_effects": lambda: figures.ablation_effects(*toy_ablation()),
    "hardest_grid": lambda: figures.hardest_grid(toy_faces(), toy_hardest(), CLASSES),
    "learning_curve": lambda: figures.learning_curve(toy_curve(), 4, 0.25),
    "per_class_dots": lambda: figures.per_class_dots(toy_recalls(), 1 / 3),
    "first_layer_filters": lambda: figures.first_layer_filters(toy_weights(), toy_weights() / 2),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_drawn_can_be_stored(name, well_drawn):
    well_drawn(DRAWINGS[name])


def test_learning_curve_marks_the_chosen_epoch():
    drawn = figures.learning_curve(toy_curve(), 3, 0.25)
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert data.loc[data["best"], "epoch"].tolist() == [3]
    assert "marks epoch 3, the one chosen, with 83.3 %" in alt
    assert "from 2.00 to 0.50" in alt
    assert data["null"].tolist() == [0.25] * 4 and "majority-class baseline, at 25.0 %" in alt
    assert any(set(line.get_ydata()) == {0.25} for line in figure.axes[1].lines), "the null is drawn"


def test_learning_curve_of_one_epoch():
    assert "over 1 epoch" in figures.learning_curve(toy_curve(1), 1, 0.25).alt


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


def test_the_pooled_accuracy_stands_below_the_folds():
    folds, pooled = toy_folds()
    drawn = figures.fold_accuracies(folds, pooled)
    data, alt = drawn.data, drawn.alt
    assert data["fold"].tolist() == [0, 1, -1] and data["accuracy"].tolist() == [0.7] * 3
    assert "all of them 70.0 % (50.0 to 90.0)" in alt


def test_the_ablation_shows_networks_and_changes():
    table, effects = toy_ablation()
    drawn = figures.ablation_effects(table, effects)
    data, alt = drawn.data, drawn.alt
    assert data["panel"].tolist() == [1] * 8 + [2] * 2 and "no biases, the change +2.0 (−1.0 to +5.0)" in alt


def test_the_hardest_pictures_are_named_by_number_in_the_data():
    drawn = figures.hardest_grid(toy_faces(), toy_hardest(), ("neutral", "anger", "happiness"))
    data, alt = drawn.data, drawn.alt
    assert data["true"].tolist() == [0, 0, 1] and data["predicted"].tolist() == [1, 2, 1]
    assert data["mean_grey"].tolist() == [3, 0, 81], "grey tells which picture it is"
    assert "neutral taken for anger (90.0 %)" in alt and "anger, named rightly with 60.0 %" in alt
