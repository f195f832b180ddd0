"""A study: every structure trained with every loss from several seeds, on one set of faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.names import Loss
from fer_lib.nets.build import build_network, forward_macs
from fer_lib.train.curve import Training
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision, PrecisionName
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.weights import parameter_count
from ferbook.errors import ParameterError, require_name


@dataclass(frozen=True)
class Study:
    """Trainings that differ in structure, loss and seed, and in nothing else.

    ``table``: one row per training with ``structure``, ``loss``, ``seed``; ``valid_accuracy`` (share) in
    ``best_epoch``, the epoch whose weights were kept; ``epochs`` trained; ``parameters``; ``macs``
    (multiply-adds of one picture); ``epoch_seconds`` (median). ``probabilities``: float32 (trainings, test
    pictures, classes), in the order of the table. ``precision``: of all trainings.
    """

    table: pd.DataFrame
    probabilities: np.ndarray
    precision: Precision


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """``count`` seeds, from ``first`` on."""
    return tuple(range(first, first + count))


def require_votes(faces: FaceSet, losses: Sequence[str]) -> None:
    """Raises ParameterError where ``losses`` names ``votes`` and ``faces`` comes without votes."""
    if "votes" in losses and not any(column.startswith("vote_") for column in faces.table):
        raise ParameterError(
            f"the loss 'votes' learns from the votes of a crowd, and the face set {faces.name!r} has none; "
            "choose --faces game or ferplus, or leave it out of losses"
        )


def run_study(
    faces: FaceSet,
    classes: tuple[str, ...],
    structures: Sequence[str],
    losses: Sequence[str],
    seeds: Sequence[int],
    recipe: TrainingRecipe,
    *,
    dropout: float | None = None,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> Study:
    """Train each of ``structures`` with each of ``losses`` from each of ``seeds`` by ``recipe``, whose own
    loss does not count.

    The recipe's rate is the residual net's; the other structures take their ``peak_share`` of it. A seed
    fixes the first weights of a structure, the order of the pictures and their augmentation: two losses of
    one structure start from the same network. The epoch is chosen on
    the validation split; the test split is predicted once per training, and nothing is chosen by it.

    Raises ParameterError for an unknown name, a size that a network does not take, or ``votes`` without
    votes, before anything is trained.
    """
    for loss in losses:
        require_name("loss", loss, get_args(Loss))
    require_votes(faces, losses)
    size = faces.size[0]
    for structure in structures:
        build_network(structure, len(classes), size, dropout=dropout)
    test = faces.split("test")
    rows, probabilities = [], []
    for structure, loss, seed in product(structures, losses, seeds):
        variant = replace(recipe, loss=loss)
        model, training = train_structure(
            faces, classes, structure, variant, seed, dropout=dropout, precision=precision, device=device
        )
        about = {"structure": structure, "loss": loss, "seed": seed}
        rows.append(about | training_row(training, model, size))
        probabilities.append(predict(model, test, device=device))
    return Study(pd.DataFrame(rows), np.stack(probabilities), training.precision)


def train_structure(
    faces: FaceSet,
    classes: tuple[str, ...],
    structure: str,
    recipe: TrainingRecipe,
    seed: int,
    *,
    dropout: float | None = None,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> tuple[nn.Module, Training]:
    """A new network of ``structure``, trained by ``recipe`` at the rate that suits it
    (``TrainingRecipe.for_network``).

    ``seed`` fixes its first weights and the training. Raises as ``train``.
    """
    seed_everything(seed)
    model = build_network(structure, len(classes), faces.size[0], dropout=dropout)
    own_recipe = recipe.for_network(structure)
    return model, train(faces, model, classes, own_recipe, device=device, seed=seed, precision=precision)


def training_row(training: Training, model: nn.Module, size: int) -> dict[str, float | int]:
    """What a table of trainings says of each: see ``Study``."""
    return {
        "valid_accuracy": training.valid_accuracy,
        "best_epoch": training.best_epoch,
        "epochs": len(training.curve),
        "parameters": parameter_count(model),
        "macs": forward_macs(model, size),
        "epoch_seconds": float(training.curve["seconds"].median()),
    }
