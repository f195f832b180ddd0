"""What describes a clip without a network.

Optical flow: how far each part of a face has moved (Farnebäck 2003). If an expression is movement, its field
of displacements from the onset to the apex should name it.

LBP-TOP: local binary patterns on three orthogonal planes, dynamic texture (Zhao and Pietikäinen 2007), with
which CASME II was published (Yan et al. 2014). A clip is a volume of pixels over time. In each of the planes
XY (what it looks like), XT and YT (how rows and columns change) each voxel is compared with eight neighbours
on an ellipse; the patterns are counted block by block.
"""

import math

import cv2
import numpy as np

from face_sets.clips import Clips
from ferbook.errors import DataError, ParameterError

FARNEBACK = {"pyr_scale": 0.5, "levels": 3, "winsize": 9, "iterations": 3}
FARNEBACK |= {"poly_n": 5, "poly_sigma": 1.1, "flags": 0}
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
    Raises DataError for pictures of another type.
    """
    for pictures in (first, second):
        if pictures.dtype != np.uint8:
            raise DataError(
                f"pictures of type {pictures.dtype}: optical flow needs uint8, grey values from 0 to 255"
            )
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


NEIGHBOURS = 8
BLOCKS = 5
"""Blocks along each side, as for CASME II."""

RADII = (1, 1, 1)
"""Radii in x, y and t. Of 16 frames out of about 70, the next frame is what four frames further is at 200
frames per second.
"""

CANDIDATE_RADII = ((1, 1, 1), (1, 1, 2), (1, 1, 4))
"""Radii that are tried, different in time. Yan et al. give the best of several results on the tested people;
here validation chooses.
"""

PLANES = {"xy": (2, 1), "xt": (2, 0), "yt": (1, 0)}
"""The two axes of a volume (T, H, W) that span each plane, the one of the cosine first."""

EQUAL_WITHIN = 1e-4
"""Grey levels: interpolated neighbours that are darker by no more than this, a rounding error, count as
equally bright.
"""


def candidate_features(clips: Clips, blocks: int = BLOCKS) -> dict[str, np.ndarray]:
    """``lbp_top`` with each of ``CANDIDATE_RADII``, by name, for
    ``micro_expressions.rivals.linear_answers`` to choose from.

    Radii in time for which a clip is too short are left out, as long as some remain; raises as ``lbp_top``.
    """
    longest = (clips.lengths.min(initial=np.iinfo(np.int64).max) - 1) // 2
    fitting = [radii for radii in CANDIDATE_RADII if radii[2] <= longest] or CANDIDATE_RADII
    return {"radii {}, {}, {}".format(*radii): lbp_top(clips, blocks, radii) for radii in fitting}


def uniform_patterns() -> np.ndarray:
    """int64 (256,): the bin of each code. The 58 codes with at most two changes around the circle have one
    each, all others share the last, 58.
    """
    codes = np.arange(2**NEIGHBOURS)
    rotated = (codes >> 1) | ((codes & 1) << (NEIGHBOURS - 1))
    changes = np.bitwise_count(codes ^ rotated)
    bins = np.full(len(codes), (changes <= 2).sum())
    bins[changes <= 2] = np.arange((changes <= 2).sum())
    return bins


def plane_codes(volume: np.ndarray, plane: str, radii: tuple[int, int, int] = RADII) -> np.ndarray:
    """int64 (T − 2·rt, H − 2·ry, W − 2·rx): the code in ``plane`` of each voxel of ``volume`` (T, H, W) that
    has neighbours on all sides.

    ``radii``: rx, ry, rt. Neighbour k of 8 lies at the angle 2πk/8 on the ellipse with the plane's two radii,
    interpolated bilinearly; bit k is set where it is at least as bright as the voxel.
    """
    volume = np.asarray(volume, np.float32)
    margins = radii[::-1]
    centre = _shifted(volume, margins, (0, 0, 0))
    first, second = PLANES[plane]
    codes = np.zeros(centre.shape, np.int64)
    for k in range(NEIGHBOURS):
        angle = 2 * math.pi * k / NEIGHBOURS
        along, across = margins[first] * math.cos(angle), margins[second] * math.sin(angle)
        difference = np.zeros_like(centre)
        for a, share_a in _corners(along):
            for b, share_b in _corners(across):
                shift = [0, 0, 0]
                shift[first], shift[second] = a, b
                difference += np.float32(share_a * share_b) * (_shifted(volume, margins, shift) - centre)
        codes |= (difference >= -EQUAL_WITHIN).astype(np.int64) << k
    return codes


def _corners(offset: float) -> list[tuple[int, float]]:
    """Whole offsets on both sides of ``offset`` and their shares in it."""
    low = math.floor(offset + 1e-9)
    share = offset - low
    return [(low, 1.0)] if share < 1e-9 else [(low, 1 - share), (low + 1, share)]


def _shifted(volume: np.ndarray, margins: tuple[int, ...], shift: tuple[int, ...] | list[int]) -> np.ndarray:
    return volume[
        tuple(slice(m + s, n - m + s) for m, s, n in zip(margins, shift, volume.shape, strict=True))
    ]


def lbp_top(clips: Clips, blocks: int = BLOCKS, radii: tuple[int, int, int] = RADII) -> np.ndarray:
    """float32 (C, ``blocks``² · 3 · 59): the proportions of the uniform patterns in each block and plane of
    each clip.

    Blocks in reading order, all as large as can be over the voxels that have neighbours, the whole clip long;
    in each the planes xy, xt, yt; in each the 59 bins of ``uniform_patterns``, which sum to one.

    Raises ParameterError where ``blocks`` or ``radii`` do not fit the pictures, DataError for a clip that is
    too short, naming it.
    """
    height, width = clips.faces.size
    inner = height - 2 * radii[1], width - 2 * radii[0]
    if min(radii) < 1 or not 1 <= blocks <= min(inner):
        raise ParameterError(
            f"blocks {blocks} and radii {radii} for pictures of {height} × {width}: give radii from 1 on, "
            "and at most as many blocks as pixels are left between the margins"
        )
    short = np.flatnonzero(clips.lengths < 2 * radii[2] + 1)
    if len(short):
        clip = short[0]
        raise DataError(
            f"clip {clips.sequences[clip]} of {clips.subjects[clip]} has {clips.lengths[clip]} frames, and "
            f"patterns over time with the radius {radii[2]} need {2 * radii[2] + 1}; give a smaller radius, "
            "or leave it out"
        )
    bins = uniform_patterns()
    count = int(bins.max()) + 1
    down, across = (np.arange(side) * blocks // side for side in inner)
    block = down[:, None] * blocks + across
    features = np.empty((len(clips), blocks**2, len(PLANES), count), np.float32)
    for number, (rows, length) in enumerate(zip(clips.rows, clips.lengths, strict=True)):
        volume = clips.faces.gather(rows[:length])
        for place, plane in enumerate(PLANES):
            cells = block * count + bins[plane_codes(volume, plane, radii)]
            histogram = np.bincount(cells.ravel(), minlength=blocks**2 * count).reshape(-1, count)
            features[number, :, place] = histogram / histogram.sum(axis=1, keepdims=True)
    return features.reshape(len(features), -1)
