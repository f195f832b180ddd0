"""Tables, metrics and the answer of a study, from trainings whose right answers are known."""

import numpy as np
import pandas as pd
import pytest

from book.structure_and_loss import figures
from book.structure_and_loss import study as reports
from book.structure_and_loss.labels import LabelStudy
from book.structure_and_loss.ladder import Ladder, ingredient_ladder
from book.structure_and_loss.reported import reported_table
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import Study
from ferbook.page import style

CLASSES = ("neutral", "anger", "happiness")
N = 300
FP32 = Precision("fp32", False)
COSTS = {"best_epoch": 1, "epochs": 2, "parameters": 1000, "macs": 10_000, "epoch_seconds": 0.5}


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """300 different pictures in each split, one person each."""
    count = 3 * N
    pixels = np.zeros((count, 8, 8), np.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{i}" for i in range(count)],
            "sequence": "",
            "frame": 0,
            "emotion": [CLASSES[i % 3] for i in range(count)],
            "split": np.repeat(["train", "valid", "test"], N),
        }
    )
    return FaceSet("toy", pixels, table)


def network(share: float, shift: int = 0) -> np.ndarray:
    """Probabilities (300, 3), right on the first ``share`` of the pictures as counted from ``shift``."""
    labels = np.arange(N) % 3
    right = (np.arange(N) - shift) % N < round(share * N)
    return np.eye(3, dtype=np.float32)[np.where(right, labels, (labels + 1) % 3)]


def made_study(skill: dict[tuple[str, str], tuple[float, ...]], seeds: int = 2) -> Study:
    rows, given = [], []
    for (structure, loss), shares in skill.items():
        for seed, share in enumerate(shares[:seeds]):
            rows.append(
                {"structure": structure, "loss": loss, "seed": seed, "valid_accuracy": share, **COSTS}
            )
            given.append(network(share, 3 * seed))
    return Study(pd.DataFrame(rows), np.stack(given), FP32)


STRUCTURE_MATTERS = {
    ("zero_bias", "focal"): (0.50, 0.51),
    ("zero_bias", "cross_entropy"): (0.51, 0.50),
    ("residual", "focal"): (0.70, 0.71),
    ("residual", "cross_entropy"): (0.72, 0.71),
}
LOSS_MATTERS = {(loss, structure): share for (structure, loss), share in STRUCTURE_MATTERS.items()}
NOTHING_MATTERS = {pair: (0.60, 0.62) for pair in STRUCTURE_MATTERS}


def scored_study(faces, skill=STRUCTURE_MATTERS, seeds=2):
    return reports.score_study(made_study(skill, seeds), faces, CLASSES, draws=400)


def test_the_table_of_conditions_means_over_seeds(faces):
    table = reports.condition_table(scored_study(faces))
    assert list(table["structure"] + " " + table["loss"])[1] == "zero_bias cross_entropy"
    assert table["accuracy"].iloc[2] == pytest.approx(0.705, abs=0.002)
    assert table["trainings"].eq(2).all()
    assert (table["accuracy_low"] < table["accuracy"]).all()
    assert (table["accuracy"] < table["accuracy_high"]).all()


def test_differences_are_taken_from_cross_entropy_and_from_the_first_structure(faces):
    table = reports.differences(scored_study(faces)).set_index(["factor", "name", "within"])
    assert set(table["reference"]) == {"cross_entropy", "zero_bias"}
    assert table.loc[("structure", "residual", "all"), "difference"] == pytest.approx(20.5, abs=0.2)
    assert table.loc[("loss", "focal", "residual"), "difference"] == pytest.approx(-1.0, abs=0.2)
    assert len(table) == 6


@pytest.mark.parametrize(
    ("skill", "verdict"),
    [
        (STRUCTURE_MATTERS, "Here structure matters more than loss"),
        (LOSS_MATTERS, "Here loss matters more than structure"),
        (NOTHING_MATTERS, "Here this study cannot tell"),
    ],
)
def test_the_answer_follows_the_numbers(faces, skill, verdict):
    metrics = reports.study_metrics(scored_study(faces, skill), faces, CLASSES)
    stored = {name: metric.to_json() for name, metric in metrics.items()}
    assert reports.answer(stored).startswith(verdict)


def test_effects_are_between_what_validation_prefers_and_likes_least(faces):
    study = made_study(STRUCTURE_MATTERS)
    # Validation errs: it prefers the structure that the test split shows to be worse.
    table = study.table.assign(valid_accuracy=1 - study.table["valid_accuracy"])
    scored = reports.score_study(Study(table, study.probabilities, FP32), faces, CLASSES, draws=200)
    metrics = reports.study_metrics(scored, faces, CLASSES)
    assert metrics["structure_effect"].value == pytest.approx(-20.5, abs=0.2)
    assert metrics["test_accuracy"].value == pytest.approx(0.505, abs=0.002)
    stored = {name: metric.to_json() for name, metric in metrics.items()}
    assert reports.answer(stored).startswith("Here this study cannot tell")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("levels", [1, 2])
def test_the_same_metrics_exist_for_every_choice_of_parameters(faces, seeds, levels):
    names = set(reports.study_metrics(scored_study(faces), faces, CLASSES))
    kept = dict(list(STRUCTURE_MATTERS.items())[: levels**2])
    metrics = reports.study_metrics(scored_study(faces, kept, seeds), faces, CLASSES)
    assert set(metrics) == names
    stored = {name: metric.to_json() for name, metric in metrics.items()}
    assert ("cannot say" in reports.answer(stored)) == (levels == 1)
    assert all(
        metric.low <= metric.value <= metric.high for metric in metrics.values() if metric.low is not None
    )
    assert len(reports.summary_names(stored)) == 7
    shown = reports.variance_table(stored)
    assert len(shown) == 4 and figures.variance_bars(shown)[2]


