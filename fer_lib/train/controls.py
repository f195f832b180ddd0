"""What stands beside a trained network: the same structure untrained, and trained on shuffled labels;
features made by hand, and another basis of a layer's own maps.

Neither of the first two has learned what an emotion is, so whatever they answer to comes from the pictures,
or from the number of filters.
"""

import copy

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.faces.faceset import SPLITS, UNLABELLED, FaceSet
from fer_lib.nets.classifier import Classifier
from ferbook.errors import DataError, ParameterError


def untrained_network(model: Classifier, seed: int) -> Classifier:
    """The architecture of ``model`` with the first weights that ``seed`` draws, in evaluation mode, on the
    CPU.

    ``model`` is left as it is. Raises ParameterError where it does not record its constructor's
    ``arguments``.
    """
    if not isinstance(model, Classifier):
        raise ParameterError(
            f"{type(model).__name__} does not say how it was built; give a network of "
            "nets.build.build_network"
        )
    generator = torch.Generator().manual_seed(seed)
    return type(model)(**model.arguments, generator=generator).eval()


def with_shuffled_labels(faces: FaceSet, seed: int) -> FaceSet:
    """``faces`` with the emotions of each split, and the crowd's votes with them, dealt out anew among its
    labelled pictures.

    Every split keeps its number of pictures per emotion, pictures keep all the rest, action units among it. A
    network that learns from them learns single pictures by heart and nothing about emotions (Zhang et al.
    2017, arXiv 1611.03530).
    """
    table, order = faces.table, np.arange(len(faces))
    labelled = table["emotion"].ne(UNLABELLED)
    generator = np.random.default_rng(seed)
    for split in SPLITS:
        rows = np.flatnonzero(labelled & table["split"].eq(split))
        order[rows] = generator.permutation(rows)
    labels = ["emotion", *(column for column in table if column.startswith("vote_"))]
    return faces.assign(**{column: table[column].to_numpy()[order] for column in labels})


CELL_SIDE = 8

ORIENTATION_BINS = 9
"""Side of a cell in pixels, and its bins of orientation, as in Dalal and Triggs 2005."""


def with_mixtures(model: nn.Module, layer: str, filters: int, seed: int) -> tuple[nn.Module, str]:
    """A copy of ``model`` with a layer behind ``layer`` that has its ``filters`` channels and after them as
    many random mixtures of them, and that layer's name.

    The mixtures are another basis of the same maps, which are rotated by one orthogonal matrix at every
    position (Bau et al. 2017, arXiv 1704.05796, section 3.2) and rectified, since a filter's maximal response
    is that of a rectified map. What the layer knows stays; what is special about its single filters goes.
    Layers behind it see what they saw before.
    """
    clone = copy.deepcopy(model)
    original, weight = clone.get_submodule(layer), torch.empty(filters, filters, dtype=torch.float64)
    nn.init.orthogonal_(weight, generator=torch.Generator().manual_seed(seed))
    mixing = _Mixtures(weight.to(next(clone.parameters())))
    parent, _, name = layer.rpartition(".")
    stack = nn.Sequential(original, mixing, _First(filters))
    setattr(clone.get_submodule(parent), name, stack.train(original.training))
    return clone, f"{layer}.1"


class _Mixtures(nn.Module):
    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight[:, :, None, None], requires_grad=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([maps, F.conv2d(maps, self.weight).relu()], dim=1)


class _First(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps[:, : self.channels]


def hog_responses(faces: FaceSet) -> np.ndarray:
    """float32 (N, cells × 9): histograms of oriented gradients, a channel per cell of 8 × 8 pixels and
    orientation, ≥ 0.

    Dalal and Triggs 2005 as OpenCV computes it, each cell normalised by itself. Unlike a filter's maximum a
    channel is bound to its place, which makes it a strong rival: faces are aligned. Raises DataError where
    a side is not a multiple of 8.
    """
    height, width = faces.size
    if height % CELL_SIDE or width % CELL_SIDE:
        raise DataError(
            f"face set {faces.name!r}: pictures of {height} × {width} pixels are not made of cells of "
            f"{CELL_SIDE}; take a multiple of {CELL_SIDE}"
        )
    cell = (CELL_SIDE, CELL_SIDE)
    histogram = cv2.HOGDescriptor((width, height), cell, cell, cell, ORIENTATION_BINS)
    return np.stack([histogram.compute(picture).ravel() for picture in faces.pixels])
