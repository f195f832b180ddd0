"""Figures of micro-expressions: a clip, the value of the order of its frames, and who finds the apex."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from book.micro_expressions.apex import METHODS
from book.micro_expressions.order import GAINS
from face_sets.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page import style
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import show, thumbnail
from ferbook.page.style import Drawn
from ferbook.text import number_text


def clip_course(clip: FaceSet) -> Drawn:
    """Show the onset and the apex of one clip, what differs between them, and how much each frame differs.

    Parameters
    ----------
    clip : FaceSet
        The frames of one clip; the apex is the frame that differs most where it was not coded.

    Returns
    -------
    Drawn
        Data: ``frame``, ``milliseconds`` since the onset (missing where the frame rate is unknown),
        ``apex`` (bool), ``change`` (mean absolute difference from the onset, grey levels of 255), and the
        intensity of each action unit that is present in the clip.
    """
    order = np.argsort(clip.table["frame"].to_numpy(), kind="stable")
    table, pictures = clip.table.iloc[order].reset_index(drop=True), clip.gather(order)
    differences = pictures.astype(int) - pictures[0]
    change = np.abs(differences).mean(axis=(1, 2))
    coded = table["frame"].eq(table.get("apex", pd.Series(np.nan, table.index))).to_numpy()
    apex = int(coded.argmax() if coded.any() else change.argmax())
    data = pd.DataFrame(
        {
            "frame": table["frame"],
            "milliseconds": 1000 * (table["frame"] - table["frame"][0]) / table.get("fps", np.nan),
            "apex": np.arange(len(table)) == apex,
            "change": change.round(3),
            **{au: table[au].round(3) for au in clip.aus if table[au].gt(0).any()},
        }
    )
    timed = bool(data["milliseconds"].notna().all())
    times, unit = (data["milliseconds"], "ms") if timed else (data["frame"], "frame")
    figure, grid = plt.subplot_mosaic(
        [["onset", "apex", "difference"], ["course"] * 3],
        figsize=(style.WIDTH, 3.7),
        height_ratios=(1.15, 1),
    )
    when = f"{times[apex]:.0f} ms later" if timed else f"frame {times[apex]}"
    show(grid["onset"], pictures[0], "onset")
    show(grid["apex"], pictures[apex], f"apex, {when}")
    grey = np.clip(127.5 + 4 * differences[apex], 0, 255)
    show(grid["difference"], thumbnail(grey, 2), "difference × 4")
    for name in ("onset", "apex", "difference"):
        grid[name].axis("off")
    course = grid["course"]
    course.plot(times, change, color=style.BLUE, marker="o", markersize=4)
    course.axvline(times[apex], color=style.VERMILION, linestyle="--", linewidth=1.2)
    course.annotate(" apex", (times[apex], 0), color=style.VERMILION, va="bottom", fontsize=style.SMALLEST)
    course.set(xlabel=f"time ({unit})" if timed else unit, ylabel="grey levels", ylim=(0, None))
    course.grid(axis="y")
    units = style.listing([au for au in clip.aus if au in data] or ["none"])
    numbers = f"{change[apex]:.1f} of 255 grey levels per pixel at the apex"
    return Drawn(
        figure,
        data,
        f"Onset and apex of a clip labelled {table['emotion'].iloc[-1]}, the difference between them with "
        f"four times the contrast, and a line: mean difference from the onset over time, {numbers}. Action "
        f"units present: {units}.",
        f"Onset and apex of one clip, and their difference with four times the contrast (grey: no change). "
        f"Below, how much each frame differs from the onset: {numbers}. Action units present: {units}.",
        tolerance={"change": 1.0},
    )


def spotting_dots(missed: Mapping[str, Estimate]) -> Drawn:
    """Show by how many frames each method misses the apex. ``missed``: of ``apex.spotting_metrics``. Data:
    ``method``, ``mean``, ``low``, ``high``.
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
        measured="camera frames between the spotted and the true apex",
        axis=Axis("", limits=(0, None)),
        alt=f"Dots with intervals for {len(data)} ways to find the apex of {clips:,} clips.",
        caption=f"Distance between the spotted and the true apex in {clips:,} clips, with 95 % intervals. "
        f"Nearest: {best['method']}, {best['mean']:.1f} camera frames off.",
        data=data,
        tolerance=dict.fromkeys(("mean", "low", "high"), 5),
    )


def order_dots(table: pd.DataFrame, reference: pd.DataFrame | None = None) -> Drawn:
    """Show UF1 with frames in order minus frames shuffled, in percentage points, for each timing; next to it
    that of the ``reference`` if there is one. ``table``: ``order.gain_table``. Data: its columns.
    """
    series = {"this run": table}
    if reference is not None and "input" in reference:  # not in tables of earlier versions
        series["reference"] = reference
    rows = pd.concat([own.assign(series=name) for name, own in series.items()])
    rows = rows.sort_values("input", key=lambda labels: labels.map(list(GAINS.values()).index), kind="stable")
    first = table.iloc[0]
    gain, low, high = (number_text(first[end], decimals=1) for end in ("gain", "low", "high"))
    return forest(
        rows.rename(columns={"input": "label", "gain": "value"}),
        measured="UF1, frames in order minus frames shuffled",
        axis=Axis("points", null=0),
        alt="Dots with intervals and a line at zero: UF1 with frames in order minus frames shuffled.",
        caption="UF1 with frames in order minus UF1 with frames shuffled, in percentage points, with 95 % "
        f"intervals. {first['input'].capitalize()}: {gain} points ({low} to {high}).",
        tolerance=dict.fromkeys(("gain", "low", "high"), 15),
        data=table,
    )
