"""What choosing the stopping epoch on the test split would have added."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from fer_lib.report.figures.style import BLUE, MUTED, VERMILION, WIDTH, Drawn, percent, require_columns

NAMED_TRAININGS = 24
"""Up to so many trainings each has its own label; of more, every so many-th has."""


def selection_dumbbells(table: pd.DataFrame) -> Drawn:
    """Accuracy on the test split by who chose the epoch: validation split or the test split itself; a line from one to the other.

    ``table``: as ``report.selection.selection_table`` makes it. Data: its columns. Raises FigureError where one is absent.
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
        f"One line for each of {len(data)} {'training' if len(data) == 1 else 'trainings'}, from the accuracy on the test split at the epoch "
        "that validation chose to the accuracy at the epoch that is best on the test split itself. The second is higher by "
        f"{100 * data['gain'].mean():.1f} points on average, from {100 * data['gain'].min():.1f} to {100 * largest['gain']:.1f} "
        f"(most for {largest['training']}: {percent(largest['chosen_accuracy'])} against {percent(largest['test_accuracy'])})."
    )
    return figure, data, alt
