"""Protocols and folds as tables, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.training.study import (
    HOG,
    MAJORITY,
    leaks_of,
    metrics_of,
    of_folds,
    protocol_table,
    score,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.train.crossval import CrossValidation, FoldResult
from fer_lib.train.curve import Training
from fer_lib.train.precision import Precision


@pytest.fixture
def faces():
    """Ten people, each angry in one picture and afraid in another; the pictures of person 3 equal those of
    person 4.
    """
    pixels = np.repeat(np.arange(20, dtype=np.uint8), 16).reshape(20, 4, 4)
    pixels[6:8] = pixels[8:10]
    table = pd.DataFrame({"subject": [f"p{i // 2}" for i in range(20)], "emotion": ["anger", "fear"] * 10})
    table = table.assign(dataset="lab", sequence="", frame=0, split="train")
    return FaceSet("ten", pixels, table)


@pytest.fixture
def crossed(faces):
    """Fold 0 names both of its pictures rightly, fold 1 says fear of both."""
    protocol = protocol_of(faces)
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.5], "valid_accuracy": [0.25, 0.75]})
    trained = Training(curve, 2, Precision("fp32", channels_last=False))
    answers = ([[0.9, 0.1], [0.1, 0.9]], [[0.2, 0.8], [0.1, 0.9]])
    folds = tuple(
        FoldResult(k, fold_faces(faces, protocol, k), trained, np.array(said))
        for k, said in enumerate(answers)
    )
    return CrossValidation(protocol, folds, nn.Identity(), nn.Identity())


def test_networks_of_folds_answer_together(faces, crossed):
    tested = of_folds(crossed, 7)
    (row,) = tested.rows
    assert row[0] == 7 and row[1].shape == (4, 2) and len(tested.pictures) == 4
    classes, others = crossed.protocol.classes, {HOG: np.eye(2)[[0, 0, 1, 1]], MAJORITY: np.eye(2)[[0] * 4]}
    scored = score(tested, others, (), classes, draws=200)
    found = metrics_of(tested, scored, nn.Linear(3, 2), leaks_of(faces, crossed.protocol, 2), 10)
    told = {name: metric.value for name, metric in found.items()}
    assert (told["networks"], told["folds"], told["folds_in_protocol"]) == (2, 2, 10)
    assert (told["training_pictures"], told["tested_copies"], told["parameters"]) == (16, 0, 8)
    assert (told["test_accuracy"], told["hog_accuracy"], told["majority_accuracy"]) == (0.75, 0.5, 0.5)
    assert told["ahead_of_hog"] == pytest.approx(25) and told["valid_accuracy"] == 0.75
    assert "ahead_of_biased" not in found and "the seeds are not covered" in found["ahead_of_hog"].how


def test_the_protocol_is_told_with_the_folds_that_ran(crossed):
    told = protocol_table(crossed.protocol, 2).data.iloc[:, 0]
    assert told["folds on this page"] == "the first 2 of 10" and told["classes"] == "anger, fear"
    assert "Khorrami" in told["source"]


def test_leaks_are_those_of_the_folds_that_ran(faces, crossed):
    leaks = leaks_of(faces, crossed.protocol, 4)
    # Person 3 is tested in fold 3 and its copies, of person 4, validate there.
    assert leaks["tested_copies"].tolist() == [0, 0, 0, 2]
    assert "absent_from_train" not in leaks.columns
