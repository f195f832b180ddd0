"""The reliability diagram: how often a network is right, by how sure it says it is."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from fer_lib.report.figures.style import (
    BLUE,
    INK,
    VERMILION,
    WIDTH,
    Drawn,
    listing,
    percent,
    require_columns,
)


def reliability_diagram(table: pd.DataFrame) -> Drawn:
    """Accuracy over confidence in bins, for networks that ``learned`` from different labels; below, how many pictures each bin holds.

    On the dashed line a network is right as often as it says. ``table``: ``learned``, ``n``, ``confidence``, ``accuracy``, ``low``, ``high`` (shares), as
    ``report.soft_labels.reliability`` makes it. Data: these columns.
    """
    columns = ["learned", "n", "confidence", "accuracy", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    styles = ((BLUE, "o", "-"), (VERMILION, "s", "--"))
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.4), sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.3, label="as often right as it says")
    told = []
    for (learned, part), (colour, marker, dashes) in zip(
        data.groupby("learned", sort=False), styles, strict=False
    ):
        known = part["low"].notna()
        above.vlines(
            part["confidence"][known], part["low"][known], part["high"][known], color=colour, linewidth=1.4
        )
        above.plot(
            part["confidence"],
            part["accuracy"],
            color=colour,
            linestyle=dashes,
            linewidth=1.2,
            marker=marker,
            markersize=5.5,
            markerfacecolor="white",
            label=f"learned from the {learned}",
        )
        share = part["n"] / part["n"].sum()
        below.plot(part["confidence"], share, color=colour, linestyle=dashes, marker=marker, markersize=4)
        mean, right = ((part[name] * share).sum() for name in ("confidence", "accuracy"))
        told.append(
            f"learned from the {learned}, the mean confidence is {percent(mean)} and {percent(right)} are right"
        )
    above.set(ylabel="right", xlim=(0, 1), ylim=(0, 1.06))
    below.set(xlabel="confidence of the answer", ylabel="pictures", ylim=(0, None))
    for axes in (above, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(axis="y")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8)
    alt = (
        f"Lines of the share of right answers over confidence, beside a diagonal on which a network is right as often as it says: {listing(told)}. "
        "Below, how the pictures spread over confidence."
    )
    return figure, data, alt
