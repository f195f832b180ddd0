"""Figures that several chapters draw: contenders and confusion."""

import pandas as pd

from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.style import Drawn, FigureError, listing, percent

YOURS = "your run"
"""What is drawn of this run next to the reference."""

MIN_BIN = 0.01
"""A bin of confidence with a smaller proportion of the predictions is not drawn."""


def contender_dots(table: pd.DataFrame, label: str) -> Drawn:
    """Each contender's score with its interval, and how far the first one is ahead of it, pair by pair on the
    same clips or pictures.

    ``table``: a row per contender in the order to be shown, the one that the page is about first: ``kind``,
    ``name``, ``trainings``, ``score`` (share) with ``low`` and ``high``, ``least`` and ``most`` (of single
    trainings), ``ahead`` (points, NaN of the first) with ``ahead_low`` and ``ahead_high``. ``label`` says
    what the score is. Data: these columns.
    """
    data = table.reset_index(drop=True)
    rows = data.rename(columns={"name": "label"})
    scores = rows.assign(panel=label, value=rows["score"], main=data.index == 0)
    ahead = f"lead of {data['name'][0]}"
    gaps = rows.assign(panel=ahead, value=rows["ahead"], low=rows["ahead_low"], high=rows["ahead_high"])
    several = rows[rows["trainings"].gt(1)]
    clear = list(data.loc[data["ahead_low"].gt(0), "name"])
    behind = list(data.loc[data["ahead_high"].lt(0), "name"])
    alt = (
        f"Dots with intervals: {label}, small dots for the least and the most of several trainings, and how "
        f"far {data['name'][0]} is ahead of each other one. The interval of its lead lies above zero for "
        f"{listing(clear or ['none'])} and below it for {listing(behind or ['none'])}."
    )
    return forest(
        pd.concat([scores, gaps.iloc[1:].assign(main=False)]),
        measured="",
        axis={label: Axis(limits=(0, None)), ahead: Axis("points", null=0.0, label="points")},
        singles=pd.concat(several.assign(panel=label, value=several[end]) for end in ("least", "most")),
        widths=(1.4, 1),
        alt=alt,
        caption=(
            f"{data['name'][0]} scores significantly more than: {'; '.join(clear) or 'none'}. Significantly "
            f"less than: {'; '.join(behind) or 'none'}. Left each score, right the lead; small dots are the "
            "lowest and the highest score among several trainings."
        ),
        tolerance=dict.fromkeys(("score", "low", "high", "least", "most"), 0.15)
        | dict.fromkeys(("ahead", "ahead_low", "ahead_high"), 15),
        data=data,
    )


def confusion_matrix(matrix: pd.DataFrame, unit: str = "pictures") -> Drawn:
    """Draw a confusion matrix as a heat map, in per cent of each true class.

    Parameters
    ----------
    matrix : (K, K) DataFrame
        Counts of what ``unit`` names; index the true class, columns the predicted one, in the same order.

    Returns
    -------
    Drawn
        Data: ``true``, ``predicted``, ``count``, ``share`` (missing where a class does not occur).

    Raises
    ------
    FigureError
        If rows and columns differ.
    """
    if list(matrix.index) != list(matrix.columns) or matrix.empty:
        raise FigureError("a confusion matrix has the same classes, in the same order, as rows and columns")
    counts = matrix.rename_axis(index="true", columns="predicted")
    totals = counts.sum(axis=1)
    shares = counts.div(totals.where(totals > 0), axis=0)
    data = counts.stack().rename("count").reset_index().assign(share=shares.to_numpy().ravel())
    recall = data[data["true"].eq(data["predicted"]) & data["share"].notna()]
    wrong = data[data["true"].ne(data["predicted"]) & data["count"].gt(0)]
    worst = wrong[wrong["share"].isin(wrong["share"].nlargest(3))]
    if len(worst) > 3:  # a tie: without those that share the last place
        worst = worst[worst["share"] > worst["share"].min()]
    worst = worst.sort_values("share", ascending=False, kind="stable")
    right = [f"{row.true} {percent(row.share)}" for row in recall.itertuples()]
    confused = [f"{row.true} with {row.predicted} ({percent(row.share)})" for row in worst.itertuples()]
    never = [f"{row.true} (0 of {totals[row.true]})" for row in recall[recall["share"].eq(0)].itertuples()]
    alt = (
        f"Heat map of {len(counts)} true by {len(counts)} predicted emotions, {totals.sum():,} {unit}. "
        f"Correct, on the diagonal: {listing(right or ['none'])}. Confused most often: "
        f"{listing(confused or ['none'])}."
    )
    texts = ["" if pd.isna(share) or share == 0 else f"{100 * share:.0f}" for share in data["share"]]
    return heat(
        data.assign(text=texts),
        rows="true",
        columns="predicted",
        value="share",
        measured="of the true class (%)",
        row_names={name: f"{name} ({total:,})" for name, total in totals.items()},
        row_label=f"true (number of {unit})",
        column_label="predicted",
        alt=alt,
        caption=(
            "Rows are true classes, in per cent; the diagonal is the recall. "
            + (f"Never recognised: {listing(never)}. " if never else "")
            + f"Confused most often: {listing(confused or ['none'])}."
        ),
        tolerance={"share": 0.15, "count": round(0.15 * int(totals.max()))},
    )
