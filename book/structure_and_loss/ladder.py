"""The ladder of ingredients: from the plain network to the suite's best, one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision, Request
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import training_row

NARROW = {"vgg": (32, 64, 128, 256), "residual": (32, 64, 128)}
"""Filters per stage below the rung ``width``: half of what the networks have."""

CONSTANT_SHARE = 0.5
"""The constant rate of the lower rungs as a share of the peak rate: what a one-cycle schedule bears, a
constant rate does not.
"""

AVERAGING = 0.99
"""Decay per step of the averaged weights where the recipe names none."""

ENSEMBLE = 3


@dataclass(frozen=True)
class Rung:
    """One step: its ``name``, what it ``adds`` to the one below, and all that its networks are made with.

    ``network`` with ``options`` as ``nets.build.build_network`` takes them; without ``normalised`` its batch
    normalisations are taken out. ``test_time`` as in ``train.predict.predict``; the probabilities of
    ``networks`` networks are averaged.
    """

    name: str
    adds: str
    recipe: Recipe
    network: str = "vgg"
    options: dict[str, object] = field(default_factory=dict)
    normalised: bool = True
    test_time: str = "none"
    networks: int = 1

    def same_training(self, other: "Rung") -> bool:
        """Whether the networks of both are trained alike, so that those of one serve for the other."""
        parts = ("recipe", "network", "options", "normalised")
        return all(getattr(self, part) == getattr(other, part) for part in parts)


@dataclass(frozen=True)
class Ladder:
    """How far each rung comes on the validation split, and the last one, once, on the test split.

    ``table``: one row per network (or ensemble) of each rung with ``rung`` (from 0), ``name``, ``seed`` (an
    ensemble's first), ``trained`` (False where the networks are those of the rung below) and what
    ``train.study.training_row`` says. ``valid``: float32 (rows, validation pictures, classes); ``test``:
    float32 (networks or ensembles of the last rung, test pictures, classes).
    """

    rungs: tuple[Rung, ...]
    table: pd.DataFrame
    valid: np.ndarray
    test: np.ndarray
    precision: Precision


def ingredient_ladder(recipe: Recipe) -> tuple[Rung, ...]:
    """The rungs from the CNN of a tutorial to three of the suite's own networks trained by ``recipe``.

    What ``recipe`` leaves out of an ingredient (augmentation, schedule, averaging) is set to a usual value,
    so that every rung adds something. All rungs train for as many epochs. The lowest is the stack of 3×3
    convolutions and poolings that one finds in most tutorials: a narrow VGG without batch normalisation and
    biases, at a constant rate, on the pictures as they are. Each network has the rate that suits it
    (``Recipe.for_network``).
    """
    best = replace(
        recipe,
        loss="label_smoothing",
        augment="standard" if recipe.augment == "none" else recipe.augment,
        schedule="onecycle" if recipe.schedule == "constant" else recipe.schedule,
        averaging=recipe.averaging or AVERAGING,
    )
    hard = replace(best, loss="cross_entropy", averaging=0.0)
    stacked = hard.for_network("vgg")
    constant = replace(
        stacked, schedule="constant", lr=CONSTANT_SHARE * stacked.lr, clip=0.0, mixup=0.0, start_size=0
    )
    vgg, residual = ({"widths": NARROW[name]} for name in ("vgg", "residual"))
    bare = {"recipe": replace(constant, augment="none"), "options": vgg, "normalised": False}
    ours = {"recipe": best, "network": "residual"}
    return (
        Rung("plain network", "eight 3×3 convolutions, constant rate, pictures as they are", **bare),
        Rung(
            "augmentation",
            f"pictures changed at random ({best.augment})",
            **bare | {"recipe": constant},
        ),
        Rung("normalisation", "batch normalisation after each convolution", constant, options=vgg),
        Rung(
            "schedule",
            f"{best.schedule}, peak rate {1 / CONSTANT_SHARE:g} times as high",
            stacked,
            options=vgg,
        ),
        Rung(
            "shortcuts",
            "residual blocks in place of the plain stack, at the rate that suits them",
            hard,
            "residual",
            residual,
        ),
        Rung("width", "twice as many filters", hard, "residual"),
        Rung(
            "label smoothing", "targets of 0.9 and the rest spread", replace(best, averaging=0.0), "residual"
        ),
        Rung("weight averaging", "a moving average of the weights is kept", **ours),
        Rung(
            "mirror image", "probabilities averaged with those of the mirror image", **ours, test_time="flip"
        ),
        Rung(
            f"{ENSEMBLE} networks",
            f"probabilities of {ENSEMBLE} networks averaged",
            **ours,
            test_time="flip",
            networks=ENSEMBLE,
        ),
    )


def build_rung(rung: Rung, n_classes: int, size: int, dropout: float | None = None) -> Classifier:
    """An untrained network of ``rung``, drawn from torch's global generator. Raises ParameterError as
    ``build_network``.
    """
    model = build_network(rung.network, n_classes, size, dropout=dropout, **rung.options)
    if not rung.normalised:
        # No biases either: the convolutions of networks with batch normalisation have none.
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(parent, name, nn.Identity())
    return model


def ensembles(networks: int, members: int) -> tuple[tuple[int, ...], ...]:
    """Which of ``networks`` networks form each ensemble of ``members``: neighbours in a ring, one set only
    where there are no more.

    >>> ensembles(3, 3), ensembles(4, 3)
    (((0, 1, 2),), ((0, 1, 2), (1, 2, 3), (2, 3, 0), (3, 0, 1)))
    """
    if networks <= members:
        return (tuple(range(networks)),)
    return tuple(tuple((first + i) % networks for i in range(members)) for first in range(networks))


def climb(
    faces: FaceSet,
    classes: tuple[str, ...],
    rungs: Sequence[Rung],
    seeds: Sequence[int],
    *,
    dropout: float | None = None,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> Ladder:
    """Train the networks of each rung from each of ``seeds``, and score all rungs on the validation split.

    A rung that only averages answers uses the networks of the rung below; where ``seeds`` are fewer than an
    ensemble needs, the seeds after them fill it up. The test split is predicted by the last rung only, once.

    Raises ParameterError where a network does not take the size of the pictures.
    """
    size, valid = faces.size[0], faces.split("valid")
    rows, answers = [], []
    for number, rung in enumerate(rungs):
        kept = number > 0 and rung.same_training(rungs[number - 1])
        if not kept:
            models, records = [], []
        needed = tuple(seeds) + tuple(max(seeds) + 1 + i for i in range(rung.networks - len(seeds)))
        for seed in needed[len(models) :]:
            seed_everything(seed)
            model = build_rung(rung, len(classes), size, dropout)
            training = train(
                faces, model, classes, rung.recipe, precision=precision, device=device, seed=seed
            )
            precision = training.precision
            models.append(model)
            records.append({"seed": seed} | training_row(training, model, size))
        groups = ensembles(len(models), rung.networks)
        single = [predict(m, valid, test_time=rung.test_time, device=device) for m in models]
        for group in groups:
            about = {"rung": number, "name": rung.name, "trained": not kept}
            rows.append(about | records[group[0]])
            answers.append(np.mean([single[i] for i in group], axis=0))
    last = [predict(m, faces.split("test"), test_time=rungs[-1].test_time, device=device) for m in models]
    test = np.stack([np.mean([last[i] for i in group], axis=0) for group in groups])
    return Ladder(tuple(rungs), pd.DataFrame(rows), np.stack(answers), test, precision)
