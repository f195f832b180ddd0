"""How much of a map lies in a region of the face: four measures, each for any map and any region.

A **map** is what ``look.deconvolution`` projects to the picture; its energy at a pixel is the absolute value
there. A **region** is the skin that an action unit moves (``look.regions``). P pairs of a filter and a
picture, A action units, pictures of H × W pixels.
"""

import numpy as np
from scipy import ndimage

from ferbook.errors import DataError

TOLERANCE = 1 / 48
"""The pointing game forgives a maximum this far beside the region, as a share of the picture's height: one
pixel of 48. Zhang et al. 2016 (Top-down Neural Attention by Excitation Backprop) forgive 15 pixels of
pictures of several hundred, about twice as much."""

THRESHOLDS = np.arange(0.05, 1, 0.05)
"""Shares of a map's largest energy at which it is cut for the intersection over union."""


def energy_share(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Share of each map's energy that lies in the region: float64 in [0, 1], (P,) for one region per pair,
    (P, A) for A.

    ``maps`` (P, H, W), any sign; ``regions`` bool (P, H, W) or (P, A, H, W). The energy is the absolute
    value. NaN where the region is empty or the map zero everywhere. Raises DataError where a
    map holds NaN.
    """
    energy, inside = _flat(maps, regions)
    # Pair by pair, or all masks at once would become numbers.
    sums = np.stack([own @ weight for own, weight in zip(inside, energy, strict=True)])
    whole = energy.sum(axis=1, keepdims=True)
    share = np.divide(sums, whole, out=np.full(sums.shape, np.nan), where=(whole > 0) & inside.any(axis=2))
    return share.reshape(regions.shape[:-2])


def area_share(regions: np.ndarray) -> np.ndarray:
    """Share of the picture that each region covers, (...) of ``regions`` bool (..., H, W): what energy spread
    evenly has. NaN of an empty one.
    """
    share = regions.mean(axis=(-2, -1))
    return np.where(share > 0, share, np.nan)


def pointing_game(maps: np.ndarray, regions: np.ndarray, tolerance: float | None = None) -> np.ndarray:
    """Whether the pixel of largest energy lies in the region or at most ``tolerance`` pixels beside it: 1 or
    0.

    The game of Zhang et al. 2016, for one region. Of several equal maxima the share that hits counts, which
    is the chance of one drawn at random. ``tolerance``: distance between pixels' centres; None takes
    ``TOLERANCE`` times the height. Otherwise as ``energy_share``.
    """
    energy, inside = _flat(maps, regions)
    height, width = maps.shape[1:]
    radius = TOLERANCE * height if tolerance is None else tolerance
    near = inside
    if radius >= 1:
        reach = np.hypot(*np.ogrid[-int(radius) : int(radius) + 1, -int(radius) : int(radius) + 1]) <= radius
        near = ndimage.binary_dilation(inside.reshape(-1, height, width), reach[None]).reshape(inside.shape)
    largest = energy.max(axis=1, keepdims=True)
    tied = energy == largest
    hits = np.stack([own @ weight for own, weight in zip(near, tied.astype(float), strict=True)])
    hits /= tied.sum(axis=1, keepdims=True)
    hits[~((largest > 0) & inside.any(axis=2))] = np.nan
    return hits.reshape(regions.shape[:-2])


def overlaps(maps: np.ndarray, regions: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Intersection over union of the region and the pixels with at least ``thresholds`` (T,) times the map's
    largest energy.

    float64 (P, T), or (P, A, T) for A regions. Thresholds ascend in (0, 1]. Otherwise as ``energy_share``.
    """
    thresholds = np.asarray(thresholds)
    energy, inside = _flat(maps, regions)
    ious = np.full((*inside.shape[:2], len(thresholds)), np.nan)
    for own, weight, target in zip(inside, energy, ious, strict=True):
        largest = weight.max()
        if largest <= 0:
            continue
        # Each pixel's level is the number of thresholds that it reaches.
        above = np.searchsorted(thresholds * largest, weight, side="right")[:, None] > np.arange(
            len(thresholds)
        )
        both = own @ above.astype(np.float32)
        area = own.sum(axis=1, keepdims=True)
        target[:] = np.where(area > 0, both / (area + above.sum(axis=0) - both), np.nan)
    return ious.reshape(*regions.shape[:-2], len(thresholds))


def _flat(maps: np.ndarray, regions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energies float64 (P, H·W) and masks bool (P, A, H·W). Raises DataError for NaN."""
    energy = np.abs(maps.reshape(len(maps), -1).astype(np.float64))
    wrong = np.flatnonzero(~np.isfinite(energy).all(axis=1))
    if len(wrong):
        raise DataError(f"the map of pair {wrong[0]} holds values that are not finite numbers")
    return energy, regions.reshape(len(maps), -1, energy.shape[1])
