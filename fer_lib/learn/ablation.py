"""The ablation of Khorrami et al. 2015: with and without biases, dropout (D) and augmentation (A)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.crossval import train_and_test
from fer_lib.learn.curve import Training
from fer_lib.learn.learner import seed_everything
from fer_lib.learn.precision import Precision, Request
from fer_lib.learn.recipe import Recipe
from fer_lib.models.factory import build_network

DROPOUT, AUGMENT = 0.5, "light"
"""What D and A mean where a chapter's own network goes without them."""


@dataclass(frozen=True)
class Ablated:
    """One network of the ablation: whether it has ``biases``, D (``dropout``) and A (``augmented``); how its training went;
    class ``probabilities`` (N, classes) of the test split."""

    biases: bool
    dropout: bool
    augmented: bool
    training: Training
    probabilities: np.ndarray

    @property
    def variant(self) -> str:
        """``none``, ``D``, ``A`` or ``AD``, as the paper calls them."""
        return "A" * self.augmented + "D" * self.dropout or "none"

    @property
    def name(self) -> str:
        """Biases and variant in words."""
        return f"{'biases' if self.biases else 'no biases'}, {self.variant}"


def ablate(
    faces: FaceSet,
    classes: tuple[str, ...],
    recipe: Recipe,
    *,
    options: Mapping[str, object],
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> tuple[Ablated, ...]:
    """Train and test the zero-bias CNN eight times by the splits of ``faces``: no biases and biases, each with none, D, A, AD.

    All start from the same weights, drawn with ``seed``. D is the dropout of ``options`` (its other entries go
    to the constructor of every network), A the augmentation of ``recipe``; where these are off, ``DROPOUT`` and ``AUGMENT``. Raises what
    ``train`` raises.
    """
    rate = options.get("dropout") or DROPOUT
    augment = recipe.augment if recipe.augment != "none" else AUGMENT
    found = []
    for biases, augmented, dropout in product((False, True), repeat=3):
        seed_everything(seed)
        # A generator of their own, so that networks with biases start from the same weights as those without.
        weights = torch.Generator().manual_seed(seed)
        chosen = {**options, "bias": biases, "dropout": rate if dropout else 0.0, "generator": weights}
        model = build_network("zero_bias", len(classes), faces.size[0], **chosen)
        training, probabilities = train_and_test(
            faces,
            model,
            classes,
            replace(recipe, augment=augment if augmented else "none"),
            precision=precision,
            device=device,
            seed=seed,
        )
        precision = training.precision
        found.append(Ablated(biases, dropout, augmented, training, probabilities))
    return tuple(found)
