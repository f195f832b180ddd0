"""A picture from straight ahead in even light, without blur or noise, and what a face shows in it; tests
change what they are about.
"""

import numpy as np

from synthetic_faces.capture import Shot
from synthetic_faces.facs import AUS

NEUTRAL = np.zeros((len(AUS), 2))

PLAIN = Shot(
    yaw=0.0,
    pitch=0.0,
    roll=0.0,
    shift=(0.0, 0.0),
    zoom=1.0,
    gaze=(0.0, 0.0),
    lids=0.0,
    key_azimuth=0.2,
    key_elevation=0.5,
    key=0.95,
    fill=0.28,
    ambient=0.28,
    gloss=0.15,
    background=(0.3, 0.0, 0.0),
    blur=0.0,
    noise=0.0,
    seed=5,
)

# The landmark on the other half of the face; those of the midline are their own.
MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)


def shown(**intensities: float | tuple[float, float]) -> np.ndarray:
    """AU intensities (units, 2): a number for both halves of the face, or a (left, right) pair."""
    table = NEUTRAL.copy()
    for au, value in intensities.items():
        table[AUS.index(au)] = value
    return table
