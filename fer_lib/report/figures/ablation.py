"""Biases, dropout and augmentation: the eight networks, and what each of the three changes."""

from collections.abc import Mapping

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
from fer_lib.report.metrics import Metric

VARIANTS = ("none", "D", "A", "AD")


def ablation_effects(table: pd.DataFrame, effects: Mapping[str, Metric]) -> Drawn:
    """Left, the accuracy of each network with its interval; right, the paired differences that each switch makes, with theirs.

    ``table``: ``biases``, ``variant``, ``accuracy``, ``low``, ``high``; ``effects``: name to difference; both as ``report.ablation`` makes them. Data:
    one row per dot, ``panel`` (1 left, 2 right), ``what``, ``value``, ``low``, ``high``. Raises FigureError where a column or a
    network is absent.
    """
    require_columns(table, ["biases", "variant", "accuracy", "low", "high"])
    found = table.set_index(["variant", "biases"])
    wanted = [(variant, biases) for variant in VARIANTS for biases in (False, True)]
    absent = [key for key in wanted if key not in found.index]
    if absent:
        raise FigureError(f"the ablation lacks the network {absent[0][0]!r} with biases {absent[0][1]}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2), width_ratios=(3, 2))
    rows = []
    for biases, colour, marker, face, shift, label in (
        (False, BLUE, "o", BLUE, -0.15, "no biases"),
        (True, VERMILION, "s", "white", 0.15, "biases"),
    ):
        part = found.loc[[(variant, biases) for variant in VARIANTS]]
        places = np.arange(len(VARIANTS)) + shift
        left.hlines(places, part["low"], part["high"], color=colour, linewidth=1.6)
        left.plot(
            part["accuracy"],
            places,
            marker,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=1.6,
            label=label,
        )
        rows += [
            {
                "panel": 1,
                "what": f"{label}, {key[0]}",
                "value": row["accuracy"],
                "low": row["low"],
                "high": row["high"],
            }
            for key, row in part.iterrows()
        ]
    left.set_yticks(range(len(VARIANTS)), VARIANTS)
    left.invert_yaxis()
    left.set(title="Each network", xlabel="right on the test split", xlim=(0, 1.01))
    left.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    rows += [
        {
            "panel": 2,
            "what": name.removesuffix("_effect").replace("_", " "),
            "value": effect.value,
            **{
                side: np.nan if getattr(effect, side) is None else getattr(effect, side)
                for side in ("low", "high")
            },
        }
        for name, effect in effects.items()
    ]
    data = pd.DataFrame(rows)
    changes = data[data["panel"].eq(2)].reset_index(drop=True)
    right.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    right.hlines(changes.index, 100 * changes["low"], 100 * changes["high"], color=BLUE)
    right.plot(100 * changes["value"], changes.index, "o", color=BLUE)
    right.set_yticks(changes.index, changes["what"])
    right.set(title="What it changes", xlabel="points (0: nothing)", ylim=(len(changes) - 0.5, -0.5))
    reach = np.nanmax(np.abs(100 * changes[["value", "low", "high"]].to_numpy()))
    right.set_xlim(-1.15 * max(reach, 1), 1.15 * max(reach, 1))
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    return figure, data, _alt(data)


def _alt(data: pd.DataFrame) -> str:
    networks, changes = (data[data["panel"].eq(panel)] for panel in (1, 2))
    told = [f"{row.what} {percent(row.value)}" for row in networks.itertuples()]
    changed = [
        f"{row.what} {100 * row.value:+.1f} points"
        + ("" if pd.isna(row.low) else f" (interval {100 * row.low:+.1f} to {100 * row.high:+.1f})")
        for row in changes.itertuples()
    ]
    return (
        f"Left, dots with intervals: the share of test pictures that each network names rightly: {listing(told)}. "
        f"Right, what each switch changes on average, with a dashed line at no change: {listing(changed)}."
    )
