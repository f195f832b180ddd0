"""A network's answers on a test split, scored: metrics with intervals, the table per class, the confusion."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import exact_copies, independent_groups
from fer_lib.learn.learner import Training
from fer_lib.learn.weights import parameter_count
from fer_lib.report.metrics import Metric, accuracy, balanced_accuracy, confusion, macro_f1, per_class_table

RERUN_TOLERANCE = 0.05
"""How far a share of right answers may move when a network is trained again with the same seed. The same machine
gives the same digits; another processor adds up in another order, and training magnifies that."""


@dataclass(frozen=True)
class Evaluation:
    """``metrics`` by name, ``per_class`` (one row per emotion), ``confusion`` counts (rows: the true emotion)."""

    metrics: dict[str, Metric]
    per_class: pd.DataFrame
    confusion: pd.DataFrame


def evaluate(
    probabilities: np.ndarray,
    faces: FaceSet,
    classes: tuple[str, ...],
    *,
    split: str = "test",
    draws: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Score class ``probabilities`` (N, classes) of the N pictures of ``split`` of ``faces``.

    Intervals resample subjects, or groups of equal pictures where subjects are unknown. The metrics carry the split's
    name: ``test_accuracy``, ``test_accuracy_without_copies`` (pictures that also stand in the training split left out),
    ``balanced_accuracy``, ``macro_f1``, and ``majority_accuracy``: what answering with the commonest class of the
    training split would give. Raises DataError where the shapes do not fit or every picture is a copy.
    """
    chosen = faces.split(split)
    if probabilities.shape != (len(chosen), len(classes)):
        raise DataError(
            f"probabilities are {probabilities.shape}, but the split {split!r} has {len(chosen)} pictures "
            f"and there are {len(classes)} classes"
        )
    labels, predicted = chosen.labels(classes), probabilities.argmax(axis=1)
    clusters = independent_groups(chosen)
    fresh = ~exact_copies(faces)[faces.table["split"].eq(split).to_numpy()]
    if not fresh.any():
        raise DataError(f"every picture of the split {split!r} also stands in the training split")
    settings = {"draws": draws, "seed": seed, "tolerance": RERUN_TOLERANCE}
    answers = (labels, predicted, clusters)
    metrics = {
        f"{split}_accuracy": accuracy(*answers, **settings),
        f"{split}_accuracy_without_copies": accuracy(*(part[fresh] for part in answers), **settings),
        "balanced_accuracy": balanced_accuracy(*answers, **settings),
        "macro_f1": macro_f1(*answers, **settings),
        "majority_accuracy": Metric(majority_share(faces, classes, split), n=len(labels), unit="share"),
    }
    return Evaluation(
        metrics,
        per_class_table(labels, predicted, classes, clusters, draws=draws, seed=seed),
        confusion(labels, predicted, classes),
    )


def majority_share(faces: FaceSet, classes: tuple[str, ...], split: str) -> float:
    """Share of the pictures of ``split`` that show the commonest emotion of the training split.

    It is what a network reaches that ignores its input: the null of every accuracy on that split.
    Raises DataError where ``split`` or the training split is empty, or holds an emotion outside ``classes``.
    """
    labels, training = faces.split(split).labels(classes), faces.split("train").labels(classes)
    if not len(labels) or not len(training):
        raise DataError(
            f"face set {faces.name!r} has no picture in its split {split if len(training) else 'train'!r}"
        )
    return float((labels == np.bincount(training).argmax()).mean())


def start_correlation(start: np.ndarray, weights: np.ndarray) -> Metric:
    """Pearson correlation (-1 to 1) between a layer's weights before and after training, of the same shape.

    Near 1, what the layer shows is its random start. Raises DataError where the shapes differ.
    """
    if start.shape != weights.shape:
        raise DataError(f"weights {weights.shape} did not start from weights {start.shape}")
    return Metric(np.corrcoef(start.ravel(), weights.ravel())[0, 1], n=weights.size, tolerance=0.1)


def training_metrics(model: nn.Module, trained: Training) -> dict[str, Metric]:
    """What to know of a training: ``parameters``, ``epochs``, ``best_epoch`` and ``valid_accuracy`` in that epoch.

    The last is the number by which the epoch was chosen, so it flatters; it has no interval for that reason.
    """
    epochs = len(trained.curve)
    best = trained.curve.loc[trained.curve["epoch"] == trained.best_epoch, "valid_accuracy"].item()
    return {
        "parameters": Metric(parameter_count(model), unit="count"),
        "epochs": Metric(epochs, unit="count"),
        "best_epoch": Metric(trained.best_epoch, unit="count", tolerance=max(2, epochs // 3)),
        "valid_accuracy": Metric(best, unit="share", tolerance=RERUN_TOLERANCE),
    }
