"""Figures of a layer's filters: how a response is projected to pixels, which pictures and places drive the
filters, and whether projections show the network.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from book.deconvolution.atlas import grey_levels, mean_picture
from book.deconvolution.study import CEILING, FLOOR_ROLE, MAIN_ROLE, THE_CHANGE, overlap_means
from fer_lib.aus.projections import TRAINED_NETWORKS, UNTRAINED_NETWORKS, NetworkView
from fer_lib.look.judge import MapBenchmark
from fer_lib.look.responses import LayerView, extremum_counts
from ferbook.page import style
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import mosaic, picture_grid, show, thumbnail
from ferbook.page.tables import in_numbers

RESPONSE_TOLERANCE = 0.05
"""How far a response may move where another processor adds up in another order."""


def strongest_filters(view: LayerView, count: int = 3, pictures: int = 3) -> style.Drawn:
    """Draw the first ``pictures`` of the ``count`` strongest filters above their projections, as Khorrami et
    al. 2015 do in their figure 2.

    Shows faces: only for sets that may be shown. Data: ``filter``, ``place``, ``picture``, ``subject``,
    ``emotion``, ``response``; ``row`` and ``column`` of the receptive field's upper left pixel.
    """
    faces, projections = view.faces, view.projections
    filters = view.ranking[view.ranking["pictures"] > 0].head(count)
    height, width = faces.size
    gap, across = max(1, width // 24), 3
    down = -(-len(filters) // across)
    tall = style.WIDTH / across * 2 * height / (pictures * width) + 0.26
    figure, grid = plt.subplots(down, across, figsize=(style.WIDTH, down * tall), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    pairs = []
    for axes, record in zip(grid.flat, filters.itertuples(), strict=False):
        own = view.pairs_of(record.filter)[:pictures]
        maps = grey_levels(np.stack([projections.whole(pair) for pair in own]))
        sheet = mosaic(np.concatenate((faces.gather(view.rows[own]), maps)), len(own), gap)
        show(axes, sheet, f"{record.filter}: {record.strongest:.2f}", style.SMALLEST)
        axes.set_xlim(-0.5, pictures * (width + gap) - gap - 0.5)
        pairs += own
    rows, corners = view.rows[pairs], projections.corners[pairs]
    about = faces.table[["subject", "emotion"]].iloc[rows].reset_index(drop=True)
    data = pd.DataFrame({"filter": view.filters[pairs], "picture": rows}).join(about)
    data.insert(1, "place", data.groupby("filter").cumcount() + 1)
    data = data.assign(response=projections.responses[pairs].astype(float))
    data[["row", "column"]] = corners
    emotions = data.groupby("filter", sort=False)["emotion"]
    phrases = [f"filter {number} {own.mode().iloc[0] or 'no emotion'}" for number, own in emotions]
    alt = (
        f"For each of {len(filters)} filters a row of up to {pictures} faces to which it responds most, and "
        "below each face what of it causes the response, as light and dark lines on grey. The most frequent "
        f"emotion among the faces: {style.listing(phrases)}."
    )
    # Which of two nearly equal pictures or filters comes first may change, and with it the place.
    moves = {"picture": len(faces), "response": RESPONSE_TOLERANCE, "filter": len(view.top)}
    moves |= {"row": height, "column": width}
    return style.Drawn(
        figure,
        data,
        alt,
        f"The {len(filters)} filters with the strongest responses: top faces, each of another person, and "
        "below each its projection. Label: filter number and response. Commonest emotion of the faces: "
        f"{style.listing(phrases)}.",
        tolerance=moves,
    )


def extremum_points(networks: Sequence[NetworkView]) -> style.Drawn:
    """Draw each filter's commonest extremum on the mean face, and how common it is.

    Of the first trained and the first untrained network the mean face: a ring at each commonest place, the
    larger the more filters. Right, a curve for each network over its filters. Data: ``population``,
    ``network``, ``filter``, ``x``, ``y`` (pixels, the middle of the receptive field), ``share`` (proportion
    of extrema there or next to it), ``pictures`` (that drive the filter).
    """
    views = [each for each in networks if each.population in (TRAINED_NETWORKS, UNTRAINED_NETWORKS)]
    data = pd.concat(
        [
            _commonest_places(each.view).assign(population=each.population, network=each.name)
            for each in views
        ],
        ignore_index=True,
    )[["population", "network", "filter", "x", "y", "share", "pictures"]]
    populations = list(data["population"].unique())
    wide = style.WIDTH / (len(populations) + 1.3)
    figure, layout = plt.subplot_mosaic(
        [[*populations, "curves"]],
        figsize=(style.WIDTH, wide + 0.6),
        width_ratios=[*[1] * len(populations), 1.3],
    )
    curves, mean = layout["curves"], mean_picture(views[0].view.faces)
    most = data.groupby(["network", "x", "y"]).size().max()
    marks = {TRAINED_NETWORKS: (style.VERMILION, "-"), UNTRAINED_NETWORKS: (style.BLUE, "--")}
    for population, part in data.groupby("population", sort=False):
        colour, dashes = marks[population]
        axes, own = layout[population], part[part["network"].eq(part["network"].iloc[0])]
        axes.imshow(thumbnail(mean, 1), vmin=0, vmax=255)
        places = own.groupby(["x", "y"]).size().reset_index(name="filters")
        sizes = 110 * places["filters"] / most
        for ink, thick in (("white", 2.6), (colour, 1.3)):
            rings = {"facecolors": "none", "edgecolors": ink, "linewidths": thick}
            axes.scatter(places["x"], places["y"], s=sizes, **rings)
        axes.set_title(population, color=colour)
        axes.set(xticks=[], yticks=[])
        axes.set(xlim=(-0.5, mean.shape[1] - 0.5), ylim=(mean.shape[0] - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        for _, one in part.groupby("network", sort=False):
            shares = np.sort(one["share"])[::-1]
            across = np.arange(1, len(shares) + 1) / len(shares)
            curves.plot(across, shares, color=colour, linestyle=dashes, linewidth=1.2, alpha=0.7)
    curves.grid(axis="y")
    curves.set(title="at or next to one place", xlabel="filters, sorted", xlim=(0, 1), ylim=(0, 1))
    style.in_percent(curves.xaxis, curves.yaxis)
    medians = data.groupby(["population", "network"], sort=False)["share"].median().groupby("population")
    percents = medians.mean().map(style.percent).to_dict()
    phrases = [f"{name} {share}" for name, share in percents.items()]
    alt = (
        f"{len(populations)} mean faces with rings where the filters' extrema lie most often, the largest "
        f"for {most} filters in one place. Right, a falling curve for each network: the proportion of a "
        f"filter's extrema at one place; the median filter has {style.listing(phrases)}."
    )
    moves = {"x": mean.shape[1], "y": mean.shape[0], "share": 0.1, "pictures": 20}
    return style.Drawn(
        figure,
        data,
        alt,
        "Rings: where each filter's extremum lies most often on the mean face; larger rings, more filters. "
        "Right: which share of a filter's extrema lies at or next to that place. Median filter: "
        f"{style.listing(phrases)}.",
        tolerance=moves,
    )


def _commonest_places(view: LayerView) -> pd.DataFrame:
    """Find each responding filter's commonest place, and the proportion of extrema there or next to it."""
    counts, field = extremum_counts(view.responses), view.field
    totals = counts.sum(axis=(1, 2))
    rows = []
    for number in np.flatnonzero(totals):
        row, column = np.unravel_index(counts[number].argmax(), counts.shape[1:])
        near = counts[number, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].sum()
        y, x = (field.start + place * field.stride + (field.size - 1) / 2 for place in (row, column))
        rows.append((number, x, y, near / totals[number], totals[number]))
    return pd.DataFrame(rows, columns=["filter", "x", "y", "share", "pictures"])


