"""The people in the pictures: head and looks of each synthetic person."""

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from synthetic_faces.assets import (
    CHILD,
    EYE,
    OLD,
    SKIN,
    TEETH,
    UPPER_TEETH_FROM,
    YOUNG,
    Assets,
    vertex_normals,
)
from synthetic_faces.creases import draw_lines
from synthetic_faces.errors import require_between
from synthetic_faces.facs import ACTION_UNITS
from synthetic_faces.hair import (
    BEANIE,
    STYLES,
    LongHair,
    Style,
    beard_field,
    fall,
    moustache_field,
    scalp_field,
    stand_off,
)
from synthetic_faces.muscles import Muscles, draw_muscles


class Stream(IntEnum):
    """First word of every seed of random numbers, so that draws for different purposes are independent.

    Of people ``PERSON`` and ``BUILD`` to ``HAIR``; of sequences ``PLAN`` to ``MOTION`` and ``TIMING``; of
    specified pictures ``TAKE``; the others belong to the callers.
    """

    PERSON = 1
    PLAN = 2
    COURSE = 3
    EXPRESSION = 4
    LABEL = 5
    SHOT = 6
    MOTION = 7
    BUILD = 8
    MUSCLES = 9
    LINES = 10
    HAIR = 11
    TIMING = 15
    TAKE = 20
    CONTEXT = 21
    PAIR = 24


# Numbers of people, from the ``first_person`` of their domain: these are in face sets, not in scripts;
# those of the families begin at ``FAMILY``.
IN_SETS = range(0, 100_000)

# First of the people of interventions: no network was trained on them.
STRANGERS = 100_000

# First of the people photographed in pairs of an expression and a neutral face.
PAIRED = 300_000

# First of the people of the first family; the next family begins ``len(IN_SETS)`` further.
FAMILY = 400_000

# Changes that make a neutral face look angry, sad or smiling, and the factor that reduces them.
_EXPRESSIVE = ("mouth-angles", "eyebrows-angle", "eye-height", "mouth-laugh-lines", "eye-corner")
_EXPRESSIVE_SHARE = 0.6

# What makes a face thin or heavy, and how far: MakeHuman's weight does not reach the face.
_FAT = {"head-fat": 0.8, "cheek-volume": 0.6, "cheek-inner": 0.3, "head-scale-horiz": 0.2}

# What differs between narrow, long faces and broad, short ones, and how far (of ``Looks.breadth``).
_BREADTH = {"head-scale-horiz": 0.9, "head-scale-vert": -0.5, "head-fat": 0.5, "cheek-bones": 0.6}
_BREADTH |= {"chin-width": 0.9, "chin-height": -0.5, "chin-bones": 0.5, "mouth-scale-horiz": 0.6}
_BREADTH |= {"nose-scale-horiz": 0.8, "nose-width2": 0.6, "nose-scale-vert": -0.6, "nose-point-width": 0.5}
_BREADTH |= {"eye-trans": 0.4, "forehead-scale-vert": -0.4}

# Above this age faces look grown; below, their features differ by this fraction of what adults' do.
_CHILDREN_BELOW = 0.43
_CHILDRENS_FEATURES = 0.7


