"""Networks' answers on test splits, scored: metrics with intervals, the tables, the hardest pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from fer_lib.errors import DataError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import exact_copies, independent_groups
from fer_lib.learn.curve import Training
from fer_lib.learn.weights import parameter_count
from fer_lib.report.metrics import (
    Metric,
    accuracy,
    balanced_accuracy,
    bootstrap_interval,
    confusion,
    macro_f1,
    per_class_table,
)

RERUN_TOLERANCE = 0.05
"""How far a share of right answers may move when a network is trained again with the same seed. The same machine
gives the same digits; another processor adds up in another order, and training magnifies that."""

Answers = tuple[FaceSet, np.ndarray]
"""A face set whose split ``test`` has N pictures, and the class probabilities (N, classes) that a network gave them."""


@dataclass(frozen=True)
class Evaluation:
    """Answers on the test splits of one or more folds, put together and scored.

    ``faces``: the tested pictures, fold after fold; ``probabilities`` (N, classes) in the same order. ``metrics`` by name, ``per_class`` (one row
    per emotion), ``confusion`` counts (rows: the true emotion).
    """

    faces: FaceSet
    probabilities: np.ndarray
    metrics: dict[str, Metric]
    per_class: pd.DataFrame
    confusion: pd.DataFrame


def evaluate(
    answers: Sequence[Answers], classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Evaluation:
    """Score the ``answers`` of networks on the test splits of one or more folds, as ``CrossValidation.answers`` has them.

    Intervals resample subjects, or groups of equal pictures where subjects are unknown, over all folds at once. The metrics:
    ``test_accuracy`` over all tested pictures; ``protocol_accuracy``, the mean of the folds' accuracies, as papers report it;
    ``test_accuracy_without_copies`` (pictures that also stand in their fold's training split left out); ``balanced_accuracy``; ``macro_f1``; and
    ``majority_accuracy``: what answering with the commonest class of each fold's training split would give. Raises DataError where the
    shapes do not fit or every picture is a copy.
    """
    tested, fresh, majority, weights = [], [], [], []
    for faces, probabilities in answers:
        chosen = faces.split("test")
        if probabilities.shape != (len(chosen), len(classes)):
            raise DataError(
                f"probabilities are {probabilities.shape}, but the split 'test' has {len(chosen)} pictures "
                f"and there are {len(classes)} classes"
            )
        tested.append(chosen)
        fresh.append(~exact_copies(faces)[faces.table["split"].eq("test").to_numpy()])
        majority.append(len(chosen) * majority_share(faces, classes, "test"))
        weights.append(np.full(len(chosen), 1 / (len(answers) * len(chosen))))
    pictures = FaceSet.concat(tested[0].name, tested)
    pooled = np.concatenate([probabilities for _, probabilities in answers])
    labels, predicted = pictures.labels(classes), pooled.argmax(axis=1)
    clusters = independent_groups(pictures)
    not_copied = np.concatenate(fresh)
    if not not_copied.any():
        raise DataError("every picture of the split 'test' also stands in the training split")
    settings = {"draws": draws, "seed": seed, "tolerance": RERUN_TOLERANCE}
    own = (labels, predicted, clusters)
    metrics = {
        "test_accuracy": accuracy(*own, **settings),
        "protocol_accuracy": _mean_of_folds(
            labels == predicted, np.concatenate(weights), clusters, draws, seed
        ),
        "test_accuracy_without_copies": accuracy(*(part[not_copied] for part in own), **settings),
        "balanced_accuracy": balanced_accuracy(*own, **settings),
        "macro_f1": macro_f1(*own, **settings),
        "majority_accuracy": Metric(sum(majority) / len(labels), n=len(labels), unit="share"),
    }
    return Evaluation(
        pictures,
        pooled,
        metrics,
        per_class_table(labels, predicted, classes, clusters, draws=draws, seed=seed),
        confusion(labels, predicted, classes),
    )


def _mean_of_folds(
    right: np.ndarray, weights: np.ndarray, clusters: np.ndarray, draws: int, seed: int
) -> Metric:
    """The mean of the folds' accuracies: every picture has the weight 1 / (folds × pictures of its fold)."""
    sums = pd.DataFrame({"right": weights * right, "all": weights}).groupby(clusters).sum().to_numpy()
    interval = bootstrap_interval(lambda totals: totals[:, 0] / totals[:, 1], sums, draws=draws, seed=seed)
    value = float((weights * right).sum())
    bounds = (interval.low, interval.high)
    return Metric(value, *bounds, len(right), interval.method, "share", RERUN_TOLERANCE)


def hardest_pictures(evaluation: Evaluation, classes: tuple[str, ...], count: int = 12) -> pd.DataFrame:
    """The ``count`` tested pictures on which the loss −ln p(true emotion) is highest, one per sequence, the hardest first.

    ``rank`` from 1; ``picture``: its row in ``evaluation.faces``; ``subject``; ``sequence``; ``true`` and ``predicted`` emotion with the probability that each was given
    (``p_true``, ``p_predicted``); ``loss`` in nats. Frames of one sequence look alike, so the hardest stands for its sequence.
    """
    table, rows = evaluation.faces.table, np.arange(len(evaluation.faces))
    labels, predicted = evaluation.faces.labels(classes), evaluation.probabilities.argmax(axis=1)
    p_true = evaluation.probabilities[rows, labels].astype(np.float64)
    names = np.array(classes)
    found = pd.DataFrame(
        {
            "picture": rows,
            "subject": table["subject"],
            "sequence": table["sequence"],
            "true": names[labels],
            "predicted": names[predicted],
            "p_true": p_true,
            "p_predicted": evaluation.probabilities[rows, predicted].astype(np.float64),
            "loss": -np.log(np.maximum(p_true, np.finfo(np.float32).tiny)),
        }
    ).sort_values("loss", ascending=False, kind="stable")
    again = found["sequence"].ne("") & found.duplicated(["subject", "sequence"])
    found = found[~again].head(count).reset_index(drop=True)
    found.insert(0, "rank", np.arange(1, len(found) + 1))
    return found


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


def first_layer(model: nn.Module) -> np.ndarray:
    """float32 (K, 1, h, w): a copy of the weights of the first convolution of ``model``, which sees pixels.

    Raises DataError where the network has no convolution.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.weight.detach().cpu().numpy().copy()
    raise DataError(f"{type(model).__name__} has no convolution whose filters could be shown")


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
