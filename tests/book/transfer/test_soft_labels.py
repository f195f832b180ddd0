"""Votes against their majority: what is learned, and what is told of networks that are sure and of ones that
are as sure as they are right.
"""

import numpy as np
import pandas as pd
import pytest

from book.transfer import figures, soft_labels
from book.transfer.soft_labels import SoftLabels, learn_soft_labels
from fer_lib.faces.faceset import FaceSet
from fer_lib.train import study as train_study
from fer_lib.train.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=15, lr=0.01)
SILENT = [3, 20, 35, 59]


@pytest.fixture
def crowd(faces):
    """Seven or eight of ten votes for the emotion, the others for the rest; four pictures got votes for fear
    only.
    """
    happy = np.where(faces.table["emotion"].eq("happiness"), 7 + np.arange(60) % 2, 2)
    votes = {"vote_happiness": happy, "vote_neutral": 10 - happy, "vote_fear": np.zeros(60, int)}
    table = faces.table.assign(**votes)
    table.loc[SILENT, ["vote_happiness", "vote_neutral", "vote_fear"]] = [0, 0, 10]
    return FaceSet("crowd", faces.pixels, table)


def test_both_labels_are_learned_from_every_seed(crowd, classes, monkeypatch):
    seen = []
    train_structure = train_study.train_structure

    def noted(faces, classes, structure, recipe, seed, **settings):
        seen.append((recipe.loss, seed, len(faces)))
        return train_structure(faces, classes, structure, recipe, seed, **settings)

    monkeypatch.setattr(train_study, "train_structure", noted)
    study = learn_soft_labels(crowd, classes, "zhu", RECIPE, (0, 1), precision="fp32")
    assert seen == [(loss, seed, 56) for loss in ("cross_entropy", "votes") for seed in (0, 1)]
    assert list(study.table["learned"]) == ["majority", "majority", "votes", "votes"]
    assert list(study.table["seed"]) == [0, 1, 0, 1] and "valid_accuracy" in study.table
    assert study.probabilities.shape == (4, 13, 2) and study.classes == classes
    assert np.abs(study.probabilities[0] - study.probabilities[2]).max() > 0


def test_the_shares_are_those_of_the_test_pictures(crowd, classes):
    study = learn_soft_labels(crowd, classes, "zhu", RECIPE, (0,), precision="fp32")
    assert len(study.test) == len(study.shares) == 13 and set(study.test.table["split"]) == {"test"}
    votes = study.test.table[["vote_neutral", "vote_happiness"]].to_numpy()
    np.testing.assert_allclose(study.shares, votes / 10)
    right = study.shares.argmax(axis=1) == study.test.labels(classes)
    assert right.all()


CLASSES = ("anger", "happiness")


@pytest.fixture(scope="module")
def voted(blank) -> FaceSet:
    """200 pictures; eight of ten votes are for the emotion."""
    happy = np.arange(200) % 2
    emotions = [CLASSES[number] for number in happy]
    return blank(emotions, "game", vote_anger=np.where(happy, 2, 8), vote_happiness=np.where(happy, 8, 2))


@pytest.fixture(scope="module")
def study(voted) -> SoftLabels:
    """Both are right in four of five pictures; the one says 99 %, the other 80 %."""
    labels = voted.labels(CLASSES)
    said = np.where(np.arange(200) % 10 < 8, labels, 1 - labels)
    given = [np.where(np.eye(2)[said] > 0, sure, 1 - sure) for sure in (0.99, 0.8)]
    table = pd.DataFrame({"learned": ["majority", "votes"], "seed": 0})
    shares = np.where(np.eye(2)[labels] > 0, 0.8, 0.2).astype(np.float32)
    probabilities = np.stack(given).astype(np.float32)
    return SoftLabels(table, probabilities, voted, shares, CLASSES)


def test_every_named_measure_is_there_for_both_and_as_a_difference(study):
    metrics = soft_labels.soft_label_metrics(study, draws=200)
    for measure in soft_labels.MEASURE_NAMES:
        assert {f"majority_{measure}", f"votes_{measure}", f"votes_{measure}_difference"} <= set(metrics)
    assert metrics["majority_calibration_error"].value == pytest.approx(0.19)
    assert metrics["votes_calibration_error"].value == pytest.approx(0, abs=1e-6)
    assert metrics["votes_accuracy_difference"].value == 0
    table = soft_labels.soft_label_table(metrics).data.set_index("measure")
    assert table.loc["named as the majority does", "from the votes"].value == pytest.approx(0.8)
    error = table.loc["calibration error, bins of equal width", "difference"]
    assert error.value == pytest.approx(-0.19) and error.high < 0
    brier = table.loc["Brier score against the votes"]
    # Right: 2 (0.99 - 0.8)²; wrong: 2 (0.99 - 0.2)². From votes 0 and 2 (0.8 - 0.2)².
    assert brier["from the majority"].value == pytest.approx(0.8 * 0.0722 + 0.2 * 1.2482, abs=0.001)
    assert brier["from the votes"].value == pytest.approx(0.2 * 0.72, abs=0.001)


def test_reliability_leaves_empty_bins_out(study):
    table = soft_labels.reliability(study, draws=100)
    assert table["learned"].tolist() == ["majority", "votes"]
    assert table["confidence"].tolist() == pytest.approx([0.99, 0.8])
    assert table["accuracy"].tolist() == pytest.approx([0.8, 0.8])
    drawn = figures.reliability_diagram(study, draws=100)
    assert len(drawn.data) == 2
    assert "from the majority, the mean confidence is 99.0 % and 80.0 % are right" in drawn.alt


def test_the_first_set_with_votes_is_found_and_its_classes(voted):
    bare = FaceSet("bare", voted.pixels, voted.table.drop(columns=["vote_anger", "vote_happiness"]))
    assert soft_labels.with_votes({"bare": bare}) is None
    assert soft_labels.with_votes({"bare": bare, "game": voted}) is voted
    assert soft_labels.voted_classes(voted) == CLASSES
    other = voted.assign(emotion=[*voted.table["emotion"][1:], "anger"])
    assert soft_labels.with_votes({"relabelled": other, "game": voted}) is voted, "not the majority's labels"
    partly = FaceSet("game", voted.pixels, voted.table.drop(columns="vote_anger"))
    assert soft_labels.voted_classes(partly) == ("happiness",)
