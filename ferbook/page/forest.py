"""Dots with intervals: the one figure for estimates, however many measures, groups or series it shows."""

from collections.abc import Mapping
from itertools import pairwise
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ferbook.page import style
from ferbook.page.tables import in_numbers
from ferbook.text import NO_BREAK, number_text

NAMED_ROWS = 32
"""Up to so many rows each has its own label; of more, every so many-th has."""

LETTER = 0.083
"""Inches that a letter of a name takes, on average and with some air."""

SPREAD = 1e-9
"""Values that differ by less are equal but for rounding: the axis shows their surroundings."""

# Colour, marker, whether it is filled: the difference stays in grey print.
_SERIES = (
    (style.BLUE, "o", True),
    (style.VERMILION, "s", False),
    (style.ORANGE, "^", True),
    (style.INK, "D", False),
    (style.SKY, "v", True),
    (style.MUTED, "P", False),
)


def forest(
    rows: pd.DataFrame,
    *,
    measured: str | Mapping[str, str],
    unit: str | Mapping[str, str] = "share",
    null: float | Mapping[str, float] | None = None,
    null_name: str = "",
    limits: tuple[float | None, float | None] | Mapping[str, tuple[float | None, float | None]] | None = None,
    strokes: pd.DataFrame | None = None,
    joined: bool = False,
    across: int = 3,
    widths: tuple[float, ...] | None = None,
    noted: str = "",
    told: bool = True,
    alt: str,
    caption: str,
    tolerance: float | Mapping[str, float] = 1e-6,
    data: pd.DataFrame | None = None,
) -> style.Drawn:
    """A dot for each value with a line from ``low`` to ``high``; rows stand in the order of the table.

    ``rows`` needs ``label`` and ``estimate``, a column of Estimates, or ``value``, ``low`` and ``high`` (NaN
    where there is no interval) and may have

    - ``panel``: the measure of the row; each has axes of its own, with the panel's name above, up to
      ``across`` side by side. Labels stand once where one panel has them all, else beside each panel;
    - ``group``: rows of one group stand below its name in bold;
    - ``series``: several dots in a row of one label, told apart by colour, marker and a legend; ``joined``
      draws a line between them (a dumbbell);
    - ``kind``: a line parts rows of different kinds;
    - ``main`` (bool): the row the page is about, a red diamond; ``minor`` (bool): small and grey;
    - ``wide_low``, ``wide_high``: a pale bar behind the dot, such as the quartiles;
    - ``null``: what the row would be by chance (``null_name`` in the legend), a red dashed mark;
    - ``note``: a text right of the row, below the heading ``noted``.

    ``strokes`` (``label``, ``value``, and ``panel``, ``group`` where the rows have them): single values
    behind an estimate, small marks below it. ``measured`` labels the axis, and ``unit`` is ``share`` (0 to 1,
    in per cent), ``points`` (differences of per cents, with a sign) or empty; they, ``null`` (a dashed line,
    called ``null_name`` in the legend) and ``limits`` of the axis hold for all panels or are given by panel.

    ``alt`` says what is drawn, in a sentence or two; where ``told``, all values follow it. The numbers stored
    are ``data``, or the rows, both by ``in_numbers``. Raises FigureError where a column is absent or there is
    no row.

    >>> rows = pd.DataFrame({"label": ["zero bias", "residual"], "value": [0.91, 0.93],
    ...                      "low": [0.88, 0.90], "high": [0.94, 0.95], "main": [True, False]})
    >>> forest(rows, measured="accuracy", null=0.2, alt="Dots with intervals: accuracy by network.",
    ...        caption="Both do better than chance.").alt
    'Dots with intervals: accuracy by network. zero bias 91.0 % (88.0 to 94.0) and residual 93.0 % (90.0 to \
95.0). A dashed line marks 20.0 %.'
    """
    rows = in_numbers(rows)
    style.require_columns(rows, ["label", "value", "low", "high"])
    optional = {"panel": "", "group": "", "series": "", "kind": "", "main": False, "minor": False, "note": ""}
    optional |= {"wide_low": np.nan, "wide_high": np.nan, "null": np.nan}
    drawn = rows.assign(**{name: default for name, default in optional.items() if name not in rows})
    names = list(drawn["panel"].unique())
    panels = {name: drawn[drawn["panel"].eq(name)] for name in names}
    tables = {name: _places(part) for name, part in panels.items()}
    longest = max(tables.values(), key=len)
    shared = all(set(places) <= set(longest) for places in tables.values())
    if shared:
        tables = dict.fromkeys(names, longest)
    series = list(drawn["series"].unique())
    if len(series) > len(_SERIES):
        raise style.FigureError(f"{len(series)} series to draw: at most {len(_SERIES)} can be told apart")
    columns = min(across, len(names))
    lines = -(-len(names) // columns)
    height = min(max(longest.values()) + 1, NAMED_ROWS) * max(0.27, 0.15 * len(series))
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(style.WIDTH, 0.65 + lines * (0.4 + height)),
        sharey=shared,
        squeeze=False,
        width_ratios=widths,
    )
    handles: dict[str, object] = {}
    named = sum(_room(places) for places in ([longest] if shared else tables.values()))
    breadths = np.tile(np.divide(widths, sum(widths)) if widths else np.full(columns, 1 / columns), lines)
    for axes, name, breadth in zip(grid.flat, names, breadths, strict=False):
        _draw_rows(axes, panels[name], tables[name], series, joined, handles, null_name)
        if strokes is not None:
            own = strokes[strokes["panel"].eq(name)] if "panel" in strokes else strokes
            groups = own["group"] if "group" in own else [""] * len(own)
            spots = [tables[name][key] for key in zip(groups, own["label"], strict=True)]
            axes.plot(
                own["value"], np.add(spots, 0.28), "|", color=style.MUTED, markersize=6, linestyle="none"
            )
        if (line := _of(null, name)) is not None:
            handle = axes.axvline(line, color=style.INK, linestyle="--", linewidth=1.2, label=null_name)
            handles |= {null_name: handle} if null_name else {}
        room = max(1.0, (style.WIDTH - named) * breadth)
        title, steps = "\n".join(wrap(name, int(room / LETTER))), max(2, int(room / 0.8))
        _dress(axes, title, tables[name], _of(unit, name), _of(limits, name), steps)
        _part_kinds(axes, drawn.drop_duplicates(["group", "label"]), tables[name])
        if isinstance(measured, Mapping):
            axes.set_xlabel(measured.get(name, ""), fontsize=9.5)
        if not shared or axes in grid[:, 0]:
            _name_rows(axes, tables[name])
    last = grid.flat[len(names) - 1]
    if noted:
        last.text(1.03, 1.01, noted, fontsize=9.5, color=style.MUTED, transform=last.transAxes)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    if not isinstance(measured, Mapping):
        figure.supxlabel(measured, fontsize=10)
    if handles:
        columns = int((style.WIDTH - 0.2) / (max(map(len, handles)) * LETTER + 0.6))
        figure.legend(
            handles.values(), handles, loc="outside upper left", ncols=min(3, max(1, columns)), fontsize=9.5
        )
    if told:
        alt = f"{alt} {_told(panels, unit)}."
        if null is not None:
            lines_at = {
                _value(_of(null, name), _of(unit, name)) for name in names if _of(null, name) is not None
            }
            alt += f" A dashed line marks {style.listing(sorted(lines_at))}."
    stored = in_numbers(rows if data is None else data).reset_index(drop=True)
    return style.Drawn(figure, stored, alt, caption, tolerance)


