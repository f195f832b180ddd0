"""Tables, metrics and figures of a comparison, from trainings whose accuracies are known."""

from dataclasses import dataclass
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from book.populations import Population
from book.populations import populations as named_populations
from book.structure_and_loss import figures
from book.structure_and_loss import study as reports
from book.structure_and_loss.chapter import CHAPTER, KEPT, LADDER
from face_sets.faceset import FaceSet
from face_sets.splits import at_most
from fer_lib.train.device import Precision
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.study import Study
from ferbook.book import chapters
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from tests.made import made_faces, row_labels

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
    emotions = [CLASSES[i % 3] for i in range(count)]
    split = np.repeat(["train", "valid", "test"], N)
    return made_faces(pixels, subject=[f"s{i}" for i in range(count)], emotion=emotions, split=split)


def network(share: float, shift: int = 0) -> np.ndarray:
    """Probabilities (300, 3), right on the first ``share`` of the pictures as counted from ``shift``."""
    labels = np.arange(N) % 3
    right = (np.arange(N) - shift) % N < round(share * N)
    return np.eye(3, dtype=np.float32)[np.where(right, labels, (labels + 1) % 3)]


def made_study(skill: dict[tuple[str, str], tuple[float, ...]], seeds: int = 2) -> Study:
    rows, given = [], []
    for (structure, loss), shares in skill.items():
        for seed, share in enumerate(shares[:seeds]):
            row = {"structure": structure, "loss": loss, "seed": seed, "valid_accuracy": share}
            rows.append(row | COSTS)
            given.append(network(share, 3 * seed))
    return Study(pd.DataFrame(rows), np.stack(given), FP32)


STRUCTURE_MATTERS = {
    ("zero_bias", "focal"): (0.50, 0.51),
    ("zero_bias", "cross_entropy"): (0.51, 0.50),
    ("residual", "focal"): (0.70, 0.71),
    ("residual", "cross_entropy"): (0.72, 0.71),
}


def compared(faces, skill=STRUCTURE_MATTERS, seeds=2):
    return reports.of_trainings(made_study(skill, seeds), faces, CLASSES, draws=400)


def test_conditions_are_means_over_seeds_and_differences_from_cross_entropy_and_the_first_structure(faces):
    scores = compared(faces).scores
    table = reports.condition_table(scores)
    assert list(table["structure"] + " " + table["loss"])[1] == "zero_bias cross_entropy"
    third = table["accuracy"].iloc[2]
    assert third.value == pytest.approx(0.705, abs=0.002) and third.low < third.value < third.high
    assert table["seeds"].tolist() == [2] * 4
    table = reports.difference_table(scores).data.set_index(["factor", "name"])
    assert table["reference"].tolist() == ["zero_bias", "cross_entropy"]
    assert table["within"].tolist() == ["focal, cross_entropy", "zero_bias, residual"]
    assert table["difference"]["structure", "residual"].value == pytest.approx(20.5, abs=0.2)
    assert table["difference"]["loss", "focal"].value == pytest.approx(-0.5, abs=0.2)


def test_gains_are_what_validation_prefers_against_the_plain_level(faces):
    metrics = reports.comparison_metrics(compared(faces))
    assert metrics["structure_gain"].value == pytest.approx(20.5, abs=0.2)
    accuracies = [metrics[f"structure_{name}"].value for name in ("accuracy", "plain_accuracy")]
    assert 100 * (accuracies[0] - accuracies[1]) == pytest.approx(metrics["structure_gain"].value)
    assert metrics["structure_gain"].low > 0 and "seeds" in metrics["structure_gain"].how
    # Validation prefers cross-entropy to it: then the other is asked all the same.
    assert metrics["loss_gain"].value == pytest.approx(-0.5) and metrics["loss_gain"].low < 0


def test_where_there_is_the_plain_level_only_nothing_is_gained(faces):
    study = made_study({("vgg", "cross_entropy"): (0.4, 0.4)})
    found = reports.comparison_metrics(reports.of_trainings(study, faces, CLASSES, draws=200))
    assert found["loss_gain"].value == 0 and "plain" in found["loss_gain"].why


def test_a_condition_counts_once_however_many_seeds_it_has(faces):
    shares = {("zero_bias", "cross_entropy"): (0.5, 0.5, 0.5), ("zero_bias", "focal"): (0.1,)}
    study = made_study(shares | {("vgg", "cross_entropy"): (0.6,), ("vgg", "focal"): (0.2,)}, seeds=3)
    found = reports.comparison_metrics(reports.of_trainings(study, faces, CLASSES, draws=200))
    assert found["structure_gain"].value == pytest.approx(10, abs=0.2) and found["repeated"].value == 2
    assert found["epochs"].value == 2


