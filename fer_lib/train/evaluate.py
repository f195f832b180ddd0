"""Networks' answers on test splits, scored: metrics with intervals, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import exact_copies, independent_groups
from fer_lib.stats.classification import accuracy, confusion
from fer_lib.stats.contrasts import TrainingScores, score_trainings
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from ferbook.errors import DataError
from ferbook.estimate import Estimate

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
    metrics = {
        "protocol_accuracy": bootstrap(
            cluster_sums(np.column_stack([right, weights]), clusters),
            value=float(right.sum()),
            draws=draws,
            seed=seed,
            of="clusters",
            n=len(right),
            unit="share",
            tolerance=RERUN_TOLERANCE,
        ),
        "test_accuracy_without_copies": accuracy(
            labels[fresh],
            predictions[fresh],
            clusters[fresh],
            draws=draws,
            seed=seed,
            tolerance=RERUN_TOLERANCE,
        ),
    }
    return Evaluation(pictures, pooled, metrics, confusion(labels, predictions, classes))


def score_on(
    pictures: FaceSet,
    classes: tuple[str, ...],
    table: pd.DataFrame,
    probabilities: np.ndarray,
    condition: Sequence[str],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> TrainingScores:
    """The trainings of ``table`` with their scores on ``pictures``, as ``stats.contrasts.score_trainings``;
    the bootstrap draws subjects, or groups of equal pictures.
    """
    labels, clusters = pictures.labels(classes), independent_groups(pictures)
    return score_trainings(table, probabilities, labels, clusters, condition, draws=draws, seed=seed)


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
