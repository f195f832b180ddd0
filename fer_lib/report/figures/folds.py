"""How well the networks of a protocol's folds do, fold by fold."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_lib.report.figures.style import (
    BLUE,
    INK,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
    require_columns,
)

NAMED_FOLDS = 20
"""Up to so many folds each has its own label; of more, every so many-th has."""


def fold_accuracies(folds: pd.DataFrame, pooled: dict) -> Drawn:
    """Accuracy on each fold's test split with its interval, over all folds below them, and the null.

    ``folds``: ``fold``, ``pictures``, ``accuracy``, ``low``, ``high``, ``majority`` (shares, bounds NaN where there are none), as
    ``report.protocols.fold_table`` makes them. ``pooled``: the entry ``test_accuracy`` of the metrics. Data: these columns, the last row, of
    fold -1, over all. Raises FigureError where a column is absent.
    """
    columns = ["fold", "pictures", "accuracy", "low", "high", "majority"]
    require_columns(folds, columns)
    if pooled["n"] != folds["pictures"].sum():
        raise FigureError(
            f"the folds have {folds['pictures'].sum()} pictures, the accuracy over all {pooled['n']}"
        )
    null = float(np.average(folds["majority"], weights=folds["pictures"]))
    bounds = [np.nan if pooled[side] is None else pooled[side] for side in ("low", "high")]
    last = pd.DataFrame([[-1, pooled["n"], pooled["value"], *bounds, null]], columns=columns)
    data = pd.concat([folds[columns], last], ignore_index=True)
    places = np.arange(len(data)) + 0.4 * (np.arange(len(data)) == len(folds))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.3 * min(len(data), NAMED_FOLDS)))
    all_of_them = data["fold"].eq(-1).to_numpy()
    for rows, colour, marker, size in (
        (~all_of_them, BLUE, "o", 6),
        (all_of_them, INK, "D", 8),
    ):
        axes.hlines(places[rows], data.loc[rows, "low"], data.loc[rows, "high"], color=colour)
        axes.plot(data.loc[rows, "accuracy"], places[rows], marker, color=colour, markersize=size)
    axes.vlines(
        data["majority"], places - 0.35, places + 0.35, color=VERMILION, linestyle="--", linewidth=1.5
    )
    every = -(-len(folds) // NAMED_FOLDS)
    shown = [place for place in range(len(folds)) if place % every == 0] + [len(folds)]
    axes.set_yticks(
        places[shown],
        [
            "all" if data["fold"][k] == -1 else f"fold {data['fold'][k]} ({data['pictures'][k]:,})"
            for k in shown
        ],
    )
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.01), xlabel="right on the test split, with the 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.plot([], [], color=VERMILION, linestyle="--", linewidth=1.5, label="always the commonest class")
    figure.legend(loc="outside upper left")
    return figure, data, _alt(data, null)


def _alt(data: pd.DataFrame, null: float) -> str:
    folds, last = data.iloc[:-1], data.iloc[-1]
    if len(folds) <= NAMED_FOLDS:
        told = listing([f"fold {row.fold} {percent(row.accuracy)}" for row in folds.itertuples()])
    else:
        told = f"{len(folds)} folds from {percent(folds['accuracy'].min())} to {percent(folds['accuracy'].max())}"
    bounds = "" if pd.isna(last["low"]) else f" (interval {percent(last['low'])} to {percent(last['high'])})"
    return (
        f"Dots with intervals: the share of test pictures named rightly, {told}; over all {percent(last['accuracy'])}{bounds}. "
        f"Dashed marks show always naming the commonest class, over all {percent(null)}."
    )
