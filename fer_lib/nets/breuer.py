"""The CNN of Breuer and Kimmel (2017, arXiv 1705.01842)."""

import torch
from torch import nn

from fer_lib.nets.classifier import (
    GAIN_BEFORE_MAX_POOLING,
    Classifier,
    PictureStandardisation,
    add_blocks,
    initialise_for_relu,
)

FILTERS = (64, 128, 256)
DENSE_NEURONS = 512


class BreuerKimmelCNN(Classifier):
    """Three blocks of 5×5 convolution, ReLU and 2×2 max pooling, one dense layer of 512 neurons.

    Takes float pictures (B, 1, ``size``, ``size``) in [0, 1] and returns logits (B, ``n_classes``). Blocks,
    filters and dense neurons are those that papers citing this one report. Its input size is not among what
    we could verify: 48 is FER2013's own, and any multiple of 8 fits. The padding that keeps a map's size, the
    standardisation of each picture and the initialisation (normal, variance 1/fan-in) are ours.

    ``dropout`` acts on the input of ``output``, and half of it on the maps after the last pooling: 0.5 and
    0.25, as remembered from the paper, unverified.

    Layers, in order: ``standardise``, ``conv1``, ``relu1``, ``pool1``, ``conv2``, ``relu2``, ``pool2``,
    ``conv3``, ``relu3``, ``pool3``, ``flatten``, ``dropout1``, ``dense``, ``relu4``, ``dropout2``,
    ``output``. Raises ParameterError as ``Classifier`` says.
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
        add_blocks(self, FILTERS, kernel=5)
        self.flatten = nn.Flatten()
        self.dropout1 = nn.Dropout(dropout / 2)
        self.dense = nn.Linear(FILTERS[-1] * (size // 8) ** 2, DENSE_NEURONS)
        self.relu4 = nn.ReLU()
        self.dropout2 = nn.Dropout(dropout)
        self.output = nn.Linear(DENSE_NEURONS, n_classes)
        initialise_for_relu(self, generator, gain=GAIN_BEFORE_MAX_POOLING)
