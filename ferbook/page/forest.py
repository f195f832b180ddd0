"""Figures of micro-expressions: who names them best, who finds their apex, and which filters move with them.

What choosing the stopping epoch on the test split would have added.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.micro_expressions.figures import _part_kinds
from ferbook.page.style import BLUE, INK, MUTED, VERMILION, WIDTH, Drawn, listing, percent, require_columns


def contender_dots(table: pd.DataFrame, label: str) -> Drawn:
    """Each contender's score with its interval, and how far the first one is ahead of it, pair by pair on the
    same clips.

    ``table``: a row per contender in the order to be shown, the one that the page is about first: ``kind``,
    ``name``, ``trainings``, ``score`` (share) with ``low`` and ``high``, ``least`` and ``most`` (of single
    trainings), ``ahead`` (points, NaN of the first) with ``ahead_low`` and ``ahead_high``. ``label`` says
    what the score is. Data: these columns. Raises FigureError where one is absent.
    """
    columns = ["kind", "name", "trainings", "score", "low", "high", "least", "most"]
    columns += ["ahead", "ahead_low", "ahead_high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    places = np.arange(len(data))
    figure, (scores, gaps) = plt.subplots(
        1, 2, figsize=(WIDTH, 1.3 + 0.3 * len(data)), sharey=True, width_ratios=(1.4, 1)
    )
    for place, row in zip(places, data.itertuples(), strict=True):
        colour, marker = (VERMILION, "D") if place == 0 else (BLUE, "o")
        scores.plot(row.score, place, marker, color=colour, markersize=6)
        scores.hlines(place, row.low, row.high, color=colour, linewidth=1.8)
        if row.trainings > 1:
            scores.plot([row.least, row.most], [place + 0.3] * 2, "|", color=MUTED, markersize=5)
        if place:
            gaps.plot(row.ahead, place, "o", color=BLUE, markersize=6)
            gaps.hlines(place, row.ahead_low, row.ahead_high, color=BLUE, linewidth=1.8)
    gaps.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    gaps.xaxis.set_major_locator(MaxNLocator(4))
    for axes in (scores, gaps):
        axes.xaxis.label.set_fontsize(9)
        _part_kinds(axes, list(data["kind"]))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    scores.set_yticks(places, data["name"], fontsize=9)
    scores.set_ylim(len(data) - 0.5, -0.5)
    scores.set(xlabel=f"{label}\nwith its interval; ticks: least and most", xlim=(0, None))
    scores.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    gaps.set_xlabel("points by which\nthe first is ahead")
    told = [
        f"{row.name} {percent(row.score)}"
        + ("" if pd.isna(row.low) else f" ({100 * row.low:.0f}–{100 * row.high:.0f})")
        for row in data.itertuples()
    ]
    clear = list(data.loc[data["ahead_low"].gt(0), "name"])
    behind = list(data.loc[data["ahead_high"].lt(0), "name"])
    alt = (
        f"Dots with intervals, {label}: {listing(told)}. A second panel shows how far the first, "
        f"{data['name'][0]}, is ahead of each other one. Its "
        f"interval lies above zero for {listing(clear) if clear else 'none'}"
        + (f", and below zero for {listing(behind)}" if behind else "")
        + "."
    )
    return figure, data, alt


NAMED_TRAININGS = 24
"""Up to so many trainings each has its own label; of more, every so many-th has."""


def selection_dumbbells(table: pd.DataFrame) -> Drawn:
    """Accuracy on the test split by who chose the epoch: validation split or the test split itself; a line
    from one to the other.

    ``table``: as ``train.evaluate.selection_table`` makes it. Data: its columns. Raises FigureError where one
    is absent.
    """
    columns = ["training", "chosen_epoch", "chosen_accuracy", "test_epoch", "test_accuracy", "gain"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    places = np.arange(len(data))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.25 + 0.27 * min(len(data), NAMED_TRAININGS)))
    axes.hlines(places, data["chosen_accuracy"], data["test_accuracy"], color=MUTED, linewidth=1.5)
    axes.plot(
        data["test_accuracy"],
        places,
        "D",
        color=VERMILION,
        markerfacecolor="white",
        markeredgewidth=1.6,
        markersize=7,
        label="epoch chosen on the test split",
    )
    axes.plot(
        data["chosen_accuracy"], places, "o", color=BLUE, markersize=6, label="epoch chosen on validation"
    )
    for place, row in zip(places, data.itertuples(), strict=True):
        axes.text(1.02, place, f"+{100 * row.gain:.1f}", va="center", transform=axes.get_yaxis_transform())
    axes.text(1.02, 1.02, "gain (points)", fontsize=8, ha="center", transform=axes.transAxes)
    every = -(-len(data) // NAMED_TRAININGS)
    axes.set_yticks(places[::every], data["training"][::every])
    axes.invert_yaxis()
    axes.set_xlabel("right on the test split")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %", decimals=0))
    axes.margins(x=0.08)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    largest = data.loc[data["gain"].idxmax()]
    alt = (
        f"One line for each of {len(data)} {'training' if len(data) == 1 else 'trainings'}, from the "
        "accuracy on the test split at the epoch "
        "that validation chose to the accuracy at the epoch that is best on the test split itself. The "
        "second is higher by "
        f"{100 * data['gain'].mean():.1f} points on average, from {100 * data['gain'].min():.1f} to "
        f"{100 * largest['gain']:.1f} "
        f"(most for {largest['training']}: {percent(largest['chosen_accuracy'])} against "
        f"{percent(largest['test_accuracy'])})."
    )
    return figure, data, alt
