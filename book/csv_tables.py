"""Tables of pages that were measured once: each from a CSV that is committed beside this file."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from ferbook.estimate import Estimate
from ferbook.store import ChapterResult
from ferbook.text import bounds_text

TABLES = {
    "costs": {
        "what": ("what", ""),
        "against": ("against", ""),
        "smallest": ("from", "count"),
        "largest": ("to", "count"),
        "exponent": ("exponent", ""),
        "seconds": ("at the largest", "seconds"),
        "megabytes": ("at most, MB in all", "count"),
    },
    "frontier": {
        "population": ("population", ""),
        "optimiser": ("by", ""),
        "seconds": ("took", "seconds"),
        "epochs": ("epochs", "count"),
        "networks": ("networks", "count"),
        "validation": ("PublicTest", "share"),
        "test": ("PrivateTest", "share"),
        "test_without_copies": ("without the copies", "share"),
    },
    "layouts": {
        "layout": ("set", ""),
        "pictures": ("pictures", "count"),
        "reading_seconds": ("reading", "seconds"),
        "chapters": ("chapters", "count"),
        "slowest": ("the slowest", ""),
        "slowest_seconds": ("its time", "seconds"),
        "peak_mib": ("MiB", "count"),
    },
    "real_units": {
        "unit": ("unit", ""),
        "shown_by": ("shown by", ""),
        "shown": ("pictures", "count"),
        "auroc": ("AUROC", ""),
        "over_untrained": ("over untrained", ""),
        "over_other_heads": ("over other heads", ""),
        "carries_over": ("carries over", ""),
    },
}
"""Name of a CSV -> column -> how a page calls it, and the unit of its numbers (``ferbook.text.number_text``).
Bounds stand in ``<column>_low`` and ``<column>_high``, where and when it was measured in ``device`` and
``when``.
"""


def csv_table(name: str, results: Mapping[str, ChapterResult]) -> str:
    """The table ``name`` as a page shows it, in MyST."""
    table = pd.read_csv(Path(__file__).with_name(f"{name}.csv"), keep_default_na=False, na_values=[""])
    columns = TABLES[name]
    lines = [f"| {' | '.join(title for title, _ in columns.values())} |", "|---" * len(columns) + "|"]
    for row in table.to_dict("records"):
        cells = (_cell(row, column, unit) for column, (_, unit) in columns.items())
        lines.append(f"| {' | '.join(cells)} |")
    if "device" in table:
        days = " to ".join(dict.fromkeys(day[:10] for day in (min(table["when"]), max(table["when"]))))
        lines += ["", f"Measured on {'; '.join(sorted(table['device'].unique()))}; {days}."]
    return "\n".join(lines)


def _cell(row: Mapping[str, object], column: str, unit: str) -> str:
    value, low, high = (row.get(name) for name in (column, f"{column}_low", f"{column}_high"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if low is None or pd.isna(low):
        return bounds_text(Estimate(value, why="a count", unit=unit))
    return bounds_text(
        Estimate.bounded(value, low, high, how="measured once", unit=unit), decimals=None if unit else 2
    )


# One for each table, for the lines of pages that ``suite`` fills.
costs, frontier, layouts, real_units = (partial(csv_table, name) for name in TABLES)
