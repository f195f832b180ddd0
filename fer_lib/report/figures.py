"""The figures, in one style. Each function returns the figure, the numbers it shows, and what one sees.

Colours are those of Okabe and Ito, told apart by the colour-blind; hatches, dashes and direct labels carry the
difference in grey print as well. Importing this module sets the style, since part of it acts only when
a figure is saved: the same figure gives the same bytes of SVG (``savefig(…, metadata={"Date": None})``).
"""

import matplotlib

matplotlib.use("agg", force=False)

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from fer_lib.errors import FerError
from fer_lib.faces.faceset import SPLITS, FaceSet

Drawn = tuple[Figure, pd.DataFrame, str]
"""Figure; the numbers it shows, ready for a CSV; alt text."""

BLUE, SKY, ORANGE, VERMILION, GREEN = "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73"
INK, MUTED, RULE = "#222222", "#5F5F5F", "#D0D0D0"

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.8,
    "image.cmap": "gray",
    "image.interpolation": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    # Element ids in an SVG are random without it.
    "svg.hashsalt": "fer_lib.report.figures",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}
matplotlib.rcParams.update(STYLE)

WIDTH = 5.8
"""Width of a figure in inches: fills the page's column, and can still be read on a telephone."""

_MOST_COLUMNS = 720
"""Pixels across a grid of pictures: what the page's column can show. Larger pictures are averaged down."""

_SPLIT_STYLE = {
    "train": {"color": BLUE},
    "valid": {"color": SKY, "hatch": "////"},
    "test": {"color": ORANGE},
}
_SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


class FigureError(FerError):
    """What is to be drawn is empty, of the wrong shape, or lacks a column."""


def class_counts(faces: FaceSet) -> Drawn:
    """Pictures per emotion, stacked by split. Data: ``emotion``, ``split``, ``pictures``."""
    _require_pictures(faces)
    classes, splits = faces.classes, [s for s in SPLITS if faces.table["split"].eq(s).any()]
    counts = pd.crosstab(faces.table["emotion"], faces.table["split"]).loc[list(classes), splits]
    totals = counts.sum(axis=1)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.36 * len(classes)))
    left = np.zeros(len(classes))
    for split in splits:
        axes.barh(
            classes,
            counts[split],
            left=left,
            height=0.7,
            edgecolor="white",
            linewidth=0.8,
            label=_SPLIT_NAMES[split],
            **_SPLIT_STYLE[split],
        )
        left += counts[split].to_numpy()
    for place, total in enumerate(totals):
        axes.text(total + 0.01 * totals.max(), place, f"{total:,}", va="center", color=INK)
    axes.invert_yaxis()
    axes.set(xlabel="pictures", xlim=(0, 1.12 * totals.max()))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=len(splits))
    data = counts.stack().rename("pictures").reset_index()
    alt = (
        f"Horizontal bars, one per emotion, stacked by split. Of {totals.sum():,} pictures "
        f"{_listing([f'{counts[s].sum():,} are {_SPLIT_NAMES[s]}' for s in splits])}. "
    )
    if totals.nunique() == 1:
        alt += f"All {len(classes)} emotions have the same number of pictures, {totals.iloc[0]:,}."
    else:
        alt += (
            f"The commonest emotion is {totals.idxmax()} ({totals.max():,}), "
            f"the rarest {totals.idxmin()} ({totals.min():,})."
        )
    return figure, data, alt


