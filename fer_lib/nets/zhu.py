"""A CNN of the type that Zhu, Fan and Yuan (2019, arXiv 1904.09737) explain."""

import torch
from torch import nn

from fer_lib.nets.classifier import (
    GAIN_BEFORE_MAX_POOLING,
    Classifier,
    PictureStandardisation,
    add_blocks,
    initialise_for_relu,
)

FILTERS = (32, 64, 128)
DENSE_NEURONS = 256


class ZhuCNN(Classifier):
    """Three blocks of 3×3 convolution, ReLU and 2×2 max pooling, one dense layer of 256 neurons.

    Takes float pictures (B, 1, ``size``, ``size``) in [0, 1] and returns logits (B, ``n_classes``); any
    ``size`` that is a multiple of 8.

    Only the paper's abstract is at hand. It says that a CNN learns expressions and that the extremum of each
    feature map is projected to pixels by deconvolution, which convolutions, ReLU and max pooling in one
    chain allow. **Every figure of this structure is ours** (filters, sizes, dense layer, dropout,
    standardisation, initialisation: normal, variance 1/fan-in): it stands for the type, a small plain CNN,
    and not for the paper's network.

    ``dropout`` acts on the dense layer's input. Layers, in order: ``standardise``, ``conv1``, ``relu1``,
    ``pool1``, ``conv2``, ``relu2``, ``pool2``, ``conv3``, ``relu3``, ``pool3``, ``flatten``, ``dropout``,
    ``dense``, ``relu4``, ``output``. Raises ParameterError as ``Classifier`` says.
    """

    def __init__(
        self,
        n_classes: int,
        size: int = 48,
        *,
        dropout: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_classes, size, dropout)
        self.standardise = PictureStandardisation()
        add_blocks(self, FILTERS, kernel=3)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(FILTERS[-1] * (size // 8) ** 2, DENSE_NEURONS)
        self.relu4 = nn.ReLU()
        self.output = nn.Linear(DENSE_NEURONS, n_classes)
        initialise_for_relu(self, generator, gain=GAIN_BEFORE_MAX_POOLING)
