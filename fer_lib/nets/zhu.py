"""A CNN of the type that Zhu, Fan and Yuan (2019, arXiv 1904.09737) explain."""

from fer_lib.nets.blocks import BlockCNN


class ZhuCNN(BlockCNN):
    """Three blocks of 3×3 convolution, ReLU and 2×2 max pooling, one dense layer of 256 neurons.

    Only the paper's abstract is at hand. It says that a CNN learns expressions and that the extremum of each
    feature map is projected to pixels by deconvolution, which convolutions, ReLU and max pooling in one
    chain allow. **Every figure of this structure is ours** (filters, sizes, dense layer, dropout,
    standardisation, initialisation: normal, variance 1/fan-in): it stands for the type, a small plain CNN,
    and not for the paper's network.

    ``dropout`` acts on the dense layer's input.
    """

    filters = (32, 64, 128)
    kernel = 3
    dense_neurons = 256
    dropped = (1, 0)
