"""The ladder: each rung adds one ingredient, and a rung that only averages answers trains nothing."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from torch import nn

from book.structure_and_loss import ladder as ladder_module
from book.structure_and_loss.ladder import Rung, build_rung, climb, ensembles, ingredient_ladder
from fer_lib.train.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=15, lr=0.05)


def changes(rung: Rung, below: Rung) -> set[str]:
    """What differs between two rungs: their own fields, and those of their recipes."""
    own = {f.name for f in fields(Rung)} - {"name", "adds", "recipe"}
    found = {name for name in own if getattr(rung, name) != getattr(below, name)}
    return found | {
        f.name for f in fields(Recipe) if getattr(rung.recipe, f.name) != getattr(below.recipe, f.name)
    }


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(augment="none", schedule="constant"), Recipe(averaging=0.9, loss="focal")]
)
def test_each_rung_adds_one_ingredient(recipe):
    rungs = ingredient_ladder(recipe)
    found = {rung.name: changes(rung, below) for below, rung in pairwise(rungs)}
    assert found == {
        "augmentation": {"augment"},
        "normalisation": {"normalised"},
        "schedule": {"schedule", "lr"},
        "shortcuts": {"network", "options", "lr"},
        "width": {"options"},
        "label smoothing": {"loss"},
        "weight averaging": {"averaging"},
        "mirror image": {"test_time"},
        "3 networks": {"networks"},
    }
    assert rungs[0].recipe.augment == "none" and rungs[0].recipe.lr == pytest.approx(
        recipe.for_network("vgg").lr / 2
    )
    assert len({rung.recipe.epochs for rung in rungs}) == 1


def test_the_lowest_rung_has_neither_normalisation_nor_biases_and_the_third_has_both():
    rungs = ingredient_ladder(RECIPE)
    plain, normalised = (build_rung(rungs[i], 3, 16) for i in (0, 2))
    count = {m: sum(isinstance(layer, nn.BatchNorm2d) for layer in m.modules()) for m in (plain, normalised)}
    assert count == {plain: 0, normalised: 8}
    convolutions = [layer for layer in plain.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 8 and all(layer.bias is None for layer in convolutions)


def test_twice_the_filters_means_what_the_network_has_by_itself():
    narrow, wide = (build_rung(ingredient_ladder(RECIPE)[i], 3, 16) for i in (4, 5))
    assert [2 * width for width in narrow.arguments["widths"]] == list(wide.arguments["widths"])


def test_ensembles_are_neighbours_in_a_ring():
    assert ensembles(1, 3) == ((0,),)
    assert ensembles(3, 3) == ((0, 1, 2),)
    assert ensembles(5, 3) == ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 0), (4, 0, 1))


def short_ladder() -> tuple[Rung, ...]:
    tiny = {"network": "residual", "options": {"widths": (4, 4, 4)}}
    return (
        Rung("low", "nothing", replace(RECIPE, augment="none"), **tiny),
        Rung("middle", "augmentation", RECIPE, **tiny),
        Rung("mirror", "mirror image", RECIPE, **tiny, test_time="flip"),
        Rung("three", "three networks", RECIPE, **tiny, test_time="flip", networks=3),
    )


def test_a_rung_that_averages_answers_uses_the_networks_below(faces, classes, monkeypatch):
    trained = []
    train = ladder_module.train

    def counted(*arguments, seed, **settings):
        trained.append(seed)
        return train(*arguments, seed=seed, **settings)

    monkeypatch.setattr(ladder_module, "train", counted)
    ladder = climb(faces, classes, short_ladder(), (7, 8), precision="fp32")
    assert trained == [7, 8, 7, 8, 9], "two rungs from two seeds, and a third network for the ensemble"
    assert list(ladder.table["rung"]) == [0, 0, 1, 1, 2, 2, 3]
    assert list(ladder.table["trained"]) == [True] * 4 + [False] * 3
    assert ladder.valid.shape == (7, 16, 2) and ladder.test.shape == (1, 14, 2)
    np.testing.assert_allclose(ladder.valid.sum(axis=2), 1, rtol=1e-5)


def test_the_ensemble_is_the_mean_of_its_networks_and_the_mirror_of_two_views(faces, classes):
    rungs = short_ladder()
    three = climb(faces, classes, (rungs[1], rungs[3]), (0, 1, 2), precision="fp32")
    mirrored = climb(faces, classes, (rungs[2],), (0, 1, 2), precision="fp32")
    np.testing.assert_allclose(three.valid[3], mirrored.valid.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(three.test[0], mirrored.test.mean(axis=0), rtol=1e-5)
    assert not np.allclose(three.valid[0], mirrored.valid[0], atol=1e-4)


def test_only_the_last_rung_reads_the_test_split(faces, classes, monkeypatch):
    read = []
    predict = ladder_module.predict

    def noted(model, pictures, **settings):
        read.append((len(pictures), settings["test_time"]))
        return predict(model, pictures, **settings)

    monkeypatch.setattr(ladder_module, "predict", noted)
    climb(faces, classes, short_ladder()[:3], (0,), precision="fp32")
    assert read == [(16, "none"), (16, "none"), (16, "flip"), (14, "flip")]
