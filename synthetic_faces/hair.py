"""Hair: where it grows on the head, and long hair as a separate mesh that falls next to the face."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# The mesh of long hair: columns around the head, rows from the crown downwards.
AROUND, DOWNWARDS = 56, 28


@dataclass(frozen=True)
class LongHair:
    """Hair that falls next to the face: ``points`` (P, 3) in metres.

    ``opening``: half width, top, slant of the top and flare of the window that it leaves for the face, in
    half widths of the head from the middle between the eyes; ``roundness`` of the window's top, an exponent;
    ``loose``: how far locks stray over its edge, in half heads.
    """

    points: np.ndarray
    opening: tuple[float, float, float, float]
    roundness: float
    loose: float


def grid_triangles() -> np.ndarray:
    """Return the triangles of every ``LongHair``, int32 (T, 3); its last column joins its first."""
    down, around = np.mgrid[: DOWNWARDS - 1, :AROUND]
    right = (around + 1) % AROUND
    a, b = down * AROUND + around, down * AROUND + right
    c, d = a + AROUND, b + AROUND
    return np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))]).astype(
        np.int32
    )


def grid_coordinates() -> np.ndarray:
    """Return the material coordinates of every ``LongHair``, float32 (P, 3): cosine and sine of the angle
    around, and the position from top to end.
    """
    down, around = np.mgrid[:DOWNWARDS, :AROUND]
    angle = 2 * math.pi * around / AROUND
    return (
        np.stack([np.cos(angle), np.sin(angle), down / (DOWNWARDS - 1)], axis=-1)
        .reshape(-1, 3)
        .astype(np.float32)
    )


def fall(
    middle: np.ndarray,
    half_head: float,
    top: float,
    *,
    volume: float,
    length: float,
    flare: float,
    waves: Sequence[tuple[float, float, float, float]],
) -> np.ndarray:
    """Return the points of long hair over a head, float32 (P, 3).

    ``middle``: of the head, at the height of the eyes; ``half_head``: half its width; ``top``: height of its
    crown; ``volume``: distance of hair from the head; ``length``: how far below the eyes it ends; all in
    metres. ``flare``: how much wider it is at its end, a proportion; each of ``waves``: depth in metres,
    number around, number down and phase.
    """
    down, around = np.mgrid[:DOWNWARDS, :AROUND]
    angle, way = 2 * math.pi * around / AROUND, down / (DOWNWARDS - 1)
    # The first 45 % of the rows go over the skull, an ellipsoid; the others hang down.
    waist = middle[2] + 0.03
    dome = np.clip(way / 0.45, 0, 1)
    hang = np.clip((way - 0.45) / 0.55, 0, 1)
    radius = np.sin(0.5 * math.pi * dome) * (1 + flare * hang**1.5)
    height = waist + (top + volume - waist) * np.cos(0.5 * math.pi * dome) - (length + 0.03) * hang
    swing = np.clip(way / 0.3, 0, 1) * sum(
        depth * np.sin(count * angle + 2 * math.pi * turns * way + phase)
        for depth, count, turns, phase in waves
    )
    across = (half_head + volume) * radius + swing
    along = (1.32 * half_head + 0.7 * volume) * radius + swing
    # Angle 0 is before the face, at -y.
    points = np.stack([across * np.sin(angle), -along * np.cos(angle), height], axis=-1).reshape(-1, 3)
    points[:, 0] += middle[0]
    points[:, 1] += middle[1]
    return points.astype(np.float32)


def scalp_field(template: np.ndarray, hairline: float, slant: float = 0.0) -> np.ndarray:
    """Return how far inside the hairy part of the scalp a vertex of ``template`` is, float32 (N,) in metres.

    ``hairline`` raises the usual line on the forehead, in metres; a raised one recedes at the temples first.
    ``slant``: how steeply it rises to the subject's left.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    temple = np.sin(math.pi * np.clip(x / 0.05, 0, 1))
    line = (
        0.789
        + hairline
        + slant * template[:, 0]
        - 3 * np.clip(x - 0.02, 0, None) ** 2
        + 0.9 * max(hairline, 0) * temple
    )
    sides = np.minimum(y + 0.065 + 0.9 * np.clip(z - 0.745, 0, None), z - 0.690)
    nape = np.minimum(y + 0.01, z - 0.62)
    # Where the hair of forehead and temples meets, the line has no corner.
    front = 0.005 * np.logaddexp((z - line) / 0.005, sides / 0.005)
    return np.maximum(front, nape).astype(np.float32)


