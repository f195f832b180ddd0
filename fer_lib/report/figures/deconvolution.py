"""Figures of a layer's filters: how a response goes back to pixels, what drives the filters, and where."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from fer_lib.explain.filters import Responses
from fer_lib.explain.receptive import ReceptiveField
from fer_lib.faces.faceset import FaceSet
from fer_lib.report.atlas import extremum_counts, grey_levels, mean_picture
from fer_lib.report.figures.pictures import require_pictures, show, thumbnail
from fer_lib.report.figures.style import (
    BLUE,
    MUTED,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
    require_columns,
)
from fer_lib.report.layer_view import LayerView


def filter_strengths(ranking: pd.DataFrame) -> Drawn:
    """Every filter: how strongly it answers at most, against how selective it is among the pictures.

    ``ranking`` from ``explain.filters.rank_filters``. Data: the ranking, a row per filter.
    """
    columns = ["filter", "strongest", "pictures", "mean_top", "mean", "share_active", "selectivity"]
    require_columns(ranking, columns)
    data = ranking[columns]
    first = data.head(10)
    figure, axes = plt.subplots(figsize=(WIDTH, 3.1))
    axes.scatter(data["selectivity"], data["strongest"], s=14, color=BLUE, alpha=0.6, linewidths=0)
    axes.scatter(first["selectivity"], first["strongest"], s=30, color=VERMILION, marker="D", linewidths=0)
    # Neighbours from left to right, their numbers in turn above and below: close ones stay legible.
    for place, row in enumerate(first.sort_values("selectivity").itertuples()):
        axes.annotate(
            str(row.filter),
            (row.selectivity, row.strongest),
            xytext=(0, -11 if place % 2 else 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set(
        xlabel="selectivity (0: all pictures alike, 1: a single picture)",
        ylabel="strongest response",
        xlim=(0, 1.02),
        ylim=(0, None),
    )
    axes.grid(axis="y")
    silent = int((data["pictures"] == 0).sum())
    alt = (
        f"A dot for each of {len(data)} filters: selectivity from {data['selectivity'].min():.2f} to {data['selectivity'].max():.2f} against the strongest "
        f"response, from {data['strongest'].min():.2f} to {data['strongest'].max():.2f}; {silent or 'none'} of the filters never responds. The ten strongest are marked: "
        f"{listing([str(number) for number in first['filter']])}."
    )
    return figure, data, alt


def strongest_filters(view: LayerView, count: int = 10, pictures: int = 5) -> Drawn:
    """The ``count`` strongest filters as Khorrami et al. 2015 show them in their figure 2: pictures above, projections below.

    Of each filter the first ``pictures`` of its top pictures. Shows faces: only for sets that may be shown. Data: ``filter``, ``place``, ``picture``,
    ``subject``, ``emotion``, ``response``; ``row`` and ``column`` of the receptive field's upper left pixel.
    """
    faces, projections = view.faces, view.projections
    chosen = view.ranking[view.ranking["pictures"] > 0].head(count)
    height, width = faces.size
    gap, across = max(1, width // 24), 2
    down = -(-len(chosen) // across)
    tall = WIDTH / across * 2 * height / (pictures * width) + 0.26
    figure, grid = plt.subplots(down, across, figsize=(WIDTH, down * tall), squeeze=False)
    rows = []
    for axes in grid.flat:
        axes.axis("off")
    for axes, record in zip(grid.flat, chosen.itertuples(), strict=False):
        sheet = np.full((2 * height + gap, pictures * (width + gap) - gap), 255, np.uint8)
        for place, pair in enumerate(view.pairs_of(record.filter)[:pictures]):
            picture = int(view.rows[pair])
            left = slice(place * (width + gap), place * (width + gap) + width)
            sheet[:height, left] = faces.gather(np.array([picture]))[0]
            sheet[height + gap :, left] = grey_levels(projections.whole(pair)[None])[0]
            about = faces.table.iloc[picture]
            rows.append(
                {
                    "filter": record.filter,
                    "place": place + 1,
                    "picture": picture,
                    "subject": about["subject"],
                    "emotion": about["emotion"],
                    "response": float(projections.responses[pair]),
                    "row": int(projections.corners[pair, 0]),
                    "column": int(projections.corners[pair, 1]),
                }
            )
        show(axes, sheet, f"filter {record.filter}: {record.strongest:.2f}")
    data = pd.DataFrame(rows)
    said = []
    for number, emotions in data.groupby("filter", sort=False)["emotion"]:
        commonest = emotions.mode().iloc[0]
        times = int((emotions == commonest).sum())
        said.append(f"filter {number} {commonest or 'no emotion'} ({times} of {len(emotions)})")
    alt = (
        f"For each of {len(chosen)} filters a row of up to {pictures} faces that drive it most, and below each face what of it drives the filter, as light and dark lines "
        f"on grey. The commonest emotion among the faces: {listing(said)}."
    )
    return figure, data, alt


def extremum_points(faces: FaceSet, networks: dict[str, Responses], field: ReceptiveField) -> Drawn:
    """Where the extrema of a layer's filters stand: each filter's commonest place on the mean face, and how common it is.

    ``networks``: name → responses to ``faces`` of networks of one architecture, the one in question first, nulls after it; ``field`` of the layer. Above, one mean face per network, a dot
    where a unit is the commonest place of some filters, its area their number. Below, over the filters, the share of extrema that stand within one unit of the commonest place. Data: ``network``,
    ``filter``, ``x``, ``y`` (pixels, the middle of the receptive field), ``share``, ``pictures`` (that drive the filter).
    """
    require_pictures(faces)
    if not networks:
        raise FigureError("no network to draw extrema of")
    data = pd.concat(
        [_commonest_places(responses, field).assign(network=name) for name, responses in networks.items()],
        ignore_index=True,
    )[["network", "filter", "x", "y", "share", "pictures"]]
    figure, layout = plt.subplot_mosaic(
        [list(networks), ["shares"] * len(networks)],
        figsize=(WIDTH, 1.05 * WIDTH / len(networks) + 2.2),
        height_ratios=(1.05 * WIDTH / len(networks), 2.2),
    )
    mean = mean_picture(faces)
    most = data.groupby(["network", "x", "y"]).size().max()
    marks = ((VERMILION, "-"), (BLUE, "--"), (MUTED, ":"))
    for (name, part), (colour, dashes) in zip(data.groupby("network", sort=False), marks, strict=False):
        axes = layout[name]
        axes.imshow(thumbnail(mean, 1), vmin=0, vmax=255, alpha=0.65)
        places = part.groupby(["x", "y"]).size().reset_index(name="filters")
        axes.scatter(
            places["x"], places["y"], s=260 * places["filters"] / most, color=colour, alpha=0.75, linewidths=0
        )
        axes.set(
            title=f"{name} ({len(part)} filters)",
            xticks=[],
            yticks=[],
            xlim=(-0.5, mean.shape[1] - 0.5),
            ylim=(mean.shape[0] - 0.5, -0.5),
        )
        axes.spines[:].set_visible(False)
        shares = np.sort(part["share"])[::-1]
        layout["shares"].plot(
            np.arange(1, len(shares) + 1) / len(shares), shares, color=colour, linestyle=dashes, label=name
        )
    curves = layout["shares"]
    curves.legend(loc="upper right")
    curves.grid(axis="y")
    curves.set(
        xlabel="share of the filters",
        ylabel="extrema within one unit\nof the commonest place",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    for axis in (curves.xaxis, curves.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    medians = data.groupby("network", sort=False)["share"].median()
    said = [f"{name} {percent(share)}" for name, share in medians.items()]
    alt = (
        f"{len(networks)} mean faces with dots where the filters' extrema most often stand, the largest for {most} filters in one place. Below, falling curves of how many of a filter's extrema "
        f"stand there; the median filter has {listing(said)}."
    )
    return figure, data, alt


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