@dataclass(frozen=True)
class Looks:
    """How far the people of a set differ.

    ``age``: (low, high) of the adult ages of ``Assets.identity``, 2/3 young … 1 old; ``children``: fraction
    of all who are children instead; ``features``: standard deviation of the 129 changes of face parts (0.22
    is already hard for a small network); ``weight``: of what makes a face thin or heavy; ``texture`` scales
    the pattern of the skin and ``lines`` what age leaves in it (1: natural).

    Shares in [0, 1]: ``beard``, ``moustache`` and ``stubble`` of the men; ``long_hair`` of the women, and a
    sixth of it of the men; ``bangs`` of all who are not bald; ``makeup`` of the women; ``covered`` of all
    wear a hat or a scarf, ``glasses`` of all glasses, of which ``dark_glasses`` have dark lenses. ``folds``
    in [0, 1]: the greatest depth of the lines from the nose to the mouth's corners of a neutral face, at
    any age; ``makehuman``: (low, high) fraction of MakeHuman's targets in how people's muscles build their
    AUs, the rest being Face Units'; ``breadth``: (low, high) in [-1, 1], narrow and long … broad and short,
    of faces that have it in all parts alike; without it the parts differ each by itself.

    Raises SettingError for a value out of range.
    """

    age: tuple[float, float] = (0.67, 0.95)
    children: float = 0.0
    features: float = 0.2
    weight: float = 0.3
    texture: float = 1.0
    lines: float = 1.0
    beard: float = 0.12
    moustache: float = 0.08
    stubble: float = 0.5
    long_hair: float = 0.5
    bangs: float = 0.15
    makeup: float = 0.3
    covered: float = 0.0
    glasses: float = 0.0
    dark_glasses: float = 0.0
    folds: float = 0.0
    makehuman: tuple[float, float] = (0.0, 1.0)
    breadth: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        limits = {field.name: (0, 1) for field in fields(self) if field.name != "breadth"}
        limits |= {"age": (YOUNG, OLD), "features": (0, 0.5), "texture": (0, 3), "lines": (0, 3)}
        require_between(self, **limits | ({"breadth": (-1, 1)} if self.breadth else {}))


@dataclass(frozen=True)
class Glasses:
    """Two lenses in a frame before the eyes; lengths in metres.

    ``lenses``: the middle between them; ``lens``: from there to one's centre, half its width, half its height
    and the width of the frame, of which ``rim_albedo`` is the reflectance; ``squareness``: exponent of the
    lens's outline (2: an ellipse); ``tint``: fraction of light that the lenses keep; ``glare``: light of a
    window mirrored in them.
    """

    lenses: tuple[float, float, float]
    lens: tuple[float, float, float, float]
    squareness: float
    rim_albedo: float
    tint: float
    glare: float


@dataclass(frozen=True)
class Person:
    """One synthetic adult: the neutral head ``vertices`` (N, 3) in metres, and how it is painted.

    ``grown`` (N, 3), metres: how far inside scalp, beard and moustache a vertex lies, negative elsewhere;
    ``vertices`` lie off the skin there by the hair's volume. ``long_hair`` and ``glasses`` are None for
    most.

    Reflectances ``skin``, ``hair``, ``brow`` and ``clothes`` and the shares ``lips`` (of the skin's
    reflectance), ``stubble``, ``beard``, ``moustache``, ``freckles``, ``bags`` (under the eyes),
    ``eye_shadow``, ``creases`` (lines of the neutral face) and ``folds`` (those next to the mouth) lie in [0,
    1]; ``iris`` is its reflectance. Lengths in metres: ``brow_height``, ``brow_arch``, ``brow_thickness``;
    ``neckline``: where clothes begin in the template. ``hair_density`` is the fraction of scalp covered,
    ``cloth`` 1 where a hat or a scarf covers it and ``hair`` is its reflectance, else 0;
    ``droop`` is how far the upper lids hang, in [0, 1]; ``texture`` seeds the pattern of skin and hair and
    ``grain`` scales it: at 0 the paint has no pattern, and is symmetric. ``lines`` (K, 10): where creases
    run, of ``creases.draw_lines``.
    """

    vertices: np.ndarray
    skin: float
    lips: float
    stubble: float
    beard: float
    moustache: float
    freckles: float
    bags: float
    creases: float
    hair: float
    grown: np.ndarray
    hair_density: float
    cloth: float
    brow: float
    brow_height: float
    brow_arch: float
    brow_thickness: float
    iris: float
    lash: float
    eye_shadow: float
    droop: float
    clothes: float
    neckline: float
    texture: int
    grain: float
    long_hair: LongHair | None
    glasses: Glasses | None
    folds: float
    lines: np.ndarray
    muscles: Muscles


