"""Biases, dropout and augmentation: the eight networks, and what each of the three changes.

How well the networks of a protocol's folds do, fold by fold.

The test pictures that a network gets most wrong.

Figures of a training: how it went, how well the network does, what its first layer looks like.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.shared_figures import require_pictures
from fer_lib.faces.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
    require_columns,
)

VARIANTS = ("none", "D", "A", "AD")


def ablation_effects(table: pd.DataFrame, effects: Mapping[str, Estimate]) -> Drawn:
    """Left, the accuracy of each network with its interval; right, the paired differences that each switch
    makes, with theirs.

    ``table``: ``biases``, ``variant``, ``accuracy``, ``low``, ``high``; ``effects``: name to difference; both
    as ``training.ablation`` makes them. Data: one row per dot, ``panel`` (1 left, 2 right), ``what``,
    ``value``, ``low``, ``high``. Raises FigureError where a column or a network is absent.
    """
    require_columns(table, ["biases", "variant", "accuracy", "low", "high"])
    found = table.set_index(["variant", "biases"])
    wanted = [(variant, biases) for variant in VARIANTS for biases in (False, True)]
    absent = [key for key in wanted if key not in found.index]
    if absent:
        raise FigureError(f"the ablation lacks the network {absent[0][0]!r} with biases {absent[0][1]}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2), width_ratios=(3, 2))
    rows = []
    for biases, colour, marker, face, shift, label in (
        (False, BLUE, "o", BLUE, -0.15, "no biases"),
        (True, VERMILION, "s", "white", 0.15, "biases"),
    ):
        part = found.loc[[(variant, biases) for variant in VARIANTS]]
        places = np.arange(len(VARIANTS)) + shift
        left.hlines(places, part["low"], part["high"], color=colour, linewidth=1.6)
        left.plot(
            part["accuracy"],
            places,
            marker,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=1.6,
            label=label,
        )
        rows += [
            {
                "panel": 1,
                "what": f"{label}, {key[0]}",
                "value": row["accuracy"],
                "low": row["low"],
                "high": row["high"],
            }
            for key, row in part.iterrows()
        ]
    left.set_yticks(range(len(VARIANTS)), VARIANTS)
    left.invert_yaxis()
    left.set(title="Each network", xlabel="right on the test split", xlim=(0, 1.01))
    left.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    rows += [
        {
            "panel": 2,
            "what": name.removesuffix("_effect").replace("_", " "),
            "value": effect.value,
            **{
                side: np.nan if getattr(effect, side) is None else getattr(effect, side)
                for side in ("low", "high")
            },
        }
        for name, effect in effects.items()
    ]
    data = pd.DataFrame(rows)
    changes = data[data["panel"].eq(2)].reset_index(drop=True)
    right.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    right.hlines(changes.index, 100 * changes["low"], 100 * changes["high"], color=BLUE)
    right.plot(100 * changes["value"], changes.index, "o", color=BLUE)
    right.set_yticks(changes.index, changes["what"])
    right.set(title="What it changes", xlabel="points (0: nothing)", ylim=(len(changes) - 0.5, -0.5))
    reach = np.nanmax(np.abs(100 * changes[["value", "low", "high"]].to_numpy()))
    right.set_xlim(-1.15 * max(reach, 1), 1.15 * max(reach, 1))
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    return figure, data, _alt(data)


def _alt(data: pd.DataFrame) -> str:
    networks, changes = (data[data["panel"].eq(panel)] for panel in (1, 2))
    told = [f"{row.what} {percent(row.value)}" for row in networks.itertuples()]
    changed = [
        f"{row.what} {100 * row.value:+.1f} points"
        + ("" if pd.isna(row.low) else f" (interval {100 * row.low:+.1f} to {100 * row.high:+.1f})")
        for row in changes.itertuples()
    ]
    return (
        "Left, dots with intervals: the share of test pictures that each network names rightly: "
        f"{listing(told)}. "
        f"Right, what each switch changes on average, with a dashed line at no change: {listing(changed)}."
    )


NAMED_FOLDS = 20
"""Up to so many folds each has its own label; of more, every so many-th has."""


def fold_accuracies(folds: pd.DataFrame, pooled: dict) -> Drawn:
    """Accuracy on each fold's test split with its interval, over all folds below them, and the null.

    ``folds``: ``fold``, ``pictures``, ``accuracy``, ``low``, ``high``, ``majority`` (shares, bounds NaN where
    there are none), as ``training.study.fold_table`` makes them. ``pooled``: the entry ``test_accuracy`` of
    the metrics. Data: these columns, the last row, of fold -1, over all. Raises FigureError where a column is
    absent.
    """
    columns = ["fold", "pictures", "accuracy", "low", "high", "majority"]
    require_columns(folds, columns)
    if pooled["n"] != folds["pictures"].sum():
        raise FigureError(
            f"the folds have {folds['pictures'].sum()} pictures, the accuracy over all {pooled['n']}"
        )
    null = float(np.average(folds["majority"], weights=folds["pictures"]))
    bounds = [np.nan if pooled[side] is None else pooled[side] for side in ("low", "high")]
    last = pd.DataFrame([[-1, pooled["n"], pooled["value"], *bounds, null]], columns=columns)
    data = pd.concat([folds[columns], last], ignore_index=True)
    places = np.arange(len(data)) + 0.4 * (np.arange(len(data)) == len(folds))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.3 * min(len(data), NAMED_FOLDS)))
    all_of_them = data["fold"].eq(-1).to_numpy()
    for rows, colour, marker, size in (
        (~all_of_them, BLUE, "o", 6),
        (all_of_them, INK, "D", 8),
    ):
        axes.hlines(places[rows], data.loc[rows, "low"], data.loc[rows, "high"], color=colour)
        axes.plot(data.loc[rows, "accuracy"], places[rows], marker, color=colour, markersize=size)
    axes.vlines(
        data["majority"], places - 0.35, places + 0.35, color=VERMILION, linestyle="--", linewidth=1.5
    )
    every = -(-len(folds) // NAMED_FOLDS)
    shown = [place for place in range(len(folds)) if place % every == 0] + [len(folds)]
    axes.set_yticks(
        places[shown],
        [
            "all" if data["fold"][k] == -1 else f"fold {data['fold'][k]} ({data['pictures'][k]:,})"
            for k in shown
        ],
    )
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.01), xlabel="right on the test split, with the 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.plot([], [], color=VERMILION, linestyle="--", linewidth=1.5, label="always the commonest class")
    figure.legend(loc="outside upper left")
    return figure, data, _folds_alt(data, null)


def _folds_alt(data: pd.DataFrame, null: float) -> str:
    folds, last = data.iloc[:-1], data.iloc[-1]
    if len(folds) <= NAMED_FOLDS:
        told = listing([f"fold {row.fold} {percent(row.accuracy)}" for row in folds.itertuples()])
    else:
        told = f"{len(folds)} folds from {percent(folds['accuracy'].min())} to {percent(folds['accuracy'].max())}"
    bounds = "" if pd.isna(last["low"]) else f" (interval {percent(last['low'])} to {percent(last['high'])})"
    return (
        f"Dots with intervals: the share of test pictures named rightly, {told}; over all "
        f"{percent(last['accuracy'])}{bounds}. "
        f"Dashed marks show always naming the commonest class, over all {percent(null)}."
    )


PER_ROW = 4


def hardest_grid(tested: FaceSet, hardest: pd.DataFrame, classes: tuple[str, ...]) -> Drawn:
    """The ``hardest`` of the ``tested`` pictures, each below what it shows and what it was taken for. Shows
    faces: only for sets that may be shown.

    ``hardest``: ``picture`` (row of ``tested``), ``true``, ``predicted``, ``p_true``, ``p_predicted``,
    ``loss``, as ``training.study.hardest_pictures`` makes it. Data: ``rank`` from 1, ``picture``, ``true``
    and ``predicted`` as numbers (indices of ``classes``), ``p_true``, ``p_predicted``, ``loss``,
    ``mean_grey``, ``contrast``. Raises FigureError where a column is absent or there is no picture.
    """
    columns = ["picture", "true", "predicted", "p_true", "p_predicted", "loss"]
    require_columns(hardest, columns)
    require_pictures(tested)
    unknown = set(hardest["true"]) | set(hardest["predicted"])
    if unknown - set(classes):
        raise FigureError(f"{', '.join(sorted(unknown - set(classes)))} not among {', '.join(classes)}")
    pictures = tested.gather(hardest["picture"].to_numpy())
    rows = -(-len(pictures) // PER_ROW)
    figure, grid = picture_grid(rows, PER_ROW, title=0.34)
    for axes, picture, row in zip(grid.flat, pictures, hardest.itertuples(), strict=False):
        show(
            axes,
            picture,
            f"true: {row.true} {100 * row.p_true:.0f} %\nsaid: {row.predicted} {100 * row.p_predicted:.0f} %",
        )
    data = hardest[columns].reset_index(drop=True)
    for name in ("true", "predicted"):
        data[name] = data[name].map(classes.index)
    data.insert(0, "rank", range(1, len(data) + 1))
    data = pd.concat([data, grey_table(pictures)], axis=1)
    told = [
        f"{row.true} taken for {row.predicted} ({percent(row.p_predicted)})"
        if row.true != row.predicted
        else f"{row.true}, named rightly with {percent(row.p_true)}"
        for row in hardest.head(3).itertuples()
    ]
    alt = (
        f"{len(pictures)} test pictures with the highest loss, the worst first; above each the true emotion "
        "and below it the "
        f"one named, with the probability that the network gave them. The first: {listing(told)}."
    )
    return figure, data, alt


def learning_curve(curve: pd.DataFrame, best_epoch: int, null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch; the chosen epoch is marked.

    ``curve``: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture), ``valid_accuracy``
    (share). ``null``: the validation accuracy (share) of always naming the commonest class, drawn as a line.
    Data: these columns, ``null`` and ``best``. Raises FigureError where a column or the best epoch is absent.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    require_columns(curve, columns)
    if best_epoch not in set(curve["epoch"]):
        raise FigureError(f"best epoch {best_epoch} is not in the curve, whose epochs end at {len(curve)}")
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
        "always the commonest class",
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
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the loss: on "
        f"the training split it goes from {first['train_loss']:.2f} to "
        f"{last['train_loss']:.2f}, on the validation split from {first['valid_loss']:.2f} to "
        f"{last['valid_loss']:.2f}. Right, the accuracy "
        f"on the validation split: from {percent(first['valid_accuracy'])} to "
        f"{percent(last['valid_accuracy'])}; "
        f"a dashed line marks always naming the commonest class, at {percent(null)}. "
        f"A dotted line marks epoch {best_epoch}, the one chosen, with {percent(best['valid_accuracy'])}."
    )
    return figure, data, alt


def per_class_bars(table: pd.DataFrame, null: float, null_name: str = "guessing") -> Drawn:
    """Recall of each class with its interval, and the recall that the null gives as a line.

    ``table``: ``emotion``, ``n``, ``recall``, ``recall_low``, ``recall_high`` (shares, NaN where undefined),
    as ``stats.classification.per_class_table`` makes it. ``null``: a share. Data: these columns and ``null``.
    """
    columns = ["emotion", "n", "recall", "recall_low", "recall_high"]
    require_columns(table, columns)
    data = table[columns].assign(null=null).reset_index(drop=True)
    place = np.arange(len(data))
    figure, axes = plt.subplots(figsize=(WIDTH, 1.1 + 0.36 * len(data)))
    axes.barh(place, data["recall"], height=0.62, color=SKY)
    bounded = data["recall_low"].notna() & data["recall_high"].notna()
    axes.hlines(
        place[bounded],
        data.loc[bounded, "recall_low"],
        data.loc[bounded, "recall_high"],
        color=INK,
        linewidth=1.8,
    )
    for side in ("recall_low", "recall_high"):
        axes.plot(data.loc[bounded, side], place[bounded], "|", color=INK, markersize=8, markeredgewidth=1.8)
    for spot, row in zip(place, data.itertuples(), strict=True):
        text = "none shown" if pd.isna(row.recall) else f"{100 * row.recall:.0f} %"
        axes.text(1.02, spot, text, va="center", transform=axes.get_yaxis_transform())
    axes.axvline(null, color=VERMILION, linestyle="--", linewidth=1.5, label=f"{null_name}: {percent(null)}")
    axes.set_yticks(place, [f"{row.emotion} ({row.n:,})" for row in data.itertuples()])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="recall, with its 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left")
    return figure, data, _recall_alt(data, null, null_name)


def _recall_alt(data: pd.DataFrame, null: float, null_name: str) -> str:
    alt = "Horizontal bars of recall by emotion: "
    alt += listing(
        [
            f"{row.emotion} "
            + (
                "without pictures"
                if pd.isna(row.recall)
                else percent(row.recall)
                + (
                    ""
                    if pd.isna(row.recall_low)
                    else f" ({100 * row.recall_low:.0f}–{100 * row.recall_high:.0f})"
                )
            )
            for row in data.itertuples()
        ]
    )
    alt += f". A dashed line marks {null_name} at {percent(null)}"
    if data["recall_low"].isna().all():
        return f"{alt}; no interval could be computed."
    unclear = data.loc[data["recall_low"].le(null) & data["recall_high"].ge(null), "emotion"]
    if len(unclear):
        return f"{alt}; the interval of {listing(list(unclear))} includes it."
    return f"{alt}; no interval includes it."


def first_layer_filters(weights: np.ndarray, start: np.ndarray) -> Drawn:
    """First-layer filters before and after training, on one scale: mid-grey is 0, white positive, black
    negative.

    The random start is the null: structure that it shows as well was not learned. ``weights``, ``start``:
    (K, 1, h, w). Data: ``filter``, ``row``, ``column``, ``start``, ``weight``. Raises FigureError for other
    shapes.
    """
    weights, start = (np.asarray(w, dtype=np.float64) for w in (weights, start))
    if weights.ndim != 4 or weights.shape[1] != 1 or not weights.size:
        raise FigureError(f"first-layer filters have the shape (K, 1, h, w), not {weights.shape}")
    if start.shape != weights.shape:
        raise FigureError(f"filters {weights.shape} did not start from filters {start.shape}")
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
        axes.set_xticks(
            [c * (width + 1) + (width - 1) / 2 for c in range(per_row)], [f"+{c}" for c in range(per_row)]
        )
        axes.set_yticks(
            [r * (height + 1) + (height - 1) / 2 for r in range(rows)], [r * per_row for r in range(rows)]
        )
        axes.tick_params(length=0, labelsize=8)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("filter")
    figure.colorbar(image, ax=panels, label="weight", orientation="horizontal", shrink=0.6, aspect=40)
    index = np.indices((count, height, width)).reshape(3, -1)
    data = pd.DataFrame(
        {
            "filter": index[0],
            "row": index[1],
            "column": index[2],
            "start": start.ravel(),
            "weight": weights.ravel(),
        }
    )
    norms = np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    moved = np.sqrt(((weights - start) ** 2).sum(axis=(1, 2, 3)))
    alt = (
        f"Two grids of {count} filters of {height} by {width} weights in grey, left at the random start, "
        "right after "
        f"training; mid-grey is zero, white is {limit:.2f}, black is −{limit:.2f}. After training the "
        "strongest is filter "
        f"{int(norms.argmax())} (norm {norms.max():.2f}), the weakest filter {int(norms.argmin())} (norm "
        f"{norms.min():.2f}). "
        f"Filter {int(moved.argmax())} has changed most (by a norm of {moved.max():.2f}), "
        f"filter {int(moved.argmin())} least (by {moved.min():.2f})."
    )
    return figure, data, alt


def _filter_mosaic(filters: np.ndarray, per_row: int) -> np.ndarray:
    """Filters (K, 1, h, w) side by side, ``per_row`` in a row, NaN between them."""
    count, _, height, width = filters.shape
    rows = -(-count // per_row)
    mosaic = np.full((rows * (height + 1) - 1, per_row * (width + 1) - 1), np.nan)
    for k in range(count):
        top, left = (k // per_row) * (height + 1), (k % per_row) * (width + 1)
        mosaic[top : top + height, left : left + width] = filters[k, 0]
    return mosaic