def made_ladder(seeds: int = 2) -> Ladder:
    """Ten rungs, each three hundredths better than the one below; the last two ask the networks below."""
    rungs = ingredient_ladder(Recipe())
    rows, valid = [], []
    for number, rung in enumerate(rungs):
        for seed in range(seeds if rung.networks == 1 else 1):
            about = {"rung": number, "name": rung.name, "trained": number < 8, "seed": seed}
            rows.append(about | {"valid_accuracy": 0.5} | COSTS)
            valid.append(network(0.4 + 0.03 * number, 3 * seed))
    return Ladder(rungs, pd.DataFrame(rows), np.stack(valid), np.stack([network(0.66)]), FP32)


def test_every_rung_has_its_step_and_the_test_split_belongs_to_the_last(faces):
    ladder = made_ladder()
    scored = reports.score_ladder(ladder, faces, CLASSES, draws=300)
    table = reports.ladder_table(ladder, scored)
    assert np.isnan(table["step"].iloc[0])
    np.testing.assert_allclose(table["step"].iloc[1:], 3.0, atol=1e-4)
    np.testing.assert_allclose(table["accuracy"], 0.4 + 0.03 * np.arange(10), atol=1e-6)
    assert table["parameters"].iloc[-1] == 3 * table["parameters"].iloc[-2]
    metrics = reports.ladder_metrics(ladder, scored, faces, CLASSES, draws=300)
    assert metrics["ladder_test_accuracy"].value == pytest.approx(0.66)
    assert metrics["ladder_gain"].value == pytest.approx(27.0)
    stored = {name: metric.to_json() for name, metric in metrics.items()}
    assert "66.0" in reports.ladder_answer(stored, table)
    assert "augmentation" in reports.ladder_answer(stored, table)


def test_two_labellings_are_tested_by_both(faces):
    second = faces.split("test")
    moved = {"neutral": "anger", "anger": "happiness", "happiness": "neutral"}
    other = FaceSet("toy", second.pixels, second.table.assign(emotion=second.table["emotion"].map(moved)))
    table = pd.DataFrame({"learned": ["first", "first", "second", "second"], "seed": [0, 1, 0, 1], **COSTS})
    given = np.stack([network(0.8), network(0.8), network(0.1), network(0.1)])
    study = LabelStudy(table, given, {"first": second, "second": other}, CLASSES)
    shown = reports.label_table(study, draws=200).set_index(["learned", "tested"])["accuracy"]
    # A wrong answer of ``network`` is the next class, which is what the second labelling says.
    assert shown["first", "first"] == pytest.approx(0.8) and shown["first", "second"] == pytest.approx(0.2)
    assert shown["second", "first"] == pytest.approx(0.1) and shown["second", "second"] == pytest.approx(0.9)


def test_the_page_shows_an_estimate_and_its_bounds_in_one_cell():
    table = pd.DataFrame(
        {"rung": [0, 1], "accuracy": [0.5, 0.6], "low": [0.45, np.nan], "high": [0.55, np.nan]}
        | {"step": [np.nan, -1.25], "step_low": [np.nan, -2.0], "step_high": [np.nan, 0.5]}
    )
    shown = reports.for_page(table)
    assert list(shown) == ["accuracy", "step (points)"]
    assert list(shown["accuracy"]) == ["50.0\u00a0% (45.0–55.0)", "60.0\u00a0%"]
    assert shown["step (points)"].iloc[1] == "−1.2 (−2.0 to 0.5)" and shown["step (points)"].isna().iloc[0]


def test_claims_say_how_they_are_known():
    table = reported_table()
    assert table["claimed"].dropna().between(0, 1).all()
    assert table["how sure"].ne("").all()
    assert table.loc[table["who"].str.startswith("Liu"), "claimed"].isna().all()


def test_the_figures_show_the_numbers_of_the_tables(faces):
    scored = scored_study(faces)
    _, data, alt = figures.structure_loss_map(reports.condition_table(scored))
    assert data["accuracy"].max() == pytest.approx(0.715, abs=0.002)
    assert "residual with cross entropy, 71." in alt
    _, data, alt = figures.paired_differences(reports.differences(scored))
    assert len(data) == 6 and "residual +20.5" in alt
    _, data, alt = figures.cost_and_accuracy(reports.cost_table(scored))
    assert list(data["structure"]) == ["zero_bias", "residual"] and "1 k parameters" in alt
    ladder = made_ladder()
    climbed = reports.score_ladder(ladder, faces, CLASSES, draws=200)
    table = reports.ladder_table(ladder, climbed)
    _, data, alt = figures.ladder_steps(climbed.table, table, 1 / 3)
    assert len(data) == len(ladder.table) and "augmentation 43.0 % (+3.0)" in alt


def test_figures_cope_without_intervals(faces):
    scored = scored_study(faces, dict(list(STRUCTURE_MATTERS.items())[:1]), 1)
    bare = reports.condition_table(scored).assign(accuracy_low=np.nan, accuracy_high=np.nan)
    assert "Intervals" not in figures.structure_loss_map(bare)[2]
    with pytest.raises(style.FigureError, match="no rows"):
        figures.paired_differences(reports.differences(scored))
