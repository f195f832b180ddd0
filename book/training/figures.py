"""Figures of a training: how it went, how well the networks do, fold by fold and class by class, what biases,
dropout and augmentation change, the test pictures they get most wrong, and what the first layer looks like.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.shared_figures import require_pictures
from fer_lib.faces.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page.forest import forest
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
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
    found = table.set_index(["biases", "variant"])
    wanted = [(biases, variant) for biases in (False, True) for variant in VARIANTS]
    absent = [key for key in wanted if key not in found.index]
    if absent:
        raise FigureError(f"the ablation lacks the network {absent[0][1]!r} with biases {absent[0][0]}")
    networks = found.loc[wanted].reset_index().rename(columns={"variant": "label", "accuracy": "value"})
    networks["series"] = np.where(networks["biases"], "biases", "no biases")
    changes = pd.DataFrame(
        {
            "label": [name.removesuffix("_effect").replace("_", " ") for name in effects],
            **{part: [getattr(each, part) for each in effects.values()] for part in ("value", "low", "high")},
        }
    ).astype({"low": float, "high": float})
    data = pd.concat(
        [
            networks.assign(panel=1, what=networks["series"] + ", " + networks["label"]),
            changes.assign(panel=2, what=changes["label"]),
        ]
    )[["panel", "what", "value", "low", "high"]].reset_index(drop=True)
    left, right = "each network", "what it changes"
    points = changes[["value", "low", "high"]] * 100
    return forest(
        pd.concat(
            [networks.assign(panel=left), changes.assign(panel=right, series="the change", **points)]
        ).reset_index(drop=True)[["panel", "series", "label", "value", "low", "high"]],
        measured={left: "accuracy on the test split", right: "points (0: nothing)"},
        unit={left: "share", right: "points"},
        null={right: 0.0},
        limits={left: (0, 1.01)},
        widths=(3, 2),
        alt=(
            "Dots with intervals: left, the share of test pictures that each network names rightly; right, "
            "what each switch changes on average, in points."
        ),
        tolerance=dict.fromkeys(("value", "low", "high"), 0.2),
        data=data,
    )


def fold_accuracies(folds: pd.DataFrame, pooled: Estimate) -> Drawn:
    """Accuracy on each fold's test split with its interval, over all folds below them, and the null.

    ``folds``: ``fold``, ``pictures``, ``accuracy``, ``low``, ``high``, ``majority`` (shares, bounds NaN where
    there are none), as ``training.study.fold_table`` makes them. ``pooled``: the accuracy over all. Data:
    these columns, the last row, of fold -1, over all. Raises FigureError where a column is absent.
    """
    columns = ["fold", "pictures", "accuracy", "low", "high", "majority"]
    require_columns(folds, columns)
    if pooled.n != folds["pictures"].sum():
        raise FigureError(
            f"the folds have {folds['pictures'].sum()} pictures, the accuracy over all {pooled.n}"
        )
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
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the loss: on the "
        f"training split it goes from {first['train_loss']:.2f} to {last['train_loss']:.2f}, on the "
        f"validation split from {first['valid_loss']:.2f} to {last['valid_loss']:.2f}. Right, the accuracy "
        f"on the validation split: from {percent(first['valid_accuracy'])} to "
        f"{percent(last['valid_accuracy'])}; a dashed line marks the majority-class baseline, at "
        f"{percent(null)}. A dotted line marks epoch {best_epoch}, the one chosen, with "
        f"{percent(best['valid_accuracy'])}."
    )
    return Drawn(
        figure,
        data,
        alt,
        tolerance={"train_loss": 0.2, "valid_loss": 0.3, "valid_accuracy": 0.15, "best": 1},
    )


def per_class_dots(table: pd.DataFrame, null: float, null_name: str = "guessing at random") -> Drawn:
    """Recall of each class with its interval, and the recall that the null gives as a line.

    ``table``: ``emotion``, ``n``, ``recall``, ``recall_low``, ``recall_high`` (shares, NaN where undefined),
    as ``stats.classification.per_class_table`` makes it. ``null``: a share. Data: these columns and ``null``.
    """
    columns = ["emotion", "n", "recall", "recall_low", "recall_high"]
    require_columns(table, columns)
    data = table[columns].assign(null=null).reset_index(drop=True)
    shown = data[data["recall"].notna()]
    alt = f"Dots with intervals: the recall of each emotion; a dashed line at {null_name}."
    absent = list(data.loc[data["recall"].isna(), "emotion"])
    if absent:
        alt += f" Without pictures: {listing(absent)}."
    if data["recall_low"].isna().all():
        alt += " No interval could be computed."
    else:
        unclear = list(data.loc[data["recall_low"].le(null) & data["recall_high"].ge(null), "emotion"])
        alt += f" The line lies within the interval of {listing(unclear or ['none'])}."
    return forest(
        pd.DataFrame(
            {
                "label": [f"{row.emotion} ({row.n:,})" for row in shown.itertuples()],
                "value": shown["recall"],
                "low": shown["recall_low"],
                "high": shown["recall_high"],
                "note": [f"{100 * recall:.0f} %" for recall in shown["recall"]],
            }
        ),
        measured="recall, with its 95 % interval",
        null=null,
        null_name=f"{null_name}: {percent(null)}",
        limits=(0, 1.01),
        alt=alt,
        tolerance=dict.fromkeys(("recall", "recall_low", "recall_high"), 0.15),
        data=data,
    )


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
        f"right after training; mid-grey is zero, white is {limit:.2f}, black is −{limit:.2f}. After "
        f"training the strongest is filter {int(norms.argmax())} (norm {norms.max():.2f}), the weakest "
        f"filter {int(norms.argmin())} (norm {norms.min():.2f}). Filter {int(moved.argmax())} has changed "
        f"most (by a norm of {moved.max():.2f}), filter {int(moved.argmin())} least (by {moved.min():.2f})."
    )
    return Drawn(
        figure,
        data,
        alt,
        tolerance={"start": 1e-4, "weight": 0.25},
    )


def _filter_mosaic(filters: np.ndarray, per_row: int) -> np.ndarray:
    """Filters (K, 1, h, w) side by side, ``per_row`` in a row, NaN between them."""
    count, _, height, width = filters.shape
    rows = -(-count // per_row)
    mosaic = np.full((rows * (height + 1) - 1, per_row * (width + 1) - 1), np.nan)
    for k in range(count):
        top, left = (k // per_row) * (height + 1), (k % per_row) * (width + 1)
        mosaic[top : top + height, left : left + width] = filters[k, 0]
    return mosaic
