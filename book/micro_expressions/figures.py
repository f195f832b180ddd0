"""Figures of micro-expressions: who names them best, who finds their apex, and which filters move with them."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    RULE,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    require_columns,
)


def _part_kinds(axes: Axes, kinds: list[str]) -> None:
    """A line wherever the kind changes from one row to the next."""
    for place, (before, after) in enumerate(pairwise(kinds)):
        if before != after:
            axes.axhline(place + 0.5, color=RULE, linewidth=0.8)


def spotting_dots(table: pd.DataFrame) -> Drawn:
    """How many frames each method misses the apex by: mean with interval, quartiles.

    ``table``: a row per method in the order to be shown, the feature trajectory first: ``method``, ``clips``,
    ``mean`` with ``low`` and ``high``, ``q25``, ``median``, ``q75`` (frames). Data: these columns. Raises
    FigureError where one is absent.
    """
    columns = ["method", "clips", "mean", "low", "high", "q25", "median", "q75"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    places = np.arange(len(data))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.2 + 0.36 * len(data)))
    axes.hlines(places, data["q25"], data["q75"], color=SKY, linewidth=8, label="middle half of the clips")
    axes.plot(data["median"], places, "|", color=MUTED, markersize=10, label="median", linestyle="none")
    colours = [VERMILION if place == 0 else INK for place in places]
    axes.hlines(places, data["low"], data["high"], color=colours, linewidth=1.8)
    for place, colour in zip(places, colours, strict=True):
        axes.plot(
            data["mean"][place],
            place,
            "D" if place == 0 else "o",
            color=colour,
            markersize=6,
            label="mean, with its interval" if place == 1 else None,
        )
    axes.set_yticks(places, data["method"], fontsize=9)
    axes.set_ylim(len(data) - 0.5, -0.5)
    axes.set(xlabel="frames between the spotted and the coded apex", xlim=(0, None))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=3, fontsize=8.5)
    told = [f"{row.method} {row.mean:.1f}" for row in data.itertuples()]
    best = data.loc[data["mean"].idxmin(), "method"]
    alt = (
        f"Bars and dots for {len(data)} ways to find the apex of {data['clips'][0]:,} clips; the mean "
        f"distance from the coded apex in frames: {listing(told)}. "
        f"The smallest is that of {best}."
    )
    return figure, data, alt


def trajectory_panels(table: pd.DataFrame) -> Drawn:
    """How filters' responses change from onset over apex to offset, in clips that show the unit that the
    filter is said to detect and in the others.

    ``table``: a row per ``filter``, ``group`` (in the order to be shown) and ``progress`` (0 onset, 1 apex, 2
    offset): ``au`` (its unit), ``change`` with ``low`` and ``high`` (standard deviations of the filter over
    onset frames), ``clips``; at most six filters. Data: these columns.
    """
    columns = ["filter", "au", "group", "progress", "change", "low", "high", "clips"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
    if len(filters) > 6:
        raise FigureError(f"{len(filters)} filters to draw: give at most 6")
    across = min(3, len(filters))
    rows = -(-len(filters) // across)
    figure, grid = plt.subplots(
        rows, across, figsize=(WIDTH, 0.9 + 1.75 * rows), sharex=True, sharey=True, squeeze=False
    )
    groups = list(data["group"].unique())
    styles = [(VERMILION, "-"), (BLUE, "--")]
    for axes, number in zip(grid.flat, filters, strict=False):
        own = data[data["filter"].eq(number)]
        for group, (colour, dashes) in zip(groups, styles, strict=False):
            part = own[own["group"].eq(group)]
            axes.fill_between(part["progress"], part["low"], part["high"], color=colour, alpha=0.18, lw=0)
            axes.plot(part["progress"], part["change"], color=colour, linestyle=dashes, label=group)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set_title(f"filter {number}, {own['au'].iloc[0]}", fontsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelsize=8)
    for axes in list(grid.flat)[len(filters) :]:
        axes.set_axis_off()
    for axes in list(grid.flat)[max(0, len(filters) - across) : len(filters)]:
        axes.set_xticks([0, 1, 2], ["onset", "apex", "offset"])
        axes.tick_params(axis="x", labelbottom=True)
    figure.supylabel("change of the response (sd)", fontsize=9)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=8.5)
    return figure, data, _trajectory_alt(data, filters, groups)


def _trajectory_alt(data: pd.DataFrame, filters: list[int], groups: list[str]) -> str:
    told = []
    for number in filters:
        own = data[data["filter"].eq(number)]
        values = []
        for group in groups:
            part = own[own["group"].eq(group)]
            if len(part):
                at_apex = part.loc[(part["progress"] - 1).abs().idxmin(), "change"]
                values.append(f"{at_apex:+.2f} in {group}".replace("-", "−"))
        told.append(f"filter {number} of {own['au'].iloc[0]} {listing(values)}")
    return (
        f"Line charts of {len(filters)} filters from onset over apex to offset: the mean change of the "
        "response since the onset, in standard deviations. "
        f"At the apex: {'; '.join(told)}."
    )
