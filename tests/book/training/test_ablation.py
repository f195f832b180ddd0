"""The eight networks of the ablation: what each is trained with."""

import numpy as np
import pandas as pd
import pytest

from book.training import ablation
from book.training.ablation import ablate
from fer_lib.train.curve import Training
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe


@pytest.fixture
def trained(monkeypatch):
    """What ``train_and_test`` was given, network by network; nothing is trained."""
    given = []

    def record(faces, model, classes, recipe, **settings):
        given.append((model, recipe, settings))
        curve = pd.DataFrame({"epoch": [1], "watched_accuracy": [0.5]})
        return Training(curve, 1, Precision("fp32", channels_last=True)), np.zeros((3, 2))

    monkeypatch.setattr(ablation, "train_and_test", record)
    return given


def test_each_combination_is_trained_once_with_what_its_name_says(faces, classes, trained):
    networks = ablate(faces, classes, Recipe(augment="published"), options={"dropout": 0.3, "gain": 1.0})
    assert [network.name for network in networks] == [
        f"{biases}, {variant}" for biases in ("no biases", "biases") for variant in ("none", "D", "A", "AD")
    ]
    for network, (model, recipe, _) in zip(networks, trained, strict=True):
        assert (model.conv1.bias is not None) == network.biases
        assert model.dropout.p == (0.3 if "D" in network.variant else 0)
        assert recipe.augment == ("published" if "A" in network.variant else "none")


def test_where_the_chapter_goes_without_them_d_and_a_mean_what_the_docstring_says(faces, classes, trained):
    ablate(faces, classes, Recipe(augment="none"), options={"dropout": 0.0})
    assert {model.dropout.p for model, _, _ in trained} == {0, 0.5}
    assert {recipe.augment for _, recipe, _ in trained} == {"none", "light"}


def test_all_start_from_one_seed_and_train_in_the_first_ones_format(faces, classes, trained):
    ablate(faces, classes, Recipe(), options={}, seed=3)
    first = trained[0][0]
    assert all((model.conv1.weight == first.conv1.weight).all() for model, _, _ in trained)
    formats = [settings["precision"] for _, _, settings in trained]
    assert formats == ["auto"] + [Precision("fp32", channels_last=True)] * 7
    assert {settings["seed"] for _, _, settings in trained} == {3}


def test_the_whole_ablation_runs(faces, classes):
    networks = ablate(
        faces, classes, Recipe(epochs=1, batch_size=16), options={"dropout": 0.5}, precision="fp32"
    )
    assert len({network.probabilities.tobytes() for network in networks}) == 8
    assert all("watched_accuracy" in network.training.curve for network in networks)
