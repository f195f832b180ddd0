"""Figures of a training: learning curves, accuracies of networks and baselines, what each part adds, and what
choosing the epoch adds.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from book.training.study import HOG, MAJORITY, OWN, TRAINING_GAINS, of_condition
from fer_lib.stats.contrasts import POINTS, TrainingScores
from fer_lib.train.callbacks import last_fifth
from ferbook.estimate import STORED, Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent

BOUNDS = {"mean": "value", "low": "low", "high": "high"}

CONDITIONS = {
    OWN: "the network",
    "emotions_with_biases": "with biases",
    "emotions_without_dropout": "without dropout (D)",
    "emotions_without_augmentation": "without augmentation (A)",
    HOG: "linear classifier on HOG",
    MAJORITY: "most frequent class",
}
"""Name of each condition on the page."""

TESTED, TRAINED_ON = "held-out people", "training pictures"


def tested_networks(scored: TrainingScores, stored: TrainingScores | None = None) -> Drawn:
    """Draw the mean accuracy of each condition's networks on held-out people, with its interval, and on their
    training pictures; small dots are single networks.

    Parameters
    ----------
    scored : TrainingScores
        Of ``study.score_tested``: the networks of the page and its baselines.
    stored : TrainingScores, optional
        Of ``own_people.stored_scores``: stored networks and their baselines.

    Returns
    -------
    Drawn
        Data: a row for each network with ``stored`` (bool), ``condition`` (place in ``CONDITIONS``),
        ``seed``, ``accuracy``, ``train_accuracy`` and, of its condition, ``mean``, ``low``, ``high``.
    """
    groups = {"this run's test pictures": scored}
    if stored:
        groups["stored networks, all pictures of this run"] = stored
    parts = [_conditions(each).assign(group=name if stored else "") for name, each in groups.items()]
    data = pd.concat(parts, ignore_index=True)
    baseline = data["condition"].ge(list(CONDITIONS).index(HOG))
    counts = data.groupby(["group", "condition"])["seed"].transform("size")
    data["label"] = data["label"] + np.where(baseline, "", " (" + counts.map(str) + ")")
    means = data.drop_duplicates(["group", "condition"]).rename(columns={"mean": "value"})
    dots = means.assign(kind=baseline[means.index], series=TESTED, note=means["value"].map(percent))
    seen = data.groupby(["group", "condition"])["train_accuracy"].transform("mean").loc[means.index]
    own = dots.assign(series=TRAINED_ON, value=seen, low=np.nan, high=np.nan, note="")
    texts = [
        (f"{name}: " if stored else "")
        + listing([f"{row.label} {percent(row.value)}" for row in part.itertuples()])
        for name, part in means.groupby("group", sort=False)
    ]
    columns = ["label", "group", "series", "kind", "note", "value", "low", "high"]
    return forest(
        pd.concat([dots, own.dropna(subset="value")])[columns],
        measured="accuracy",
        axis=Axis(limits=(None, 1.01)),
        singles=data.loc[counts.gt(1), ["group", "label", "accuracy"]].rename(columns={"accuracy": "value"}),
        alt="Dots with intervals: accuracy by condition, in brackets the number of networks.",
        caption=f"Mean accuracy on held-out people, in brackets the number of networks. {'; '.join(texts)}. "
        "Intervals (95 %) are over people and, if there are several, networks; small dots are single "
        "networks. Differences between networks are measured on more people where there are any.",
        tolerance=dict.fromkeys(("accuracy", "train_accuracy", "mean", "low", "high"), 0.15),
        data=data.assign(stored=data["group"].str.startswith("stored")).drop(columns=["label", "group"]),
    )


def _conditions(scored: TrainingScores) -> pd.DataFrame:
    """The networks of ``scored`` in the order of ``CONDITIONS``, with the mean of each condition."""
    table = scored.table[scored.table["condition"].isin(CONDITIONS)]
    conditions = table["condition"]
    means = {name: of_condition(scored, name) for name in conditions.unique()}
    ends = {end: conditions.map({k: getattr(v, at) for k, v in means.items()}) for end, at in BOUNDS.items()}
    place = conditions.map(list(CONDITIONS).index)
    rows = table.reindex(columns=["seed", "accuracy", "train_accuracy"]).assign(
        condition=place, label=conditions.map(CONDITIONS), **ends
    )
    numbers = dict.fromkeys(("train_accuracy", "low", "high"), float)
    return rows.astype(numbers).sort_values("condition", kind="stable")


DRAWN_GAINS = tuple(name for name in TRAINING_GAINS if name != "ahead_of_majority")
"""Metrics of ``gains``; that over the most frequent class is so large that the others would look alike."""


def gains(estimates: Mapping[str, Estimate], reference: Mapping[str, Estimate]) -> Drawn:
    """Draw ``DRAWN_GAINS`` in percentage points with intervals: of this run and of stored networks, both in
    ``estimates``, and of the ``reference``.

    Data: ``gain`` (place in ``TRAINING_GAINS``), ``series``, ``value``, ``low``, ``high``.
    """
    sides = {
        "this run": {name: estimates[name] for name in DRAWN_GAINS if name in estimates},
        "stored networks": {
            name: estimates[STORED + name] for name in DRAWN_GAINS if STORED + name in estimates
        },
        "reference": {name: reference[name] for name in DRAWN_GAINS if name in reference},
    }
    rows = pd.DataFrame(
        {
            "label": TRAINING_GAINS[name][0],
            "gain": list(TRAINING_GAINS).index(name),
            "series": series,
            "value": side[name].value,
            "low": side[name].low,
            "high": side[name].high,
        }
        for name in DRAWN_GAINS
        for series, side in sides.items()
        if name in side
    ).astype({"low": float, "high": float})
    alone = rows["series"].nunique() == 1
    texts = [
        f"{series}: {listing([f'{row.label} {_signed(row.value)}' for row in part.itertuples()])}"
        for series, part in rows.groupby("series", sort=False)
    ]
    clear = rows[rows["low"].gt(0) | rows["high"].lt(0)]
    words = [f"{row.label} ({row.series})" for row in clear.itertuples()]
    return forest(
        rows.assign(series="", note=rows["value"].map(_signed)) if alone else rows,
        measured="difference in accuracy (percentage points)",
        axis=Axis("points", null=0.0),
        noted="points" if alone else "",
        alt="Dots with intervals and a line at zero: differences of accuracy in percentage points.",
        caption=f"What the learned filters add to HOG, and what each part of the recipe adds, in percentage "
        f"points of accuracy, paired by picture. Significantly different from 0: "
        f"{'; '.join(words) or 'none'}. {'; '.join(texts)}.",
        tolerance=dict.fromkeys(("value", "low", "high"), 15),
        data=rows.drop(columns="label"),
    )


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def choice_of_epoch(choices: pd.DataFrame, mean: Estimate | None) -> Drawn | None:
    """Draw each network's accuracy at the epoch that validation people chose and at the one that the tested
    people would choose; None if no network stored its predictions after each epoch.

    ``choices`` and ``mean``: of ``study.epoch_choice``. Data: ``network``, ``by_validation``, ``by_tested``.
    """
    if mean is None:
        return None
    columns = {"by_validation": "validation people", "by_tested": "the tested people"}
    data = choices[[*columns]].rename_axis("network").reset_index()
    several = len(data) > 1
    lines = data.assign(label="network " + (data["network"] + 1).map(str))
    if several:
        average = data[[*columns]].mean().to_frame().T.assign(label="mean")
        lines = pd.concat([average, lines], ignore_index=True)
    points = POINTS * (lines["by_tested"] - lines["by_validation"])
    rows = [
        pd.DataFrame({"label": lines["label"], "kind": lines["label"].eq("mean"), "value": lines[column]})
        .assign(series=f"epoch chosen by {who}", low=np.nan, high=np.nan)
        .assign(note=points.map(_signed) if column == "by_tested" else "")
        for column, who in columns.items()
    ]
    between = "" if mean.low is None else f" (95 % interval {_signed(mean.low)} to {_signed(mean.high)})"
    return forest(
        pd.concat(rows),
        measured="accuracy",
        noted="points",
        alt="Two dots for each network: its accuracy at the epoch that either people chose.",
        caption="The same networks on the same pictures. Choosing the epoch on the tested people adds "
        f"{_signed(mean.value)}{between} percentage points"
        f"{', the mean of ' + str(len(data)) + ' networks' if several else ', of one network'}.",
        tolerance=dict.fromkeys(columns, 0.15),
        data=data,
    )


def learning_curves(curves: Mapping[str, tuple[pd.DataFrame, int]], null: float) -> Drawn:
    """Draw losses and validation accuracy by epoch: of one network, or the mean and range of several.

    ``curves``: name -> curve with ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture),
    ``valid_accuracy`` (0 to 1), and the chosen epoch. ``null``: validation accuracy of the most frequent
    class. Data: these columns, ``network`` (from 0), ``null`` and ``best``.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    data = pd.concat(
        curve[columns].assign(network=number, null=null, best=curve["epoch"].eq(best))
        for number, (curve, best) in enumerate(curves.values())
    )
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(WIDTH, 2.5))
    # A line through a single epoch would not show.
    line = {"linewidth": 1.4, "marker": "o" if data["epoch"].max() < 4 else None, "markersize": 4}
    by_epoch = data.groupby("epoch")
    for axes, name, colour, dashes in (
        (loss, "train_loss", BLUE, "--"),
        (loss, "valid_loss", VERMILION, "-"),
        (accuracy, "valid_accuracy", VERMILION, "-"),
    ):
        own = by_epoch[name].agg(["mean", "min", "max"])
        axes.fill_between(own.index, own["min"], own["max"], color=colour, alpha=0.2, linewidth=0)
        label = "training" if name == "train_loss" else "validation"
        axes.plot(own.index, own["mean"], color=colour, linestyle=dashes, label=label, **line)
    loss.legend(frameon=True, framealpha=1, edgecolor="none")
    most = float(data[["train_loss", "valid_loss"]].max().max())
    loss.set(title="Loss (nats)", ylim=(0, 1.08 * most), xlabel="epoch")
    best_epochs = data[data["best"]]
    accuracy.plot(best_epochs["epoch"], best_epochs["valid_accuracy"], "o", color=VERMILION, markersize=5)
    accuracy.set(title="Validation accuracy", ylim=(0, 1), xlabel="epoch (dots: chosen)")
    in_percent(accuracy.yaxis)
    accuracy.axhline(null, color=INK, linestyle="--", linewidth=1.2)
    # Below the line, where no trained network has its curve.
    accuracy.annotate(
        "most frequent class",
        (0.93, null),
        xycoords=accuracy.get_yaxis_transform(),
        xytext=(0, -3),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y")
        if data["epoch"].max() == 1:
            axes.set_xlim(0, 2)
    ends = data.groupby("network")[columns].agg(["first", "last"]).mean()
    train, valid = (f"{ends[n, 'first']:.2f} to {ends[n, 'last']:.2f}" for n in ("train_loss", "valid_loss"))
    alt = (
        f"Two line charts, {len(curves)} {'network' if len(curves) == 1 else 'networks'}, over "
        f"{data['epoch'].max()} epochs. Left, the loss on the training split, on average from {train}, and "
        f"on the validation split, from {valid}. Right, the accuracy on the validation split; at the chosen "
        f"epochs it is {percent(best_epochs['valid_accuracy'].mean())} on average. A dashed line marks "
        f"the most frequent class, at {percent(null)}."
    )
    rise = last_fifth([curve for curve, _ in curves.values()])["valid_rise"].value
    caption = (
        "Left, the loss on training pictures (augmented, with dropout) and on validation pictures; right, "
        f"validation accuracy, a dot at {'each' if len(curves) > 1 else 'the'} chosen epoch"
        f"{'; lines and bands are mean and range' if len(curves) > 1 else ''}. In the last fifth of the "
        f"epochs validation accuracy changed by {_signed(rise)} percentage points."
    )
    return Drawn(
        figure,
        data,
        alt,
        caption,
        tolerance={"train_loss": 0.3, "valid_loss": 0.3, "valid_accuracy": 0.15, "best": 1},
    )
