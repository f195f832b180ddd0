"""Figures of how far projections can be believed: where they lie, and what is left of them without the network."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from fer_lib.explain.sanity import JUDGED, REMAINDER_LIMIT
from fer_lib.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    VERMILION,
    WIDTH,
    Drawn,
    listing,
    require_columns,
)

KIND_NAMES = {
    "ours": "the filters' own maps",
    "wrong_au": "own maps, other units' regions",
    "other_filter": "maps of other filters",
    "field": "whole receptive field",
    "field_edges": "edges in the receptive field",
    "edges": "edges of the whole picture",
    "centre": "middle of the picture",
    "random": "noise",
    "untrained": "own maps, untrained network",
}
"""``explain.localise.KINDS`` for readers, and what ``report.deconvolution.with_untrained`` sets beside them."""

_MEASURE_NAMES = {
    "concentration": "concentration\n(energy / area)",
    "pointing_game": "pointing game\n(hits)",
    "iou": "overlap\n(IoU)",
}


def localisation_dots(summary: pd.DataFrame) -> Drawn:
    """How well projections find the regions of action units, above everything that knows nothing of the filters.

    ``summary`` from ``explain.localise.summarise`` without groups, or from ``report.deconvolution.with_untrained``. Data: its rows for three measures: ``measure``, ``kind``, ``value``, ``low``, ``high``, ``gain``,
    ``gain_low``, ``gain_high``, ``n``, ``undefined``, ``subjects``.
    """
    columns = ["measure", "kind", "value", "low", "high", "gain", "gain_low", "gain_high"]
    columns += ["n", "undefined", "subjects"]
    require_columns(summary, columns)
    data = summary.loc[summary["measure"].isin(_MEASURE_NAMES), columns].reset_index(drop=True)
    kinds = [kind for kind in KIND_NAMES if kind in set(data["kind"])]
    figure, panels = plt.subplots(
        1, len(_MEASURE_NAMES), figsize=(WIDTH, 1.1 + 0.3 * len(kinds)), sharey=True
    )
    for axes, (measure, name) in zip(panels, _MEASURE_NAMES.items(), strict=True):
        part = data[data["measure"].eq(measure)].set_index("kind").loc[kinds]
        for place, (kind, row) in enumerate(part.iterrows()):
            own = kind == "ours"
            style = {"color": VERMILION if own else BLUE, "marker": "D" if own else "o", "markersize": 6}
            axes.plot(row["value"], place, linestyle="", **style)
            if np.isfinite(row["low"]):
                axes.hlines(place, row["low"], row["high"], color=style["color"], linewidth=1.8)
        axes.axvline(part.loc["ours", "value"], color=VERMILION, linestyle=":", linewidth=1)
        axes.set(title=name, xlim=(0, None))
        axes.title.set_fontsize(9)
        axes.grid(axis="y")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
    panels[0].set_yticks(range(len(kinds)), [KIND_NAMES[kind] for kind in kinds], fontsize=9)
    panels[0].set_ylim(len(kinds) - 0.5, -0.5)
    # Spread as evenly as the picture's area: what a map without any preference has.
    panels[0].axvline(1, color=MUTED, linewidth=1)
    panels[1].xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    own = data[data["measure"].eq("concentration")].set_index("kind")["value"]
    alt = (
        f"Dots with intervals for {len(kinds)} kinds of maps in three measures. The energy of the filters' own maps in the region of an action unit is {own['ours']:.2f} "
        "times what its area would give; beside it "
        + listing([f"{KIND_NAMES[kind]} {own[kind]:.2f}" for kind in kinds if kind != "ours"])
        + "."
    )
    return figure, data, alt


def cascade_lines(cascade: pd.DataFrame) -> Drawn:
    """How much of the projections is left as the weights are made random from the layer down, by method, above what any two pictures share.

    ``cascade`` from ``explain.sanity.cascading_randomisation``, of several methods one below the other. Data: ``method``, ``step``, ``layer``, ``measure``, ``similarity``,
    ``floor``, ``excess``, ``low``, ``high``, ``n``, ``off``.
    """
    columns = [
        "method",
        "step",
        "layer",
        "measure",
        "similarity",
        "floor",
        "excess",
        "low",
        "high",
        "n",
        "off",
    ]
    require_columns(cascade, columns)
    data = cascade.loc[cascade["measure"].isin(JUDGED), columns].reset_index(drop=True)
    figure, panels = plt.subplots(1, len(JUDGED), figsize=(WIDTH, 3.0), sharey=True)
    styles = {"deconv": (VERMILION, "-", "o"), "guided": (BLUE, "--", "s"), "gradient": (INK, ":", "^")}
    for axes, measure in zip(panels, JUDGED, strict=True):
        for method, part in data[data["measure"].eq(measure)].groupby("method", sort=False):
            colour, dashes, marker = styles[method]
            axes.plot(
                part["step"], part["excess"], color=colour, linestyle=dashes, marker=marker, label=method
            )
            axes.vlines(part["step"], part["low"], part["high"], color=colour, linewidth=1.4)
        axes.axhline(REMAINDER_LIMIT, color=MUTED, linewidth=1)
        steps = data[["step", "layer"]].drop_duplicates().sort_values("step")
        names = ["trained" if not layer else f"+ {layer}" for layer in steps["layer"]]
        axes.set_xticks(steps["step"], names, fontsize=8, rotation=25 if len(names) > 4 else 0)
        axes.set(
            title=f"{measure} maps",
            xlabel="made random",
            ylim=(min(-0.05, data["excess"].min() - 0.05), 1.05),
        )
        axes.grid(axis="y")
    panels[0].set_ylabel("rank correlation with the trained\nnetwork's maps, above the floor")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(styles))
    last = data[data["step"].eq(data["step"].max())]
    said = [f"{row.method} {row.excess:.2f} ({row.measure})" for row in last.itertuples()]
    alt = (
        f"Lines that fall from 1 minus the floor as convolutions become random. With all of them random there remains, above what maps of different pictures share: {listing(said)}. "
        f"A grey line marks the limit, {REMAINDER_LIMIT:g}."
    )
    return figure, data, alt
