"""Asking a network without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """``model`` in evaluation mode and without gradients; afterwards each module is in the mode that it was
    in.
    """
    modes = [(module, module.training) for module in model.modules()]
    # Tensors made in inference mode would neither carry a version nor, later, gradients.
    with torch.inference_mode(False), torch.no_grad():
        try:
            model.eval()
            yield
        finally:
            for module, mode in modes:
                module.training = mode
