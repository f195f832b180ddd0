"""The camera: head pose, light, crop, occlusion of the face, and the processing of the file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from synthetic_faces.errors import SettingError, require_between
from synthetic_faces.framing import DOWN, HALF_SIDE

_LIMITS = {
    "pose": (0, 3),
    "turned": (0, 1),
    "light": (0, 1.5),
    "blur": (0, 10),
    "noise": (0, 1),
    "wrinkles": (0, 1),
    "window": (0.05, 0.15),
    "centre": (0, 1),
    "follow": (0, 1),
    "crop": (0, 0.5),
    "zoom": (0, 0.5),
    "tilt": (0, 1),
    "scenery": (0, 1),
    "occluders": (0, 1),
    "captions": (0, 1),
    "exposure": (0, 2),
    "contrast": (0, 1),
    "levels": (0, 1),
    "enlargement": (1, 8),
    "quality": (1, 100),
}

# Heads that are turned far: so many times the usual spread, to the side and up or down no farther than this.
_FAR, _FARTHEST = 3.5, (1.05, 0.65)

# Where hands go: middle of the fingers (to the side, up from the eyes; metres), how far they point towards
# the face's middle (radians from upwards), and whether both hands do it.
GESTURES: dict[str, tuple[float, float, float, bool]] = {
    "cheeks": (0.064, -0.040, 0.15, True),
    "head": (0.070, 0.045, 0.45, True),
    "mouth": (0.012, -0.088, 0.5, False),
    "both at mouth": (0.020, -0.090, 0.45, True),
    "cheek": (0.058, -0.050, 0.1, False),
    "chin": (0.020, -0.125, 0.7, False),
    "brow": (0.020, 0.040, 1.2, False),
    "eye": (0.036, -0.008, 0.9, False),
}


@dataclass(frozen=True)
class Capture:
    """How far the pictures of a set differ in everything but the face.

    Spreads. ``pose`` and ``light`` scale the spread of head pose and light (1: natural, 0: none); ``tilt`` is
    the standard deviation, in radians, by which the camera is held askew; ``exposure`` that of the light's
    amount, in stops, and ``contrast`` that of the logarithm of the contrast. ``levels`` in [0, 1]: the
    largest fraction by which a picture's darkest and lightest hundredth are stretched to black and
    white, as picture editors do.

    What people do with head and hands. ``turned``: fraction of pictures in which the head turns and tilts
    ``_FAR`` times as far as usual. ``bowed``: emotion -> fraction of its pictures in which the head hangs and
    the lids are low; ``hands``: emotion -> gesture, one of ``GESTURES`` -> fraction of its pictures. These
    two are cues to the emotion next to the action units, as they are in photographs; posed sets have none.

    Crop. ``window`` is half the width of the crop of an average face, in metres; ``zoom`` the standard
    deviation of its logarithm. ``centre`` is the height of its middle, from 0 at the eyes to 1 at the lips;
    ``follow`` the fraction by which it turns with the head, and ``crop`` the standard
    deviation of its place, as a fraction of half the width.

    Fractions of pictures, in [0, 1]: ``scenery`` with another background: plain white or black, or with
    things in it; ``occluders`` where a hand, a bar or strands of hair cover part of the face; ``captions``
    with a line of letter-like marks across.

    The picture itself. ``blur`` (pixels), ``noise`` (standard deviation, of a full scale of 1),
    ``enlargement`` (the picture is a smaller one, enlarged by this factor; 1: none) and ``quality`` (of JPEG
    compression, 1-99; 100: not compressed) are (low, high) pairs of which each picture draws its own value;
    ``wrinkles`` in [0, 1] scales what actions leave in the skin.

    Raises SettingError for a value out of range.
    """

    pose: float = 0.8
    turned: float = 0.0
    bowed: Mapping[str, float] = field(default_factory=dict)
    hands: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    light: float = 0.8
    blur: tuple[float, float] = (0.0, 0.3)
    noise: tuple[float, float] = (0.01, 0.02)
    wrinkles: float = 1.0
    window: float = HALF_SIDE
    centre: float = DOWN
    follow: float = 0.0
    crop: float = 0.0
    zoom: float = 0.0
    tilt: float = 0.0
    scenery: float = 0.0
    occluders: float = 0.0
    captions: float = 0.0
    exposure: float = 0.0
    contrast: float = 0.0
    levels: float = 0.0
    enlargement: tuple[float, float] = (1.0, 1.0)
    quality: tuple[float, float] = (100.0, 100.0)

    def __post_init__(self) -> None:
        require_between(self, **_LIMITS)
        for emotion, share in self.bowed.items():
            if not 0 <= share <= 1:
                raise SettingError(f"bowed is {share} for {emotion}; it must lie between 0 and 1")
        for emotion, shares in self.hands.items():
            if not set(shares) <= set(GESTURES):
                raise SettingError(
                    f"hands: no gesture {min(set(shares) - set(GESTURES))!r} ({emotion}); the gestures are "
                    f"{', '.join(GESTURES)}"
                )
            if min(shares.values(), default=0) < 0 or sum(shares.values()) > 1:
                raise SettingError(
                    f"hands: proportions of {emotion} must be 0 or more and at most 1 together"
                )


@dataclass(frozen=True)
class Rod:
    """A round-ended bar before the face: its ends as (right, up, to the front) of the head from the middle of
    the eyes, in metres.

    ``albedo``: its reflectance; None for a finger of the person in the picture.
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    albedo: float | None


