"""Forest plots: dots with intervals, for one or several measures, groups and series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from seaborn import objects as so

from ferbook.page import style
from ferbook.page.tables import in_numbers
from ferbook.text import NO_BREAK, number_text

# Up to this many rows each row has a label; of more rows only every second, third and so on.
NAMED_ROWS = 32

# Mean width of a letter in inches, with a margin.
LETTER = 0.083

# Values that differ by less are equal up to rounding; the axis then gets limits around them.
SPREAD = 1e-9


@dataclass(frozen=True)
class Axis:
    """The axis of a panel.

    Parameters
    ----------
    unit : str
        ``share`` (0 to 1, shown in per cent), ``points`` (percentage points with a sign) or empty.
    null : float or None
        Position of a dashed line; ``null_name`` is its name in the legend.
    limits : pair of float or None
        Ends of the axis; None: by the values.
    label : str
        Text below the panel.
    """

    unit: str = "share"
    null: float | None = None
    null_name: str = ""
    limits: tuple[float | None, float | None] = (None, None)
    label: str = ""


@dataclass(frozen=True)
class _Look:
    """Properties of a mark in the terms of ``seaborn.objects``; ``color`` is that of lines and of edges."""

    color: str
    marker: str
    fillcolor: str
    pointsize: float = 6.0
    linewidth: float = 1.8


# They differ in shape and filling as well, so that grey print shows the difference.
_SERIES = (
    _Look(style.BLUE, "o", style.BLUE),
    _Look(style.VERMILION, "s", "white"),
    _Look(style.ORANGE, "^", style.ORANGE),
    _Look(style.INK, "D", "white"),
    _Look(style.SKY, "v", style.SKY),
    _Look(style.MUTED, "P", "white"),
)

_MAIN = {"main row": _Look(style.VERMILION, "D", style.VERMILION, 6.5)}


def forest(
    rows: pd.DataFrame,
    *,
    measured: str,
    axis: Axis | Mapping[str, Axis] = Axis(),
    singles: pd.DataFrame | None = None,
    across: int = 3,
    widths: tuple[float, ...] | None = None,
    noted: str = "",
    listing: bool = True,
    alt: str,
    caption: str,
    tolerance: float | Mapping[str, float] = 1e-6,
    data: pd.DataFrame | None = None,
) -> style.Drawn:
    """Draw a forest plot: a dot for each value and a line from ``low`` to ``high``, in the order given.

    Parameters
    ----------
    rows : DataFrame
        ``label`` and either ``estimate`` (Estimates) or ``value``, ``low``, ``high`` (NaN without interval).
        Optional columns: ``panel``, the measure, which has its own axes; ``group``, named in bold above its
        rows; ``series``, several dots in one row with a legend; ``kind``, a line separates different kinds;
        ``main`` (bool), the row that the page is about, a red diamond; ``note``, a text right of the row.
    measured : str
        Text below the figure.
    axis : Axis or mapping
        For all panels or by panel.
    singles : DataFrame
        Single values behind an estimate, pale dots below it: ``label``, ``value``, ``panel``, ``group``.
    across : int
        Panels side by side; ``widths`` are their relative widths.
    noted : str
        Heading of the notes.
    listing : bool
        Whether all values follow ``alt``.
    data : DataFrame
        Numbers to store in place of the rows, by ``in_numbers``.

    Raises
    ------
    FigureError
        Where a column is absent or there is no row.

    >>> rows = pd.DataFrame({"label": ["zero bias", "residual"], "value": [0.91, 0.93],
    ...                      "low": [0.88, 0.90], "high": [0.94, 0.95], "main": [True, False]})
    >>> forest(rows, measured="accuracy", axis=Axis(null=0.2), caption="Both do better than chance.",
    ...        alt="Dots with intervals: accuracy by network.").alt
    'Dots with intervals: accuracy by network. zero bias 91.0 % (88.0 to 94.0) and residual 93.0 % (90.0 to \
95.0). A dashed line marks 20.0 %.'
    """
    rows = in_numbers(rows).reset_index(drop=True)
    style.require_columns(rows, ["label", "value", "low", "high"])
    optional = {"panel": "", "group": "", "series": "", "kind": "", "main": False, "note": ""}
    table = rows.assign(**{name: default for name, default in optional.items() if name not in rows})
    panels = {name: table[table["panel"].eq(name)] for name in table["panel"].unique()}
    axis = axis if isinstance(axis, Mapping) else dict.fromkeys(panels, axis)
    spots = {name: _spots(part) for name, part in panels.items()}
    longest = max(spots.values(), key=len)
    if shared := all(set(own) <= set(longest) for own in spots.values()):
        spots = dict.fromkeys(panels, longest)
    looks = _looks(table)
    figure, grid = _panels([len(own) for own in spots.values()], across, widths, len(looks), shared)
    label_widths = [_label_width(own) for own in ([longest] if shared else spots.values())]
    data_width = style.WIDTH - (max(label_widths) if grid.shape[1] == 1 else sum(label_widths))
    handles = {
        name: Line2D([], [], linestyle="none", color=look.color, marker=look.marker, mfc=look.fillcolor)
        for name, look in looks.items()
        if name and table["series"].eq(name).any()
    }
    hover = []
    for axes, (name, part) in zip(grid.flat, panels.items(), strict=False):
        places = _draw(axes, part, spots[name], looks, None if singles is None else _of_panel(singles, name))
        own = axis.get(name, Axis())
        panel = ", ".join(dict.fromkeys(filter(None, (name, own.label or measured))))
        hover += [
            style.Mark(axes, row.value, place, _row_text(row, own.unit, ": ") + f"; {panel}" * bool(panel))
            for row, place in zip(part.itertuples(), places, strict=True)
            if pd.notna(row.value)
        ]
    for place, (axes, name) in enumerate(zip(grid.flat, panels, strict=False)):
        own, breadth = axis.get(name, Axis()), place % grid.shape[1]
        if own.null is not None:
            line = axes.axvline(own.null, color=style.INK, linestyle="--", linewidth=1.2)
            handles |= {own.null_name: line} if own.null_name else {}
        share = widths[breadth] / sum(widths) if widths else 1 / grid.shape[1]
        with_labels = not shared or not breadth
        _dress(axes, name, own, spots[name], max(1.0, data_width * share))
        axes.tick_params(axis="y", length=0, labelleft=with_labels)
        _part_kinds(axes, table.drop_duplicates(["group", "label"]), spots[name])
        if with_labels:
            _name_rows(axes, spots[name])
    last = grid.flat[len(panels) - 1]
    if noted:
        last.text(1.03, 1.01, noted, color=style.MUTED, transform=last.transAxes)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel(measured)
    if handles:
        columns = int((style.WIDTH - 0.2) / (max(map(len, handles)) * LETTER + 0.6))
        places = {"loc": "outside upper left", "ncols": min(3, max(1, columns))}
        figure.legend(handles.values(), handles, **places)
    numbers = rows if data is None else in_numbers(data).reset_index(drop=True)
    alt = f"{alt} {_values_text(panels, axis)}" if listing else alt
    return style.Drawn(figure, numbers, alt, caption, tolerance, hover)


def _panels(
    rows: Sequence[int], across: int, widths: tuple[float, ...] | None, series: int, shared: bool
) -> tuple[plt.Figure, np.ndarray]:
    """Return axes for panels of so many ``rows``: as high as the longest; in one column, each by its own."""
    columns = min(across, len(rows))
    lines = -(-len(rows) // columns)
    many = rows if columns == 1 else [max(rows)] * lines
    heights = [0.3 + min(each + 1, NAMED_ROWS) * max(0.23, 0.14 * series) for each in many]
    size = (style.WIDTH, 0.65 + sum(heights))
    shape = {"width_ratios": widths, "height_ratios": heights}
    return plt.subplots(lines, columns, figsize=size, sharey=shared, squeeze=False, **shape)


def _looks(table: pd.DataFrame) -> dict[str, _Look]:
    """Return the look of each series."""
    series = list(table["series"].unique())
    if len(series) > len(_SERIES):
        raise style.FigureError(f"{len(series)} series to draw: at most {len(_SERIES)} can be distinguished")
    return dict(zip(series, _SERIES, strict=False))


def _of_panel(table: pd.DataFrame, panel: str) -> pd.DataFrame:
    return table[table["panel"].eq(panel)] if "panel" in table else table


def _label_width(spots: Mapping[tuple[str, str], float]) -> float:
    """Width of the longest row name in inches."""
    return LETTER * max(len(label or group) for group, label in spots)


def _spots(part: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return (group, label) -> position from the top; (group, "") is the group's name."""
    spots: dict[tuple[str, str], float] = {}
    spot, before = 0.0, ""
    for group, label in part[["group", "label"]].drop_duplicates().itertuples(index=False):
        if group != before and group:
            spots[group, ""] = spot + (0.3 if spots else 0)
            spot = spots[group, ""] + 1
        spots[group, label] = spot
        spot, before = spot + 1, group
    return spots


