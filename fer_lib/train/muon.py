"""The optimiser Muon for convolutional networks."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fer_lib.train.precision import computes_in_bf16
from ferbook.errors import ParameterError

RATE_SHARE = 0.2
"""Rate of an orthogonal step as a share of SGD's. Of .2 and .5 PublicTest of FER2013 preferred the first."""

DECAY = 0.02
"""Weight decay of an orthogonal step, which multiplies weights by 1 - rate · decay. No other was tried."""


class OwnFormat(TorchFunctionMode):
    """A context in which ``Tensor.bfloat16`` gives a copy in the tensor's own format."""

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        """Computes ``func`` as ever, that one method apart."""
        return args[0].clone() if func is torch.Tensor.bfloat16 else func(*args, **(kwargs or {}))


class Muon(torch.optim.SGD):
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for filters, SGD for the rest.

    The step of a convolution with more than one input map, as a matrix (out, in · height · width), has all
    its singular values brought near 1, so that directions in which the gradient is weak are learned as well.
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
        # Copies, since weights that lie channels last are no matrix in memory.
        self._matrices = [(each, nn.Parameter(each.detach().flatten(1).clone())) for each in filters]
        self._orthogonal = torch.optim.Muon([each for _, each in self._matrices], weight_decay=DECAY)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """A step of all weights, as of any optimiser of torch; the gradients of the filters are used up."""
        first = self.param_groups[0]
        self._orthogonal.param_groups[0].update(
            lr=RATE_SHARE * first["lr"], momentum=first["momentum"], nesterov=first["nesterov"]
        )
        moving = [(filters, matrix) for filters, matrix in self._matrices if filters.grad is not None]
        for filters, matrix in moving:
            matrix.copy_(filters.flatten(1))
            matrix.grad, filters.grad = filters.grad.flatten(1), None
        slower = self._matrices[0][0].device.type == "cpu" and not computes_in_bf16()
        with OwnFormat() if slower else nullcontext():
            self._orthogonal.step()
        for filters, matrix in moving:
            filters.copy_(matrix.view(filters.shape))
            matrix.grad = None
        return super().step(closure)
