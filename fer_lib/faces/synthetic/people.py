"""Who is in the pictures: the head and the looks of one synthetic person."""

import math
from dataclasses import dataclass, fields

import numpy as np

from fer_lib.errors import ParameterError
from fer_lib.faces.synthetic.assets import REGIONS, Assets, vertex_normals

# First word of every seed: streams of people, pictures and splits never meet.
PERSON_STREAM = 1

# Changes that make a resting face look angry, sad or smiling, and what is left of them.
_EXPRESSIVE = ("mouth-angles", "eyebrows-angle", "eye-height", "mouth-laugh-lines", "eye-corner")
_EXPRESSIVE_SHARE = 0.6


@dataclass(frozen=True)
class Looks:
    """How far the people of a set differ.

    ``age``: (low, high) of the adult ages of ``Assets.identity``, 2/3 young … 1 old; ``features``: standard
    deviation of the 129 changes of face parts (0.22 is already hard for a small network); ``texture`` scales the
    pattern of the skin and ``lines`` what age leaves in it (1: natural).

    Shares in [0, 1]: ``beard``, ``moustache`` and ``stubble`` of the men; ``long_hair`` of the women, and a sixth of
    it of the men; ``bangs`` of all who are not bald; ``makeup`` of the women; ``glasses`` of all, of which
    ``dark_glasses`` have dark lenses.

    Raises ParameterError for a value out of range.
    """

    age: tuple[float, float] = (0.67, 0.95)
    features: float = 0.2
    texture: float = 1.0
    lines: float = 1.0
    beard: float = 0.12
    moustache: float = 0.08
    stubble: float = 0.5
    long_hair: float = 0.5
    bangs: float = 0.15
    makeup: float = 0.3
    glasses: float = 0.0
    dark_glasses: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.age
        if not 2 / 3 <= low <= high <= 1:
            raise ParameterError(f"age is {self.age}; it must be a pair 2/3 <= low <= high <= 1")
        for field in fields(self)[1:]:
            most = {"features": 0.5, "texture": 3, "lines": 3}.get(field.name, 1)
            if not 0 <= getattr(self, field.name) <= most:
                raise ParameterError(
                    f"{field.name} is {getattr(self, field.name)}; it must lie between 0 and {most}"
                )


@dataclass(frozen=True)
class Person:
    """One synthetic adult: the neutral head ``vertices`` (N, 3) in metres, and how it is painted.

    ``hair_field`` (N,), metres: how far inside the hairy part of the scalp a vertex lies, negative on the
    face; ``vertices`` stand off the scalp there by the hair's volume.

    Reflectances ``skin``, ``hair`` and ``brow`` and the shares ``lips``, ``stubble``, ``freckles``,
    ``creases`` (lines that stay at rest) lie in [0, 1]; ``iris`` is its reflectance. Lengths in metres:
    ``brow_height``, ``brow_arch``, ``brow_thickness``.
    ``hair_density`` is the share of scalp covered; ``droop`` is how far the upper lids hang, in [0, 1];
    ``texture`` seeds the pattern of skin and hair.
    """

    vertices: np.ndarray
    gender: float
    age: float
    skin: float
    lips: float
    stubble: float
    freckles: float
    creases: float
    hair: float
    hair_field: np.ndarray
    hair_density: float
    brow: float
    brow_height: float
    brow_arch: float
    brow_thickness: float
    iris: float
    lash: float
    droop: float
    texture: int


