"""Ways to answer about the same cases: how each scores, and how far the first is ahead of it."""

import pandas as pd

from ferbook.page.forest import forest
from ferbook.page.style import Drawn, listing, require_columns

AHEAD = "the first is ahead by"


def contest(table: pd.DataFrame, measured: str, caption: str = "") -> Drawn:
    """Each contender's score with its interval, and how far the first one is ahead of it, pair by pair on the
    same cases.

    ``table``: a row per contender in the order to be shown, the one that the page is about first: ``kind``,
    ``name``, ``trainings``, ``score`` (share) with ``low`` and ``high``, ``least`` and ``most`` (of single
    trainings), ``ahead`` (points, NaN of the first) with ``ahead_low`` and ``ahead_high``. ``measured`` says
    what the score is. Data: these columns. Raises FigureError where one is absent.
    """
    scores, gaps = ["score", "low", "high", "least", "most"], ["ahead", "ahead_low", "ahead_high"]
    columns = ["kind", "name", "trainings", *scores, *gaps]
    require_columns(table, columns)
    data = table[columns].reset_index(drop=True)
    named = data.rename(columns={"name": "label"})
    own = named.assign(panel=measured, value=named["score"], main=named.index == 0)
    ahead = named[1:].assign(panel=AHEAD, main=False)
    ahead = ahead.assign(value=ahead["ahead"], low=ahead["ahead_low"], high=ahead["ahead_high"])
    several = own[own["trainings"] > 1]
    ends = [several[["label", "panel"]].assign(value=several[end]) for end in ("least", "most")]
    clear, behind = (
        listing(list(data.loc[found, "name"])) if found.any() else "none"
        for found in (data["ahead_low"].gt(0), data["ahead_high"].lt(0))
    )
    return forest(
        pd.concat([own, ahead], ignore_index=True),
        measured={measured: "with its interval; ticks: least and most", AHEAD: "points"},
        unit={measured: "share", AHEAD: "points"},
        null={AHEAD: 0},
        limits={measured: (0, None)},
        strokes=pd.concat(ends),
        across=2,
        widths=(1.4, 1),
        alt=f"Dots with intervals, {measured}, and how far the first, {data['name'][0]}, is ahead of each "
        f"other one. Its interval lies above zero for {clear}, and below zero for {behind}.",
        caption=caption,
        tolerance=dict.fromkeys(scores, 0.15) | dict.fromkeys(gaps, 15),
        data=data,
    )
