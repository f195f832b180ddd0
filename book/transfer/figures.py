"""Figures of transfer: from one face set to another, by confidence, under single factors of the picture, and
to action units.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from book.transfer import action_units as units
from book.transfer.drops import PAIR_MEASURES, Drops, TransferAnswers, pairs
from book.transfer.factors import factor_table
from fer_lib.stats.classification import reliability
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent
from ferbook.page.tables import in_numbers
from ferbook.text import bounds_text, number_text

INTERVAL_ENDS = ["low", "high"]
UNNAMED = "A picture of nobody known counts as a person."
SMALL_CHANGE = 5
"""Points of accuracy: a factor that changes none by so much, added or taken away, is not drawn."""


def _set_name(name: str) -> str:
    """A published set as its publication writes it; a generated one keeps its word."""
    return {"fer2013": "FER2013", "ferplus": "FER+", "ckplus": "CK+"}.get(name, name)


def _range(counts: Iterable[int]) -> str:
    """The one number, or the fewest and the most."""
    low, *_, high = [*sorted(counts)] * 2
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def transfer_pairs(drops: Drops) -> Drawn:
    """Each pair of sets: the degree to which networks that learned the one read the other, 0 at chance and 1
    at the other's own networks, and how far behind these they are, in points. Data: ``drops.pairs``.
    """
    data = pairs(drops)
    panels = {"degree": "degree (1: its own)", "difference": "less its own (points)"}
    rows = pd.concat(
        data.assign(
            panel=panel,
            group="tested on " + data["tested_on"].map(_set_name),
            label="learned " + data["trained_on"].map(_set_name),
            value=data[name],
            low=data[f"{name}_low"],
            high=data[f"{name}_high"],
        ).dropna(subset="value")
        for name, panel in panels.items()
    )
    phrase = ""
    if data["degree"].notna().any():
        least = data.loc[data["degree"].idxmin()]
        phrase = (
            f"The least degree, {number_text(least['degree'], decimals=2)}, is that of networks that learned "
            f"{_set_name(least['trained_on'])} and are tested on {_set_name(least['tested_on'])}. "
        )
    most = np.nanmax([1, *data["degree"], *data["degree_high"]])
    return forest(
        rows,
        measured="",
        axis={
            panels["degree"]: Axis("", null=0, limits=(None, 1.05 * most)),
            panels["difference"]: Axis("points", null=0),
        },
        alt="Dots with intervals beside a line at zero, by pair of sets:",
        caption=f"{phrase}Degree, where there is one: mean recall on the tested set, 0 at chance and 1 at "
        "that set's own networks. Points: accuracy less that of its own networks. Intervals are of 95 %. "
        f"Networks of each set: {_range(data['networks'])}; tested pictures: {_range(data['pictures'])}, of "
        f"{data['people'].min()} people or more. {UNNAMED}",
        tolerance={name + end: 25 for name in PAIR_MEASURES for end in ("", "_low", "_high")},
        data=data,
    )


def reliability_lines(home: TransferAnswers, away: TransferAnswers) -> Drawn:
    """Accuracy by confidence, in bins of a tenth, on the sets that were learned from and on others; as
    ``drops.transfer_answers`` gives them. Data: ``asked``, and those of
    ``stats.classification.reliability``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.3, label="as sure as right")
    parts, phrases = [], []
    styles = {"set learned from": (home, BLUE, "o", "-"), "other sets": (away, VERMILION, "s", "--")}
    for name, ((probabilities, labels, people), colour, marker, dashes) in styles.items():
        own = reliability(probabilities, labels)
        line, marks = {"color": colour, "linestyle": dashes}, {"marker": marker, "label": name}
        axes.plot(own["confidence"], own["accuracy"], **line, **marks, markersize=3)
        sizes = 300 * own["pictures"] / len(labels)
        axes.scatter(own["confidence"], own["accuracy"], sizes, color=colour, marker=marker)
        parts.append(own.assign(asked=name))
        sure, right = (np.average(own[of], weights=own["pictures"]) for of in ("confidence", "accuracy"))
        number = f"{len(labels):,} answers, {len(set(people)):,} people"
        phrases.append(f"on the {name} {percent(sure)} sure and {percent(right)} right ({number})")
    axes.set(xlabel="confidence: probability of the answer given", ylabel="accuracy")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    in_percent(axes.xaxis, axes.yaxis)
    axes.grid()
    figure.legend(loc="outside upper left", ncols=3)
    caption = (
        "How often answers of one confidence are right; larger marks stand for more pictures. Below the "
        f"dotted line networks are surer than right. On average they are {listing(phrases)}. {UNNAMED}"
    )
    alt = f"Two lines of accuracy over confidence beside a diagonal. On average {listing(phrases)}."
    data = pd.concat(parts, ignore_index=True)[["asked", "pictures", "confidence", "accuracy"]]
    return Drawn(figure, data, alt, caption, {"pictures": 1e6, "confidence": 0.3, "accuracy": 1.0})


