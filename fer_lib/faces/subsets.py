"""Shares of a face set: how few pictures stand for all, drawn so that a larger draw holds the smaller."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError, ParameterError


def share_of(faces: FaceSet, classes: tuple[str, ...], fraction: int, *, draw: int = 0) -> FaceSet:
    """``fraction`` per cent, 1 to 100, of the training and of the validation pictures of ``faces``, by the
    orders of ``nested_rows``.

    At least as many training pictures as classes, one of each; of the validation pictures at least one of
    each class that is there, and never more than training pictures. Raises DataError for a class without a
    training picture.
    """
    emotion = faces.table["emotion"].to_numpy()
    train = nested_rows(faces, "train", draw=draw)
    absent = [name for name in classes if name not in emotion[train]]
    if absent:
        raise DataError(
            f"face set {faces.name!r}: no training picture of {', '.join(absent)}; leave the class out"
        )
    count = max(-(-fraction * len(train) // 100), len(classes))
    valid = nested_rows(faces, "valid", draw=draw)
    classes_to_choose_by = len(set(emotion[valid]))
    chosen = min(max(-(-fraction * len(valid) // 100), classes_to_choose_by), count)
    return faces.select(np.sort(np.concatenate([train[:count], valid[:chosen]])))


def nested_rows(faces: FaceSet, split: str, *, draw: int = 0, by_person: bool = True) -> np.ndarray:
    """int64: the rows of ``split`` in an order whose first n are what ``draw`` takes as n pictures, so that
    draws of all sizes are nested.

    The order is random. With ``by_person`` all pictures of a person stand together: few pictures are then
    pictures of few people, as where someone begins to label. A picture of nobody known is a person of its
    own. The first picture of each emotion in this order is moved to its head, so that every class is there
    from the start; small shares are therefore more even in the classes than the set.
    """
    generator = np.random.default_rng(draw)
    rows = generator.permutation(np.flatnonzero((faces.table["split"] == split).to_numpy()))
    if by_person:
        subject = faces.table["subject"].to_numpy()[rows]
        who = pd.factorize(np.where(subject == "", [f"\0{row}" for row in rows], subject))[0]
        # People are numbered as they first appear in a random order; a stable sort keeps each one's pictures
        # together.
        rows = rows[np.argsort(who, kind="stable")]
    again = faces.table["emotion"].iloc[rows].duplicated().to_numpy()
    return np.concatenate([rows[~again], rows[again]])


def at_most(faces: FaceSet, most: int, seed: int = 0) -> FaceSet:
    """``faces`` with at most ``most`` training pictures, and a third as many (rounded up) for validation,
    drawn at random; 0 keeps all.

    The drawn pictures stand in the order of the set. Raises ParameterError where ``most`` is negative or 1.
    """
    if most < 0 or most == 1:
        raise ParameterError(f"most is {most}; give 0 for all training pictures, or at least 2")
    if not most:
        return faces
    return faces.select(random_rows(faces, {"train": most, "valid": -(-most // 3), "test": len(faces)}, seed))


def random_rows(faces: FaceSet, counts: Mapping[str, int], seed: int) -> np.ndarray:
    """int64: rows of ``faces``, ascending: at random, at most ``counts`` of each split, every class among
    them where there is room.
    """
    picked = [
        nested_rows(faces, split, draw=seed, by_person=False)[:count] for split, count in counts.items()
    ]
    return np.sort(np.concatenate(picked))
