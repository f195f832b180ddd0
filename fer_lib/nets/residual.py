"""A compact residual network for faces of 48 pixels: the suite's own, after He et al. (2016, arXiv
1512.03385).
"""

from itertools import pairwise

import torch
from torch import nn

from fer_lib.nets.classifier import Classifier, PictureStandardisation, Sum, initialise_for_relu


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch normalisation, and a shortcut; ReLU after their sum.

    Float (B, ``before``, H, W) in; (B, ``width``, H/``stride``, W/``stride``) out, rounded up. Where the
    shape changes, the shortcut is a mean over ``stride`` × ``stride`` pixels and a 1×1 convolution with batch
    normalisation (He et al. 2019, arXiv 1812.01187, ResNet-D): no pixel is skipped. Elsewhere it is the
    identity.
    """

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.add_module("pool", nn.AvgPool2d(stride, ceil_mode=True))
        if stride > 1 or before != width:
            self.shortcut.add_module("conv", nn.Conv2d(before, width, 1, bias=False))
            self.shortcut.add_module("norm", nn.BatchNorm2d(width))
        self.sum = Sum()
        self.relu2 = nn.ReLU()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        branch = self.relu1(self.norm1(self.conv1(maps)))
        branch = self.norm2(self.conv2(branch))
        return self.relu2(self.sum(branch, self.shortcut(maps)))


class ResidualNet(Classifier):
    """A 5×5 convolution of stride 2, stages of residual blocks, the mean of each map, and the output layer.

    Takes float pictures (B, 1, H, W) in [0, 1] with sides that are multiples of 8 from 16 on, and returns
    logits (B, ``n_classes``). Stage i has ``depths[i]`` blocks of ``widths[i]`` filters; each stage but the
    first halves the maps. At 48 pixels the default's stages see 24×24, 12×12 and 6×6 values per map. ``size``
    only says what the network is meant for: the pictures may grow while it is trained. ``dropout`` acts on
    the input of ``output``. The initialisation is that of He et al. 2015.

    Layers, in order: ``standardise``, ``conv1``, ``norm1``, ``relu1``, ``stage1`` …, ``pool``, ``flatten``,
    ``dropout``, ``output``; a stage is a sequence of ``ResidualBlock``. Raises ParameterError as
    ``Classifier``.
    """

    any_size = True
    smallest = 16

    def __init__(
        self,
        n_classes: int,
        size: int = 48,
        *,
        dropout: float = 0.2,
        widths: tuple[int, ...] = (64, 128, 256),
        depths: tuple[int, ...] = (1, 1, 1),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_classes, size, dropout, widths=list(widths), depths=list(depths))
        self.standardise = PictureStandardisation()
        self.conv1 = nn.Conv2d(1, widths[0], 5, stride=2, padding=2, bias=False)
        self.norm1 = nn.BatchNorm2d(widths[0])
        self.relu1 = nn.ReLU()
        for number, ((before, width), depth) in enumerate(
            zip(pairwise((widths[0], *widths)), depths, strict=True), start=1
        ):
            first = ResidualBlock(before, width, stride=1 if number == 1 else 2)
            rest = (ResidualBlock(width, width) for _ in range(depth - 1))
            self.add_module(f"stage{number}", nn.Sequential(first, *rest))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], n_classes)
        initialise_for_relu(self, generator)