def test_validation_chooses_even_where_it_errs(faces):
    vgg = {("vgg", loss): (0.4, 0.4) for loss in ("focal", "cross_entropy")}
    study = made_study(STRUCTURE_MATTERS | vgg)
    table = study.table.assign(valid_accuracy=1 - study.table["valid_accuracy"])
    found = reports.of_trainings(Study(table, study.probabilities, FP32), faces, CLASSES, draws=200)
    metrics = reports.comparison_metrics(found)
    assert metrics["structure_gain"].value == pytest.approx(-10.5, abs=0.2)
    assert metrics["test_accuracy"].value == pytest.approx(0.4, abs=0.002)
    sentence = reports.preference_answer(found.scores)
    assert "vgg with focal" in sentence and "zero bias with cross entropy" in sentence


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("levels", [1, 2])
def test_the_same_metrics_exist_for_every_choice_of_parameters(faces, seeds, levels):
    names = set(reports.comparison_metrics(compared(faces)))
    kept = dict(list(STRUCTURE_MATTERS.items())[: levels**2])
    metrics = reports.comparison_metrics(compared(faces, kept, seeds))
    assert set(metrics) == names
    assert all(each.low <= each.value <= each.high for each in metrics.values() if each.low is not None)


@dataclass
class Stored:
    """A stored network of a population: half of its predictions are right, the same for all."""

    population: Population
    seed: int
    labels: np.ndarray
    folder: str = "here"
    device: str = "CPU"
    best_epoch: int = 1

    def done(self):
        counts = {"train_counts": [5, 20, 10], "valid_accuracy": 0.5, "classes": list(CLASSES)}
        return counts | {"faces": "fer2013", "device": self.device, "best_epoch": self.best_epoch}

    def tested(self):
        return pd.DataFrame({"label": self.labels, "group": range(len(self.labels))})

    def answers(self):
        return np.eye(3, dtype=np.float16)[np.where(np.arange(30) < 15, self.labels, (self.labels + 1) % 3)]

    def answers_by_epoch(self):
        return np.tile(self.answers().argmax(axis=1), (3, 1)).astype(np.uint8)

    def curve(self):
        return pd.DataFrame({"seconds": [1.0, 3.0, 2.0]})


def populations(*losses):
    known = {"about": "", "faces": {"name": "fer2013", "size": 16}, "network": "zhu", "networks": 2}
    recipes = {loss: TrainingRecipe(loss=loss) for loss in losses}
    return [Population(name=loss, recipe=own, core_minutes=1, **known) for loss, own in recipes.items()]


def stored_networks(labels):
    return [Stored(each, seed, labels) for each in populations("focal", "cross_entropy") for seed in (0, 1)]


def test_stored_networks_need_no_faces():
    labels = np.arange(30) % 3
    members = stored_networks(labels)
    found = reports.of_members(members, draws=200)
    assert found.scores.table["loss"].tolist() == ["focal"] * 2 + ["cross_entropy"] * 2
    assert found.scores.table["seed"].tolist() == [0, 1, 0, 1]
    assert found.scores.table["accuracy"].tolist() == [0.5] * 4 and found.majority == pytest.approx(1 / 3)
    assert found.networks == "stored networks"
    assert all(number in found.about for number in ("35 training", "30 test", "4 stored"))
    with pytest.raises(DataError, match=r"there .* here"):
        reports.of_members([*members, Stored(members[0].population, 2, labels[::-1], "there")], draws=200)
    with pytest.raises(DataError, match="no network"):
        reports.of_members([], draws=200)
    longer = TrainingRecipe(loss="cross_entropy", epochs=5)
    other = Stored(members[-1].population.model_copy(update={"name": "longer", "recipe": longer}), 0, labels)
    with pytest.raises(DataError, match=r"population 'longer' has recipe.epochs 5, and 'focal'"):
        reports.of_members([*members, other], draws=200)


def test_networks_are_scored_on_the_unchanged_picture_and_not_on_its_views():
    (plain,), labels = populations("cross_entropy"), np.arange(30) % 3
    viewed = plain.model_copy(update={"test_time": "flip"})
    member = Stored(viewed, 0, labels)
    member.answers_by_epoch = lambda: np.stack([labels, (labels + 1) % 3, labels]).astype(np.uint8)
    for epoch, share in ((1, 1.0), (2, 0.0)):
        member.best_epoch = epoch
        assert reports.of_members([member], draws=100).scores.table["accuracy"].item() == share
    assert reports.of_members([Stored(plain, 0, labels)], draws=100).scores.table["accuracy"].item() == 0.5


