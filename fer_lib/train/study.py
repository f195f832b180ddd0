"""Several trainings: on each of several folds of a protocol, or of every structure with every loss from
several seeds on one set of faces; and networks' answers on test splits, scored with intervals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, fold_faces
from fer_lib.faces.leakage import exact_copies, independent_groups
from fer_lib.names import Loss
from fer_lib.nets.build import build_network, forward_macs
from fer_lib.stats.classification import accuracy, confusion
from fer_lib.stats.contrasts import TrainingScores, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.train.callbacks import Training
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.predict import TestTime, predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.weights import parameter_count
from ferbook.errors import DataError, ParameterError, require_name
from ferbook.estimate import Estimate


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    ``number`` from 0. ``faces`` with the fold's own splits. ``training``: how it went. ``probabilities``
    float32 (N, classes): of the test split, in its order.
    """

    number: int
    faces: FaceSet
    training: Training
    probabilities: np.ndarray


@dataclass(frozen=True)
class CrossValidation:
    """The ``folds`` that ran, and ``model``, the network of the first one."""

    protocol: Protocol
    folds: tuple[FoldResult, ...]
    model: nn.Module

    @property
    def answers(self) -> tuple[tuple[FaceSet, np.ndarray], ...]:
        """Each fold's faces and the probabilities of its test split, as ``train.study.evaluate`` takes
        them.
        """
        return tuple((fold.faces, fold.probabilities) for fold in self.folds)


def cross_validate(
    faces: FaceSet,
    protocol: Protocol,
    network: str,
    recipe: TrainingRecipe,
    *,
    folds: int = 0,
    options: Mapping[str, object] | None = None,
    test_time: TestTime = "none",
    device: torch.device | str = "cpu",
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    checkpoints: Sequence[int] = (),
) -> CrossValidation:
    """Train and test a network of its own on each of the first ``folds`` folds of ``protocol``; 0, or more
    than it has, takes all.

    ``network`` by its name in ``nets.build``, with ``options`` of its constructor; every fold starts from the
    same ``seed``. The epoch is chosen on the fold's validation split. ``precision`` and ``checkpoints`` as of
    ``train.learner.train``.

    Raises what ``fold_faces``, ``build_network`` and ``train`` raise.
    """
    available = len(protocol.folds)
    # All at once, which copies no pictures: a fold that cannot be trained is told before the first one is.
    fold_sets = [fold_faces(faces, protocol, number) for number in range(min(folds or available, available))]
    results: list[FoldResult] = []
    networks: list[nn.Module] = []
    how = {"device": device, "seed": seed, "precision": precision, "checkpoints": checkpoints}
    for number, fold in enumerate(fold_sets):
        seed_everything(seed)
        model = build_network(network, len(protocol.classes), faces.size[0], **options or {})
        networks.append(model)
        training = train(fold, model, protocol.classes, recipe, **how)
        probabilities = predict(model, fold.split("test"), test_time=test_time, device=device)
        results.append(FoldResult(number, fold, training, probabilities))
    return CrossValidation(protocol, tuple(results), networks[0])


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
    *,
    recipe: TrainingRecipe,
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
    **how: object,
) -> tuple[nn.Module, Training]:
    """A new network of ``structure``, trained by ``recipe`` at the rate that suits it
    (``TrainingRecipe.for_network``); ``how``: ``precision`` and ``device`` as of ``train``.

    ``seed`` fixes its first weights and the training. Raises as ``train``.
    """
    seed_everything(seed)
    model = build_network(structure, len(classes), faces.size[0], dropout=dropout)
    return model, train(faces, model, classes, recipe.for_network(structure), seed=seed, **how)


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


FoldProbabilities = tuple[FaceSet, np.ndarray]
"""A face set whose split ``test`` has N pictures, and the class probabilities (N, classes) that a network
gave them.
"""


@dataclass(frozen=True)
class Evaluation:
    """FoldProbabilities on the test splits of one or more folds, put together and scored.

    ``faces``: the tested pictures, fold after fold; ``probabilities`` (N, classes) in the same order.
    ``metrics`` by name, ``confusion`` counts (rows: the true emotion).
    """

    faces: FaceSet
    probabilities: np.ndarray
    metrics: dict[str, Estimate]
    confusion: pd.DataFrame


def evaluate(
    answers: Sequence[FoldProbabilities], classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Evaluation:
    """Score the ``answers`` of networks on the test splits of one or more folds, as
    ``CrossValidation.answers`` has them.

    Intervals resample subjects, or groups of equal pictures where subjects are unknown, over all folds at
    once. The metrics: ``protocol_accuracy``, the mean of the folds' accuracies, as papers report it; and
    ``test_accuracy_without_copies`` (pictures that also stand in their fold's training split left out).
    Raises DataError where every picture is a copy.
    """
    tests = [faces.split("test") for faces, _ in answers]
    fresh = ~np.concatenate(
        [exact_copies(faces)[faces.table["split"].eq("test").to_numpy()] for faces, _ in answers]
    )
    if not fresh.any():
        raise DataError("every picture of the split 'test' also stands in the training split")
    pictures = FaceSet.concat(tests[0].name, tests)
    pooled = np.concatenate([probabilities for _, probabilities in answers])
    labels, predictions = pictures.labels(classes), pooled.argmax(axis=1)
    clusters = independent_groups(pictures)
    # A picture's weight in the mean of the folds' accuracies.
    weights = np.concatenate([np.full(len(test), 1 / (len(tests) * len(test))) for test in tests])
    right = weights * (labels == predictions)
    drawing = {"draws": draws, "seed": seed, "tolerance": RERUN_TOLERANCE}
    about = {"of": "clusters", "n": len(right), "unit": "share"} | drawing
    sums = cluster_sums(np.column_stack([right, weights]), clusters)
    without = accuracy(labels[fresh], predictions[fresh], clusters[fresh], **drawing)
    metrics = {
        "protocol_accuracy": bootstrap(sums, value=float(right.sum()), **about),
        "test_accuracy_without_copies": without,
    }
    return Evaluation(pictures, pooled, metrics, confusion(labels, predictions, classes))


def score_on(
    pictures: FaceSet,
    classes: tuple[str, ...],
    table: pd.DataFrame,
    probabilities: np.ndarray,
    condition: Sequence[str],
    **drawn: int,
) -> TrainingScores:
    """The trainings of ``table`` with their scores on ``pictures``, as ``stats.contrasts.score_trainings``;
    the bootstrap draws subjects, or groups of equal pictures.
    """
    labels, clusters = pictures.labels(classes), independent_groups(pictures)
    return score_trainings(table, probabilities, labels, clusters, condition, **drawn)


def majority_share(faces: FaceSet, classes: tuple[str, ...], split: str) -> float:
    """Share of the pictures of ``split`` that show the majority class of the training split.

    It is what a network reaches that ignores its input: the null of every accuracy on that split.
    Raises DataError where ``split`` or the training split is empty, or holds an emotion outside ``classes``.
    """
    labels, training = faces.split(split).labels(classes), faces.split("train").labels(classes)
    if not len(labels) or not len(training):
        raise DataError(
            f"face set {faces.name!r} has no picture in its split {split if len(training) else 'train'!r}"
        )
    return float((labels == np.bincount(training).argmax()).mean())
