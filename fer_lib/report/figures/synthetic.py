"""Figures of what synthetic faces can show and photographs cannot: single action units, and one person's all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.synthetic.facs import ACTION_UNITS
from fer_lib.report.figures.pictures import grey_table, mosaic, picture_grid, require_pictures, show
from fer_lib.report.figures.style import INK, WIDTH, Drawn, listing, percent

if TYPE_CHECKING:  # it would import the renderer
    from fer_lib.faces.synthetic.stage import Switched

_SEEN = 12
"""Grey levels, of 255, by which two pixels must differ to count as changed: above noise and rounding."""


def portraits(pictures: np.ndarray) -> Drawn:
    """Faces of synthetic people, side by side: uint8 (N, S, S). Data: ``person``, ``mean_grey``, ``contrast``."""
    per_row = min(6, len(pictures))
    data = grey_table(pictures).rename_axis("person").reset_index()
    sheet = mosaic(pictures, per_row)
    figure, axes = plt.subplots(figsize=(WIDTH, WIDTH * sheet.shape[0] / sheet.shape[1]))
    axes.imshow(sheet, vmin=0, vmax=255)
    axes.axis("off")
    alt = (
        f"{len(pictures)} neutral faces of synthetic people in one light, {per_row} to a row. Their mean grey lies "
        f"between {data['mean_grey'].min():.0f} and {data['mean_grey'].max():.0f} of 255."
    )
    return figure, data, alt


def expressions(pictures: np.ndarray, names: tuple[str, ...], codes: tuple[str, ...]) -> Drawn:
    """One person's expressions with their names and FACS ``codes`` (``4+7+17``; empty for none): uint8 (len(names), S, S).

    Data: ``emotion``, ``facs``, ``mean_grey``, ``contrast`` and ``moved``, the share of pixels that differ from the first picture by more
    than 12 of 255 grey levels.
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
        f"One synthetic person with {len(names)} expressions, each with its action units. Share of the picture that differs visibly from "
        f"the {names[0]} face: {listing(told)}."
    )
    return figure, data, alt


_DARKER, _LIGHTER = -90, 90
"""Ends of the scale of differences, in grey levels."""


