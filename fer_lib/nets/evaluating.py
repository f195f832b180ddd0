"""Asking a network without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def own_autocast(device: str, dtype: torch.dtype | None = None) -> torch.autocast:
    """A region of mixed precision in ``dtype``, or of none, on the kind of ``device``, whatever is around it.

    Without torch's cache of cast weights, which is emptied where the outermost region ends only: inside a
    caller's it would hold weights from before a step.
    """
    return torch.autocast(device, dtype, enabled=dtype is not None, cache_enabled=False)


@contextmanager
def evaluating(model: nn.Module, dtype: torch.dtype | None = None) -> Iterator[None]:
    """``model`` in evaluation mode and without gradients; afterwards each module is in the mode that it was
    in.

    Convolutions and products are computed in ``dtype``, or in the type of the weights: a caller's autocast
    region, and the weights that it has cast before, do not reach inside.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters(), torch.zeros(())).device.type
    # Tensors made in inference mode would neither carry a version nor, later, gradients.
    with torch.inference_mode(False), torch.no_grad(), own_autocast(device, dtype):
        try:
            model.eval()
            yield
        finally:
            for module, mode in modes:
                module.training = mode
