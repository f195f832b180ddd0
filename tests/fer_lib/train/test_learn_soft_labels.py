"""One network learns what most of a crowd said, another how the crowd divided."""

import numpy as np
import pytest

from book.transfer.soft_labels import learn_soft_labels
from fer_lib.faces.faceset import FaceSet
from fer_lib.train import study as study_module
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, ParameterError

RECIPE = Recipe(epochs=1, batch_size=15, lr=0.01)
SILENT = [3, 20, 35, 59]


@pytest.fixture
def crowd(faces):
    """Seven or eight of ten votes for the emotion, the others for the rest; four pictures got votes for fear
    only.
    """
    happy = np.where(faces.table["emotion"].eq("happiness"), 7 + np.arange(60) % 2, 2)
    votes = {"vote_happiness": happy, "vote_neutral": 10 - happy, "vote_fear": np.zeros(60, int)}
    table = faces.table.assign(**votes)
    table.loc[SILENT, ["vote_happiness", "vote_neutral", "vote_fear"]] = [0, 0, 10]
    return FaceSet("crowd", faces.pixels, table)


def test_both_labels_are_learned_from_every_seed(crowd, classes, monkeypatch):
    seen = []
    train_structure = study_module.train_structure

    def noted(faces, classes, structure, recipe, seed, **settings):
        seen.append((recipe.loss, seed, len(faces)))
        return train_structure(faces, classes, structure, recipe, seed, **settings)

    monkeypatch.setattr(study_module, "train_structure", noted)
    study = learn_soft_labels(crowd, classes, "zhu", RECIPE, (0, 1), precision="fp32")
    assert seen == [(loss, seed, 56) for loss in ("cross_entropy", "votes") for seed in (0, 1)]
    assert list(study.table["learned"]) == ["majority", "majority", "votes", "votes"]
    assert list(study.table["seed"]) == [0, 1, 0, 1] and "valid_accuracy" in study.table
    assert study.probabilities.shape == (4, 13, 2) and study.classes == classes
    assert np.abs(study.probabilities[0] - study.probabilities[2]).max() > 0


def test_the_shares_are_those_of_the_test_pictures(crowd, classes):
    study = learn_soft_labels(crowd, classes, "zhu", RECIPE, (0,), precision="fp32")
    assert study.without_votes == 4
    assert len(study.test) == len(study.shares) == 13 and set(study.test.table["split"]) == {"test"}
    votes = study.test.table[["vote_neutral", "vote_happiness"]].to_numpy()
    np.testing.assert_allclose(study.shares, votes / 10)
    right = study.shares.argmax(axis=1) == study.test.labels(classes)
    assert right.all()


def test_a_set_without_votes_is_refused(faces, crowd, classes):
    with pytest.raises(ParameterError, match="'stripes' has none"):
        learn_soft_labels(faces, classes, "zhu", RECIPE, (0,))
    lacking = FaceSet("crowd", crowd.pixels, crowd.table.drop(columns="vote_neutral"))
    with pytest.raises(DataError, match="has votes, but no column vote_neutral"):
        learn_soft_labels(lacking, classes, "zhu", RECIPE, (0,))