def _draw(
    axes: Axes,
    part: pd.DataFrame,
    spots: Mapping[tuple[str, str], float],
    looks: Mapping[str, _Look],
    singles: pd.DataFrame | None,
) -> pd.Series:
    """Draw the rows ``part`` of a panel and return their positions on the axis."""
    apart = 0.68 / len(looks)
    shift = part["series"].map(list(looks).index) - (len(looks) - 1) / 2
    place = [spots[key] for key in zip(part["group"], part["label"], strict=True)] + apart * shift
    look = part["series"].mask(part["main"].astype(bool), *_MAIN)
    marks = part.assign(place=place, look=look)
    every = {**looks, **_MAIN}
    scales = {
        name: {key: getattr(one, name) for key, one in every.items()} for name in _Look.__dataclass_fields__
    }
    plot = so.Plot(marks, x="value", y="place").scale(**scales).label(x="", y="")
    if singles is not None and len(singles):
        groups = singles["group"] if "group" in singles else [""] * len(singles)
        below = [spots[key] + 0.3 for key in zip(groups, singles["label"], strict=True)]
        plot = plot.add(
            so.Dots(color=style.MUTED, pointsize=3, stroke=0, fillalpha=0.6),
            data=singles.assign(place=below).reset_index(drop=True),
            legend=False,
        )
    range_of = {"xmin": "low", "xmax": "high", "orient": "y", "color": "look", "linewidth": "look"}
    dots_of = {"color": "look", "marker": "look", "fillcolor": "look", "pointsize": "look"}
    plot = plot.add(so.Range(), legend=False, **range_of)
    plot.add(so.Dots(stroke=1.5, alpha=1, fillalpha=1), legend=False, **dots_of).on(axes).plot()
    for note, spot in zip(part["note"], place, strict=True):
        if note:
            axes.text(1.03, spot, note, va="center", transform=axes.get_yaxis_transform())
    return place


