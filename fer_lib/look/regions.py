"""Where on the face an action unit acts: exact masks of rendered faces, else regions laid around landmarks.

The landmarks are the 68 of the iBUG scheme (Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV Workshops
2013): 0-16 jaw from the subject's right ear over the chin to the left ear, 17-26 brows, 27-30 bridge of the
nose, 31-35 its lower edge, 36-47 eyes, 48-59 outer and 60-67 inner edge of the lips.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import ConvexHull

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError, nearest_name

# The landmark on the other half of the face; those of the midline are their own.
MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)


RIGHT_EYE_LANDMARKS, LEFT_EYE_LANDMARKS = slice(36, 42), slice(42, 48)
"""The subject's own right and left eye among the landmarks; the right one is on the picture's left."""

ROUND = 16
"""Corners of the polygon that stands for a circle."""

EDGE = 1e-4
"""Pixels: so near to its edge, a point is in a patch, or rounding would make the two halves of a face differ.
"""


@dataclass(frozen=True)
class Anchor:
    """A place on the face: the mean of ``landmarks`` (iBUG numbers, from 0), moved ``up`` and ``out`` by
    shares of the eyes' distance.

    Up is from the mouth to the brows, at a right angle to the line between the eyes; out is away from the
    nose.
    """

    landmarks: tuple[int, ...]
    up: float = 0.0
    out: float = 0.0


@dataclass(frozen=True)
class Patch:
    """The convex hull of ``spots`` and all within ``grow`` (a share of the eyes' distance) of it.

    ``mirrored``: written for the subject's right half of the face, and there on the left one too.
    """

    spots: tuple[Anchor, ...]
    grow: float
    mirrored: bool = True


def _at(*landmarks: int, up: float = 0.0, out: float = 0.0) -> tuple[Anchor, ...]:
    return tuple(Anchor((landmark,), up, out) for landmark in landmarks)


def _between(*landmarks: int, out: float = 0.0) -> tuple[Anchor, ...]:
    return (Anchor(landmarks, out=out),)


_BROW, _INNER_BROW, _OUTER_BROW = (17, 18, 19, 20, 21), (20, 21), (17, 18, 19)


_UPPER_LID, _LOWER_LID = (36, 37, 38, 39), (36, 41, 40, 39)


_LIPS, _UPPER_LIP, _LOWER_LIP = tuple(range(48, 60)), tuple(range(48, 55)), (55, 56, 57, 58, 59)


_MOUTH = (Patch(_at(*_LIPS), 0.1, mirrored=False),)


_FORWARD = (Patch(_at(*_LIPS), 0.2, mirrored=False),)


_CLOSING_LID = (Patch(_at(*_UPPER_LID), 0.08),)

LANDMARK_REGIONS: dict[str, tuple[Patch, ...]] = {
    # Frontalis, pars medialis: inner half of the brows and the skin above it.
    "AU1": (Patch(_at(*_INNER_BROW, 22, 23) + _at(*_INNER_BROW, 22, 23, up=0.15), 0.1, mirrored=False),),
    # Frontalis, pars lateralis: outer half of the brows and above.
    "AU2": (Patch(_at(*_OUTER_BROW) + _at(*_OUTER_BROW, up=0.25), 0.05),),
    # Corrugator supercilii, depressor supercilii, procerus: brows, and between them down to the nose's root.
    "AU4": (
        Patch(_at(*_BROW) + _at(*_BROW, up=0.15), 0.08),
        Patch(_at(21, 22, 27) + _at(21, 22, up=0.15), 0.05, mirrored=False),
    ),
    # Levator palpebrae superioris: upper lid.
    "AU5": (Patch(_at(*_UPPER_LID, up=0.05), 0.05),),
    # Orbicularis oculi, pars orbitalis: the cheek below the eye and beside it.
    "AU6": (Patch(_at(36, out=0.1) + _at(36, out=0.1, up=-0.4) + _at(40, 41, up=-0.4), 0.15),),
    # Orbicularis oculi, pars palpebralis: lids and the skin close below.
    "AU7": (Patch(_at(*_LOWER_LID) + _at(*_LOWER_LID, up=-0.15), 0.08),),
    # Levator labii superioris alaeque nasi: root, bridge and wings of the nose.
    "AU9": (Patch(_at(21, 22, 31, 35), 0.12, mirrored=False),),
    # Levator labii superioris: between nose and upper lip, with the folds beside the nose.
    "AU10": (Patch(_at(31, 35, *_UPPER_LIP), 0.08, mirrored=False),),
    # Zygomatic minor: the fold between nose and cheek.
    "AU11": (Patch(_at(31, out=0.1) + _between(31, 48, out=0.1), 0.15),),
    # Zygomatic major: from the corner of the lips towards the cheekbone.
    "AU12": (Patch(_at(48) + _between(48, 2), 0.25),),
    # Levator anguli oris: above the corner of the lips.
    "AU13": (Patch(_at(48) + _at(48, up=0.3), 0.15),),
    # Buccinator: the corner of the lips and the cheek beside it.
    "AU14": (Patch(_at(48) + _at(48, out=0.15), 0.2),),
    # Depressor anguli oris: from the corner of the lips to the jaw.
    "AU15": (Patch(_at(48) + _between(48, 6), 0.2),),
    # Depressor labii inferioris: lower lip and below.
    "AU16": (Patch(_at(*_LOWER_LIP) + _at(58, 57, 56, up=-0.2), 0.08, mirrored=False),),
    # Mentalis: the chin's boss, which pushes the lower lip up.
    "AU17": (Patch(_at(56, 58) + _between(57, 8), 0.2, mirrored=False),),
    # Incisivii labii: the lips and around them.
    "AU18": _FORWARD,
    # Risorius: from the corner of the lips backwards.
    "AU20": (Patch(_at(48) + _between(48, 4), 0.2),),
    # Orbicularis oris: the lips and around them.
    "AU22": _FORWARD,
    "AU23": _MOUTH,
    "AU24": _MOUTH,
    # Depressor labii, or relaxed mentalis or orbicularis oris: the lower lip, which leaves the upper one, and
    # below.
    "AU25": (Patch(_at(48, 54, *_LOWER_LIP) + _at(58, 57, 56, up=-0.2), 0.1, mirrored=False),),
    # Relaxed masseter, pterygoids: lips and chin.
    "AU26": (Patch(_at(*_LIPS, 7, 8, 9), 0.05, mirrored=False),),
    "AU27": (Patch(_at(*_LIPS, 6, 7, 8, 9, 10), 0.05, mirrored=False),),
    "AU28": _MOUTH,
    # Relaxed levator palpebrae, orbicularis oculi: closing lids.
    "AU43": _CLOSING_LID,
    "AU45": _CLOSING_LID,
}
"""AU -> patches of skin over the muscles that the FACS manual (Ekman, Friesen & Hager 2002) names for it, or
that they move.

The points are the iBUG 68; the shapes are this suite's own reading of the manual, made for faces seen from
the front. They are **approximate**: skin moves farther than these patches, and masks of rendered faces are to
be preferred.
"""


def region_aus(faces: FaceSet) -> tuple[str, ...]:
    """The AUs whose regions ``regions_of`` knows for ``faces``, in numeric order; none where the set has
    neither masks nor landmarks.
    """
    aus = faces.mask_aus or (() if faces.landmarks is None else LANDMARK_REGIONS)
    return tuple(sorted(aus, key=lambda au: int(au[2:])))


def regions_of(faces: FaceSet, rows: np.ndarray, aus: Sequence[str]) -> np.ndarray:
    """bool (P, A, H, W): the regions of each of ``aus`` (A names) on the pictures at the indices ``rows``
    (P,) of ``faces``.

    The same row may stand there several times. Where the set has masks they are exact: the skin that the AU
    moves at full intensity, whether the picture shows the AU or not; hidden skin is in no region, so a region
    may be empty. Else the approximate ``LANDMARK_REGIONS``. A pixel is in a region where its centre is.
    Memory: P · A · H · W bytes.

    Raises DataError where the set has neither masks nor landmarks, for an AU without a region, for an index
    out of range, and for landmarks that are not numbers or on which both eyes lie in one place.
    """
    choices = region_aus(faces)
    if not choices:
        raise DataError(
            f"face set {faces.name!r} has neither masks nor landmarks, so nobody knows where its action "
            "units act; take a synthetic set, or a real one with landmarks, such as ckplus"
        )
    for au in aus:
        if au not in choices:
            raise DataError(
                f"face set {faces.name!r}: no region of {au!r}{nearest_name(au, choices)}; the "
                f"{'masks' if faces.mask_aus else 'landmarks'} give {', '.join(choices)}"
            )
    distinct, pairs = np.unique(np.asarray(rows), return_inverse=True)
    pictures = faces.select(distinct)
    if pictures.masks is not None:
        bits = np.array([pictures.mask_aus.index(au) for au in aus], np.uint32)
        regions = (pictures.masks[:, None] >> bits[:, None, None] & 1).astype(bool)
    else:
        regions = np.empty((len(pictures), len(aus), *faces.size), bool)
        for own, points, row in zip(regions, pictures.landmarks, distinct, strict=True):
            frame = _frame(points, f"face set {faces.name!r}, row {row}")
            for region, au in zip(own, aus, strict=True):
                region[:] = _around_landmarks(points, frame, LANDMARK_REGIONS[au], faces.size)
    return regions[pairs]


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


@dataclass(frozen=True)
class _Frame:
    """Unit vectors (2,), x and y, and the eyes' distance in pixels: a face's own directions and scale."""

    left: np.ndarray
    up: np.ndarray
    eyes: float


def _frame(points: np.ndarray, place: str) -> _Frame:
    if not np.isfinite(points).all():
        raise DataError(
            f"{place}: landmarks that are not numbers; leave out pictures without landmarks, or mend the file"
        )
    across = points[LEFT_EYE_LANDMARKS].mean(axis=0, dtype=float) - points[RIGHT_EYE_LANDMARKS].mean(
        axis=0, dtype=float
    )
    eyes = float(np.hypot(*across))
    if eyes < 1:
        raise DataError(f"{place}: the eyes' landmarks are {eyes:.2f} pixels apart; expected at least 1")
    left = across / eyes
    # y grows downwards: a quarter turn against the clock on the picture leads from left to up.
    return _Frame(left, np.array([left[1], -left[0]]), eyes)


def _around_landmarks(
    points: np.ndarray, frame: _Frame, patches: Sequence[Patch], size: tuple[int, int]
) -> np.ndarray:
    """bool (H, W): the pixels whose centre lies in one of ``patches`` or in its mirror image."""
    turns = 2 * np.pi * np.arange(ROUND) / ROUND
    circle = np.stack((np.cos(turns), np.sin(turns)), axis=-1)
    inside = np.zeros(size, bool)
    for patch in patches:
        for mirror in (False, True)[: 1 + patch.mirrored]:
            corners = np.array([_place(points, frame, spot, mirror) for spot in patch.spots])
            rim = (corners[:, None] + patch.grow * frame.eyes * circle).reshape(-1, 2)
            # Each side of the hull as a normal that points outwards, and its offset.
            sides = ConvexHull(rim).equations
            # Only pixels near the patch are asked: most of the picture is far from it.
            (left, top), (right, bottom) = np.floor(rim.min(0)), np.ceil(rim.max(0))
            columns = np.arange(max(left, 0), min(right, size[1]), dtype=int)
            rows = np.arange(max(top, 0), min(bottom, size[0]), dtype=int)
            distances = (
                sides[:, 0] * (columns[:, None] + 0.5)
                + sides[:, 1] * (rows[:, None, None] + 0.5)
                + sides[:, 2]
            )
            inside[np.ix_(rows, columns)] |= (distances <= EDGE).all(axis=-1)
    return inside


def _place(points: np.ndarray, frame: _Frame, spot: Anchor, mirror: bool) -> np.ndarray:
    landmarks = [MIRRORED[landmark] if mirror else landmark for landmark in spot.landmarks]
    out = frame.left if mirror else -frame.left
    return points[landmarks].mean(axis=0, dtype=float) + frame.eyes * (spot.up * frame.up + spot.out * out)