def draw_person(assets: Assets, seed: int, subject: int, looks: Looks | None = None) -> Person:
    """The person number ``subject`` of ``seed``, of a set whose people look like ``looks``.

    The same whatever else is generated.
    """
    looks = looks or Looks()
    rng = np.random.default_rng((PERSON_STREAM, seed, subject))
    # Rather male or rather female, seldom half way.
    gender = float(rng.beta(0.5, 0.5))
    age = float(rng.uniform(*looks.age))
    ancestry = rng.dirichlet((0.6, 0.6, 0.6))
    vertices = assets.identity(
        gender=gender,
        age=age,
        height=float(rng.uniform(0.3, 0.7)),
        proportions=float(rng.uniform(0.3, 1)),
        ancestry=tuple(ancestry.tolist()),
        local=_draw_local(assets.local_names.tolist(), looks.features, rng),
    )

    old = (age - 2 / 3) * 3
    skin = float(np.clip(ancestry @ (0.3, 0.54, 0.6) + 0.07 * rng.standard_normal(), 0.22, 0.72))
    hair = float(np.clip(ancestry @ (0.05, 0.05, 0.2) + rng.exponential(0.04), 0.03, 0.5))
    if rng.random() < 0.6 * old**2:
        hair += (0.55 - hair) * rng.uniform(0.2, 1)
    male = gender < 0.5
    bald = male and rng.random() < 0.05 + 0.2 * old
    field = hair_field(assets.template, float(rng.normal(0.003 if male else -0.002, 0.005)))
    volume = 0.001 if bald else rng.uniform(0.002, 0.016)
    scalp = np.clip(field / 0.02, 0, 1) * (1 - assets.regions[:, REGIONS.index("ears")])
    vertices += (volume * scalp[:, None] * vertex_normals(vertices, assets.triangles)).astype(np.float32)
    return Person(
        vertices=vertices,
        gender=gender,
        age=age,
        skin=skin,
        lips=float(rng.uniform(0.6, 0.82)),
        stubble=float(rng.uniform(0, 0.5)) if male and rng.random() < 0.6 else 0.0,
        freckles=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.15 else 0.0,
        creases=float(np.clip(0.3 * old * rng.random(), 0, 1)),
        hair=hair,
        hair_field=field,
        hair_density=float(rng.uniform(0.0, 0.4)) if bald else 1.0,
        brow=float(min(1.1 * hair + 0.02, rng.uniform(0.45, 0.65) * skin)),
        brow_height=float(rng.normal(0, 0.0012)),
        brow_arch=float(rng.uniform(0.003, 0.008)),
        brow_thickness=float(rng.uniform(0.0028, 0.0040) + (0.0008 if male else 0)),
        iris=float(rng.uniform(0.03, 0.16)),
        lash=float(rng.uniform(0.05, 0.2) if male else rng.uniform(0.15, 0.35)),
        droop=float(rng.uniform(0, 0.05)),
        texture=int(rng.integers(2**31)),
    )


def hair_field(template: np.ndarray, hairline: float) -> np.ndarray:
    """float32 (N,), metres: how far inside the hairy part of the scalp a vertex of ``template`` lies.

    ``hairline`` raises the usual line on the forehead, in metres; a raised one recedes at the temples first.
    """
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    temple = np.sin(math.pi * np.clip(x / 0.045, 0, 1))
    line = 0.787 + hairline - 0.5 * np.clip(x - 0.035, 0, None) + 0.9 * max(hairline, 0) * temple
    sides = np.minimum(y + 0.062, z - 0.690)
    nape = np.minimum(y + 0.01, z - 0.62)
    return np.maximum.reduce([z - line, sides, nape]).astype(np.float32)


def _draw_local(names: list[str], features: float, rng: np.random.Generator) -> np.ndarray:
    """Values in [-1, 1] of the changes of face parts; the two halves of a face differ a little."""
    shared: dict[str, float] = {}
    values = np.zeros(len(names))
    for i, name in enumerate(names):
        part = name[2:] if name[:2] in ("l-", "r-") else name
        spread = features * (_EXPRESSIVE_SHARE if part.startswith(_EXPRESSIVE) else 1)
        if part not in shared:
            shared[part] = spread * rng.standard_normal()
        own = 0.25 * spread * rng.standard_normal() if part != name else 0.0
        values[i] = shared[part] + own
    return np.clip(values, -1, 1)
