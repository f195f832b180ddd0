"""The ablation of Khorrami et al. 2015: with and without biases, dropout (D) and augmentation (A).

What the ablation shows: each network's accuracy, and what biases, dropout and augmentation change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.nets.build import build_network
from fer_lib.stats.classification import accuracy
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.train.crossval import train_and_test
from fer_lib.train.curve import Training
from fer_lib.train.learner import seed_everything
from fer_lib.train.precision import Precision, Request
from fer_lib.train.recipe import Recipe
from ferbook.estimate import Estimate

DROPOUT, AUGMENT = 0.5, "light"
"""What D and A mean where a chapter's own network goes without them."""


@dataclass(frozen=True)
class Ablated:
    """One network of the ablation: whether it has ``biases``, D (``dropout``) and A (``augmented``); how its
    training went; class ``probabilities`` (N, classes) of the test split."""

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
    """Train and test the zero-bias CNN eight times by the splits of ``faces``: no biases and biases, each
    with none, D, A, AD.

    All start from the same weights, drawn with ``seed``. D is the dropout of ``options`` (its other entries
    go to the constructor of every network), A the augmentation of ``recipe``; where these are off,
    ``DROPOUT`` and ``AUGMENT``. Raises what ``train`` raises.
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


SWITCHES = {"no_biases": ("biases", False), "dropout": ("dropout", True), "augmentation": ("augmented", True)}
"""What is switched: the field of ``Ablated`` that says so, and its value with the switch on. Biases are left
out, the others put in.
"""


def ablation_table(
    networks: Sequence[Ablated], tested: FaceSet, classes: tuple[str, ...], **draws: int
) -> pd.DataFrame:
    """One row per network: ``biases`` (bool), ``variant``, ``accuracy`` on ``tested`` with ``low`` and
    ``high`` (NaN where there is none).
    """
    labels, clusters = tested.labels(classes), independent_groups(tested)
    rows = []
    for network in networks:
        found = accuracy(labels, network.probabilities.argmax(axis=1), clusters, **draws)
        rows.append([network.biases, network.variant, found.value, found.low, found.high])
    table = pd.DataFrame(rows, columns=["biases", "variant", "accuracy", "low", "high"])
    return table.astype({"low": float, "high": float})


def ablation_effects(
    networks: Sequence[Ablated], tested: FaceSet, classes: tuple[str, ...], **draws: int
) -> dict[str, Estimate]:
    """By how much each switch changes the share of right answers, paired: the mean over pairs of networks
    that differ in it alone.

    Keys: ``no_biases_effect``, ``dropout_effect``, ``augmentation_effect``. Each tested picture counts the
    networks that are right with the switch minus those that are right without it; the interval resamples
    subjects. It does not cover the random start: all networks have the same one.
    """
    right = np.array([n.probabilities.argmax(axis=1) for n in networks]) == tested.labels(classes)
    clusters = independent_groups(tested)
    settings = {"of": "clusters", "n": len(tested), "unit": "share", "tolerance": 2 * RERUN_TOLERANCE}
    effects = {}
    for name, (field, wanted) in SWITCHES.items():
        on = np.array([getattr(network, field) == wanted for network in networks])
        difference = right[on].mean(axis=0) - right[~on].mean(axis=0)
        sums = cluster_sums(np.column_stack([difference, np.ones(len(tested))]), clusters)
        effects[f"{name}_effect"] = bootstrap(sums, **settings, **draws)
    return effects
