"""Deconvolution by hand: a network small enough that every number fits into a figure."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.deconvolution import Method, project
from ferbook.errors import ChapterError

PICTURE = (
    (2, 1, 1, 3, 2, 0),
    (3, 1, 2, 1, 2, 2),
    (0, 0, 1, 1, 0, 3),
    (0, 3, 0, 0, 1, 1),
    (2, 2, 0, 3, 0, 1),
    (1, 1, 1, 2, 0, 1),
)
FIRST_FILTER = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))
"""Lighter to the right."""

SECOND_FILTER = ((2, -1), (1, 1))


@dataclass(frozen=True)
class WorkedExample:
    """What happens to a picture on its way up, and to one unit's response on its way down; all float64.

    Up: ``picture`` (6, 6), ``convolved`` (4, 4) with ``first_filter``, ``rectified`` (4, 4), ``pooled`` (2,
    2) with ``switches``, bool (4, 4), where the maxima stood, and the ``response`` of the one unit of
    ``second_filter``. Down, by ``deconv``: ``sent`` (2, 2), ``unpooled`` (4, 4), ``let_down`` (4, 4) by the
    rectifier. ``maps``: method → the projection (6, 6) that ``look.deconvolution.project`` gives.
    """

    picture: np.ndarray
    first_filter: np.ndarray
    convolved: np.ndarray
    rectified: np.ndarray
    pooled: np.ndarray
    switches: np.ndarray
    second_filter: np.ndarray
    response: float
    sent: np.ndarray
    unpooled: np.ndarray
    let_down: np.ndarray
    maps: dict[str, np.ndarray]


class _Toy(nn.Module):
    """Convolution, rectifier, maximum, convolution, rectifier: one filter each, the numbers above."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 1, 3, bias=False)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(1, 1, 2, bias=False)
        self.relu2 = nn.ReLU()
        with torch.no_grad():
            self.conv1.weight.copy_(torch.tensor(FIRST_FILTER)[None, None])
            self.conv2.weight.copy_(torch.tensor(SECOND_FILTER)[None, None])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            pictures = layer(pictures)
        return pictures


@torch.no_grad()
def worked_example() -> WorkedExample:
    """Up step by step with torch's own functions, down step by step by ``deconv``; and beside it what
    ``project`` gives for each method.

    Raises ChapterError where the steps and ``project`` do not end in the same map: the page would then
    explain another method than it uses.
    """
    model = _Toy().double().eval()
    picture = torch.tensor(PICTURE, dtype=torch.float64)[None, None]
    convolved = model.conv1(picture)
    rectified = model.relu1(convolved)
    pooled, places = F.max_pool2d(rectified, 2, return_indices=True)
    response = model.relu2(model.conv2(pooled))
    sent = F.conv_transpose2d(response, model.conv2.weight)
    unpooled = F.max_unpool2d(sent, places, 2)
    let_down = unpooled.relu()
    by_hand = F.conv_transpose2d(let_down, model.conv1.weight)
    first = np.zeros(1, np.int64)
    maps = {
        method: project(model, "relu2", picture[0].numpy(), first, first, method=method).whole(0)
        for method in get_args(Method)
    }
    if not np.allclose(maps["deconv"], by_hand[0, 0].numpy(), atol=1e-6):
        raise ChapterError(
            "the worked example's steps and explain.deconv.project give different maps; one of them is wrong"
        )
    switches = F.max_unpool2d(torch.ones_like(pooled), places, 2) > 0
    numbers = {
        "picture": picture,
        "first_filter": model.conv1.weight,
        "convolved": convolved,
        "rectified": rectified,
        "pooled": pooled,
        "switches": switches,
        "second_filter": model.conv2.weight,
        "sent": sent,
        "unpooled": unpooled,
        "let_down": let_down,
    }
    arrays = {name: value[0, 0].numpy() for name, value in numbers.items()}
    return WorkedExample(**arrays, response=float(response), maps=maps)