@dataclass(frozen=True)
class Step:
    """A network of an ablation: so many of 600 pictures are correct, fewer without mirror images."""

    name: str
    right: int
    mirror: int = 0

    @property
    def population(self):
        return named_populations()[self.name]

    def done(self):
        return {"classes": list(CLASSES)}

    def tested(self):
        return pd.DataFrame({"label": np.arange(2 * N) % 3, "group": np.arange(2 * N)})

    def named(self, right):
        labels = np.arange(2 * N) % 3
        return np.where(np.arange(2 * N) < right, labels, (labels + 1) % 3)

    def answers(self):
        return np.eye(3, dtype=np.float16)[self.named(self.right)]

    def answers_by_epoch(self):
        return np.stack([self.named(0), self.named(self.right - self.mirror)]).astype(np.uint8)


def test_a_part_adds_what_is_lost_without_it():
    steps = [
        *(Step("ladder_whole", 420 + step, mirror=12) for step in (0, 6)),
        *(Step("ladder_without_muon", 360 + step) for step in (0, 6)),
        Step("ladder_without_dropout", 423),
    ]
    table = reports.ladder_table(steps, draws=400)
    rows = table.data.set_index("part")
    assert rows["networks"].to_dict() == {"muon": 2, "dropout": 1, reports.MIRROR_IMAGES: 2}
    worth = rows["worth"]
    assert [round(worth[part].value, 6) for part in rows.index] == [10, 0, 2]
    assert worth["muon"].low > 5 and worth["dropout"].low < 0 < worth["dropout"].high
    assert "pooled, 2 degrees of freedom" in worth["muon"].how
    assert "seeds are not" in worth[reports.MIRROR_IMAGES].how
    assert rows["accuracy"]["muon"].value == pytest.approx(0.605)
    with pytest.raises(DataError, match="'emotions' has faces lab"):
        reports.ladder_table([*steps, Step("emotions", 423)], draws=400)
    drawn = figures.ladder(table)
    assert drawn.data["worth"].tolist() == pytest.approx([10, 0, 2])
    assert "2 of 3" in drawn.caption and "Muon" in drawn.caption and "dropout" not in drawn.caption


def test_every_part_of_the_ladder_has_a_name():
    parts = [name.removeprefix(f"{LADDER[0].removesuffix('whole')}without_") for name in LADDER[1:]]
    assert list(figures.LADDER_PARTS) == [*parts, reports.MIRROR_IMAGES]


def test_stored_networks_are_read_on_the_default_faces_only():
    assert {*KEPT, *LADDER} <= set(named_populations())
    assert CHAPTER.resolve("reference", {}).ladder == LADDER
    assert CHAPTER.resolve("reference", {}).photographs == KEPT == CHAPTER.resolve("laptop", {}).photographs
    for given in ({"faces": "wild"}, {"kept": False}):
        assert CHAPTER.resolve("reference", given).populations == ()


def test_predictions_of_one_loss_are_put_together_for_its_calibration_error(faces):
    found = compared(faces)
    probabilities, labels, groups = found.of_loss("focal")
    assert probabilities.shape == (4 * N, 3) and labels.tolist() == found.labels.tolist() * 4
    assert len(set(groups)) == N
    assert found.right.mean(axis=1) == pytest.approx(found.scores.table["accuracy"])
    # The calibration error of a network that is always certain is its error rate.
    table, errors = reports.confidence_by_loss(found)
    assert list(errors) == ["focal", "cross_entropy"] and table["confidence"].tolist() == [1.0, 1.0]
    assert errors["focal"].value == pytest.approx(1 - (0.50 + 0.51 + 0.70 + 0.71) / 4, abs=0.002)
    assert errors["focal"].low < errors["focal"].value < errors["focal"].high


def test_only_label_smoothing_is_cheapest_short_of_certainty(well_drawn):
    drawn = well_drawn(lambda: figures.loss_curves(8))
    assert drawn.data["cross-entropy"].idxmin() == drawn.data["focal"].idxmin() == len(drawn.data) - 1
    # (1 − .1) + .1 / 8 goes to the truth.
    assert f"{0.9 + 0.1 / 8:.2f}" in drawn.caption
    assert (drawn.data["focal"] <= drawn.data["cross-entropy"]).all()


