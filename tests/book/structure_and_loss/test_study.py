"""Tables, metrics and the answer of a study, from trainings whose right answers are known."""

import numpy as np
import pandas as pd
import pytest

from book.structure_and_loss import figures
from book.structure_and_loss import study as reports
from book.structure_and_loss.labels import LabelStudy
from book.structure_and_loss.ladder import Ladder, ingredient_ladder
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import Study

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


def scored_study(faces, skill=STRUCTURE_MATTERS, seeds=2):
    return reports.score_study(made_study(skill, seeds), faces, CLASSES, draws=400)


def test_the_table_of_conditions_means_over_seeds(faces):
    table = reports.condition_table(scored_study(faces)).data
    assert list(table["structure"] + " " + table["loss"])[1] == "zero_bias cross_entropy"
    third = table["accuracy"].iloc[2]
    assert third.value == pytest.approx(0.705, abs=0.002) and third.low < third.value < third.high


def test_differences_are_taken_from_cross_entropy_and_from_the_first_structure(faces):
    table = reports.differences(scored_study(faces)).data.set_index(["factor", "name", "within"])
    assert set(table["reference"]) == {"cross_entropy", "zero_bias"}
    found = table["difference"]
    assert found["structure", "residual", "all"].value == pytest.approx(20.5, abs=0.2)
    assert found["loss", "focal", "residual"].value == pytest.approx(-1.0, abs=0.2)
    assert len(table) == 6


def test_effects_are_between_what_validation_prefers_and_likes_least(faces):
    study = made_study(STRUCTURE_MATTERS)
    # Validation errs: it prefers the structure that the test split shows to be worse.
    table = study.table.assign(valid_accuracy=1 - study.table["valid_accuracy"])
    scored = reports.score_study(Study(table, study.probabilities, FP32), faces, CLASSES, draws=200)
    metrics = reports.study_metrics(scored, faces, CLASSES)
    assert metrics["structure_effect"].value == pytest.approx(-20.5, abs=0.2)
    assert metrics["test_accuracy"].value == pytest.approx(0.505, abs=0.002)


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("levels", [1, 2])
def test_the_same_metrics_exist_for_every_choice_of_parameters(faces, seeds, levels):
    names = set(reports.study_metrics(scored_study(faces), faces, CLASSES))
    kept = dict(list(STRUCTURE_MATTERS.items())[: levels**2])
    metrics = reports.study_metrics(scored_study(faces, kept, seeds), faces, CLASSES)
    assert set(metrics) == names
    assert all(
        metric.low <= metric.value <= metric.high for metric in metrics.values() if metric.low is not None
    )
    drawn = figures.variance_dots(metrics)
    assert len(drawn.data) == 4 and drawn.alt


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
    table = reports.ladder_table(ladder, scored).data
    assert table["step"].iloc[0] is None
    np.testing.assert_allclose([step.value for step in table["step"].iloc[1:]], 3.0, atol=1e-4)
    reached = [accuracy.value for accuracy in table["accuracy"]]
    np.testing.assert_allclose(reached, 0.4 + 0.03 * np.arange(10), atol=1e-6)
    metrics = reports.ladder_metrics(ladder, scored, faces, CLASSES, draws=300)
    assert metrics["ladder_test_accuracy"].value == pytest.approx(0.66)
    assert metrics["ladder_gain"].value == pytest.approx(27.0)


def test_two_labellings_are_tested_by_both(faces):
    second = faces.split("test")
    moved = {"neutral": "anger", "anger": "happiness", "happiness": "neutral"}
    other = FaceSet("toy", second.pixels, second.table.assign(emotion=second.table["emotion"].map(moved)))
    table = pd.DataFrame({"learned": ["first", "first", "second", "second"], "seed": [0, 1, 0, 1], **COSTS})
    given = np.stack([network(0.8), network(0.8), network(0.1), network(0.1)])
    study = LabelStudy("zhu", table, given, {"first": second, "second": other}, CLASSES)
    shown = reports.label_table(study, draws=200).data.set_index(["learned", "tested"])["accuracy"]
    # A wrong answer of ``network`` is the next class, which is what the second labelling says.
    expected = {("first", "first"): 0.8, ("first", "second"): 0.2}
    expected |= {("second", "first"): 0.1, ("second", "second"): 0.9}
    assert {pair: found.value for pair, found in shown.items()} == pytest.approx(expected)


def test_the_figures_show_the_numbers_of_the_tables(faces):
    scored = scored_study(faces)
    drawn = figures.structure_loss_map(scored)
    assert drawn.data["accuracy"].max() == pytest.approx(0.715, abs=0.002)
    assert "residual with cross entropy, 71." in drawn.alt
    drawn = figures.paired_differences(reports.differences(scored))
    assert len(drawn.data) == 6 and "residual, mean +20.5" in drawn.alt
    drawn = figures.cost_and_accuracy(scored)
    assert list(drawn.data["structure"]) == ["zero_bias", "residual"] and "1 k parameters" in drawn.alt
    ladder = made_ladder()
    drawn = figures.ladder_steps(ladder, reports.score_ladder(ladder, faces, CLASSES, draws=200), 1 / 3)
    assert len(drawn.data) == len(ladder.table) and "augmentation 43.0 % (+3.0 *)" in drawn.alt


def test_figures_cope_without_intervals(faces):
    alone = scored_study(faces, {pair: (1.0,) for pair in list(STRUCTURE_MATTERS)[:2]}, 1)
    assert "Intervals" not in figures.structure_loss_map(alone).alt
    assert figures.paired_differences(reports.differences(alone)).data["low"].isna().all()
    assert figures.cost_and_accuracy(alone).data["accuracy_low"].isna().all()
    single = scored_study(faces, dict(list(STRUCTURE_MATTERS.items())[:1]), 1)
    assert reports.differences(single) is None