def factor_dots(drops: Mapping[str, pd.DataFrame], base: str, other: str) -> Drawn:
    """What each factor of the picture takes from networks' accuracy, in points: left added to faces of
    ``base``, right taken from faces of ``other``; above, all of them.

    ``drops``: what a network learned from -> ``factors.factor_drops``. Data: ``factors.factor_table``.
    """
    data = factor_table(drops)
    titles = {"add": f"{base} faces and …", "remove": f"{other} faces without …"}
    every = data[data["direction"].eq("all")]
    single = data[data["direction"].isin(titles)]
    largest = single["difference"].abs().groupby(single["factor"]).max()
    small = list(largest.index[largest.lt(SMALL_CHANGE)]) if largest.ge(SMALL_CHANGE).any() else []
    changes = pd.concat([every.assign(direction="add"), single[~single["factor"].isin(small)]])
    alone = single[single["direction"].eq("add")]
    first = alone[alone["network"].eq(data["network"].iloc[0])]
    order = ["", *first.sort_values("difference", kind="stable")["factor"]]
    worst, whole, left_out = {}, [], ""
    if small:
        left_out = f" Not drawn, as they change no network by {SMALL_CHANGE} points: {listing(small)}."
    for network, rows in alone.groupby("network", sort=False):
        least = rows.loc[[rows["difference"].idxmin()]]
        factor = least["factor"].item() if least["difference"].item() < 0 else "none"
        worst.setdefault(factor, []).append(_change(least))
        whole.append(_change(every[every["network"].eq(network)]))
    networks = _range(table["networks"].iloc[0] for table in drops.values())
    condition = next(iter(drops.values())).iloc[0]
    first = "; ".join(f"{factor} {listing(by_set)}" for factor, by_set in worst.items())
    changes = changes.sort_values("factor", key=lambda names: names.map(order.index), kind="stable")
    rows = changes.assign(
        panel=changes["direction"].map(titles),
        label=changes["factor"].replace("", "all of them"),
        series="learned from " + changes["network"].map(_set_name),
        value=changes["difference"],
    )
    return forest(
        rows.sort_values("direction", kind="stable"),
        measured="change of accuracy (percentage points)",
        axis=Axis("points", null=0),
        alt="Two panels of dots with intervals beside a line at zero, in points of accuracy.",
        caption=f"Largest loss by one factor, in points (in brackets the set that was learned): {first}. All "
        f"factors together: {listing(whole)}. Left a factor is added to {base} faces, right it is taken from "
        f"{other} faces; 95 % intervals over people, not over networks. Networks of "
        f"each set: {networks}; people: {condition['people']}; pictures with each factor: "
        f"{condition['accuracy'].n}.{left_out}",
        tolerance=dict.fromkeys(("difference", *INTERVAL_ENDS), 25),
        data=data,
    )


def _change(rows: pd.DataFrame) -> str:
    """The change of accuracy in the one row, in points, and of which network."""
    (row,) = rows.to_dict("records")
    doubt = ", not told from 0" if row["low"] <= 0 <= row["high"] else ""
    return f"{number_text(row['difference'], 'points')} ({_set_name(row['network'])}{doubt})"


ADDING = {
    units.BY_FEATURES: "trained features",
    units.BY_UNTRAINED: "untrained ones",
    units.BY_HOG: "histograms of gradients",
    units.BY_UNITS: "features of networks that were taught the units",
}
"""What heads read beside the emotion, for readers."""


def added_dots(reads: units.UnitReads) -> Drawn:
    """What features add to the emotion: mean AUROC over action units by what the heads read, and the
    differences that matter. Data: ``action_units.added_table``.
    """
    table, test = units.added_table(reads), reads.test
    added = table[table["panel"].eq(units.ADDS)].set_index("read")["estimate"]
    adds = {name: added.get(units.with_emotion(read)) for read, name in ADDING.items()}
    phrases = [f"{name} {bounds_text(one, decimals=3)}" for name, one in adds.items() if one]
    chart = forest(
        table.assign(label=table["read"]),
        measured="",
        axis={units.MEAN: Axis("", label="AUROC"), units.ADDS: Axis("", null=0, label="difference of AUROC")},
        alt="Two panels of dots with intervals, mean AUROC over action units and differences of it:",
        caption=f"Mean AUROC over {len(reads.aus)} action units of linear heads, by what they read. To a "
        f"head that is told the emotion add: {listing(phrases)}. Networks: "
        f"{len(reads.reads[units.BY_FEATURES])}; tested pictures: {len(test):,}, of "
        f"{len(set(test.subjects))} people.",
        tolerance=dict.fromkeys(("value", *INTERVAL_ENDS), 0.15),
        data=in_numbers(table),
    )
    chart.figure.axes[1].locator_params(axis="x", nbins=2)
    return chart
