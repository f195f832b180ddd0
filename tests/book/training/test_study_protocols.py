"""Folds and what their networks say, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from book.training.study import HOG, MAJORITY, leaks_of, metrics_of, of_folds, score_tested
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network
from fer_lib.train.callbacks import Training
from fer_lib.train.device import Precision
from fer_lib.train.lesson import Lesson
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.study import CrossValidation, FoldResult, evaluate
from fer_lib.train.weights import parameter_count
from tests.made import made_faces


@pytest.fixture
def faces():
    """Ten people, each angry in one picture and afraid in another; the pictures of person 3 equal those of
    person 4.
    """
    pixels = np.repeat(np.arange(20, dtype=np.uint8), 64).reshape(20, 8, 8)
    pixels[6:8] = pixels[8:10]
    people = [f"p{i // 2}" for i in range(20)]
    return made_faces(pixels, "lab", subject=people, emotion=["anger", "fear"] * 10, split="train")


@pytest.fixture
def crossed(faces):
    """Fold 0 names both of its pictures rightly, fold 1 says fear of both."""
    protocol = protocol_of(faces)
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.5], "valid_accuracy": [0.25, 0.75]})
    torch.manual_seed(0)
    model = build_network("zhu", 2, 8)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    epochs = {1: weights | {"output.bias": torch.tensor([9.0, 0.0])}}
    epochs[2] = weights | {"output.bias": torch.tensor([0.0, 9.0])}
    trained = Training(curve, 2, Precision("fp32", channels_last=False), epochs)
    answers = ([[0.9, 0.1], [0.1, 0.9]], [[0.2, 0.8], [0.1, 0.9]])
    folds = tuple(
        FoldResult(k, fold_faces(faces, protocol, k), trained, np.array(said))
        for k, said in enumerate(answers)
    )
    return CrossValidation(protocol, folds, model)


@pytest.fixture
def lesson(crossed):
    return Lesson(
        network="zhu",
        options={},
        recipe=TrainingRecipe(),
        precision=crossed.folds[0].training.precision,
        seed=7,
        classes=crossed.protocol.classes,
        fold=0,
        faces=FaceRequest("lab"),
    )


def test_networks_of_folds_answer_together(faces, crossed, lesson):
    tested = of_folds(crossed, lesson)
    (row,) = tested.rows
    assert row[0] == 7 and row[2].shape == (4, 2) and len(tested.pictures) == 4
    assert row[1] == tested.learned[0] and 0 <= row[1] <= 1
    # The first epoch says anger of every picture, the second one fear.
    assert tested.candidates.argmax(2).tolist() == [[0, 0], [1, 1]]
    assert tested.models == (crossed.model,)
    classes, others = crossed.protocol.classes, {HOG: np.eye(2)[[0, 0, 1, 1]], MAJORITY: np.eye(2)[[0] * 4]}
    scored = score_tested(tested, others, (), classes, draws=200)
    result = evaluate(tested.answers, classes, draws=200)
    found = metrics_of(tested, scored, result, leaks_of(faces, crossed.protocol, 2), 10)
    told = {name: metric.value for name, metric in found.items()}
    assert (told["networks"], told["folds"], told["folds_in_protocol"]) == (2, 2, 10)
    assert (told["training_pictures"], told["tested_copies"]) == (16, 0)
    assert told["parameters"] == parameter_count(crossed.model) and told["protocol_accuracy"] == 0.75
    assert (told["test_accuracy"], told["hog_accuracy"], told["majority_accuracy"]) == (0.75, 0.5, 0.5)
    assert told["ahead_of_hog"] == pytest.approx(25) and told["valid_accuracy"] == 0.75
    assert "ahead_of_biased" not in found and "the seeds are not covered" in found["ahead_of_hog"].how


def test_leaks_are_those_of_the_folds_that_ran(faces, crossed):
    leaks = leaks_of(faces, crossed.protocol, 4)
    # Person 3 is tested in fold 3 and its copies, of person 4, validate there.
    assert leaks["tested_copies"].tolist() == [0, 0, 0, 2]
    assert "absent_from_train" not in leaks.columns