@dataclass(frozen=True)
class Caption:
    """A line of letter-like marks: left end, top and height as fractions of the picture's side.

    ``light``: their grey in [0, 1]; ``strength``: how much of the picture they cover, in [0, 1].
    """

    left: float
    top: float
    height: float
    letters: int
    light: float
    strength: float
    seed: int


@dataclass(frozen=True)
class Shot:
    """What is special about one picture next to the face: angles in radians, lengths in metres.

    ``offset``: of the crop, in fractions of half its width (right, up); ``tilt``: of the camera about its
    axis; ``shadow``: fraction of the key light that reaches its shadows; ``background``: light, slope and
    cloudiness; ``seed`` of all that is random in the scene, and with ``frame``, its place in a clip, of the
    sensor's noise; ``scenery``: strength of the things in the background; ``strands`` of hair before the
    face: place, slant and curve in half windows, half width; ``exposure`` in stops; ``contrast`` a factor;
    ``blur`` in pixels.
    """

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
    frame: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    tilt: float = 0.0
    shadow: float = 0.25
    scenery: float = 0.0
    rods: tuple[Rod, ...] = ()
    strands: tuple[tuple[float, float, float, float], ...] = ()
    caption: Caption | None = None
    exposure: float = 0.0
    contrast: float = 1.0
    levels: float = 0.0
    enlargement: float = 1.0
    quality: float = 100.0


