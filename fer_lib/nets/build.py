"""The networks by name, and what one picture costs them."""

import torch
from torch import nn

from fer_lib.nets.blocks import BreuerKimmelCNN, ZhuCNN
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.evaluating import evaluating
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.vgg import VGG
from fer_lib.nets.zero_bias import ZeroBiasCNN
from ferbook.errors import ParameterError, require_name

NETWORKS: dict[str, type[Classifier]] = {
    "zero_bias": ZeroBiasCNN,
    "breuer": BreuerKimmelCNN,
    "zhu": ZhuCNN,
    "vgg": VGG,
    "residual": ResidualNet,
}
"""The names of ``names.Network`` and the networks that they mean."""


def build_network(
    name: str, n_classes: int, size: int, *, dropout: float | None = None, **options: object
) -> Classifier:
    """The network called ``name``, for square pictures of ``size`` pixels and ``n_classes`` emotions.

    ``dropout=None`` takes the network's own. ``options`` are those of its constructor:
    ``bias`` and ``gain`` of the zero-bias CNN, ``widths`` of the VGG and the residual net, ``depths`` of the
    residual net, ``generator`` of all.

    Raises ParameterError, naming the network, for an unknown name and for a size or value that it does not
    take.
    """
    require_name("network", name, NETWORKS)
    if dropout is not None:
        options["dropout"] = dropout
    try:
        return NETWORKS[name](n_classes, size, **options)
    except (ParameterError, TypeError, ValueError, IndexError) as fault:
        raise ParameterError(f"network {name!r}: {fault}") from fault


def forward_macs(model: nn.Module, size: int) -> int:
    """Multiply-adds of the convolutions and dense layers of ``model`` for one picture of ``size`` × ``size``
    pixels.

    Counted while a black picture passes; the model's mode, weights and statistics stay as they are. Biases,
    normalisation, ReLU and pooling are not counted. Raises ParameterError where the network does not
    take that size.
    """
    from torch.utils.flop_counter import FlopCounterMode  # not at the top: it takes Triton with it

    with evaluating(model), FlopCounterMode(display=False) as operations:
        model(torch.zeros(1, 1, size, size, device=next(model.parameters()).device))
    return operations.get_total_flops() // 2
