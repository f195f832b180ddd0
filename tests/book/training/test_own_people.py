"""Kept networks that a run of one's own evaluates on the reader's people."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.populations import find_population
from book.training import own_people, study
from book.training.chapter import EMOTION_NETWORKS, EMOTIONS_FACES, TrainingParameters
from fer_lib.train.controls import hog_responses
from ferbook.estimate import Estimate


def test_the_networks_are_those_that_populations_has():
    population = find_population(EMOTION_NETWORKS)
    assert population.faces == EMOTIONS_FACES
    weights = pd.read_csv(own_people.HOG_WEIGHTS)
    assert list(weights.columns) == population.kept()[0].done()["classes"]
    assert len(weights) == 1 + 9 * (EMOTIONS_FACES.size // 8) ** 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"face_seed": 7, "network": "zhu", "epochs": 3}, ""),
        ({"face_seed": 10}, "learned from the people of face_seed=10"),
        ({"size": 96}, "read lab at 48 pixels"),
        ({"faces": "wild"}, "read lab at 48 pixels"),
        ({"kept_networks": 0, "size": 96}, ""),
    ],
)
def test_a_run_says_before_it_starts_what_it_cannot_answer(given, told):
    parameters = TrainingParameters(**given)
    assert told in parameters.not_asked and bool(parameters.not_asked) == bool(told)
    assert parameters.populations == (() if told or given.get("kept_networks") == 0 else (EMOTION_NETWORKS,))


def test_the_classifier_in_the_file_is_the_one_that_is_fitted(striped_faces):
    three = ("neutral", "anger", "happiness")
    faces = striped_faces.assign(emotion=np.resize(three, len(striped_faces)))
    fitted, responses = study.classifier_on_hog(faces, three), hog_responses(faces)
    weights = own_people.linear_weights(fitted)
    assert (fitted.predict(responses) == (weights[0] + responses @ weights[1:]).argmax(1)).all()
    assert len(set(fitted.predict(responses))) > 1


def test_what_answers_is_of_the_kept_networks_and_the_own_one_stands_beside():
    labels, people = np.zeros(40, int), np.arange(40) // 2
    said = [np.eye(2)[(np.arange(40) >= right).astype(int)] for right in (36, 34, 32, 20)]
    table = pd.DataFrame({"condition": [study.OWN] * 3 + [study.HOG], "seed": [200, 201, 202, 0]})
    kept = study.score_trainings(table, np.stack(said), labels, people, ["condition"], draws=200)
    own = {"ahead_of_hog": Estimate(-3.0, -9.0, 2.0), "valid_rise": Estimate(4.0, why="one network")}
    curve = pd.DataFrame({"train_loss": [1.0, 0.5], "valid_accuracy": [0.5, 0.51]})
    run = SimpleNamespace(members=lambda name: [SimpleNamespace(curve=lambda: curve)] * 4)
    found = own_people.kept_metrics(run, kept, own)
    assert found["ahead_of_hog"].value == pytest.approx(100 * (34 - 20) / 40) and found["networks"].value == 3
    assert "seeds" in found["ahead_of_hog"].how and found["own_ahead_of_hog"] == own["ahead_of_hog"]
    assert found["valid_rise"].value == pytest.approx(1) and found["own_valid_rise"] == own["valid_rise"]
    assert own_people.kept_metrics(run, None, own) == {}
    run = SimpleNamespace(params=TrainingParameters(face_seed=10))
    assert own_people.kept_scores(run, None) is None
