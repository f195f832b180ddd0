"""Protocols and folds as tables, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.training.study import fold_metrics, fold_table, leaks_of, protocol_table
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
    curve = pd.DataFrame({"epoch": [1, 2], "valid_accuracy": [0.25, 0.75]})
    trained = Training(curve, 2, Precision("fp32", channels_last=False))
    answers = ([[0.9, 0.1], [0.1, 0.9]], [[0.2, 0.8], [0.1, 0.9]])
    folds = tuple(
        FoldResult(k, fold_faces(faces, protocol, k), trained, np.array(said))
        for k, said in enumerate(answers)
    )
    return CrossValidation(protocol, folds, nn.Identity(), nn.Identity())


def test_each_fold_that_ran_has_its_row(crossed):
    table = fold_table(crossed, crossed.protocol.classes)
    assert table["accuracy"].tolist() == [1, 0.5] and table["valid_accuracy"].tolist() == [0.75, 0.75]
    assert table["people"].tolist() == [1, 1] and table["pictures"].tolist() == [2, 2]
    assert table["majority"].tolist() == [0.5, 0.5] and table["low"].isna().all(), "one person: no interval"


def test_the_protocol_is_told_with_the_folds_that_ran(crossed):
    told = protocol_table(crossed.protocol, 2).data.iloc[:, 0]
    assert told["folds on this page"] == "the first 2 of 10" and told["classes"] == "anger, fear"
    assert "Khorrami" in told["source"]


def test_leaks_are_those_of_the_folds_that_ran(faces, crossed):
    leaks = leaks_of(faces, crossed.protocol, 4)
    # Person 3 is tested in fold 3 and its copies, of person 4, validate there.
    assert leaks["tested_copies"].tolist() == [0, 0, 0, 2]
    assert "absent_from_train" not in leaks.columns
    counts = {name: metric.value for name, metric in fold_metrics(crossed, leaks).items()}
    assert counts == {"folds": 2, "folds_in_protocol": 10, "tested_copies": 2, "training_pictures": 16}
