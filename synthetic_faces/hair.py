"""Hair: where it grows on the head, and long hair as a mesh of its own that falls beside the face."""

import math
from dataclasses import dataclass

import numpy as np

from synthetic_faces.assets import vertex_normals

# The mesh of long hair: columns around the head, rows from the crown downwards.
AROUND, DOWN = 56, 28


@dataclass(frozen=True)
class LongHair:
    """Hair that falls beside the face: ``points`` (P, 3) in metres with their ``normals`` (P, 3).

    ``opening``: half width, top, slant of the top and flare of the window that it leaves for the face, in
    half widths of the head from the middle between the eyes; ``roundness`` of the window's top, an exponent.
    """

    points: np.ndarray
    normals: np.ndarray
    opening: tuple[float, float, float, float]
    roundness: float


def grid_triangles() -> np.ndarray:
    """int32 (T, 3): the triangles of every ``LongHair``; its last column joins its first."""
    down, around = np.mgrid[: DOWN - 1, :AROUND]
    right = (around + 1) % AROUND
    a, b = down * AROUND + around, down * AROUND + right
    c, d = a + AROUND, b + AROUND
    return np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))]).astype(
        np.int32
    )


def grid_coordinates() -> np.ndarray:
    """float32 (P, 3): material coordinates of every ``LongHair``: cosine and sine of the way around, way
    down.
    """
    down, around = np.mgrid[:DOWN, :AROUND]
    angle = 2 * math.pi * around / AROUND
    return (
        np.stack([np.cos(angle), np.sin(angle), down / (DOWN - 1)], axis=-1).reshape(-1, 3).astype(np.float32)
    )


def fall(
    middle: np.ndarray,
    half_head: float,
    top: float,
    *,
    volume: float,
    length: float,
    flare: float,
    waves: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals (P, 3) of long hair over a head.

    ``middle``: of the head, at the height of the eyes; ``half_head``: half its width; ``top``: height of its
    crown; ``volume``: how far hair stands off; ``length``: how far below the eyes it ends; all in metres.
    ``flare``: how much wider it is at its end, a share; ``waves``: their depth in metres, number around and
    number down.
    """
    down, around = np.mgrid[:DOWN, :AROUND]
    angle, way = 2 * math.pi * around / AROUND, down / (DOWN - 1)
    # The first 45 % of the rows go over the skull, an ellipsoid; the others hang down.
    waist = middle[2] + 0.03
    dome = np.clip(way / 0.45, 0, 1)
    hang = np.clip((way - 0.45) / 0.55, 0, 1)
    radius = np.sin(0.5 * math.pi * dome) * (1 + flare * hang**1.5)
    height = waist + (top + volume - waist) * np.cos(0.5 * math.pi * dome) - (length + 0.03) * hang
    depth, count, turns = waves
    swing = depth * np.sin(count * angle + 2 * math.pi * turns * way) * np.clip(way / 0.3, 0, 1)
    across = (half_head + volume) * radius + swing
    along = (1.32 * half_head + 0.7 * volume) * radius + swing
    # Angle 0 is before the face, at -y.
    points = np.stack([across * np.sin(angle), -along * np.cos(angle), height], axis=-1).reshape(-1, 3)
    points[:, 0] += middle[0]
    points[:, 1] += middle[1]
    points = points.astype(np.float32)
    return points, vertex_normals(points, grid_triangles())


def scalp_field(template: np.ndarray, hairline: float) -> np.ndarray:
    """float32 (N,), metres: how far inside the hairy part of the scalp a vertex of ``template`` lies.

    ``hairline`` raises the usual line on the forehead, in metres; a raised one recedes at the temples first.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    temple = np.sin(math.pi * np.clip(x / 0.045, 0, 1))
    line = 0.787 + hairline - 0.5 * np.clip(x - 0.035, 0, None) + 0.9 * max(hairline, 0) * temple
    sides = np.minimum(y + 0.062, z - 0.690)
    nape = np.minimum(y + 0.01, z - 0.62)
    return np.maximum.reduce([z - line, sides, nape]).astype(np.float32)


def beard_field(template: np.ndarray) -> np.ndarray:
    """float32 (N,), metres: how far inside the bearded part of the jaw a vertex of ``template`` lies.

    From the sideburns along the jaw to the chin, up to the corners of the mouth; the lips are the painter's.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    cheek = 0.664 + 1.3 * np.clip(x - 0.036, 0, None) - z
    below_lip = 0.6505 - z + 1.5 * np.clip(x - 0.022, 0, None)
    return np.minimum.reduce([np.minimum(cheek, below_lip), z - 0.600, -0.055 - y]).astype(np.float32)


def moustache_field(template: np.ndarray) -> np.ndarray:
    """float32 (N,), metres: how far inside the part between nose and mouth a vertex of ``template`` lies."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    upper = 0.6805 - 0.35 * np.clip(x - 0.010, 0, None) - z
    lower = z - 0.668 + 0.6 * np.clip(x - 0.016, 0, None)
    return np.minimum.reduce([upper, lower, 0.034 - x, -0.115 - y]).astype(np.float32)