def _dress(axes: Axes, name: str, own: Axis, spots: Mapping[tuple[str, str], float], width: float) -> None:
    axes.set_ylim(max(spots.values()) + 0.6, -0.6)
    axes.set_title("\n".join(wrap(name, int(width / LETTER))))
    axes.set_xlabel(own.label)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(max(2, int(width / 0.8))))
    if own.unit == "share":
        style.in_percent(axes.xaxis)
    axes.margins(x=0.08)
    axes.autoscale_view(scaley=False)
    if own.limits == (None, None) and np.ptp(axes.dataLim.intervalx) < SPREAD:
        around = 1 if own.unit == "points" else 0.01
        axes.set_xlim(axes.dataLim.x0 - around, axes.dataLim.x1 + around)
    axes.set_xlim(*own.limits)
    axes.grid(axis="x")


def _part_kinds(axes: Axes, rows: pd.DataFrame, spots: Mapping[tuple[str, str], float]) -> None:
    for above, below in pairwise(rows.itertuples()):
        ends = [spots.get((row.group, row.label)) for row in (above, below)]
        if above.kind != below.kind and None not in ends:
            axes.axhline(sum(ends) / 2, color=style.RULE, linewidth=0.8)


def _name_rows(axes: Axes, spots: Mapping[tuple[str, str], float]) -> None:
    every = -(-len(spots) // NAMED_ROWS)
    rows = list(spots.items())[::every]
    axes.set_yticks([spot for _, spot in rows], [label or group for (group, label), _ in rows])
    for tick, ((group, label), _) in zip(axes.get_yticklabels(), rows, strict=True):
        if group and not label:
            tick.set_weight("bold")


def _value_text(value: float, unit: str) -> str:
    return "0" if value == 0 and unit == "points" else number_text(value, unit).replace(NO_BREAK, " ")


def _values_text(panels: Mapping[str, pd.DataFrame], axis: Mapping[str, Axis]) -> str:
    parts, lines = [], set()
    for name, part in panels.items():
        own, part = axis.get(name, Axis()), part.dropna(subset="value")
        if own.null is not None:
            lines.add(_value_text(own.null, own.unit))
        if len(part) > NAMED_ROWS:
            ends = (_value_text(part["value"].agg(end), own.unit) for end in ("min", "max"))
            words = f"{len(part)} values from {' to '.join(ends)}"
        else:
            words = style.listing([_row_text(row, own.unit) for row in part.itertuples()] or ["none"])
        parts.append(f"{name}: {words}" if name else words)
    marks = f" A dashed line marks {style.listing(sorted(lines))}." if lines else ""
    return f"{'; '.join(parts)}.{marks}"


def _row_text(row: tuple, unit: str, after_name: str = " ") -> str:
    name = ", ".join(part for part in (row.group, row.label, row.series) if part)
    value = f"{name}{after_name}{_value_text(row.value, unit)}"
    if pd.isna(row.low) or pd.isna(row.high):
        return value
    return (
        f"{value} ({' to '.join(_value_text(end, unit).removesuffix(' %') for end in (row.low, row.high))})"
    )
