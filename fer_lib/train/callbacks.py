"""What happens beside the steps of a training: which loss is minimised and which validated, a moving average
of the weights, pictures that grow, and how far it has come.

Learning rates over a training, by the names that a recipe takes.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import get_args

import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import SchedCos, SchedNo, combined_cos
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fer_lib.names import Schedule
from ferbook.errors import ParameterError, require_name
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


class Objective(Callback):
    """The recipe's loss while training; ``validated``, plain cross-entropy, while validating, whatever was
    trained with.

    So the validation losses of trainings with different losses can be compared. A loss with
    ``needs_features`` is given the input of the network's layer ``output`` too.
    """

    def __init__(
        self, minimised: nn.Module, validated: Callable[..., torch.Tensor] = F.cross_entropy
    ) -> None:
        super().__init__()
        self.minimised, self.validated = minimised, validated
        self.hook: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self) -> None:
        self.learn.loss_func = self.minimised
        if getattr(self.minimised, "needs_features", False):
            self.hook = self.model.output.register_forward_pre_hook(self._keep)
            self.learn.loss_func = self._with_features

    def _keep(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.features = inputs[0]

    def _with_features(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.minimised(logits, labels, self.features)

    def before_validate(self) -> None:
        self.close()
        self.learn.loss_func = self.validated

    def after_fit(self) -> None:
        """A search for a rate ends within an epoch, before any validation."""
        self.before_validate()

    def close(self) -> None:
        """Take the hook off the network, which fastai has no event for where a training is interrupted."""
        if self.hook is not None:
            self.hook.remove()
        self.hook = self.features = None


def rate_of(schedule: Schedule, lr: float, warmup: float = 0.25) -> Callable[[float], float]:
    """The learning rate as a function of the share of all steps that is done, with its highest value ``lr``.

    ``constant`` as Khorrami et al. 2015; ``onecycle`` from ``lr``/25 up to ``lr`` in the share ``warmup`` of
    the steps, then down to nearly zero, along cosines; ``cosine`` from ``lr`` to zero. Raises ParameterError
    for any other name.
    """
    require_name("schedule", schedule, get_args(Schedule))
    match schedule:
        case "constant":
            return SchedNo(lr, lr)
        case "onecycle":
            return combined_cos(warmup, lr / 25, lr, lr / 1e5)
        case "cosine":
            return SchedCos(lr, 0.0)
