"""The throws of a variant."""

import numpy as np


def make(variant: int) -> dict[str, np.ndarray]:
    """``throws``: int (60,), from 1 to 6."""
    return {"throws": np.random.default_rng(variant).integers(1, 7, 60)}
