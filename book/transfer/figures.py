"""Figures of transfer: from one face set to another, by confidence, and to action units."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from book.shared_figures import MIN_BIN
from book.transfer import action_units as units
from book.transfer.drops import Drops, TransferAnswers
from fer_lib.stats.classification import reliability
from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent
from ferbook.page.tables import in_numbers
from ferbook.text import bounds_text, number_text

NO_SUBJECTS = "Pictures without a subject label are treated as separate subjects."


def _set_name(name: str) -> str:
    """A published set as its publication writes it; a rendered one unchanged."""
    return {"fer2013": "FER2013", "ferplus": "FER+", "ckplus": "CK+"}.get(name, name)


def _range(counts: Iterable[int]) -> str:
    """The one number, or the fewest and the most."""
    low, *_, high = [*sorted(counts)] * 2
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def transfer_pairs(drops: Drops, classes: int) -> Drawn:
    """Mean recall over so many ``classes`` of networks trained on each set, by the set tested on: those of
    another set lie between chance and the set's own networks. Data: ``Drops.cells``.
    """
    data = drops.cells
    own = data["trained_on"].eq(data["tested_on"])
    chance = 1 / classes
    ends = data[["degree", "degree_low", "degree_high"]].to_numpy()
    degrees = [
        bounds_text(Estimate.bounded(*row, how=""), decimals=2) if np.isfinite(row[0]) else "" for row in ends
    ]
    measures = [name + end for name in ("accuracy", "recall", "degree") for end in ("", "_low", "_high")]
    rows = data.assign(
        group="tested on " + data["tested_on"].map(_set_name),
        label="trained on " + data["trained_on"].map(_set_name),
        value=data["recall"],
        low=data["recall_low"],
        high=data["recall_high"],
        main=own,
        note=degrees,
    )
    return forest(
        rows,
        measured="mean recall of the classes",
        axis=Axis("share", null=chance, null_name=f"chance, {percent(chance)}"),
        noted="degree",
        alt="Dots with intervals by the set tested on, the set's own networks as red diamonds:",
        caption=f"Red diamonds: networks tested on the set they were trained on. {_lowest(data, chance)}"
        f"Lines are 95 % intervals. Networks of each set: {_range(data['networks'])}; tested pictures of "
        f"each: {_range(data['pictures'])}, of {data['people'].min():,} people or more. {NO_SUBJECTS}",
        tolerance=dict.fromkeys(measures, 25),
        data=data,
    )


def _lowest(data: pd.DataFrame, chance: float) -> str:
    """Which pair has the lowest degree, with the numbers that the degree is made of; and which the lowest
    lower end, where that is another.
    """
    if data["degree"].isna().all():
        return ""
    recall = data.set_index(["trained_on", "tested_on"])["recall"]
    least = data.loc[data["degree"].idxmin()]
    text = (
        f"The degree is lowest, {number_text(least['degree'], decimals=2)}, from {_pair(least)}: recall is "
        f"{percent(least['recall'])}, between chance, {percent(chance)}, and "
        f"{percent(recall[least['tested_on'], least['tested_on']])} of the set's own networks. "
    )
    if data["degree_low"].isna().all():
        return text
    end = data.loc[data["degree_low"].idxmin()]
    reach = number_text(end["degree_low"], decimals=2)
    return text + f"The interval that reaches lowest, to {reach}, is that from {_pair(end)}. "


def _pair(row: pd.Series) -> str:
    return f"{_set_name(row['trained_on'])} to {_set_name(row['tested_on'])}"


def reliability_lines(home: TransferAnswers, away: TransferAnswers) -> Drawn:
    """Accuracy by confidence, in bins of a tenth, on the sets trained on and on others; as
    ``drops.transfer_answers`` gives them. Bins with less than ``MIN_BIN`` of the answers are left out. Data:
    ``tested_on``, and those of ``stats.classification.reliability``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.3, label="calibrated")
    parts, phrases = [], []
    styles = {"set trained on": (home, BLUE, "o", "-"), "other sets": (away, VERMILION, "s", "--")}
    for name, ((probabilities, labels, people), colour, marker, dashes) in styles.items():
        bins = reliability(probabilities, labels)
        sure, right = (np.average(bins[of], weights=bins["pictures"]) for of in ("confidence", "accuracy"))
        bins = bins[bins["pictures"] >= MIN_BIN * len(labels)]
        look = {"color": colour, "linestyle": dashes, "marker": marker, "label": name}
        axes.plot(bins["confidence"], bins["accuracy"], **look)
        parts.append(bins.assign(tested_on=name))
        counts = f"{len(labels):,} answers, {len(set(people)):,} people"
        phrases.append(f"on the {name} confidence is {percent(sure)}, accuracy {percent(right)} ({counts})")
    axes.set(xlabel="confidence: probability of the predicted class", ylabel="accuracy")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    in_percent(axes.xaxis, axes.yaxis)
    axes.grid()
    figure.legend(loc="outside upper left", ncols=3)
    caption = (
        "Accuracy of predictions by their confidence. Below the dotted line networks are overconfident. "
        f"On average {listing(phrases)}. Not drawn: bins with less than {percent(MIN_BIN)} of the answers. "
        f"{NO_SUBJECTS}"
    )
    alt = f"Two lines of accuracy over confidence beside a diagonal. On average {listing(phrases)}."
    data = pd.concat(parts, ignore_index=True)[["tested_on", "pictures", "confidence", "accuracy"]]
    return Drawn(figure, data, alt, caption, {"pictures": 1e6, "confidence": 0.3, "accuracy": 1.0})


ADDING = {
    units.BY_FEATURES: "features trained on emotions",
    units.BY_UNTRAINED: "untrained features",
    units.BY_HOG: "HOG",
    units.BY_UNITS: "features trained on the units",
}
"""What probes read in addition to the emotion, for readers."""


def added_dots(reads: units.UnitReads) -> Drawn:
    """Mean AUROC over action units by what linear probes read, and what each kind of features adds to the
    emotion. Data: ``action_units.added_table``.
    """
    table, test = units.added_table(reads), reads.test
    added = table[table["panel"].eq(units.ADDS)].set_index("read")["estimate"]
    adds = {name: added.get(units.with_emotion(read)) for read, name in ADDING.items()}
    phrases = [f"{name} {bounds_text(one, decimals=3)}" for name, one in adds.items() if one]
    alone = units.mean_auroc(reads, units.BY_EMOTION)
    chart = forest(
        table.assign(label=table["read"]),
        measured="",
        axis={units.MEAN: Axis("", label="AUROC"), units.ADDS: Axis("", null=0, label="difference of AUROC")},
        alt="Two panels of dots with intervals, mean AUROC over action units and differences of it:",
        caption=f"Linear probes for {len(reads.aus)} action units, by what they read. A probe that reads "
        f"only the emotion has a mean AUROC of {bounds_text(alone, decimals=3)}; to this add: "
        f"{listing(phrases)}. Networks: {len(reads.reads[units.BY_FEATURES])}; tested pictures: "
        f"{len(test):,}, of {len(set(test.subjects))} people.",
        tolerance=dict.fromkeys(("value", "low", "high"), 0.15),
        data=in_numbers(table),
    )
    chart.figure.axes[1].locator_params(axis="x", nbins=2)
    return chart
