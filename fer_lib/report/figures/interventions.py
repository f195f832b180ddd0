"""Figures of what switching does: an action unit on a face, a filter in a network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from fer_lib.report.figures.pictures import picture_grid, show, thumbnail
from fer_lib.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    RULE,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    require_columns,
)


def effect_map(table: pd.DataFrame) -> Drawn:
    """What each unit does to each of some filters, in standard deviations of the filter's response to neutral faces.

    ``table``: a row per filter and AU, filters in the order to be shown: ``filter``, ``au``, ``effect``, ``survives`` (bool: the effect stands at the
    family-wise level), ``claimed`` (bool: the association's unit). Framed: the claimed unit; plus and minus: effects that stand. Data: these columns.
    """
    columns = ["filter", "au", "effect", "survives", "claimed"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters, aus = list(data["filter"].unique()), list(data["au"].unique())
    if len(data) != len(filters) * len(aus):
        raise FigureError(
            f"{len(data)} rows for {len(filters)} filters and {len(aus)} units; give each pair once"
        )
    wide = data.pivot(index="filter", columns="au", values="effect").loc[filters, aus]
    reach = float(np.abs(wide.to_numpy()).max()) or 1.0
    figure, axes = plt.subplots(figsize=(WIDTH, 1.4 + 0.27 * len(filters)))
    # Effects span three orders of magnitude: a straight scale would show the largest alone.
    norm = SymLogNorm(linthresh=1, vmin=-reach, vmax=reach, base=10)
    image = axes.imshow(wide, cmap="RdBu_r", norm=norm, aspect="auto")
    for row in data.itertuples():
        x, y = aus.index(row.au), filters.index(row.filter)
        if row.survives:
            bright = abs(norm(row.effect) - 0.5) > 0.3
            # The sign in the mark too: red and blue are one grey in print.
            mark = "+" if row.effect > 0 else "_"
            axes.plot(x, y, mark, color="white" if bright else INK, markersize=4.5, markeredgewidth=1)
        if row.claimed:
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.8))
    axes.set_xticks(range(len(aus)), [au.removeprefix("AU") for au in aus], fontsize=8)
    axes.set_yticks(range(len(filters)), filters, fontsize=8)
    axes.set(xlabel="action unit switched on", ylabel="filter")
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=35)
    bar.set_label("effect (sd of the filter over neutral faces)")
    ticks = [tick for tick in (-100, -10, -1, 0, 1, 10, 100) if abs(tick) <= reach]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    largest = data.loc[data.groupby("filter", sort=False)["effect"].idxmax()]
    told = [f"filter {row.filter} by {row.au} ({row.effect:+.1f})" for row in largest.itertuples()]
    same = int(largest["claimed"].sum())
    alt = (
        f"Heat map of {len(filters)} filters by {len(aus)} units: red where switching the unit on raises the response, blue where it lowers it, a plus or a minus where the "
        f"effect stands. Raised most: {listing(told)}. For {same} of {len(filters)} it is the framed unit, the one that the association names."
    )
    return figure, data, alt


def dose_response(table: pd.DataFrame) -> Drawn:
    """Effect by intensity: for each filter its claimed unit as a line with its interval, the other units as thin grey lines.

    ``table``: a row per ``filter``, ``au`` and ``level`` (0 to 1): ``effect``, ``low``, ``high`` (sd), ``claimed`` (bool), at most six filters. Data: these columns.
    """
    columns = ["filter", "au", "level", "effect", "low", "high", "claimed"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
    if len(filters) > 6:
        raise FigureError(f"{len(filters)} filters: at most 6 can be read side by side")
    across = min(3, len(filters))
    rows = -(-len(filters) // across)
    figure, grid = plt.subplots(rows, across, figsize=(WIDTH, 0.5 + 1.75 * rows), sharex=True, squeeze=False)
    told = []
    for axes, number in zip(grid.flat, filters, strict=False):
        part = data[data["filter"].eq(number)]
        for au, curve in part.groupby("au", sort=False):
            if not curve["claimed"].any():
                axes.plot([0, *curve["level"]], [0, *curve["effect"]], color=RULE, linewidth=0.9, zorder=1)
                continue
            axes.fill_between(
                [0, *curve["level"]],
                [0, *curve["low"]],
                [0, *curve["high"]],
                color=VERMILION,
                alpha=0.25,
                linewidth=0,
            )
            axes.plot([0, *curve["level"]], [0, *curve["effect"]], "o-", color=VERMILION, markersize=4)
            axes.set_title(f"filter {number}, {au}", fontsize=9)
            last = curve.iloc[-1]
            told.append(f"filter {number} and {au} {last.effect:+.1f} ({last.low:+.1f} to {last.high:+.1f})")
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.tick_params(labelsize=8)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xticks((0, 0.5, 1))
    for axes in list(grid.flat)[len(filters) :]:
        axes.set_axis_off()
    figure.supxlabel("intensity of the unit", fontsize=9)
    figure.supylabel("effect (sd)", fontsize=9)
    alt = (
        f"Line charts of {len(filters)} filters: the effect of the unit that the association names, with its interval, over its intensity, and those of the other units in grey. At "
        f"the highest intensity: {listing(told)}."
    )
    return figure, data, alt


def filter_gallery(
    table: pd.DataFrame, faces: np.ndarray | None, projections: np.ndarray, differences: np.ndarray | None
) -> Drawn:
    """What drives some filters: their top faces, the deconvolutions of these, and what switching the claimed unit changes.

    ``table``: a row per filter and top picture, ``filter``, ``au``, ``picture``, ``response``, filters in the order to be shown with equally many pictures each;
    ``faces`` uint8 (rows, H, W), None where they may not be shown: then the projections' mean alone stands for each filter; ``projections`` float
    (rows, H, W), signed; ``differences`` float (filters, H, W): picture with the unit on less that with it off, None to leave
    it out. Data: these columns.
    """
    columns = ["filter", "au", "picture", "response"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    filters = list(data["filter"].unique())
    top = len(data) // len(filters)
    if len(data) != top * len(filters) or len(projections) != len(data):
        raise FigureError(
            f"{len(data)} rows and {len(projections)} projections for {len(filters)} filters do not fit"
        )
    named = data.drop_duplicates("filter").set_index("filter")["au"]
    own = projections.reshape(len(filters), top, *projections.shape[1:])
    if faces is None:
        return _means_alone(named, own.mean(axis=1)), data, _gallery_alt(named, top, False, False)
    strips, heads = [], []
    for place in range(len(filters)):
        pictures = faces[place * top : (place + 1) * top]
        parts: dict[str, Sequence[np.ndarray]] = {
            "top faces": [thumbnail(picture, 1) for picture in pictures],
            "their projections": [_signed(projection) for projection in own[place]],
        }
        if differences is not None:
            parts["on − off"] = [_signed(differences[place])]
        strip, heads = _strip(parts)
        strips.append(strip)
    # Laid out by hand: strips of one shape, with room for the filters on the left and the headings above.
    left, above, apart = 0.55, 0.22, 0.04
    height = strips[0].shape[0] / strips[0].shape[1] * (WIDTH - left)
    whole = above + len(filters) * (height + apart)
    figure, grid = plt.subplots(
        len(filters),
        1,
        figsize=(WIDTH, whole),
        squeeze=False,
        layout="none",
        gridspec_kw={
            **{"left": left / WIDTH, "right": 1, "bottom": 0, "top": 1 - above / whole},
            "hspace": apart / height,
        },
    )
    for axes, strip, number in zip(grid[:, 0], strips, filters, strict=True):
        axes.imshow(strip, vmin=0, vmax=255)
        axes.set_xticks([])
        axes.set_yticks([strip.shape[0] / 2], [f"{number}\n{named[number]}"], fontsize=8.5)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    for middle, head in heads:
        grid[0, 0].text(middle, -2, head, ha="center", va="bottom", fontsize=8.5)
    return figure, data, _gallery_alt(named, top, True, differences is not None)


def _means_alone(named: pd.Series, means: np.ndarray) -> Figure:
    """The mean projection of each filter, side by side: what may be shown of pictures that may not be."""
    figure, grid = picture_grid(1, len(named), title=0.35)
    for axes, (number, au), mean in zip(grid[0], named.items(), means, strict=True):
        show(axes, _signed(mean), f"{number}\n{au}")
    return figure


def _gallery_alt(named: pd.Series, top: int, faces: bool, differences: bool) -> str:
    told = listing([f"filter {number} ({au})" for number, au in named.items()])
    shown = (
        f"the {top} faces that drive it most and their projections to pixels"
        if faces
        else f"the mean of the projections of its {top} top faces"
    )
    alt = f"Pictures of each of {len(named)} filters, {told}: {shown}"
    return f"{alt}, then what its unit changes in a picture." if differences else f"{alt}."


def _signed(picture: np.ndarray) -> np.ndarray:
    """A signed map as grey: 0 is mid-grey, the strongest value black or white."""
    reach = np.abs(picture).max()
    return thumbnail(127.5 + 127.5 * picture / (reach if reach > 0 else 1.0), 1)


def _strip(
    parts: dict[str, Sequence[np.ndarray]], gap: int = 2, between: int = 8
) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Groups of pictures side by side on white, and the middle of each group with its name.

    Pictures stand ``gap`` pixels apart, groups ``between`` pixels.
    """
    columns: list[np.ndarray] = []
    heads = []
    for name, group in parts.items():
        if columns:
            columns.append(np.full((len(group[0]), between), 255, np.uint8))
        start = sum(column.shape[1] for column in columns)
        for place, picture in enumerate(group):
            columns += [picture] if place == 0 else [np.full((len(picture), gap), 255, np.uint8), picture]
        heads.append(((start + sum(column.shape[1] for column in columns)) / 2, name))
    return np.concatenate(columns, axis=1), heads


def silencing(table: pd.DataFrame) -> Drawn:
    """What is lost when the top filters of a unit are silenced, beside what other filters of equal activation cost.

    ``table``: a row per AU of one outcome of ``units.silence.silence``: ``au``, ``intact``, ``silenced``, ``random``, ``random_low``, ``random_high``, ``difference``, ``low``, ``high``.
    Left the outcome itself, right the difference (random − silenced) with its interval. Data: these columns.
    """
    columns = ["au", "intact", "silenced", "random", "random_low", "random_high", "difference", "low", "high"]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    place = np.arange(len(data))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 1.3 + 0.25 * len(data)), sharey=True, width_ratios=(3, 2)
    )
    left.hlines(place, data["random_low"], data["random_high"], color=RULE, linewidth=6)
    left.plot(
        data["random"], place, "|", color=INK, markersize=10, markeredgewidth=1.6, label="others silenced"
    )
    left.plot(data["intact"], place, "o", color="white", markeredgecolor=INK, label="intact")
    left.plot(data["silenced"], place, "D", color=VERMILION, markersize=6, label="its top filters silenced")
    for line in left.lines:
        line.set_linestyle("none")
    left.set(xlabel="AUROC of the unit's head", title="The head")
    right.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    right.hlines(place, data["low"], data["high"], color=BLUE)
    right.plot(data["difference"], place, "o", color=BLUE, markersize=5, linestyle="none")
    right.set(xlabel="lost beyond others (0: nothing)", title="Difference")
    left.set_yticks(place, data["au"])
    left.invert_yaxis()
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8.5)
    told = [
        f"{row.au} from {row.intact:.2f} to {row.silenced:.2f}, with others {row.random:.2f} (lost beyond these {row.difference:+.2f}, interval {row.low:+.2f} to {row.high:+.2f})"
        for row in data.itertuples()
    ]
    return (
        figure,
        data,
        f"Dots per unit: the AUROC of its head intact, with its own top filters silenced and with others silenced. {listing(told)}.",
    )
