"""Figures of face sets: sample pictures, single action units, expressions, units by emotion and nearest
neighbours; and a face with each unit, packed for the page on FACS.
"""

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from PIL import Image

from book.faces.study import VISIBLE_CHANGE, unit_overlaps
from book.unit_faces import UnitPictures, unit_codes
from face_sets.faceset import FaceSet
from face_sets.facs_codes import Code, format_codes
from ferbook.page.heat import heat
from ferbook.page.pictures import grey_table, mosaic, picture_grid, show
from ferbook.page.style import INK, MUTED, ORANGE, VERMILION, Drawn, listing, percent
from synthetic_faces.expressions import typical_aus
from synthetic_faces.facs import AUS

if TYPE_CHECKING:  # it would import the renderer
    from synthetic_faces.studio import Switched

SMALL = 9.5
"""Points of the smallest letters: 7 on a telephone."""

GREY_TOLERANCE = {"mean_grey": 2.0, "contrast": 2.0}
"""Differences of the renderer between machines."""


def typical_codes(emotion: str) -> str:
    """Write ``typical_aus`` as FACS codes without intensities, such as ``4+7+17``; ``L``: left side only."""
    sides = {
        int(au.removeprefix("AU")): "L" if isinstance(level, tuple) else ""
        for au, level in typical_aus(emotion).items()
    }
    return format_codes(tuple(Code(*each) for each in sorted(sides.items())))


