"""Figures of a study of structures and losses, and of the ladder of ingredients."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ferbook.page.heat import draw_cells, share_with_half_width
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    RULE,
    VERMILION,
    WIDTH,
    Drawn,
    listing,
    percent,
    require_columns,
)

OF_ALL = "all"


def plain_name(name: str) -> str:
    """``cross_entropy`` as ``cross entropy``."""
    return name.replace("_", " ")


def structure_loss_map(table: pd.DataFrame) -> Drawn:
    """Accuracy of each structure (row) with each loss (column) as a heat map, in per cent, with half the
    width of its interval.

    ``table``: ``structure``, ``loss``, ``accuracy``, ``accuracy_low``, ``accuracy_high`` (shares; bounds NaN
    where there is no interval), as ``structure_and_loss.study.condition_table`` makes it. Data: these
    columns.
    """
    columns = ["structure", "loss", "accuracy", "accuracy_low", "accuracy_high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    rows, names = list(data["structure"].unique()), list(data["loss"].unique())
    half = (data["accuracy_high"] - data["accuracy_low"]) / 2
    text = [share_with_half_width(r.accuracy, r.accuracy_low, r.accuracy_high) for r in data.itertuples()]
    shape = {"index": "structure", "columns": "loss"}
    shares = data.pivot(**shape, values="accuracy").loc[rows, names].rename(index=plain_name)
    texts = data.assign(text=text).pivot(**shape, values="text").loc[rows, names]
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.62 * len(rows)))
    draw_cells(axes, shares, texts, "accuracy (%)", lowest=None, highest=None)
    axes.set(xlabel="loss", ylabel="structure")
    axes.set_xticklabels([plain_name(n) for n in names], rotation=25, ha="right", rotation_mode="anchor")
    best, worst = (data.loc[getattr(data["accuracy"], end)()] for end in ("idxmax", "idxmin"))
    alt = (
        f"Heat map of {len(rows)} structures by {len(names)} losses. The highest accuracy is that of "
        f"{plain_name(best['structure'])} with "
        f"{plain_name(best['loss'])}, {percent(best['accuracy'])}; the lowest that of "
        f"{plain_name(worst['structure'])} with {plain_name(worst['loss'])}, "
        f"{percent(worst['accuracy'])}."
    )
    if half.notna().any():
        alt += f" Intervals reach {100 * half.min():.1f} to {100 * half.max():.1f} points to either side."
    return figure, data, alt


def paired_differences(table: pd.DataFrame) -> Drawn:
    """Differences in points with their intervals: left the losses against one of them, right the structures
    against one of them.

    A large dot is the mean over all levels of the other factor, small ones below it are its single levels.
    ``table``: ``factor``, ``name``, ``reference``, ``within``, ``difference``, ``low``, ``high``, as
    ``structure_and_loss.study.differences`` makes it. Data: these columns.
    """
    columns = ["factor", "name", "reference", "within", "difference", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    factors = [factor for factor in ("loss", "structure") if data["factor"].eq(factor).any()]
    rows = max(len(data[data["factor"].eq(factor)]) for factor in factors)
    figure, panels = plt.subplots(1, len(factors), figsize=(WIDTH, 1.1 + 0.21 * rows + 0.12), squeeze=False)
    for axes, factor in zip(panels[0], factors, strict=True):
        part = data[data["factor"].eq(factor)]
        _difference_panel(axes, part)
        axes.set_title(f"{factor} against {plain_name(part['reference'].iloc[0])}", loc="right", fontsize=10)
    figure.supxlabel("difference in accuracy (percentage points)", fontsize=10)
    means = data[data["within"].eq(OF_ALL)]
    told = [
        f"{plain_name(row.name)} {_signed(row.difference)}"
        + ("" if pd.isna(row.low) else f" ({_signed(row.low)} to {_signed(row.high)})")
        for row in means.itertuples(index=False)
    ]
    clear = int(((data["low"] > 0) | (data["high"] < 0)).sum())
    alt = (
        "Dots with intervals beside a line at zero. Means, in points against "
        f"{listing([plain_name(r) for r in means['reference'].unique()])}: "
        f"{listing(told)}. Of all {len(data)} intervals drawn {clear} leave out zero."
    )
    return figure, data, alt


def _difference_panel(axes: Axes, part: pd.DataFrame) -> None:
    places, labels = [], []
    spot = 0.0
    for name in part["name"].unique():
        for row in part[part["name"].eq(name)].itertuples(index=False):
            mean = row.within == OF_ALL
            colour = BLUE if mean else MUTED
            if not pd.isna(row.low):
                axes.hlines(spot, row.low, row.high, color=colour, linewidth=2.2 if mean else 1.2)
            axes.plot(row.difference, spot, "o", color=colour, markersize=7 if mean else 4)
            places.append(spot)
            labels.append((plain_name(name if mean else row.within), mean))
            spot += 1.0
        spot += 0.5
    axes.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    axes.set_yticks(places, [text for text, _ in labels])
    for tick, (_, mean) in zip(axes.get_yticklabels(), labels, strict=True):
        tick.set(color=INK if mean else MUTED, fontsize=9 if mean else 8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def variance_bars(table: pd.DataFrame) -> Drawn:
    """Share of the variance of one training's accuracy that each part explains, with its interval.

    ``table``: ``part``, ``share``, ``low``, ``high`` (shares; bounds NaN where there is no interval), as
    ``structure_and_loss.study.variance_table`` makes it. Data: these columns.
    """
    columns = ["part", "share", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.36 * len(data)))
    place = np.arange(len(data))
    axes.barh(place, data["share"], height=0.6, color=[BLUE, BLUE, BLUE, RULE][: len(data)])
    bounded = data["low"].notna()
    axes.hlines(place[bounded], data.loc[bounded, "low"], data.loc[bounded, "high"], color=INK, linewidth=1.8)
    for side in ("low", "high"):
        axes.plot(data.loc[bounded, side], place[bounded], "|", color=INK, markersize=8, markeredgewidth=1.8)
    for spot, share in zip(place, data["share"], strict=True):
        axes.text(1.02, spot, f"{100 * share:.0f} %", va="center", transform=axes.get_yaxis_transform())
    axes.set_yticks(place, [_part_name(part) for part in data["part"]])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the variance between trainings, with its 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    told = [
        f"{_part_name(row.part)} {percent(row.share)}"
        + ("" if pd.isna(row.low) else f" ({100 * row.low:.0f}–{100 * row.high:.0f})")
        for row in data.itertuples(index=False)
    ]
    return figure, data, f"Horizontal bars, shares of the variance between trainings: {listing(told)}."


def _part_name(part: str) -> str:
    return {"interaction": "the pair, beyond both", "seed": "seed"}.get(part, part)


def ladder_steps(networks: pd.DataFrame, table: pd.DataFrame, null: float) -> Drawn:
    """How far each rung comes on the validation split: a dot per network, the mean as a line with its
    interval, and the step from the rung below.

    ``networks``: ``rung``, ``accuracy`` of each network; ``table``: ``rung``, ``name``, ``accuracy``,
    ``low``, ``high``, ``step``, ``step_low``, ``step_high`` as ``structure_and_loss.study.ladder_table``
    makes it. ``null``: the share of the commonest class. Data: one row per network with its rung's name,
    mean, interval and step.
    """
    columns = ["rung", "name", "accuracy", "low", "high", "step", "step_low", "step_high"]
    require_columns(table, columns)
    require_columns(networks, ["rung", "accuracy"])
    means = table[columns].rename(columns={"accuracy": "mean"})
    data = networks[["rung", "accuracy"]].merge(means, on="rung").assign(null=null)
    figure, axes = plt.subplots(figsize=(WIDTH, 1.1 + 0.4 * len(table)))
    for row in means.itertuples(index=False):
        if not pd.isna(row.low):
            axes.hlines(row.rung, row.low, row.high, color=RULE, linewidth=7)
        axes.vlines(row.mean, row.rung - 0.3, row.rung + 0.3, color=BLUE, linewidth=2.4)
        if not pd.isna(row.step):
            sure = not pd.isna(row.step_low) and (row.step_low > 0 or row.step_high < 0)
            axes.text(
                1.02,
                row.rung,
                _signed(row.step),
                va="center",
                weight="bold" if sure else "normal",
                transform=axes.get_yaxis_transform(),
            )
    axes.text(1.02, -0.75, "step", va="center", color=MUTED, transform=axes.get_yaxis_transform())
    axes.plot(data["accuracy"], data["rung"], "o", color=INK, markersize=4.5, markerfacecolor="white")
    axes.plot(means["mean"], means["rung"], color=BLUE, linewidth=0.8, alpha=0.6)
    axes.axvline(null, color=VERMILION, linestyle="--", linewidth=1.4)
    axes.annotate(
        f"always the commonest class: {percent(null)}",
        (null, len(table) - 0.5),
        xytext=(4, 0),
        textcoords="offset points",
        color=VERMILION,
        fontsize=8,
        va="bottom",
    )
    axes.set_yticks(means["rung"], [f"{'+ ' if row.rung else ''}{row.name}" for row in means.itertuples()])
    axes.set_ylim(len(table) - 0.4, -1.0)
    axes.set_xlabel("accuracy on the validation split; grey: 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    told = [
        f"{row.name} {percent(row.mean)}" + ("" if pd.isna(row.step) else f" ({_signed(row.step)})")
        for row in means.itertuples(index=False)
    ]
    alt = (
        f"A ladder of {len(table)} rungs, from above: {listing(told)}; in brackets the step in points. A "
        "dashed line marks "
        f"always naming the commonest class, at {percent(null)}."
    )
    return figure, data, alt


COSTS = {
    "parameters": "parameters",
    "macs": "multiply-adds per picture",
    "epoch_seconds": "seconds per epoch",
}


def cost_and_accuracy(table: pd.DataFrame) -> Drawn:
    """Accuracy of each structure over what it costs: parameters, multiply-adds and time, each on a
    logarithmic axis.

    ``table``: ``structure``, ``parameters``, ``macs``, ``epoch_seconds``, ``accuracy``, ``accuracy_low``,
    ``accuracy_high``, as ``structure_and_loss.study.cost_table`` makes it. Data: these columns.
    """
    columns = ["structure", *COSTS, "accuracy", "accuracy_low", "accuracy_high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    figure, panels = plt.subplots(1, len(COSTS), figsize=(WIDTH, 3.0), sharey=True)
    markers = ("o", "s", "^", "D", "v")
    for axes, (cost, label) in zip(panels, COSTS.items(), strict=True):
        for place, row in enumerate(data.itertuples(index=False)):
            x = getattr(row, cost)
            if not pd.isna(row.accuracy_low):
                axes.vlines(x, row.accuracy_low, row.accuracy_high, color=MUTED, linewidth=1.2)
            axes.plot(
                x,
                row.accuracy,
                markers[place % len(markers)],
                color=BLUE,
                markersize=7,
                markerfacecolor=BLUE if place % 2 == 0 else "white",
                label=plain_name(row.structure),
            )
        axes.set_xscale("log")
        low, high = data[cost].min(), data[cost].max()
        axes.set_xlim(low / 2, high * 2)
        axes.set_xticks(sorted({low, high}), minor=False)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(FuncFormatter(_quantity))
        axes.set_xlabel(label, fontsize=9)
        axes.grid(axis="y")
    panels[0].set_ylabel("accuracy on the test split")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    told = [
        f"{plain_name(row.structure)} {percent(row.accuracy)} with {_quantity(row.parameters)} parameters, "
        f"{_quantity(row.macs)} multiply-adds and "
        f"{_quantity(row.epoch_seconds)} s per epoch"
        for row in data.itertuples(index=False)
    ]
    return figure, data, f"Three panels of accuracy over cost, one marker per structure: {listing(told)}."


def _quantity(value: float, _place: object = None) -> str:
    """1,335,207 as ``1.3 M``; two significant digits."""
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.2g}{sign}" if value < 100 * size else f"{value / size:.0f}{sign}"
    return f"{value:.2g}"
