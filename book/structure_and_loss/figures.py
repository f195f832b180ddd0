"""Figures of a study of structures and losses, and of the ladder of ingredients."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, PercentFormatter

from book.structure_and_loss.ladder import Ladder
from book.structure_and_loss.study import MOVES, OF_ALL, condition_table, cost_table, ladder_table
from book.structure_and_loss.variance import PARTS
from fer_lib.stats.contrasts import Scored
from ferbook.estimate import Estimate
from ferbook.page.forest import forest
from ferbook.page.heat import heat, share_with_half_width
from ferbook.page.style import BLUE, MUTED, WIDTH, Drawn, listing, percent
from ferbook.page.tables import Table


def plain_name(name: str) -> str:
    """``cross_entropy`` as ``cross entropy``."""
    return name.replace("_", " ")


def structure_loss_map(scored: Scored) -> Drawn:
    """Accuracy of each structure (row) with each loss (column) as a heat map, in per cent, with half the
    width of its interval. Data: of ``study.condition_table`` the accuracies.
    """
    columns = ["structure", "loss", "accuracy", "accuracy_low", "accuracy_high"]
    data = condition_table(scored).stored()[columns]
    bounds = data[["accuracy", "accuracy_low", "accuracy_high"]].astype(float)
    best, worst = (data.loc[getattr(data["accuracy"], end)()] for end in ("idxmax", "idxmin"))
    alt = (
        f"Heat map of {data['structure'].nunique()} structures by {data['loss'].nunique()} losses. The "
        f"highest accuracy is that of {plain_name(best['structure'])} with {plain_name(best['loss'])}, "
        f"{percent(best['accuracy'])}; the lowest that of {plain_name(worst['structure'])} with "
        f"{plain_name(worst['loss'])}, {percent(worst['accuracy'])}."
    )
    half = 50 * (bounds["accuracy_high"] - bounds["accuracy_low"])
    if half.notna().any():
        alt += f" Intervals reach {half.min():.1f} to {half.max():.1f} points to either side."
    return heat(
        data.assign(text=[share_with_half_width(*row) for row in bounds.itertuples(index=False)]),
        rows="structure",
        columns="loss",
        value="accuracy",
        measured="accuracy (%)",
        row_names={name: plain_name(name) for name in data["structure"]},
        column_names={name: plain_name(name) for name in data["loss"]},
        alt=alt,
        caption="Accuracy on the test split, mean over the seeds; below, half the width of its interval.",
        tolerance=dict.fromkeys(columns[2:], MOVES["accuracy"]),
    )


def paired_differences(table: Table) -> Drawn:
    """Differences in points with their intervals, from ``study.differences``: left the losses against one of
    them, right the structures against one of them; below each mean over the levels of the other factor, small
    and grey, the single levels. Data: the table's columns with ``low`` and ``high``.
    """
    data = table.stored().rename(columns={"difference_low": "low", "difference_high": "high"})
    data = data.astype({"low": float, "high": float})
    of_all = data["within"].eq(OF_ALL)
    against = data["factor"] + " against " + data["reference"].map(plain_name)
    rows = data.assign(panel=against, group=data["name"].map(plain_name), value=data["difference"])
    rows = rows.assign(label=data["within"].mask(of_all, "mean").map(plain_name), minor=~of_all)
    together = rows.groupby(["panel", "group"], sort=False).ngroup()
    clear = int((data["low"].gt(0) | data["high"].lt(0)).sum())
    return forest(
        rows.loc[together.sort_values(kind="stable").index],
        measured="difference in accuracy (percentage points)",
        unit="points",
        null=0,
        alt=f"Dots with intervals beside a line at zero; of all {len(data)} {clear} leave out zero.",
        tolerance=dict.fromkeys(("difference", "low", "high"), MOVES["difference"]),
        data=data,
    )


PART_NAMES = {"interaction": "the pair, beyond both"}


def variance_dots(metrics: dict[str, Estimate]) -> Drawn:
    """Share of the variance of one training's accuracy that each part explains, with its interval, from
    ``study.study_metrics``. Data: ``part``, ``share``, ``low``, ``high``.
    """
    shares = [metrics[f"{part}_share"] for part in PARTS]
    data = pd.DataFrame(
        {"part": part, "share": share.value, "low": share.low, "high": share.high}
        for part, share in zip(PARTS, shares, strict=True)
    ).astype({"low": float, "high": float})
    rows = data.assign(label=data["part"].replace(PART_NAMES), value=data["share"])
    return forest(
        rows.assign(note=[percent(share.value) for share in shares]),
        measured="share of the variance between trainings, with its 95 % interval",
        limits=(0, 1),
        alt="Dots with intervals, shares of the variance between trainings:",
        caption="What the test accuracy of a training depends on.",
        tolerance=dict.fromkeys(("share", "low", "high"), 1.0),
        data=data,
    )


def ladder_steps(ladder: Ladder, scored: Scored, null: float) -> Drawn:
    """How far each rung comes on the validation split: a stroke per network, the mean with its interval, and
    the step from the rung below.

    ``scored``: from ``study.score_ladder``; ``null``: what always naming the majority class reaches. Data:
    one row per network with its ``rung`` and ``accuracy``, and of the rung ``name``, ``mean``, ``low``,
    ``high``, ``step``, ``step_low``, ``step_high``.
    """
    ends = {"accuracy": "mean", "accuracy_low": "low", "accuracy_high": "high"}
    means = ladder_table(ladder, scored).stored().drop(columns="adds").rename(columns=ends)
    means = means.astype({name: float for name in means.columns if name != "name"})
    labels = [f"{'+ ' if rung else ''}{name}" for rung, name in enumerate(means["name"])]
    steps = [
        f"{row.step:+.1f}".replace("-", "−") + (" *" if row.step_low > 0 or row.step_high < 0 else "")
        if rung
        else ""
        for rung, row in enumerate(means.itertuples())
    ]
    data = scored.table[["rung", "accuracy"]].merge(means.rename_axis("rung").reset_index(), on="rung")
    told = [
        f"{label} {percent(mean)} ({step})"
        for label, mean, step in zip(labels, means["mean"], steps, strict=True)
    ]
    return forest(
        means.assign(label=labels, value=means["mean"], note=steps),
        measured="accuracy on the validation split, with its 95 % interval",
        null=null,
        null_name=f"always the majority class: {percent(null)}",
        strokes=pd.DataFrame({"label": [labels[rung] for rung in data["rung"]], "value": data["accuracy"]}),
        noted="step",
        told=False,
        alt=f"A ladder of {len(means)} rungs, from above, in brackets the step in points: {listing(told)}. A "
        f"dashed line marks always naming the majority class, at {percent(null)}.",
        caption="Strokes: single networks or ensembles. *: a step whose interval leaves out zero.",
        tolerance=dict.fromkeys(("accuracy", "mean", "low", "high"), MOVES["accuracy"])
        | dict.fromkeys(("step", "step_low", "step_high"), MOVES["step"]),
        data=data.assign(null=null),
    )


COSTS = {
    "parameters": "parameters",
    "macs": "multiply-adds per picture",
    "epoch_seconds": "seconds per epoch",
}


def cost_and_accuracy(scored: Scored) -> Drawn:
    """Accuracy of each structure over what it costs: parameters, multiply-adds and time, each on a
    logarithmic axis. Data: ``study.cost_table``.
    """
    table = cost_table(scored)
    data = table.stored().astype({"accuracy_low": float, "accuracy_high": float})
    figure, panels = plt.subplots(1, len(COSTS), figsize=(WIDTH, 3.0), sharey=True)
    for axes, (cost, label) in zip(panels, COSTS.items(), strict=True):
        for place, row in enumerate(data.itertuples(index=False)):
            spot = getattr(row, cost)
            axes.vlines(spot, row.accuracy_low, row.accuracy_high, color=MUTED, linewidth=1.2)
            axes.plot(
                spot,
                row.accuracy,
                "os^Dv"[place % 5],
                color=BLUE,
                markersize=7,
                markerfacecolor="white" if place % 2 else BLUE,
                label=plain_name(row.structure),
            )
        axes.set_xscale("log")
        low, high = data[cost].min(), data[cost].max()
        axes.set_xlim(low / 2, high * 2)
        axes.set_xticks(sorted({low, high}), minor=False)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(FuncFormatter(_quantity))
        axes.set_xlabel(label, fontsize=9)
        axes.grid(axis="y")
    panels[0].set_ylabel("accuracy on the test split")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    told = [
        f"{plain_name(row.structure)} {percent(row.accuracy)} with {_quantity(row.parameters)} parameters, "
        f"{_quantity(row.macs)} multiply-adds and {_quantity(row.epoch_seconds)} s per epoch"
        for row in data.itertuples(index=False)
    ]
    alt = f"Three panels of accuracy over cost, one marker per structure: {listing(told)}."
    return Drawn(figure, data, alt, "Accuracy with its 95 % interval.", table.tolerance)


def _quantity(value: float, _place: object = None) -> str:
    """1,335,207 as ``1.3 M``; two significant digits."""
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.2g}{sign}" if value < 100 * size else f"{value / size:.0f}{sign}"
    return f"{value:.2g}"
