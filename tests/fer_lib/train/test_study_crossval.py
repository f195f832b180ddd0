"""Networks trained fold by fold, on tiny pictures."""

import ctypes
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import protocol_of
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.study import cross_validate
from ferbook.errors import DataError

ONE_EPOCH = TrainingRecipe(epochs=2, batch_size=8, augment="none")


@pytest.fixture(scope="module")
def people(striped_faces):
    """The striped pictures as if they came from the laboratory: 30 people, so ten folds of three."""
    return FaceSet(striped_faces.name, striped_faces.pixels, striped_faces.table.assign(dataset="lab"))


@pytest.fixture(scope="module")
def crossed(people):
    return cross_validate(people, protocol_of(people), "zero_bias", ONE_EPOCH, folds=2, precision="fp32")


def test_every_fold_has_its_own_people_network_and_answers(people, crossed):
    protocol = protocol_of(people)
    assert [fold.number for fold in crossed.folds] == [0, 1]
    for fold in crossed.folds:
        wanted = people.select(protocol.folds[fold.number].test).table["subject"].tolist()
        assert fold.faces.split("test").table["subject"].tolist() == wanted
        assert fold.probabilities.shape == (len(wanted), 2)
        assert list(fold.training.curve["epoch"]) == [1, 2]
    assert [
        (faces is fold.faces, answers is fold.probabilities)
        for (faces, answers), fold in zip(crossed.answers, crossed.folds, strict=True)
    ] == [(True, True)] * 2
    assert not np.array_equal(crossed.folds[0].probabilities, crossed.folds[1].probabilities)


def test_the_network_that_is_kept_is_the_first_folds(crossed):
    first = crossed.folds[0]
    assert np.array_equal(predict(crossed.model, first.faces.split("test")), first.probabilities)


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library: it keeps nothing")
def test_what_training_kept_of_memory_is_given_back(people):
    cross_validate(people, protocol_of(people), "zero_bias", ONE_EPOCH, folds=1, precision="fp32")
    before = resident()
    blocks = [np.full(64 * 2**20, 1, np.uint8) for _ in range(4)]
    assert resident() - before > 200 * 2**20
    del blocks
    # Not all of it: a block may have gone into a hole that earlier tests of this process left.
    assert resident() - before < 128 * 2**20


def test_equal_seeds_give_equal_answers_and_other_seeds_others(people, crossed):
    settings = {"folds": 1, "precision": "fp32"}
    same, other = (
        cross_validate(people, protocol_of(people), "zero_bias", ONE_EPOCH, seed=seed, **settings)
        for seed in (0, 1)
    )
    assert np.array_equal(same.folds[0].probabilities, crossed.folds[0].probabilities)
    assert not np.array_equal(other.folds[0].probabilities, crossed.folds[0].probabilities)


@pytest.mark.parametrize("asked", [0, 5])
def test_no_number_or_too_large_a_one_takes_every_fold(people, asked):
    official = FaceSet(people.name, people.pixels, people.table.assign(dataset="wild"))
    protocol = protocol_of(official)
    found = cross_validate(official, protocol, "zero_bias", ONE_EPOCH, folds=asked, precision="fp32")
    assert len(protocol.folds) == len(found.folds) == 1


def test_options_reach_the_network(people):
    found = cross_validate(
        people,
        protocol_of(people),
        "zero_bias",
        ONE_EPOCH,
        folds=1,
        options={"bias": True, "dropout": 0.25},
        precision="fp32",
    )
    assert found.model.conv1.bias is not None and found.model.dropout.p == 0.25


def test_a_fold_that_cannot_be_learned_is_told_before_the_first_is_trained(people, monkeypatch):
    protocol = protocol_of(people)
    happy = people.labels(protocol.classes) == 1
    second = protocol.folds[1]
    sad = replace(
        protocol, folds=(protocol.folds[0], replace(second, train=second.train[~happy[second.train]]))
    )
    monkeypatch.setattr("fer_lib.train.study.train", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(DataError, match="fold 1"):
        cross_validate(people, sad, "zero_bias", ONE_EPOCH)