def test_the_caption_says_of_each_loss_on_which_side_of_the_diagonal_it_lies(well_drawn):
    table = pd.DataFrame({"loss": ["focal", "centre"], "pictures": 10, "confidence": [0.9, 0.6]})
    errors = dict.fromkeys(table["loss"], Estimate(0.1, why="made"))
    given = table.assign(accuracy=[0.8, 0.9]), errors, "stored networks"
    caption = well_drawn(lambda: figures.reliability_curves(*given)).caption
    assert "focal lies below the diagonal (overconfident by 10.0 points)" in caption
    assert "centre lies above the diagonal (underconfident by 30.0 points)" in caption
    assert "Stored networks." in caption


def test_the_figure_shows_accuracies_single_trainings_and_differences(faces, well_drawn):
    found = compared(faces)
    drawn = well_drawn(lambda: figures.differences(found))
    assert drawn.data.groupby("panel").size().to_dict() == {figures.ACCURACY: 4 + 8, figures.DIFFERENCE: 2}
    means = drawn.data[drawn.data["training"].eq("mean")].set_index(["group", "label"])["value"]
    assert means["residual", "cross-entropy"] == pytest.approx(71.5, abs=0.2)
    assert means["residual − zero bias", "with focal and cross-entropy"] == pytest.approx(20.5, abs=0.2)
    assert "1 of 2" in drawn.caption and "8, tested on 300" in drawn.caption


def test_what_belongs_to_one_structure_stands_together(faces):
    apart = [("vgg", "label_smoothing"), ("residual", "label_smoothing"), ("vgg", "cross_entropy")]
    found = compared(faces, dict.fromkeys(apart, (0.6, 0.7)), 2)
    rows = row_labels(figures.differences(found).figure.axes[0])
    assert rows == ["VGG", "label smoothing", "cross-entropy", "residual", "label smoothing"]


def test_figures_cope_without_intervals_and_without_differences(faces):
    alone = compared(faces, {pair: (1.0,) for pair in list(STRUCTURE_MATTERS)[:2]}, 1)
    assert figures.differences(alone).data["low"].isna().all()
    single = compared(faces, dict(list(STRUCTURE_MATTERS.items())[:1]), 1)
    assert reports.difference_table(single.scores) is None
    assert set(figures.differences(single).data["panel"]) == {figures.ACCURACY}


# Losses were compared on the better structure alone.
LOSSES_ON_ONE = {
    ("vgg", "cross_entropy"): (0.60, 0.62),
    ("residual", "cross_entropy"): (0.65, 0.65),
    ("residual", "label_smoothing"): (0.80, 0.80),
    ("residual", "centre"): (0.40, 0.40),
}


def test_a_structure_is_compared_by_the_losses_that_both_have_and_a_loss_where_all_were_trained(faces):
    comparison = compared(faces, LOSSES_ON_ONE)
    metrics = reports.comparison_metrics(comparison)
    assert metrics["structure_gain"].value == pytest.approx(4, abs=0.2), "of cross-entropy alone"
    assert metrics["loss_gain"].value == pytest.approx(15, abs=0.2), "of the residual network alone"
    table = reports.difference_table(comparison.scores).data.set_index(["factor", "name"])
    assert table.loc[("structure", "residual"), "difference"].value == pytest.approx(4, abs=0.2)
    assert table.loc[("loss", "centre"), "difference"].value == pytest.approx(-25, abs=0.2)
    assert len(table) == 3 and table["within"].tolist()[0] == "cross_entropy"
    assert reports.preferred(comparison.scores, "structure") == ("residual",)
    errors = reports.confidence_by_loss(comparison)[1]
    assert errors["cross_entropy"].value == pytest.approx(1 - 0.65, abs=0.002), "of the residual network"


def test_what_shares_no_loss_is_not_compared(faces):
    skill = {("vgg", "cross_entropy"): (0.6,), ("residual", "centre"): (0.7,)}
    found = reports.comparison_metrics(compared(faces, skill, seeds=1))["structure_gain"]
    assert (found.value, found.low, found.why) == (0, None, "nothing else was trained with both")


def test_where_networks_are_stored_the_page_trains_none(faces):
    """Its cells from the faces to the comparison, executed with stored networks and without what trains."""
    members = stored_networks(np.arange(30) % 3)
    run = SimpleNamespace(faces=lambda: faces, members=lambda name: members, note=dict)
    parameters = SimpleNamespace(bootstrap=100, seed=0, most=0, photographs=["focal"])
    names = {"run": run, "p": parameters, "study": reports, "at_most": at_most, "run_study": None}
    cells = nbformat.read(chapters()["structure_and_loss"].notebook, as_version=4).cells
    places = [cell.id for cell in cells]
    for cell in cells[places.index("structure-06") : places.index("structure-08")]:
        exec(cell.source, names)
    assert names["comparison"].networks == "stored networks"
