"""A network small enough that every number of a deconvolution by hand fits into a figure."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

TOY_PICTURE = np.array(
    (
        (2, 1, 1, 3, 2, 0),
        (3, 1, 2, 1, 2, 2),
        (0, 0, 1, 1, 0, 3),
        (0, 3, 0, 0, 1, 1),
        (2, 2, 0, 3, 0, 1),
        (1, 1, 1, 2, 0, 1),
    ),
    np.float64,
)
FIRST_FILTER = np.array(((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), np.float64)
"""Lighter to the right."""

SECOND_FILTER = np.array(((2, -1), (1, 1)), np.float64)


def toy_network() -> nn.Sequential:
    """Convolution, ReLU, max pooling, convolution, ReLU: one filter each, the numbers above."""
    first, second = nn.Conv2d(1, 1, 3, bias=False), nn.Conv2d(1, 1, 2, bias=False)
    for layer, weights in ((first, FIRST_FILTER), (second, SECOND_FILTER)):
        layer.weight.data = torch.from_numpy(weights)[None, None]
    names = ("conv1", "relu1", "pool1", "conv2", "relu2")
    layers = (first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU())
    return nn.Sequential(OrderedDict(zip(names, layers, strict=True))).eval().requires_grad_(False)