def draw_person(assets: Assets, seed: int, subject: int, looks: Looks | None = None) -> Person:
    """Draw a person, independently of all others.

    Parameters
    ----------
    assets : Assets
        The head.
    seed : int
    subject : int
        Number of the person.
    looks : Looks, optional
        How the people of the set look.

    Returns
    -------
    Person
    """
    looks = looks or Looks()
    rng = np.random.default_rng((Stream.PERSON, seed, subject))
    build = np.random.default_rng((Stream.BUILD, seed, subject))
    # Rather male or rather female, seldom half way.
    gender = rng.beta(0.5, 0.5)
    age, child = rng.uniform(*looks.age), build.random() < looks.children
    if child:
        age = build.uniform(CHILD, _CHILDREN_BELOW)
    ancestry = rng.dirichlet((0.6, 0.6, 0.6))
    vertices = assets.identity(
        gender=gender,
        age=age,
        height=rng.uniform(0.3, 0.7),
        proportions=rng.uniform(0.3, 1),
        ancestry=tuple(ancestry.tolist()),
        local=_draw_local(assets.local_names.tolist(), looks, child, build, rng),
    )

    # A boy has nothing of a man's hair.
    old, male = max((age - YOUNG) / (OLD - YOUNG), 0), gender < 0.5 and not child
    skin = float(np.clip(ancestry @ (0.26, 0.54, 0.6) + 0.08 * rng.standard_normal(), 0.12, 0.76))
    hair = float(np.clip(ancestry @ (0.03, 0.03, 0.14) + rng.exponential(0.04), 0.03, 0.6))
    if rng.random() < 0.6 * old**2:
        hair += (0.55 - hair) * rng.uniform(0.2, 1)
    bald = male and rng.random() < 0.05 + 0.2 * old
    flowing = not bald and rng.random() < looks.long_hair * (1 / 6 if gender < 0.5 else 1)
    fringe = not bald and rng.random() < looks.bangs
    hairline = rng.normal(0.003 if male else -0.002, 0.005)
    if fringe and not flowing:
        hairline = rng.uniform(-0.030, -0.018)
    growth = np.random.default_rng((Stream.HAIR, seed, subject))
    covered = not bald and growth.random() < looks.covered
    # A scarf is like long hair without strands, a hat like short hair.
    scarf = covered and gender > 0.5 and growth.random() < 0.5
    hat = covered and not scarf
    if covered:
        hair, hairline = growth.uniform(0.03, 0.7), growth.uniform(-0.022, -0.004)
        flowing, fringe = scarf, False
    slant = growth.uniform(-0.35, 0.35) if fringe else growth.normal(0, 0.06)
    bearded, lipped = male and rng.random() < looks.beard, male and rng.random() < looks.moustache
    made_up = not (male or child) and rng.random() < looks.makeup

    template = assets.template
    grown = np.stack(
        [scalp_field(template, hairline, slant), beard_field(template), moustache_field(template)], axis=1
    )
    beard, thick = (0.5 + 0.5 * rng.random(), rng.uniform(0.001, 0.007)) if bearded else (0.0, 0.0)
    if not bald:
        style = (STYLES["cropped"], BEANIE)[hat] if flowing or hat else _draw_style(gender < 0.5, growth)
        off = stand_off(template, grown[:, 0], style, growth)
        vertices += off * (1 - assets.region("ears"))[:, None]
    if bearded:
        beard_off = thick * np.clip(grown[:, 1] / 0.015, 0, 1)
        vertices += (beard_off[:, None] * vertex_normals(vertices, assets.triangles)).astype(np.float32)
    if assets.units is ACTION_UNITS:
        vertices += _tooth_shift(assets)

    return Person(
        vertices=vertices,
        skin=skin,
        lips=rng.uniform(0.35, 0.65) if made_up else rng.uniform(0.6, 0.88),
        stubble=rng.uniform(0.1, 0.6) if male and rng.random() < looks.stubble else 0.0,
        beard=beard,
        moustache=max(beard, 0.6 + 0.4 * rng.random() if lipped else 0.0),
        freckles=rng.uniform(0.2, 0.8) if rng.random() < 0.15 else 0.0,
        bags=float(np.clip(looks.lines * rng.random() * (0 if child else 0.3 + 0.7 * old), 0, 1)),
        creases=float(np.clip(looks.lines * 0.5 * old * rng.random(), 0, 1)),
        hair=hair,
        grown=grown,
        hair_density=rng.uniform(0.0, 0.4) if bald else 1.0,
        cloth=float(covered),
        brow=min((0.1 if covered else hair) + 0.02, rng.uniform(0.25, 0.65) * skin),
        brow_height=rng.normal(-0.0030 if male else -0.0015, 0.0018),
        brow_arch=rng.uniform(0.002, 0.008),
        brow_thickness=rng.uniform(0.0019, 0.0034) + (0.0010 if male else 0),
        iris=rng.uniform(0.03, 0.14),
        lash=rng.uniform(*((0.4, 0.7) if made_up else (0.1, 0.3) if male else (0.2, 0.45))),
        eye_shadow=rng.uniform(0.1, 0.8) if made_up else 0.0,
        droop=rng.uniform(0, 0.05),
        clothes=rng.uniform(0.03, 0.7),
        neckline=rng.uniform(0.555, 0.60),
        texture=int(rng.integers(2**31)),
        grain=looks.texture,
        long_hair=_draw_long_hair(vertices, assets, fringe, scarf, rng) if flowing else None,
        glasses=_draw_glasses(vertices, assets, looks, rng) if rng.random() < looks.glasses else None,
        # Drawn last: where there are none, everything else is as it was.
        folds=0.0 if child else looks.folds * rng.random(),
        lines=draw_lines(np.random.default_rng((Stream.LINES, seed, subject))),
        muscles=draw_muscles(
            assets.action_names.tolist(),
            looks.makehuman,
            np.random.default_rng((Stream.MUSCLES, seed, subject)),
            assets.units,
        ),
    )