class Style(NamedTuple):
    """A hairstyle of the scalp, in ranges of millimetres: distance from the skull (``volume``), additional
    height on top (``height``) and towards one side (``sweep``), how much tufts and curls differ (``lumps``)
    over how many centimetres (``curl``), and over how many millimetres it rises from the hairline (``ramp``).

    ``male`` and ``female``: its proportions.
    """

    volume: tuple[float, float]
    height: tuple[float, float]
    sweep: tuple[float, float]
    lumps: tuple[float, float]
    curl: float
    ramp: float
    male: float
    female: float


STYLES: dict[str, Style] = {
    "cropped": Style((2, 5), (0, 4), (0, 0), (0, 0.5), 2, 12, 0.22, 0.04),
    "short": Style((4, 9), (4, 14), (0, 8), (1, 3), 3, 18, 0.3, 0.12),
    "quiff": Style((4, 8), (14, 32), (0, 12), (2, 5), 3, 14, 0.16, 0.04),
    "side-swept": Style((5, 10), (8, 18), (10, 22), (2, 4), 4, 16, 0.12, 0.16),
    "curly": Style((10, 22), (4, 14), (0, 8), (4, 9), 2, 14, 0.08, 0.14),
    "afro": Style((22, 45), (4, 16), (0, 4), (2, 5), 3, 22, 0.04, 0.08),
    "tied back": Style((2, 5), (1, 6), (0, 3), (0, 1), 4, 20, 0.02, 0.4),
}

BEANIE = Style((5, 9), (0, 8), (0, 3), (0, 1), 5, 6, 0, 0)


def stand_off(template: np.ndarray, inside: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Return the displacement of hair worn in ``style`` from the vertices of ``template``, of which
    ``inside`` (N,) is the ``scalp_field``: float32 (N, 3), metres.
    """
    volume, height, sweep, lumps = (0.001 * rng.uniform(*span) for span in style[:4])
    side = rng.choice((-1.0, 1.0))
    hairy = inside > 0
    everywhere, template, inside = np.zeros_like(template), template[hairy], inside[hairy]
    up = np.clip((template[:, 2] - 0.775) / 0.06, 0, 1)
    # A parting: hair rises on one side of it and is swept to the other.
    over = np.clip(0.5 + side * template[:, 0] / 0.06, 0, 1)
    waves = sum(
        np.sin(template @ (2 * math.pi / (0.01 * style.curl) * axis) + phase)
        for axis, phase in zip(
            rng.normal(0, 1 / math.sqrt(3), (6, 3)), rng.uniform(0, 2 * math.pi, 6), strict=True
        )
    )
    outwards = template - (0.0, -0.05, 0.74)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    off = (volume + lumps * waves / math.sqrt(6))[:, None] * outwards
    off[:, 2] += (height + lumps * waves / math.sqrt(6)) * up
    off[:, 0] += side * sweep * up * over
    rise = np.clip(inside / (0.001 * style.ramp), 0, 1)
    everywhere[hairy] = (rise * rise * (3 - 2 * rise))[:, None] * off
    return everywhere


def beard_field(template: np.ndarray) -> np.ndarray:
    """Return how far inside the bearded part of the jaw a vertex of ``template`` is, float32 (N,) in metres.

    From the sideburns along the jaw to the chin, up to the corners of the mouth; the lips belong to the
    paint.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    cheek = 0.664 + 1.3 * np.clip(x - 0.036, 0, None) - z
    below_lip = 0.6505 - z + 1.5 * np.clip(x - 0.022, 0, None)
    return np.minimum.reduce([np.minimum(cheek, below_lip), z - 0.600, -0.055 - y]).astype(np.float32)


def moustache_field(template: np.ndarray) -> np.ndarray:
    """Return how far inside the part between nose and mouth a vertex of ``template`` is, float32 (N,) in
    metres.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    upper = 0.6805 - 0.35 * np.clip(x - 0.010, 0, None) - z
    lower = z - 0.668 + 0.6 * np.clip(x - 0.016, 0, None)
    return np.minimum.reduce([upper, lower, 0.034 - x, -0.115 - y]).astype(np.float32)
