"""Figures of a layer's filters: how a response goes back to pixels, what drives the filters and where, and
how far projections can be believed.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from book.deconvolution.atlas import extremum_counts, grey_levels, mean_picture
from book.deconvolution.layer_view import LayerView
from book.deconvolution.worked_example import WorkedExample
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.receptive import ReceptiveField
from fer_lib.look.responses import Responses
from fer_lib.look.sanity import JUDGED, REMAINDER_LIMIT
from ferbook.page import style
from ferbook.page.forest import forest
from ferbook.page.pictures import mosaic, show, thumbnail

RESPONSE_TOLERANCE = 0.05
"""How far a response may move where another processor adds up in another order."""


def filter_strengths(view: LayerView) -> style.Drawn:
    """Every filter: how strongly it answers at most, against how selective it is among the pictures.

    Data: ``view.ranking``, a row per filter, the strongest first.
    """
    data = view.ranking
    first = data.head(10)
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.1))
    axes.scatter(data["selectivity"], data["strongest"], s=14, color=style.BLUE, alpha=0.6, linewidths=0)
    axes.scatter(
        first["selectivity"], first["strongest"], s=30, color=style.VERMILION, marker="D", linewidths=0
    )
    # Neighbours from left to right, their numbers in turn above and below: close ones stay legible.
    for place, row in enumerate(first.sort_values("selectivity").itertuples()):
        spot, offset = (row.selectivity, row.strongest), (0, -11 if place % 2 else 5)
        axes.annotate(str(row.filter), spot, offset, textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlabel="selectivity (0: all pictures alike, 1: a single picture)", ylabel="strongest response")
    axes.set(xlim=(0, 1.02), ylim=(0, None))
    axes.grid(axis="y")
    silent = int((data["pictures"] == 0).sum())
    alt = (
        f"A dot for each of {len(data)} filters: selectivity from {data['selectivity'].min():.2f} to "
        f"{data['selectivity'].max():.2f} against the strongest response, from {data['strongest'].min():.2f} "
        f"to {data['strongest'].max():.2f}; {silent or 'none'} of the filters never responds. The ten "
        f"strongest are marked: {style.listing([str(n) for n in first['filter']])}."
    )
    # Filters of nearly equal strength may change places.
    moves = {"filter": len(data), "pictures": view.top.shape[1], "share_active": 0.02, "selectivity": 0.02}
    moves |= dict.fromkeys(("strongest", "mean_top", "mean"), RESPONSE_TOLERANCE)
    return style.Drawn(figure, data, alt, tolerance=moves)


def strongest_filters(view: LayerView, count: int = 10, pictures: int = 5) -> style.Drawn:
    """The ``count`` strongest filters as Khorrami et al. 2015 show them in their figure 2: pictures above,
    projections below.

    Of each filter the first ``pictures`` of its top pictures. Shows faces: only for sets that may be shown.
    Data: ``filter``, ``place``, ``picture``, ``subject``, ``emotion``, ``response``; ``row`` and ``column``
    of the receptive field's upper left pixel.
    """
    faces, projections = view.faces, view.projections
    chosen = view.ranking[view.ranking["pictures"] > 0].head(count)
    height, width = faces.size
    gap, across = max(1, width // 24), 2
    down = -(-len(chosen) // across)
    tall = style.WIDTH / across * 2 * height / (pictures * width) + 0.26
    figure, grid = plt.subplots(down, across, figsize=(style.WIDTH, down * tall), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    pairs = []
    for axes, record in zip(grid.flat, chosen.itertuples(), strict=False):
        own = view.pairs_of(record.filter)[:pictures]
        maps = grey_levels(np.stack([projections.whole(pair) for pair in own]))
        sheet = mosaic(np.concatenate((faces.gather(view.rows[own]), maps)), len(own), gap)
        show(axes, sheet, f"filter {record.filter}: {record.strongest:.2f}")
        axes.set_xlim(-0.5, pictures * (width + gap) - gap - 0.5)
        pairs += own
    rows, corners = view.rows[pairs], projections.corners[pairs]
    about = faces.table[["subject", "emotion"]].iloc[rows].reset_index(drop=True)
    data = pd.DataFrame({"filter": view.filters[pairs], "picture": rows}).join(about)
    data.insert(1, "place", data.groupby("filter").cumcount() + 1)
    data = data.assign(response=projections.responses[pairs].astype(float))
    data[["row", "column"]] = corners
    emotions = data.groupby("filter", sort=False)["emotion"]
    said = [f"filter {number} {own.mode().iloc[0] or 'no emotion'}" for number, own in emotions]
    alt = (
        f"For each of {len(chosen)} filters a row of up to {pictures} faces that drive it most, and below "
        "each face what of it drives the filter, as light and dark lines on grey. The most frequent emotion "
        f"among the faces: {style.listing(said)}."
    )
    # Which of two nearly equal pictures or filters comes first may change, and with it the place.
    moves = {"picture": len(faces), "response": RESPONSE_TOLERANCE, "filter": len(view.top)}
    moves |= {"row": height, "column": width}
    return style.Drawn(figure, data, alt, tolerance=moves)


def extremum_points(faces: FaceSet, networks: dict[str, Responses], field: ReceptiveField) -> style.Drawn:
    """Where the extrema of a layer's filters stand: each filter's commonest place on the mean face, and how
    common it is.

    ``networks``: name → responses to ``faces`` of networks of one architecture, the one in question first,
    nulls after it; ``field`` of the layer. Above, one mean face per network, a dot at each
    commonest place of some filters, its area their number. Below, over the filters, the share of extrema that
    stand at the commonest place or next to it. Data: ``network``, ``filter``, ``x``, ``y`` (pixels, the
    middle of the receptive field), ``share``, ``pictures`` (that drive the filter).
    """
    data = pd.concat(
        [_commonest_places(responses, field).assign(network=name) for name, responses in networks.items()],
        ignore_index=True,
    )[["network", "filter", "x", "y", "share", "pictures"]]
    figure, layout = plt.subplot_mosaic(
        [list(networks), ["shares"] * len(networks)],
        figsize=(style.WIDTH, 1.05 * style.WIDTH / len(networks) + 2.2),
        height_ratios=(1.05 * style.WIDTH / len(networks), 2.2),
    )
    mean = mean_picture(faces)
    most = data.groupby(["network", "x", "y"]).size().max()
    marks = ((style.VERMILION, "-"), (style.BLUE, "--"), (style.MUTED, ":"))
    for (name, part), (colour, dashes) in zip(data.groupby("network", sort=False), marks, strict=False):
        axes = layout[name]
        axes.imshow(thumbnail(mean, 1), vmin=0, vmax=255, alpha=0.65)
        places = part.groupby(["x", "y"]).size().reset_index(name="filters")
        axes.scatter(
            places["x"], places["y"], s=260 * places["filters"] / most, color=colour, alpha=0.75, linewidths=0
        )
        axes.set(title=f"{name} ({len(part)} filters)", xticks=[], yticks=[])
        axes.set(xlim=(-0.5, mean.shape[1] - 0.5), ylim=(mean.shape[0] - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        shares = np.sort(part["share"])[::-1]
        layout["shares"].plot(
            np.arange(1, len(shares) + 1) / len(shares), shares, color=colour, linestyle=dashes, label=name
        )
    curves = layout["shares"]
    curves.legend(loc="upper right")
    curves.grid(axis="y")
    curves.set(xlabel="share of the filters", ylabel="extrema at the commonest\nplace or next to it")
    curves.set(xlim=(0, 1), ylim=(0, 1))
    for axis in (curves.xaxis, curves.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    medians = data.groupby("network", sort=False)["share"].median()
    said = [f"{name} {style.percent(share)}" for name, share in medians.items()]
    alt = (
        f"{len(networks)} mean faces with dots where the filters' extrema most often stand, the largest for "
        f"{most} filters in one place. Below, falling curves of how many of a filter's extrema "
        f"stand there; the median filter has {style.listing(said)}."
    )
    moves = {"x": faces.size[1], "y": faces.size[0], "share": 0.1, "pictures": 20}
    return style.Drawn(figure, data, alt, tolerance=moves)


def _commonest_places(responses: Responses, field: ReceptiveField) -> pd.DataFrame:
    """One row per filter that responds: its commonest place, and the share of extrema there or next to it."""
    counts = extremum_counts(responses)
    totals = counts.sum(axis=(1, 2))
    rows = []
    for number in np.flatnonzero(totals):
        row, column = np.unravel_index(counts[number].argmax(), counts.shape[1:])
        near = counts[number, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].sum()
        y, x = (field.start + place * field.stride + (field.size - 1) / 2 for place in (row, column))
        rows.append((number, x, y, near / totals[number], totals[number]))
    return pd.DataFrame(rows, columns=["filter", "x", "y", "share", "pictures"])


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
"""``look.localisation.KINDS`` for readers, and what ``study.beside_untrained`` sets beside them."""

_MEASURES = {
    "concentration": ("concentration", "energy / area"),
    "pointing_game": ("pointing game", "hits"),
    "iou": ("overlap", "IoU"),
}


def localisation_dots(summary: pd.DataFrame) -> style.Drawn:
    """How well projections find the regions of action units, above everything that knows nothing of the
    filters.

    ``summary`` from ``deconvolution.study.beside_untrained``. Data: its rows for three measures: ``measure``,
    ``kind``, ``value``, ``low``, ``high``, ``gain``, ``gain_low``, ``gain_high``, ``n``, ``undefined``,
    ``subjects``.
    """
    data = summary[summary["measure"].isin(_MEASURES)].reset_index(drop=True)
    rows = data.assign(
        panel=[_MEASURES[measure][0] for measure in data["measure"]],
        label=data["kind"].map(KIND_NAMES),
        main=data["kind"].eq("ours"),
    )
    moves = dict.fromkeys(("value", "low", "high", "gain", "gain_low", "gain_high"), 0.5)
    return forest(
        rows.sort_values("kind", key=lambda kinds: kinds.map(list(KIND_NAMES).index), kind="stable"),
        measured=dict(_MEASURES.values()),
        unit={"pointing game": "share"},
        # Spread as evenly as the picture's area: what a map without any preference has.
        null={"concentration": 1},
        limits=(0, None),
        alt="Dots with intervals for kinds of maps, in three measures of how far their energy lies in the "
        "region of an action unit.",
        tolerance=moves | dict.fromkeys(("n", "undefined", "subjects"), 20),
        data=data,
    )


def cascade_lines(cascade: pd.DataFrame) -> style.Drawn:
    """How much of the projections is left as the weights are made random from the layer down, by method,
    above what any two pictures share.

    ``cascade`` from ``look.sanity.cascading_randomisation``, of several methods one below the other. Data:
    ``method``, ``step``, ``layer``, ``measure``, ``similarity``, ``floor``, ``excess``, ``low``, ``high``,
    ``n``, ``off``.
    """
    data = cascade[cascade["measure"].isin(JUDGED)].reset_index(drop=True)
    figure, panels = plt.subplots(1, len(JUDGED), figsize=(style.WIDTH, 3.0), sharey=True)
    styles = {
        "deconv": (style.VERMILION, "-", "o"),
        "guided": (style.BLUE, "--", "s"),
        "gradient": (style.INK, ":", "^"),
    }
    for axes, measure in zip(panels, JUDGED, strict=True):
        for method, part in data[data["measure"].eq(measure)].groupby("method", sort=False):
            colour, dashes, marker = styles[method]
            axes.plot(
                part["step"], part["excess"], color=colour, linestyle=dashes, marker=marker, label=method
            )
            axes.vlines(part["step"], part["low"], part["high"], color=colour, linewidth=1.4)
        axes.axhline(REMAINDER_LIMIT, color=style.MUTED, linewidth=1)
        steps = data[["step", "layer"]].drop_duplicates().sort_values("step")
        names = ["trained" if not layer else f"+ {layer}" for layer in steps["layer"]]
        axes.set_xticks(steps["step"], names, fontsize=8, rotation=25 if len(names) > 4 else 0)
        axes.set(title=f"{measure} maps", xlabel="made random")
        axes.set_ylim(min(-0.05, data["excess"].min() - 0.05), 1.05)
        axes.grid(axis="y")
    panels[0].set_ylabel("rank correlation with the trained\nnetwork's maps, above the floor")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(styles))
    last = data[data["step"].eq(data["step"].max())]
    said = [f"{row.method} {row.excess:.2f} ({row.measure})" for row in last.itertuples()]
    alt = (
        "Lines that fall from 1 minus the floor as convolutions become random. With all of them random "
        f"there remains, above what maps of different pictures share: {style.listing(said)}. "
        f"A grey line marks the limit, {REMAINDER_LIMIT:g}."
    )
    moves = dict.fromkeys(("similarity", "floor", "excess", "low", "high"), 0.1) | {"n": 20, "off": 20}
    return style.Drawn(figure, data, alt, tolerance=moves)


MOST_CELLS = 6
"""Cells a side of the largest array of the worked example."""


def how_it_works(example: WorkedExample) -> style.Drawn:
    """The worked example, number by number: up through the network, down again, and what the other methods
    let down at a ReLU.

    Data: ``panel``, ``row``, ``column``, ``value``.
    """
    figure = plt.figure(figsize=(style.WIDTH, 4.9))
    rows = (
        (example.up, "up: what the network computes  →", (6, 4, 4, 2.4, 1.6)),
        (example.down, "←  down: where the response comes from", (6, 4, 4, 2.4, 1.6)),
        (example.beside, "the two filters, and the same way down by the other methods", (3.2, 2.4, 6, 6)),
    )
    parts = []
    for part, (panels, title, widths) in zip(figure.subfigures(3, 1), rows, strict=True):
        part.suptitle(title, fontsize=10, x=0.01, ha="left")
        for axes, (name, values) in zip(
            part.subplots(1, len(panels), width_ratios=widths), panels.items(), strict=True
        ):
            _numbers(axes, name, values, example.switches if name in ("rectified", "unpooled") else None)
            row, column = np.indices(values.shape).reshape(2, -1)
            parts.append(pd.DataFrame({"panel": name, "row": row, "column": column, "value": values.ravel()}))
    unlike = [
        int((~np.isclose(example.beside[method], example.down["pixels"])).sum())
        for method in ("guided", "gradient")
    ]
    alt = (
        "Three rows of small tables of numbers. Up: a picture of 6 by 6 pixels, convolved to 4 by 4, "
        "rectified, the maxima of its four quarters, and the one neuron that answers "
        f"{example.up['neuron'].item():g}. Down: this response times the second filter, each number put back "
        f"where its maximum stood, negative ones removed ({int((example.down['unpooled'] < 0).sum())} of "
        "them), and a map of 6 by 6 pixels. Last row: the two filters, and the maps by guided "
        f"backpropagation and by the gradient, which differ from the first in {unlike[0]} and {unlike[1]} of "
        "36 pixels."
    )
    return style.Drawn(figure, pd.concat(parts, ignore_index=True), alt)


def _numbers(axes: Axes, title: str, values: np.ndarray, framed: np.ndarray | None = None) -> None:
    """A small array as cells with their numbers; vermilion above zero, blue below; ``framed`` cells have a
    bold frame.
    """
    height, width = values.shape
    limit = max(float(np.abs(values).max()), 1.0)
    axes.set_title(title, fontsize=8, pad=3, loc="center")
    for (row, column), value in np.ndenumerate(values):
        place = (column, height - 1 - row)
        colour = style.VERMILION if value > 0 else style.BLUE
        axes.add_patch(Rectangle(place, 1, 1, facecolor=colour, alpha=0.45 * abs(value) / limit, linewidth=0))
        bold = framed is not None and framed[row, column]
        ink, breadth, above = (style.INK, 1.6, 3) if bold else (style.MUTED, 0.4, 2)
        axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=ink, linewidth=breadth, zorder=above))
        text = f"{value:g}".replace("-", "−")
        axes.text(column + 0.5, height - 0.5 - row, text, ha="center", va="center", fontsize=7.5)
    # All arrays in one scale, whatever their size.
    axes.set(xlim=(-0.1, width + 0.1), ylim=(height - MOST_CELLS - 0.1, height + 0.1), aspect="equal")
    axes.axis("off")
