"""Who is learned from, who is selected on, who is tested on, where a set has no official split."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from fer_lib.errors import DataError

FOLDS = 5
"""The first fold is the test split, the second the validation split, the other three are learned from."""


def split_by_subject(subject: Sequence[str], emotion: Sequence[str], seed: int = 0) -> np.ndarray:
    """(N,) split names: about 60 % ``train``, 20 % ``valid``, 20 % ``test``, each person in one split only.

    The shares of the emotions are kept as alike as whole people allow, so each emotion comes into each
    split wherever three people show it. A picture whose ``subject`` is empty counts as a person of its
    own. Equal arguments give equal splits. Raises DataError for fewer than three people.
    """
    people = np.array([name or f"\0{row}" for row, name in enumerate(subject)], dtype=object)
    distinct, groups = np.unique(people, return_inverse=True)
    if len(distinct) < 3:
        raise DataError(f"{len(distinct)} people cannot be divided into three splits; at least 3 are needed")
    splits = np.full(len(people), "train", dtype=object)
    if len(distinct) < FOLDS:
        order = np.random.default_rng(seed).permutation(len(distinct))
        splits[groups == order[0]] = "test"
        splits[groups == order[1]] = "valid"
        return splits
    labels = np.unique(np.asarray(emotion, dtype=object), return_inverse=True)[1]
    if np.bincount(labels).max() < FOLDS:
        labels = np.zeros_like(labels)  # too few of each to keep shares alike
    with warnings.catch_warnings():
        # A class with fewer pictures than folds cannot be in every one; the table of the splits shows it.
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels, groups)
        (_, test), (_, valid) = next(folds), next(folds)
    splits[test] = "test"
    splits[valid] = "valid"
    return splits
