"""Figures of micro-expressions: who finds their apex, and which filters move with them."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from ferbook.page.forest import forest
from ferbook.page.style import BLUE, MUTED, VERMILION, WIDTH, Drawn, listing


def spotting_dots(table: pd.DataFrame) -> Drawn:
    """How many frames each method misses the apex by: mean with interval, quartiles.

    ``table``: a row per method in the order to be shown, the feature trajectory first: ``method``, ``clips``,
    ``mean`` with ``low`` and ``high``, ``q25``, ``median``, ``q75`` (frames). Data: these columns.
    """
    numbers = ["mean", "low", "high", "q25", "median", "q75"]
    data = table[["method", "clips", *numbers]].reset_index(drop=True)
    rows = data.rename(
        columns={"method": "label", "mean": "value", "q25": "wide_low", "q75": "wide_high"}
    ).assign(main=data.index == 0)
    return forest(
        rows,
        measured="frames between the spotted and the coded apex",
        unit="",
        limits=(0, None),
        strokes=rows[["label"]].assign(value=rows["median"]),
        alt=f"Dots with intervals for {len(data)} ways to find the apex of {data['clips'][0]:,} clips: the "
        "mean distance from the coded apex in frames; a bar holds the middle half of the clips, and a tick "
        "marks the median.",
        caption="Pale: the middle half of the clips; tick: their median.",
        data=data,
        tolerance=dict.fromkeys(numbers, 5),
    )


def trajectory_panels(table: pd.DataFrame) -> Drawn:
    """How filters' responses change from onset over apex to offset, in clips that show the action unit
    that the filter is said to detect and in the others.

    ``table``: a row per ``filter``, ``group`` (in the order to be shown) and ``progress`` (0 onset, 1 apex, 2
    offset): ``au`` (its unit), ``change`` with ``low`` and ``high`` (standard deviations of the filter over
    onset frames), ``clips``; at most six filters. Data: these columns.
    """
    columns = ["filter", "au", "group", "progress", "change", "low", "high", "clips"]
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
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
    moves = dict.fromkeys(("change", "low", "high"), 0.5) | {"filter": 1000}
    at_apex = data[data["progress"].eq(1)].itertuples()
    told = [f"filter {row.filter} of {row.au} {row.change:+.2f} in {row.group}" for row in at_apex]
    alt = (
        f"Line charts of {len(filters)} filters from onset over apex to offset: the mean change of the "
        f"response since the onset, in standard deviations. At the apex: {listing(told)}."
    )
    return Drawn(figure, data, alt.replace(" -", " −"), tolerance=moves)
