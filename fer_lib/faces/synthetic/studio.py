"""How pictures are taken: head pose, light, camera, what stands in the way, and what becomes of the file."""

from dataclasses import dataclass

import numpy as np

from fer_lib.errors import ParameterError

# Highest value of each single number of a Studio; the lowest is 0 but for the window.
_LIMITS = {
    "pose": 3,
    "light": 1,
    "wrinkles": 1,
    "crop": 0.5,
    "zoom": 0.5,
    "tilt": 1,
    "scenery": 1,
    "occluders": 1,
    "captions": 1,
    "exposure": 2,
    "contrast": 1,
}
_WINDOW = (0.05, 0.15)


@dataclass(frozen=True)
class Studio:
    """How far the pictures of a set differ in everything but the face.

    Spreads. ``pose`` and ``light`` scale the spread of head pose and light (1: natural, 0: none); ``tilt`` is the
    standard deviation, in radians, by which the camera is held askew; ``exposure`` that of the light's amount, in
    stops, and ``contrast`` that of the logarithm of the contrast.

    Crop. ``window`` is half the width of the crop of an average face, in metres; ``zoom`` the standard
    deviation of its logarithm, and ``crop`` that of its place, as a share of half the width.

    Shares of pictures, in [0, 1]: ``scenery`` with a background that has things in it; ``occluders`` where a hand,
    a bar or a strand of hair covers part of the face; ``captions`` with a line of letter-like marks across.

    The picture itself. ``blur`` (pixels), ``noise`` (standard deviation, of a full scale of 1), ``enlargement``
    (the picture is a smaller one, enlarged by this factor; 1: none) and ``quality`` (of JPEG compression, 1-99;
    100: not compressed) are (low, high) pairs of which each picture draws its own value; ``wrinkles`` in [0, 1]
    scales what actions leave in the skin.

    Raises ParameterError for a value out of range.
    """

    pose: float = 0.8
    light: float = 0.8
    blur: tuple[float, float] = (0.0, 0.3)
    noise: tuple[float, float] = (0.01, 0.02)
    wrinkles: float = 1.0
    window: float = 0.084
    crop: float = 0.0
    zoom: float = 0.0
    tilt: float = 0.0
    scenery: float = 0.0
    occluders: float = 0.0
    captions: float = 0.0
    exposure: float = 0.0
    contrast: float = 0.0
    enlargement: tuple[float, float] = (1.0, 1.0)
    quality: tuple[float, float] = (100.0, 100.0)

    def __post_init__(self) -> None:
        ranges = {name: (0, high) for name, high in _LIMITS.items()} | {"window": _WINDOW}
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must lie between {low} and {high}")
        pairs = {"blur": (0, 10), "noise": (0, 1), "enlargement": (1, 8), "quality": (1, 100)}
        for name, (least, most) in pairs.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ParameterError(
                    f"{name} is {getattr(self, name)}; it must be a pair {least} <= low <= high <= {most}"
                )


@dataclass(frozen=True)
class Shot:
    """What is special about one picture beside the face: angles in radians, lengths in metres."""

    yaw: float
    pitch: float
    roll: float
    shift: tuple[float, float]
    zoom: float
    gaze: tuple[float, float]
    lids: float
    key_azimuth: float
    key_elevation: float
    key: float
    fill: float
    ambient: float
    gloss: float
    background: tuple[float, float, float]
    blur: float
    noise: float
    seed: int


def draw_shot(rng: np.random.Generator, studio: Studio) -> Shot:
    """Head pose, gaze, light, background, blur and noise of one picture."""
    pose, light = studio.pose, studio.light
    yaw, pitch, roll = pose * rng.standard_normal(3) * (0.10, 0.06, 0.04)
    return Shot(
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        shift=tuple((0.003 * pose * rng.standard_normal(2)).tolist()),
        zoom=float(1 + 0.06 * pose * rng.uniform(-1, 1)),
        # People look into the camera, more or less, whatever the head does.
        gaze=(
            float(np.clip(-yaw / 0.6 + 0.08 * rng.standard_normal(), -1, 1)),
            float(np.clip(-pitch / 0.6 + 0.06 * rng.standard_normal(), -1, 1)),
        ),
        lids=float(rng.uniform(0, 0.06)),
        key_azimuth=float(light * rng.uniform(-1.1, 1.1)),
        key_elevation=float(0.55 + light * rng.uniform(-0.35, 0.35)),
        key=float(0.95 * (1 + 0.25 * light * rng.uniform(-1, 1))),
        fill=float(0.28 * (1 + 0.5 * light * rng.uniform(-1, 1))),
        ambient=float(0.24 * (1 + 0.4 * light * rng.uniform(-1, 1))),
        gloss=float(rng.uniform(0.08, 0.3)),
        background=(
            float(rng.uniform(0.03, 0.6)),
            float(rng.uniform(-0.12, 0.12)),
            float(rng.uniform(0, 0.12)),
        ),
        blur=float(rng.uniform(*studio.blur)),
        noise=float(rng.uniform(*studio.noise)),
        seed=int(rng.integers(2**31)),
    )
