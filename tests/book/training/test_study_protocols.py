"""Folds and the answers of their networks, worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from book.training import study
from book.training.chapter import TrainingParameters
from book.training.study import HOG, MAJORITY, leaks_of, metrics_of, score_tested
from face_sets.folds import protocol_of
from fer_lib.train.callbacks import Training
from fer_lib.train.device import Precision
from fer_lib.train.study import score_folds
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
def run():
    """Two folds of a run of two epochs."""
    noted = {}
    params = TrainingParameters(network="zhu", size=8, epochs=2, folds=2, seed=7)
    return SimpleNamespace(params=params, device="cpu", precision="fp32", note=noted.update, noted=noted)


def train_on_anger_then_fear(learner, checkpoints):
    """A training whose network always answers anger after the first epoch, fear after the second."""
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.5], "valid_accuracy": [0.25, 0.75]})
    model = learner.model
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    epochs = {1: weights | {"output.bias": torch.tensor([9.0, 0.0])}}
    epochs[2] = weights | {"output.bias": torch.tensor([0.0, 9.0])}
    model.load_state_dict(epochs[2])
    return Training(curve, 2, Precision("fp32", channels_last=False), epochs)


def test_networks_of_folds_answer_together(faces, run, monkeypatch):
    monkeypatch.setattr(study, "fit", train_on_anger_then_fear)
    protocol = protocol_of(faces)
    tested = study.train_folds(run, faces, protocol)
    assert tested.probabilities.argmax(2).tolist() == [[1] * 4] and len(tested.pictures) == 4
    assert (tested.seeds, tested.train_accuracies) == ((7,), (0.5,)), "half of the pictures show fear"
    assert tested.candidates.argmax(2).tolist() == [[0, 0], [1, 1]]
    assert (tested.record.seed, tested.record.fold, tested.record.classes) == (7, 0, protocol.classes)
    assert run.noted["precision"]["name"] == "fp32"
    # Fold 0 is right about both of its pictures, fold 1 answers fear to both.
    answers = np.array([[[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]]])
    tested = replace(tested, probabilities=answers)
    classes, baselines = protocol.classes, {HOG: np.eye(2)[[0, 0, 1, 1]], MAJORITY: np.eye(2)[[0] * 4]}
    scored = score_tested(tested, baselines, (), classes, draws=200)
    result = score_folds(tested.folds, tested.probabilities, classes, draws=200)
    found = metrics_of(tested, scored, result, leaks_of(faces, protocol, 2), 10)
    values = {name: metric.value for name, metric in found.items()}
    assert (values["networks"], values["folds"], values["folds_in_protocol"]) == (2, 2, 10)
    assert (values["training_pictures"], values["tested_copies"]) == (16, 0)
    assert values["parameters"] == parameter_count(tested.models[0]) and values["protocol_accuracy"] == 0.75
    assert (values["test_accuracy"], values["hog_accuracy"], values["majority_accuracy"]) == (0.75, 0.5, 0.5)
    assert values["ahead_of_hog"] == pytest.approx(25) and values["valid_accuracy"] == 0.75
    assert "ahead_of_biased" not in found and "the seeds are not covered" in found["ahead_of_hog"].how
    (first,) = study.answers_by_epoch(run, tested)
    assert first.predicted.tolist() == [[0, 0], [1, 1]] and first.chosen.tolist() == [0, 1], "of its own fold"


def test_leaks_are_those_of_the_folds_that_ran(faces):
    leaks = leaks_of(faces, protocol_of(faces), 4)
    # Person 3 is tested in fold 3 and its copies, of person 4, validate there.
    assert leaks["tested_copies"].tolist() == [0, 0, 0, 2]
    assert "absent_from_train" not in leaks.columns