def upper_teeth(assets: Assets) -> np.ndarray:
    """Return the vertices of the upper row of teeth, bool (N,)."""
    return assets.in_group(TEETH) & (assets.vertex_ids >= UPPER_TEETH_FROM)


def _tooth_shift(assets: Assets) -> np.ndarray:
    """Return the shift that turns the mesh's plain strips of teeth into teeth that a smile shows, float32 (N,
    3).

    The upper ones end at the line of the lips, so that a smile would reveal almost none of them: they are
    lengthened. The lower ones do not follow the lower lip far enough: they are shortened.
    """
    upper = upper_teeth(assets)
    lower = assets.in_group(TEETH) & ~upper
    shift = np.zeros_like(assets.template)
    height = assets.template[:, 2]
    # Fraction of the height to the biting edge.
    down = np.clip((0.6794 - height) / 0.0194, 0, 1)
    shift[upper, 2] = -0.0045 * down[upper]
    shift[upper, 1] = -0.0015 * down[upper]
    up = np.clip((height - 0.642) / 0.0173, 0, 1)
    shift[lower, 2] = -0.006 * up[lower]
    shift[lower, 1] = 0.002
    return shift


def measure_head(vertices: np.ndarray, assets: Assets) -> tuple[np.ndarray, float, float]:
    """Return the middle of a head at the height of its eyes, half of its width from the cheeks up, and the
    height of its crown.
    """
    skin = assets.in_group(SKIN) & (assets.region("ears") < 0.3)
    eyes = vertices[assets.in_group(EYE)].mean(axis=0, dtype=np.float64)
    skull, wide = (vertices[skin & (assets.template[:, 2] > above)] for above in (0.72, 0.66))
    low, high = skull.min(axis=0), skull.max(axis=0)
    middle = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), eyes[2]], dtype=np.float64)
    return middle, float(np.ptp(wide[:, 0]) / 2), float(high[2])


def _draw_style(male: bool, rng: np.random.Generator) -> Style:
    shares = np.array([style.male if male else style.female for style in STYLES.values()])
    return tuple(STYLES.values())[rng.choice(len(shares), p=shares / shares.sum())]


