"""Figures of action units read from networks: the means of all conditions, and each unit by condition or
layer.

The reliability diagram: how often a network is right, by how sure it says it is.

Figures of transfer: from one face set to another, with few pictures of one's own, and under single factors of
the picture.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ferbook.page.heat import CHANCE, draw_cells, frame_cell, share_with_half_width
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    VERMILION,
    WIDTH,
    Drawn,
    listing,
    percent,
    require_columns,
)


def macro_dots(table: pd.DataFrame) -> Drawn:
    """Mean AUROC over all action units by condition: a large dot with its interval, where there are layers a
    small mark for each of them.

    ``table``: ``condition``, ``layer``, ``auroc``, ``low``, ``high``, as
    ``transfer.action_units.macro_table`` makes it; a layer that is empty or ``chosen`` stands for its
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
        f"Dots with intervals, the mean AUROC over action units: {listing(told)}. A dashed line marks "
        "chance.",
    )


def reliability_diagram(table: pd.DataFrame) -> Drawn:
    """Accuracy over confidence in bins, for networks that ``learned`` from different labels; below, how many
    pictures each bin holds.

    On the dashed line a network is right as often as it says. ``table``: ``learned``, ``n``, ``confidence``,
    ``accuracy``, ``low``, ``high`` (shares), as ``transfer.soft_labels.reliability`` makes it. Data: these
    columns.
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
            f"learned from the {learned}, the mean confidence is {percent(mean)} and {percent(right)} are "
            "right"
        )
    above.set(ylabel="right", xlim=(0, 1), ylim=(0, 1.06))
    below.set(xlabel="confidence of the answer", ylabel="pictures", ylim=(0, None))
    for axes in (above, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(axis="y")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8)
    alt = (
        "Lines of the share of right answers over confidence, beside a diagonal on which a network is "
        f"right as often as it says: {listing(told)}. "
        "Below, how the pictures spread over confidence."
    )
    return figure, data, alt


_BOUNDED = ["accuracy", "low", "high"]


def _points(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def transfer_matrix(table: pd.DataFrame) -> Drawn:
    """Accuracy of networks (rows: what they learned from) on face sets (columns), in per cent, with half the
    width of the interval; the null in the last row.

    A frame marks cells of one and the same set. ``table`` from ``transfer.page.matrix_table``. Data:
    ``trained_on``, ``tested_on``, ``accuracy``, ``low``, ``high``, ``pictures``.
    """
    columns = ["trained_on", "tested_on", *_BOUNDED, "pictures"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    rows, names = list(data["trained_on"].unique()), list(data["tested_on"].unique())
    text = [share_with_half_width(r.accuracy, r.low, r.high) for r in data.itertuples()]
    shape = {"index": "trained_on", "columns": "tested_on"}
    shares = data.pivot(**shape, values="accuracy").loc[rows, names]
    texts = data.assign(text=text).pivot(**shape, values="text").loc[rows, names]
    figure, axes = plt.subplots(figsize=(WIDTH, 1.1 + 0.56 * len(rows)))
    draw_cells(axes, shares, texts, "accuracy (%)")
    same = data[data["trained_on"].eq(data["tested_on"])]
    for name in same["tested_on"]:
        frame_cell(axes, names.index(name), rows.index(name))
    axes.set(xlabel="tested on (framed: the set learned from)", ylabel="learned from")
    other = data[data["trained_on"].isin(names) & data["trained_on"].ne(data["tested_on"])]
    told = [f"from {r.trained_on} to {r.tested_on} {percent(r.accuracy)}" for r in other.itertuples()]
    alt = (
        f"Heat map of accuracy, {len(names)} sets learned from by the same {len(names)} sets tested on. On "
        "the diagonal: "
        f"{listing([f'{r.tested_on} {percent(r.accuracy)}' for r in same.itertuples()])}. Off it: "
        f"{listing(told)}."
    )
    for name in rows[len(names) :]:
        own = data[data["trained_on"].eq(name)]
        said = listing([f"{r.tested_on} {percent(r.accuracy)}" for r in own.itertuples()])
        alt += f" Row {name}: {said}."
    return figure, data, alt


def transfer_drops(table: pd.DataFrame) -> Drawn:
    """What networks from elsewhere lose on each set against the set's own network: dots with intervals, in
    points, below one heading per set.

    ``table`` from ``transfer.page.drop_table``. Data: ``trained_on``, ``tested_on``, ``difference``, ``low``,
    ``high``.
    """
    columns = ["trained_on", "tested_on", "difference", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    sets = list(data["tested_on"].unique())
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.25 * (len(data) + len(sets))))
    places, spot = [], 0.0
    for tested in sets:
        places.append((spot, f"tested on {tested}", True))
        for row in data[data["tested_on"].eq(tested)].itertuples():
            spot += 1
            joint = row.trained_on not in sets
            _dot(axes, spot, row.difference, row.low, row.high, VERMILION if joint else BLUE, joint)
            places.append((spot, f"learned from {row.trained_on}", False))
        spot += 1.3
    _zero(axes, places)
    axes.set_xlabel("accuracy against the set's own network (percentage points)")
    told = [
        f"{r.tested_on} from {r.trained_on} {_points(r.difference)}"
        + ("" if pd.isna(r.low) else f" ({_points(r.low)} to {_points(r.high)})")
        for r in data.itertuples()
    ]
    return figure, data, f"Dots with intervals beside a line at zero, in points of accuracy: {listing(told)}."


def _dot(axes: Axes, spot: float, value: float, low: float, high: float, colour: str, filled: bool) -> None:
    if not pd.isna(low):
        axes.hlines(spot, low, high, color=colour, linewidth=1.8)
    face = colour if filled else "white"
    axes.plot(value, spot, "D" if filled else "o", color=colour, markerfacecolor=face, markersize=6)


def _zero(axes: Axes, places: list[tuple[float, str, bool]]) -> None:
    """A line at zero, and the names of the rows at their ``places``, headings dark."""
    axes.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    axes.set_yticks([spot for spot, *_ in places], [name for _, name, _ in places], fontsize=9)
    for tick, (_, _, heading) in zip(axes.get_yticklabels(), places, strict=True):
        tick.set(color=INK if heading else MUTED, weight="bold" if heading else "normal")
    axes.set_ylim(places[-1][0] + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


_STARTS = {"pretrained": (BLUE, "o", "-"), "scratch": (VERMILION, "s", "--")}


def tuning_curves(table: pd.DataFrame, source: str, target: str, null: float) -> Drawn:
    """Accuracy on ``target`` by the share of it that was learned from: networks that had learned ``source``
    before, and networks that start anew.

    A mark per draw, a line through the means. ``table``: ``start``, ``fraction`` (per cent), ``draw``,
    ``accuracy``, ``train_pictures``, as of ``transfer.fine_tuning``; ``null``: the share of the commonest
    class. Data: these columns and ``null``.
    """
    columns = ["start", "fraction", "draw", "accuracy", "train_pictures"]
    require_columns(table, columns)
    data = table[columns].assign(null=null).reset_index(drop=True)
    fractions = sorted(data["fraction"].unique())
    place = {fraction: spot for spot, fraction in enumerate(fractions)}
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    names = {"pretrained": f"learned {source} before", "scratch": "from scratch"}
    told = []
    for shift, (start, (colour, marker, dashes)) in zip((-0.06, 0.06), _STARTS.items(), strict=True):
        part = data[data["start"].eq(start)]
        means = part.groupby("fraction")["accuracy"].mean()
        spots = np.array([place[f] for f in means.index]) + shift
        axes.plot(spots, means, color=colour, linestyle=dashes, label=names[start])
        axes.plot(
            part["fraction"].map(place) + shift,
            part["accuracy"],
            marker,
            color=colour,
            markerfacecolor="white",
            markersize=5,
        )
        told.append(f"{names[start]}: " + ", ".join(f"{percent(mean)} at {f} %" for f, mean in means.items()))
    axes.axhline(null, color=INK, linestyle=":", linewidth=1.3, label=f"commonest class: {percent(null)}")
    pictures = data.groupby("fraction")["train_pictures"].mean()
    axes.set_xticks(
        list(place.values()), [f"{f} %\n{pictures[f]:,.0f} pictures" for f in fractions], fontsize=8
    )
    axes.set(xlabel=f"share of {target} learned from", ylabel=f"accuracy on {target}")
    axes.set_ylim(0, min(1.0, 1.12 * data["accuracy"].max()))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y")
    figure.legend(loc="outside upper left", ncols=3, fontsize=9)
    alt = (
        f"Two lines of accuracy on {target} over the share of it that was learned from. {'. '.join(told)}. "
        "A dotted line marks the commonest class, "
        f"{percent(null)}."
    )
    return figure, data, alt


def factor_dots(table: pd.DataFrame, base: str, other: str) -> Drawn:
    """What each factor of the picture takes from networks' accuracy, in points: left added to faces of
    ``base``, right taken from faces of ``other``.

    ``table``: ``network`` (the set that it learned from), ``factor`` (empty: all of them), ``direction``,
    ``difference``, ``low``, ``high``, as ``report.transfer_parts.factor_table`` makes it. A marker per
    network. Data: these columns.
    """
    columns = ["network", "factor", "direction", "difference", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    networks = list(data["network"].unique())
    titles = {"add": f"{base} faces and …", "remove": f"{other} faces without …"}
    every = data[data["direction"].eq("all")]
    shown = pd.concat([data, every.assign(direction="add"), every.assign(direction="remove")])
    shown.loc[shown["direction"].eq("remove") & shown["factor"].eq(""), ["difference", "low", "high"]] *= -1
    lead = shown[shown["direction"].eq("add") & shown["network"].eq(networks[0])]
    order = list(lead.sort_values("difference")["factor"])
    marks = ((BLUE, "o"), (VERMILION, "s"), (ORANGE, "^"), (INK, "D"))
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.2 + 0.3 * len(order)), sharey=True)
    for axes, (direction, title) in zip(panels, titles.items(), strict=True):
        for number, network in enumerate(networks):
            colour, marker = marks[number % len(marks)]
            part = shown[shown["direction"].eq(direction) & shown["network"].eq(network)]
            part = part.set_index("factor").loc[order]
            spots = np.arange(len(order)) + 0.22 * (number - (len(networks) - 1) / 2)
            known = part["low"].notna().to_numpy()
            ends = part[["low", "high"]].to_numpy()[known]
            axes.hlines(spots[known], ends.min(axis=1), ends.max(axis=1), color=colour, linewidth=1.6)
            axes.plot(
                part["difference"],
                spots,
                marker,
                color=colour,
                markersize=5,
                markerfacecolor="white" if number % 2 else colour,
                label=f"learned from {network}",
            )
        axes.axvline(0, color=INK, linestyle="--", linewidth=1.1)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.hlines(np.arange(len(order) - 1) + 0.5, *axes.get_xlim(), color=RULE, linewidth=0.5)
    panels[0].set_yticks(range(len(order)), [name or "all of them" for name in order])
    panels[0].invert_yaxis()
    figure.supxlabel("change of accuracy (percentage points)", fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)
    told = []
    for network in networks:
        part = data[data["network"].eq(network)]
        all_of = part.loc[part["direction"].eq("all"), "difference"].item()
        alone = part[part["direction"].eq("add")].sort_values("difference")
        said = [f"{r.factor} {_points(r.difference)}" for r in alone.itertuples()]
        told.append(
            f"The network that learned from {network} changes by {_points(all_of)} points with all of them, "
            f"alone by: {listing(said)}."
        )
    return figure, data, f"Two panels of dots with intervals beside a line at zero. {' '.join(told)}"
