"""Figures of transfer: from one face set to another, with few pictures of one's own, under single factors of
the picture, and to action units.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from book.shared_figures import CHANCE, unit_map
from book.transfer.action_units import condition_scores, layer_scores, macro_table
from book.transfer.drops import OTHERS, Drops, matrix_table
from book.transfer.factors import factor_table
from book.transfer.fine_tuning import PRETRAINED, SCRATCH, FineTuning
from book.transfer.soft_labels import SoftLabels, reliability
from book.transfer.study import TransferStudy, commonest_share
from fer_lib.aus.cross_task import CHOSEN, CrossTask
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
        framed=[(name, name) for name in study.sets],
        row_label="learned from",
        column_label="tested on (framed: the set learned from)",
        alt=f"Heat map of accuracy, sets learned from by sets tested on: {'; '.join(told)}.",
        caption="Half the width of the 95 % interval stands below each number.",
        tolerance=dict.fromkeys(("accuracy", *ENDS), 0.15),
    )


def transfer_drops(found: Drops) -> Drawn:
    """What networks from elsewhere lose on each set against the set's own network: dots with intervals, in
    points, below one heading per set. Data: ``trained_on``, ``tested_on``, ``difference``, ``low``, ``high``.
    """
    ends = {"difference_low": "low", "difference_high": "high"}
    cells = found.cells.drop(columns=ENDS).rename(columns=ends).dropna(subset="difference")
    data = cells[["trained_on", "tested_on", "difference", *ENDS]].reset_index(drop=True)
    return forest(
        data.assign(
            group="tested on " + data["tested_on"],
            label="learned from " + data["trained_on"],
            value=data["difference"],
            main=data["trained_on"].eq(OTHERS),
        ),
        measured="accuracy against the set's own network (percentage points)",
        unit="points",
        null=0,
        alt="Dots with intervals beside a line at zero, in points of accuracy:",
        tolerance=dict.fromkeys(("difference", *ENDS), 15),
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


def macro_dots(found: CrossTask) -> Drawn:
    """Mean AUROC over all action units by condition, with its interval; where there are layers a stroke for
    each of them. Data: ``action_units.macro_table``.
    """
    data = macro_table(found)
    rows = data.assign(label=data["condition"], value=data["auroc"])
    stands = data["layer"].isin(("", CHOSEN))
    return forest(
        rows[stands].assign(note=data["auroc"].map("{:.3f}".format)),
        measured="mean AUROC over action units; strokes: single layers",
        unit="",
        null=CHANCE,
        null_name="chance",
        strokes=rows[~stands],
        alt="Dots with intervals, the mean AUROC over action units:",
        tolerance=dict.fromkeys(("auroc", *ENDS), 0.15),
        data=data,
    )


def unit_scores(found: CrossTask) -> Drawn:
    """Map of the AUROC of each condition on each unit. Data: ``action_units.condition_scores``."""
    return unit_map(condition_scores(found), "read from")


def unit_layers(found: CrossTask, best: pd.DataFrame) -> Drawn:
    """AUROC of each layer of the expression network; framed: the layer of each unit in ``best``, from
    ``aus.cross_task.best_layer``. Data: ``action_units.layer_scores``.
    """
    return unit_map(layer_scores(found, best), "layer")


def reliability_diagram(study: SoftLabels, **draws: int) -> Drawn:
    """Accuracy over confidence in bins, for networks that ``learned`` from different labels; below, how many
    pictures each bin holds. On the dotted line a network is right as often as it says.

    ``draws`` as of ``soft_labels.reliability``. Data: of it ``learned``, ``n``, ``confidence``, ``accuracy``,
    ``low``, ``high`` (shares).
    """
    data = reliability(study, **draws)[["learned", "n", "confidence", "accuracy", *ENDS]]
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.4), sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.3, label="as often right as it says")
    told = []
    styles = ((BLUE, "o", "-"), (VERMILION, "s", "--"))
    for (learned, part), (colour, marker, dashes) in zip(
        data.groupby("learned", sort=False), styles, strict=True
    ):
        drawn = {"color": colour, "linestyle": dashes, "marker": marker, "markerfacecolor": "white"}
        above.vlines(part["confidence"], part["low"], part["high"], color=colour, linewidth=1.4)
        above.plot(part["confidence"], part["accuracy"], label=f"learned from the {learned}", **drawn)
        share = part["n"] / part["n"].sum()
        below.plot(part["confidence"], share, **drawn | {"markersize": 4})
        mean, right = ((part[name] * share).sum() for name in ("confidence", "accuracy"))
        told.append(
            f"learned from the {learned}, the mean confidence is {percent(mean)} and {percent(right)} are "
            "right"
        )
    above.set(ylabel="right", xlim=(0, 1), ylim=(0, 1.06))
    below.set(xlabel="confidence of the answer", ylabel="pictures", ylim=(0, None))
    for axes in (above, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(axis="y")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=8)
    alt = (
        "Lines of the share of right answers over confidence, beside a diagonal on which a network is "
        f"right as often as it says: {listing(told)}. Below, how the pictures spread over confidence."
    )
    moves = dict.fromkeys(("confidence", "accuracy", *ENDS), 1) | {"n": 10_000}
    return Drawn(figure, data, alt, tolerance=moves)
