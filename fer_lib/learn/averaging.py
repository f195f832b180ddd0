"""A moving average of the weights, which is what is validated and kept."""

import torch
from fastai.callback.core import Callback
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Averaging(Callback):
    """Exponential moving average of weights and buffers (batch normalisation's statistics too), one update per step.

    The decay is the smaller of ``decay`` and (1+n)/(10+n) after n updates, so that a short training does not
    average its random start in. From before each validation to the end of that epoch the learner's model is the averaged one:
    validation, and whoever keeps weights there, sees the average; the optimiser goes on with the network itself.
    """

    order = 70  # after_epoch comes after that of Curve, which copies the weights that were validated

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def before_fit(self) -> None:
        self.trained: nn.Module = self.learn.model
        self.updates = 0
        self.averaged = AveragedModel(self.trained, multi_avg_fn=self._average, use_buffers=True)

    def _average(self, averages: list[torch.Tensor], values: list[torch.Tensor], _: torch.Tensor) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        get_ema_multi_avg_fn(decay)(averages, values, self.updates)

    def after_batch(self) -> None:
        if self.training:
            self.averaged.update_parameters(self.trained)
            self.updates += 1

    def before_validate(self) -> None:
        self.learn.model = self.averaged.module
        self.learn.model.eval()

    def after_epoch(self) -> None:
        self.learn.model = self.trained
