"""Tables as coloured cells with a text in each."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ferbook.page.style import INK, WIDTH, Drawn, FigureError, listing, percent, require_columns


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
    """``shares`` (rows, columns) times 100 as cells, the darker the higher; in each the ``text`` (rows,
    columns) of it.

    ``measured`` stands beside the colour bar, which takes ``bar`` too. Colours run from ``lowest`` to
    ``highest`` per cent; None: from what occurs. A missing share is an empty cell.
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


CHANCE = 0.5
"""AUROC of a detector that knows nothing."""


def unit_map(table: pd.DataFrame, what: str) -> Drawn:
    """AUROC of each row (a condition or a layer) on each action unit, times 100, as a heat map; the mean in
    the last column.

    ``table``: ``row``, ``au``, ``auroc``, ``low``, ``high``, ``positives``, ``framed``, as
    ``transfer.action_units.unit_scores`` and ``layer_scores`` make it; ``framed`` cells get a frame. ``what``
    the rows are. Data: these columns.
    """
    columns = ["row", "au", "auroc", "low", "high", "positives", "framed"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    rows, aus = list(data["row"].unique()), list(data["au"].unique())
    values = data.pivot(index="row", columns="au", values="auroc").loc[rows, aus]
    texts = values.map(lambda value: "" if pd.isna(value) else f"{100 * value:.0f}")
    figure, axes = plt.subplots(figsize=(WIDTH, 1.5 + 0.36 * len(rows)))
    draw_cells(axes, values, texts, "AUROC × 100", lowest=100 * CHANCE, fontsize=8, extend="min")
    framed = data[data["framed"]]
    for row in framed.itertuples():
        frame_cell(axes, aus.index(row.au), rows.index(row.row))
    counts = data.drop_duplicates("au").set_index("au")["positives"]
    shown = [au if pd.isna(counts[au]) else f"{au} ({counts[au]:.0f})" for au in aus]
    axes.set_xticklabels(
        ["mean" if au == "macro" else au for au in shown],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
        fontsize=8,
    )
    axes.set_yticklabels(rows, rotation=0, fontsize=8)
    axes.set(xlabel="action unit (test pictures that show it)", ylabel=what)
    told = []
    for name in rows:
        own = data[data["row"].eq(name)].set_index("au")["auroc"]
        units = own.drop("macro", errors="ignore").dropna()
        told.append(
            f"{name}: mean {own.get('macro', units.mean()):.2f}, highest {units.idxmax()} "
            f"{units.max():.2f}, lowest {units.idxmin()} {units.min():.2f}"
        )
    alt = f"Heat map of AUROC, {len(rows)} rows by {len(aus) - ('macro' in aus)} action units and their mean. {'; '.join(told)}."
    if len(framed):
        alt += f" Framed: {listing([f'{r.au} in {r.row}' for r in framed.itertuples()])}."
    return figure, data, alt


def confusion_matrix(matrix: pd.DataFrame, counted: str = "pictures") -> Drawn:
    """Confusion as a heat map, each row a true class, in per cent of that row.

    ``matrix``: counts (K, K) of what is ``counted``, index the true class, columns the predicted one, in the
    same order. Data: ``true``, ``predicted``, ``count``, ``share`` (missing where a class does not occur).
    Raises FigureError for other shapes.
    """
    if list(matrix.index) != list(matrix.columns) or matrix.empty:
        raise FigureError("a confusion matrix has the same classes, in the same order, as rows and columns")
    counts = matrix.rename_axis(index="true", columns="predicted")
    totals = counts.sum(axis=1)
    shares = counts.div(totals.where(totals > 0), axis=0)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.52 * len(counts)))
    texts = shares.map(lambda s: "" if pd.isna(s) or s == 0 else f"{100 * s:.0f}")
    draw_cells(axes, shares, texts, "share of the true class (%)", fontsize=10)
    axes.set(xlabel="predicted", ylabel=f"true (number of {counted})")
    axes.set_yticklabels([f"{name} ({total:,})" for name, total in totals.items()], rotation=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    data = counts.stack().rename("count").reset_index().assign(share=shares.to_numpy().ravel())
    recall = pd.Series(np.diag(shares), index=counts.index).dropna()
    wrong = data[data["true"].ne(data["predicted"]) & data["count"].gt(0)].sort_values(
        "share", ascending=False, kind="stable"
    )
    alt = f"Heat map of {len(counts)} true by {len(counts)} predicted emotions, {totals.sum():,} {counted}. On the diagonal, the share named rightly"
    if len(recall):
        alt += (
            f" is highest for {recall.idxmax()} ({percent(recall.max())}) and lowest for {recall.idxmin()} "
            f"({percent(recall.min())})"
        )
    alt += ". "
    if len(wrong):
        worst = [
            f"{row.true} taken for {row.predicted} ({percent(row.share)})"
            for row in wrong.head(3).itertuples()
        ]
        alt += f"The most frequent confusions: {listing(worst)}."
    else:
        alt += f"No {counted.removesuffix('s')} is confused."
    return figure, data, alt
