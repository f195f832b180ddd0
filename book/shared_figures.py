"""Figures that several chapters draw: contenders, confusion, and a clip."""

import numpy as np
import pandas as pd

from face_sets.faceset import FaceSet
from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.pictures import picture_grid, show
from ferbook.page.style import Drawn, FigureError, listing, percent

YOURS = "your run"
"""What is drawn of this run beside the reference."""


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
            f"{data['name'][0]} is ahead of {listing(clear or ['none'])} and behind "
            f"{listing(behind or ['none'])}; from the others it is not told apart. Left each score, right "
            "the lead; small dots are the least and the most of several trainings."
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


def clip_strip(clip: FaceSet, columns: int = 8) -> Drawn:
    """Frames of one sequence, the apex among them where it is known, and below each its difference from the
    first, four times enlarged.

    Data: ``frame``, ``milliseconds`` since the first frame (missing where the rate is unknown), ``apex``
    (whether it is), ``change`` (mean absolute difference from the first frame in grey levels), and the
    intensity of each AU that acts in the clip.
    """
    order = np.argsort(clip.table["frame"].to_numpy(), kind="stable")
    table = clip.table.iloc[order].reset_index(drop=True)
    places = np.unique(np.linspace(0, len(order) - 1, columns).round().astype(int))
    is_apex = table["frame"].eq(table.get("apex", pd.Series(np.nan, table.index))).to_numpy()
    # The first frame is what the others are compared with: it stays.
    if is_apex.any() and len(places) > 1 and (apex := int(is_apex.argmax())) not in places:
        places[1 + np.abs(places[1:] - apex).argmin()] = apex
    pictures, is_apex = clip.gather(order[places]), is_apex[places]
    acting = [au for au in clip.aus if table[au].gt(0).any()]
    table = table.iloc[places].reset_index(drop=True)
    change = pictures.astype(int) - pictures[0]
    data = pd.DataFrame(
        {
            "frame": table["frame"],
            "milliseconds": 1000 * (table["frame"] - table["frame"].iloc[0]) / table.get("fps", np.nan),
            "apex": is_apex,
            "change": np.abs(change).mean(axis=(1, 2)).round(3),
            **{au: table[au].round(3) for au in acting},
        }
    )
    timed = data["milliseconds"].notna().all()
    figure, grid = picture_grid(2, len(places), title=0.16)
    for place, (picture, difference) in enumerate(zip(pictures, change, strict=True)):
        when = f"{data['milliseconds'][place]:.0f} ms" if timed else str(data["frame"][place])
        show(grid[0, place], picture, when)
        grid[1, place].imshow(4 * np.round(difference), vmin=-127, vmax=127)
        if is_apex[place]:
            grid[1, place].set_title("apex", fontsize=9.5, loc="left", pad=2)
    most = data.loc[data["change"].idxmax()]
    alt = (
        f"{len(data)} frames of one sequence labelled {table['emotion'].iloc[-1]}, and below each its "
        "difference from the first, four times enlarged. The difference is largest at frame "
        f"{most['frame']:.0f}, {most['change']:.1f} of 255 grey levels per pixel on average. Units that act: "
        f"{listing(acting or ['none'])}."
    )
    return Drawn(
        figure,
        data,
        alt,
        "Frames of one clip, and below each its difference from the first, four times enlarged.",
        tolerance={"change": 1.0},
    )
