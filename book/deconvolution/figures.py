"""Figures of a layer's filters: how a response goes back to pixels, what drives the filters and where, and
how far projections can be believed.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from book.deconvolution.atlas import grey_levels, mean_picture
from book.deconvolution.study import CEILING, FLOOR_ROLE, MEASURED, OWN_ONE, THE_CHANGE, overlap_means
from fer_lib.aus.projections import TRAINED_NETWORKS, UNTRAINED_NETWORKS, NetworkView
from fer_lib.look.judge import MapBenchmark
from fer_lib.look.responses import LayerView, extremum_counts
from fer_lib.look.sanity import REMAINDER_LIMIT
from ferbook.page import style
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import mosaic, picture_grid, show, thumbnail
from ferbook.page.tables import in_numbers

RESPONSE_TOLERANCE = 0.05
"""How far a response may move where another processor adds up in another order."""


def strongest_filters(view: LayerView, count: int = 3, pictures: int = 3) -> style.Drawn:
    """The ``count`` strongest filters as Khorrami et al. 2015 show them in their figure 2: pictures above,
    projections below.

    Of each filter the first ``pictures`` of its top pictures. Shows faces: only for sets that may be shown.
    Data: ``filter``, ``place``, ``picture``, ``subject``, ``emotion``, ``response``; ``row`` and ``column``
    of the receptive field's upper left pixel.
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
        f"For each of {len(filters)} filters a row of up to {pictures} faces that drive it most, and below "
        "each face what of it drives the filter, as light and dark lines on grey. The most frequent emotion "
        f"among the faces: {style.listing(phrases)}."
    )
    # Which of two nearly equal pictures or filters comes first may change, and with it the place.
    moves = {"picture": len(faces), "response": RESPONSE_TOLERANCE, "filter": len(view.top)}
    moves |= {"row": height, "column": width}
    return style.Drawn(
        figure,
        data,
        alt,
        f"The {len(filters)} filters with the strongest responses (number: response): faces above, each of "
        f"another person, below each its projection. In {int(emotions.nunique().eq(1).sum())} of them all "
        "faces show one and the same emotion.",
        tolerance=moves,
    )


