"""Tables of a page: HTML and stored numbers."""

import html
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from ferbook.estimate import Estimate
from ferbook.text import MINUS, bounds_text, decimals_of, number_text

# Numbers of a column that differ by this factor measure different things; each then gets its own digits.
SPAN = 1000

# Longest table that is not folded.
MOST_ROWS = 12


_BOUNDS = re.compile(r"([−+\d][^ ]*) (\([^()]*\))")
_DASH = re.compile(r"(?<![\w.–])-(?=[\d.])")


@dataclass(frozen=True)
class Table:
    """Numbers that a page shows as a table and ``ferbook check`` compares.

    Parameters
    ----------
    data : DataFrame
        Numbers, texts and Estimates, which are shown with their intervals. The index becomes the row headers,
        unless it is 0 … n-1.
    caption : str
    formats : mapping
        Per column a ``unit`` of ``number_text``, or a function from a cell to text.
    tolerance : float, mapping or None
        As of ``Drawn``, also for the bounds of Estimates; None: only the shape is compared.
    """

    data: pd.DataFrame
    caption: str
    formats: Mapping[str, str | Callable[[object], str]] = field(default_factory=dict)
    tolerance: float | Mapping[str, float] | None = 1e-6

    def html(self) -> str:
        """Return an accessible HTML table with a caption and header cells; ``_`` in names becomes a space.

        Missing cells show a dash. All text is escaped. On a narrow screen a row becomes a card whose cells
        name their columns. A table of more than ``MOST_ROWS`` rows is folded.
        """
        frame, caption = _with_header_column(self.data), html.escape(self.caption)
        columns = [
            _column_texts(list(frame.iloc[:, place]), self.formats.get(name, ""))
            for place, name in enumerate(frame.columns)
        ]
        kinds = ["number" if all(t[:1] in "0123456789−–+" for t in texts) else "text" for texts in columns]
        names = [html.escape(str(name).replace("_", " ")) for name in frame.columns]
        head = "".join(
            f'<th role="columnheader" scope="col" class="{kind}">{name}</th>'
            for name, kind in zip(names, kinds, strict=True)
        )
        body = []
        for first, *others in zip(*columns, strict=True):
            cells = [f'<th role="rowheader" scope="row">{_in_parts(first)}</th>']
            cells += [
                f'<td role="cell" class="{kind}" data-label="{name}">{_in_parts(text)}</td>'
                for name, kind, text in zip(names[1:], kinds[1:], others, strict=True)
            ]
            body.append(f'<tr role="row">{"".join(cells)}</tr>')
        table = (
            f'<div class="suite-table" tabindex="0" role="region" aria-label="{caption}">'
            f'<table role="table"><caption>{caption}</caption>'
            f'<thead><tr role="row">{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
        )
        if len(body) <= MOST_ROWS:
            return table
        summary = f"<summary>{caption} ({len(body)} rows)</summary>"
        return f'<details class="suite-fold">{summary}{table}</details>'

    def stored(self) -> pd.DataFrame:
        """Return the numbers for a CSV: ``in_numbers`` with the index as columns."""
        return in_numbers(_with_header_column(self.data))

    def __post_init__(self) -> None:
        if isinstance(self.tolerance, Mapping):
            bounds = {
                f"{name}{side}": by for name, by in self.tolerance.items() for side in ("_low", "_high")
            }
            object.__setattr__(self, "tolerance", bounds | dict(self.tolerance))


def in_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Replace each Estimate of ``table`` by its value, with its bounds in ``<column>_low`` and
    ``<column>_high``; a column ``estimate`` becomes ``value``, ``low`` and ``high``. NaN without interval.
    """
    columns = {}
    for name in table.columns:
        cells = list(table[name])
        if any(isinstance(cell, Estimate) for cell in cells):
            value, before = ("value", "") if name == "estimate" else (name, f"{name}_")
            columns[value] = [getattr(cell, "value", cell) for cell in cells]
            for end in ("low", "high"):
                bounds = [getattr(cell, end, None) for cell in cells]
                columns[f"{before}{end}"] = pd.Series(bounds, dtype=float).to_numpy()
        else:
            columns[str(name)] = cells
    return pd.DataFrame(columns, index=table.index)


def _with_header_column(table: pd.DataFrame) -> pd.DataFrame:
    plain = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    return table if plain else table.reset_index()


def _column_texts(cells: list[object], form: str | Callable[[object], str]) -> list[str]:
    """Format the cells of a column, with the same decimals where its numbers are of one kind."""
    if callable(form):
        return ["–" if _is_missing(cell) else _DASH.sub(MINUS, form(cell)) for cell in cells]
    # NumPy scalars are not the built-in types that number_text accepts.
    plain = ["–" if _is_missing(cell) else cell.item() if hasattr(cell, "item") else cell for cell in cells]
    decimals = decimals_of([cell for cell in plain if isinstance(cell, Estimate)], form)
    floats = [abs(cell) for cell in plain if isinstance(cell, float) and cell]
    if decimals is None and form == "" and floats and max(floats) < SPAN * min(floats):
        decimals = max(0, 2 - math.floor(math.log10(max(floats))))
    return [_cell_text(cell, form, decimals) for cell in plain]


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell))


def _cell_text(cell: object, form: str, decimals: int | None) -> str:
    if isinstance(cell, Estimate):
        return bounds_text(cell, form, decimals)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell)
    if isinstance(cell, int) and form == "":
        return number_text(cell, "count")
    return number_text(cell, form, decimals)


def _in_parts(text: str) -> str:
    """Return a cell's HTML: a line may break between a value and its interval, not within either."""
    value, bounds = _BOUNDS.fullmatch(text).groups() if _BOUNDS.fullmatch(text) else (text, "")
    return html.escape(value) + (f' <span class="bounds">{html.escape(bounds)}</span>' if bounds else "")
