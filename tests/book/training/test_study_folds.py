"""Networks trained fold by fold, on tiny pictures."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from book.training import study
from book.training.chapter import TrainingParameters
from face_sets.faceset import FaceSet
from face_sets.folds import protocol_of
from fer_lib.train.predict import predict
from ferbook.errors import DataError


def train_folds(faces, protocol=None, **given):
    """``study.train_folds`` with these parameters on a CPU."""
    params = TrainingParameters(**{"epochs": 2, "batch_size": 8, "augment": "none", **given})
    run = SimpleNamespace(params=params, device="cpu", precision="fp32", note=lambda **_: None)
    return study.train_folds(run, faces, protocol or protocol_of(faces))


@pytest.fixture(scope="module")
def people(striped_faces):
    """The striped pictures as if they came from the laboratory: 30 people, so ten folds of three."""
    return FaceSet(striped_faces.name, striped_faces.pixels, striped_faces.table.assign(dataset="lab"))


@pytest.fixture(scope="module")
def crossed(people):
    return train_folds(people, folds=2)


def test_every_fold_has_its_own_people_network_and_answers(people, crossed):
    protocol = protocol_of(people)
    assert list(crossed.curves) == ["fold 0", "fold 1"]
    tests = [people.select(protocol.folds[number].test).table["subject"].tolist() for number in (0, 1)]
    assert [fold.split("test").table["subject"].tolist() for fold in crossed.folds] == tests
    assert all(list(curve["epoch"]) == [1, 2] for curve, _ in crossed.curves.values())
    assert crossed.probabilities.shape == (1, len(tests[0]) + len(tests[1]), 2)
    assert crossed.pictures.table["subject"].tolist() == [*tests[0], *tests[1]]
    second = predict(crossed.models[0], crossed.folds[1].split("test"))
    assert not np.array_equal(crossed.probabilities[0, len(tests[0]) :], second), "by a network of its own"


def test_the_stored_network_is_that_of_the_first_fold_and_its_seed_decides_it(people, crossed):
    (model,), first = crossed.models, crossed.folds[0].split("test")
    answers = crossed.probabilities[0, : len(first)]
    assert np.array_equal(predict(model, first), answers)
    same, other = (train_folds(people, folds=1, seed=seed).probabilities[0] for seed in (0, 1))
    assert np.array_equal(same, answers) and not np.array_equal(other, answers)


@pytest.mark.parametrize("folds", [0, 5])
def test_no_number_or_too_large_a_one_takes_every_fold(people, folds):
    official = FaceSet(people.name, people.pixels, people.table.assign(dataset="wild"))
    found = train_folds(official, folds=folds, bias=True, dropout=0.25)
    assert len(protocol_of(official).folds) == len(found.folds) == len(found.curves) == 1
    assert found.models[0].conv1.bias is not None and found.models[0].dropout.p == 0.25, "its options"


def test_a_fold_that_cannot_be_trained_is_refused_before_the_first_is(people, monkeypatch):
    protocol = protocol_of(people)
    first, second = protocol.folds[:2]
    sad = second.train[people.labels(protocol.classes)[second.train] != 1]
    sad = replace(protocol, folds=(first, replace(second, train=sad)))
    monkeypatch.setattr(study, "fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(DataError, match="fold 1"):
        train_folds(people, sad, folds=0)
