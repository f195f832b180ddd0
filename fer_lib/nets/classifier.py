"""What all classifiers of single pictures have in common: the chain of layers, its blocks, its first weights,
and the standardisation of pictures; and evaluation that leaves a network unchanged.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar

import torch
from torch import nn

from ferbook.errors import ParameterError


class Classifier(nn.Module):
    """Layers one after the other, from float pictures (B, 1, H, W) in [0, 1] to logits (B, ``n_classes``).

    A child registers its layers in the order in which they are applied, each a module that does not change
    its input, so that forward hooks see every activation. The first standardises the pictures; the last is
    the ``nn.Linear`` called ``output``, whose input are the picture's **features**.

    Attributes
    ----------
    arguments : dict
        The arguments of the constructor, so that a network can be built again from a record.
    any_size : bool
        Whether the network accepts pictures of every size whose sides are multiples of 8, whatever ``size``
        it was built for; the others accept squares of ``size`` pixels only.
    smallest : int
        Smallest side in pixels.
    peak_share : float
        Its peak learning rate relative to that of the residual net: with one rate for all, rates would be
        compared instead of networks. Those of ``residual``, ``zhu`` and ``vgg`` were selected on validation
        pictures of ``wild`` at 32 pixels in 12 epochs, from seeds that no chapter uses by default;
        ``zero_bias`` and ``breuer`` have, for a rate of 0.1, that of the chapter ``training``. At 0.1 the
        zero-bias CNN hardly learns.

    Raises
    ------
    ParameterError
        ``size`` is not a multiple of 8 from ``smallest`` on, or ``dropout`` is not a proportion; in a forward
        pass, pictures have a size that the network does not accept.
    """

    any_size: ClassVar[bool] = False
    smallest: ClassVar[int] = 8
    peak_share: ClassVar[float] = 1.0

    output: nn.Linear

    def __init__(self, n_classes: int, size: int, dropout: float, **further: object) -> None:
        super().__init__()
        if not self._fits(size):
            raise ParameterError(f"size {size}: give a multiple of 8, at least {self.smallest}")
        if not 0 <= dropout <= 1:
            raise ParameterError(f"dropout {dropout}: give a share from 0 to 1")
        self.arguments = {"n_classes": n_classes, "size": size, "dropout": dropout, **further}

    @classmethod
    def _fits(cls, side: int) -> bool:
        return side >= cls.smallest and side % 8 == 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self._check(pictures)
        for layer in self.children():
            pictures = layer(pictures)
        return pictures

    def _check(self, pictures: torch.Tensor) -> None:
        size, sides = self.arguments["size"], pictures.shape[2:]
        fits = all(map(self._fits, sides)) if self.any_size else sides == (size, size)
        if pictures.ndim != 4 or pictures.shape[1] != 1 or not fits:
            shape = f"(B, 1, {size}, {size})"
            if self.any_size:
                shape = f"(B, 1, H, W) with sides that are multiples of 8, at least {self.smallest},"
            raise ParameterError(
                f"this {type(self).__name__} was built for pictures {shape} and was given "
                f"{tuple(pictures.shape)}; give another size, or build it with this one"
            )


def add_blocks(
    network: Classifier, filters: Sequence[int], kernel: int, *, bias: bool = True, last_pool: int = 2
) -> None:
    """Add ``conv1``, ``relu1``, ``pool1``, ``conv2`` … to ``network``: for each number of ``filters`` a
    convolution that preserves the size of a map, ReLU and 2×2 max pooling, the last over ``last_pool``
    pixels.
    """
    for number, (before, width) in enumerate(pairwise((1, *filters)), start=1):
        pool = last_pool if number == len(filters) else 2
        network.add_module(f"conv{number}", nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=bias))
        network.add_module(f"relu{number}", nn.ReLU())
        network.add_module(f"pool{number}", nn.MaxPool2d(pool))


# Standard deviation of the first weights of ``output``: all classes start about equally likely, as in
# Krizhevsky et al. 2012.
OUTPUT_SPREAD = 0.01


# After ReLU, the largest of four normal values with mean square 1 has mean square 1.55 if they are
# independent and 0.5 if equal. With 2, the 5×5 network of 48 pixels diverged at a learning rate of 0.03 at
# which it learned with 1.
GAIN_BEFORE_MAX_POOLING = 1.0


@torch.no_grad()
def initialise_for_relu(
    model: Classifier, generator: torch.Generator | None = None, *, gain: float = 2.0
) -> None:
    """Draw the weights of ``model`` as He et al. 2015 (arXiv 1502.01852, eq. 10) do for layers with ReLU.

    Normal with variance ``gain``/fan-in, but ``OUTPUT_SPREAD`` in the layer ``output``, which no ReLU
    follows; biases zero. Batch normalisation starts as the identity, as torch builds it. From ``generator``,
    or from torch's global one.

    The gain 2 compensates for the half of a signal's mean square that ReLU removes. 2×2 max pooling after it
    restores some of it, so networks with max pooling after each ReLU and no normalisation use
    ``GAIN_BEFORE_MAX_POOLING``.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = math.prod(layer.weight.shape[1:])
            spread = OUTPUT_SPREAD if layer is model.output else math.sqrt(gain / fan_in)
            draw_normal(layer.weight, spread, generator)
            if layer.bias is not None:
                layer.bias.zero_()