POPULATION_NAMES = {
    FLOOR_ROLE: "untrained",
    MAIN_ROLE: "trained on emotions",
    CEILING: "trained on units",
}
KIND_NAMES = {
    "random": "noise",
    "other_filter": "maps of other filters",
    "edges": "edges of the picture",
    "field": "the field as a square",
    "field_edges": "edges in the field",
    "ours": "deconvolution",
    THE_CHANGE: "the change itself",
}
"""The kinds of maps of ``study.overlap_table`` for readers, in the order of the figure."""


def networks_strip(same: pd.DataFrame) -> style.Drawn:
    """Draw the overlap of maps from the same places, by what the networks were trained on.

    ``same``: from ``study.same_places``. Data: ``population``, ``network`` (empty of a mean), ``value``,
    ``low``, ``high``.
    """
    means = overlap_means(same, "population")
    return _overlap_figure(means, POPULATION_NAMES, MAIN_ROLE, "Maps from the same places of the same faces")


def localisation_dots(found: pd.DataFrame) -> style.Drawn:
    """Draw the overlap of the filters' own maps and of control maps. ``found``: from ``study.overlap_table``.
    Data: as of ``networks_strip``, by ``kind``.
    """
    return _overlap_figure(
        overlap_means(found, "kind"),
        KIND_NAMES,
        "ours",
        "Maps of the same neurons, deconvolution and controls,",
    )


