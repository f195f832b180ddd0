"""Comparisons of trained networks and baselines, against values worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.training import study
from book.training.chapter import TrainingParameters
from face_sets.faceset import FaceSet
from face_sets.folds import protocol_of
from face_sets.request import FaceRequest
from ferbook.errors import ParameterError
from tests.made import made_faces

CLASSES = ("anger", "fear")


def test_baselines_are_fitted_to_the_training_split(striped_faces, classes):
    answers = study.baseline_predictions([striped_faces], classes)
    labels = striped_faces.split("test").labels(classes)
    assert (answers[study.HOG].argmax(1) == labels).all(), "stripes are gradients"
    assert set(answers[study.MAJORITY].argmax(1)) == {0}, "both classes are equally frequent: the first"


def test_pictures_of_one_person_are_no_independent_observations():
    people = np.arange(400) // 10
    said, labels = (people % 2), np.zeros(400, int)
    found = study.drawn_by_picture(labels, said, people, draws=500)
    # All ten pictures of a person are right or wrong together: sqrt(10) times too narrow.
    assert found.value == pytest.approx(1 / np.sqrt(10), abs=0.06)
    alone = study.drawn_by_picture(labels, said, np.arange(400), draws=500)
    assert alone.value == 1 and study.drawn_by_picture(labels, labels, people, draws=200).value == 1


def test_networks_that_were_trained_on_other_faces_are_refused(striped_faces):
    people = FaceSet("lab", striped_faces.pixels, striped_faces.table.assign(dataset="lab"))
    far = SimpleNamespace(population=SimpleNamespace(faces=FaceRequest("lab", size=96)))
    for other in (FaceRequest("lab", size=48), FaceRequest("lab", size=96, face_seed=2)):
        params = SimpleNamespace(population="far", face_request=other)
        run = SimpleNamespace(params=params, members={"far": [far]}.get, population={"far": ["it"]}.get)
        with pytest.raises(ParameterError, match=f"'far' .* lab 0 96 0, .* {other}"):
            study.evaluate_population(run, people, protocol_of(people))
    run.members = {"far": []}.get
    with pytest.raises(ParameterError, match="populations train"):
        study.evaluate_population(run, people, protocol_of(people))


def test_variants_differ_from_the_population_in_structure_or_augmentation_only(monkeypatch):
    matched = []
    monkeypatch.setattr(study, "require_matched", lambda every, but: matched.append(([*every], but)))
    monkeypatch.setattr(study, "find_population", str)
    params = SimpleNamespace(population="emotions", populations=("emotions", "others"))
    run = SimpleNamespace(params=params, members={"others": ["a member"]}.get)
    assert study.variant_members(run) == ["a member"]
    assert matched == [(["emotions", "others"], ("options", "recipe.augment"))]


def test_of_networks_with_and_without_it_the_fewer_are_counted():
    table = pd.DataFrame({"condition": [study.OWN] * 3 + ["emotions_without_dropout"] * 2})
    found = study.networks_compared(SimpleNamespace(table=table))
    assert {name: each.value for name, each in found.items()} == {"dropout_networks": 2}


def test_gains_of_variants_include_the_extra_people_that_their_networks_answered(monkeypatch):
    people = 40
    who = {"subject": [f"p{k}" for k in range(people)], "sequence": "s", "emotion": "anger"}
    tested, anew = (made_faces(np.zeros((people, 4, 4), np.uint8), "hand", **who) for _ in range(2))

    def answers(right):
        return np.eye(2)[(np.arange(people) >= right).astype(int)]

    def member(name, seed, right, extra):
        population = SimpleNamespace(name=name, fresh="people" if extra else None)
        known = {"answers": lambda: answers(right), "fresh_answers": lambda: answers(extra)}
        return SimpleNamespace(population=population, seed=seed, **known)

    without = "emotions_without_{}".format
    beside = [member(without("dropout"), k, 30, 20) for k in range(2)]
    beside.append(member(without("augmentation"), 0, 30, 0))
    requests = {"face_request": FaceRequest("lab"), "face_requests": ("own", "people")}
    run = SimpleNamespace(params=SimpleNamespace(faces="lab", **requests), device="cpu")
    run.extra_faces = {"lab": SimpleNamespace(labelled=lambda: anew)}.get
    own = SimpleNamespace(seeds=(0, 1), models=("a", "b"), pictures=tested)
    own.probabilities = np.stack([answers(36)] * 2)
    monkeypatch.setattr(study, "predict", lambda model, faces, device: answers(32))
    gains = study.variant_gains(run, own, beside, CLASSES, draws=200, seed=0)
    # (36 + 32) and (30 + 20) of 80 are right.
    accuracies = {name: gains.pop(name).value for name in ("accuracy_of_many", "without_dropout_accuracy")}
    assert accuracies == {"accuracy_of_many": 68 / 80, "without_dropout_accuracy": 50 / 80}
    assert set(gains) == {"dropout_gain", "dropout_networks"}
    assert gains["dropout_gain"].value == pytest.approx(100 * 18 / 80)
    assert gains["dropout_networks"].value == 2, "those without augmentation never answered these people"
    assert "80 clusters" in gains["dropout_gain"].how, "p0 of the extra people is another person"
    run.params.face_requests = ("own",)
    assert study.variant_gains(run, own, beside, CLASSES, draws=200, seed=0) == {}


def test_only_the_population_of_the_claims_has_variants_beside_it():
    emotions = TrainingParameters(faces="lab", population="emotions")
    assert emotions.populations[0] == "emotions" and len(emotions.populations) == 4
    assert TrainingParameters(population="photographs_zero_bias").populations == ("photographs_zero_bias",)
