"""Figures of transfer: from one face set to another, by confidence, under single factors of the picture, and
to action units.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from book.transfer.action_units import ADDS, BY_FEATURES, BY_HOG, BY_UNTRAINED, MEAN, with_emotion
from book.transfer.confidence import TransferAnswers
from book.transfer.drops import PAIR_MEASURES, Drops, pairs
from book.transfer.factors import factor_table
from fer_lib.stats.calibration import reliability
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, in_percent, listing, percent
from ferbook.text import number_text

INTERVAL_ENDS = ["low", "high"]
SMALL_CHANGE = 5
"""Points of accuracy: a factor that changes none by so much, added or taken away, is not drawn."""


def _set_name(name: str) -> str:
    """A published set as its publication writes it; a generated one keeps its word."""
    return {"fer2013": "FER2013", "ferplus": "FER+", "ckplus": "CK+"}.get(name, name)


def transfer_pairs(drops: Drops) -> Drawn:
    """Each pair of sets: how far networks that learned the one are ahead, on the other, of always naming the
    commonest class, and how far behind the other's own networks, in points with intervals. Data:
    ``drops.pairs``.
    """
    data = pairs(drops)
    panels = {"over_majority": "ahead of the commonest class", "difference": "ahead of the set's own network"}
    rows = pd.concat(
        data.assign(
            panel=panel,
            group="tested on " + data["tested_on"].map(_set_name),
            label="learned " + data["trained_on"].map(_set_name),
            value=data[name],
            low=data[f"{name}_low"],
            high=data[f"{name}_high"],
        )
        for name, panel in panels.items()
    )
    above, below = data["over_majority_low"].gt(0).sum(), data["difference_high"].lt(0).sum()
    numbers = [name + end for name in PAIR_MEASURES for end in ("", "_low", "_high")]
    return forest(
        rows,
        measured="percentage points of accuracy",
        axis=Axis("points", null=0),
        alt="Two panels of dots with intervals beside a line at zero, in points, by pair of sets.",
        caption="Accuracy on one set of networks that learned another, with 95 % intervals. Left: "
        f"{above} of {len(data)} pairs are ahead of always naming the commonest class. Right: {below} of "
        f"{len(data)} are behind a network of the tested set itself.",
        tolerance=dict.fromkeys(numbers, 25)
        | dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), 0.25),
        data=data,
    )


def reliability_lines(home: TransferAnswers, away: TransferAnswers) -> Drawn:
    """Accuracy by confidence, in bins of a tenth, on the sets that were learned from and on others; as
    ``confidence.transfer_answers`` gives them. Data: ``asked``, and those of
    ``stats.calibration.reliability``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.3, label="as sure as right")
    parts, phrases = [], []
    styles = {"set learned from": (home, BLUE, "o", "-"), "other sets": (away, VERMILION, "s", "--")}
    for name, ((probabilities, labels, _), colour, marker, dashes) in styles.items():
        own = reliability(probabilities, labels)
        line, marks = {"color": colour, "linestyle": dashes}, {"marker": marker, "label": name}
        axes.plot(own["confidence"], own["accuracy"], **line, **marks, markersize=3)
        sizes = 300 * own["pictures"] / len(labels)
        axes.scatter(own["confidence"], own["accuracy"], sizes, color=colour, marker=marker)
        parts.append(own.assign(asked=name))
        sure, right = (np.average(own[of], weights=own["pictures"]) for of in ("confidence", "accuracy"))
        phrases.append(f"on the {name} {percent(sure)} sure and {percent(right)} right")
    axes.set(xlabel="confidence: probability of the answer given", ylabel="accuracy")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    in_percent(axes.xaxis, axes.yaxis)
    axes.grid()
    figure.legend(loc="outside upper left", ncols=3)
    caption = (
        "How often answers of one confidence are right; larger marks stand for more pictures. Below the "
        f"dotted line networks are surer than right. On average they are {listing(phrases)}."
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
    order = [
        "",
        *alone[alone["network"].eq(data["network"].iloc[0])].sort_values("difference", kind="stable")[
            "factor"
        ],
    ]
    worst, whole, left_out = {}, [], ""
    if small:
        left_out = f" Not drawn, as they change no network by {SMALL_CHANGE} points: {listing(small)}."
    for network, rows in alone.groupby("network", sort=False):
        factor = rows.loc[rows["difference"].idxmin(), "factor"]
        worst.setdefault(factor, []).append(_change(rows[rows["factor"].eq(factor)]))
        whole.append(_change(every[every["network"].eq(network)]))
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
        f"{other} faces, with 95 % intervals.{left_out}",
        tolerance=dict.fromkeys(("difference", *INTERVAL_ENDS), 25),
        data=data,
    )


def _change(rows: pd.DataFrame) -> str:
    """The change of accuracy in the one row, in points, and of which network."""
    (row,) = rows.to_dict("records")
    return f"{number_text(row['difference'], 'points')} ({_set_name(row['network'])})"


def added_dots(table: pd.DataFrame) -> Drawn:
    """What features add to the emotion: mean AUROC over action units by what the heads read, and the
    differences that matter. ``table``: ``action_units.added_table``. Data: its columns.
    """
    added = table[table["panel"].eq(ADDS)]
    adds = {
        row.read: "{} ({} to {})".format(
            *(number_text(v, decimals=3) for v in (row.value, row.low, row.high))
        )
        for row in added.itertuples()
    }
    chart = forest(
        table.assign(label=table["read"]),
        measured="",
        axis={MEAN: Axis("", label="AUROC"), ADDS: Axis("", null=0.0, label="difference of AUROC")},
        alt="Two panels of dots with intervals, mean AUROC over action units and differences of it:",
        caption="Mean AUROC over action units of linear heads, by what they read. To a head that is told the "
        f"emotion, trained features add {adds[with_emotion(BY_FEATURES)]}, untrained ones "
        f"{adds[with_emotion(BY_UNTRAINED)]}, histograms of gradients {adds[with_emotion(BY_HOG)]}.",
        tolerance=dict.fromkeys(("value", *INTERVAL_ENDS), 0.15),
        data=table,
    )
    chart.figure.axes[1].locator_params(axis="x", nbins=2)
    return chart


def layer_dots(table: pd.DataFrame) -> Drawn:
    """What heads on each layer add to the emotion, trained beside untrained networks. ``table``:
    ``action_units.layer_table``. Data: its columns.
    """
    rows = table.assign(told=table["layer"] + " " + table["value"].map(partial(number_text, decimals=3)))
    summary = "; ".join(
        f"{series}: {listing(own.to_list())}" for series, own in rows.groupby("series", sort=False)["told"]
    )
    return forest(
        table.assign(label=table["layer"]),
        measured="difference of mean AUROC",
        axis=Axis("", null=0.0, null_name="the emotion alone"),
        alt="Dots with intervals, what heads on each layer add to the emotion, for trained and untrained "
        "networks:",
        caption="What linear heads add to the emotion, by the layer whose strongest responses in nine fields "
        "they read, or from the features behind all of them; mean over action units. "
        f"{summary[0].upper()}{summary[1:]}.",
        tolerance=dict.fromkeys(("value", *INTERVAL_ENDS), 0.15),
        data=table,
    )