def _overlap_figure(means: pd.DataFrame, names: Mapping[str, str], main: str, what: str) -> style.Drawn:
    data, column = in_numbers(means), means.columns[0]
    data["place"] = data[column].map(list(names).index)
    data = data.sort_values(["place", "network"], kind="stable").drop(columns="place").reset_index(drop=True)
    rows = data.assign(label=data[column].map(names), main=data[column].eq(main))
    whole, single = rows["network"].eq(""), rows["network"].ne("")
    # The main row and what it is compared with; the figure has the others.
    listed = [f"{row.label} {style.percent(row.value)}" for row in rows[whole].tail(3).itertuples()]
    return forest(
        rows.loc[whole, ["label", "value", "low", "high", "main"]],
        measured="overlap with the skin that the unit moves (IoU)",
        axis=Axis(limits=(0, None)),
        singles=rows.loc[single, ["label", "value"]],
        alt=f"Dots with intervals of overlap: {what[0].lower()}{what[1:]}; each network is a small dot.",
        caption=f"{what} against the skin that the unit moves: {style.listing(listed)}. Small dots: "
        "networks; large marks: means with 95 % intervals over networks and people.",
        tolerance=dict.fromkeys(("value", "low", "high"), 0.15),
        data=data,
    )


_RULES = {"deconv": "deconvolution", "guided": "guided backprop", "gradient": "gradient"}
"""How legends and captions name the rules by which a response is sent down."""


def cascade_dots(checks: pd.DataFrame) -> style.Drawn:
    """Draw how alike maps are as the weights are randomised from the layer down, by method, above what any
    two pictures share; and how alike those of other networks are.

    ``checks`` from ``aus.projections.checks_summary``. Data: its rows but for the check ``learned``.
    """
    data = in_numbers(checks[checks["check"].ne("learned")]).reset_index(drop=True)
    data = data.rename(columns={"excess_low": "low", "excess_high": "high"})
    random = data["check"].eq("random weights")
    within = np.where(data["layer"].eq(""), "trained", "+ " + data["layer"] + " random")
    rows = data.assign(
        panel=data["measure"] + " maps",
        label=np.where(random, within, data["check"] + " network"),
        series=data["method"].map(_RULES),
        kind=np.where(random, "the same network", "another"),
        value=data["excess"],
    )
    last = rows[random & data["step"].eq(data["step"].max())]
    left = [
        f"{panel} "
        + style.listing([f"{row.series} {row.value:.2f}" for row in part.dropna(subset="value").itertuples()])
        for panel, part in last.groupby("panel")
    ]
    return forest(
        rows.drop(columns=["check", "method", "step", "layer", "measure", "excess"]),
        measured="rank correlation with the trained network's maps, minus the floor",
        axis=Axis("", limits=(None, 1.05)),
        listing=False,
        alt="Dots that fall from 1 minus the floor as convolutions are randomised; below them the most alike "
        f"filters of other networks. With all weights random: {'; '.join(left)}.",
        caption="Correlation with the maps of the trained network: above the line, as its weights are "
        "randomised from the top layer down; below the line, in other networks. High values with random "
        f"weights are bad. With all weights random: {'; '.join(left)}.",
        tolerance=dict.fromkeys(("similarity", "floor", "excess", "low", "high"), 0.1) | {"n": 20, "off": 20},
        data=data,
    )


MOST_CELLS = 6
"""Cells a side of the largest array of the worked example."""

UP_AND_DOWN = {
    "up: what the network computes  →": ("picture", "convolved", "rectified", "maxima", "response"),
    "←  down: where the response comes from": (
        "pixels",
        "rectified\nagain",
        "unpooled",
        "sent\ndown",
        "response",
    ),
}
"""Titles of the rows of ``how_it_works``, and headings of their arrays."""


def how_it_works(
    up: Sequence[np.ndarray],
    down: Sequence[np.ndarray],
    methods: Mapping[str, np.ndarray],
    switches: np.ndarray,
) -> style.Drawn:
    """Draw every number of a deconvolution: ``up`` through the network and ``down`` again, five arrays or
    tensors (…, h, w) each, named by ``UP_AND_DOWN``. The caption counts the pixels that differ by other
    ``methods``.

    ``switches``: places of the maxima in the rectified map, flattened; framed there and in the unpooled one.
    Data: ``panel``, ``row``, ``column``, ``value``.
    """
    figure = plt.figure(figsize=(style.WIDTH, 3.9))
    up, down = ([np.asarray(each).reshape(np.shape(each)[-2:]) for each in way] for way in (up, down))
    parts = []
    for part, (title, names), way in zip(
        figure.subfigures(2, 1), UP_AND_DOWN.items(), (up, down), strict=True
    ):
        part.suptitle(title, fontsize=10, x=0.01, ha="left")
        grid = part.subplots(1, 5, width_ratios=(6, 4, 4, 2.8, 2.4))
        for place, (axes, name, values) in enumerate(zip(grid, names, way, strict=True)):
            _numbers(axes, name, values, np.ravel(switches) if place == 2 else ())
            row, column = np.indices(values.shape).reshape(2, -1)
            parts.append(pd.DataFrame({"panel": name, "row": row, "column": column, "value": values.ravel()}))
    pixels = down[0]
    unlike = [
        f"by {name} in {int((~np.isclose(other, pixels)).sum())} of {pixels.size} pixels"
        for name, other in methods.items()
    ]
    response = up[-1].item()
    sentence = f"One response of {response:g}, computed and projected back. By other rules the map differs: "
    return style.Drawn(
        figure,
        pd.concat(parts, ignore_index=True),
        f"Two rows of small tables of numbers: the way up to a response of {response:g}, and the way down to "
        "the pixels.",
        f"{sentence}{style.listing(unlike)}. Bold frames: the switches, where the maxima were.",
    )


