"""The CNN of Breuer and Kimmel (2017, arXiv 1705.01842)."""

from fer_lib.nets.blocks import BlockCNN


class BreuerKimmelCNN(BlockCNN):
    """Three blocks of 5×5 convolution, ReLU and 2×2 max pooling, one dense layer of 512 neurons.

    Blocks, filters and dense neurons are those that papers citing this one report. Its input size is not
    among what we could verify: 48 is FER2013's own, and any multiple of 8 fits. The padding that keeps a
    map's size, the standardisation of each picture and the initialisation (normal, variance 1/fan-in) are
    ours.

    ``dropout`` acts on the input of ``output``, and half of it on the maps after the last pooling: 0.5 and
    0.25, as remembered from the paper, unverified.
    """

    filters = (64, 128, 256)
    kernel = 5
    dense_neurons = 512
    dropped = (0.5, 1)
