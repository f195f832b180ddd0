"""Figures of a face set: what the pictures are, before any network has seen them, and what synthetic faces
can show and photographs cannot: single action units, and one person's expressions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.faces.facs_codes import Code, format_codes
from ferbook.page.heat import heat
from ferbook.page.pictures import MOST_COLUMNS, grey_table, mosaic, picture_grid, show, thumbnail
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    listing,
    percent,
)
from synthetic_faces.facs import ACTION_UNITS
from synthetic_faces.studio import typical_aus

if TYPE_CHECKING:  # it would import the renderer
    from synthetic_faces.studio import Switched


GREY_TOLERANCE = {"mean_grey": 2.0, "contrast": 2.0}
"""By how much the renderer may differ from one machine to another."""


def typical_codes(emotion: str) -> str:
    """``typical_aus`` as FACS codes, without intensities: ``4+7+17+23``; ``L`` before an AU on the subject's
    left half only.
    """
    sides = {
        int(au.removeprefix("AU")): "L" if isinstance(level, tuple) else ""
        for au, level in typical_aus(emotion).items()
    }
    return format_codes(tuple(Code(*each) for each in sorted(sides.items())))


_SPLIT_STYLE = {
    "train": {"label": "training", "color": BLUE},
    "valid": {"label": "validation", "color": SKY, "hatch": "////"},
    "test": {"label": "test", "color": ORANGE},
}


def class_counts(faces: FaceSet) -> Drawn:
    """Pictures per emotion, stacked by split. Data: ``emotion``, ``split``, ``pictures``."""
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
        f"{listing([f'{counts[s].sum():,} {s}' for s in splits])}. "
    )
    if totals.nunique() == 1:
        alt += f"All {len(classes)} emotions have the same number of pictures, {totals.iloc[0]:,}."
    else:
        alt += (
            f"The commonest emotion is {totals.idxmax()} ({totals.max():,}), the rarest {totals.idxmin()} "
            f"({totals.min():,})."
        )
    return Drawn(figure, data, alt)


PEOPLE_AT_LEAST = 5
"""In a mean of fewer people a single one might be recognised."""


def mean_faces(faces: FaceSet, people: int = PEOPLE_AT_LEAST) -> Drawn:
    """The mean picture of each class, side by side, on one grey scale from the darkest to the lightest mean.

    A class of fewer than ``people`` people (pictures, where one of them does not say who is on it) has an
    empty place: nobody shall be recognised in a mean. 1 shows every class.

    Data: one row per class and picture row: ``emotion``, ``pictures``, ``row``, then one grey value
    (0–255) per picture column; one row of missing values for an empty place.
    """
    means, counts = {}, {}
    for emotion in faces.classes:
        chosen = np.flatnonzero(faces.table["emotion"].eq(emotion).to_numpy())
        subjects = faces.table["subject"].iloc[chosen]
        if (subjects.nunique() if subjects.ne("").all() else len(chosen)) >= people:
            means[emotion] = faces.gather(chosen).mean(axis=0)
        counts[emotion] = len(chosen)
    per_row = min(4, len(counts))
    rows = -(-len(counts) // per_row)
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
        distance = pd.Series({emotion: np.abs(mean - overall).mean() for emotion, mean in means.items()})
        alt += (
            f" Furthest from the mean of all classes is {distance.idxmax()}, by {distance.max():.1f} of 255 "
            f"grey levels per pixel, nearest {distance.idxmin()}, by {distance.min():.1f}."
        )
    return Drawn(figure, data, alt, tolerance=1.0)


def sample_grid(faces: FaceSet, samples: int, seed: int) -> Drawn:
    """``samples`` pictures of each class, one row of pictures per class, drawn at random.

    Each row shows as many different subjects as it can. Shows faces: only for sets that may
    be shown. Data: which pictures, ``emotion``, ``place``, ``picture`` (index in ``faces``), ``subject``,
    ``split``, ``mean_grey``; no pixels.
    """
    classes = faces.classes
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
        for place, picture in enumerate(_of_many_people(faces, found, samples, generator)):
            top, left = line * (height + gap), place * (width + gap)
            mosaic[top : top + height, left : left + width] = thumbnail(faces.pixels[picture], step)
            grey = round(float(faces.pixels[picture].mean()), 1)
            about = faces.table.iloc[picture][["subject", "split"]]
            rows.append([emotion, place, int(picture), *about, grey])
    columns = ["emotion", "place", "picture", "subject", "split", "mean_grey"]
    data = pd.DataFrame(rows, columns=columns)
    across = min(WIDTH - 1.1, 0.9 * samples)
    figure, axes = plt.subplots(figsize=(across + 1.1, across * mosaic.shape[0] / mosaic.shape[1] + 0.1))
    axes.imshow(mosaic, vmin=0, vmax=255)
    axes.set_yticks([line * (height + gap) + height / 2 for line in range(len(classes))], classes)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    known = data.loc[data["subject"].ne(""), "subject"].nunique()
    alt = (
        f"A grid of {len(data)} grey pictures of faces; one row per emotion, from top to bottom "
        f"{listing(list(classes))}, with up to {samples} pictures each"
        + (f", of {known} people in all." if known else ".")
    )
    return Drawn(figure, data, alt, tolerance={"mean_grey": 1.0})


def _of_many_people(
    faces: FaceSet, rows: np.ndarray, samples: int, generator: np.random.Generator
) -> np.ndarray:
    """``samples`` of ``rows``, at random, of as many different people as there are."""
    rows = generator.permutation(rows)
    subjects = faces.table["subject"].iloc[rows]
    again = subjects.duplicated() & subjects.ne("")
    return rows[np.argsort(again.to_numpy(), kind="stable")][:samples]


def au_by_emotion(faces: FaceSet) -> Drawn:
    """In which share of an emotion's pictures each AU acts, as a heat map: units downwards, emotions across.

    An empty cell is never; a dash stands where the AU was not coded in any of the emotion's pictures.

    Data: ``emotion``, ``au``, ``present`` (share of the pictures where the AU was coded that show it at any
    intensity; missing where it never was) and ``intensity`` (mean over the same pictures, 0 to 1).
    """
    units = faces.table[list(faces.aus)]
    emotion = faces.table["emotion"]
    present = units.gt(0).where(units.notna()).astype(float).groupby(emotion).mean().loc[list(faces.classes)]
    means = units.groupby(emotion).mean().loc[list(faces.classes)]
    data = pd.DataFrame(
        {
            "present": present.rename_axis(columns="au").stack(),
            "intensity": means.rename_axis(columns="au").stack(),
        }
    ).reset_index()
    counts = emotion.value_counts()
    often = []
    for name, row in present.iterrows():
        shown = [f"{au} ({percent(share)})" for au, share in row[row.ge(0.5)].items()]
        often.append(f"{name} {listing(shown or ['none'])}")
    return heat(
        data.assign(text=data["present"].map(_share_text)),
        rows="au",
        columns="emotion",
        value="present",
        measured="share of the emotion's pictures (%)",
        limits=(0, 1),
        row_names={au: f"{ACTION_UNITS[au].name}  {au}" for au in faces.aus if au in ACTION_UNITS},
        column_names={emotion: f"{emotion} ({counts[emotion]:,})" for emotion in faces.classes},
        row_label="",
        column_label="",
        alt=(
            f"Heat map of the share of pictures in which each of {len(faces.aus)} action units acts, in "
            f"{len(present)} emotions. Units that act in at least half of an emotion's pictures: "
            f"{'; '.join(often)}."
        ),
    )


def _share_text(share: float) -> str:
    """In per cent, without decimals: never 0 where there is something, nor 100 where something lacks."""
    if pd.isna(share) or share == 0:
        return ""
    if share < 0.01:
        return "<1"
    return ">99" if 0.99 < share < 1 else f"{100 * share:.0f}"


_SEEN = 12
"""Grey levels, of 255, by which two pixels must differ to count as changed: above noise and rounding."""


def portraits(pictures: np.ndarray) -> Drawn:
    """Faces of synthetic people, side by side: uint8 (N, S, S). Data: ``person``, ``mean_grey``,
    ``contrast``.
    """
    per_row = min(6, len(pictures))
    data = grey_table(pictures).rename_axis("person").reset_index()
    sheet = mosaic(pictures, per_row)
    figure, axes = plt.subplots(figsize=(WIDTH, WIDTH * sheet.shape[0] / sheet.shape[1]))
    axes.imshow(sheet, vmin=0, vmax=255)
    axes.axis("off")
    alt = (
        f"{len(pictures)} neutral faces of synthetic people in one light, {per_row} to a row. Their mean "
        f"grey lies between {data['mean_grey'].min():.0f} and {data['mean_grey'].max():.0f} of 255."
    )
    return Drawn(figure, data, alt, tolerance=GREY_TOLERANCE)


def expressions(pictures: np.ndarray, names: tuple[str, ...], codes: tuple[str, ...]) -> Drawn:
    """One person's expressions with their names and FACS ``codes`` (``4+7+17``; empty for none): uint8
    (len(names), S, S).

    Data: ``emotion``, ``facs``, ``mean_grey``, ``contrast`` and ``moved``, the share of pixels that differ
    from the first picture by more than 12 of 255 grey levels.
    """
    moved = (np.abs(pictures.astype(int) - pictures[0]) > _SEEN).mean(axis=(1, 2))
    data = grey_table(pictures).assign(moved=moved.round(4))
    data.insert(0, "emotion", names)
    data.insert(1, "facs", codes)
    per_row = min(4, len(names))
    figure, grid = picture_grid(-(-len(names) // per_row), per_row, title=0.36)
    for axes, picture, name, code in zip(grid.flat, pictures, names, codes, strict=False):
        show(axes, picture, f"{name}\n{code or 'no AU'}", size=9)
    told = [
        f"{n} ({c or 'no AU'}) {percent(m)}" for n, c, m in zip(names[1:], codes[1:], moved[1:], strict=True)
    ]
    alt = (
        f"One synthetic person with {len(names)} expressions, each with its action units. Share of the "
        f"picture that differs visibly from the {names[0]} face: {listing(told)}."
    )
    return Drawn(figure, data, alt, tolerance=GREY_TOLERANCE | {"moved": 0.02})


_DARKER, _LIGHTER = -90, 90
"""Ends of the scale of differences, in grey levels."""


def switched_units(switched: "Switched") -> Drawn:
    """Each AU alone: first the face without any, then for each AU the face with it and what it changes, with
    the outline of the region that it moves.

    Data: ``au``, ``name``, ``region`` (share of the picture), ``changed`` (share of the picture that differs
    by more than 12 of 255 grey levels), ``inside`` (share of all change, in absolute grey levels, that lies
    in the region).
    """
    per_row = 3
    figure, grid = picture_grid(-(-(len(switched.aus) + 1) // per_row), 2 * per_row, title=0.2)
    pairs = grid.reshape(-1, 2)
    show(pairs[0, 0], switched.off, "all units off", size=9)
    _draw_scale(pairs[0, 1])
    change = switched.on.astype(int) - switched.off
    names = [ACTION_UNITS[au].name if au in ACTION_UNITS else "" for au in switched.aus]
    for (face, difference), au, name, on, changed, mask in zip(
        pairs[1:], switched.aus, names, switched.on, change, switched.masks, strict=False
    ):
        show(face, on, f"{au} {name}".strip(), size=8)
        # In steps of four grey levels, which halves the stored size unseen.
        difference.imshow(4 * np.round(changed / 4), vmin=_DARKER, vmax=_LIGHTER)
        # White on black: told from every grey, on a screen and in print.
        for colour, width in ((INK, 1.4), ("white", 0.6)):
            difference.contour(mask, levels=[0.5], colors=colour, linewidths=width)
    size = np.abs(change)
    data = pd.DataFrame(
        {
            "au": switched.aus,
            "name": names,
            "region": switched.masks.mean(axis=(1, 2)).round(4),
            "changed": (size > _SEEN).mean(axis=(1, 2)).round(4),
            "inside": ((size * switched.masks).sum(axis=(1, 2)) / size.sum(axis=(1, 2))).round(4),
        }
    )
    least = data.loc[data["inside"].idxmin()]
    alt = (
        f"One person's face with all units off, then for each of {len(data)} action units the face with that "
        "unit alone at full intensity, and the difference from the first face, lighter where the face "
        "became lighter, with the outline of the region that the unit moves. On average "
        f"{percent(data['inside'].mean())} of the change lies inside the outline, least for {least['au']} "
        f"({percent(least['inside'])})."
    )
    return Drawn(figure, data, alt, tolerance=dict.fromkeys(("region", "changed", "inside"), 0.02))


def _draw_scale(axes: Axes) -> None:
    """What the greys of a difference mean, in the place of a picture."""
    ramp = np.linspace(_LIGHTER, _DARKER, 46)[:, None]
    axes.imshow(ramp, vmin=_DARKER, vmax=_LIGHTER, extent=(0, 0.18, 0.05, 0.95), aspect="equal")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0.24, 0.95, f"{_LIGHTER} grey levels\nlighter", va="top", fontsize=7, color=INK)
    axes.text(0.24, 0.5, "no change", va="center", fontsize=7, color=INK)
    axes.text(0.24, 0.05, f"{-_DARKER} darker", va="bottom", fontsize=7, color=INK)


def realised_units(
    off: np.ndarray, on: Mapping[str, np.ndarray], makehuman: tuple[float, ...] = (0, 0.5, 1)
) -> Drawn:
    """How differently muscles build an action unit: one head at rest, ``off`` uint8 (S, S), and with each AU
    at full intensity, ``on`` uint8 (len(makehuman), S, S), by the share of MakeHuman's targets in it.

    Data: ``au``, ``makehuman`` and ``change``, the root mean square of what the unit changed, in grey levels.
    """
    per_row = 3
    rows = -(-len(on) // per_row)
    figure, grid = plt.subplots(rows, per_row, figsize=(WIDTH, 0.74 * rows))
    for axes in grid.flat:
        axes.axis("off")
    for axes, (au, pictures) in zip(grid.flat, on.items(), strict=False):
        show(axes, mosaic(np.concatenate([off[None], pictures]), 1 + len(makehuman), gap=2))
        axes.set_title(f"{au} {ACTION_UNITS[au].name}", fontsize=8, loc="left", pad=2)
    change = {au: np.sqrt(((p.astype(float) - off) ** 2).mean(axis=(1, 2))).round(2) for au, p in on.items()}
    data = pd.DataFrame.from_dict(change, orient="index", columns=pd.Index(makehuman, name="makehuman"))
    spread = data.max(axis=1) / data.min(axis=1)
    alt = (
        f"One head at rest, then with each of {len(on)} action units at full intensity, built by muscles of "
        f"which {listing([f'{share:.0%}' for share in makehuman])} follow MakeHuman's targets. The strongest "
        f"build changes the picture {spread.mean():.1f} times as much as the weakest, on average, most "
        f"unequally for {spread.idxmax()} ({spread.max():.1f} times)."
    )
    data = data.rename_axis("au").stack().rename("change").reset_index()
    return Drawn(figure, data, alt, tolerance={"change": 1.0})


def face_rows(sets: Mapping[str, FaceSet], samples: int, seed: int) -> Drawn:
    """Some pictures of several sets, one row per set, at one displayed size. Shows faces: only for sets that
    may be shown.

    Data: ``set``, ``place``, ``picture`` (index in the set), ``subject``, ``emotion``, ``mean_grey``,
    ``contrast``.
    """
    generator = np.random.default_rng(seed)
    figure, grid = picture_grid(len(sets), samples)
    records = []
    for line, (name, faces) in zip(grid, sets.items(), strict=True):
        chosen = _of_many_people(faces, np.arange(len(faces)), samples, generator)
        pictures = faces.gather(chosen)
        for axes, picture in zip(line, pictures, strict=False):
            show(axes, picture)
        line[0].set_title(f"{name}, {faces.size[0]} px", fontsize=8, loc="left", pad=2)
        part = faces.table.iloc[chosen][["subject", "emotion"]].reset_index(drop=True)
        about = pd.DataFrame({"set": name, "place": range(len(chosen)), "picture": chosen})
        records.append(pd.concat([about, part, grey_table(pictures)], axis=1))
    data = pd.concat(records, ignore_index=True)
    greys = [
        f"{name} {grey:.0f}" for name, grey in data.groupby("set", sort=False)["mean_grey"].mean().items()
    ]
    alt = (
        f"{samples} pictures of each of {len(sets)} face sets, one row per set: {listing(list(sets))}. "
        f"Mean grey by set: {listing(greys)} of 255."
    )
    return Drawn(figure, data, alt, tolerance=GREY_TOLERANCE)


def unit_curves(curves: pd.DataFrame) -> Drawn:
    """When the units of clips move: a row of panels for each timing, a panel for each emotion, a line for
    each unit.

    ``curves``: as ``timing.unit_curves`` makes them. Data: ``timing``, ``emotion``, ``au``, ``apex`` and, by
    unit, ``starts`` (first at a tenth of its largest intensity), ``largest`` (first there) and ``ends`` (last
    at a tenth), all in milliseconds since the onset.
    """
    timings, emotions = curves["timing"].unique(), curves["emotion"].unique()
    figure, grid = plt.subplots(
        len(timings),
        len(emotions),
        figsize=(WIDTH, 1.9 * len(timings)),
        sharey=True,
        sharex="col",
        squeeze=False,
    )
    rows, styles = [], ("-", "--", ":", "-.")
    for (timing, emotion), part in curves.groupby(["timing", "emotion"], sort=False):
        axes = grid[list(timings).index(timing), list(emotions).index(emotion)]
        apex = part["apex"].iloc[0]
        axes.axvline(apex, color=RULE, linewidth=1, zorder=0)
        for place, (au, unit) in enumerate(part.groupby("au", sort=False)):
            moved = unit[unit["intensity"].ge(0.1 * unit["intensity"].max())]
            largest = unit.loc[unit["intensity"].idxmax()]
            colour = (BLUE, ORANGE, VERMILION, SKY, INK)[place % 5]
            axes.plot(
                unit["milliseconds"],
                unit["intensity"],
                styles[place % 4],
                color=colour,
                label=au.removeprefix("AU"),
                linewidth=1.3,
            )
            starts, ends = moved["milliseconds"].iloc[[0, -1]]
            rows.append([timing, emotion, au, apex, starts, largest["milliseconds"], ends])
        axes.set_title(emotion if timing == timings[0] else "", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=6, ncols=2, loc="upper left", handlelength=1.6, columnspacing=0.8, borderpad=0)
    # Room for the names of the units.
    grid[0, 0].set_ylim(0, 1.5 * curves["intensity"].max())
    for line, timing in zip(grid, timings, strict=True):
        line[0].set_ylabel(f"{timing.replace('_', ' ')}\nintensity", fontsize=8)
    figure.supxlabel("milliseconds since the onset; the grey line is the apex", fontsize=8)
    data = pd.DataFrame(rows, columns=["timing", "emotion", "au", "apex", "starts", "largest", "ends"]).round(
        1
    )
    told = []
    for (_, emotion), part in data.groupby(["timing", "emotion"], sort=False):
        ordered = part.sort_values("largest", kind="stable")["au"]
        if part["largest"].nunique() > 1:
            told.append(f"{emotion} {listing(list(ordered))}")
    alt = (
        f"Intensity of each action unit over time in one clip of each of {len(emotions)} expressions, "
        f"{len(timings)} rows of panels: {listing([t.replace('_', ' ') for t in timings])}. Together all "
        "units of a clip are largest at once; by unit they are largest in this order: "
        f"{'; '.join(told)}."
    )
    return Drawn(figure, data, alt, tolerance=dict.fromkeys(("apex", "starts", "largest", "ends"), 5.0))
