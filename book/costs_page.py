"""What larger studies take: the curves that ``benchmarks/cost.py`` measured, drawn and as a table."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib import ticker

from ferbook.page.figure import unstored_figure
from ferbook.page.style import BLUE, INK, WIDTH, Drawn
from ferbook.store import ChapterResult
from ferbook.text import number_text

COSTS = Path(__file__).with_name("costs.csv")
"""One row a size and turn, committed: ``what``, ``against``, ``size``, ``seconds`` of the processor,
``megabytes`` at most, and of each curve the ``exponent`` with its interval.
"""

CURVES = {
    ("predictions", "pictures"): "answers, pictures",
    ("responses", "pictures"): "responses, pictures",
    ("null", "permutations"): "null, permutations",
    ("null", "filters"): "null, filters",
    ("null", "people"): "null, people",
}
"""What is asked, and against what -> as a page calls it."""

LINEAR, MEMORY_GOAL = 1.05, 2048
"""Goals of ``benchmarks/cost.py``: what a curve's interval contains or ends below, and megabytes."""
_MANY = 10_000_000


def costs_table() -> pd.DataFrame:
    """What ``COSTS`` holds; that a null is asked is a word, no missing value."""
    return pd.read_csv(COSTS, keep_default_na=False, na_values=[""])


def costs_text(results: Mapping[str, ChapterResult]) -> str:
    """``COSTS`` as a page shows it: a figure, a table, and what ten million pictures would take."""
    table = costs_table()
    lines = [
        unstored_figure("costs", costs_figure(table)),
        "",
        "| what, against | sizes | exponent | 95 % interval | at the largest | at most, in all |",
        "|---|---|---|---|---|---|",
    ]
    for (what, against), name in CURVES.items():
        rows = table[table["what"].eq(what) & table["against"].eq(against)]
        slope, low, high = (number_text(float(rows[part].iloc[0]), decimals=2) for part in _SLOPE)
        sizes, last = rows["size"], rows[rows["size"].eq(rows["size"].max())]
        seconds = number_text(float(last["seconds"].median()), decimals=1)
        memory = number_text(float(last["megabytes"].max()), "count")
        ends = " to ".join(number_text(int(end), "count") for end in (sizes.min(), sizes.max()))
        lines.append(f"| {name} | {ends} | {slope} | {low} to {high} | {seconds} s | {memory} MB |")
    lines += ["", _goals(table), "", _many(table), ""]
    for (device, when, commit), rows in table.groupby(["device", "when", "commit"], sort=False):
        whose = "" if len(rows) == len(table) else f"{' and '.join(dict.fromkeys(rows['what']))}: "
        load = number_text(float(rows["load"].iloc[0]), decimals=0)
        lines.append(
            f"- {whose}measured on {device}, {when[:10]}, commit `{commit[:8]}`, in processor seconds, while "
            f"{load} programs wanted a core."
        )
    return "\n".join(lines)


_SLOPE = ("exponent", "low", "high")


def costs_figure(table: pd.DataFrame) -> Drawn:
    """Processor seconds against size, a panel a curve, both axes by factors of ten."""
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 3.6), layout="constrained")
    parts = []
    for axes, ((what, against), name) in zip(grid.flat, CURVES.items(), strict=False):
        rows = table[table["what"].eq(what) & table["against"].eq(against)]
        middle = rows.groupby("size", as_index=False)[["seconds", "megabytes"]].median()
        axes.set(xscale="log", yscale="log", title=name.partition(",")[0])
        straight = middle["seconds"].iloc[-1] / middle["size"].iloc[-1]
        axes.plot(middle["size"], straight * middle["size"], color=INK, linestyle=":", linewidth=1)
        sns.lineplot(middle, x="size", y="seconds", color=BLUE, marker="o", ax=axes)
        axes.set(xlabel=against, ylabel="seconds" if axes in grid[:, 0] else "")
        axes.xaxis.set_major_locator(ticker.FixedLocator(middle["size"].iloc[[0, -1]]))
        axes.yaxis.set_major_locator(ticker.LogLocator(numticks=4))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(ticker.NullLocator())
        axes.xaxis.set_major_formatter(lambda size, _: f"{size:,.0f}")
        axes.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
        parts.append(middle.assign(what=what, against=against))
    grid.flat[-1].set_axis_off()
    data = pd.concat(parts, ignore_index=True)
    steepest = table.drop_duplicates(["what", "against"]).set_index(["what", "against"])["exponent"]
    where = steepest.loc[[*CURVES]].idxmax()
    return Drawn(
        figure,
        data,
        alt="Five panels of dots joined by lines, seconds against size, both by factors of ten, each beside "
        "a dotted line of twice the time for twice the size.",
        caption=f"The steepest curve is {CURVES[where]}: twice the size takes "
        f"{number_text(2 ** float(steepest[where]), decimals=2)} times as long. Processor seconds of one "
        "core, medians over the turns. Dotted: twice the size, twice the time.",
    )


def _goals(table: pd.DataFrame) -> str:
    """Whether what was asked for beforehand was reached."""
    pictures = table[table["against"].eq("pictures")]
    curves = pictures.drop_duplicates("what")
    linear = ((curves["low"] <= 1) & (curves["high"] >= 1)) | (curves["high"] < LINEAR)
    most = pictures["megabytes"].max()
    size = number_text(int(pictures["size"].max()), "count")
    return (
        "Two goals were written down before anything was measured. *Time grows as the pictures do*: reached "
        f"by {linear.sum()} of {len(linear)} curves (the interval contains 1, or ends below {LINEAR}). *At "
        f"most 2 GiB in any process at {size} pictures*: {'reached' if most <= MEMORY_GOAL else 'missed'}, "
        f"{number_text(float(most), 'count')} MB."
    )


def _many(table: pd.DataFrame) -> str:
    """What ten million pictures would take, by the largest sizes that were measured."""
    each = table[table["against"].eq("published")]
    hours = (each["seconds"] / each["size"]).median() * _MANY / 3600
    sizes = table[table["what"].eq("responses")].groupby("size")["megabytes"].median().iloc[[0, -1]]
    gigabytes = np.diff(sizes).item() / np.diff(sizes.index).item() * _MANY / 1024
    return (
        "**Ten million pictures** of 48 pixels would take the published network "
        f"{number_text(hours, decimals=0)} hours of one core for its answers. They are "
        f"{_MANY * 48 * 48 / 1e9:.0f} GB in a file of bytes, which is mapped and not read at once. Memory "
        f"breaks first: the responses of 256 filters and their places, {_MANY * 256 * 8 / 1e9:.0f} GB, are "
        "held whole. With the table of people and what is mapped, a process would peak at "
        f"{number_text(gigabytes, decimals=0)} GB by the slope measured here. For such a study, ask a sample "
        "of the people: all intervals are over people, and shrink with the root of their number. Or ask the "
        "network in parts, and keep only each filter's strongest pictures."
    )
