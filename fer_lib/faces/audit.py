"""Copies that are not copies byte for byte: pictures that are another one mirrored, cropped, encoded anew or
lightly changed, on both sides of a split or under two people's names.

Candidates are neighbours in a description of small pictures without their light; each is laid over the other
and judged by the correlation of what is left of both.
"""

from collections.abc import Iterator
from itertools import permutations, product

import cv2
import numpy as np
import pandas as pd

from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.faces.leakage import copy_groups
from fer_lib.faces.readers.pictures import Window, cut_out

_SIDE = 48
"""Pixels a side in which pictures are compared, whatever they have."""

ALIKE = 0.95
"""Correlation from which two pictures that were laid over each other are copies. Planted ones of FER2013 have
.965 and more; the most alike rendered faces of two people .92."""

_NEAR = 0.6
"""Cosine of two descriptions from which a pair is looked at."""

_NUMBERS = 96
"""Principal components of a description."""

_BLOCK = 1 << 24
"""Cosines that are computed at a time."""

_SEED = 0
COPY_KINDS = ("exact", "mirrored", "cropped", "re-encoded", "changed")
"""Of a pair the first that fits: equal bytes; a mirror image; a part of the other, at least three per cent
smaller; as it was, but for noise; other light, or turned or moved a little.
"""

_SHARES = (0.92, 0.84, 0.76)
"""Sides of the windows in which a crop of a picture is looked for."""


