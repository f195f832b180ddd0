"""Figures of a training: how it went, how well the network does, what its first layer looks like."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_lib.report.figures.cells import draw_cells
from fer_lib.report.figures.style import (
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


def learning_curve(curve: pd.DataFrame, best_epoch: int, null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch; the chosen epoch is marked.

    ``curve``: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture), ``valid_accuracy`` (share).
    ``null``: the validation accuracy (share) of always naming the commonest class, drawn as a line.
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
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the loss: on the training split it goes from {first['train_loss']:.2f} to "
        f"{last['train_loss']:.2f}, on the validation split from {first['valid_loss']:.2f} to {last['valid_loss']:.2f}. Right, the accuracy "
        f"on the validation split: from {percent(first['valid_accuracy'])} to {percent(last['valid_accuracy'])}; "
        f"a dashed line marks always naming the commonest class, at {percent(null)}. "
        f"A dotted line marks epoch {best_epoch}, the one chosen, with {percent(best['valid_accuracy'])}."
    )
    return figure, data, alt


def confusion_matrix(matrix: pd.DataFrame, counted: str = "pictures") -> Drawn:
    """Confusion as a heat map, each row a true class, in per cent of that row.

    ``matrix``: counts (K, K) of what is ``counted``, index the true class, columns the predicted one, in the same order. Data: ``true``,
    ``predicted``, ``count``, ``share`` (missing where a class does not occur). Raises FigureError for other shapes.
    """
    if list(matrix.index) != list(matrix.columns) or matrix.empty:
        raise FigureError("a confusion matrix has the same classes, in the same order, as rows and columns")
    counts = matrix.rename_axis(index="true", columns="predicted")
    totals = counts.sum(axis=1)
    shares = counts.div(totals.where(totals > 0), axis=0)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.52 * len(counts)))
    texts = shares.map(lambda s: "" if pd.isna(s) or s == 0 else f"{100 * s:.0f}")
    draw_cells(axes, shares, texts, "share of the true class (%)", fontsize=10)
    axes.set(xlabel="predicted", ylabel=f"true (number of {counted})")
    axes.set_yticklabels([f"{name} ({total:,})" for name, total in totals.items()], rotation=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    data = counts.stack().rename("count").reset_index().assign(share=shares.to_numpy().ravel())
    recall = pd.Series(np.diag(shares), index=counts.index).dropna()
    wrong = data[data["true"].ne(data["predicted"]) & data["count"].gt(0)].sort_values(
        "share", ascending=False, kind="stable"
    )
    alt = f"Heat map of {len(counts)} true by {len(counts)} predicted emotions, {totals.sum():,} {counted}. On the diagonal, the share named rightly"
    if len(recall):
        alt += (
            f" is highest for {recall.idxmax()} ({percent(recall.max())}) and lowest for {recall.idxmin()} "
            f"({percent(recall.min())})"
        )
    alt += ". "
    if len(wrong):
        worst = [
            f"{row.true} taken for {row.predicted} ({percent(row.share)})"
            for row in wrong.head(3).itertuples()
        ]
        alt += f"The most frequent confusions: {listing(worst)}."
    else:
        alt += f"No {counted.removesuffix('s')} is confused."
    return figure, data, alt


def per_class_bars(table: pd.DataFrame, null: float, null_name: str = "guessing") -> Drawn:
    """Recall of each class with its interval, and the recall that the null gives as a line.

    ``table``: ``emotion``, ``n``, ``recall``, ``recall_low``, ``recall_high`` (shares, NaN where undefined), as
    ``report.metrics.per_class_table`` makes it. ``null``: a share. Data: these columns and ``null``.
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
    """First-layer filters before and after training, on one scale: mid-grey is 0, white positive, black negative.

    The random start is the null: structure that it shows as well was not learned. ``weights``, ``start``:
    (K, 1, h, w). Data: ``filter``, ``row``, ``column``, ``start``, ``weight``. Raises FigureError for other shapes.
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
        f"Two grids of {count} filters of {height} by {width} weights in grey, left at the random start, right after "
        f"training; mid-grey is zero, white is {limit:.2f}, black is −{limit:.2f}. After training the strongest is filter "
        f"{int(norms.argmax())} (norm {norms.max():.2f}), the weakest filter {int(norms.argmin())} (norm {norms.min():.2f}). "
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
