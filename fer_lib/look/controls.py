"""Maps that know nothing of the filter: what a projection has to beat before its place means anything."""

import cv2
import numpy as np

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
