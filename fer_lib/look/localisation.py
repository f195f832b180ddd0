"""Whether the pixels that activate a filter are where an action unit moves the skin, and more so than in maps
that do not depend on the filter.

A **map** is a projection to the picture (``look.deconvolution``); its energy at a pixel is the absolute value
there. A **region** is the skin that an action unit moves, by the masks of rendered faces. P pairs of a filter
and a picture, A action units, pictures of H × W pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage

from fer_lib.stats.resampling import mean_of_defined
from ferbook.errors import DataError

# Standard deviation of the centre prior, relative to the picture's sides.
CENTRE_SPREAD = 1 / 4


def control_maps(
    maps: np.ndarray,
    pictures: np.ndarray,
    filters: np.ndarray,
    *,
    fields: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Make maps that do not depend on the filter, which the filter's own maps must exceed.

    Parameters
    ----------
    maps : (P, H, W) array
    pictures : (P, H, W) uint8 array
    filters : (P,) int array
        The filter of each pair.
    fields : (P, H, W) bool array, optional
        Receptive fields, outside which a map is zero by construction.
    seed : int

    Returns
    -------
    dict
        Name -> (P, H, W): ``other_filter``, the map of a random pair of another filter (absent if all pairs
        are of one filter); ``edges``, the length of the Sobel gradient, as any edge detector shows;
        ``centre``, a Gaussian of spread ``CENTRE_SPREAD`` in the middle; ``random``, uniform noise. With
        ``fields``: ``field``, the field itself, and ``field_edges``, the edges within it.
    """
    generator = np.random.default_rng(seed)
    controls = {}
    others = _of_other_filters(np.asarray(filters), generator)
    if others is not None:
        controls["other_filter"] = maps[others]
    edges = np.stack([_sobel(picture) for picture in pictures])
    if fields is not None:
        controls |= {"field": fields.astype(np.float32), "field_edges": edges * fields}
    rows, columns = (_bell(side) for side in maps.shape[1:])
    controls["edges"] = edges
    controls["centre"] = np.broadcast_to(rows[:, None] * columns, maps.shape)
    controls["random"] = generator.random(maps.shape, dtype=np.float32)
    return controls


