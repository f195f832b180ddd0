"""Figures of a study of structures and losses."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

from book.structure_and_loss.study import MIRROR_IMAGES, MOVES, OF_ALL, condition_table
from fer_lib.stats.contrasts import TrainingScores
from fer_lib.train.losses import build_loss
from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    in_percent,
    listing,
    percent,
)
from ferbook.page.tables import Table
from ferbook.text import MINUS

LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (ORANGE, ":", "^"), (INK, "-.", "D"), (SKY, "-", "v"))
"""Colour, dashes and marker of each loss: the difference stays in grey print."""


def loss_curves(classes: int) -> Drawn:
    """What each loss asks for the probability that the truth is given, the others sharing the rest alike.
    Data: ``probability`` and, in nats, a column for each loss.
    """
    probability = np.linspace(0.02, 0.995, 196)
    others = np.repeat((1 - probability)[:, None] / (classes - 1), classes - 1, axis=1)
    logits = torch.tensor(np.column_stack([probability, others])).log()
    losses = {
        name: build_loss(name.replace(" ", "_").replace("-", "_"), None, n_classes=classes)
        for name in ("cross-entropy", "label smoothing", "focal")
    }
    truth = torch.zeros(1, dtype=torch.int64)
    data = pd.DataFrame({"probability": probability})
    for name, loss in losses.items():
        data[name] = [loss(row[None], truth).item() for row in logits]
    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    for (colour, dashes, _), name in zip(LINES, losses, strict=False):
        axes.plot(probability, data[name], color=colour, linestyle=dashes, label=name)
    cheapest = data.loc[data["label smoothing"].idxmin()]
    axes.plot(cheapest["probability"], cheapest["label smoothing"], "s", color=VERMILION, markersize=6)
    axes.set(xlabel="probability given to the truth", ylabel="loss (nats)", ylim=(0, None))
    axes.legend()
    axes.grid(axis="y")
    least = f"{cheapest['probability']:.2f}"
    alt = (
        f"Three falling curves over the probability of the truth, {classes} classes: cross-entropy and focal "
        f"loss fall to 0 at 1, focal loss below cross-entropy; label smoothing is lowest at {least} and "
        "rises again."
    )
    caption = (
        "What a picture costs by the probability that its true emotion is given. Focal loss forgives what is "
        f"nearly right; label smoothing is cheapest at {least} (square): it punishes certainty."
    )
    return Drawn(figure, data, alt, caption)


def seeds(accuracies: np.ndarray, noise: Estimate) -> Drawn:
    """Accuracies (shares) of networks that differ in nothing but their seed, and the differences (points)
    between any two of them; ``noise``: their standard deviation. Data: ``first`` and ``second`` seed,
    ``difference``.
    """
    first, second = np.triu_indices(len(accuracies), 1)
    apart = 100 * (accuracies[first] - accuracies[second])
    rows = pd.DataFrame({"label": [f"seed {seed}" for seed in range(len(accuracies))], "value": accuracies})
    return forest(
        rows.assign(low=np.nan, high=np.nan, note=[percent(value) for value in accuracies]),
        measured="accuracy on the same test pictures",
        alt="Dots: accuracies of networks that differ in nothing but their seed.",
        caption=f"{len(accuracies)} networks of one recipe, tested by the same pictures. The standard "
        f"deviation is {noise.value:.1f} points; two of them lie up to {np.abs(apart).max():.1f} points "
        "apart, and nothing was changed but the seed.",
        data=pd.DataFrame({"first": first, "second": second, "difference": apart}),
    )


def reliability_curves(table: pd.DataFrame, errors: Mapping[str, Estimate]) -> Drawn:
    """Accuracy by confidence, a line per loss, beside the diagonal of a network that is right as often as it
    says.

    ``table`` and ``errors``: as ``study.confidence_by_loss`` makes them. Data: ``loss`` (place), ``pictures``
    (answers in the bin), ``confidence``, ``accuracy``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, label="right as often as it says")
    for (colour, dashes, marker), (loss, own) in zip(LINES, table.groupby("loss", sort=False), strict=False):
        line = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 5}
        axes.plot(own["confidence"], own["accuracy"], label=plain_name(loss), **line)
    axes.set(xlabel="confidence: the highest probability", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    in_percent(axes.xaxis, axes.yaxis)
    axes.legend()
    axes.grid()
    phrases = [f"{plain_name(loss)} {percent(error.value)}" for loss, error in errors.items()]
    above = np.average(table["accuracy"] - table["confidence"], weights=table["pictures"])
    side = "above: right more often than they say" if above > 0 else "below: surer than they should be"
    return Drawn(
        figure,
        table.assign(loss=table["loss"].map(list(errors).index))[
            ["loss", "pictures", "confidence", "accuracy"]
        ],
        "Lines of accuracy by confidence beside the diagonal. Expected calibration error: "
        f"{listing(phrases)}.",
        f"Answers sorted by how sure they are, against how often they are right. On average the lines lie "
        f"{side}. Expected calibration error: {listing(phrases)}.",
        tolerance={"pictures": 1e6, "confidence": 0.3, "accuracy": 1},
    )


def plain_name(name: str) -> str:
    """``cross_entropy`` as ``cross entropy``, and what has a name of its own as papers write it."""
    return {"vgg": "VGG", "zhu": "Zhu's"}.get(name, name.replace("_", " "))


def trained_conditions(scored: TrainingScores, null: float) -> Drawn:
    """Accuracy of each structure with each loss, mean over the seeds with its interval; small dots are single
    trainings. ``null``: a share, always the commonest class. Data: one row per training with ``structure``
    and ``loss`` (places, from 0), ``seed``, ``accuracy`` and, of its condition, ``mean``, ``low``, ``high``.
    """
    means = condition_table(scored).stored()
    means = means.rename(columns={"accuracy": "value", "accuracy_low": "low", "accuracy_high": "high"})
    means = means.astype({"low": float, "high": float})
    together = means.groupby("structure", sort=False).ngroup()
    means = means.loc[together.sort_values(kind="stable").index]
    names = {each: list(means[each].unique()) for each in ("structure", "loss")}
    own = scored.table[["structure", "loss", "seed", "accuracy"]]
    of_mean = means.rename(columns={"value": "mean"})[["structure", "loss", "mean", "low", "high"]]
    data = own.merge(of_mean, on=["structure", "loss"])
    rows = means.assign(group=means["structure"].map(plain_name), label=means["loss"].map(plain_name))
    singles, best = own.rename(columns={"accuracy": "value"}), means.loc[means["value"].idxmax()]
    return forest(
        rows.assign(note=[f"{100 * value:.1f} %" for value in rows["value"]]),
        measured="accuracy",
        axis=Axis(null=null, null_name=f"commonest class: {percent(null)}"),
        singles=singles.assign(
            group=singles["structure"].map(plain_name), label=singles["loss"].map(plain_name)
        ),
        alt="Dots with intervals: accuracy of each structure with each loss.",
        caption="Accuracy on the test split with 95 % intervals; small dots are single trainings. "
        f"The highest is {plain_name(best['structure'])} with {plain_name(best['loss'])} "
        f"({percent(best['value'])}), which is no proof that it is the best: see the differences.",
        tolerance=dict.fromkeys(("accuracy", "mean", "low", "high"), MOVES["accuracy"]),
        data=data.assign(**{each: data[each].map(names[each].index) for each in names}),
    )


def paired_differences(table: Table) -> Drawn:
    """Differences in points with their intervals, from ``study.differences``: above the losses against one of
    them, below the structures against one of them; below each mean over the levels of the other factor, small
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
        measured="points",
        axis=Axis("points", null=0),
        across=1,
        alt=f"Dots with intervals beside a line at zero; of all {len(data)} {clear} leave out zero.",
        caption="Differences of accuracy (points) from the plain loss and the plain structure, paired "
        "picture by picture, with 95 % intervals; grey: within one level of the other factor. "
        f"{clear} of {len(data)} intervals leave out zero.",
        tolerance=dict.fromkeys(("difference", "low", "high"), MOVES["difference"]),
        data=data,
    )


LADDER_PARTS = {
    "muon": "Muon for SGD",
    "growth": "pictures that grow",
    "smoothing": "label smoothing",
    "augmentation": "changes at random",
    "dropout": "dropout",
    "schedule": "a rate that rises and falls",
    MIRROR_IMAGES: "mirror images at the test",
}
"""The parts of ``study.ladder_table`` as a reader calls them."""


def ladder(table: Table) -> Drawn:
    """What each part of a recipe adds, from ``study.ladder_table``, in its order. Data: the table's columns,
    ``part`` as its place.
    """
    data = table.stored().rename(columns={"worth_low": "low", "worth_high": "high"})
    data = data.astype({"low": float, "high": float})
    rows = data.assign(label=data["part"].map(LADDER_PARTS), value=data["worth"])
    rows["note"] = [f"{value:+.1f}".replace("-", MINUS) for value in rows["value"]]
    clear = rows[rows["low"].gt(0) | rows["high"].lt(0)]
    phrases = [f"{row.label} {row.note}" for row in rows.itertuples()]
    parts = f": {listing(list(clear['label']))}" if len(clear) else ""
    return forest(
        rows,
        measured="points that the part adds",
        axis=Axis("points", null=0),
        alt=f"Dots with intervals beside a line at zero: {listing(phrases)} points.",
        caption="Accuracy of the whole recipe minus accuracy without the part (points), paired picture by "
        f"picture, with 95 % intervals. Of {len(rows)} intervals {len(clear)} leave out zero{parts}.",
        tolerance=dict.fromkeys(("worth", "low", "high"), MOVES["worth"]),
        data=data.assign(part=range(len(data))),
    )
