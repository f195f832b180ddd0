"""The zero-bias CNN of Khorrami, Paine and Huang (2015, arXiv 1510.02969).

"The authors' code" here and in ``fer_lib.train`` is their repository
ifp-uiuc/do-neural-networks-learn-faus-iccvw-2015 with the library ifp-uiuc/anna that it uses.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.nets.classifier import Classifier, add_blocks, draw_normal

ZERO_BIAS_FILTERS = (64, 128, 256)
DENSE_NEURONS = 300


class LocalMeanRemoval(nn.Module):
    """Pictures in [0, 1] times two, minus the mean of the 5×5 pixels around each pixel.

    Float (B, 1, H, W) in and out. Outside the picture counts as black, as in the authors' code, so the two
    outermost rows and columns retain a part of their brightness. The division by local contrast that the
    authors describe had no effect in their code and is left out. No parameters.

    Exactly 0 where the 25 pixels are equal. A mean of 25 equal numbers is rounded, and only convolutions
    without biases follow, so that a rounding error would activate ReLUs and decide which of several maxima is
    the largest. Gradients are those of the difference everywhere.
    """

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        apart = 2 * (pictures - F.avg_pool2d(pictures, 5, stride=1, padding=2, count_include_pad=True))
        return apart - apart.detach().where(_even(F.pad(pictures.detach(), (2, 2, 2, 2))), 0)


def _even(pictures: torch.Tensor) -> torch.Tensor:
    """Return whether the 5×5 pixels of ``pictures`` (B, 1, H, W) around each pixel that has so many are
    equal: bool (B, 1, H − 4, W − 4). Each of the five rows is constant, and so is the column in their middle.
    """
    alike = pictures[..., 1:] == pictures[..., :-1]
    rows = alike[..., :-3] & alike[..., 1:-2] & alike[..., 2:-1] & alike[..., 3:]
    alike = (pictures[..., 1:, :] == pictures[..., :-1, :])[..., 2:-2]
    middle = alike[..., :-3, :] & alike[..., 1:-2, :] & alike[..., 2:-1, :] & alike[..., 3:, :]
    upper, lower = rows[..., :-4, :] & rows[..., 1:-3, :], rows[..., 3:-1, :] & rows[..., 4:, :]
    return upper & rows[..., 2:-2, :] & lower & middle


class ZeroBiasCNN(Classifier):
    """Three 5×5 convolutions without biases, max pooling per quadrant, one dense layer of 300 neurons.

    Takes float pictures (B, 1, ``size``, ``size``) in [0, 1] and returns logits (B, ``n_classes``). The
    paper's input standardisation is the first layer, so it cannot be forgotten, and runs where the network
    runs. ``size`` is 96 in the paper; any multiple of 8 fits, because the last pooling always takes the
    maximum of each quarter of the map (2×2 values per filter).

    Layers, in order: ``standardise``, ``conv1``, ``relu1``, ``pool1``, ``conv2``, ``relu2``, ``pool2``,
    ``conv3``, ``relu3``, ``pool3``, ``flatten``, ``dropout``, ``dense``, ``relu4``, ``output``. All are
    modules that work out of place, so forward hooks see every activation; the pooling switches are the
    arg-maxima of the inputs of ``pool1`` and ``pool2``.

    ``dropout`` acts on the dense layer's input: 0.5 is the paper's variant D, 0 the one without.
    ``bias=True`` adds biases, starting at zero, to the convolutions (an ablation; not the paper's network).
    Weights are normal with standard deviation k/sqrt(fan-in) and one k for the whole network: ``gain``, or
    drawn from U(0.2, 1.2) as in the authors' code. Signals shrink with the fifth power of k, so a network
    with a small one may remain at chance for a long time. For the dense layer the authors' code counts the 64
    pictures of a batch into the fan-in, which makes its first weights 8 times smaller than here. The dense
    layer's bias starts at one, the output's at zero. Random numbers come from ``generator``, or from torch's
    global one (``torch.manual_seed``).

    Raises ParameterError as ``Classifier``.
    """

    peak_share = 0.3

    def __init__(
        self,
        n_classes: int,
        size: int = 96,
        *,
        dropout: float = 0.5,
        bias: bool = False,
        gain: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_classes, size, dropout, bias=bias, gain=gain)
        self.standardise = LocalMeanRemoval()
        add_blocks(self, ZERO_BIAS_FILTERS, kernel=5, bias=bias, last_pool=size // 8)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(ZERO_BIAS_FILTERS[-1] * 2 * 2, DENSE_NEURONS)
        self.relu4 = nn.ReLU()
        self.output = nn.Linear(DENSE_NEURONS, n_classes)
        self._initialise(gain, generator)

    @torch.no_grad()
    def _initialise(self, gain: float | None, generator: torch.Generator | None) -> None:
        # On the CPU even if the network is only built for its shapes, on no device.
        k = 0.2 + torch.rand((), generator=generator, device="cpu").item() if gain is None else gain
        for layer in (self.conv1, self.conv2, self.conv3, self.dense, self.output):
            fan_in = math.prod(layer.weight.shape[1:])
            draw_normal(layer.weight, k / math.sqrt(fan_in), generator)
            if layer.bias is not None:
                layer.bias.fill_(1.0 if layer is self.dense else 0.0)
