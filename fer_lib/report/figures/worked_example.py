"""The figure of deconvolution by hand."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fer_lib.report.figures.style import BLUE, INK, MUTED, VERMILION, WIDTH, Drawn
from fer_lib.report.worked_example import WorkedExample

MOST_CELLS = 6
"""Cells a side of the largest array of the worked example."""


def how_it_works(example: WorkedExample) -> Drawn:
    """The worked example, number by number: up through the network, down again, and what other rectifiers let down.

    Data: ``panel``, ``row``, ``column``, ``value``.
    """
    up = {
        "picture": example.picture,
        "convolved": example.convolved,
        "rectified": example.rectified,
        "maxima": example.pooled,
        "unit": np.array([[example.response]]),
    }
    down = {
        "pixels": example.maps["deconv"],
        "rectified again": example.let_down,
        "unpooled": example.unpooled,
        "sent down": example.sent,
        "response": np.array([[example.response]]),
    }
    beside = {
        "filter 1": example.first_filter,
        "filter 2": example.second_filter,
        **{method: example.maps[method] for method in ("guided", "gradient")},
    }
    switches = {"rectified", "unpooled"}
    figure = plt.figure(figsize=(WIDTH, 4.9))
    rows = figure.subfigures(3, 1, height_ratios=(1, 1, 1))
    columns = [6, 4, 4, 2.4, 1.6]
    for part, panels, title in (
        (rows[0], up, "up: what the network computes  →"),
        (rows[1], down, "←  down: where the response comes from"),
    ):
        part.suptitle(title, fontsize=10, x=0.01, ha="left")
        grid = part.subplots(1, 5, width_ratios=columns)
        for axes, (name, values) in zip(grid, panels.items(), strict=True):
            _numbers(axes, name, values, example.switches if name in switches else None)
    rows[2].suptitle(
        "the two filters, and the same way down with other rectifiers", fontsize=10, x=0.01, ha="left"
    )
    grid = rows[2].subplots(1, 4, width_ratios=[3.2, 2.4, 6, 6])
    for axes, (name, values) in zip(grid, beside.items(), strict=True):
        _numbers(axes, name, values)
    panels = [*up.items(), *down.items(), *beside.items()]
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": name,
                    "row": np.repeat(np.arange(len(values)), values.shape[1]),
                    "column": np.tile(np.arange(values.shape[1]), len(values)),
                    "value": values.ravel(),
                }
            )
            for name, values in panels
        ],
        ignore_index=True,
    )
    alt = (
        f"Three rows of small tables of numbers. Up: a picture of 6 by 6 pixels, convolved to 4 by 4, rectified, the maxima of its four quarters, and the one unit that "
        f"answers {example.response:g}. Down: this response times the second filter, each number put back where its maximum stood, negative "
        f"ones removed ({int((example.unpooled < 0).sum())} of them), and a map of 6 by 6 pixels. Last row: the two filters, and the maps by guided backpropagation and by the gradient, "
        f"which differ from the first in {_unlike(example, 'guided')} and {_unlike(example, 'gradient')} of 36 pixels."
    )
    return figure, data, alt


def _unlike(example: WorkedExample, method: str) -> int:
    return int((~np.isclose(example.maps[method], example.maps["deconv"])).sum())


def _numbers(axes: Axes, title: str, values: np.ndarray, framed: np.ndarray | None = None) -> None:
    """A small array as cells with their numbers; vermilion above zero, blue below; ``framed`` cells have a bold frame."""
    height, width = values.shape
    limit = max(float(np.abs(values).max()), 1.0)
    axes.set_title(title, fontsize=8, pad=3, loc="center")
    for row in range(height):
        for column in range(width):
            value = float(values[row, column])
            colour = VERMILION if value > 0 else BLUE
            place = (column, height - 1 - row)
            axes.add_patch(
                Rectangle(place, 1, 1, facecolor=colour, alpha=0.45 * abs(value) / limit, linewidth=0)
            )
            bold = framed is not None and bool(framed[row, column])
            axes.add_patch(
                Rectangle(
                    place,
                    1,
                    1,
                    fill=False,
                    edgecolor=INK if bold else MUTED,
                    linewidth=1.6 if bold else 0.4,
                    zorder=3 if bold else 2,
                )
            )
            text = f"{value:g}".replace("-", "−")
            axes.text(column + 0.5, height - 0.5 - row, text, ha="center", va="center", fontsize=7.5)
    # All arrays in one scale, whatever their size.
    axes.set(xlim=(-0.1, max(width, 1) + 0.1), ylim=(height - MOST_CELLS - 0.1, height + 0.1), aspect="equal")
    axes.axis("off")
