"""Figures of transfer: from one face set to another, with few pictures of one's own, under single factors of
the picture, and to action units.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from book.shared_figures import unit_map
from book.transfer.action_units import UnitReads, condition_scores
from book.transfer.drops import Drops, matrix_table, pairs
from book.transfer.factors import factor_table
from book.transfer.fine_tuning import PRETRAINED, SCRATCH, FineTuning
from book.transfer.study import TransferStudy, commonest_share
from ferbook.page.forest import forest
from ferbook.page.heat import heat, share_with_half_width
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, listing, percent

ENDS = ["low", "high"]


def transfer_matrix(study: TransferStudy, found: Drops) -> Drawn:
    """Accuracy of networks (rows: what they learned from) on face sets (columns), in per cent, with half the
    width of the interval; the null in the last row. Data: ``drops.matrix_table``.

    A frame marks cells of one and the same set.
    """
    data = matrix_table(study, found)
    shares = {
        name: [f"on {row.tested_on} {percent(row.accuracy)}" for row in own.itertuples()]
        for name, own in data.groupby("trained_on", sort=False)
    }
    told = [f"learned from {name}, {listing(own)}" for name, own in shares.items()]
    return heat(
        data.assign(
            text=[share_with_half_width(row.accuracy, row.low, row.high) for row in data.itertuples()]
        ),
        rows="trained_on",
        columns="tested_on",
        value="accuracy",
        measured="accuracy (%)",
        limits=(0, 1),
        framed=[(name, name) for name in study.sets.faces],
        row_label="learned from",
        column_label="tested on (framed: the set learned from)",
        alt=f"Heat map of accuracy, sets learned from by sets tested on: {'; '.join(told)}.",
        caption="Half the width of the 95 % interval stands below each number.",
        tolerance=dict.fromkeys(("accuracy", *ENDS), 0.15),
    )


def transfer_pairs(found: Drops) -> Drawn:
    """Each pair of sets: how far networks that learned the one are ahead, on the other, of answers given
    unseen and of the other's own networks, in points with intervals. Data: ``drops.pairs``.
    """
    data = pairs(found)
    panels = {
        "over_majority": "accuracy over the majority class",
        "over_chance": "mean recall over chance",
        "difference": "accuracy over the set's own network",
    }
    rows = pd.concat(
        data.assign(
            panel=panel,
            group="tested on " + data["tested_on"],
            label="learned " + data["trained_on"],
            value=data[name],
            low=data[f"{name}_low"],
            high=data[f"{name}_high"],
        )
        for name, panel in panels.items()
    )
    numbers = [name + end for name in panels for end in ("", "_low", "_high")]
    return forest(
        rows,
        measured="percentage points",
        unit="points",
        null=0,
        alt="Three panels of dots with intervals beside a line at zero, in points, by pair of sets.",
        caption="A pair holds where its interval lies right of zero in the first two panels.",
        tolerance=dict.fromkeys(numbers, 25),
        data=data,
    )


def fine_tuning_curves(found: FineTuning, source: str, target: str) -> Drawn:
    """Accuracy on ``target`` by the part of it that was learned from: networks that had learned ``source``
    before, and networks that start anew. A mark per draw, a line through the means.

    Data: ``start``, ``fraction`` (per cent), ``draw``, ``accuracy``, ``train_pictures``, and ``null``, the
    share of the majority class of the test pictures.
    """
    null = commonest_share(found.test.labels(found.classes))
    columns = ["start", "fraction", "draw", "accuracy", "train_pictures"]
    data = found.table[columns].assign(null=null)
    place = {fraction: spot for spot, fraction in enumerate(sorted(data["fraction"].unique()))}
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    styles = {
        PRETRAINED: (f"learned {source} before", BLUE, "o", "-", -0.06),
        SCRATCH: ("from scratch", VERMILION, "s", "--", 0.06),
    }
    told = []
    for start, (name, colour, marker, dashes, shift) in styles.items():
        part = data[data["start"].eq(start)]
        means = part.groupby("fraction")["accuracy"].mean()
        axes.plot(means.index.map(place) + shift, means, color=colour, linestyle=dashes, label=name)
        spots = part["fraction"].map(place) + shift
        axes.plot(spots, part["accuracy"], marker, color=colour, markerfacecolor="white", markersize=5)
        told.append(f"{name}: " + ", ".join(f"{percent(mean)} at {f} %" for f, mean in means.items()))
    axes.axhline(null, color=INK, linestyle=":", linewidth=1.3, label=f"majority class: {percent(null)}")
    pictures = data.groupby("fraction")["train_pictures"].mean()
    axes.set_xticks(list(place.values()), [f"{f} %\n{pictures[f]:,.0f} pictures" for f in place], fontsize=8)
    axes.set(xlabel=f"part of {target} learned from", ylabel=f"accuracy on {target}")
    axes.set_ylim(0, min(1.0, 1.12 * data["accuracy"].max()))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y")
    figure.legend(loc="outside upper left", ncols=3, fontsize=9)
    alt = (
        f"Two lines of accuracy on {target} over the part of it that was learned from. {'. '.join(told)}. "
        f"A dotted line marks the majority class, {percent(null)}."
    )
    return Drawn(figure, data, alt, "A mark per draw, a line through the means.", {"accuracy": 0.25})


def factor_dots(found: Mapping[str, pd.DataFrame], base: str, other: str) -> Drawn:
    """What each factor of the picture takes from networks' accuracy, in points: left added to faces of
    ``base``, right taken from faces of ``other``; above, all of them.

    ``found``: what a network learned from -> ``factors.factor_drops``. Data: ``factors.factor_table``.
    """
    data = factor_table(found)
    titles = {"add": f"{base} faces and …", "remove": f"{other} faces without …"}
    every = data[data["direction"].eq("all")]
    # Taken away, all factors give back what they cost.
    back = every.assign(
        direction="remove", difference=-every["difference"], low=-every["high"], high=-every["low"]
    )
    shown = pd.concat([every.assign(direction="add"), back, data[data["direction"].isin(titles)]])
    alone = data[data["direction"].eq("add") & data["network"].eq(data["network"].iloc[0])]
    order = ["", *alone.sort_values("difference")["factor"]]
    shown = shown.sort_values("factor", key=lambda names: names.map(order.index), kind="stable")
    rows = shown.assign(
        panel=shown["direction"].map(titles),
        label=shown["factor"].replace("", "all of them"),
        series="learned from " + shown["network"],
        value=shown["difference"],
    )
    return forest(
        rows.sort_values("direction", kind="stable"),
        measured="change of accuracy (percentage points)",
        unit="points",
        null=0,
        alt="Two panels of dots with intervals beside a line at zero, in points of accuracy.",
        tolerance=dict.fromkeys(("difference", *ENDS), 25),
        data=data,
    )


def added_dots(table: pd.DataFrame) -> Drawn:
    """What features add to the emotion: mean AUROC over action units by what the heads read, and the
    differences that matter. ``table``: ``action_units.added_table``. Data: its columns.
    """
    return forest(
        table.assign(label=table["read"], note=table["value"].map("{:.3f}".format)),
        measured={
            "mean AUROC over action units": "AUROC",
            "what is added to the emotion": "difference of AUROC",
        },
        unit="",
        null={"what is added to the emotion": 0.0},
        alt="Two panels of dots with intervals, mean AUROC over action units and differences of it:",
        tolerance=dict.fromkeys(("value", *ENDS), 0.15),
        data=table,
    )


def unit_scores(found: UnitReads) -> Drawn:
    """Map of the AUROC of each read on each unit. Data: ``action_units.condition_scores``."""
    return unit_map(condition_scores(found), "read from")