def mean_faces(faces: FaceSet, classes: tuple[str, ...]) -> Drawn:
    """The mean picture of each class, side by side, on one grey scale from the darkest to the lightest mean.

    Nobody can be recognised in a mean of many.

    Data: one row per class and picture row: ``emotion``, ``pictures``, ``row``, then one grey value
    (0–255) per picture column. Raises FigureError for a class without pictures.
    """
    means, counts = [], []
    for emotion in classes:
        chosen = faces.table["emotion"].eq(emotion).to_numpy()
        if not chosen.any():
            raise FigureError(f"face set {faces.name!r} has no picture of {emotion!r} to average")
        means.append(faces.pixels[chosen].mean(axis=0))
        counts.append(int(chosen.sum()))
    per_row = min(4, len(classes))
    rows = -(-len(classes) // per_row)
    height, width = faces.size
    cell = WIDTH / per_row
    figure, grid = plt.subplots(
        rows, per_row, figsize=(WIDTH, rows * (cell * height / width + 0.3)), squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, emotion, mean, count in zip(grid.flat, classes, means, counts, strict=False):
        axes.imshow(mean, vmin=np.min(means), vmax=np.max(means))
        axes.set_title(f"{emotion} ({count:,})", fontsize=10, loc="center")
    data = pd.concat(
        [
            pd.DataFrame(mean.round(1)).assign(emotion=emotion, pictures=count, row=range(height))
            for emotion, mean, count in zip(classes, means, counts, strict=True)
        ],
        ignore_index=True,
    )
    data = data[["emotion", "pictures", "row", *range(width)]].rename(columns=str)
    overall = np.mean(means, axis=0)
    distance = [float(np.abs(mean - overall).mean()) for mean in means]
    alt = (
        f"{len(classes)} blurred faces, the mean picture of each emotion: "
        f"{_listing([f'{e} (of {n:,})' for e, n in zip(classes, counts, strict=True)])}."
    )
    if len(classes) > 1:
        alt += (
            f" {classes[int(np.argmax(distance))].capitalize()} differs most from the mean of all classes, by "
            f"{max(distance):.1f} of 255 grey levels per pixel, {classes[int(np.argmin(distance))]} least, "
            f"by {min(distance):.1f}."
        )
    return figure, data, alt


def sample_grid(faces: FaceSet, classes: tuple[str, ...], samples: int, seed: int) -> Drawn:
    """``samples`` pictures per class, one row of pictures per class, drawn at random.

    Each row shows as many different subjects as it can. Shows faces: only for sets that may
    be shown. Data: which pictures, ``emotion``, ``place``, ``picture`` (index in ``faces``), ``subject``, ``split``,
    ``mean_grey``; no pixels. Raises FigureError for a class without pictures.
    """
    generator = np.random.default_rng(seed)
    step = -(-samples * faces.size[1] // _MOST_COLUMNS)
    height, width = (side // step for side in faces.size)
    gap = max(1, width // 24)
    mosaic = np.full(
        (len(classes) * (height + gap) - gap, samples * (width + gap) - gap), 255, dtype=np.uint8
    )
    rows = []
    for line, emotion in enumerate(classes):
        found = np.flatnonzero(faces.table["emotion"].eq(emotion).to_numpy())
        if not len(found):
            raise FigureError(f"face set {faces.name!r} has no picture of {emotion!r} to show")
        found = generator.permutation(found)
        subjects = faces.table["subject"].iloc[found]
        again = subjects.duplicated() & subjects.ne("")
        chosen = found[np.argsort(again.to_numpy(), kind="stable")][:samples]
        for place, picture in enumerate(chosen):
            top, left = line * (height + gap), place * (width + gap)
            mosaic[top : top + height, left : left + width] = _thumbnail(faces.pixels[picture], step)
            record = faces.table.iloc[picture]
            rows.append(
                {
                    "emotion": emotion,
                    "place": place,
                    "picture": int(picture),
                    "subject": record["subject"],
                    "split": record["split"],
                    "mean_grey": round(float(faces.pixels[picture].mean()), 1),
                }
            )
    data = pd.DataFrame(rows)
    across = min(WIDTH - 1.1, 0.9 * samples)
    figure, axes = plt.subplots(figsize=(across + 1.1, across * mosaic.shape[0] / mosaic.shape[1] + 0.1))
    axes.imshow(mosaic, vmin=0, vmax=255)
    axes.set_yticks([line * (height + gap) + height / 2 for line in range(len(classes))], classes)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    known = data.loc[data["subject"].ne(""), "subject"].nunique()
    alt = (
        f"A grid of {len(data)} grey pictures of faces; one row per emotion, "
        f"from top to bottom {_listing(list(classes))}, with up to {samples} pictures each"
        + (f", of {known} people in all." if known else ".")
    )
    return figure, data, alt


def _thumbnail(picture: np.ndarray, step: int) -> np.ndarray:
    """uint8 (H // step, W // step): means of blocks, in 64 grey levels, which halves the stored size unseen."""
    height, width = (side // step for side in picture.shape)
    blocks = picture[: height * step, : width * step].reshape(height, step, width, step)
    return (np.round(blocks.mean(axis=(1, 3)) / 255 * 63) / 63 * 255).astype(np.uint8)


def learning_curve(curve: pd.DataFrame, best_epoch: int, null: float) -> Drawn:
    """Loss on training and validation split, and validation accuracy, by epoch; the chosen epoch is marked.

    ``curve``: ``epoch`` (from 1), ``train_loss``, ``valid_loss`` (nats per picture), ``valid_accuracy`` (share).
    ``null``: the validation accuracy (share) of always naming the commonest class, drawn as a line.
    Data: these columns, ``null`` and ``best``. Raises FigureError where a column or the best epoch is absent.
    """
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    _require_columns(curve, columns)
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
    loss.set(title="Loss", ylabel="cross-entropy (nats per picture)", ylim=(0, None))
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
    accuracy.set_xlabel(f"epoch (chosen: {best_epoch}, {_percent(best['valid_accuracy'])})")
    for axes in (loss, accuracy):
        axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=":")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y")
        if len(data) == 1:
            axes.set_xlim(0, 2)
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the loss: on the training split it goes from {first['train_loss']:.2f} to "
        f"{last['train_loss']:.2f}, on the validation split from {first['valid_loss']:.2f} to {last['valid_loss']:.2f}. Right, the accuracy "
        f"on the validation split: from {_percent(first['valid_accuracy'])} to {_percent(last['valid_accuracy'])}; "
        f"a dashed line marks always naming the commonest class, at {_percent(null)}. "
        f"A dotted line marks epoch {best_epoch}, the one chosen, with {_percent(best['valid_accuracy'])}."
    )
    return figure, data, alt


def confusion_matrix(matrix: pd.DataFrame) -> Drawn:
    """Confusion as a heat map, each row a true class, in per cent of that row.

    ``matrix``: counts (K, K), index the true class, columns the predicted one, in the same order. Data: ``true``,
    ``predicted``, ``count``, ``share`` (missing where a class does not occur). Raises FigureError for other shapes.
    """
    if list(matrix.index) != list(matrix.columns) or matrix.empty:
        raise FigureError("a confusion matrix has the same classes, in the same order, as rows and columns")
    counts = matrix.rename_axis(index="true", columns="predicted")
    totals = counts.sum(axis=1)
    shares = counts.div(totals.where(totals > 0), axis=0)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.52 * len(counts)))
    sns.heatmap(
        100 * shares,
        ax=axes,
        cmap="Blues",
        vmin=0,
        vmax=100,
        annot=shares.map(lambda s: "" if pd.isna(s) or s == 0 else f"{100 * s:.0f}"),
        fmt="",
        linewidths=0.8,
        linecolor="white",
        cbar_kws={"label": "share of the true class (%)"},
    )
    axes.set(xlabel="predicted", ylabel="true (number of pictures)")
    axes.set_yticklabels([f"{name} ({total:,})" for name, total in totals.items()], rotation=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    data = counts.stack().rename("count").reset_index().assign(share=shares.to_numpy().ravel())
    recall = pd.Series(np.diag(shares), index=counts.index).dropna()
    wrong = data[data["true"].ne(data["predicted"]) & data["count"].gt(0)].sort_values(
        "share", ascending=False, kind="stable"
    )
    alt = f"Heat map of {len(counts)} true by {len(counts)} predicted emotions, {totals.sum():,} pictures. On the diagonal, the share named rightly"
    if len(recall):
        alt += (
            f" is highest for {recall.idxmax()} ({_percent(recall.max())}) and lowest for {recall.idxmin()} "
            f"({_percent(recall.min())})"
        )
    alt += ". "
    if len(wrong):
        worst = [
            f"{row.true} taken for {row.predicted} ({_percent(row.share)})"
            for row in wrong.head(3).itertuples()
        ]
        alt += f"The most frequent confusions: {_listing(worst)}."
    else:
        alt += "No picture is confused."
    return figure, data, alt


def per_class_bars(table: pd.DataFrame, null: float, null_name: str = "guessing") -> Drawn:
    """Recall of each class with its interval, and the recall that the null gives as a line.

    ``table``: ``emotion``, ``n``, ``recall``, ``recall_low``, ``recall_high`` (shares, NaN where undefined), as
    ``report.metrics.per_class_table`` makes it. ``null``: a share. Data: these columns and ``null``.
    """
    columns = ["emotion", "n", "recall", "recall_low", "recall_high"]
    _require_columns(table, columns)
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
    axes.axvline(null, color=VERMILION, linestyle="--", linewidth=1.5, label=f"{null_name}: {_percent(null)}")
    axes.set_yticks(place, [f"{row.emotion} ({row.n:,})" for row in data.itertuples()])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="recall, with its 95 % interval")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left")
    return figure, data, _recall_alt(data, null, null_name)


def _recall_alt(data: pd.DataFrame, null: float, null_name: str) -> str:
    alt = "Horizontal bars of recall by emotion: "
    alt += _listing(
        [
            f"{row.emotion} "
            + (
                "without pictures"
                if pd.isna(row.recall)
                else _percent(row.recall)
                + (
                    ""
                    if pd.isna(row.recall_low)
                    else f" ({100 * row.recall_low:.0f}–{100 * row.recall_high:.0f})"
                )
            )
            for row in data.itertuples()
        ]
    )
    alt += f". A dashed line marks {null_name} at {_percent(null)}"
    if data["recall_low"].isna().all():
        return f"{alt}; no interval could be computed."
    unclear = data.loc[data["recall_low"].le(null) & data["recall_high"].ge(null), "emotion"]
    if len(unclear):
        return f"{alt}; the interval of {_listing(list(unclear))} includes it."
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


def au_by_emotion(faces: FaceSet) -> Drawn:
    """In which share of an emotion's pictures each AU acts, as a heat map: neither 0 nor 100 % is left to chance.

    Data: ``emotion``, ``au``, ``present`` (share of the pictures where the AU was coded that show it at any
    intensity; missing where it never was) and ``intensity`` (mean over the same pictures, 0 to 1).
    Raises FigureError where the face set has no AU columns.
    """
    _require_pictures(faces)
    if not faces.aus:
        raise FigureError(f"face set {faces.name!r} has no action units: its table lacks columns AU1, AU2 …")
    units = faces.table[list(faces.aus)]
    emotion = faces.table["emotion"]
    present = units.gt(0).where(units.notna()).astype(float).groupby(emotion).mean().loc[list(faces.classes)]
    means = units.groupby(emotion).mean().loc[list(faces.classes)]
    figure, axes = plt.subplots(figsize=(WIDTH, 1.7 + 0.36 * len(present)))
    sns.heatmap(
        100 * present,
        ax=axes,
        cmap="Blues",
        vmin=0,
        vmax=100,
        annot=present.map(lambda share: "" if pd.isna(share) or share < 0.015 else f"{100 * share:.0f}"),
        fmt="",
        annot_kws={"size": 6.5},
        linewidths=0.8,
        linecolor="white",
        cbar_kws={
            "label": "share of the emotion's pictures (%)",
            "orientation": "horizontal",
            "shrink": 0.6,
            "aspect": 40,
        },
    )
    axes.set_xticks(np.arange(len(faces.aus)) + 0.5, [au.removeprefix("AU") for au in faces.aus], rotation=0)
    axes.set(xlabel="action unit", ylabel="")
    axes.tick_params(length=0)
    axes.tick_params(axis="x", labelsize=8)
    plt.setp(axes.get_yticklabels(), rotation=0)
    data = pd.DataFrame(
        {
            "present": present.rename_axis(columns="au").stack(),
            "intensity": means.rename_axis(columns="au").stack(),
        }
    ).reset_index()
    often = [
        f"{emotion} {_listing([f'{au} ({_percent(share)})' for au, share in row[row.ge(0.5)].items()] or ['none'])}"
        for emotion, row in present.iterrows()
    ]
    alt = (
        f"Heat map of the share of pictures in which each of {len(faces.aus)} action units acts, in {len(present)} emotions. "
        f"Units that act in at least half of an emotion's pictures: {'; '.join(often)}."
    )
    return figure, data, alt


def _require_pictures(faces: FaceSet) -> None:
    if not len(faces):
        raise FigureError(f"face set {faces.name!r} holds no pictures to draw")


def _require_columns(table: pd.DataFrame, columns: list[str]) -> None:
    absent = [name for name in columns if name not in table.columns]
    if absent or table.empty:
        what = f"lacks {', '.join(absent)}" if absent else "has no rows"
        raise FigureError(f"the table to draw {what}; it needs {', '.join(columns)}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _listing(parts: list[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