def draw_shot(rng: np.random.Generator, capture: Capture, emotion: str = "neutral") -> Shot:
    """Draw head pose, gaze, light, background, occlusion, and the picture's quality, for one picture.

    ``emotion`` of the person determines ``Capture.bowed`` and ``hands``.
    """
    pose, light = capture.pose, capture.light
    yaw, pitch, roll = pose * rng.standard_normal(3) * (0.10, 0.06, 0.04)
    background = (rng.uniform(0.03, 0.6), rng.uniform(-0.12, 0.12), rng.uniform(0, 0.12))
    scenery = 0.0
    if rng.random() < capture.scenery:
        kind = rng.choice(3, p=(0.25, 0.15, 0.6))
        # Bright enough for white, whatever the exposure.
        background = ((3.0, 0.0, 0.0), (0.005, 0.0, 0.01), background)[kind]
        scenery = rng.uniform(0.3, 1.2) if kind == 2 else 0.0
    rods, strands = (), ()
    if rng.random() < capture.occluders:
        kind = rng.choice(3, p=(0.5, 0.15, 0.35))
        rods = (_draw_hand(rng), _draw_bar(rng), ())[kind]
        strands = _draw_strands(rng) if kind == 2 else ()
    shot = Shot(
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        shift=tuple((0.003 * pose * rng.standard_normal(2)).tolist()),
        zoom=float((1 + 0.06 * pose * rng.uniform(-1, 1)) * np.exp(capture.zoom * rng.standard_normal())),
        # People look into the camera, more or less, whatever the head does.
        gaze=(
            float(np.clip(-yaw / 0.6 + 0.08 * rng.standard_normal(), -1, 1)),
            float(np.clip(-pitch / 0.6 + 0.06 * rng.standard_normal(), -1, 1)),
        ),
        lids=rng.uniform(0, 0.06),
        key_azimuth=float(light * rng.uniform(-1.1, 1.1)),
        key_elevation=float(0.6 + light * rng.uniform(-0.35, 0.35)),
        key=float(0.95 * (1 + 0.25 * light * rng.uniform(-1, 1))),
        fill=float(0.28 * (1 + 0.5 * light * rng.uniform(-1, 1))),
        ambient=float(0.24 * (1 + 0.4 * light * rng.uniform(-1, 1))),
        gloss=rng.uniform(0.08, 0.3),
        background=background,
        blur=rng.uniform(*capture.blur),
        noise=rng.uniform(*capture.noise),
        seed=int(rng.integers(2**31)),
        offset=tuple((capture.crop * rng.standard_normal(2)).tolist()),
        tilt=float(capture.tilt * rng.standard_normal()),
        shadow=float(0.25 + 0.13 * light * rng.uniform(-1, 1)),
        scenery=scenery,
        rods=rods,
        strands=strands,
        caption=_draw_caption(rng) if rng.random() < capture.captions else None,
        exposure=float(capture.exposure * rng.standard_normal()),
        contrast=float(np.exp(capture.contrast * rng.standard_normal())),
        levels=rng.uniform(0, capture.levels),
        enlargement=rng.uniform(*capture.enlargement),
        quality=rng.uniform(*capture.quality),
    )
    return _hold(_move(shot, rng, capture, emotion), rng, capture.hands.get(emotion, {}))


def _move(shot: Shot, rng: np.random.Generator, capture: Capture, emotion: str) -> Shot:
    """Return the shot, with a head that is turned far or bowed in some pictures."""
    far, bowed = rng.random() < capture.turned, rng.random() < capture.bowed.get(emotion, 0)
    factor, down, watching = _FAR if far else 1.0, rng.uniform(0.2, 0.6), rng.random()
    gaze, lids = rng.uniform((-0.3, -0.9), (0.3, -0.2)), rng.uniform(0.1, 0.55)
    yaw, pitch = factor * shot.yaw, factor * shot.pitch - bowed * down
    yaw, pitch = (
        float(np.clip(angle, -most, most)) for angle, most in zip((yaw, pitch), _FARTHEST, strict=True)
    )
    shot = replace(shot, yaw=yaw, pitch=pitch, roll=factor * shot.roll)
    if far:
        # To the camera, or where the head points.
        share = rng.choice((0.2, 1.0)) / 0.6
        shot = replace(shot, gaze=tuple(float(np.clip(-share * angle, -1, 1)) for angle in (yaw, pitch)))
    if bowed and watching < 0.75:
        shot = replace(shot, gaze=tuple(gaze.tolist()), lids=lids)
    return shot