def _of(given: object, panel: str) -> object:
    return given.get(panel) if isinstance(given, Mapping) else given


def _room(places: Mapping[tuple[str, str], float]) -> float:
    """Inches that the names of rows take."""
    return LETTER * max(len(label or group) for group, label in places)


def _places(part: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(group, label) -> place from above; a group's name stands at (group, "")."""
    places: dict[tuple[str, str], float] = {}
    spot, before = 0.0, ""
    for group, label in part[["group", "label"]].drop_duplicates().itertuples(index=False):
        if group != before and group:
            places[group, ""] = spot + (0.3 if places else 0)
            spot = places[group, ""] + 1
        places[group, label] = spot
        spot, before = spot + 1, group
    return places


def _draw_rows(
    axes: Axes,
    part: pd.DataFrame,
    places: Mapping[tuple[str, str], float],
    series: list[str],
    joined: bool,
    handles: dict[str, object],
    null_name: str,
) -> None:
    apart = 0 if joined else 0.68 / len(series)
    spots = {key: places[key] for key in zip(part["group"], part["label"], strict=True)}
    if joined:
        ends = part.groupby(["group", "label"], sort=False)["value"].agg(["min", "max"])
        axes.hlines(
            [spots[key] for key in ends.index], ends["min"], ends["max"], color=style.MUTED, linewidth=1.5
        )
    for number, name in enumerate(series):
        colour, marker, filled = _SERIES[number]
        own = part[part["series"].eq(name)]
        for row in own.itertuples():
            place = spots[row.group, row.label] + apart * (number - (len(series) - 1) / 2)
            size, width = 6.0, 1.8
            ink, shape = colour, marker
            if row.main:
                ink, shape, size = style.VERMILION, "D", 6.5
            elif row.minor:
                ink, size, width = style.MUTED, 4.0, 1.2
            if not pd.isna(row.wide_low):
                axes.hlines(place, row.wide_low, row.wide_high, color=style.RULE, linewidth=7, zorder=1)
            if not pd.isna(row.null):
                ends = (place - 0.33 / len(series), place + 0.33 / len(series))
                handles[null_name or "by chance"] = axes.vlines(
                    row.null, *ends, color=style.VERMILION, linestyle="--", linewidth=1.5
                )
            if not pd.isna(row.low):
                axes.hlines(place, row.low, row.high, color=ink, linewidth=width)
            face = ink if filled or row.main else "white"
            (dot,) = axes.plot(
                row.value, place, shape, color=ink, markerfacecolor=face, markeredgewidth=1.5, markersize=size
            )
            if name and name not in handles:
                handles[name] = dot
            if row.note:
                axes.text(
                    1.03, place, row.note, va="center", fontsize=9.5, transform=axes.get_yaxis_transform()
                )


def _dress(axes: Axes, title: str, places: Mapping, unit: str, limits: tuple | None, steps: int) -> None:
    bottom = max(places.values())
    axes.set_ylim(bottom + 0.6, -0.6)
    axes.set_title(title, fontsize=9.5)
    axes.xaxis.set_major_locator(MaxNLocator(steps))
    if unit == "share":
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.margins(x=0.08)
    if limits is not None:
        axes.set_xlim(*limits)
    elif np.ptp(axes.dataLim.intervalx) < SPREAD:
        around = 1 if unit == "points" else 0.01
        axes.set_xlim(axes.dataLim.x0 - around, axes.dataLim.x1 + around)
    axes.tick_params(axis="x", labelsize=9.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _part_kinds(axes: Axes, rows: pd.DataFrame, places: Mapping[tuple[str, str], float]) -> None:
    for above, below in pairwise(rows.itertuples()):
        ends = [places.get((row.group, row.label)) for row in (above, below)]
        if above.kind != below.kind and None not in ends:
            axes.axhline(sum(ends) / 2, color=style.RULE, linewidth=0.8)


def _name_rows(axes: Axes, places: Mapping[tuple[str, str], float]) -> None:
    every = -(-len(places) // NAMED_ROWS)
    shown = list(places.items())[::every]
    axes.set_yticks(
        [spot for _, spot in shown], [label or group for (group, label), _ in shown], fontsize=9.5
    )
    for tick, ((group, label), _) in zip(axes.get_yticklabels(), shown, strict=True):
        if group and not label:
            tick.set_weight("bold")


def _value(value: float, unit: str) -> str:
    return "0" if value == 0 and unit == "points" else number_text(value, unit).replace(NO_BREAK, " ")


def _told(panels: Mapping[str, pd.DataFrame], unit: str | Mapping[str, str]) -> str:
    parts = []
    for name, part in panels.items():
        own, part = _of(unit, name), part.dropna(subset="value")
        if len(part) > NAMED_ROWS:
            ends = (_value(part["value"].agg(end), own) for end in ("min", "max"))
            words = f"{len(part)} values from {' to '.join(ends)}"
        else:
            words = style.listing([_row_told(row, own) for row in part.itertuples()])
        parts.append(f"{name}: {words}" if name else words)
    return "; ".join(parts)


def _row_told(row: tuple, unit: str) -> str:
    name = ", ".join(part for part in (row.group, row.label, row.series) if part)
    value = f"{name} {_value(row.value, unit)}"
    if pd.isna(row.low) or pd.isna(row.high):
        return value
    return f"{value} ({' to '.join(_value(end, unit).removesuffix(' %') for end in (row.low, row.high))})"