def extremum_points(networks: Sequence[NetworkView]) -> style.Drawn:
    """Where the extrema of a layer's filters stand: each filter's commonest place on the mean face, and how
    common it is.

    Of each population of ``networks``, trained and untrained, the first network on the mean face: a dot at
    each commonest place of some filters, its area their number. Right, a curve per network over its filters:
    the share of extrema that stand at the commonest place or next to it. Data: ``population``, ``network``,
    ``filter``, ``x``, ``y`` (pixels, the middle of the receptive field), ``share``, ``pictures`` (that drive
    the filter).
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
        [[*populations, "shares"]],
        figsize=(style.WIDTH, wide + 0.6),
        width_ratios=[*[1] * len(populations), 1.3],
    )
    curves, mean = layout["shares"], mean_picture(views[0].view.faces)
    most = data.groupby(["network", "x", "y"]).size().max()
    marks = {TRAINED_NETWORKS: (style.VERMILION, "-"), UNTRAINED_NETWORKS: (style.BLUE, "--")}
    for population, part in data.groupby("population", sort=False):
        colour, dashes = marks[population]
        axes, own = layout[population], part[part["network"].eq(part["network"].iloc[0])]
        axes.imshow(thumbnail(mean, 1), vmin=0, vmax=255, alpha=0.65)
        places = own.groupby(["x", "y"]).size().reset_index(name="filters")
        axes.scatter(
            places["x"], places["y"], s=260 * places["filters"] / most, color=colour, alpha=0.75, linewidths=0
        )
        axes.set_title(population, color=colour)
        axes.set(xticks=[], yticks=[])
        axes.set(xlim=(-0.5, mean.shape[1] - 0.5), ylim=(mean.shape[0] - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        for _, one in part.groupby("network", sort=False):
            shares = np.sort(one["share"])[::-1]
            across = np.arange(1, len(shares) + 1) / len(shares)
            curves.plot(across, shares, color=colour, linestyle=dashes, linewidth=1.2, alpha=0.7)
    curves.grid(axis="y")
    curves.set(title="extrema there", xlabel="of the filters", xlim=(0, 1), ylim=(0, 1))
    style.in_percent(curves.xaxis, curves.yaxis)
    medians = data.groupby(["population", "network"], sort=False)["share"].median().groupby("population")
    percents = medians.mean().map(style.percent).to_dict()
    phrases = [f"{name} {share}" for name, share in percents.items()]
    alt = (
        f"{len(populations)} mean faces with dots where the filters' extrema most often stand, the largest "
        f"for {most} filters in one place. Right, a falling curve per network of how many of a filter's "
        f"extrema stand there; the median filter has {style.listing(phrases)}."
    )
    moves = {"x": mean.shape[1], "y": mean.shape[0], "share": 0.1, "pictures": 20}
    return style.Drawn(
        figure,
        data,
        alt,
        "Where each filter's extremum most often lies on the mean face, the larger the dot the more filters. "
        "Right, how many of its extrema lie there or next to it; in the median filter "
        f"{style.listing([f'{share} ({name})' for name, share in percents.items()])}.",
        tolerance=moves,
    )


def _commonest_places(view: LayerView) -> pd.DataFrame:
    """One row per filter that responds: its commonest place, and the share of extrema there or next to it."""
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
    OWN_ONE: "your network",
    MEASURED: "taught emotions",
    CEILING: "taught units",
}
KIND_NAMES = {
    "random": "noise",
    "other_filter": "maps of other filters",
    "edges": "edges of the picture",
    "field": "whole field",
    "field_edges": "edges in the field (0)",
    "ours": "the filters' own maps",
    THE_CHANGE: "the change itself (1)",
}
"""The kinds of maps of ``study.overlap_table`` for readers, in the order of the figure."""


def networks_strip(same: pd.DataFrame) -> style.Drawn:
    """Overlap of maps from the same places, by what the networks were taught; each network a small dot.

    ``same``: of ``study.same_places``. Data: ``population``, ``network`` (empty of a mean), ``value``,
    ``low``, ``high``.
    """
    return _overlap_figure(
        overlap_means(same, "population"),
        "population",
        POPULATION_NAMES,
        MEASURED,
        "What is drawn at the same places of the same faces",
    )


def localisation_dots(found: pd.DataFrame) -> style.Drawn:
    """Overlap of the filters' own maps, between the edges in their field and the change itself, and of maps
    that know nothing of the filter. ``found``: of ``study.overlap_table``. Data: as of ``networks_strip``,
    by ``kind``.
    """
    measured = found[found["population"].eq(MEASURED)]
    means = overlap_means(measured, "kind")
    return _overlap_figure(means, "kind", KIND_NAMES, "ours", "Maps of the same neurons")


def _overlap_figure(
    means: pd.DataFrame, column: str, names: Mapping[str, str], main: str, what: str
) -> style.Drawn:
    data = in_numbers(means)
    order = [name for name in names if name in set(data[column])]
    data = data.assign(place=data[column].map(order.index)).sort_values(["place", "network"], kind="stable")
    data = data.drop(columns="place").reset_index(drop=True)
    rows = data.assign(label=data[column].map(names), main=data[column].eq(main))
    whole, single = rows["network"].eq(""), rows["network"].ne("")
    values = rows[whole].set_index("label")["value"]
    told = [f"{label} {style.percent(value)}" for label, value in values.items()]
    return forest(
        rows.loc[whole, ["label", "value", "low", "high", "main"]],
        measured="overlap with the skin that the unit moves (IoU)",
        axis=Axis(limits=(0, None)),
        singles=rows.loc[single, ["label", "value"]],
        alt=f"Dots with intervals of overlap: {what[0].lower()}{what[1:]}; each network is a small dot.",
        caption=f"{what}: {style.listing(told)}. Small dots are networks, large dots their means with 95 % "
        "intervals over networks and people.",
        tolerance=dict.fromkeys(("value", "low", "high"), 0.15),
        data=data,
    )


_RULES = {"deconv": "deconvolution", "guided": "guided backprop", "gradient": "gradient"}
"""What legends and captions call the rules by which a response is sent down."""


def cascade_dots(checks: pd.DataFrame) -> style.Drawn:
    """How much of the projections is left as the weights are made random from the layer down, by method,
    above what any two pictures share; and how much is left in a network trained from another seed.

    ``checks`` from ``aus.projections.checks_summary``. Data: its rows but for the check ``learned``:
    ``check``, ``method``, ``step``, ``layer``, ``measure``, ``similarity``, ``floor``, ``excess``, ``low``,
    ``high``, ``n``, ``off``, ``networks``.
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
    ends = data[data["check"].eq("retrained") | (random & data["step"].eq(data["step"].max()))]
    phrases = [
        f"{row.check}, {_RULES[row.method]} {row.excess:.2f} ({row.measure})" for row in ends.itertuples()
    ]
    final = ends[ends["check"].eq("random weights")].groupby("method")["excess"].max()
    rest = [f"{_RULES[method]} {value:.2f}" for method, value in final.items()]
    return forest(
        rows.drop(columns=["check", "method", "step", "layer", "measure", "excess"]),
        measured="rank correlation with the trained network's maps, above the floor",
        axis=Axis("", REMAINDER_LIMIT, "limit", (None, 1.05)),
        listing=False,
        alt="Dots that fall from 1 minus the floor as convolutions become random; below them the most alike "
        "filters of other networks. What remains with all weights random, above what maps of different "
        f"pictures share, and in another training: {style.listing(phrases)}. A dashed line marks the limit, "
        f"{REMAINDER_LIMIT:g}.",
        caption="How alike a filter's projections stay as weights are made random from the layer down, and "
        f"below the line in other networks. With all weights random there remain {style.listing(rest)}; more "
        f"than the dashed line, {REMAINDER_LIMIT:g}, is drawn by the picture and not by the network.",
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
"""Titles of the rows of ``how_it_works``, and the headings of their arrays."""


def how_it_works(
    up: Sequence[np.ndarray],
    down: Sequence[np.ndarray],
    methods: Mapping[str, np.ndarray],
    switches: np.ndarray,
) -> style.Drawn:
    """A deconvolution number by number: ``up`` through the network and ``down`` again, five arrays or tensors
    (…, h, w) each, as ``UP_AND_DOWN`` calls them. Of the pixels by other ``methods`` it is told how many
    differ.

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
        f"{name} in {int((~np.isclose(other, pixels)).sum())} of {pixels.size} pixels"
        for name, other in methods.items()
    ]
    response = up[-1].item()
    sentence = f"One response of {response:g} on its way up and down again. Other rules give another map: "
    return style.Drawn(
        figure,
        pd.concat(parts, ignore_index=True),
        f"Two rows of small tables of numbers: the way up to a response of {response:g}, and the way down to "
        "the pixels.",
        f"{sentence}{style.listing(unlike)}. Bold frames are the switches, where the maxima were.",
    )


def _numbers(axes: Axes, title: str, values: np.ndarray, framed: Collection[int]) -> None:
    """A small array as cells with their numbers; vermilion above zero, blue below; ``framed`` cells have a
    bold frame.
    """
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


def one_response(trial: MapBenchmark, pair: int, projection: np.ndarray, overlap: float) -> style.Drawn:
    """One neuron of a ``trial``, its ``pair``: the face with its unit and what the neuron could see, the
    ``projection`` (H, W), the change itself, and the region of the unit on both. Data: ``filter``, ``unit``,
    ``picture``, ``row`` and ``column`` of the field's upper left pixel, ``area`` of the region as a share,
    ``iou``, the projection's ``overlap``.
    """
    picture, number = int(trial.rows[pair]), int(trial.filters[pair])
    on, off = (faces.pixels[picture] for faces in (trial.twins.on, trial.twins.off))
    unit, region = str(trial.twins.aus[picture]), trial.twins.regions[0][picture]
    change = grey_levels((on.astype(np.float32) - off)[None])[0]
    figure, (grid,) = picture_grid(1, 3, title=0.25)
    titles = f"{unit} and the field", "its projection", "the change itself"
    for axes, pixels, title in zip(grid, (on, grey_levels(projection[None])[0], change), titles, strict=True):
        show(axes, pixels, title, style.SMALLEST)
    rows, columns = (np.flatnonzero(trial.fields[pair].any(axis=axis)) for axis in (1, 0))
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
        f"Three pictures: a face that shows {unit} with a frame, light and dark lines within it, and what "
        "changes where the unit is taken away; on both the outline of the region that it moves.",
        f"A face with {unit}, what the neuron of filter {number} could see (frame), what of it counted, "
        f"and what the unit alone changes. Outlined: the skin that {unit} moves. The projection overlaps it "
        f"by {overlap:.2f}.",
        tolerance={"filter": 1000, "picture": len(trial.twins.on), "area": 1.0, "iou": 1.0}
        | dict.fromkeys(("row", "column"), len(on)),
    )
