"""Several trainings, of every structure with every loss from several seeds on one face set; and scores of
networks' predictions on test splits, with intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from face_sets.faceset import FaceSet
from face_sets.leakage import exact_copies, independent_groups
from fer_lib.names import Loss
from fer_lib.nets.build import build_network, forward_macs
from fer_lib.stats.classification import accuracy, confusion
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.train.callbacks import Training
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.weights import parameter_count
from ferbook.errors import DataError, ParameterError, require_name
from ferbook.estimate import Estimate


@dataclass(frozen=True)
class Study:
    """Trainings that differ only in structure, loss and seed.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per training: ``structure``, ``loss``, ``seed``; ``valid_accuracy`` (proportion) in
        ``best_epoch``, the epoch whose weights were used; ``epochs`` trained; ``parameters``; ``macs``
        (multiply-adds of one picture); ``epoch_seconds`` (median).
    probabilities : (trainings, test pictures, classes) float32 array
        In the order of the table.
    precision : Precision
        Of all trainings.
    """

    table: pd.DataFrame
    probabilities: np.ndarray
    precision: Precision


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """Return ``count`` seeds, from ``first`` on."""
    return tuple(range(first, first + count))


def require_votes(faces: FaceSet, losses: Sequence[str]) -> None:
    """Raise ParameterError where ``losses`` names ``votes`` and ``faces`` has no votes."""
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
    *,
    recipe: TrainingRecipe,
    dropout: float | None = None,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
) -> Study:
    """Train each of ``structures`` with each of ``losses`` from each of ``seeds``.

    A seed fixes the first weights of a structure, the order of the pictures and their augmentation: two
    losses of one structure start from the same network. The validation split selects the epoch; the test
    split is predicted once per training, and selects nothing.

    Parameters
    ----------
    faces : FaceSet
    classes : tuple of str
    structures, losses, seeds : sequences
    recipe : TrainingRecipe
        Its own loss is ignored. Its learning rate is the residual net's; the other structures multiply it by
        their ``peak_share``.
    dropout : float, optional
        By default each network's own.
    precision, device
        As of ``train.learner.face_learner``.

    Raises
    ------
    ParameterError
        For an unknown name, a size that a network does not accept, or ``votes`` without votes, before
        anything is trained.
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
        variant = recipe.model_copy(update={"loss": loss})
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
    """Build a network of ``structure`` and train it by ``recipe`` at its learning rate
    (``TrainingRecipe.for_network``).

    Parameters
    ----------
    faces : FaceSet
    classes : tuple of str
    structure : str
        One of ``names.NETWORKS``.
    recipe : TrainingRecipe
    seed : int
        Of the first weights and the training.
    dropout : float, optional
        By default the network's own.
    precision, device
        As of ``train.learner.face_learner``.

    Returns
    -------
    torch.nn.Module
    Training

    Raises
    ------
    DataError, ParameterError, Diverged
        As ``train.learner.face_learner`` and ``fit``.
    """
    seed_everything(seed)
    model = build_network(structure, len(classes), faces.size[0], dropout=dropout)
    recipe = recipe.for_network(structure)
    learner = face_learner(faces, model, classes, recipe, precision=precision, device=device, seed=seed)
    return model, fit(learner)


def training_row(training: Training, model: nn.Module, size: int) -> dict[str, float | int]:
    """Return the columns of ``Study.table`` for one training."""
    return {
        "valid_accuracy": training.valid_accuracy,
        "best_epoch": training.best_epoch,
        "epochs": len(training.curve),
        "parameters": parameter_count(model),
        "macs": forward_macs(model, size),
        "epoch_seconds": float(training.curve["seconds"].median()),
    }


@dataclass(frozen=True)
class Evaluation:
    """The result of ``score_folds``: ``metrics`` by name, and ``confusion`` counts (rows are the true
    emotions).
    """

    metrics: dict[str, Estimate]
    confusion: pd.DataFrame


def score_folds(
    folds: Sequence[FaceSet],
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Score predictions of the test pictures of several folds, all predictions together.

    Intervals resample subjects, or groups of equal pictures where subjects are unknown, over all folds at
    once.

    Parameters
    ----------
    folds : sequence of FaceSet
        Their test splits have N pictures in all.
    probabilities : (networks, N, classes) array
        Fold after fold.
    classes : tuple of str
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    Evaluation
        The metrics are ``protocol_accuracy``, the mean of the folds' accuracies, as papers report it, and
        ``test_accuracy_without_copies``, without pictures that are also in their fold's training split.

    Raises
    ------
    DataError
        Every test picture is also in the training split.
    """
    tests = [faces.split("test") for faces in folds]
    fresh = ~np.concatenate(
        [exact_copies(faces)[faces.table["split"].eq("test").to_numpy()] for faces in folds]
    )
    if not fresh.any():
        raise DataError("every picture of the split 'test' is also in the training split")
    pictures, count = FaceSet.concat(tests[0].name, tests), len(probabilities)
    # A picture's weight in the mean of the folds' accuracies.
    weights = np.concatenate([np.full(len(test), 1 / (count * len(tests) * len(test))) for test in tests])
    of_pictures = (pictures.labels(classes), independent_groups(pictures), fresh, weights)
    labels, clusters, fresh, weights = (np.tile(each, count) for each in of_pictures)
    predictions = probabilities.argmax(axis=2).ravel()
    right = weights * (labels == predictions)
    drawing = {"draws": draws, "seed": seed, "tolerance": RERUN_TOLERANCE}
    about = {"of": "clusters", "n": len(right), "unit": "share"} | drawing
    sums = cluster_sums(np.column_stack([right, weights]), clusters)
    without = accuracy(labels[fresh], predictions[fresh], clusters[fresh], **drawing)
    metrics = {
        "protocol_accuracy": bootstrap(sums, value=float(right.sum()), **about),
        "test_accuracy_without_copies": without,
    }
    return Evaluation(metrics, confusion(labels, predictions, classes))


def majority_share(faces: FaceSet, classes: tuple[str, ...], split: str) -> float:
    """Compute the accuracy of the majority class of the training split, the baseline of every accuracy.

    Parameters
    ----------
    faces : FaceSet
    classes : tuple of str
    split : str
        Of the tested pictures.

    Returns
    -------
    float
        The proportion of these pictures that show the majority class.

    Raises
    ------
    DataError
        ``split`` or the training split is empty, or has an emotion outside ``classes``.
    """
    labels, training = faces.split(split).labels(classes), faces.split("train").labels(classes)
    if not len(labels) or not len(training):
        raise DataError(
            f"face set {faces.name!r} has no picture in its split {split if len(training) else 'train'!r}"
        )
    return float((labels == np.bincount(training).argmax()).mean())
