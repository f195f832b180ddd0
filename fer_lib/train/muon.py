"""The optimiser Muon for convolutional networks."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fer_lib.train.device import computes_in_bf16
from ferbook.errors import ParameterError

# Learning rate of an orthogonal step relative to SGD's. Of .2 and .5, PublicTest of FER2013 preferred the
# first.
RATE_SHARE = 0.2

# Weight decay of an orthogonal step, which multiplies weights by 1 - rate · decay. No other value was tried.
DECAY = 0.02


class OwnFormat(TorchFunctionMode):
    """A context in which ``Tensor.bfloat16`` returns a copy in the tensor's own format."""

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        """Call ``func`` unchanged, except for that one method."""
        return args[0].clone() if func is torch.Tensor.bfloat16 else func(*args, **(kwargs or {}))


class Muon(torch.optim.SGD):
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for filters, SGD for the rest.

    The step of a convolution with more than one input map, as a matrix (out, in · height · width), has all
    its singular values brought near one another (1, or the root of rows over columns where there are more of
    these), so that directions in which the gradient is weak are learned as well.
    ``torch.optim.Muon`` makes it, with the momentum of SGD, ``RATE_SHARE`` of its rate and the decay
    ``DECAY``. It computes in bfloat16; on a CPU that is slower in bfloat16 here in float32, since where
    bfloat16 is emulated a step would take longer than all other work of the training. All other weights (the
    first convolution of grey pictures, normalisations, dense layers) take the step of ``torch.optim.SGD``,
    whose arguments these are. Rate and momentum are those of the first parameter group.

    Raises ParameterError where no convolution has more than one input map.
    """

    def __init__(self, params: object, **options: object) -> None:
        super().__init__(params, **options)
        weights = [each for group in self.param_groups for each in group["params"]]
        filters = [each for each in weights if each.ndim == 4 and each.shape[1] > 1]
        if not filters:
            raise ParameterError(
                "muon acts on convolutions between maps, and this network has none; take sgd"
            )
        # The step of each as a matrix: weights that lie channels last are none in memory.
        self._steps = [(each, nn.Parameter(torch.zeros_like(each.flatten(1)))) for each in filters]
        self._orthogonal = torch.optim.Muon([each for _, each in self._steps], lr=1.0, weight_decay=0.0)
        self.device = filters[0].device

    @torch.no_grad()
    def step(self) -> None:
        """Make a step of all weights; it consumes the gradients of the filters."""
        first = self.param_groups[0]
        settings = {"momentum": first["momentum"], "nesterov": first["nesterov"]}
        self._orthogonal.param_groups[0].update(settings)
        for filters, matrix in self._steps:
            if filters.grad is None:
                matrix.grad = None
                continue
            matrix.grad = torch.empty_like(matrix) if matrix.grad is None else matrix.grad
            matrix.grad.copy_(filters.grad.flatten(1))
            filters.grad = None
        moving = [(filters, matrix) for filters, matrix in self._steps if matrix.grad is not None]
        slower = self.device.type == "cpu" and not computes_in_bf16()
        with OwnFormat() if slower else nullcontext():
            for _, matrix in self._steps:
                matrix.zero_()
            self._orthogonal.step()
        rate = RATE_SHARE * first["lr"]
        for filters, matrix in moving:
            filters.mul_(1 - rate * DECAY).add_(matrix.view(filters.shape), alpha=rate)
        super().step()
