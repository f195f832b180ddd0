"""Figures of a study of structures and losses."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt

from book.shared_figures import MIN_BIN
from book.structure_and_loss.study import (
    MIRROR_IMAGES,
    MOVES,
    Comparison,
    condition_table,
    difference_table,
)
from fer_lib.stats.contrasts import POINTS
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
from ferbook.page.tables import Table, in_numbers
from ferbook.text import MINUS, number_text

LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (ORANGE, ":", "^"), (INK, "-.", "D"), (SKY, "-", "v"))
"""Colour, dashes and marker of each loss, different in grey print too."""

ACCURACY, DIFFERENCE = "accuracy", "difference from the plain one"
"""Panels of ``differences``."""


def loss_curves(classes: int) -> Drawn:
    """Each loss by the probability of the true class, the other classes sharing the rest evenly. Data:
    ``probability`` and, in nats, a column for each loss.
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
    axes.set(xlabel="predicted probability of the true emotion", ylabel="loss (nats)", ylim=(0, None))
    axes.legend()
    axes.grid(axis="y")
    least = f"{cheapest['probability']:.2f}"
    alt = (
        f"Three falling curves over the probability of the true class of {classes}: cross-entropy and focal "
        f"loss fall to 0 at 1, focal loss below cross-entropy; label smoothing is lowest at {least} and "
        "rises again."
    )
    caption = (
        "Loss of a picture by the predicted probability of its true emotion. Focal loss hardly counts "
        "pictures that are nearly right. Label smoothing is lowest "
        f"at {least} (square): it penalises certainty."
    )
    return Drawn(figure, data, alt, caption)


def reliability_curves(table: pd.DataFrame, errors: Mapping[str, Estimate], networks: str) -> Drawn:
    """Accuracy by confidence, a line per loss, with the diagonal of a calibrated network.

    ``table`` and ``errors``: as of ``study.confidence_by_loss``; ``networks``: as of ``study.Comparison``.
    Data: ``loss`` (place), ``pictures`` (predictions in the bin), ``confidence``, ``accuracy``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, label="calibrated")
    drawn = table[table["pictures"] >= MIN_BIN * table.groupby("loss")["pictures"].transform("sum")]
    for (colour, dashes, marker), (loss, own) in zip(LINES, drawn.groupby("loss", sort=False), strict=False):
        line = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 5}
        axes.plot(own["confidence"], own["accuracy"], label=plain_name(loss), **line)
    axes.set(xlabel="confidence: the highest probability", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    in_percent(axes.xaxis, axes.yaxis)
    axes.legend()
    axes.grid()
    phrases, sides = [], []
    for loss, error in errors.items():
        own = table[table["loss"].eq(loss)]
        gap = np.average(own["accuracy"] - own["confidence"], weights=own["pictures"])
        side = "above the diagonal (underconfident" if gap > 0 else "below the diagonal (overconfident"
        by = number_text(float(abs(POINTS * gap)), decimals=1)
        sides.append(f"{plain_name(loss)} lies {side} by {by} points)")
        phrases.append(f"{plain_name(loss)} {percent(error.value)}")
    return Drawn(
        figure,
        drawn.assign(loss=drawn["loss"].map(list(errors).index))[
            ["loss", "pictures", "confidence", "accuracy"]
        ],
        f"Lines of accuracy by confidence beside the diagonal. On average {listing(sides)}.",
        f"Accuracy of predictions by their confidence. On average {listing(sides)}. Expected calibration "
        f"error: {listing(phrases)}. Not drawn: bins with less than {percent(MIN_BIN)} of the predictions. "
        f"{networks.capitalize()}.",
        tolerance={"pictures": 1e6, "confidence": 0.3, "accuracy": 1},
    )


def plain_name(name: str) -> str:
    """``label_smoothing`` as ``label smoothing``; names as papers write them."""
    return {"vgg": "VGG", "zhu": "Zhu's", "cross_entropy": "cross-entropy"}.get(name, name.replace("_", " "))


def differences(comparison: Comparison) -> Drawn:
    """Accuracy of each structure with each loss, with single trainings as small dots, and below what another
    structure or loss adds to the plain one.

    Data, in per cent and points: ``panel``, ``group`` and ``label`` of the row, ``value``, ``low``, ``high``,
    and ``training``, a seed for a single training.
    """
    scores = comparison.scores
    conditions = condition_table(scores).rename(columns={"accuracy": "estimate"}).assign(panel=ACCURACY)
    together = conditions.groupby("structure", sort=False).ngroup().sort_values(kind="stable").index
    conditions = _named(conditions.loc[together]).assign(
        note=[f"{100 * one.value:.1f} %" for one in conditions.loc[together, "estimate"]]
    )
    singles = scores.table.rename(columns={"accuracy": "value"}).assign(panel=ACCURACY)
    singles = _named(singles)[["panel", "group", "label", "value", "seed"]]
    rows, table, clear = [conditions], difference_table(scores), []
    for one in table.data.itertuples() if table else ():
        estimate, within = one.difference, listing(list(map(plain_name, one.within.split(", "))))
        clear.append(estimate.low is not None and not estimate.low <= 0 <= estimate.high)
        group = f"{plain_name(one.name)} {MINUS} {plain_name(one.reference)}"
        row = {"panel": DIFFERENCE, "group": group, "label": f"with {within}", "estimate": estimate}
        rows.append(pd.DataFrame([row | {"note": number_text(estimate.value, "points")}]))
    rows = in_numbers(pd.concat(rows, ignore_index=True))
    scale = rows["panel"].map({ACCURACY: POINTS, DIFFERENCE: 1})
    data = rows.assign(**{name: rows[name] * scale for name in ("value", "low", "high")}, training="mean")
    data = pd.concat([data, singles.assign(value=POINTS * singles["value"], training=singles["seed"])])
    significant = f" {sum(clear)} of {len(clear)} intervals leave out 0." if clear else ""
    return forest(
        rows,
        measured="",
        axis={ACCURACY: Axis("share"), DIFFERENCE: Axis("points", null=0, label="points")},
        singles=singles,
        across=1,
        alt="Dots with intervals: accuracy of each structure with each loss; differences with a line at 0:",
        caption="Top: accuracy on the test split; small dots are single trainings. Bottom: differences, "
        f"paired picture by picture.{significant} Lines are 95 % intervals. "
        f"{comparison.networks.capitalize()}: {len(scores.table)}, tested on {scores.pictures:,} pictures.",
        tolerance=dict.fromkeys(("value", "low", "high"), MOVES["difference"]),
        data=data[["panel", "group", "label", "training", "value", "low", "high"]].astype({"training": str}),
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(group=table["structure"].map(plain_name), label=table["loss"].map(plain_name))


LADDER_PARTS = {
    "muon": "Muon in place of SGD",
    "growth": "progressive resizing",
    "smoothing": "label smoothing",
    "augmentation": "augmentation",
    "dropout": "dropout",
    "schedule": "learning-rate schedule",
    MIRROR_IMAGES: "mirror images at the test",
}
"""The parts of ``study.ladder_table``, for readers."""


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
        caption="Accuracy of the whole recipe minus accuracy without the part, paired picture by picture, "
        f"with 95 % intervals. {len(clear)} of {len(rows)} leave out 0{parts}. Stored networks.",
        tolerance=dict.fromkeys(("worth", "low", "high"), MOVES["worth"]),
        data=data.assign(part=range(len(data))),
    )
