"""Throws of a die, and what another chapter reads of them."""

import numpy as np
from pydantic import BaseModel


class Throws(BaseModel):
    """How often each side showed, from 1 upwards."""

    counts: tuple[int, ...]


def throw(sides: int, times: int, seed: int) -> Throws:
    """Throw a fair die of so many ``sides``."""
    shown = np.random.default_rng(seed).integers(1, sides + 1, times)
    return Throws(counts=np.bincount(shown, minlength=sides + 1)[1:].tolist())
