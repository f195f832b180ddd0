"""Figures of a training: how it went, how well the networks do beside what is no network, what each of their
parts adds, whom they know, what they get most wrong, and what moved.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.training.study import CHOSE, COMPARED, FRESH, HOG, OWN, of_condition
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import Scored
from ferbook.estimate import Estimate
from ferbook.page.forest import forest
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import BLUE, INK, VERMILION, WIDTH, Drawn, listing, percent

ENDS = ["value", "low", "high"]


CONDITIONS = {
    OWN: "the networks of this page",
    "published_96": "at 96 pixels",
    "with_biases": "with biases",
    "without_dropout": "without dropout (D)",
    "without_augmentation": "without augmentation (A)",
    HOG: "linear on HOG",
}
"""How readers know who is tested."""


def tested_networks(scored: Scored, null: float) -> Drawn:
    """Accuracy on the tested pictures of each condition, mean over its networks with the interval; strokes
    are single networks.

    ``scored``: as ``training.study.score`` makes it; ``null``: a share, always the commonest class. Data: one
    row per network with its ``condition`` (place in ``CONDITIONS``), ``seed``, ``accuracy`` and, of its
    condition, ``mean``, ``low``, ``high``.
    """
    named = {name: label for name, label in CONDITIONS.items() if scored.table["condition"].eq(name).any()}
    table = scored.table[scored.table["condition"].isin(named)]
    counts = table["condition"].value_counts()
    labels = {name: f"{label} ({counts[name]})" if name != HOG else label for name, label in named.items()}
    means = {name: of_condition(scored, name) for name in named}
    rows = pd.DataFrame(
        {
            "label": labels[name],
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "main": name == OWN,
            "kind": name == HOG,
            "note": f"{100 * found.value:.1f} %",
        }
        for name, found in means.items()
    ).astype({"low": float, "high": float})
    data = pd.DataFrame(
        {
            "condition": list(CONDITIONS).index(row.condition),
            "seed": row.seed,
            "accuracy": row.accuracy,
            "mean": means[row.condition].value,
            "low": means[row.condition].low,
            "high": means[row.condition].high,
        }
        for row in table.itertuples()
    ).astype({"low": float, "high": float})
    return forest(
        rows,
        measured="accuracy on the tested pictures, with the 95 % interval",
        null=null,
        null_name=f"always the commonest class: {percent(null)}",
        strokes=pd.DataFrame({"label": table["condition"].map(labels), "value": table["accuracy"]}),
        limits=(0, 1.01),
        alt="Dots with intervals: accuracy by kind of network, in brackets how many networks.",
        caption="Strokes are single networks. Intervals cover people and, of several networks, those too.",
        tolerance=dict.fromkeys(("accuracy", "mean", "low", "high"), 0.15),
        data=data,
    )


def differences(found: Mapping[str, Estimate]) -> Drawn:
    """What is gained, in points with intervals: each of ``training.study.COMPARED`` that is in ``found``.
    Data: ``asked`` (place in ``COMPARED``), ``value``, ``low``, ``high``.
    """
    names = [name for name in COMPARED if name in found]
    rows = pd.DataFrame(
        {"label": COMPARED[name][0], **{end: getattr(found[name], end) for end in ENDS}} for name in names
    ).astype({"low": float, "high": float})
    return forest(
        rows.assign(note=[f"{value:+.1f}".replace("-", "−") for value in rows["value"]]),
        measured="difference in accuracy (points), with its 95 % interval",
        unit="points",
        null=0.0,
        noted="points",
        alt="Dots with intervals beside a line at zero: differences of accuracy in points.",
        tolerance=dict.fromkeys(ENDS, 15),
        data=rows[ENDS].assign(asked=[list(COMPARED).index(name) for name in names]),
    )


def people_who_chose(by_people: Mapping[str, Scored]) -> Drawn:
    """Accuracy of the same networks on the people who chose their epochs and on those who did not, with
    intervals; strokes are single networks. Data: ``people`` (place in ``by_people``), ``network``,
    ``accuracy``, ``mean``, ``low``, ``high``.
    """
    means = {name: of_condition(scored, OWN) for name, scored in by_people.items()}
    labels = {name: f"people who {name}" if name != FRESH else "people drawn anew" for name in by_people}
    rows = pd.DataFrame(
        {"label": labels[name], "main": name == CHOSE, **{end: getattr(mean, end) for end in ENDS}}
        for name, mean in means.items()
    ).astype({"low": float, "high": float})
    data = pd.concat(
        pd.DataFrame(
            {"people": place, "network": scored.table["seed"], "accuracy": scored.table["accuracy"]}
        ).assign(mean=means[name].value, low=means[name].low, high=means[name].high)
        for place, (name, scored) in enumerate(by_people.items())
    ).astype({"low": float, "high": float})
    names = list(labels.values())
    return forest(
        rows.assign(note=[f"{100 * value:.1f} %" for value in rows["value"]]),
        measured="accuracy, with its 95 % interval",
        strokes=pd.DataFrame({"label": [names[each] for each in data["people"]], "value": data["accuracy"]}),
        alt="Dots with intervals: accuracy of the same networks, by whom they were asked about.",
        caption="Strokes are single networks.",
        tolerance=dict.fromkeys(("accuracy", "mean", "low", "high"), 0.15),
        data=data,
    )


PER_ROW = 4


def hardest_grid(tested: FaceSet, hardest: pd.DataFrame, classes: tuple[str, ...]) -> Drawn:
    """The ``hardest`` of the ``tested`` pictures, each below what it shows and what it was taken for. Shows
    faces: only for sets that may be shown.

    ``hardest``: as ``training.study.hardest_pictures`` makes it. Data: of it ``rank``, ``picture`` (row of
    ``tested``), ``true`` and ``predicted`` as numbers (indices of ``classes``), ``p_true``, ``p_predicted``,
    ``loss``; ``mean_grey``, ``contrast``.
    """
    pictures = tested.gather(hardest["picture"].to_numpy())
    rows = -(-len(pictures) // PER_ROW)
    figure, grid = picture_grid(rows, PER_ROW, title=0.34)
    for axes, picture, row in zip(grid.flat, pictures, hardest.itertuples(), strict=False):
        show(
            axes,
            picture,
            f"true: {row.true} {100 * row.p_true:.0f} %\nsaid: {row.predicted} {100 * row.p_predicted:.0f} %",
        )
    columns = ["rank", "picture", "true", "predicted", "p_true", "p_predicted", "loss"]
    numbers = {name: hardest[name].map(classes.index) for name in ("true", "predicted")}
    data = pd.concat([hardest[columns].assign(**numbers), grey_table(pictures)], axis=1)
    told = [
        f"{row.true} taken for {row.predicted} ({percent(row.p_predicted)})"
        if row.true != row.predicted
        else f"{row.true}, named rightly with {percent(row.p_true)}"
        for row in hardest.head(3).itertuples()
    ]
    alt = (
        f"{len(pictures)} test pictures with the highest loss, the worst first; above each the true emotion "
        "and below it the one named, with the probability that the network gave them. The first: "
        f"{listing(told)}."
    )
    return Drawn(
        figure,
        data,
        alt,
        tolerance={"picture": len(tested), "loss": 5, "p_true": 1, "p_predicted": 1}
        | dict.fromkeys(("true", "predicted"), len(classes))
        | dict.fromkeys(("mean_grey", "contrast"), 255),
    )


def learning_curves(curves: Mapping[str, tuple[pd.DataFrame, int]], null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch, a line per network; dots mark
    the chosen epochs.

    ``curves``: name -> curve with ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture),
    ``valid_accuracy`` (share), and the chosen epoch. ``null``: the validation accuracy (share) of who always
    names the commonest class. Data: these columns, ``network`` (from 0), ``null`` and ``best``.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    data = pd.concat(
        curve[columns].assign(network=number, null=null, best=curve["epoch"].eq(best))
        for number, (curve, best) in enumerate(curves.values())
    )
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    pale = {"alpha": 1.0 if len(curves) == 1 else 0.55, "linewidth": 1.2}
    for _, own in data.groupby("network"):
        # Few epochs are points: a line through one of them would not show.
        marker = {"marker": "o" if len(own) < 4 else None, "markersize": 4}
        (train,) = loss.plot(own["epoch"], own["train_loss"], color=BLUE, linestyle="--", **pale, **marker)
        (valid,) = loss.plot(own["epoch"], own["valid_loss"], color=VERMILION, **pale, **marker)
        accuracy.plot(own["epoch"], own["valid_accuracy"], color=VERMILION, **pale, **marker)
    loss.legend([train, valid], ["training", "validation"], frameon=True, framealpha=1, edgecolor="none")
    loss.set(title="Loss", ylabel="loss (nats per picture)", ylim=(0, None), xlabel="epoch")
    chosen = data[data["best"]]
    accuracy.plot(chosen["epoch"], chosen["valid_accuracy"], "o", color=VERMILION, markersize=5)
    accuracy.set(title="Validation accuracy", ylim=(0, 1), xlabel="epoch (dots: the chosen ones)")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    accuracy.axhline(null, color=INK, linestyle="--", linewidth=1.2)
    # Below the line: that is where no network that has learned anything draws its curve.
    accuracy.annotate(
        "always the commonest class",
        (0.93, null),
        xycoords=accuracy.get_yaxis_transform(),
        xytext=(0, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
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
        f"epochs it is {percent(chosen['valid_accuracy'].mean())} on average. A dashed line marks always "
        f"naming the commonest class, at {percent(null)}."
    )
    return Drawn(
        figure,
        data,
        alt,
        tolerance={"train_loss": 0.3, "valid_loss": 0.3, "valid_accuracy": 0.15, "best": 1},
    )


def moved_layers(correlations: pd.DataFrame) -> Drawn:
    """How like its random start each layer is: the correlation, mean over the networks; strokes are single
    networks. ``correlations``: as ``training.study.layer_correlations`` makes them. Data: ``network``,
    ``place`` (of the layer, from 0), ``correlation``.
    """
    means = correlations.groupby("layer", sort=False)["correlation"].mean()
    rows = pd.DataFrame({"label": means.index, "value": means.to_numpy(), "low": np.nan, "high": np.nan})
    data = correlations[["network", "correlation"]].assign(
        place=correlations["layer"].map(list(means.index).index)
    )
    return forest(
        rows.assign(note=[f"{value:.2f}" for value in rows["value"]]),
        measured="correlation of a layer's weights with their random start",
        unit="",
        null=1.0,
        null_name="as at the start",
        limits=(min(0.0, float(correlations["correlation"].min()) - 0.02), 1.02),
        strokes=pd.DataFrame({"label": correlations["layer"], "value": correlations["correlation"]}),
        alt="Dots: correlation of each layer's weights with their random start, mean over the networks.",
        caption="Strokes are single networks.",
        tolerance={"correlation": 0.3},
        data=data,
    )


def per_class_dots(table: pd.DataFrame, null: float) -> Drawn:
    """Recall of each class with its interval, and the recall that the null gives as a line.

    ``table``: ``emotion``, ``n``, ``recall``, ``recall_low``, ``recall_high`` (shares, NaN where undefined),
    as ``stats.classification.per_class_table`` makes it. ``null``: a share. Data: these columns and ``null``.
    """
    columns = ["emotion", "n", "recall", "recall_low", "recall_high"]
    data = table[columns].assign(null=null).reset_index(drop=True)
    alt = "Dots with intervals: the recall of each emotion; a dashed line at guessing at random."
    absent = list(data.loc[data["recall"].isna(), "emotion"])
    if absent:
        alt += f" Without pictures: {listing(absent)}."
    if data["recall_low"].isna().all():
        alt += " No interval could be computed."
    else:
        unclear = list(data.loc[data["recall_low"].le(null) & data["recall_high"].ge(null), "emotion"])
        alt += f" The line lies within the interval of {listing(unclear or ['none'])}."
    rows = data.dropna(subset="recall").rename(columns=dict(zip(columns[2:], ENDS, strict=True)))
    return forest(
        rows.assign(
            label=[f"{row.emotion} ({row.n:,})" for row in rows.itertuples()],
            note=[f"{100 * recall:.0f} %" for recall in rows["value"]],
        ),
        measured="recall, with its 95 % interval",
        null=null,
        null_name=f"guessing at random: {percent(null)}",
        limits=(0, 1.01),
        alt=alt,
        tolerance=dict.fromkeys(columns[2:], 0.15),
        data=data,
    )


def first_layer_filters(weights: np.ndarray, start: np.ndarray) -> Drawn:
    """First-layer filters before and after training, on one scale: mid-grey is 0, white positive, black
    negative.

    The random start is the null: structure that it shows as well was not learned. ``weights``, ``start``:
    (K, 1, h, w). Data: ``filter``, ``row``, ``column``, ``start``, ``weight``.
    """
    weights, start = (np.asarray(w, dtype=np.float64) for w in (weights, start))
    count, _, height, width = weights.shape
    limit = float(np.abs([start, weights]).max()) or 1.0
    per_row = int(np.ceil(np.sqrt(count)))
    rows = -(-count // per_row)
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.35 + 2.6 * rows * height / (per_row * width)))
    for axes, title, filters in zip(
        panels, ("random start", "after training"), (start, weights), strict=True
    ):
        image = axes.imshow(_filter_mosaic(filters, per_row), vmin=-limit, vmax=limit)
        axes.set_title(title)
        across, down = np.arange(per_row), np.arange(rows)
        axes.set_xticks(across * (width + 1) + (width - 1) / 2, [f"+{column}" for column in across])
        axes.set_yticks(down * (height + 1) + (height - 1) / 2, down * per_row)
        axes.tick_params(length=0, labelsize=8)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("filter")
    figure.colorbar(image, ax=panels, label="weight", orientation="horizontal", shrink=0.6, aspect=40)
    number, row, column = np.indices((count, height, width)).reshape(3, -1)
    data = pd.DataFrame({"filter": number, "row": row, "column": column})
    data = data.assign(start=start.ravel(), weight=weights.ravel())
    norms, moved = (np.linalg.norm(w.reshape(count, -1), axis=1) for w in (weights, weights - start))
    alt = (
        f"Two grids of {count} filters of {height} by {width} weights in grey, left at the random start, "
        f"right after training; mid-grey is zero, white is {limit:.2f}, black is −{limit:.2f}. After "
        f"training the strongest is filter {int(norms.argmax())} (norm {norms.max():.2f}), the weakest "
        f"filter {int(norms.argmin())} (norm {norms.min():.2f}). Filter {int(moved.argmax())} has changed "
        f"most (by a norm of {moved.max():.2f}), filter {int(moved.argmin())} least (by {moved.min():.2f})."
    )
    return Drawn(figure, data, alt, tolerance={"start": 1e-4, "weight": 0.25})


def _filter_mosaic(filters: np.ndarray, per_row: int) -> np.ndarray:
    """Filters (K, 1, h, w) side by side, ``per_row`` in a row, NaN between them."""
    count, _, height, width = filters.shape
    rows = -(-count // per_row)
    padded = np.full((rows * per_row, height + 1, width + 1), np.nan)
    padded[:count, :height, :width] = filters[:, 0]
    lines = padded.reshape(rows, per_row, height + 1, width + 1).swapaxes(1, 2)
    return lines.reshape(rows * (height + 1), per_row * (width + 1))[:-1, :-1]
