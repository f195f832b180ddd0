"""What the chapters take of every official layout at the size that its set was published in, as a table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from book.costs_page import MEMORY_GOAL
from fer_lib.faces.sources import SOURCES
from ferbook.errors import DataError
from ferbook.store import ChapterResult
from ferbook.text import number_text

LAYOUTS = Path(__file__).with_name("layouts.csv")
"""One row for each layout and chapter, committed, as ``benchmarks/layouts.py`` measured: ``layout``,
``pictures``, ``chapter`` (or ``SET_READING``), ``outcome``, ``seconds``, ``peak_mib``; how it was measured.
"""

SET_READING = "reading"
OUTCOME_DONE = "done"
"""What an ``outcome`` begins with where the chapter came to its end; otherwise it is why it did not begin."""


def layouts_text(results: Mapping[str, ChapterResult]) -> str:
    """``LAYOUTS`` as a page shows it: a table, which chapters a set cannot be put to, and whether the goals
    were reached.
    """
    table = pd.read_csv(LAYOUTS).sort_values("pictures", kind="stable")
    if (parts := table[table["share"] < 1]).size:
        raise DataError(f"{LAYOUTS.name}: {', '.join(parts['layout'].unique())} not in the published size")
    lines = [
        "| set | pictures | reading | chapters that ended | the slowest | the largest process |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in table.groupby("layout", sort=False):
        chapters = rows[rows["chapter"].ne(SET_READING)]
        ended = chapters[chapters["outcome"].str.startswith(OUTCOME_DONE)]
        reading = rows.loc[rows["chapter"].eq(SET_READING), "seconds"].item()
        slowest, largest = ended.loc[ended["seconds"].idxmax()], rows.loc[rows["peak_mib"].idxmax()]
        lines.append(
            f"| `{name}` | {number_text(int(rows['pictures'].iloc[0]), 'count')} "
            f"| {number_text(reading, decimals=0)} s | {len(ended)} of {len(chapters)} "
            f"| `{slowest['chapter']}`, {number_text(slowest['seconds'], decimals=0)} s "
            f"| `{largest['chapter']}`, {number_text(int(largest['peak_mib']), 'count')} MiB |"
        )
    lines += ["", _goals(table), "", *_refusals(table), ""]
    measured = {*table["layout"], "own"}  # a folder of one's own has no published size
    others = [f"`{each.name}`" for each in SOURCES if each.reader and each.name not in measured]
    if others:
        lines += [f"Not measured yet: {', '.join(others)}.", ""]
    devices = " and ".join(sorted(table["device"].unique()))
    days = " to ".join(dict.fromkeys(when[:10] for when in (min(table["when"]), max(table["when"]))))
    lines.append(f"Measured on {devices}, one core, {days}.")
    return "\n".join(lines)


def _goals(table: pd.DataFrame) -> str:
    """Whether what was asked for beforehand was reached."""
    above = table[table["peak_mib"] > MEMORY_GOAL]
    text = (
        "The goal, written down before anything was measured, is at most "
        f"{number_text(MEMORY_GOAL, 'count')} MiB in any process. It is reached in {len(table) - len(above)} "
        f"of {len(table)} measurements"
    )
    missed = [f"`{row.layout}` in `{row.chapter}`" for row in above.itertuples()]
    return f"{text}, and missed by {', '.join(missed)}." if missed else f"{text}."


def _refusals(table: pd.DataFrame) -> list[str]:
    """A line for each reason why chapters did not begin, with the sets and the chapters that it was given
    for.
    """
    refused = table[~table["outcome"].str.startswith(OUTCOME_DONE)]
    reasons: dict[str, tuple[dict, dict]] = {}
    for row in refused.itertuples():
        lack = row.outcome.partition(f"face set {row.layout!r} ")[2].partition(". Name other chapters")[0]
        sets, chapters = reasons.setdefault(f"it {lack}" if lack else row.outcome, ({}, {}))
        sets[f"`{row.layout}`"] = chapters[f"`{row.chapter}`"] = None
    lines = [
        f"- of {' and '.join(sets)}: {reason} ({', '.join(chapters)})."
        for reason, (sets, chapters) in reasons.items()
    ]
    return ["What a set lacks is said before a chapter runs:", "", *lines] if lines else []
