"""What a network is to answer: one class per picture, or shares of a crowd's votes; and how much each class
weighs.
"""

import numpy as np

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError


def class_counts(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """int64 (C,): pictures of each class in the split ``train``. Raises DataError naming a class that is
    absent there.
    """
    counts = np.bincount(faces.split("train").labels(classes), minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        raise DataError(
            f"face set {faces.name!r}: no picture of {', '.join(absent)} in the split 'train', so the "
            "network could not learn it; leave the class out or take a fold that has it"
        )
    return counts


def balancing_weights(counts: np.ndarray) -> np.ndarray:
    """float32 (C,): N / (C · n_c), with which every class weighs the same; over all pictures the mean weight
    is one.
    """
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def vote_shares(faces: FaceSet, classes: tuple[str, ...], split: str = "train") -> np.ndarray:
    """float32 (n, C): the share of each class in the votes for ``classes`` of each picture of ``split``.

    From the columns ``vote_<emotion>``; what the crowd said beside ``classes`` is left out. Raises DataError
    where a column is absent, or a picture has no vote for any of the classes (it names the row in ``faces``).
    """
    columns = [f"vote_{name}" for name in classes]
    absent = [name for name in columns if name not in faces.table]
    if absent:
        raise DataError(
            f"face set {faces.name!r} has no column {', '.join(absent)}; the loss 'votes' needs a crowd's "
            "votes, as in game and ferplus"
        )
    rows = np.flatnonzero(faces.table["split"] == split)
    votes = faces.table[columns].to_numpy(np.float64)[rows]
    total = votes.sum(axis=1, keepdims=True)
    silent = rows[total[:, 0] == 0]
    if len(silent):
        raise DataError(
            f"face set {faces.name!r}, row {silent[0]}: no vote for any of {', '.join(classes)}; leave such "
            "pictures out or choose another loss"
        )
    return (votes / total).astype(np.float32)
