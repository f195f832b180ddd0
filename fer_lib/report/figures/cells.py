"""Tables as coloured cells with a text in each."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from fer_lib.report.figures.style import INK


def draw_cells(
    axes: Axes,
    shares: pd.DataFrame,
    text: pd.DataFrame,
    measured: str,
    *,
    lowest: float | None = 0,
    highest: float | None = 100,
    fontsize: float = 9,
    **bar: object,
) -> None:
    """``shares`` (rows, columns) times 100 as cells, the darker the higher; in each the ``text`` (rows, columns) of it.

    ``measured`` stands beside the colour bar, which takes ``bar`` too. Colours run from ``lowest`` to ``highest`` per cent; None: from what occurs. A
    missing share is an empty cell.
    """
    sns.heatmap(
        100 * shares,
        ax=axes,
        cmap="Blues",
        vmin=lowest,
        vmax=highest,
        annot=text,
        fmt="",
        annot_kws={"fontsize": fontsize},
        linewidths=0.8,
        linecolor="white",
        cbar_kws={"label": measured, **bar},
    )
    axes.tick_params(length=0)
    axes.set_yticks(np.arange(len(shares)) + 0.5, [str(name) for name in shares.index], rotation=0)


def frame_cell(axes: Axes, column: int, row: int) -> None:
    """A dark frame around one cell, counted from the upper left."""
    axes.add_patch(plt.Rectangle((column, row), 1, 1, fill=False, edgecolor=INK, linewidth=2, clip_on=False))


def share_with_half_width(share: float, low: float, high: float) -> str:
    """A share in per cent and, below it, half the width of its interval, where it has one."""
    return f"{100 * share:.1f}" + ("" if pd.isna(high - low) else f"\n± {50 * (high - low):.1f}")
