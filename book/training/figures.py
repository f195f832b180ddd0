"""Figures of a training: how it went, how well the networks do, fold by fold and class by class, what biases,
dropout and augmentation change, the test pictures they get most wrong, and what the first layer looks like.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_lib.faces.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page.forest import forest
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import BLUE, INK, MUTED, VERMILION, WIDTH, Drawn, listing, percent

ENDS = ["value", "low", "high"]


def ablation_effects(table: pd.DataFrame, effects: Mapping[str, Estimate]) -> Drawn:
    """Left, the accuracy of each network with its interval; right, the paired differences that each switch
    makes, with theirs.

    ``table``: ``biases``, ``variant``, ``accuracy``, ``low``, ``high``; ``effects``: name to difference; both
    as ``training.ablation`` makes them. Data: one row per dot, ``panel`` (1 left, 2 right), ``what``,
    ``value``, ``low``, ``high``.
    """
    networks = table.rename(columns={"variant": "label", "accuracy": "value"}).assign(panel=1)
    networks["series"] = networks["biases"].map({True: "biases", False: "no biases"})
    names = [name.removesuffix("_effect").replace("_", " ") for name in effects]
    changes = pd.DataFrame({"panel": 2, "series": "the change", "label": names, "what": names})
    for end in ENDS:
        changes[end] = [getattr(effect, end) for effect in effects.values()]
    networks["what"] = networks["series"] + ", " + networks["label"]
    rows = pd.concat([networks, changes.astype({"low": float, "high": float})], ignore_index=True)
    data = rows[["panel", "what", *ENDS]]
    left, right = "each network", "what it changes"
    rows[ENDS] = rows[ENDS].where(rows["panel"].eq(1), 100 * rows[ENDS])
    return forest(
        rows.assign(panel=rows["panel"].map({1: left, 2: right})),
        measured={left: "accuracy on the test split", right: "points (0: nothing)"},
        unit={left: "share", right: "points"},
        null={right: 0.0},
        limits={left: (0, 1.01)},
        widths=(3, 2),
        alt=(
            "Dots with intervals: left, the share of test pictures that each network names rightly; right, "
            "what each switch changes on average, in points."
        ),
        tolerance=dict.fromkeys(ENDS, 0.2),
        data=data,
    )


def fold_accuracies(folds: pd.DataFrame, pooled: Estimate) -> Drawn:
    """Accuracy on each fold's test split with its interval, over all folds below them, and the null.

    ``folds``: ``fold``, ``pictures``, ``accuracy``, ``low``, ``high``, ``majority`` (shares, bounds NaN where
    there are none), as ``training.study.fold_table`` makes them. ``pooled``: the accuracy over all. Data:
    these columns, the last row, of fold -1, over all.
    """
    columns = ["fold", "pictures", "accuracy", "low", "high", "majority"]
    null = float(np.average(folds["majority"], weights=folds["pictures"]))
    last = pd.DataFrame([[-1, pooled.n, pooled.value, pooled.low, pooled.high, null]], columns=columns)
    data = pd.concat([folds[columns], last.astype({"low": float, "high": float})], ignore_index=True)
    names = [f"fold {row.fold} ({row.pictures:,})" for row in folds.itertuples()]
    return forest(
        data.assign(
            label=[*names, "all of them"],
            kind=data["fold"].eq(-1),
            main=data["fold"].eq(-1),
            null=data["majority"],
            value=data["accuracy"],
        ),
        measured="accuracy on the test split, with the 95 % interval",
        null_name="majority-class baseline",
        limits=(0, 1.01),
        alt=(
            "Dots with intervals: the share of test pictures named rightly, fold by fold. Dashed marks show "
            f"the majority-class baseline, over all {percent(null)}."
        ),
        tolerance=dict.fromkeys(("accuracy", "low", "high"), 0.15),
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


def learning_curve(curve: pd.DataFrame, best_epoch: int, null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch; the chosen epoch is marked.

    ``curve``: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture), ``valid_accuracy``
    (share). ``null``: the validation accuracy (share) of the majority-class baseline, drawn as a line.
    Data: these columns, ``null`` and ``best``.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    data = curve[columns].assign(null=null, best=curve["epoch"].eq(best_epoch))
    best, first, last = (data[data["epoch"].eq(e)].iloc[0] for e in (best_epoch, 1, data["epoch"].max()))
    # Single epochs are points: a line through one of them would not show.
    marker = "o" if len(data) < 12 else None
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    for name, label, style in (
        ("train_loss", "training", {"color": BLUE, "linestyle": "--"}),
        ("valid_loss", "validation", {"color": VERMILION}),
    ):
        loss.plot(data["epoch"], data[name], marker=marker, markersize=4, label=label, **style)
    loss.legend(loc="best", frameon=True, framealpha=1, edgecolor="none")
    loss.set(title="Loss", ylabel="loss (nats per picture)", ylim=(0, None))
    accuracy.plot(data["epoch"], data["valid_accuracy"], color=VERMILION, marker=marker, markersize=4)
    accuracy.set(title="Validation accuracy", ylim=(0, 1))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    accuracy.plot(best_epoch, best["valid_accuracy"], "o", color=VERMILION, markersize=7)
    accuracy.axhline(null, color=INK, linestyle="--", linewidth=1.2)
    # Below the line: that is where no network that has learned anything draws its curve.
    accuracy.annotate(
        "majority-class baseline",
        (0.93, null),
        xycoords=accuracy.get_yaxis_transform(),
        xytext=(0, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
    )
    loss.set_xlabel("epoch")
    accuracy.set_xlabel(f"epoch (chosen: {best_epoch}, {percent(best['valid_accuracy'])})")
    for axes in (loss, accuracy):
        axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=":")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y")
        if len(data) == 1:
            axes.set_xlim(0, 2)
    train, valid = (f"{first[name]:.2f} to {last[name]:.2f}" for name in ("train_loss", "valid_loss"))
    start, end, chosen = (percent(row["valid_accuracy"]) for row in (first, last, best))
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the loss on the "
        f"training split, from {train}, and on the validation split, from {valid}. Right, the accuracy on "
        f"the validation split, from {start} to {end}; a dashed line marks the majority-class baseline, at "
        f"{percent(null)}. A dotted line marks epoch {best_epoch}, the one chosen, with {chosen}."
    )
    return Drawn(
        figure,
        data,
        alt,
        tolerance={"train_loss": 0.2, "valid_loss": 0.3, "valid_accuracy": 0.15, "best": 1},
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
