"""Figures of a face set: what the pictures are, before any network has seen them."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.faces.synthetic.facs import ACTION_UNITS
from fer_lib.report.figures.cells import draw_cells
from fer_lib.report.figures.pictures import MOST_COLUMNS, require_classes, require_pictures, thumbnail
from fer_lib.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SKY,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
)

_SPLIT_STYLE = {
    "train": {"color": BLUE},
    "valid": {"color": SKY, "hatch": "////"},
    "test": {"color": ORANGE},
}
_SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}


def class_counts(faces: FaceSet) -> Drawn:
    """Pictures per emotion, stacked by split. Data: ``emotion``, ``split``, ``pictures``."""
    require_pictures(faces)
    require_classes(faces, faces.classes)
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
        f"{listing([f'{counts[s].sum():,} are {_SPLIT_NAMES[s]}' for s in splits])}. "
    )
    if totals.nunique() == 1:
        alt += f"All {len(classes)} emotions have the same number of pictures, {totals.iloc[0]:,}."
    else:
        alt += (
            f"The commonest emotion is {totals.idxmax()} ({totals.max():,}), "
            f"the rarest {totals.idxmin()} ({totals.min():,})."
        )
    return figure, data, alt


PEOPLE_AT_LEAST = 5
"""In a mean of fewer people a single one might be recognised."""


def mean_faces(faces: FaceSet, classes: tuple[str, ...], people: int = PEOPLE_AT_LEAST) -> Drawn:
    """The mean picture of each class, side by side, on one grey scale from the darkest to the lightest mean.

    A class of fewer than ``people`` people (pictures, where one of them does not say who is on it) has an empty place: nobody shall be recognised in a
    mean. 1 shows every class.

    Data: one row per class and picture row: ``emotion``, ``pictures``, ``row``, then one grey value
    (0–255) per picture column; one row of missing values for an empty place. Raises FigureError for a class without pictures, and without classes.
    """
    require_pictures(faces)
    require_classes(faces, classes)
    means, counts = {}, {}
    for emotion in classes:
        chosen = np.flatnonzero(faces.table["emotion"].eq(emotion).to_numpy())
        if not len(chosen):
            raise FigureError(f"face set {faces.name!r} has no picture of {emotion!r} to average")
        subjects = faces.table["subject"].iloc[chosen]
        if (subjects.nunique() if subjects.ne("").all() else len(chosen)) >= people:
            means[emotion] = faces.gather(chosen).mean(axis=0)
        counts[emotion] = len(chosen)
    per_row = min(4, len(classes))
    rows = -(-len(classes) // per_row)
    height, width = faces.size
    cell = WIDTH / per_row
    figure, grid = plt.subplots(
        rows, per_row, figsize=(WIDTH, rows * (cell * height / width + 0.3)), squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    scale = {"vmin": np.min(list(means.values())), "vmax": np.max(list(means.values()))} if means else {}
    parts = []
    for axes, (emotion, count) in zip(grid.flat, counts.items(), strict=False):
        axes.set_title(f"{emotion} ({count:,})", fontsize=10, loc="center")
        if emotion in means:
            axes.imshow(means[emotion], **scale)
            part = pd.DataFrame(means[emotion].round(1)).assign(row=range(height))
        else:
            axes.text(0.5, 0.5, f"fewer than\n{people} people", ha="center", va="center", color=MUTED)
            part = pd.DataFrame({column: [np.nan] for column in (*range(width), "row")})
        parts.append(part.assign(emotion=emotion, pictures=count))
    data = pd.concat(parts, ignore_index=True)
    data = data[["emotion", "pictures", "row", *range(width)]].rename(columns=str)
    alt = (
        f"{len(means)} blurred faces, the mean picture of each emotion: "
        f"{listing([f'{e} (of {counts[e]:,})' for e in means] or ['none'])}."
    )
    if len(means) < len(counts):
        alt += (
            f" Not shown, for fewer than {people} people: {listing([e for e in counts if e not in means])}."
        )
    if len(means) > 1:
        overall = np.mean(list(means.values()), axis=0)
        distance = {emotion: float(np.abs(mean - overall).mean()) for emotion, mean in means.items()}
        most, least = max(distance, key=distance.get), min(distance, key=distance.get)
        alt += (
            f" {most.capitalize()} differs most from the mean of all classes, by "
            f"{distance[most]:.1f} of 255 grey levels per pixel, {least} least, by {distance[least]:.1f}."
        )
    return figure, data, alt


def sample_grid(faces: FaceSet, classes: tuple[str, ...], samples: int, seed: int) -> Drawn:
    """``samples`` pictures per class, one row of pictures per class, drawn at random.

    Each row shows as many different subjects as it can. Shows faces: only for sets that may
    be shown. Data: which pictures, ``emotion``, ``place``, ``picture`` (index in ``faces``), ``subject``, ``split``,
    ``mean_grey``; no pixels. Raises FigureError for a class without pictures.
    """
    generator = np.random.default_rng(seed)
    step = -(-samples * faces.size[1] // MOST_COLUMNS)
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
            mosaic[top : top + height, left : left + width] = thumbnail(faces.pixels[picture], step)
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
        f"from top to bottom {listing(list(classes))}, with up to {samples} pictures each"
        + (f", of {known} people in all." if known else ".")
    )
    return figure, data, alt


def au_by_emotion(faces: FaceSet) -> Drawn:
    """In which share of an emotion's pictures each AU acts, as a heat map: units downwards, emotions across.

    An empty cell is never; a dash stands where the AU was not coded in any of the emotion's pictures.

    Data: ``emotion``, ``au``, ``present`` (share of the pictures where the AU was coded that show it at any
    intensity; missing where it never was) and ``intensity`` (mean over the same pictures, 0 to 1).
    Raises FigureError where the face set has no AU columns or no emotions.
    """
    require_pictures(faces)
    if not faces.aus:
        raise FigureError(f"face set {faces.name!r} has no action units: its table lacks columns AU1, AU2 …")
    require_classes(faces, faces.classes)
    units = faces.table[list(faces.aus)]
    emotion = faces.table["emotion"]
    present = units.gt(0).where(units.notna()).astype(float).groupby(emotion).mean().loc[list(faces.classes)]
    means = units.groupby(emotion).mean().loc[list(faces.classes)]
    figure, axes = plt.subplots(figsize=(WIDTH, 1.9 + 0.25 * len(faces.aus)))
    bar = {"orientation": "horizontal", "shrink": 0.8, "aspect": 40, "pad": 0.02}
    draw_cells(axes, present.T, present.T.map(_share_text), "share of the emotion's pictures (%)", **bar)
    # seaborn leaves the cells out whose value is missing.
    for row, column in np.argwhere(present.T.isna().to_numpy()):
        axes.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=MUTED, fontsize=9)
    counts = emotion.value_counts()
    axes.xaxis.tick_top()
    axes.set_xticks(
        np.arange(len(present)) + 0.5,
        [f"{e} ({counts[e]:,})" for e in present.index],
        rotation=35,
        ha="left",
        rotation_mode="anchor",
    )
    names = [f"{ACTION_UNITS[au].name}  {au}" if au in ACTION_UNITS else au for au in faces.aus]
    axes.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0, labelsize=9)
    data = pd.DataFrame(
        {
            "present": present.rename_axis(columns="au").stack(),
            "intensity": means.rename_axis(columns="au").stack(),
        }
    ).reset_index()
    often = [
        f"{emotion} {listing([f'{au} ({percent(share)})' for au, share in row[row.ge(0.5)].items()] or ['none'])}"
        for emotion, row in present.iterrows()
    ]
    alt = (
        f"Heat map of the share of pictures in which each of {len(faces.aus)} action units acts, in {len(present)} emotions. "
        f"Units that act in at least half of an emotion's pictures: {'; '.join(often)}."
    )
    return figure, data, alt


def _share_text(share: float) -> str:
    """In per cent, without decimals: never 0 where there is something, nor 100 where something lacks."""
    if pd.isna(share) or share == 0:
        return ""
    if share < 0.01:
        return "<1"
    return ">99" if 0.99 < share < 1 else f"{100 * share:.0f}"
