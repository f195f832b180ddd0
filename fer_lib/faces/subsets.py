"""Shares of a face set: how few pictures stand for all, drawn so that a larger draw holds the smaller."""

from collections.abc import Mapping

import numpy as np

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import ParameterError


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
    them where there is room; of one ``seed`` those of a smaller count are among those of a larger one.
    """
    return np.sort(np.concatenate([_order(faces, name, seed)[:count] for name, count in counts.items()]))


def _order(faces: FaceSet, split: str, seed: int) -> np.ndarray:
    """int64: the rows of ``split`` at random, but the first of each emotion at the head."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(np.flatnonzero((faces.table["split"] == split).to_numpy()))
    again = faces.table["emotion"].iloc[rows].duplicated().to_numpy()
    return np.concatenate([rows[~again], rows[again]])