def switched_units(switched: "Switched") -> Drawn:
    """Each AU alone: first the face without any, then for each AU the face with it and what it changes, with the outline of the
    region that it moves.

    Data: ``au``, ``name``, ``region`` (share of the picture), ``changed`` (share of the picture that differs by more than 12 of 255 grey
    levels), ``inside`` (share of all change, in absolute grey levels, that lies in the region).
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
        f"One person's face with all units off, then for each of {len(data)} action units the face with that unit alone at full intensity, and the "
        f"difference from the first face, lighter where the face became lighter, with the outline of the region that the unit moves. On average "
        f"{percent(data['inside'].mean())} of the change lies inside the outline, least for {least['au']} ({percent(least['inside'])})."
    )
    return figure, data, alt


def _draw_scale(axes: Axes) -> None:
    """What the greys of a difference mean, in the place of a picture."""
    ramp = np.linspace(_LIGHTER, _DARKER, 46)[:, None]
    axes.imshow(ramp, vmin=_DARKER, vmax=_LIGHTER, extent=(0, 0.18, 0.05, 0.95), aspect="equal")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for height, text in (
        (0.95, f"{_LIGHTER} grey levels\nlighter"),
        (0.5, "no change"),
        (0.05, f"{-_DARKER} darker"),
    ):
        place = {0.95: "top", 0.5: "center", 0.05: "bottom"}[height]
        axes.text(0.24, height, text, va=place, fontsize=7, color=INK)


def face_rows(sets: Mapping[str, FaceSet], samples: int, seed: int) -> Drawn:
    """Some pictures of several sets, one row per set, at one displayed size. Shows faces: only for sets that may be shown.

    Data: ``set``, ``place``, ``picture`` (index in the set), ``subject``, ``emotion``, ``mean_grey``, ``contrast``.
    """
    generator = np.random.default_rng(seed)
    figure, grid = picture_grid(len(sets), samples)
    records = []
    for line, (name, faces) in zip(grid, sets.items(), strict=True):
        require_pictures(faces)
        chosen = generator.permutation(len(faces))
        again = faces.table["subject"].iloc[chosen].duplicated().to_numpy()
        chosen = chosen[np.argsort(again, kind="stable")][:samples]
        pictures = faces.gather(chosen)
        for axes, picture in zip(line, pictures, strict=False):
            show(axes, picture)
        line[0].set_title(f"{name}, {faces.size[0]} px", fontsize=8, loc="left", pad=2)
        part = faces.table.iloc[chosen][["subject", "emotion"]].reset_index(drop=True)
        part = pd.concat([part, grey_table(pictures)], axis=1)
        part.insert(0, "picture", chosen)
        records.append(part.rename_axis("place").reset_index().assign(set=name))
    data = pd.concat(records, ignore_index=True)
    data = data[["set", *(c for c in data.columns if c != "set")]]
    alt = (
        f"{samples} pictures of each of {len(sets)} face sets, one row per set: {listing(list(sets))}. "
        f"Mean grey by set: {listing([f'{n} {g:.0f}' for n, g in data.groupby('set', sort=False)['mean_grey'].mean().items()])} of 255."
    )
    return figure, data, alt


def clip_strip(clip: FaceSet, columns: int = 8) -> Drawn:
    """Frames of one sequence, the apex among them where it is known, and below each its difference from the first, four times enlarged.

    Data: ``frame``, ``milliseconds`` since the first frame (missing where the rate is unknown), ``apex`` (whether it is), ``change`` (mean
    absolute difference from the first frame in grey levels), and the intensity of each AU that acts in the clip.
    """
    order = np.argsort(clip.table["frame"].to_numpy(), kind="stable")
    table = clip.table.iloc[order].reset_index(drop=True)
    places = np.unique(np.linspace(0, len(order) - 1, columns).round().astype(int))
    is_apex = table["frame"].eq(table.get("apex", pd.Series(np.nan, table.index))).to_numpy()
    # The first frame is what the others are compared with: it stays.
    if is_apex.any() and len(places) > 1 and (apex := int(is_apex.argmax())) not in places:
        places[1 + np.abs(places[1:] - apex).argmin()] = apex
    pictures, is_apex = clip.gather(order[places]), is_apex[places]
    acting = [au for au in clip.aus if table[au].gt(0).any()]
    table = table.iloc[places].reset_index(drop=True)
    change = pictures.astype(int) - pictures[0]
    data = pd.DataFrame(
        {
            "frame": table["frame"],
            "milliseconds": 1000 * (table["frame"] - table["frame"].iloc[0]) / table.get("fps", np.nan),
            "apex": is_apex,
            "change": np.abs(change).mean(axis=(1, 2)).round(3),
            **{au: table[au].round(3) for au in acting},
        }
    )
    timed = data["milliseconds"].notna().all()
    figure, grid = picture_grid(2, len(places), title=0.16)
    for place, (picture, difference) in enumerate(zip(pictures, change, strict=True)):
        when = f"{data['milliseconds'][place]:.0f} ms" if timed else str(data["frame"][place])
        show(grid[0, place], picture, when, size=8)
        grid[1, place].imshow(4 * np.round(difference), vmin=-127, vmax=127)
        if is_apex[place]:
            grid[1, place].set_title("apex", fontsize=8, loc="left", pad=2)
    most = data.loc[data["change"].idxmax()]
    alt = (
        f"{len(data)} frames of one sequence labelled {table['emotion'].iloc[-1]}, and below each its difference from the first, four times "
        f"enlarged. The difference is largest at frame {most['frame']:.0f}, {most['change']:.1f} of 255 grey levels per pixel on average. "
        f"Units that act: {listing(acting or ['none'])}."
    )
    return figure, data, alt
