"""The networks by name, and what one picture costs them."""

from importlib import import_module

import torch
from torch import nn

from fer_lib.names import NETWORKS
from fer_lib.nets.classifier import Classifier, evaluating
from ferbook.errors import ParameterError, require_name


def network_class(name: str) -> type[Classifier]:
    """The network called ``name``. Imported when it is asked for: a chapter depends on the networks that it
    uses, not on all. Raises ParameterError for an unknown name.
    """
    require_name("network", name, NETWORKS)
    own, module = NETWORKS[name]
    return getattr(import_module(f"fer_lib.nets.{module}"), own)


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
    network = network_class(name)
    if dropout is not None:
        options["dropout"] = dropout
    try:
        return network(n_classes, size, **options)
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