def _numbers(axes: Axes, title: str, values: np.ndarray, framed: Collection[int]) -> None:
    """Draw a small array as cells: vermilion above zero, blue below, those ``framed`` with a bold frame."""
    height, width = values.shape
    limit = max(float(np.abs(values).max()), 1.0)
    axes.set_title(title, fontsize=style.SMALLEST, pad=3, loc="center")
    for number, ((row, column), value) in enumerate(np.ndenumerate(values)):
        place = (column, height - 1 - row)
        colour = style.VERMILION if value > 0 else style.BLUE
        axes.add_patch(Rectangle(place, 1, 1, facecolor=colour, alpha=0.45 * abs(value) / limit, linewidth=0))
        ink, breadth, above = (style.INK, 1.6, 3) if number in framed else (style.MUTED, 0.4, 2)
        axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=ink, linewidth=breadth, zorder=above))
        text = f"{value:g}".replace("-", "−")
        at = (column + 0.5, height - 0.5 - row)
        axes.text(*at, text, ha="center", va="center", fontsize=style.SMALLEST)
    # All arrays in one scale, whatever their size.
    axes.set(xlim=(-0.1, width + 0.1), ylim=(height - MOST_CELLS - 0.1, height + 0.1), aspect="equal")
    axes.axis("off")


def one_response(benchmark: MapBenchmark, pair: int, projection: np.ndarray, overlap: float) -> style.Drawn:
    """Draw one neuron of a benchmark: the face and what the neuron can see, its ``projection`` (H, W), the
    change itself, and the region of the unit on both. Data: ``filter``, ``unit``, ``picture``, ``row`` and
    ``column`` of the field's upper left pixel, ``area`` of the region (proportion), ``iou``, the ``overlap``.
    """
    picture, number = int(benchmark.rows[pair]), int(benchmark.filters[pair])
    on, off = (faces.pixels[picture] for faces in (benchmark.twins.on, benchmark.twins.off))
    unit, region = str(benchmark.twins.aus[picture]), benchmark.twins.regions[0][picture]
    change = grey_levels((on.astype(np.float32) - off)[None])[0]
    figure, (grid,) = picture_grid(1, 3, title=0.25)
    titles = f"{unit} and the field", "its projection", "the change itself"
    for axes, pixels, title in zip(grid, (on, grey_levels(projection[None])[0], change), titles, strict=True):
        show(axes, pixels, title, style.SMALLEST)
    rows, columns = (np.flatnonzero(benchmark.fields[pair].any(axis=axis)) for axis in (1, 0))
    corner, sides = (columns[0] - 0.5, rows[0] - 0.5), (len(columns), len(rows))
    edge = {"fill": False, "edgecolor": style.VERMILION, "linewidth": 1.8}
    grid[0].add_patch(Rectangle(corner, *sides, **edge))
    for axes in grid[1:]:
        for colour, width in (("white", 3.4), (style.VERMILION, 1.8)):
            axes.contour(region, [0.5], colors=colour, linewidths=width)
    data = {"filter": number, "unit": unit, "picture": picture, "row": rows[0], "column": columns[0]}
    data |= {"area": region.mean(), "iou": overlap}
    return style.Drawn(
        figure,
        pd.DataFrame([data]),
        f"Three pictures: a face with {unit} and a frame, light and dark lines within it, and what changes "
        "without the unit; on both the outline of the region that it moves.",
        f"A face with {unit} and the receptive field of a neuron of filter {number} (frame), its projection, "
        f"and what the unit alone changes. Outlined: the skin that {unit} moves; the projection overlaps it "
        f"by {overlap:.2f} (IoU).",
        tolerance={"filter": 1000, "picture": len(benchmark.twins.on), "area": 1.0, "iou": 1.0}
        | dict.fromkeys(("row", "column"), len(on)),
    )
