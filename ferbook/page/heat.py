"""Heat maps: tables as coloured cells with text."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt

from ferbook.page.style import SMALLEST, WIDTH, Drawn, FigureError, Mark, require_columns

# Height of a cell in inches.
CELL = 0.27


def heat(
    cells: pd.DataFrame,
    *,
    rows: str,
    columns: str,
    value: str,
    measured: str,
    row_names: Mapping[object, str] | None = None,
    row_label: str = "",
    column_label: str = "",
    alt: str,
    caption: str,
    tolerance: float | Mapping[str, float] = 1e-6,
) -> Drawn:
    """Draw a heat map, the darker the higher the value, with a text in each cell.

    Parameters
    ----------
    cells : DataFrame
        One row per cell, in the order to show, with its ``text``.
    rows, columns, value : str
        Columns of ``cells``: the row and the column of a cell, and its value, a proportion from 0 to 1;
        a missing value shows a dash.
    measured, row_label, column_label : str
        Labels of the colour bar and of the axes; ``row_names`` replace names of rows.
    alt : str
        What is drawn, with the values.

    Raises
    ------
    FigureError
        Where a column is absent or a cell occurs twice.

    >>> cells = pd.DataFrame({"learned": ["lab", "lab"], "tested": ["lab", "wild"], "accuracy": [0.9, 0.4],
    ...                       "text": ["90", "40"]})
    >>> heat(cells, rows="learned", columns="tested", value="accuracy", measured="accuracy (%)",
    ...      alt="Heat map of accuracy.", caption="What carries over.").alt
    'Heat map of accuracy.'
    """
    require_columns(cells, [rows, columns, value, "text"])
    if cells.duplicated([rows, columns]).any():
        raise FigureError(f"a cell of {rows} by {columns} occurs twice; give each pair once")
    order = {"index": cells[rows].unique(), "columns": cells[columns].unique()}
    values, texts = (
        cells.pivot(index=rows, columns=columns, values=name).reindex(**order) for name in (value, "text")
    )
    # At least as high as the vertical label of the rows is long.
    height = max(CELL * len(values), 0.08 * len(row_label))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.45 + height))
    bar = {"label": measured, "orientation": "horizontal", "shrink": 0.6, "aspect": 40}
    looks = {"cmap": "Blues", "linewidths": 0.8, "cbar_kws": bar, "annot_kws": {"fontsize": SMALLEST}}
    sns.heatmap(100 * values, vmin=0, vmax=100, annot=texts, fmt="", ax=axes, **looks)
    names = [(row_names or {}).get(name, name) for name in values.index]
    axes.set_yticklabels(names, rotation=0)
    # Seaborn writes no text where the value is missing.
    for row, column in zip(*values.isna().to_numpy().nonzero(), strict=True):
        axes.text(column + 0.5, row + 0.5, "–", ha="center", va="center", fontsize=SMALLEST)
    axes.set(xlabel=column_label, ylabel=row_label)
    axes.tick_params(length=0)
    if sum(len(str(name)) for name in order["columns"]) > 45:
        axes.tick_params(axis="x", rotation=40)
        plt.setp(axes.get_xticklabels(), ha="right", rotation_mode="anchor")
    marks = [
        Mark(axes, (column, column + 1), (row, row + 1), f"{names[row]}, {name}: {text}")
        for row, of_row in enumerate(texts.fillna("").to_numpy())
        for column, (name, text) in enumerate(zip(texts.columns, of_row, strict=True))
        if text
    ]
    return Drawn(figure, cells.drop(columns="text").reset_index(drop=True), alt, caption, tolerance, marks)
