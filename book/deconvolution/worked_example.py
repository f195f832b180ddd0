"""Deconvolution by hand: a network small enough that every number fits into a figure."""

from collections import OrderedDict
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
    """What happens to a picture on its way up, and to one neuron's response on its way down: name -> float64
    array, in the order of the steps.

    ``up``: the ``picture`` (6, 6), ``convolved`` (4, 4) with the first filter, ``rectified`` (4, 4), the
    ``maxima`` (2, 2), and the one ``neuron`` (1, 1) of the second filter. ``down``, by ``deconv``, from the
    pixels back to the response: ``pixels`` (6, 6), ``rectified again`` (4, 4), ``unpooled`` (4, 4), ``sent
    down`` (2, 2), ``response`` (1, 1). ``beside``: both filters, and the pixels by the other methods, as
    ``look.deconvolution.project`` gives them. ``switches``, bool (4, 4): where the maxima stood.
    """

    up: dict[str, np.ndarray]
    down: dict[str, np.ndarray]
    beside: dict[str, np.ndarray]
    switches: np.ndarray


def _toy() -> nn.Sequential:
    """Convolution, ReLU, max pooling, convolution, ReLU: one filter each, the numbers above."""
    first, second = nn.Conv2d(1, 1, 3, bias=False), nn.Conv2d(1, 1, 2, bias=False)
    for layer, weights in ((first, FIRST_FILTER), (second, SECOND_FILTER)):
        layer.weight.data = torch.tensor([[weights]], dtype=torch.float64)
    names = ("conv1", "relu1", "pool1", "conv2", "relu2")
    layers = (first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU())
    return nn.Sequential(OrderedDict(zip(names, layers, strict=True))).eval()


@torch.no_grad()
def worked_example() -> WorkedExample:
    """Up step by step with torch's own functions, down step by step by ``deconv``; and beside it what
    ``project`` gives for each method.

    Raises ChapterError where the steps and ``project`` do not end in the same map: the page would then
    explain another method than it uses.
    """
    model = _toy()
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
            "the worked example's steps and look.deconvolution.project give different maps; one is wrong"
        )

    def arrays(**steps: torch.Tensor) -> dict[str, np.ndarray]:
        return {name.replace("_", " "): step[0, 0].numpy() for name, step in steps.items()}

    down = arrays(rectified_again=let_down, unpooled=unpooled, sent_down=sent, response=response)
    filters = {"filter 1": FIRST_FILTER, "filter 2": SECOND_FILTER}
    return WorkedExample(
        arrays(picture=picture, convolved=convolved, rectified=rectified, maxima=pooled, neuron=response),
        {"pixels": maps["deconv"], **down},
        {name: np.array(weights, np.float64) for name, weights in filters.items()}
        | {method: maps[method] for method in ("guided", "gradient")},
        (F.max_unpool2d(torch.ones_like(pooled), places, 2) > 0)[0, 0].numpy(),
    )
