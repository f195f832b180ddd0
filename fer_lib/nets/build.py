"""Networks by name, and their number of operations for one picture."""

from importlib import import_module

import torch
from torch import nn

from fer_lib.names import NETWORKS
from fer_lib.nets.classifier import Classifier, evaluating
from ferbook.errors import ParameterError, require_name


def network_class(name: str) -> type[Classifier]:
    """Return the class of the network ``name``, imported only now: a chapter depends on the networks that it
    uses, not on all. Raises ParameterError for an unknown name.
    """
    require_name("network", name, NETWORKS)
    own, module = NETWORKS[name]
    return getattr(import_module(f"fer_lib.nets.{module}"), own)


def build_network(
    name: str, n_classes: int, size: int, *, dropout: float | None = None, **options: object
) -> Classifier:
    """Build a network by its name.

    Parameters
    ----------
    name : str
        One of ``names.NETWORKS``.
    n_classes : int
        Number of outputs.
    size : int
        Side of the square pictures in pixels.
    dropout : float, optional
        By default the network's own.
    **options
        Further arguments of its constructor: ``bias`` and ``gain`` of the zero-bias CNN, ``widths`` of the
        VGG and the residual net, ``depths`` of the residual net, ``generator`` of all.

    Returns
    -------
    Classifier

    Raises
    ------
    ParameterError
        For an unknown name, and for a size or value that the network does not accept; names the network.
    """
    network = network_class(name)
    if dropout is not None:
        options["dropout"] = dropout
    try:
        return network(n_classes, size, **options)
    except (ParameterError, TypeError, ValueError, IndexError) as fault:
        raise ParameterError(f"network {name!r}: {fault}") from fault


def forward_macs(model: nn.Module, size: int) -> int:
    """Count the multiply-adds of the convolutions and dense layers of ``model`` for one picture of ``size`` ×
    ``size`` pixels.

    They are counted while a black picture passes; mode, weights and statistics of the model do not change.
    Biases, normalisation, ReLU and pooling are not counted. Raises ParameterError if the network does not
    accept that size.
    """
    from torch.utils.flop_counter import FlopCounterMode  # not at the top: it imports Triton

    with evaluating(model), FlopCounterMode(display=False) as operations:
        model(torch.zeros(1, 1, size, size, device=next(model.parameters()).device))
    return operations.get_total_flops() // 2
