"""What the plain CNNs of blocks have in common: convolution, ReLU and max pooling in one chain, as
deconvolution takes it.
"""

from typing import ClassVar

import torch
from torch import nn

from fer_lib.nets.classifier import (
    GAIN_BEFORE_MAX_POOLING,
    Classifier,
    PictureStandardisation,
    add_blocks,
    initialise_for_relu,
)


class BlockCNN(Classifier):
    """Three blocks of convolution, ReLU and 2×2 max pooling, one dense layer, and the output.

    Takes float pictures (B, 1, ``size``, ``size``) in [0, 1] and returns logits (B, ``n_classes``); any
    ``size`` that is a multiple of 8. A child says how many ``filters`` of ``kernel`` × ``kernel`` pixels its
    blocks have, how many ``dense_neurons`` follow, and which shares of ``dropout`` act on the input of
    ``dense`` and of ``output`` (``dropped``).

    Layers, in order: ``standardise``, ``conv1``, ``relu1``, ``pool1``, ``conv2``, ``relu2``, ``pool2``,
    ``conv3``, ``relu3``, ``pool3``, ``flatten``, ``dropout1``, ``dense``, ``relu4``, ``dropout2``,
    ``output``. First weights are normal with variance 1/fan-in. Raises ParameterError as ``Classifier`` says.
    """

    filters: ClassVar[tuple[int, int, int]]
    kernel: ClassVar[int]
    dense_neurons: ClassVar[int]
    dropped: ClassVar[tuple[float, float]]

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
        add_blocks(self, self.filters, self.kernel)
        self.flatten = nn.Flatten()
        self.dropout1 = nn.Dropout(self.dropped[0] * dropout)
        self.dense = nn.Linear(self.filters[-1] * (size // 8) ** 2, self.dense_neurons)
        self.relu4 = nn.ReLU()
        self.dropout2 = nn.Dropout(self.dropped[1] * dropout)
        self.output = nn.Linear(self.dense_neurons, n_classes)
        initialise_for_relu(self, generator, gain=GAIN_BEFORE_MAX_POOLING)
