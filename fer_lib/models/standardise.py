"""Standardisation of single pictures, as a network's first layer."""

import torch
from torch import nn

FLOOR = 0.05
"""Added to a picture's standard deviation, in grey values of [0, 1]: an even picture stays even, and noise is not blown up."""


class PictureStandardisation(nn.Module):
    """Each picture by itself: minus its mean, divided by its standard deviation plus ``FLOOR``.

    Float (B, 1, H, W) in and out; no parameters. A change of a picture's brightness cancels, a change of its contrast nearly so.
    """

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        deviation, mean = torch.std_mean(pictures, dim=(1, 2, 3), correction=0, keepdim=True)
        return (pictures - mean) / (deviation + FLOOR)
