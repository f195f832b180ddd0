"""Figures of what synthetic faces can show and photographs cannot: single action units, and one person's all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from fer_lib.faces.faceset import FaceSet
from fer_lib.report.figures.pictures import grey_table, mosaic, picture_grid, require_pictures, show
from fer_lib.report.figures.style import VERMILION, WIDTH, Drawn, listing, percent

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


def expressions(pictures: np.ndarray, names: tuple[str, ...]) -> Drawn:
    """One person's expressions with their names: uint8 (len(names), S, S).

    Data: ``emotion``, ``mean_grey``, ``contrast`` and ``moved``, the share of pixels that differ from the first picture by more
    than 12 of 255 grey levels.
    """
    moved = (np.abs(pictures.astype(int) - pictures[0]) > _SEEN).mean(axis=(1, 2))
    data = grey_table(pictures).assign(moved=moved.round(4))
    data.insert(0, "emotion", names)
    per_row = min(4, len(names))
    figure, grid = picture_grid(-(-len(names) // per_row), per_row)
    for axes, picture, name in zip(grid.flat, pictures, names, strict=False):
        show(axes, picture, name)
    told = [f"{n} {percent(m)}" for n, m in zip(names[1:], moved[1:], strict=True)]
    alt = (
        f"One synthetic person with {len(names)} expressions. Share of the picture that differs visibly from "
        f"the {names[0]} face: {listing(told)}."
    )
    return figure, data, alt


def switched_units(switched: "Switched") -> Drawn:
    """Each AU alone: the face with it, and what it changes, with the outline of the region that it moves.

    Data: ``au``, ``region`` (share of the picture), ``changed`` (share of the picture that differs by more than 12 of 255 grey
    levels), ``inside`` (share of all change, in absolute grey levels, that lies in the region).
    """
    per_row = 4
    rows = -(-len(switched.aus) // per_row)
    figure, grid = picture_grid(rows, 2 * per_row)
    change = switched.on.astype(int) - switched.off
    for place, au in enumerate(switched.aus):
        face, difference = grid[place // per_row, 2 * (place % per_row) : 2 * (place % per_row) + 2]
        show(face, switched.on[place], au)
        difference.imshow(change[place] // 4 * 4, vmin=-90, vmax=90, cmap="gray")
        difference.contour(switched.masks[place], levels=[0.5], colors=VERMILION, linewidths=0.7)
    size = np.abs(change)
    data = pd.DataFrame(
        {
            "au": switched.aus,
            "region": switched.masks.mean(axis=(1, 2)).round(4),
            "changed": (size > _SEEN).mean(axis=(1, 2)).round(4),
            "inside": ((size * switched.masks).sum(axis=(1, 2)) / size.sum(axis=(1, 2))).round(4),
        }
    )
    least = data.loc[data["inside"].idxmin()]
    alt = (
        f"For each of {len(data)} action units the face of one person with that unit alone at full intensity, and the difference from "
        f"the neutral face, lighter where the face became lighter, with the outline of the region that the unit moves. On average "
        f"{percent(data['inside'].mean())} of the change lies inside the outline, least for {least['au']} ({percent(least['inside'])})."
    )
    return figure, data, alt


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
    """Frames of one sequence, and below each its difference from the first frame, four times enlarged.

    Data: ``frame``, ``milliseconds`` since the first frame (missing where the rate is unknown), ``change`` (mean absolute difference from
    the first frame in grey levels), and the intensity of each AU that acts.
    """
    order = np.argsort(clip.table["frame"].to_numpy(), kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, columns).round().astype(int))]
    pictures, table = clip.gather(chosen), clip.table.iloc[chosen].reset_index(drop=True)
    change = pictures.astype(int) - pictures[0]
    acting = [au for au in clip.aus if table[au].gt(0).any()]
    rate = table.get("fps", np.nan)
    data = pd.DataFrame(
        {
            "frame": table["frame"],
            "milliseconds": 1000 * (table["frame"] - table["frame"].iloc[0]) / rate,
            "change": np.abs(change).mean(axis=(1, 2)).round(3),
            **{au: table[au].round(3) for au in acting},
        }
    )
    figure, grid = picture_grid(2, len(chosen), title=0.08)
    for place in range(len(chosen)):
        show(grid[0, place], pictures[place], str(data["frame"][place]))
        grid[1, place].imshow(np.clip(4 * change[place], -127, 127) // 4 * 4, vmin=-127, vmax=127)
    most = data.loc[data["change"].idxmax()]
    alt = (
        f"{len(data)} frames of one sequence labelled {table['emotion'].iloc[-1]}, and below each its difference from the first, four times "
        f"enlarged. The difference is largest at frame {most['frame']:.0f}, {most['change']:.1f} of 255 grey levels per pixel on average. "
        f"Units that act: {listing(acting or ['none'])}."
    )
    return figure, data, alt
