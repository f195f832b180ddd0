"""The lines of expressions and age in a face: which ones a person has, and where they are.

A crease is an arc on the template head, seen from the front: a parabola around a point. Its place depends on
the person; its depth follows from the expression (``render.WRINKLES``).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Fewer than this fraction of the full depth cannot be seen.
SHALLOW = 0.02


class Arc(NamedTuple):
    """One line of the subject's left half, as most have it: middle (``x``, ``z``), half ``length`` and
    ``width`` in millimetres, ``angle`` of its direction in degrees (0: outwards, 90: upwards).

    ``bow``: curvature to the left of its direction, 1 / m; ``ledge``: how much higher the skin to the left of
    its direction is, in depths (the valley of a fold has a bulge on one side); ``share`` of the depth that it
    reaches; ``chance`` to have it. A line in the middle (``x`` 0) is there once.
    """

    x: float
    z: float
    angle: float
    length: float
    bow: float
    width: float
    ledge: float = 0.0
    share: float = 1.0
    chance: float = 1.0


# Wrinkle of ``render.WRINKLES`` -> its patterns, of which everybody has one, each a tuple of lines.
PATTERNS: dict[str, tuple[tuple[Arc, ...], ...]] = {
    # The frontalis: lines across, over the middle and over the brows' outer halves.
    "forehead_middle": (
        (
            Arc(0, 763, 0, 21, -5, 1.8),
            Arc(0, 770, 0, 23, -5, 1.8, chance=0.9),
            Arc(0, 777, 0, 19, -4, 1.6, share=0.8, chance=0.7),
        ),
        (Arc(0, 765, 0, 15, -9, 2.1), Arc(0, 772, 0, 24, -4, 2.0, share=0.8)),
    ),
    "forehead": (
        (
            Arc(34, 765, 0, 17, -8, 1.8),
            Arc(33, 772, 2, 18, -7, 1.8, chance=0.9),
            Arc(32, 779, 4, 15, -6, 1.6, share=0.8, chance=0.6),
        ),
        (Arc(36, 764, -4, 15, -12, 2.2), Arc(30, 771, 2, 20, -6, 1.8, share=0.8)),
    ),
    # The corrugator's lines, in the patterns that people have: two, one, spread like a V; and the procerus's
    # fold across the root of the nose.
    "glabella": (
        (Arc(7, 749, 84, 8, 6, 2.2, ledge=-0.5), Arc(0, 739, 0, 9, -12, 2.2, share=0.5)),
        (Arc(2.5, 748, 87, 9, 4, 2.3, share=0.9, chance=0.6), Arc(8, 747, 75, 6, 8, 2.2, share=0.6)),
        (
            Arc(8.5, 748, 66, 8.5, 10, 2.3, ledge=-0.6),
            Arc(12, 752, 60, 6, 10, 2.0, share=0.6, chance=0.6),
            Arc(0, 738, 0, 10, -14, 2.4, share=0.7),
        ),
        (Arc(6.5, 747, 80, 6.5, 8, 2.6, ledge=-0.5, share=0.8), Arc(0, 740, 0, 8, -10, 2.6, share=0.9)),
    ),
    "nose_bridge": (
        (Arc(0, 735, 0, 10, -22, 1.7), Arc(0, 729, 0, 10, -24, 1.7), Arc(11, 722, -58, 7, 0, 1.7, share=0.8)),
        (
            Arc(0, 733, 0, 11, -20, 2.0),
            Arc(9.5, 727, -55, 7, -6, 1.8),
            Arc(12.5, 722, -60, 7, -6, 1.8, share=0.8),
        ),
    ),
    # From the wing of the nose past the corner of the mouth; the cheek bulges over it.
    "nasolabial": (
        (Arc(30.5, 678, -66, 23, -5, 3.2, ledge=0.7, share=0.85),),
        (Arc(30, 680, -62, 20, -7, 2.8, ledge=0.9, share=0.8),),
        (Arc(30, 676, -70, 25, -3, 3.4, ledge=0.7, share=0.8),),
    ),
    "crows_feet": (
        (Arc(58, 733, 28, 7, 4, 1.6), Arc(59.5, 727, 2, 8, -2, 1.6), Arc(57.5, 720.5, -30, 7.5, -6, 1.6)),
        (
            Arc(57.5, 734.5, 38, 6, 6, 1.5, share=0.7),
            Arc(59, 730, 14, 7.5, 2, 1.5),
            Arc(59, 724.5, -12, 8, -3, 1.6),
            Arc(56.5, 719, -38, 7, -8, 1.6, share=0.8),
        ),
        (Arc(58.5, 729, 8, 7, 0, 1.8, share=0.8), Arc(57, 721, -28, 8, -6, 1.8)),
    ),
    # Below the lower lid, which bulges over it.
    "lower_lid": (
        (Arc(30.5, 715.5, 0, 15, 8, 2.2, ledge=0.7),),
        (Arc(30, 716.5, -4, 13, 10, 1.9, ledge=0.8), Arc(36, 711, -24, 11, 6, 1.8, share=0.6)),
    ),
    "dimple": ((Arc(34.5, 663, 90, 10, 12, 3.2, ledge=-0.7),), (Arc(36.5, 665, 96, 6, 24, 3.6, ledge=-0.5),)),
    "marionette": (
        (Arc(29.5, 648, -76, 9, 0, 2.6, ledge=0.8),),
        (Arc(30.5, 649, -66, 8, -6, 2.4, ledge=0.9),),
    ),
    "chin": ((Arc(0, 643.5, 0, 19, -4, 3.0, ledge=-0.7),),),
}


def draw_lines(rng: np.random.Generator) -> np.ndarray:
    """Draw the lines of one person, float32 (K, 10).

    Columns: the wrinkle's place in ``PATTERNS``, the half of the face (0 the subject's left, 1 right, 2
    both), its fraction of the depth, and the arc in metres and radians: x, z, angle, half length, bow, width,
    ledge.
    """
    rows = []
    for number, patterns in enumerate(PATTERNS.values()):
        for arc in patterns[rng.integers(len(patterns))]:
            missing = rng.random() > arc.chance
            share = arc.share * rng.uniform(0.6, 1)
            place, turn, stretch = rng.normal(0, 1, 2), rng.normal(0, 3), rng.normal(0, 0.15)
            for side in (0, 1) if arc.x else (2,):
                # The two halves of a face differ, but less than two people do.
                x, z = (arc.x, arc.z) + (place if arc.x else place * (0, 1)) + rng.normal(0, 0.4, 2)
                angle = math.radians(arc.angle + turn + rng.normal(0, 2))
                half = arc.length * math.exp(stretch + rng.normal(0, 0.06))
                mirror = -1 if side == 1 else 1
                where = (0.001 * mirror * x, 0.001 * z, mirror * angle, 0.001 * half)
                shape = (arc.bow, 0.001 * arc.width, arc.ledge)
                if not missing:
                    rows.append((number, side, share * rng.uniform(0.85, 1), *where, *shape))
    return np.array(rows, np.float32)


def laid(lines: np.ndarray, depths: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Return the visible creases of one picture as the kernel reads them, float32 (3 C, 3).

    ``lines``: of ``draw_lines``; ``depths``: of each of ``PATTERNS`` the depth in [0, 1] in the subject's
    left and right half. Rows 3 i: x, z, half length; 3 i + 1: cosine and sine of the direction, bow; 3 i + 2:
    width, depth, ledge.
    """
    kind, side = lines[:, :2].astype(int).T
    both = np.array([depths[name] for name in PATTERNS])[kind]
    depth = lines[:, 2] * np.where(side == 2, both.mean(axis=1), both[np.arange(len(both)), side % 2])
    visible = depth > SHALLOW
    x, z, angle, half, bow, width, ledge = lines[visible, 3:].T
    rows = [[x, z, half], [np.cos(angle), np.sin(angle), bow], [width, depth[visible], ledge]]
    return np.moveaxis(np.array(rows, np.float32), -1, 0).reshape(-1, 3)
