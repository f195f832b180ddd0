"""Answers about clips without a recurrent network: linear support vector machines on one vector per clip, the largest class, guesses.

Each clip is answered by a machine that never saw its subject. Scaling and weights come from the training clips of a fold alone, the penalty from its
validation subjects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score
from sklearn.svm import SVC

from fer_lib.errors import DataError, ParameterError
from fer_lib.faces.clips import Clips
from fer_lib.learn.clip_study import ClipFold, require_apart

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths C of the penalty that are tried on the validation subjects."""


@dataclass(frozen=True, eq=False)
class ClipAnswers:
    """One answer per clip and seed, from whoever never saw the clip's subject.

    ``probabilities`` float32 (seeds, C, classes), hard: 1 for the answer, 0 for the others; NaN for clips that no fold tests. ``table``: one row
    per fold with ``fold`` (from 0), ``subject`` (tested; several separated by commas), ``clips`` (tested), ``absent`` (classes without a training clip, which are never
    answered), and, of support vector machines, ``strength``, ``valid_score`` and, where several were given, ``features``.
    """

    table: pd.DataFrame
    probabilities: np.ndarray


def linear_answers(
    features: np.ndarray | Mapping[str, np.ndarray],
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> ClipAnswers:
    """Linear support vector machines on ``features`` (C, F), one per fold and pair of classes.

    Features are standardised by the training clips (one that is the same in all of them becomes 0) and divided by √F, so that one set of ``strengths`` serves
    vectors of every length. Clips count by the inverse of their class's frequency. The strength is the one with the largest mean recall of the classes that
    the validation clips show, the smallest of equals; those clips are not learned from. Of several ``features``, given by their names, each fold takes those with the
    largest recall too, of equals the first, and the table names them in ``features``.

    Raises DataError where features, clips and folds do not fit, a value is not finite, somebody is on two sides of a fold, a clip is tested twice or a fold has
    fewer than two classes to learn from; ParameterError for no features and for a strength that is not positive.
    """
    named = features if isinstance(features, Mapping) else {"": features}
    if not named:
        raise ParameterError("no features to choose from; give at least one array (clips, features)")
    if not strengths or min(strengths) <= 0:
        raise ParameterError(f"strengths {tuple(strengths)}: give at least one C, all above 0")
    named = {name: _checked(given, clips, name) for name, given in named.items()}
    labels = _labels(clips, classes, folds)
    answers = np.full((1, len(labels)), -1)
    found = []
    for number, (train, valid, test) in enumerate(folds):
        if len(np.unique(labels[train])) < 2:
            raise DataError(
                f"fold {number} has training clips of {classes[labels[train[0]]]!r} only; take more people or more classes"
            )
        best = -1.0
        for name, given in named.items():
            scaled = _standardised(given, train)
            kernel = scaled @ scaled[train].T
            for strength in sorted(strengths):
                machine = SVC(C=strength, kernel="precomputed", class_weight="balanced")
                machine.fit(kernel[train], labels[train])
                score = mean_recall(labels[valid], machine.predict(kernel[valid]))
                if score > best:
                    best, chosen = score, {"strength": strength, "valid_score": score}
                    chosen |= {"features": name} if name else {}
                    answers[0, test] = machine.predict(kernel[test])
        found.append(chosen)
    table = _folds(clips, labels, classes, folds).join(pd.DataFrame(found))
    return ClipAnswers(table, _hard(answers, len(classes)))


def majority_answers(clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]) -> ClipAnswers:
    """Always the class with the most training clips of the fold, of equals the first of ``classes``. Raises DataError as ``linear_answers``."""
    labels = _labels(clips, classes, folds)
    answers = np.full((1, len(labels)), -1)
    for train, _, test in folds:
        answers[0, test] = np.bincount(labels[train], minlength=len(classes)).argmax()
    return ClipAnswers(_folds(clips, labels, classes, folds), _hard(answers, len(classes)))


def chance_answers(
    clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold], seeds: Sequence[int]
) -> ClipAnswers:
    """Every class as likely as any other, drawn anew from each of ``seeds``. Raises DataError as ``linear_answers``."""
    labels = _labels(clips, classes, folds)
    drawn = [np.random.default_rng(seed).integers(len(classes), size=len(labels)) for seed in seeds]
    tested = np.isin(np.arange(len(labels)), np.concatenate([test for _, _, test in folds]))
    answers = np.where(tested, np.array(drawn), -1)
    return ClipAnswers(_folds(clips, labels, classes, folds), _hard(answers, len(classes)))


def mean_recall(labels: np.ndarray, answers: np.ndarray) -> float:
    """Mean over the classes in ``labels`` (N,) of the share of their clips that ``answers`` (N,) name rightly."""
    return float(recall_score(labels, answers, labels=np.unique(labels), average="macro"))


def _standardised(features: np.ndarray, train: np.ndarray) -> np.ndarray:
    mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
    # What is the same in all training clips says nothing, and may differ by rounding only.
    spread = np.where(spread > 1e-7 * np.abs(features[train]).max(axis=0), spread, np.inf)
    return (features - mean) / (spread * np.sqrt(features.shape[1]))


def _hard(answers: np.ndarray, classes: int) -> np.ndarray:
    """``answers`` (seeds, C) as probabilities; NaN for -1."""
    probabilities = np.eye(classes, dtype=np.float32)[answers]
    probabilities[answers < 0] = np.nan
    return probabilities


def _folds(
    clips: Clips, labels: np.ndarray, classes: tuple[str, ...], folds: Sequence[ClipFold]
) -> pd.DataFrame:
    rows = []
    for number, (train, _, test) in enumerate(folds):
        present = set(labels[train].tolist())
        rows.append(
            {
                "fold": number,
                "subject": ", ".join(sorted(set(clips.subjects[test].tolist()))),
                "clips": len(test),
                "absent": ", ".join(name for code, name in enumerate(classes) if code not in present),
            }
        )
    return pd.DataFrame(rows)


def _checked(features: np.ndarray, clips: Clips, name: str) -> np.ndarray:
    features = np.asarray(features, np.float64)
    called = f"features {name!r}" if name else "features"
    if features.ndim != 2 or len(features) != len(clips):
        raise DataError(
            f"{called} of shape {features.shape} for {len(clips)} clips; expected (clips, features) of the same clips"
        )
    wrong = np.argwhere(~np.isfinite(features))
    if len(wrong):
        clip, column = wrong[0]
        raise DataError(
            f"clip {clip}, feature {column} is {features[clip, column]}; expected a finite number"
        )
    return features


def _labels(clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]) -> np.ndarray:
    """int64 (C,): the classes of the clips that are on a side of a fold, -1 of the others. Raises DataError where ``folds`` leak."""
    require_apart(clips, folds)
    used = np.unique(np.concatenate([part for fold in folds for part in fold]))
    labels = np.full(len(clips), -1, np.int64)
    labels[used] = clips.select(used).labels(classes)
    return labels