def receptive_fields(corners: np.ndarray, side: int | tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Return the pixels in windows, bool (P, H, W).

    Parameters
    ----------
    corners : (P, 2) int array
        Row and column of the upper left pixels, negative beyond the border, as in ``Projections``.
    side : int or tuple of int
        Height and width of the windows.
    size : tuple of int
        H and W of the pictures; what lies beyond is cut.
    """
    height, width = (side, side) if isinstance(side, int) else side
    rows = np.arange(size[0]) - corners[:, :1]
    columns = np.arange(size[1]) - corners[:, 1:]
    return ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]


def _of_other_filters(filters: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """Draw for each pair a random pair of another filter, int64 (P,); None if there is no other."""
    partners = np.empty(len(filters), np.int64)
    for one in np.unique(filters):
        own = filters == one
        if own.all():
            return None
        partners[own] = generator.choice(np.flatnonzero(~own), own.sum())
    return partners


def _sobel(picture: np.ndarray) -> np.ndarray:
    """Return the length of the brightness gradient of ``picture`` uint8 (H, W): float32 (H, W)."""
    return np.hypot(*(cv2.Sobel(picture, cv2.CV_32F, dx, 1 - dx) for dx in (0, 1)))


def _bell(side: int) -> np.ndarray:
    """Return the centre prior along one side, (side,), 1 in the middle."""
    return np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (CENTRE_SPREAD * side)) ** 2)


# Distance from the region up to which the pointing game counts a maximum as a hit, relative to the picture's
# height: one pixel of 48. Zhang et al. 2016 (Top-down Neural Attention by Excitation Backprop) use 15 pixels
# of pictures of several hundred, about twice as much.
TOLERANCE = 1 / 48

# Proportions of a map's largest energy that are thresholds for the intersection over union.
THRESHOLDS = np.arange(0.05, 1, 0.05)


def energy_share(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Compute the proportion of each map's energy in the region, the absolute values.

    Parameters
    ----------
    maps : (P, H, W) array
        Of any sign.
    regions : (P, H, W) or (P, A, H, W) bool array

    Returns
    -------
    (P,) or (P, A) float64 array
        In [0, 1]; NaN where the region is empty or the map zero everywhere.

    Raises
    ------
    DataError
        A map has NaN.
    """
    energy, inside = _flat(maps, regions)
    # Pair by pair: all masks at once would need too much memory as numbers.
    sums = np.stack([own @ weight for own, weight in zip(inside, energy, strict=True)])
    whole = energy.sum(axis=1, keepdims=True)
    share = np.divide(sums, whole, out=np.full(sums.shape, np.nan), where=(whole > 0) & inside.any(axis=2))
    return share.reshape(regions.shape[:-2])


def area_share(regions: np.ndarray) -> np.ndarray:
    """Return the proportion of the picture in each region, (...) for ``regions`` bool (..., H, W): that of
    evenly distributed energy. NaN for an empty region.
    """
    share = regions.mean(axis=(-2, -1))
    return np.where(share > 0, share, np.nan)


def pointing_game(maps: np.ndarray, regions: np.ndarray, tolerance: float | None = None) -> np.ndarray:
    """Test whether the pixel of largest energy is in the region or at most ``tolerance`` pixels from it: 1 or
    0.

    The game of Zhang et al. 2016, for one region. For several equal maxima the proportion of hits is
    returned, the probability for one drawn at random. ``tolerance`` is a distance between pixels' centres;
    None means ``TOLERANCE`` times the height. Otherwise as ``energy_share``.
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
    """Compute the intersection over union of the region and the pixels with at least a threshold times the
    map's largest energy.

    Parameters
    ----------
    maps, regions
        As of ``energy_share``.
    thresholds : (T,) array
        Ascending in (0, 1].

    Returns
    -------
    (P, T) float64 array, or (P, A, T) for A regions
        NaN as of ``energy_share``.
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
    """Return energies float64 (P, H·W) and masks bool (P, A, H·W). Raises DataError for NaN."""
    energy = np.abs(maps.reshape(len(maps), -1).astype(np.float64))
    wrong = np.flatnonzero(~np.isfinite(energy).all(axis=1))
    if len(wrong):
        raise DataError(f"the map of pair {wrong[0]} holds values that are not finite numbers")
    return energy, regions.reshape(len(maps), -1, energy.shape[1])


def cross_fitted_overlap(maps: np.ndarray, region: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """Compute the intersection over union of each map with its region, the threshold selected on the other
    half of the subjects: none is selected on the pictures on which it is used.

    Parameters
    ----------
    maps : (P, H, W) array
    region : (P, H, W) bool array
        Selected without the maps, for instance by responses: a selection by the maps would favour them.
    subjects : (P,) sequence of str

    Returns
    -------
    (P,) float64 array
        NaN where the region is empty (hidden skin) or the map zero everywhere.

    Raises
    ------
    DataError
        An empty subject, or fewer than two subjects.
    """
    overlap, first_half = overlaps(maps, region), _first_half(np.asarray(subjects, object))
    cut = np.zeros(len(overlap), int)
    for half in (first_half, ~first_half):
        cut[~half] = np.nan_to_num(mean_of_defined(overlap[half].T), nan=-1.0).argmax()
    return overlap[np.arange(len(maps)), cut]


def _first_half(subjects: np.ndarray) -> np.ndarray:
    """Return whether a pair's subject is in the first of two random halves, bool (P,)."""
    empty = np.flatnonzero(subjects == "")
    if len(empty):
        raise DataError(
            f"pair {empty[0]} has no subject; give each picture its own name where the set does not "
            "say who is on it"
        )
    names, codes = np.unique(subjects.astype(str), return_inverse=True)
    if len(names) < 2:
        raise DataError(
            f"pairs of {len(names)} subject(s); at least 2 are needed to choose on some and score on others"
        )
    first = np.random.default_rng(0).permutation(len(names)) < len(names) // 2
    return first[codes]


# From this intersection over union on, two action units move the same skin, and one is not a wrong result for
# the other.
SAME_SKIN = 0.5


def rival_regions(regions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Make the region of each other action unit as large as the pair's own one, without overlap.

    Parameters
    ----------
    regions : (P, A, H, W) bool array
    target : (P,) int array
        The index of the own region.

    Returns
    -------
    (P, A, H, W) bool array
        If a rival, minus its overlap with the own region, is too large, its innermost pixels remain; if it is
        too small, the pixels nearest to it are added. Only skin that some unit moves is used. Empty for the
        own region, for a region of the ``SAME_SKIN``, and where that skin does not suffice.
    """
    rivals = np.zeros_like(regions)
    for masks, unit, own in zip(regions, target, rivals, strict=True):
        right = masks[unit]
        size, free = right.sum(), masks.any(axis=0) & ~right
        if not 0 < size <= free.sum():
            continue
        for mask, rival in zip(masks, own, strict=True):
            rest = mask & ~right
            if rest.any() and (mask & right).sum() < SAME_SKIN * (mask | right).sum():
                # Squares are whole numbers: rounded, they do not depend on the order of additions.
                beyond, within = (
                    np.rint(
                        cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) ** 2
                    )
                    for each in (~rest, rest)
                )
                nearest = np.argsort((beyond - within)[free], kind="stable")[:size]
                rival.ravel()[np.flatnonzero(free)[nearest]] = True
    return rivals