def draw_normal(weight: torch.Tensor, spread: float, generator: torch.Generator | None) -> None:
    """Fill ``weight`` with normal numbers of mean 0 and standard deviation ``spread``.

    Not on the device ``meta``, on which a network is built for its shapes alone: torch would import a
    compiler there, which takes two seconds.
    """
    if not weight.is_meta:
        weight.normal_(0, spread, generator=generator)


# Added to a picture's standard deviation, in grey values of [0, 1]: a constant picture remains constant, and
# noise is not amplified.
FLOOR = 0.05


class Sum(nn.Module):
    """The sum of two tensors of one shape, as a module, so that hooks see both addends and the sum."""

    def forward(self, branch: torch.Tensor, shortcut: torch.Tensor) -> torch.Tensor:
        return branch + shortcut


class PictureStandardisation(nn.Module):
    """Standardise each picture: subtract its mean, divide by its standard deviation plus ``FLOOR``.

    Float (B, 1, H, W) in and out; no parameters. A change of a picture's brightness cancels, a change of its
    contrast nearly so.
    """

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        deviation, mean = torch.std_mean(pictures, dim=(1, 2, 3), correction=0, keepdim=True)
        return (pictures - mean) / (deviation + FLOOR)


def own_autocast(device: str, dtype: torch.dtype | None = None) -> torch.autocast:
    """Return a region of mixed precision in ``dtype``, or of none, on the kind of ``device``, whatever
    surrounds it.

    Without torch's cache of cast weights, which is emptied only at the end of the outermost region: inside a
    caller's it would contain weights from before a step.
    """
    return torch.autocast(device, dtype, enabled=dtype is not None, cache_enabled=False)


@contextmanager
def evaluating(model: nn.Module, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Put ``model`` in evaluation mode without gradients; afterwards each module is in its previous mode.

    Convolutions and products are computed in ``dtype``, or in the type of the weights: a caller's autocast
    region, and the weights that it has cast before, have no effect inside. Meanwhile the weights of the
    convolutions are copies in the memory format that processors read fastest, the channels of a pixel side by
    side, and so are the maps that they compute: on a CPU max pooling then takes a tenth of the time. Sums are
    added in another order, so that float32 results differ in the last bits.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters(), torch.zeros(())).device.type
    lay = [(w, w.data) for w in model.parameters() if w.ndim == 4 and device in ("cpu", "cuda")]
    # Tensors made in inference mode would neither carry a version nor, later, gradients.
    with torch.inference_mode(False), torch.no_grad(), own_autocast(device, dtype):
        try:
            model.eval()
            for weight, before in lay:
                weight.data = before.clone(memory_format=torch.channels_last)
            yield
        finally:
            for weight, before in lay:
                weight.data = before
            for module, mode in modes:
                module.training = mode
