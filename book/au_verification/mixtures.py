"""Another basis of a layer's own maps: what is special about single filters is lost in it."""

import copy

import torch
from torch import nn
from torch.nn import functional as F


def with_mixtures(model: nn.Module, layer: str, filters: int, seed: int) -> tuple[nn.Module, str]:
    """A copy of ``model`` with a layer behind ``layer`` that has its ``filters`` channels and after them as
    many random mixtures of them, and that layer's name.

    The mixtures are another basis of the same maps, which are rotated by one orthogonal matrix at every
    position (Bau et al. 2017, arXiv 1704.05796, section 3.2) and rectified, since a filter's maximal response
    is that of a rectified map. What the layer represents is the same; what is special about its single
    filters is lost. Layers behind it see what they saw before.
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
