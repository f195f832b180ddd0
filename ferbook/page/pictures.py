"""Pictures inside figures: shrinking, layout and summary numbers."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ferbook.page.style import WIDTH


def thumbnail(picture: np.ndarray, step: int) -> np.ndarray:
    """Return the means of blocks, uint8 (H // step, W // step), in 64 grey levels, which halves the
    stored size without a visible change.
    """
    height, width = (side // step for side in picture.shape)
    blocks = picture[: height * step, : width * step].reshape(height, step, width, step)
    return (np.round(blocks.mean(axis=(1, 3)) / 255 * 63) / 63 * 255).astype(np.uint8)


def grey_table(pictures: np.ndarray) -> pd.DataFrame:
    """Return ``mean_grey`` and ``contrast`` (standard deviation), 0–255, of ``pictures`` (N, H, W)."""
    return pd.DataFrame(
        {"mean_grey": pictures.mean(axis=(1, 2)).round(1), "contrast": pictures.std(axis=(1, 2)).round(1)}
    )


def mosaic(pictures: np.ndarray, per_row: int, gap: int = 4) -> np.ndarray:
    """Return the pictures (N, H, W) in rows of ``per_row`` on white, as one uint8 picture."""
    height, width = pictures.shape[1:]
    rows = -(-len(pictures) // per_row)
    sheet = np.full((rows * (height + gap) - gap, per_row * (width + gap) - gap), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // per_row * (height + gap), place % per_row * (width + gap)
        sheet[top : top + height, left : left + width] = thumbnail(picture, 1)
    return sheet


def picture_grid(rows: int, columns: int, title: float = 0.17) -> tuple[Figure, np.ndarray]:
    """Return a figure of the page's width with (rows, columns) adjacent axes for square pictures, with
    ``title`` inches above each.
    """
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + title)), squeeze=False
    )
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.01, wspace=0, hspace=0)
    for axes in grid.flat:
        axes.axis("off")
    return figure, grid


def show(axes: Axes, picture: np.ndarray, title: str = "", size: float = 9.5) -> None:
    """Show a grey picture (H, W), 0–255, with a title of ``size`` points."""
    axes.imshow(thumbnail(picture, 1), vmin=0, vmax=255)
    if title:
        axes.set_title(title, fontsize=size, loc="left", pad=2)
