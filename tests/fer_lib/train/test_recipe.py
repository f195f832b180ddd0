"""A recipe for several networks: each at its own peak rate."""

import pytest
from pydantic import BaseModel, ValidationError

from fer_lib.names import NETWORKS
from fer_lib.nets.build import network_class
from fer_lib.train import study
from fer_lib.train.recipe import TrainingRecipe


def test_the_residual_net_has_the_whole_rate_and_no_network_more():
    shares = {name: network_class(name).peak_share for name in NETWORKS}
    assert shares["residual"] == max(shares.values()) == 1 and min(shares.values()) > 0


def test_only_the_rate_changes_from_network_to_network():
    recipe = TrainingRecipe(lr=0.2, epochs=3, loss="focal")
    assert recipe.for_network("residual") == recipe
    assert recipe.for_network("zhu") == TrainingRecipe(lr=0.2 * 0.5, epochs=3, loss="focal")


def test_pictures_grow_only_for_networks_that_take_every_size():
    recipe = TrainingRecipe(start_size=24)
    kept = {name: recipe.for_network(name).start_size for name in NETWORKS}
    assert kept.items() >= {"residual": 24, "vgg": 24, "zhu": 0, "zero_bias": 0, "breuer": 0}.items()


def test_a_structure_is_trained_at_the_rate_that_suits_it(monkeypatch):
    rates = []

    class Faces:
        size = (16, 16)

    def noted(faces, model, classes, recipe, **settings):
        rates.append((type(model).__name__, recipe.lr))

    monkeypatch.setattr(study, "face_learner", noted)
    monkeypatch.setattr(study, "fit", lambda learner: None)
    for structure in ("residual", "vgg"):
        study.train_structure(Faces(), ("anger", "fear"), structure, TrainingRecipe(lr=0.2), 0)
    assert rates == [("ResidualNet", 0.2), ("VGG", pytest.approx(0.2 * 0.1))]


def test_what_a_recipe_has_no_more_is_read_at_the_value_that_it_had():
    class Asked(BaseModel, extra="forbid"):
        recipe: TrainingRecipe

    def read(said):
        return Asked.model_validate({"recipe": said}).recipe

    said = {"epochs": 3, "mixup": 0.0, "patience": 0, "class_weights": False}
    assert read(said) == TrainingRecipe(epochs=3)
    for changed in ({"mixup": 0.2}, {"patience": 3}, {"epoch": 3}, {"lr": [1]}):
        with pytest.raises(ValidationError, match=next(iter(changed))):
            read(said | changed)
