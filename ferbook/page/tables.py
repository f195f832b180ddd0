"""Numbers and tables as the page shows them."""

import html
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from ferbook.estimate import Estimate
from ferbook.text import bounds_text, number_text

LONGEST_NAME = 32
"""Characters of a cell: of more it is a sentence, which a narrow column would break into single words."""


@dataclass(frozen=True)
class Table:
    """Numbers that a page shows as a table, and ``ferbook check`` compares.

    ``data`` holds numbers and texts, not formatted numbers; a cell may be an Estimate, and is shown with its
    interval. The index becomes the row headers, unless it is the plain 0 … n-1. ``formats`` gives per column
    a ``unit`` of ``number_text``, or a function from a cell to text. ``tolerance`` as of a figure, for an
    Estimate's bounds too; None: nothing is compared but the shape.
    """

    data: pd.DataFrame
    caption: str
    formats: Mapping[str, str | Callable[[object], str]] = field(default_factory=dict)
    tolerance: float | Mapping[str, float] | None = 1e-6

    def html(self) -> str:
        """An accessible HTML table: a caption, and header cells with their scope, ``_`` shown as a space.

        Missing cells show a dash. All text is escaped.
        """
        frame, caption = _with_header_column(self.data), html.escape(self.caption)
        texts = [
            [html.escape(_cell_text(cell, self.formats.get(name, ""))) for cell in frame.iloc[:, place]]
            for place, name in enumerate(frame.columns)
        ]
        kinds = [_kind(column) for column in texts]
        head = "".join(
            f'<th scope="col" class="{kind}">{html.escape(str(name).replace("_", " "))}</th>'
            for name, kind in zip(frame.columns, kinds, strict=True)
        )
        body = []
        for first, *others in zip(*texts, strict=True):
            cells = [f'<th scope="row">{first}</th>']
            cells += [f'<td class="{kind}">{text}</td>' for text, kind in zip(others, kinds[1:], strict=True)]
            body.append(f"<tr>{''.join(cells)}</tr>")
        return (
            f'<div class="suite-table" tabindex="0" role="region" aria-label="{caption}">'
            f"<table><caption>{caption}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )

    def stored(self) -> pd.DataFrame:
        """The numbers for a CSV: of a column of Estimates the value, and its bounds in ``<column>_low`` and
        ``<column>_high``.
        """
        frame = _with_header_column(self.data)
        columns = {}
        for name in frame.columns:
            cells = list(frame[name])
            if any(isinstance(cell, Estimate) for cell in cells):
                for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                    columns[f"{name}{suffix}"] = [
                        getattr(cell, part) if isinstance(cell, Estimate) else cell if not suffix else None
                        for cell in cells
                    ]
            else:
                columns[str(name)] = cells
        return pd.DataFrame(columns)

    def __post_init__(self) -> None:
        if isinstance(self.tolerance, Mapping):
            bounds = {
                f"{name}{side}": by for name, by in self.tolerance.items() for side in ("_low", "_high")
            }
            object.__setattr__(self, "tolerance", bounds | dict(self.tolerance))


def _with_header_column(table: pd.DataFrame) -> pd.DataFrame:
    plain = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    return table if plain else table.reset_index()


def _kind(column: list[str]) -> str:
    if all(text[:1] in "0123456789-−–" for text in column):
        return "number"
    return "text" if max(map(len, column)) <= LONGEST_NAME else "text sentence"


def _cell_text(cell: object, form: str | Callable[[object], str]) -> str:
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if callable(form):
        return form(cell)
    if isinstance(cell, Estimate):
        return bounds_text(cell, form)
    if isinstance(cell, str | bool):
        return str(cell)
    # NumPy scalars are not the built-in types that number_text accepts.
    value = cell.item() if hasattr(cell, "item") else cell
    if isinstance(value, int) and form == "":
        return f"{value:,}"
    return number_text(value, form) if isinstance(value, int | float) else str(value)


def numbers_table(
    metrics: Mapping[str, Estimate], names: Mapping[str, str], caption: str = "The page in numbers"
) -> Table:
    """The metrics of ``names`` (metric -> what it is), those that the page has, each with its interval."""
    shown = {name: metrics[name] for name in names if name in metrics}
    data = pd.DataFrame({"measure": [names[name] for name in shown], "value": list(shown.values())})
    # Metrics are compared by their own tolerances: here none may be tighter.
    return Table(data, caption, tolerance={"value": 2 * max(each.tolerance for each in shown.values())})
