"""Figures of micro-expressions: what the order of the frames is worth, and who finds the apex."""

from collections.abc import Mapping

import pandas as pd

from book.micro_expressions.apex import METHODS
from book.micro_expressions.order import GAINS
from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import Drawn
from ferbook.text import number_text


def spotting_dots(missed: Mapping[str, Estimate]) -> Drawn:
    """How many frames each method misses the apex by, with intervals. ``missed``: of
    ``apex.spotting_metrics``. Data: ``method``, ``mean``, ``low``, ``high``.
    """
    means = {name: missed[f"spotting_{slug}"] for slug, name in METHODS.items()}
    data = pd.DataFrame(
        [(name, one.value, one.low, one.high) for name, one in means.items()],
        columns=["method", "mean", "low", "high"],
    )
    data = data.astype({"low": float, "high": float})
    clips, best = next(iter(means.values())).n, data.loc[data["mean"].idxmin()]
    rows = data.rename(columns={"method": "label", "mean": "value"})
    return forest(
        rows.assign(main=rows.index == 0),
        measured="frames between the spotted and the true apex",
        axis=Axis("", limits=(0, None)),
        alt=f"Dots with intervals for {len(data)} ways to find the apex of {clips:,} clips.",
        caption=f"How many frames each way misses the apex of {clips:,} clips by, with 95 % intervals. "
        f"Nearest is {best['method']}, by {best['mean']:.1f} frames.",
        data=data,
        tolerance=dict.fromkeys(("mean", "low", "high"), 5),
    )


def order_dots(table: pd.DataFrame, beside: pd.DataFrame | None = None) -> Drawn:
    """What the order of the frames is worth, timing on and off, in points of the unweighted F1, and the same
    of the reference ``beside`` where it may stand there. ``table``: ``order.gain_table``. Data: its columns.
    """
    series = {"this run": table} | ({} if beside is None else {"reference": beside})
    rows = pd.concat([own.assign(series=name) for name, own in series.items()])
    rows = rows.sort_values("asked", key=lambda labels: labels.map(list(GAINS.values()).index), kind="stable")
    first = table.iloc[0]
    gain, low, high = (number_text(first[end], decimals=1) for end in ("gain", "low", "high"))
    return forest(
        rows.rename(columns={"asked": "label", "gain": "value"}),
        measured="points of UF1 that the order of the frames gains",
        axis=Axis("points", null=0),
        alt="Dots with intervals beside a line at zero: what frames in order gain against shuffled ones.",
        caption="What frames in order gain against shuffled ones, with 95 % intervals; zero is nothing. "
        f"Where {first['asked']} the order gains {gain} points ({low} to {high}).",
        tolerance=dict.fromkeys(("gain", "low", "high"), 15),
        data=table,
    )
