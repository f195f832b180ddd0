"""Plain CNNs of blocks: convolution, ReLU and max pooling in one chain, as deconvolution requires."""

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
    ``size`` that is a multiple of 8. A child defines the number of ``filters`` of ``kernel`` × ``kernel``
    pixels in each block, the ``dense_neurons``, and the factors of ``dropout`` at the input of ``dense`` and
    of ``output`` (``dropped``).

    Layers, in order: ``standardise``, ``conv1``, ``relu1``, ``pool1``, ``conv2``, ``relu2``, ``pool2``,
    ``conv3``, ``relu3``, ``pool3``, ``flatten``, ``dropout1``, ``dense``, ``relu4``, ``dropout2``,
    ``output``. First weights are normal with variance 1/fan-in. Raises ParameterError as ``Classifier``.
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


class BreuerKimmelCNN(BlockCNN):
    """The CNN of Breuer and Kimmel (2017, arXiv 1705.01842): three blocks of 5×5 convolution, ReLU and 2×2
    max pooling, one dense layer of 512 neurons.

    Blocks, filters and dense neurons are those reported by papers that cite this one. Its input size could
    not be verified: 48 is that of FER2013, and any multiple of 8 fits. The padding that preserves a map's
    size, the standardisation of each picture and the initialisation (normal, variance 1/fan-in) are ours.

    ``dropout`` acts on the input of ``output``, and half of it on the maps after the last pooling: 0.5 and
    0.25, as remembered from the paper, unverified.
    """

    peak_share = 0.3
    filters = (64, 128, 256)
    kernel = 5
    dense_neurons = 512
    dropped = (0.5, 1)


class ZhuCNN(BlockCNN):
    """A CNN of the type that Zhu, Fan and Yuan (2019, arXiv 1904.09737) explain: three blocks of 3×3
    convolution, ReLU and 2×2 max pooling, one dense layer of 256 neurons.

    Only the paper's abstract is available to us. It says that a CNN learns expressions and that the extremum
    of each feature map is projected to pixels by deconvolution, which convolutions, ReLU and max pooling in
    one chain allow. **Every number of this structure is ours** (filters, sizes, dense layer, dropout,
    standardisation, initialisation: normal, variance 1/fan-in): it represents the type, a small plain CNN,
    and not the paper's network.

    ``dropout`` acts on the dense layer's input.
    """

    peak_share = 0.5
    filters = (32, 64, 128)
    kernel = 3
    dense_neurons = 256
    dropped = (1, 0)
