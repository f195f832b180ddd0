"""Shares of a face set: how few pictures stand for all, drawn so that a larger draw holds the smaller."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError, ParameterError


def share_of(
    faces: FaceSet, classes: tuple[str, ...], fraction: int, *, draw: int = 0, least: int = 1
) -> FaceSet:
    """``fraction`` per cent of the training and of the validation pictures of ``faces``, by the orders of
    ``nested_rows``.

    At least ``least`` training pictures of each class, where the fraction is less than that; of the
    validation pictures at least one of each class that is there, and never more than training pictures.
    Raises DataError for a class with fewer than ``least`` training pictures.
    """
    if not 0 < fraction <= 100:
        raise ParameterError(f"a fraction of {fraction} per cent; give more than 0, at most 100")
    if least < 1:
        raise ParameterError(
            f"least is {least}; a class without a picture cannot be learned, give at least 1"
        )
    split = faces.table["split"].to_numpy()
    emotion = faces.table["emotion"].to_numpy()
    for name in classes:
        there = int(((split == "train") & (emotion == name)).sum())
        if there < least:
            raise DataError(
                f"face set {faces.name!r}: {there} training pictures of {name}, and a fraction of {fraction} "
                f"% needs {least}; leave the class out or ask for fewer per class"
            )
    train = nested_rows(faces, "train", draw=draw, least=least)
    count = max(-(-fraction * len(train) // 100), least * len(classes))
    valid = nested_rows(faces, "valid", draw=draw, least=1)
    classes_to_choose_by = len(set(emotion[valid]))
    chosen = min(max(-(-fraction * len(valid) // 100), classes_to_choose_by), count)
    return faces.select(np.sort(np.concatenate([train[:count], valid[:chosen]])))


def nested_rows(
    faces: FaceSet, split: str, *, draw: int = 0, least: int = 1, by_person: bool = True
) -> np.ndarray:
    """int64: the rows of ``split`` in an order whose first n are what ``draw`` takes as n pictures, so that
    draws of all sizes are nested.

    The order is random. With ``by_person`` all pictures of a person stand together: few pictures are then
    pictures of few people, as where someone begins to label. A picture of nobody known is a person of its
    own. The first ``least`` pictures of each emotion in this order are moved to its head, so that every class
    is there from the start; small shares are therefore more even in the classes than the set.
    """
    generator = np.random.default_rng(draw)
    rows = generator.permutation(np.flatnonzero((faces.table["split"] == split).to_numpy()))
    if by_person:
        subject = faces.table["subject"].to_numpy()[rows]
        who = pd.factorize(np.where(subject == "", [f"\0{row}" for row in rows], subject))[0]
        # People are numbered as they first appear in a random order; a stable sort keeps each one's pictures
        # together.
        rows = rows[np.argsort(who, kind="stable")]
    emotion = pd.Series(faces.table["emotion"].to_numpy()[rows])
    first = (emotion.groupby(emotion).cumcount() < least).to_numpy()
    return np.concatenate([rows[first], rows[~first]])


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
