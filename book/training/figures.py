"""Figures of a training: how it went, how well the networks do beside what is no network, what each of their
parts adds, whom they know, and what they get most wrong.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from book.training.study import HOG, OWN, TRAINING_GAINS, of_condition
from fer_lib.stats.contrasts import POINTS, TrainingScores
from fer_lib.train.callbacks import last_fifth
from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent

ENDS = ["value", "low", "high"]
BOUNDS = (("mean", "value"), ("low", "low"), ("high", "high"))

CONDITIONS = {
    OWN: "this page's networks",
    "emotions_with_biases": "with biases",
    "emotions_without_dropout": "without dropout (D)",
    "emotions_without_augmentation": "without augmentation (A)",
    HOG: "linear on HOG",
}
"""How readers know who is tested."""
ON_ALL = {OWN: "kept networks, all people", HOG: "linear on HOG, all people"}
"""Those of ``own_people.kept_scores``."""

TESTED, LEARNED = "test people", "training people"


def tested_networks(scored: TrainingScores, null: float, kept: TrainingScores | None = None) -> Drawn:
    """Accuracy on the tested pictures of each condition, mean over its networks with the interval, and beside
    it that on the pictures that it learned from; small dots are single networks.

    ``scored``: as ``training.study.score_tested`` makes it; ``null``: a share, always the commonest class;
    ``kept``: as ``own_people.kept_scores`` makes it. Data: one row per network with its ``condition``
    (place in ``CONDITIONS``, then in ``ON_ALL``), ``seed``, ``accuracy``, ``learned`` and, of its condition,
    ``mean``, ``low``, ``high``.
    """
    parts = [_conditions(scored, CONDITIONS, 0)]
    parts += [_conditions(kept, ON_ALL, len(CONDITIONS))] if kept else []
    data = pd.concat(parts, ignore_index=True)
    counts = data.groupby("condition")["seed"].transform("size")
    data["label"] = data["label"] + np.where(data["hog"], "", " (" + counts.map(str) + ")")
    means = data.drop_duplicates("condition").rename(columns={"mean": "value"})
    main = means["condition"].eq(means["condition"].max() - 1 if kept else 0)
    dots = means.assign(main=main, kind=means["hog"], series=TESTED, note=means["value"].map(percent))
    learned = data.groupby("condition")["learned"].mean()
    own = dots.assign(series=LEARNED, value=dots["condition"].map(learned), main=False, note="")
    rows = pd.concat([dots, own.assign(low=np.nan, high=np.nan).dropna(subset="value")])
    said = [f"{label} {percent(value)}" for label, value in zip(means["label"], means["value"], strict=True)]
    return forest(
        rows.drop(columns=["seed", "accuracy", "learned", "condition", "hog"]),
        measured="accuracy",
        axis=Axis(limits=(None, 1.01)),
        singles=data[["label", "accuracy"]].rename(columns={"accuracy": "value"}),
        alt="Dots with intervals: accuracy by kind of network, in brackets how many networks.",
        caption=f"Pictures of unknown people named rightly: {listing(said)}; always the commonest class "
        f"{percent(null)}. Intervals (95 %) cover people and, of several networks, those too; small dots are "
        "single networks.",
        tolerance=dict.fromkeys(("accuracy", "learned", "mean", "low", "high"), 0.15),
        data=data.drop(columns=["label", "hog"]),
    )


def _conditions(scored: TrainingScores, names: Mapping[str, str], before: int) -> pd.DataFrame:
    """The networks of ``scored`` whose condition is among ``names``, with the mean of each condition."""
    table = scored.table[scored.table["condition"].isin(names)]
    conditions = table["condition"]
    means = {name: of_condition(scored, name) for name in conditions.unique()}
    ends = {end: conditions.map({k: getattr(v, at) for k, v in means.items()}) for end, at in BOUNDS}
    about = {"condition": before + conditions.map(list(names).index), "label": conditions.map(names)}
    rows = table.reindex(columns=["seed", "accuracy", "learned"]).assign(
        hog=conditions.eq(HOG), **about, **ends
    )
    return rows.astype({"learned": float, "low": float, "high": float})


def gains(estimates: Mapping[str, Estimate], reference: Mapping[str, Estimate]) -> Drawn:
    """What is gained, in points with intervals: each of ``TRAINING_GAINS`` that is in ``estimates``, or in
    the ``reference`` that stands beside it. Data: ``asked`` (place in ``TRAINING_GAINS``), ``reference``
    (whether it is its number), ``value``, ``low``, ``high``.
    """
    sides = {"this run": estimates, "the reference run": reference}
    rows = pd.DataFrame(
        {"label": TRAINING_GAINS[name][0], "asked": place, "reference": side is reference, "series": series}
        | {end: getattr(side[name], end) for end in ENDS}
        for place, name in enumerate(TRAINING_GAINS)
        for series, side in sides.items()
        if name in side
    ).astype({"low": float, "high": float})
    last = rows.drop_duplicates("asked", keep="last")
    # Many times the others, which could not be told apart beside it.
    far = rows["label"].eq(TRAINING_GAINS["ahead_of_majority"][0])
    near = rows if far.all() else rows[~far]
    clear = last["low"].gt(0) | last["high"].lt(0)
    with_points = last["label"] + " " + last["value"].map(_signed)
    remarks = {
        "Clear of zero, in points of accuracy": with_points[clear & ~far[last.index]],
        "Not told from zero": with_points[~clear],
        "Not drawn": with_points[far[last.index]],
    }
    absent = [label for label, *_ in TRAINING_GAINS.values() if label not in set(rows["label"])]
    remarks |= {"Only the reference run asks": absent}
    return forest(
        near if reference else near.assign(series="", note=near["value"].map(_signed)),
        measured="difference in accuracy (points)",
        axis=Axis("points", null=0.0),
        noted="" if reference else "points",
        alt="Dots with intervals beside a line at zero: differences of accuracy in points.",
        caption=" ".join(f"{what}: {'; '.join(names)}." for what, names in remarks.items() if len(names))
        + " Both sides of a difference answered the same pictures; intervals are of 95 %.",
        tolerance=dict.fromkeys(ENDS, 15),
        data=rows[["asked", "reference", *ENDS]],
    )


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


PAPERS_GAP = 1.3
"""Points between the two versions of Khorrami et al. (2015), 96.4 and 95.1 % on CK+ with eight classes."""


def choice_of_epoch(choices: pd.DataFrame, mean: Estimate | None) -> Drawn | None:
    """What choosing the epoch on the tested people adds, in points beside the paper's; small dots are single
    networks.

    ``choices`` and ``mean``: as ``training.study.epoch_choice`` makes them. Data: ``network``, ``points``,
    ``mean``, ``low``, ``high``.
    """
    if mean is None:
        return None
    points = POINTS * (choices["by_tested"] - choices["by_validation"])
    label, ends = f"{len(points)} networks" if len(points) > 1 else "this network", [mean.low, mean.high]
    row = {"label": label, "main": True, "note": _signed(mean.value)}
    between = "" if mean.low is None else f" ({_signed(mean.low)} to {_signed(mean.high)})"
    rows = pd.DataFrame([row | {end: getattr(mean, end) for end in ENDS}]).astype(
        {"low": float, "high": float}
    )
    data = pd.DataFrame({"network": range(len(points)), "points": points, "mean": mean.value})
    data[["low", "high"]] = np.array([np.nan if end is None else end for end in ends])
    return forest(
        rows,
        measured="what choosing the epoch adds to the accuracy (points)",
        axis=Axis("points", null=PAPERS_GAP),
        noted="points",
        singles=pd.DataFrame({"label": label, "value": points}),
        alt="A dot with its interval beside a line at the paper's 1.3 points: what choosing the epoch adds.",
        caption=f"Choosing the epoch on the tested people adds {_signed(mean.value)}{between} points of "
        f"accuracy. The dashed line is what the two versions of the paper are apart, {PAPERS_GAP} points. "
        "Small dots are single networks.",
        tolerance=dict.fromkeys(("points", "mean", "low", "high"), 15),
        data=data,
    )


def learning_curves(curves: Mapping[str, tuple[pd.DataFrame, int]], null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch: of one network, or the mean
    of several in a band from the lowest to the highest; dots mark the chosen epochs.

    ``curves``: name -> curve with ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture),
    ``valid_accuracy`` (share), and the chosen epoch. ``null``: the validation accuracy (share) of who always
    names the commonest class. Data: these columns, ``network`` (from 0), ``null`` and ``best``.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    data = pd.concat(
        curve[columns].assign(network=number, null=null, best=curve["epoch"].eq(best))
        for number, (curve, best) in enumerate(curves.values())
    )
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(WIDTH, 2.5))
    # Few epochs are points: a line through one of them would not show.
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
    # Below the line: that is where no network that has learned anything draws its curve.
    accuracy.annotate(
        "commonest class",
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
        f"always naming the commonest class, at {percent(null)}."
    )
    rise = last_fifth([curve for curve, _ in curves.values()])["valid_rise"].value
    caption = (
        f"In the last fifth of the epochs validation accuracy moved by {_signed(rise)} points. Left, the "
        "loss on training pictures (while they are augmented and neurons dropped) and on validation "
        "pictures; right, validation accuracy, a dot at each epoch that was kept"
        f"{', lines and bands their mean and range' if len(curves) > 1 else ''}."
    )
    return Drawn(
        figure,
        data,
        alt,
        caption,
        tolerance={"train_loss": 0.3, "valid_loss": 0.3, "valid_accuracy": 0.15, "best": 1},
    )
