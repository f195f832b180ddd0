"""Stored networks that a run evaluates on its own people."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.populations import find_population
from book.training import own_people, study
from book.training.chapter import EMOTION_NETWORKS, EMOTIONS_FACES, TrainingParameters
from fer_lib.train.controls import hog_responses


def test_the_networks_are_those_of_the_population():
    population = find_population(EMOTION_NETWORKS)
    assert population.faces == EMOTIONS_FACES
    weights = pd.read_csv(own_people.HOG_WEIGHTS)
    assert list(weights.columns) == population.kept()[0].done()["classes"]
    assert len(weights) == 1 + 9 * (EMOTIONS_FACES.size // 8) ** 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"face_seed": 7, "network": "zhu", "epochs": 3}, ""),
        ({"face_seed": 10}, "face_seed=10"),
        ({"size": 96}, "48 pixels"),
        ({"faces": "wild"}, "lab"),
        ({"stored_networks": 0, "size": 96}, ""),
    ],
)
def test_a_run_says_before_it_starts_what_it_cannot_answer(given, reason):
    parameters = TrainingParameters(**given)
    assert reason in parameters.skip_reason and bool(parameters.skip_reason) == bool(reason)
    none = reason or given.get("stored_networks") == 0
    assert parameters.populations == (() if none else (EMOTION_NETWORKS,))


def test_the_classifier_in_the_file_is_the_one_that_is_fitted(striped_faces):
    three = ("neutral", "anger", "happiness")
    faces = striped_faces.assign(emotion=np.resize(three, len(striped_faces)))
    fitted, responses = study.classifier_on_hog(faces, three), hog_responses(faces)
    weights = own_people.linear_weights(fitted)
    assert (fitted.predict(responses) == (weights[0] + responses @ weights[1:]).argmax(1)).all()
    assert len(set(fitted.predict(responses))) > 1


def test_metrics_of_stored_networks_are_told_from_those_of_the_run_by_their_names():
    labels, people = np.zeros(40, int), np.arange(40) // 2
    answers = [np.eye(2)[(np.arange(40) >= right).astype(int)] for right in (36, 34, 32, 20, 10)]
    conditions = [study.OWN] * 3 + [study.HOG, study.MAJORITY]
    table = pd.DataFrame({"condition": conditions, "seed": [200, 201, 202, 0, 0]})
    stored = study.score_trainings(table, np.stack(answers), labels, people, ["condition"], draws=200)
    curve = pd.DataFrame({"train_loss": [1.0, 0.5], "valid_accuracy": [0.5, 0.51]})
    run = SimpleNamespace(members=lambda name: [SimpleNamespace(curve=lambda: curve)] * 4)
    found = {name: each.value for name, each in own_people.stored_metrics(run, stored).items()}
    right = {"stored_test_accuracy": 34, "stored_hog_accuracy": 20, "stored_majority_accuracy": 10}
    expected = {name: count / 40 for name, count in right.items()}
    expected |= {
        "stored_ahead_of_hog": 100 * (34 - 20) / 40,
        "stored_ahead_of_majority": 100 * (34 - 10) / 40,
    }
    assert found == pytest.approx(expected | {"stored_valid_rise": 1, "stored_networks": 3})
    assert own_people.stored_metrics(run, None) == {}
    run = SimpleNamespace(params=TrainingParameters(face_seed=10))
    assert own_people.stored_scores(run, None) is None
