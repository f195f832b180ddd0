"""Figures of a training: how it went, how well the networks do beside what is no network, what each of their
parts adds, whom they know, and what they get most wrong.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from book.training.study import CHOSE, FRESH, HAD_NO_SAY, HOG, OWN, TRAINING_GAINS, of_condition
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import POINTS, TrainingScores
from fer_lib.train.curve import last_fifth
from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent

ENDS = ["value", "low", "high"]
BOUNDS = (("mean", "value"), ("low", "low"), ("high", "high"))

CONDITIONS = {
    OWN: "this page's networks",
    "published_96": "at 96 pixels",
    "with_biases": "with biases",
    "without_dropout": "without dropout (D)",
    "without_augmentation": "without augmentation (A)",
    "without_both": "without both",
    HOG: "linear on HOG",
}
"""How readers know who is tested."""


TESTED, LEARNED = "test people", "training people"


def tested_networks(scored: TrainingScores, null: float) -> Drawn:
    """Accuracy on the tested pictures of each condition, mean over its networks with the interval, and beside
    it that on the pictures that it learned from; small dots are single networks.

    ``scored``: as ``training.study.score`` makes it; ``null``: a share, always the commonest class. Data: one
    row per network with its ``condition`` (place in ``CONDITIONS``), ``seed``, ``accuracy``, ``learned`` and,
    of its condition, ``mean``, ``low``, ``high``.
    """
    conditions = {
        name: label for name, label in CONDITIONS.items() if scored.table["condition"].eq(name).any()
    }
    table = scored.table[scored.table["condition"].isin(conditions)]
    counts = table["condition"].value_counts()
    labels = {
        name: f"{label} ({counts[name]})" if name != HOG else label for name, label in conditions.items()
    }
    means = {name: of_condition(scored, name) for name in conditions}
    training_accuracy = table.groupby("condition")["learned"].mean()
    dots = pd.DataFrame(
        {
            "label": labels[name],
            "value": mean.value,
            "low": mean.low,
            "high": mean.high,
            "main": name == OWN,
            "kind": name == HOG,
            "series": TESTED,
            "note": percent(mean.value),
        }
        for name, mean in means.items()
    )
    own = dots.assign(
        series=LEARNED, value=[training_accuracy[name] for name in conditions], main=False, note=""
    )
    rows = pd.concat([dots, own.assign(low=np.nan, high=np.nan).dropna(subset="value")])
    data = table[["seed", "accuracy", "learned"]].assign(
        condition=table["condition"].map(list(CONDITIONS).index),
        **{end: table["condition"].map({k: getattr(v, at) for k, v in means.items()}) for end, at in BOUNDS},
    )
    network, rival = means[OWN], means[HOG]
    return forest(
        rows.astype({"low": float, "high": float}),
        measured="accuracy",
        axis=Axis(limits=(None, 1.01)),
        singles=pd.DataFrame({"label": table["condition"].map(labels), "value": table["accuracy"]}),
        alt="Dots with intervals: accuracy by kind of network, in brackets how many networks.",
        caption=f"Of pictures of unknown people the networks of this page name {percent(network.value)}, a "
        f"linear classifier on HOG {percent(rival.value)}, and {percent(null)} are of the commonest class. "
        "Intervals (95 %) cover people and, of several networks, those too; small dots are single networks.",
        tolerance=dict.fromkeys(("accuracy", "learned", "mean", "low", "high"), 0.15),
        data=data.astype({"low": float, "high": float}),
    )


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

SAME_PEOPLE, OTHER_PEOPLE = "the same people,\nwho chose or did not", "people who chose,\nand others"


def choice_of_epoch(
    choices: pd.DataFrame, by_people: Mapping[str, TrainingScores], estimates: Mapping[str, Estimate]
) -> Drawn:
    """What choosing the epoch adds, in points with intervals beside the paper's: asked of the same people,
    and of people who chose it beside others; small dots are single networks.

    ``choices``, and ``epoch_choice`` in ``estimates``: as ``training.study.epoch_choice`` makes them;
    ``optimism`` and ``by_people``: as ``optimism`` and ``ask_people``. Data: ``asked`` (0 for the same
    people, 1 for others), ``network``, ``points``, ``mean``, ``low``, ``high``.
    """
    choosers, fresh = by_people[CHOSE], by_people.get(FRESH, by_people[HAD_NO_SAY])
    singles = {
        SAME_PEOPLE: POINTS * (choices["by_tested"] - choices["by_validation"]),
        OTHER_PEOPLE: POINTS * (choosers.table["accuracy"] - fresh.table["accuracy"]),
    }
    metrics = {SAME_PEOPLE: "epoch_choice", OTHER_PEOPLE: "optimism"}
    means = {label: estimates[name] for label, name in metrics.items() if name in estimates}
    rows = pd.DataFrame(
        {"label": label, "main": label == SAME_PEOPLE, "note": _signed(mean.value)}
        | {end: getattr(mean, end) for end in ENDS}
        for label, mean in means.items()
    )
    data = pd.concat(
        pd.DataFrame({"asked": list(singles).index(label), "network": range(len(own)), "points": own}).assign(
            **{end: getattr(means[label], at) for end, at in BOUNDS}
        )
        for label, own in singles.items()
        if label in means
    )
    dots = [pd.DataFrame({"label": label, "value": singles[label]}) for label in means]
    phrases = [
        f"{what} {_signed(means[label].value)}"
        + (
            f" ({_signed(means[label].low)} to {_signed(means[label].high)})"
            if means[label].low is not None
            else ""
        )
        for label, what in (
            (SAME_PEOPLE, "by the same people"),
            (OTHER_PEOPLE, "by different people"),
        )
        if label in means
    ]
    return forest(
        rows.astype({"low": float, "high": float}),
        measured="what choosing the epoch adds to the accuracy (points)",
        axis=Axis("points", null=PAPERS_GAP),
        noted="points",
        singles=pd.concat(dots),
        alt="Dots with intervals beside a line at the paper's 1.3 points: what choosing the epoch adds.",
        caption=f"Choosing the epoch on the tested people adds, in points of accuracy: {listing(phrases)}. "
        f"The dashed line is what the two versions of the paper are apart, {PAPERS_GAP} points. Small dots "
        "are single networks.",
        tolerance=dict.fromkeys(("points", "mean", "low", "high"), 15),
        data=data.astype({"low": float, "high": float}),
    )


PER_ROW = 3


def hardest_grid(faces: FaceSet, hardest: pd.DataFrame, classes: tuple[str, ...]) -> Drawn:
    """The ``hardest`` of the tested ``faces``, each below what it shows and what it was taken for. Shows
    faces: only for sets that may be shown.

    ``hardest``: as ``training.study.hardest_pictures`` makes it. Data: of it ``rank``, ``picture`` (row of
    ``faces``), ``true`` and ``predicted`` as numbers (indices of ``classes``), ``p_true``, ``p_predicted``,
    ``loss``; ``mean_grey``, ``contrast``.
    """
    pictures = faces.gather(hardest["picture"].to_numpy())
    rows = -(-len(pictures) // PER_ROW)
    figure, grid = picture_grid(rows, PER_ROW, title=0.48)
    for axes, picture, row in zip(grid.flat, pictures, hardest.itertuples(), strict=False):
        show(
            axes,
            picture,
            f"{row.true} {100 * row.p_true:.0f} %\nsaid {row.predicted} {100 * row.p_predicted:.0f} %",
        )
    columns = ["rank", "picture", "true", "predicted", "p_true", "p_predicted", "loss"]
    numbers = {name: hardest[name].map(classes.index) for name in ("true", "predicted")}
    data = pd.concat([hardest[columns].assign(**numbers), grey_table(pictures)], axis=1)
    phrases = [
        f"{row.true} taken for {row.predicted} ({percent(row.p_predicted)})"
        if row.true != row.predicted
        else f"{row.true}, called so with {percent(row.p_true)}"
        for row in hardest.head(3).itertuples()
    ]
    alt = (
        f"{len(pictures)} test pictures with the highest loss, the worst first; above each the true emotion "
        "and below it the one named, with the probability that the network gave them. The first: "
        f"{listing(phrases)}."
    )
    modes = hardest[hardest["true"].ne(hardest["predicted"])]["predicted"].mode()
    caption = (f"The commonest of these errors is to say {modes[0]}. " if len(modes) else "") + (
        "The tested pictures whose true emotion got the least probability (first line), and what was said "
        "(second line); one picture a sequence."
    )
    return Drawn(
        figure,
        data,
        alt,
        caption,
        tolerance={"picture": len(faces), "loss": 5, "p_true": 1, "p_predicted": 1}
        | dict.fromkeys(("true", "predicted"), len(classes))
        | dict.fromkeys(("mean_grey", "contrast"), 255),
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