def audit(faces: FaceSet) -> pd.DataFrame:
    """Pairs of ``faces`` that show one picture, though they are in two splits or under two names; a row each.

    ``first`` and ``second``: rows of the table, ``second`` in the later split (test after valid after train);
    ``kind`` one of ``COPY_KINDS``; ``alike`` the correlation; ``splits`` and ``labels``: whether they differ.
    Every picture comes with the one that is most like it of each other split, and of its own under another
    name, not with all of a group; of equal ones with the first of each label.
    """
    side = _sides(faces)
    groups = copy_groups(faces)
    thumbnails = np.stack([cv2.resize(p, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for p in faces.pixels])
    copies: dict[tuple[int, int], tuple[float, str]] = {}
    for first, second in _exact(groups, side, pd.factorize(faces.table["emotion"])[0]):
        copies[first, second] = (1.0, "exact")
    plain = _flat(thumbnails)
    for first, second, mirrored, window in _candidates(thumbnails, side):
        pair = (min(first, second), max(first, second))
        if groups[first] == groups[second] or copies.get(pair, (0.0, ""))[0] > 0.99:
            continue
        alike, kind = _judged(thumbnails[first], thumbnails[second], plain[second], mirrored, window)
        if alike >= ALIKE and alike > copies.get(pair, (0.0, ""))[0]:
            copies[pair] = (alike, kind)
    return _table(faces, copies)


def _sides(faces: FaceSet) -> np.ndarray:
    """int32 (N, 2): split, and person, from -1 down where nobody is named: no two of them are apart."""
    split = pd.Index(SPLITS).get_indexer(faces.table["split"])
    people = pd.factorize(faces.table["subject"].replace("", None))[0]
    return np.stack([split, people], axis=1).astype(np.int32)


def _apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool (len(some), len(others)): pairs in two splits, or under two people's names."""
    (split, who), (splits, people) = some.T[:, :, None], others.T[:, None]
    if people.max() < 0:
        return split != splits
    return (split != splits) | ((who != people) & (who >= 0) & (people >= 0))


def _exact(groups: np.ndarray, side: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each picture with the first of its equals that it is apart from, of each split and label."""
    kinds = labels * len(SPLITS) + side[:, 0]
    for rows in pd.Series(np.arange(len(groups))).groupby(groups).agg(np.array):
        apart = _apart(side[rows], side[rows])
        for row, equals in zip(rows, apart, strict=True):
            others = rows[equals]
            for other in others[np.unique(kinds[others], return_index=True)[1]]:
                yield int(min(row, other)), int(max(row, other))


def _flat(pictures: np.ndarray) -> np.ndarray:
    """float32: ``pictures`` without their light (what a blur leaves), mean 0 and sum of squares 1 each."""
    values = pictures.astype(np.float32)
    values -= np.stack([cv2.GaussianBlur(picture, (0, 0), _SIDE / 8) for picture in values])
    values -= values.mean(axis=(1, 2), keepdims=True)
    return values / np.maximum(np.sqrt((values**2).sum(axis=(1, 2), keepdims=True)), 1e-6)


def _described(pictures: np.ndarray) -> np.ndarray:
    """float32 (N, 256): ``pictures``, flat, blurred and in 16 × 16."""
    blurred = (cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in _flat(pictures))
    return np.stack([cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA).ravel() for each in blurred])


def _candidates(thumbnails: np.ndarray, side: np.ndarray) -> Iterator[tuple[int, int, bool, Window]]:
    """(whole picture, what may be a part of it, mirrored?, the part) by the descriptions."""
    descriptions = _described(thumbnails)
    sample = descriptions[np.random.default_rng(_SEED).permutation(len(descriptions))[:4000]]
    centre = sample.mean(axis=0)
    _, scale, axes = np.linalg.svd(sample - centre, full_matrices=False)
    axes, scale = axes[:_NUMBERS], scale[:_NUMBERS] / np.sqrt(len(sample))
    whitening = (axes / np.sqrt(scale * scale[0] + 1e-12)[:, None]).T
    if len(sample) < 4 * _NUMBERS:  # too few to know what pictures differ in
        whitening = np.eye(descriptions.shape[1])

    def numbers(values: np.ndarray) -> np.ndarray:
        values = (values - centre) @ whitening
        return (values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)).astype(np.float32)

    descriptors = numbers(descriptions)
    has_people = side[:, 1].max() >= 0
    splits = [side[:, 0] == split for split in np.unique(side[:, 0])]
    # Where nobody is named, two pictures of one split are no pair.
    pairs = product(splits, repeat=2) if has_people else permutations(splits, 2)
    sides = [(np.flatnonzero(own), np.flatnonzero(other)) for own, other in pairs]
    steps = [(0.0, 0.0, 1.0), *((x, y, s) for s in _SHARES for x, y in product((0, 0.5, 1), repeat=2))]
    for mirrored, (across, down, share) in product((False, True), steps):
        if mirrored and share < 1:
            continue
        window = Window(across * (1 - share) * _SIDE, down * (1 - share) * _SIDE, share * _SIDE)
        views = np.stack([_view(picture, mirrored, window) for picture in thumbnails])
        queries = numbers(_described(views))
        for mine, theirs in sides:
            step, others = max(1, _BLOCK // max(1, len(theirs))), descriptors[theirs].T
            for start in range(0, len(mine), step):
                rows = mine[start : start + step]
                cosines = queries[rows] @ others
                if has_people:
                    cosines[~_apart(side[rows], side[theirs])] = -1
                best = cosines.argmax(axis=1)
                for k in np.flatnonzero(cosines[np.arange(len(best)), best] >= _NEAR):
                    yield int(rows[k]), int(theirs[best[k]]), mirrored, window


def _view(picture: np.ndarray, mirrored: bool, window: Window) -> np.ndarray:
    picture = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
    return picture if window.side == _SIDE else cut_out(picture, window, _SIDE)


def _judged(
    whole: np.ndarray, part: np.ndarray, flat: np.ndarray, mirrored: bool, window: Window
) -> tuple[float, str]:
    """How alike ``part`` and what of ``whole`` lies under it are, laid over each other, and the kind."""
    view = _view(whole, mirrored, window)
    warp = np.eye(2, 3, dtype=np.float32)
    rule = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        _, warp = cv2.findTransformECC(part, view, warp, cv2.MOTION_AFFINE, rule, None, 3)
    except cv2.error:  # it found no way to lay them over each other
        return 0.0, ""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    overlay = cv2.warpAffine(view, warp, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(view), warp, (_SIDE, _SIDE), flags=flags) > 0
    if inside.mean() < 0.6 or abs(np.linalg.det(warp[:, :2]) - 1) > 0.4:
        return 0.0, ""
    alike = float(np.corrcoef(_flat(overlay[None])[0][inside], flat[inside])[0, 1])
    share = float(np.sqrt(np.linalg.det(warp[:, :2]))) * window.side / _SIDE
    if mirrored:
        return alike, "mirrored"
    if share < 0.97:
        return alike, "cropped"
    corners = np.array([[0, 0, 1], [_SIDE, 0, 1], [0, _SIDE, 1], [_SIDE, _SIDE, 1]])
    shift = np.abs(corners @ warp.T - corners[:, :2]).max()
    lit = abs(float(whole.mean()) - part.mean()) + abs(float(whole.std()) - part.std())
    return alike, "re-encoded" if shift < 0.6 and lit < 3 else "changed"


def _table(faces: FaceSet, copies: dict[tuple[int, int], tuple[float, str]]) -> pd.DataFrame:
    split = pd.Index(SPLITS).get_indexer(faces.table["split"])
    pairs = [sorted(pair, key=lambda row: (split[row], row)) for pair in copies]
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    emotion = faces.table["emotion"].to_numpy()
    table = pd.DataFrame({"first": rows[:, 0], "second": rows[:, 1]})
    table["kind"] = [kind for _, kind in copies.values()]
    table["alike"] = [alike for alike, _ in copies.values()]
    table["splits"] = split[rows[:, 0]] != split[rows[:, 1]]
    table["labels"] = emotion[rows[:, 0]] != emotion[rows[:, 1]]
    return table.sort_values(["second", "first"], ignore_index=True)


def points_at_most(faces: FaceSet, pairs: pd.DataFrame) -> float:
    """Percentage points of test accuracy that remembering buys at most: the share of the test pictures of
    which an ``audit`` found a copy with the same label in another split.
    """
    test = faces.table["split"].eq("test").to_numpy()
    rows = pairs.loc[pairs["splits"] & ~pairs["labels"], "second"].unique()
    return 100 * float(test[rows].sum() / max(1, test.sum()))
