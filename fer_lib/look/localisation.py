"""Do the pixels that drive a filter lie where an action unit moves the skin, and more so than maps that know
nothing of the filter?

A **map** is what ``look.deconvolution`` projects to the picture; its energy at a pixel is the absolute value
there. A **region** is the skin that an action unit moves, by the masks of rendered faces. P pairs of a filter
and a picture, A action units, pictures of H × W pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage

from fer_lib.stats.resampling import mean_of_defined
from ferbook.errors import DataError

CENTRE_SPREAD = 1 / 4
"""Standard deviation of the centre prior, as a share of the picture's sides."""


def control_maps(
    maps: np.ndarray,
    pictures: np.ndarray,
    filters: np.ndarray,
    *,
    fields: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Maps (P, H, W) that know nothing of the filter, by name; whatever they score, the filter's own maps
    have to beat.

    ``other_filter``: the map of another pair, drawn at random among those of other filters (absent where all
    pairs are of one filter). ``edges``: Sobel edges of ``pictures`` (P, H, W), the gradient's length: what
    any edge detector shows. ``centre``: a Gaussian of spread ``CENTRE_SPREAD`` in the middle. ``random``:
    uniform noise. With the receptive ``fields`` bool (P, H, W), outside which a map is zero by construction:
    ``field``, the field itself, and ``field_edges``, the edges within it. Same seed, same controls.
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
    """bool (P, H, W): the pixels in windows of ``side`` (height and width) whose upper left ones lie at
    ``corners`` (P, 2), row and column.

    As ``Projections`` has them: corners may be negative, and what lies beyond the picture of ``size`` (H, W)
    is cut.
    """
    height, width = (side, side) if isinstance(side, int) else side
    rows = np.arange(size[0]) - corners[:, :1]
    columns = np.arange(size[1]) - corners[:, 1:]
    return ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]


def _of_other_filters(filters: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """For each pair a random pair of another filter, int64 (P,); None where there is no other."""
    partners = np.empty(len(filters), np.int64)
    for one in np.unique(filters):
        own = filters == one
        if own.all():
            return None
        partners[own] = generator.choice(np.flatnonzero(~own), own.sum())
    return partners


def _sobel(picture: np.ndarray) -> np.ndarray:
    """float32 (H, W): length of the brightness gradient of ``picture`` uint8 (H, W)."""
    return np.hypot(*(cv2.Sobel(picture, cv2.CV_32F, dx, 1 - dx) for dx in (0, 1)))


def _bell(side: int) -> np.ndarray:
    """(side,): the centre prior along one side, 1 in the middle."""
    return np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (CENTRE_SPREAD * side)) ** 2)


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


def cross_fitted_overlap(maps: np.ndarray, region: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """float64 (P,): intersection over union of each map with its region bool (P, H, W), the threshold chosen
    on the other half of the ``subjects``: none is chosen on the pictures that it is used for. ``region`` was
    chosen without a look at the maps, such as by responses: a choice by the maps would favour them. NaN where
    the region is empty (hidden skin) or the map zero everywhere. Raises DataError for an empty subject, or
    fewer than two subjects.
    """
    overlap, first_half = overlaps(maps, region), _first_half(np.asarray(subjects, object))
    cut = np.zeros(len(overlap), int)
    for half in (first_half, ~first_half):
        cut[~half] = np.nan_to_num(mean_of_defined(overlap[half].T), nan=-1.0).argmax()
    return overlap[np.arange(len(maps)), cut]


def _first_half(subjects: np.ndarray) -> np.ndarray:
    """bool (P,): whether a pair's subject is in the first of two random halves."""
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


SAME_SKIN = 0.5
"""From this intersection over union on, two action units move the same skin, and one is no wrong answer for
the other.
"""


def rival_regions(regions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """bool (P, A, H, W): each other action unit's region, made as large as the pair's own one, and nowhere
    over it.

    ``regions`` bool (P, A, H, W); ``target`` int (P,): the index of the own one. Where a rival, less what it
    shares with the own region, is too large, its innermost pixels stay; where it is too small, those nearest
    to it come in. Only skin that some unit moves is taken. Empty for the own region, for one of the
    ``SAME_SKIN``, and where that skin does not suffice.
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
                # Squares are whole numbers: rounded they do not depend on the order of additions.
                beyond, within = (
                    np.rint(
                        cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) ** 2
                    )
                    for each in (~rest, rest)
                )
                nearest = np.argsort((beyond - within)[free], kind="stable")[:size]
                rival.ravel()[np.flatnonzero(free)[nearest]] = True
    return rivals