def _draw_long_hair(
    vertices: np.ndarray, assets: Assets, fringe: bool, scarf: bool, rng: np.random.Generator
) -> LongHair:
    middle, half_head, top = measure_head(vertices, assets)
    # A square jaw and heavy cheeks need more space than a skull does.
    off = (vertices - middle)[assets.in_group(SKIN) & (assets.region("ears") < 0.3)]
    cheeks = off[(np.abs(off[:, 0]) > 0.6 * half_head) & (np.abs(off[:, 2]) < 0.9 * half_head)]
    room = max(half_head, 1.03 * float(np.hypot(cheeks[:, 0], cheeks[:, 1] / 1.32).max()))
    turn = 2 * math.pi
    # Locks, and how it falls as a whole: fuller here, flatter there.
    waves = [(rng.exponential(0.003), float(rng.integers(5, 14)), rng.uniform(-2, 3), rng.uniform(0, turn))]
    waves += [
        (rng.uniform(0, 0.008), k, rng.uniform(-1.5, 1.5), rng.uniform(0, turn)) for k in (1.0, 2.0, 3.0)
    ]
    points = fall(
        middle,
        room,
        top,
        volume=rng.uniform(0.004, 0.022),
        length=rng.uniform(0.06, 0.26),
        flare=rng.uniform(-0.15, 0.4),
        waves=waves[: 2 if scarf else None],
    )
    if fringe:
        high, slant, roundness = rng.uniform(0.30, 0.45), rng.uniform(-0.15, 0.15), rng.uniform(6, 14)
    else:
        # Parted: the window has a point where the parting is, or an arch.
        high, slant, roundness = rng.uniform(0.75, 1.1), rng.uniform(-0.4, 0.4), rng.uniform(1.2, 3.5)
    opening = (
        rng.uniform(0.8, 0.9) if scarf else rng.uniform(0.76, 1.1),
        high,
        slant,
        rng.uniform(-0.08, 0.12),
    )
    return LongHair(points, opening, roundness, loose=0.0 if scarf else rng.uniform(0.03, 0.08))


def _draw_glasses(vertices: np.ndarray, assets: Assets, looks: Looks, rng: np.random.Generator) -> Glasses:
    eyes = vertices[assets.in_group(EYE)]
    x, _, z = eyes.mean(axis=0, dtype=np.float64).tolist()
    apart = float(np.abs(eyes[:, 0] - x).mean(dtype=np.float64))
    dark = rng.random() < looks.dark_glasses
    half_width = rng.uniform(0.021, 0.028)
    thin = rng.random() < 0.4
    lenses = (x, float(eyes[:, 1].min()) - 0.010, z - rng.uniform(0, 0.005))
    half_height = half_width * rng.uniform(0.6, 1.0)
    squareness = rng.uniform(2, 5)
    rim = rng.uniform(0.0008, 0.0014) if thin else rng.uniform(0.0015, 0.0035)
    return Glasses(
        lenses=lenses,
        lens=(max(apart, half_width + 0.006), half_width, half_height, rim),
        squareness=squareness,
        rim_albedo=rng.uniform(0.02, 0.5) if thin else rng.exponential(0.06) + 0.02,
        tint=rng.uniform(0.75, 0.97) if dark else rng.uniform(0, 0.15),
        glare=max(rng.normal(0.1, 0.3), 0.0),
    )


def _draw_local(
    names: list[str], looks: Looks, child: bool, build: np.random.Generator, rng: np.random.Generator
) -> np.ndarray:
    """Draw changes of face parts in [-1, 1]; the two halves of a face differ a little."""
    features = looks.features * (_CHILDRENS_FEATURES if child else 1)
    fat = looks.weight * build.standard_normal()
    broad = build.uniform(*looks.breadth) if looks.breadth else 0.0
    parts: dict[str, float] = {}
    values = np.zeros(len(names))
    for i, name in enumerate(names):
        part = name[2:] if name[:2] in ("l-", "r-") else name
        what = part.rsplit("-", 2)[0]
        spread = features * (_EXPRESSIVE_SHARE if part.startswith(_EXPRESSIVE) else 1)
        if part not in parts:
            draw = spread * rng.standard_normal() + fat * _FAT.get(what, 0)
            parts[part] = broad * _BREADTH[what] if looks.breadth and what in _BREADTH else draw
        own = 0.25 * spread * rng.standard_normal() if part != name else 0.0
        values[i] = parts[part] + own
    return np.clip(values, -1, 1)
