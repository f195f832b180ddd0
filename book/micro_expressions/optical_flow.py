"""Optical flow: how far each part of a face has moved, without a network (Farnebäck 2003).

The plain rival of learned features: if an expression is movement, its field of displacements from the onset
to the apex should name it.
"""

import cv2
import numpy as np

from fer_lib.faces.clips import Clips

FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 9,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.1,
    "flags": 0,
}
"""What OpenCV's ``calcOpticalFlowFarneback`` is given: its usual neighbourhood of 5 pixels, and a window of
9, a fifth of a face of 48 pixels.
"""

MARGIN = 8
"""Pixels by which pictures are mirrored beyond their edges: without, equal pictures seem to move by up to 0.4
pixels near the right and the lower edge.
"""

CELLS = 6
"""Cells of the grid along each side over which displacements are averaged: 8 × 8 pixels each at 48 pixels."""


def displacements(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float32 (N, H, W, 2): for each pixel of ``first`` uint8 (N, H, W) how far to the right and down it lies
    in ``second``, in pixels.

    The median displacement of each picture is taken off: where the whole head has moved, no muscle has.
    """
    flow = np.empty((*first.shape, 2), np.float32)
    height, width = first.shape[1:]
    for number, pair in enumerate(zip(first, second, strict=True)):
        wider = (cv2.copyMakeBorder(picture, *(MARGIN,) * 4, cv2.BORDER_REFLECT_101) for picture in pair)
        field = cv2.calcOpticalFlowFarneback(*wider, None, **FARNEBACK)
        flow[number] = field[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    return flow - np.median(flow, axis=(1, 2), keepdims=True)


def flow_features(clips: Clips, at: np.ndarray, cells: int = CELLS) -> np.ndarray:
    """float32 (C, ``cells``² · 3): the displacements from the onset to the picture ``at`` int (C,), its place
    in each clip, averaged over a grid.

    For each cell, in reading order, the mean displacement to the right, that down, and the mean length, in
    pixels. Sides that ``cells`` does not divide give cells that differ by a pixel.
    """
    height, width = clips.faces.size
    frames = clips.rows[np.arange(len(clips)), at]
    flow = displacements(clips.faces.gather(clips.rows[:, 0]), clips.faces.gather(frames))
    field = np.concatenate([flow, np.linalg.norm(flow, axis=-1, keepdims=True)], axis=-1)
    down, across = (np.arange(cells + 1) * side // cells for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(field, down[:-1], axis=1), across[:-1], axis=2)
    means = sums / np.outer(np.diff(down), np.diff(across))[:, :, None]
    return means.astype(np.float32).reshape(len(field), -1)
