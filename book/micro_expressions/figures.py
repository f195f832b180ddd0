"""Figures of micro-expressions: who finds their apex, and what the order of the frames is worth."""

import pandas as pd

from book.micro_expressions.order import GAINS
from ferbook.page.forest import forest
from ferbook.page.style import Drawn


def spotting_dots(table: pd.DataFrame) -> Drawn:
    """How many frames each method misses the apex by: mean with interval, quartiles.

    ``table``: a row per method in the order to be shown, the feature trajectory first: ``method``, ``clips``,
    ``mean`` with ``low`` and ``high``, ``q25``, ``median``, ``q75`` (frames). Data: these columns.
    """
    numbers = ["mean", "low", "high", "q25", "median", "q75"]
    data = table[["method", "clips", *numbers]].reset_index(drop=True)
    rows = data.rename(
        columns={"method": "label", "mean": "value", "q25": "wide_low", "q75": "wide_high"}
    ).assign(main=data.index == 0)
    return forest(
        rows,
        measured="frames between the spotted and the coded apex",
        unit="",
        limits=(0, None),
        strokes=rows[["label"]].assign(value=rows["median"]),
        alt=f"Dots with intervals for {len(data)} ways to find the apex of {data['clips'][0]:,} clips: the "
        "mean distance from the coded apex in frames; a bar holds the middle half of the clips, and a tick "
        "marks the median.",
        caption="Pale: the middle half of the clips; tick: their median.",
        data=data,
        tolerance=dict.fromkeys(numbers, 5),
    )


def order_dots(table: pd.DataFrame) -> Drawn:
    """What the order of the frames is worth, timing on and off, in points. ``table``:
    ``order.gain_table``. Data: its columns.
    """
    rows = table.rename(columns={"measure": "panel", "asked": "label", "gain": "value"})
    return forest(
        rows.assign(main=rows["label"].eq(GAINS["order_gain_difference"])),
        measured="points gained by frames in order, against shuffled ones",
        unit="points",
        null=0,
        alt="Dots with intervals beside a line at zero: what frames in order gain against shuffled ones.",
        tolerance=dict.fromkeys(("gain", "low", "high"), 15),
        data=table,
    )