def _of_many_people(faces: FaceSet, samples: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of ``samples`` random pictures, of as many different people as possible."""
    rows = generator.permutation(len(faces))
    subjects = faces.table["subject"].iloc[rows]
    again = subjects.duplicated() & subjects.ne("")
    return rows[np.argsort(again.to_numpy(), kind="stable")][:samples]


def face_rows(sets: Mapping[str, FaceSet], caption: str, samples: int, seed: int) -> Drawn:
    """Show random pictures of several sets, a row for each; only for sets that may be shown.

    Data: ``set``, ``place``, ``picture`` (index in the set), ``subject``, ``emotion``, ``mean_grey``,
    ``contrast``.
    """
    generator = np.random.default_rng(seed)
    figure, grid = picture_grid(len(sets), samples, title=0.2)
    records = []
    for line, (name, faces) in zip(grid, sets.items(), strict=True):
        indices = _of_many_people(faces, samples, generator)
        pictures = faces.gather(indices)
        for axes, picture in zip(line, pictures, strict=False):
            show(axes, picture)
        line[0].set_title(f"{name}, {faces.size[0]} px", fontsize=SMALL, loc="left", pad=2)
        part = faces.table.iloc[indices][["subject", "emotion"]].reset_index(drop=True)
        about = pd.DataFrame({"set": name, "place": range(len(indices)), "picture": indices})
        records.append(pd.concat([about, part, grey_table(pictures)], axis=1))
    data = pd.concat(records, ignore_index=True)
    greys = [
        f"{name} {grey:.0f}" for name, grey in data.groupby("set", sort=False)["mean_grey"].mean().items()
    ]
    alt = (
        f"{samples} pictures of each of {len(sets)} face sets, one row per set: {listing(list(sets))}. "
        f"Mean grey by set: {listing(greys)} of 255."
    )
    return Drawn(figure, data, alt, caption, tolerance=GREY_TOLERANCE)


_MOST_UNITS = 12


def au_by_emotion(faces: FaceSet) -> Drawn:
    """Draw how often the ``_MOST_UNITS`` commonest units are present in each emotion, as a heat map.

    An empty cell means never, a dash that the unit was not coded in any of the emotion's pictures.

    Data: ``emotion``, ``au``, ``present`` (proportion of the coded pictures that show it at any intensity;
    missing where it was never coded) and ``intensity`` (mean over the same pictures, 0 to 1).
    """
    counts = faces.table[list(faces.aus)].gt(0).sum().sort_values(ascending=False, kind="stable")
    units = faces.table[[au for au in faces.aus if au in counts.index[:_MOST_UNITS]]]
    emotion = faces.table["emotion"]
    present = units.gt(0).where(units.notna()).astype(float).groupby(emotion).mean().loc[list(faces.classes)]
    means = units.groupby(emotion).mean().loc[list(faces.classes)]
    data = pd.DataFrame(
        {
            "present": present.rename_axis(columns="au").stack(),
            "intensity": means.rename_axis(columns="au").stack(),
        }
    ).reset_index()
    decided = [au for au, of_unit in present.items() if of_unit.isin((0, 1)).all() and of_unit.nunique() > 1]
    often = []
    for name, row in present.iterrows():
        shares = [f"{au} ({percent(share)})" for au, share in row[row.ge(0.5)].items()]
        often.append(f"{name} {listing(shares or ['none'])}")
    return heat(
        data.assign(text=data["present"].map(_share_text)),
        rows="au",
        columns="emotion",
        value="present",
        measured="pictures of the emotion that show it (%)",
        alt=(
            f"Heat map: how often each of the {units.shape[1]} commonest action units is present in the "
            f"pictures of {len(present)} emotions. At least half of the time: {'; '.join(often)}."
        ),
        caption=(
            f"How often the {units.shape[1]} commonest units are present in each emotion. Units that the "
            "emotion decides (present in all pictures of some emotions and in none of the others): "
            f"{listing(decided or ['none'])}."
        ),
    )


def _share_text(share: float) -> str:
    """Per cent without decimals, never 0 or 100 by rounding."""
    if pd.isna(share) or share == 0:
        return ""
    if share < 0.01:
        return "<1"
    return ">99" if 0.99 < share < 1 else f"{100 * share:.0f}"


def one_unit(off: np.ndarray, on: np.ndarray, region: np.ndarray, au: str) -> Drawn:
    """Show a face without and with ``au``, uint8 (S, S), the change, and its overlap with the ``region``,
    bool (S, S), that the unit moves.

    Data: ``au``; as proportions of the picture ``both``, ``change_alone``, ``region_alone``; their ``iou``.
    """
    change = on.astype(int) - off
    change_mask = np.abs(change) > VISIBLE_CHANGE
    parts = {
        "changed and moved": (change_mask & region, INK),
        "only changed": (change_mask & ~region, ORANGE),
        "only moved": (region & ~change_mask, "#BFE0F5"),
    }
    figure, grid = picture_grid(1, 4, title=0.5)
    for axes, picture, title in zip(grid[0], (off, on), (f"{au} off", "on"), strict=False):
        show(axes, picture, title, size=SMALL)
    grid[0, 2].imshow(change, vmin=_DARKER, vmax=_LIGHTER)
    overlap = np.full((*off.shape, 3), to_rgb(MUTED))
    for mask, colour in parts.values():
        overlap[mask] = to_rgb(colour)
    grid[0, 3].imshow(overlap)
    for axes, title in zip(grid[0, 2:], ("change", "overlap"), strict=True):
        axes.set_title(title, fontsize=SMALL, loc="left", pad=2)
    patches = [plt.Rectangle((0, 0), 1, 1, facecolor=colour) for _, colour in parts.values()]
    figure.legend(patches, parts, loc="outside lower center", ncols=3, fontsize=SMALL, handlelength=1)
    shares = [mask.mean() for mask, _ in parts.values()]
    iou = shares[0] / sum(shares)
    data = pd.DataFrame([[au, *shares, iou]], columns=["au", "both", "change_alone", "region_alone", "iou"])
    alt = (
        f"One face with {au} off and on, the difference of the two pictures, and its overlap with the region "
        f"that the unit moves: {percent(shares[0])} of the picture changed and moved, "
        f"{percent(shares[1])} only changed, {percent(shares[2])} only moved."
    )
    caption = (
        f"A face with {au} off and on, the change (lighter, darker), and its overlap with the region that "
        "the unit moves: where the picture changes and where the skin moves is not quite the same."
    )
    return Drawn(figure, data.round(4), alt, caption, dict.fromkeys(data.columns[1:], 0.03))


_DARKER, _LIGHTER = -90, 90
"""Limits of the scale of differences, in grey levels."""


def switched_units(stimuli: "Switched") -> Drawn:
    """Show the face without any unit, then with each unit alone, the change, and the outline of the region
    that the unit moves. Data: ``study.unit_overlaps``.
    """
    per_row = 4
    figure, grid = picture_grid(-(-(len(stimuli.aus) + 1) // per_row), 2 * per_row, title=0.2)
    pairs = grid.reshape(-1, 2)
    show(pairs[0, 0], stimuli.off, "all off", size=SMALL)
    change = stimuli.on.astype(int) - stimuli.off
    for (face, difference), au, on, own_change, mask in zip(
        pairs[1:], stimuli.aus, stimuli.on, change, stimuli.masks, strict=False
    ):
        show(face, on, au, size=SMALL)
        # In steps of four grey levels, which halves the stored size unseen.
        difference.imshow(4 * np.round(own_change / 4), vmin=_DARKER, vmax=_LIGHTER)
        # White on black differs from every grey.
        for colour, width in ((INK, 1.4), ("white", 0.6)):
            difference.contour(mask, levels=[0.5], colors=colour, linewidths=width)
    data = unit_overlaps(stimuli)
    least = data.loc[data["inside"].idxmin()]
    alt = (
        f"One person's face with all units off, then for each of {len(data)} action units the face with that "
        "unit alone at full intensity, and the difference from the first face, lighter where the face "
        "became lighter, with the outline of the region that the unit moves. On average "
        f"{percent(data['inside'].mean())} of the change lies inside the outline, least for {least['au']} "
        f"({percent(least['inside'])})."
    )
    caption = (
        f"One face with each of {len(data)} action units alone, and the change (grey: none) with the outline "
        "of the skin that the unit moves. Nothing else differs, so the unit caused the change: "
        f"{percent(data['inside'].mean())} of it lies inside the outline, the rest is mainly shadow."
    )
    tolerance = dict.fromkeys(("region", "changed", "inside", "iou", "iou_of_others"), 0.03)
    return Drawn(figure, data, alt, caption, tolerance)


def expressions(pictures: np.ndarray, names: tuple[str, ...], codes: tuple[str, ...]) -> Drawn:
    """Show one person's expressions, uint8 (len(names), S, S), with their FACS ``codes`` (empty for none).

    Data: ``emotion``, ``facs``, ``mean_grey``, ``contrast`` and ``moved``, the proportion of pixels that
    differ from the first picture by more than ``VISIBLE_CHANGE`` grey levels.
    """
    shares = (np.abs(pictures.astype(int) - pictures[0]) > VISIBLE_CHANGE).mean(axis=(1, 2))
    data = grey_table(pictures).assign(moved=shares.round(4))
    data.insert(0, "emotion", names)
    data.insert(1, "facs", codes)
    per_row = min(4, len(names))
    figure, grid = picture_grid(-(-len(names) // per_row), per_row, title=0.42)
    for axes, picture, name, code in zip(grid.flat, pictures, names, codes, strict=False):
        show(axes, picture, f"{name}\n{code or 'no AU'}", size=SMALL)
    phrases = [
        f"{n} ({c or 'no AU'}) {percent(m)}" for n, c, m in zip(names[1:], codes[1:], shares[1:], strict=True)
    ]
    alt = (
        f"One synthetic person with {len(names)} expressions, each with its action units. Proportion of the "
        f"picture that differs visibly from the {names[0]} face: {listing(phrases)}."
    )
    least, most = (names[1 + place] for place in (shares[1:].argmin(), shares[1:].argmax()))
    caption = (
        "One person with a common code of each emotion at full intensity. The expression changes most of the "
        f"picture for {most}, least for {least}."
    )
    return Drawn(figure, data, alt, caption, tolerance=GREY_TOLERANCE | {"moved": 0.02})


def nearest_pictures(faces: FaceSet, neighbours: pd.DataFrame, samples: int = 5, seed: int = 0) -> Drawn:
    """Show random pictures, and below each its nearest neighbour among all others and among other people.

    ``neighbours``: of ``study.nearest``. Data: its rows for these pictures, with the emotions.
    """
    indices = np.sort(_of_many_people(faces, samples, np.random.default_rng(seed)))
    emotion, data = faces.table["emotion"].to_numpy(), neighbours.iloc[indices].reset_index(drop=True)
    rows = {
        "picture": indices,
        "nearest of all": data["of_all"],
        "of another person": data["of_other_people"],
    }
    figure, grid = picture_grid(len(rows), samples, title=0.22)
    for line, (what, pictures) in zip(grid, rows.items(), strict=True):
        pixels = faces.gather(np.asarray(pictures))
        for axes, picture, own, right in zip(line, pixels, pictures, indices, strict=True):
            wrong = emotion[own] != emotion[right]
            look = {"fontsize": SMALL, "loc": "left", "pad": 2, "color": VERMILION if wrong else INK}
            show(axes, picture)
            axes.set_title(f"{'✗ ' * wrong}{emotion[own]}", **look)
        line[0].annotate(
            what, (-0.06, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center", fontsize=SMALL
        )
    person = neighbours["person"].to_numpy()
    same = float((person == person[neighbours["of_all"]]).mean())
    for column in ("of_all", "of_other_people"):
        data[f"{column}_emotion"] = emotion[data[column]]
    data.insert(1, "emotion", emotion[indices])
    wrong = [
        int((emotion[rows[row]] != emotion[indices]).sum()) for row in ("nearest of all", "of another person")
    ]
    alt = (
        f"{samples} random pictures; below each the nearest of all other pictures, and the nearest of other "
        f"people. Another emotion than the picture: {wrong[0]} of the former, {wrong[1]} of the latter."
    )
    caption = (
        f"{samples} random pictures of {len(faces):,}; below each the nearest of all other pictures and the "
        f"nearest of another person (✗: another emotion). Of all {len(faces):,}, {percent(same)} have as "
        "nearest picture one of the same person: a split by pictures would test on people of the training."
    )
    return Drawn(figure, data, alt, caption, tolerance=float(len(faces)))


SIZE = 96
"""Side of a picture in pixels."""

COLUMNS = len(AUS)

QUALITY = 75
"""Of WebP: the sheet takes 300 kB, a third of PNG's."""


def packed(faces: FaceSet) -> UnitPictures:
    """Pack ``faces``, made by ``book.unit_faces.unit_faces``, into one picture for the page."""
    codes = unit_codes()
    full = [codes.index({au: "E"}) for au in AUS]
    change = np.clip(128 + faces.pixels[full].astype(int) - faces.pixels[0], 0, 255)
    sheet = mosaic(np.concatenate([faces.pixels, change.astype(np.uint8)]), COLUMNS, gap=0)
    sink = io.BytesIO()
    Image.fromarray(sheet).save(sink, "webp", quality=QUALITY, method=6)
    encoded = base64.b64encode(sink.getvalue()).decode()
    return UnitPictures(size=faces.size[0], columns=COLUMNS, sheet=encoded)