def _hold(shot: Shot, rng: np.random.Generator, gestures: Mapping[str, float]) -> Shot:
    """Return the shot, with hands at the face in some pictures."""
    chance, side, wobble = rng.random(), rng.choice((-1.0, 1.0)), rng.standard_normal((2, 3))
    for gesture, share in gestures.items():
        chance -= share
        if chance < 0:
            *place, both = GESTURES[gesture]
            rods = ()
            for own, off in zip((side, -side) if both else (side,), wobble, strict=False):
                x, z, angle = np.array(place) + off * (0.005, 0.007, 0.15)
                rods += _hand(own * x, z, -own * angle, rng)
            return replace(shot, rods=rods)
    return shot


def _draw_hand(rng: np.random.Generator) -> tuple[Rod, ...]:
    """Draw a hand on mouth, cheek, eye or forehead."""
    places = ((0.0, -0.075), (0.05, -0.05), (-0.05, -0.05), (0.04, 0.0), (-0.04, 0.0), (0.0, 0.045))
    x, z = np.add(
        places[rng.choice(len(places), p=(0.4, 0.2, 0.2, 0.05, 0.05, 0.1))], 0.008 * rng.standard_normal(2)
    )
    # Fingers point upwards or to the middle of the face.
    side = -1.0 if x > 0 or (x == 0 and rng.random() < 0.5) else 1.0
    return _hand(x, z, side * rng.uniform(0.1, 1.5), rng)


def _hand(x: float, z: float, angle: float, rng: np.random.Generator) -> tuple[Rod, ...]:
    """Return four fingers about (``x``, ``z``) that point ``angle`` to the right of upwards, and the palm
    behind.
    """
    along = np.array((math.sin(angle), math.cos(angle)))
    across = np.array((along[1], -along[0]))
    near = 0.042 - 9 * x * x
    rods = []
    for i, length in enumerate((0.058, 0.068, 0.064, 0.05)):
        foot = np.array((x, z)) + (i - 1.5) * 0.0175 * across - 0.5 * 0.06 * along
        tip = foot + length * along + 0.004 * rng.standard_normal(2)
        rods.append(Rod((*foot.tolist(), near + 0.004), (*tip.tolist(), near - 0.006), 0.0085, None))
    for i in (-1, 1):
        start = np.array((x, z)) + i * 0.017 * across - 0.035 * along
        end = start - 0.06 * along
        rods.append(Rod((*start.tolist(), near), (*end.tolist(), near + 0.01), 0.019, None))
    return tuple(rods)


def _draw_bar(rng: np.random.Generator) -> tuple[Rod, ...]:
    """Draw a bar across part of the picture: a railing, a microphone, an arm."""
    angle = rng.uniform(0, math.pi)
    middle = rng.uniform((-0.06, -0.12), (0.06, 0.05))
    reach = 0.2 * np.array((math.cos(angle), math.sin(angle)))
    start, end = (middle - reach).tolist(), (middle + reach).tolist()
    radius, albedo = rng.uniform(0.004, 0.014), rng.uniform(0.03, 0.6)
    return (Rod((*start, 0.06), (*end, 0.06), radius, albedo),)


def _draw_strands(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    """Draw one to three strands of hair over the face."""
    place, slant = rng.uniform(-0.8, 0.8), rng.uniform(-0.5, 0.5)
    strands = []
    for _ in range(rng.integers(1, 4)):
        strand = (place + 0.15 * rng.standard_normal(), slant + 0.1 * rng.standard_normal())
        strands.append((*map(float, strand), rng.uniform(-0.3, 0.3), rng.uniform(0.015, 0.07)))
    return tuple(strands)


def _draw_caption(rng: np.random.Generator) -> Caption:
    """Draw marks like those that picture agencies print over their pictures."""
    return Caption(
        left=rng.uniform(-0.3, 0.3),
        top=rng.uniform(0.2, 0.9),
        height=rng.uniform(0.06, 0.16),
        letters=int(rng.integers(4, 14)),
        light=float(rng.choice((0.0, 1.0), p=(0.3, 0.7))),
        strength=rng.uniform(0.15, 0.5),
        seed=int(rng.integers(2**31)),
    )
