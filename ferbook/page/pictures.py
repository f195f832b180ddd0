"""Pictures inside figures: how they are shrunk, laid out and described in numbers."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_lib.faces.faceset import FaceSet
from ferbook.page.style import WIDTH, Drawn, FigureError, listing

if TYPE_CHECKING:  # it would import the renderer
    pass


MOST_COLUMNS = 720
"""Pixels across a grid of pictures: what the page's column can show. Larger pictures are averaged down."""


def require_pictures(faces: FaceSet) -> None:
    if not len(faces):
        raise FigureError(f"face set {faces.name!r} holds no pictures to draw")


def require_classes(faces: FaceSet, classes: tuple[str, ...]) -> None:
    if not classes:
        raise FigureError(f"face set {faces.name!r} names no emotion: there is no class to draw")


def thumbnail(picture: np.ndarray, step: int) -> np.ndarray:
    """uint8 (H // step, W // step): means of blocks, in 64 grey levels, which halves the stored size unseen."""
    height, width = (side // step for side in picture.shape)
    blocks = picture[: height * step, : width * step].reshape(height, step, width, step)
    return (np.round(blocks.mean(axis=(1, 3)) / 255 * 63) / 63 * 255).astype(np.uint8)


def grey_table(pictures: np.ndarray) -> pd.DataFrame:
    """``mean_grey`` and ``contrast`` (standard deviation), 0–255, of each of pictures (N, H, W)."""
    return pd.DataFrame(
        {
            "mean_grey": pictures.mean(axis=(1, 2)).round(1),
            "contrast": pictures.std(axis=(1, 2)).round(1),
        }
    )


def mosaic(pictures: np.ndarray, per_row: int, gap: int = 4) -> np.ndarray:
    """uint8: the pictures in rows of ``per_row`` on white."""
    height, width = pictures.shape[1:]
    rows = -(-len(pictures) // per_row)
    sheet = np.full((rows * (height + gap) - gap, per_row * (width + gap) - gap), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // per_row * (height + gap), place % per_row * (width + gap)
        sheet[top : top + height, left : left + width] = thumbnail(picture, 1)
    return sheet


def picture_grid(rows: int, columns: int, title: float = 0.17) -> tuple[Figure, np.ndarray]:
    """A figure of the page's width with (rows, columns) close-set axes for square pictures, each with
    ``title`` inches above.
    """
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + title)), squeeze=False
    )
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.01, wspace=0, hspace=0)
    for axes in grid.flat:
        axes.axis("off")
    return figure, grid


def show(axes: Axes, picture: np.ndarray, title: str = "", size: float = 8) -> None:
    """A grey picture (H, W), 0–255, with a small title of ``size`` points."""
    axes.imshow(thumbnail(picture, 1), vmin=0, vmax=255)
    if title:
        axes.set_title(title, fontsize=size, loc="left", pad=2)


def clip_strip(clip: FaceSet, columns: int = 8) -> Drawn:
    """Frames of one sequence, the apex among them where it is known, and below each its difference from the
    first, four times enlarged.

    Data: ``frame``, ``milliseconds`` since the first frame (missing where the rate is unknown), ``apex``
    (whether it is), ``change`` (mean absolute difference from the first frame in grey levels), and the
    intensity of each AU that acts in the clip.
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
        f"{len(data)} frames of one sequence labelled {table['emotion'].iloc[-1]}, and below each its "
        "difference from the first, four times "
        f"enlarged. The difference is largest at frame {most['frame']:.0f}, {most['change']:.1f} of 255 "
        "grey levels per pixel on average. "
        f"Units that act: {listing(acting or ['none'])}."
    )
    return figure, data, alt
