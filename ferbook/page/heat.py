"""Tables as coloured cells: the one heat map."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize, SymLogNorm

from ferbook.page.style import INK, MUTED, VERMILION, WIDTH, Drawn, FigureError, require_columns

HIGH_CELL, LOW_CELL = 0.46, 0.27
"""Inches: cells with a text of two lines or more, and cells without one or with one line."""


def heat(
    cells: pd.DataFrame,
    *,
    measured: str,
    rows: str,
    columns: str,
    value: str = "value",
    text: str | None = "text",
    framed: Collection[tuple[object, object]] = (),
    unit: str = "share",
    limits: tuple[float | None, float | None] = (None, None),
    signed: bool = False,
    row_names: Mapping[object, str] | None = None,
    column_names: Mapping[object, str] | None = None,
    row_label: str | None = None,
    column_label: str | None = None,
    notes: Sequence[str] = (),
    noted: str = "",
    alt: str,
    caption: str,
    tolerance: float | Mapping[str, float] = 1e-6,
    data: pd.DataFrame | None = None,
) -> Drawn:
    """Cells of ``rows`` by ``columns`` (names of columns of ``cells``, a row per cell, in the order to be
    shown), coloured by ``value``, the darker the higher, with the ``text`` in each.

    Where ``cells`` has no column ``text``, a cell shows its value without decimals, and where ``text`` is
    None, nothing. A value that is missing is an empty cell with a dash. ``unit`` ``share`` shows 0 to 1 times
    100; ``measured`` stands beside the colour bar, whose ends are ``limits`` (shown times 100 too) or what
    occurs. ``signed``: blue below zero, red above it, on a scale that is logarithmic beyond 1 to either side.

    ``framed``: (row, column) of cells with a frame. ``row_names`` and ``column_names`` replace names on the
    axes, ``row_label`` and ``column_label`` what the axes are. ``notes``: a text right of each row, below the
    heading ``noted``. ``alt`` says what one sees, values included. The numbers stored are ``data``, or
    ``cells`` without its texts. Raises FigureError where a column is absent or a cell occurs twice.

    >>> cells = pd.DataFrame({"learned": ["lab", "lab"], "tested": ["lab", "wild"], "accuracy": [0.9, 0.4]})
    >>> heat(cells, rows="learned", columns="tested", value="accuracy", measured="accuracy (%)",
    ...      framed=[("lab", "lab")], alt="Heat map of accuracy.", caption="What carries over.").alt
    'Heat map of accuracy.'
    """
    require_columns(cells, [rows, columns, value])
    if cells.duplicated([rows, columns]).any():
        raise FigureError(f"a cell of {rows} by {columns} occurs twice; give each pair once")
    down, across = list(cells[rows].unique()), list(cells[columns].unique())
    shape = {"index": rows, "columns": columns}
    factor = 100 if unit == "share" else 1
    values = factor * cells.pivot(**shape, values=value).loc[down, across]
    if text in cells:
        texts = cells.pivot(**shape, values=text).loc[down, across].fillna("")
    else:
        texts = values.map(lambda number: "" if text is None or pd.isna(number) else f"{number:.0f}")
    low, high = (None if end is None else factor * end for end in limits)
    if signed:
        reach = float(values.abs().max(axis=None)) or 1.0
        scale, colours = SymLogNorm(linthresh=1, vmin=-reach, vmax=reach, base=10), colormaps["RdBu_r"]
    else:
        low = float(values.min(axis=None)) if low is None else low
        high = float(values.max(axis=None)) if high is None else high
        scale, colours = Normalize(low, high if high > low else low + 1), colormaps["Blues"]
    lines = max(cell.count("\n") for cell in texts.to_numpy().ravel()) + 1
    # High enough for the name of the rows, which stands upright.
    height = max((HIGH_CELL if lines > 1 else LOW_CELL) * len(down), 0.08 * len(row_label or rows))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.45 + height))
    shades = np.ma.masked_invalid(values.to_numpy(float))
    image = axes.pcolormesh(shades, cmap=colours, norm=scale, edgecolors="white", linewidth=0.8)
    fontsize = 9.5
    centred = {"ha": "center", "va": "center", "fontsize": fontsize}
    dark = colours(scale(shades))[..., :3] @ (0.299, 0.587, 0.114) < 0.55
    inks = np.where(values.isna(), MUTED, np.where(dark, "white", INK))
    texts = texts.where(values.notna(), "–")
    for (row, column), ink in np.ndenumerate(inks):
        axes.text(column + 0.5, row + 0.5, texts.iat[row, column], color=ink, **centred)
    for row, column in framed:
        corner = across.index(column), down.index(row)
        axes.add_patch(
            plt.Rectangle(corner, 1, 1, fill=False, edgecolor=VERMILION if not signed else INK, linewidth=2)
        )
    for row, note in enumerate(notes):
        axes.text(1.02, row + 0.5, note, va="center", fontsize=9.5, transform=axes.get_yaxis_transform())
    if noted:
        axes.text(1.02, 1.01, noted, fontsize=9.5, color=MUTED, transform=axes.transAxes)
    shown = [str((column_names or {}).get(name, name)) for name in across]
    slanted = max(map(len, shown)) * len(shown) > 60
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(np.arange(len(across)) + 0.5, shown, fontsize=fontsize, **turned)
    shown = [str((row_names or {}).get(name, name)) for name in down]
    axes.set_yticks(np.arange(len(down)) + 0.5, shown, fontsize=fontsize)
    axes.set(
        xlabel=columns if column_label is None else column_label,
        ylabel=rows if row_label is None else row_label,
    )
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=40)
    bar.set_label(measured, fontsize=9.5)
    bar.outline.set_visible(False)
    if signed:
        ticks = [tick for tick in (-100, -10, -1, 0, 1, 10, 100) if abs(tick) <= reach]
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        bar.ax.minorticks_off()
    stored = cells.drop(columns=[text or ""], errors="ignore").reset_index(drop=True)
    return Drawn(figure, stored if data is None else data, alt, caption, tolerance)
