"""A study: every structure with every loss from every seed, trained alike, judged on pictures that choose
nothing.
"""

import numpy as np
import pytest
import torch

from face_sets.faceset import FaceSet
from fer_lib.train import study as module
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.study import run_study, seeds_from
from ferbook.errors import ParameterError

RECIPE = TrainingRecipe(epochs=1, batch_size=15, lr=0.01, loss="focal", augment="none")


def small_study(faces, classes, **changes):
    settings = {"structures": ("zhu", "residual"), "losses": ("cross_entropy", "focal"), "seeds": (3, 4)}
    return run_study(faces, classes, recipe=RECIPE, precision="fp32", **settings | changes)


@pytest.fixture(autouse=True)
def narrow_networks(monkeypatch):
    build = module.build_network

    def narrow(name, *arguments, **options):
        return build(name, *arguments, **options | ({"widths": (4, 4, 4)} if name == "residual" else {}))

    monkeypatch.setattr(module, "build_network", narrow)


def test_every_structure_meets_every_loss_from_every_seed(faces, classes):
    study = small_study(faces, classes)
    rows = list(study.table[["structure", "loss", "seed"]].itertuples(index=False, name=None))
    assert len(set(rows)) == len(rows) == 8
    assert rows[:3] == [("zhu", "cross_entropy", 3), ("zhu", "cross_entropy", 4), ("zhu", "focal", 3)]
    assert study.probabilities.shape == (8, 14, 2) and study.probabilities.dtype == np.float32
    np.testing.assert_allclose(study.probabilities.sum(axis=2), 1, rtol=1e-5)
    assert study.table["epochs"].eq(1).all() and study.table["best_epoch"].eq(1).all()
    assert study.table.groupby("structure")[["parameters", "macs"]].nunique().eq(1).all(axis=None)


def test_losses_of_one_seed_start_from_the_same_network_and_other_seeds_do_not(faces, classes, monkeypatch):
    starts = {}

    def noted(faces, model, classes, recipe, *, seed, **settings):
        starts[recipe.loss, seed] = model.output.weight.detach().clone()
        return build(faces, model, classes, recipe, seed=seed, **settings)

    build = module.face_learner
    monkeypatch.setattr(module, "face_learner", noted)
    small_study(faces, classes, structures=("zhu",))
    assert torch.equal(starts["cross_entropy", 3], starts["focal", 3])
    assert not torch.equal(starts["cross_entropy", 3], starts["cross_entropy", 4])


def test_a_study_can_be_repeated_and_its_loss_is_not_that_of_the_recipe(faces, classes):
    first, second = (small_study(faces, classes, structures=("zhu",), seeds=(3,)) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert not np.array_equal(first.probabilities[0], first.probabilities[1])


def test_the_test_split_chooses_nothing(faces, classes):
    table = faces.table.copy()
    flipped = {"neutral": "happiness", "happiness": "neutral"}
    of_test = table["split"].eq("test")
    table.loc[of_test, "emotion"] = table.loc[of_test, "emotion"].map(flipped)
    other = FaceSet(faces.name, faces.pixels, table)
    settings = {"structures": ("zhu",), "losses": ("focal",), "seeds": (0,)}
    first, second = (small_study(given, classes, **settings) for given in (faces, other))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_what_cannot_be_trained_is_refused_before_anything_is(faces, classes, monkeypatch):
    monkeypatch.setattr(module, "fit", None)
    with pytest.raises(ParameterError, match=r"'votes' learns from the votes of a crowd.*game or ferplus"):
        small_study(faces, classes, losses=("votes",))
    with pytest.raises(ParameterError, match="did you mean 'residual'"):
        small_study(faces, classes, structures=("zhu", "residuals"))


def test_seeds_as_a_chapter_gives_them():
    assert seeds_from(5, 3) == (5, 6, 7)
