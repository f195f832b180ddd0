"""Which loss is minimised, and which one is validated.

Learning rates over a training, by the names that a recipe takes.
"""

from collections.abc import Callable
from typing import get_args

import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import SchedCos, SchedNo, combined_cos
from torch import nn
from torch.nn import functional as F

from fer_lib.names import Schedule
from ferbook.errors import require_name


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
