"""A moving average of the weights, which is what is validated and kept.

Training pictures that are small at first and grow: early epochs cost less. And how far a training has come.
"""

import math
from copy import deepcopy

import torch
from fastai.callback.core import Callback
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ferbook.errors import ParameterError
from ferbook.steps import Advance


class Averaging(Callback):
    """Exponential moving average of weights and buffers (batch normalisation's statistics too), one update
    per step.

    The decay is the smaller of ``decay`` and (1+n)/(10+n) after n updates, so that a short training does not
    average its random start in. From before each validation to the end of that epoch the learner's model is
    the averaged one: validation, and whoever keeps weights there, sees the average; the optimiser goes on
    with the network itself.
    """

    order = 70  # after_epoch comes after that of Curve, which copies the weights that were validated

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def before_fit(self) -> None:
        self.trained: nn.Module = self.learn.model
        self.averaged = deepcopy(self.trained)
        self.updates = 0
        # Looked up once: in each step it would take longer than the averaging.
        pairs = zip(self._tensors(self.averaged), self._tensors(self.trained), strict=True)
        self.tensors = [(average, value) for average, value in pairs if value.is_floating_point()]

    @staticmethod
    def _tensors(model: nn.Module) -> list[torch.Tensor]:
        return [tensor.detach() for tensor in (*model.parameters(), *model.buffers())]

    def after_batch(self) -> None:
        if self.training:
            decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.updates else 0.0
            averages, values = (list(tensors) for tensors in zip(*self.tensors, strict=True))
            get_ema_multi_avg_fn(decay)(averages, values, self.updates)
            self.updates += 1

    def before_validate(self) -> None:
        self.learn.model = self.averaged.eval()

    def after_epoch(self) -> None:
        self.learn.model = self.trained


STEP = 8
"""Sides are multiples of it, as all networks here take them."""


def growing_side(epoch: int, epochs: int, start: int, end: int) -> int:
    """Side in pixels in ``epoch`` (from 0) of ``epochs``: a line from ``start`` to ``end``, in steps of 8;
    ``end`` in the last epoch.
    """
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
        self.dls.train.side = self.side(self.epoch, self.n_epoch)

    def side(self, epoch: int, epochs: int) -> int:
        """As ``growing_side`` says for these pictures."""
        return growing_side(epoch, epochs, self.start, self.end)


class Epochs(Callback):
    """Tells ``advance`` (of ``ferbook.steps``) batch by batch which part of an epoch is done, and which share
    of the training: where pictures grow, an epoch takes the longer the more pixels they have.
    """

    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self.advance = advance

    def before_fit(self) -> None:
        growth = next((each for each in self.learn.cbs if isinstance(each, Growth)), None)
        sides = [growth.side(epoch, self.n_epoch) if growth else 1 for epoch in range(self.n_epoch)]
        pixels = sum(side**2 for side in sides)
        self.shares = [side**2 / pixels for side in sides]

    def after_batch(self) -> None:
        if self.training:
            self.advance(1 / self.n_iter, self.shares[self.epoch] / self.n_iter)
