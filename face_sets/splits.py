"""Training, validation and test people where a set has no official split; and random draws of pictures, of
which a larger one contains the smaller.
"""

import warnings
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from face_sets.faceset import SPLITS, FaceSet
from ferbook.errors import DataError, ParameterError

_FOLDS = 5
"""One fold is the test split, another the validation split, the other three are trained on."""

ATTEMPTS = 20
"""Seeds that ``split_people`` tries, and of each every choice of two folds."""


def split_people(subject: Sequence[str], emotion: Sequence[str], seed: int = 0) -> np.ndarray:
    """Divide people into training, validation and test: about 60, 20 and 20 % of the pictures.

    Each person is in one split. The proportions of the emotions are as equal as whole people allow, and every
    emotion that three people show is in every split, if one of ``ATTEMPTS`` seeds allows it; otherwise the
    division that misses the fewest is used.

    Parameters
    ----------
    subject
        (N,) person of each picture; an empty name counts as a separate person.
    emotion
        (N,) emotion of each picture.
    seed
        Equal arguments give equal splits.

    Returns
    -------
    np.ndarray
        (N,) ``train``, ``valid`` or ``test``.

    Raises
    ------
    DataError
        Fewer than three people.
    """
    people, emotion = _people(subject), np.asarray(emotion, dtype=object)
    shown_by = pd.Series(people).groupby(emotion).nunique()
    possible = np.isin(emotion, shown_by.index[shown_by >= len(SPLITS)])
    target = len(SPLITS) * len(np.unique(emotion[possible]))
    best, most = np.array([], dtype=object), -1
    for attempt in range(ATTEMPTS):
        folds = _folds(people, emotion, (seed + attempt) % 2**32)
        for test, valid in permutations(range(len(np.unique(folds))), 2):
            splits = _named(folds, test, valid)
            there = len(np.unique(emotion[possible] + "\0" + splits[possible]))
            if there > most:
                best, most = splits, there
            if there == target:
                return best
    return best


def _people(subject: Sequence[str]) -> np.ndarray:
    return np.array([name or f"\0{row}" for row, name in enumerate(subject)], dtype=object)


def _folds(people: np.ndarray, emotion: Sequence[str], seed: int) -> np.ndarray:
    """(N,) fold numbers, from 0; of fewer people than folds each is one."""
    distinct, groups = np.unique(people, return_inverse=True)
    if len(distinct) < len(SPLITS):
        raise DataError(f"{len(distinct)} people cannot be divided into three splits; at least 3 are needed")
    if len(distinct) < _FOLDS:
        order = np.random.default_rng(seed).permutation(len(distinct))
        return np.argsort(order, kind="stable")[groups]
    labels = np.unique(np.asarray(emotion, dtype=object), return_inverse=True)[1]
    if np.bincount(labels).max() < _FOLDS:
        labels = np.zeros_like(labels)  # too few of each to keep shares alike
    # Not at the top: commands that render a face need no scikit-learn.
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.empty(len(people), int)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds cannot be in every one; the table of the splits shows it.
        warnings.filterwarnings("ignore", message="The least populated class")
        parts = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(labels, labels, groups)
        for number, (_, rows) in enumerate(parts):
            folds[rows] = number
    return folds


def _named(folds: np.ndarray, test: int, valid: int) -> np.ndarray:
    return np.array(["train", "test", "valid"], dtype=object)[(folds == test) + 2 * (folds == valid)]


def at_most(faces: FaceSet, most: int, seed: int = 0) -> FaceSet:
    """Draw at most ``most`` training pictures, and a third as many (rounded up) for validation; 0 takes all.

    The order of the set remains. Raises ParameterError where ``most`` is negative or 1.
    """
    if most < 0 or most == 1:
        raise ParameterError(f"most is {most}; give 0 for all training pictures, or at least 2")
    if not most:
        return faces
    return faces.select(random_rows(faces, {"train": most, "valid": -(-most // 3), "test": len(faces)}, seed))


def random_rows(faces: FaceSet, counts: Mapping[str, int], seed: int) -> np.ndarray:
    """Draw rows of ``faces`` at random, at most ``counts`` of each split.

    Every class is among them as far as ``counts`` allows. With one ``seed``, a smaller draw is part of a
    larger one.

    Returns
    -------
    np.ndarray
        int64 row numbers, ascending.
    """
    return np.sort(np.concatenate([_order(faces, name, seed)[:count] for name, count in counts.items()]))


def _order(faces: FaceSet, split: str, seed: int) -> np.ndarray:
    """int64: the rows of ``split`` at random, but the first of each emotion at the head."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(np.flatnonzero((faces.table["split"] == split).to_numpy()))
    again = faces.table["emotion"].iloc[rows].duplicated().to_numpy()
    return np.concatenate([rows[~again], rows[again]])
