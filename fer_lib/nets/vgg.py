"""The VGG with batch normalisation that Khaireddin and Chen (2021, arXiv 2105.03588) trained on FER2013."""

from itertools import pairwise

import torch
from torch import nn

from fer_lib.nets.classifier import Classifier, PictureStandardisation, initialise_for_relu


class VGG(Classifier):
    """Four stages of two 3×3 convolutions, each with batch normalisation and ReLU, and 2×2 max pooling.

    Takes float pictures (B, 1, H, W) in [0, 1] with sides that are multiples of 8 from 16 on, and returns
    logits (B, ``n_classes``). The stages have ``widths`` filters: 64, 128, 256, 512 as published. Each of the
    last maps is averaged and classified from its mean; the authors have two dense layers of 4,096 neurons
    after the maps instead, 25 million further parameters on 2×2 values per map. ``size`` only says what the
    network is meant for, 40 pixels by its authors.

    ``dropout`` acts on the input of ``output``. The initialisation is that of He et al. 2015.

    Layers, in order: ``standardise``, ``stage1`` … ``stage4``, ``pool``, ``flatten``, ``dropout``,
    ``output``; a stage consists of ``conv1``, ``norm1``, ``relu1``, ``conv2``, ``norm2``, ``relu2``,
    ``pool``. Raises ParameterError as ``Classifier``.
    """

    any_size = True
    smallest = 16
    peak_share = 0.1

    def __init__(
        self,
        n_classes: int,
        size: int = 40,
        *,
        dropout: float = 0.2,
        widths: tuple[int, int, int, int] = (64, 128, 256, 512),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_classes, size, dropout, widths=list(widths))
        self.standardise = PictureStandardisation()
        for number, (before, width) in enumerate(pairwise((1, *widths)), start=1):
            self.add_module(f"stage{number}", _stage(before, width))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], n_classes)
        initialise_for_relu(self, generator)


def _stage(before: int, width: int) -> nn.Sequential:
    stage = nn.Sequential()
    for number, filters in ((1, before), (2, width)):
        # No bias: the batch normalisation after it has one.
        stage.add_module(f"conv{number}", nn.Conv2d(filters, width, 3, padding=1, bias=False))
        stage.add_module(f"norm{number}", nn.BatchNorm2d(width))
        stage.add_module(f"relu{number}", nn.ReLU())
    stage.add_module("pool", nn.MaxPool2d(2))
    return stage
