"""Figures of action units read from networks: the means of all conditions, and each unit by condition or layer."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from fer_lib.report.figures.cells import draw_cells, frame_cell
from fer_lib.report.figures.style import BLUE, INK, MUTED, WIDTH, Drawn, listing, require_columns

CHANCE = 0.5
"""AUROC of a detector that knows nothing."""


def macro_dots(table: pd.DataFrame) -> Drawn:
    """Mean AUROC over all action units by condition: a large dot with its interval, where there are layers a small mark for each of them.

    ``table``: ``condition``, ``layer``, ``auroc``, ``low``, ``high``, as ``report.cross_task.macro_table`` makes it; a layer that is empty or ``chosen`` stands for its
    condition. Data: these columns.
    """
    columns = ["condition", "layer", "auroc", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    names = list(data["condition"].unique())
    figure, axes = plt.subplots(figsize=(WIDTH, 1.0 + 0.42 * len(names)))
    told = []
    for spot, name in enumerate(names):
        part = data[data["condition"].eq(name)]
        stands = part["layer"].isin(("", "chosen"))
        row = part[stands].iloc[0]
        if not pd.isna(row["low"]):
            axes.hlines(spot, row["low"], row["high"], color=BLUE, linewidth=2.2)
        axes.plot(row["auroc"], spot, "o", color=BLUE, markersize=8)
        layers = part[~stands]
        axes.plot(layers["auroc"], np.full(len(layers), spot + 0.28), "|", color=MUTED, markersize=9)
        axes.text(1.01, spot, f"{row['auroc']:.3f}", va="center", transform=axes.get_yaxis_transform())
        said = f"{name} {row['auroc']:.3f}"
        if not pd.isna(row["low"]):
            said += f" ({row['low']:.3f} to {row['high']:.3f})"
        told.append(said)
    axes.axvline(CHANCE, color=INK, linestyle="--", linewidth=1.2)
    axes.annotate(
        "chance", (CHANCE, -0.62), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center"
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.8)
    axes.set(xlabel="mean AUROC over action units; strokes: single layers", xlim=(0.45, 1.0))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return (
        figure,
        data,
        f"Dots with intervals, the mean AUROC over action units: {listing(told)}. A dashed line marks chance.",
    )


def unit_map(table: pd.DataFrame, what: str) -> Drawn:
    """AUROC of each row (a condition or a layer) on each action unit, times 100, as a heat map; the mean in the last column.

    ``table``: ``row``, ``au``, ``auroc``, ``low``, ``high``, ``positives``, ``framed``, as ``report.cross_task.unit_scores`` and ``layer_scores`` make it; ``framed`` cells get a
    frame. ``what`` the rows are. Data: these columns.
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
            f"{name}: mean {own.get('macro', units.mean()):.2f}, highest {units.idxmax()} {units.max():.2f}, lowest {units.idxmin()} {units.min():.2f}"
        )
    alt = f"Heat map of AUROC, {len(rows)} rows by {len(aus) - ('macro' in aus)} action units and their mean. {'; '.join(told)}."
    if len(framed):
        alt += f" Framed: {listing([f'{r.au} in {r.row}' for r in framed.itertuples()])}."
    return figure, data, alt
