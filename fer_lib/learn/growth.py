"""Training pictures that are small at first and grow: early epochs cost less."""

import math

from fastai.callback.core import Callback

from fer_lib.errors import ParameterError

STEP = 8
"""Sides are multiples of it, as all networks here take them."""


def growing_side(epoch: int, epochs: int, start: int, end: int) -> int:
    """Side in pixels in ``epoch`` (from 0) of ``epochs``: a line from ``start`` to ``end``, in steps of 8; ``end`` in the last epoch."""
    share = epoch / (epochs - 1) if epochs > 1 else 1.0
    return end if share == 1 else STEP * math.floor((start + share * (end - start)) / STEP + 0.5)


class Growth(Callback):
    """Sets the side of the training pictures before each epoch; validation pictures keep theirs.

    Raises ParameterError where they would shrink or ``start`` is no multiple of 8.
    """

    def __init__(self, start: int, end: int) -> None:
        super().__init__()
        if start % STEP or not 0 < start <= end:
            raise ParameterError(
                f"start_size {start}: give a multiple of {STEP} up to the pictures' own side, {end}"
            )
        self.start, self.end = start, end

    def before_epoch(self) -> None:
        self.dls.train.side = growing_side(self.epoch, self.n_epoch, self.start, self.end)
