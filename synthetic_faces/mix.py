"""Two domains and what lies between them: the same people with the same expressions, one factor taken as the
other domain takes it.

A network that was trained on one synthetic domain fails on another for many reasons at once. Here the reasons
come apart. Every picture is drawn twice, as the domain ``base`` draws it and as ``other`` does, from the same
seed; a **condition** says, for each factor, which of the two the picture has. What no factor names (the seed
of scene and sensor, the gloss of the skin) comes from ``base`` throughout. So two conditions differ in their
factor and in nothing else. What ``other`` draws is not ``base``'s draw on another scale: a scene or an
occluder that one of them alone has takes random numbers, so that in three of five pictures the light, for
one, is another draw.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthetic_faces.capture import Shot, draw_shot
from synthetic_faces.domains import Domain, domain_named, require_head
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import EMOTIONS, draw_expression
from synthetic_faces.facs import AUS
from synthetic_faces.people import MIXED, Looks, Stream, draw_person
from synthetic_faces.sequences import person_number
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    from synthetic_faces.render import Renderer


@dataclass(frozen=True)
class Factor:
    """What one factor takes over from the other domain; fields by their names.

    ``title``: what it is, in words. ``capture``, ``looks``, ``spread``: the settings of ``Domain.capture``,
    ``looks`` and ``spread`` that it is about. ``shot``: what of a single picture is drawn by these settings.
    """

    title: str
    capture: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    shot: tuple[str, ...] = ()


FACTORS: dict[str, Factor] = {
    "pose": Factor(
        "how far heads turn",
        capture=("pose", "turned", "bowed"),
        shot=("yaw", "pitch", "roll", "shift", "gaze", "lids"),
    ),
    "light": Factor(
        "where the light comes from, and how hard it is",
        capture=("light",),
        shot=("key_azimuth", "key_elevation", "key", "fill", "ambient", "shadow"),
    ),
    "blur": Factor(
        "blur, noise and compression",
        capture=("blur", "noise", "enlargement", "quality"),
        shot=("blur", "noise", "enlargement", "quality"),
    ),
    "occlusion": Factor(
        "hands, bars, strands of hair and captions before the face",
        capture=("occluders", "captions", "hands"),
        shot=("rods", "strands", "caption"),
    ),
    "intensity": Factor("how strong expressions are", spread=("intensity",)),
    "manner": Factor(
        "which action units make up an expression",
        spread=("jitter", "drop", "extra", "one_sided", "asymmetry", "natural", "free"),
    ),
    "looks": Factor(
        "what people look like: age, features, hair, beards, glasses",
        capture=("wrinkles",),
        looks=tuple(Looks.__dataclass_fields__),
    ),
    "framing": Factor(
        "how faces are cropped: window, zoom, place, tilt",
        capture=("window", "centre", "follow", "crop", "zoom", "tilt"),
        shot=("zoom", "offset", "tilt"),
    ),
    "scenery": Factor("what is behind the face", capture=("scenery",), shot=("background", "scenery")),
    "tone": Factor(
        "exposure, contrast and levels",
        capture=("exposure", "contrast", "levels"),
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


def shared_emotions(base: str, other: str) -> tuple[str, ...]:
    """The emotions that people of both domains show, in the order of ``EMOTIONS``; raises SettingError for
    fewer than two.
    """
    if base == other:
        raise SettingError(f"base and other are both {base}; there is nothing between them")
    for domain in map(domain_named, (base, other)):
        require_head(domain, None)
    emotion_sets = [_emotions(domain_named(name)) for name in (base, other)]
    both = tuple(emotion for emotion in EMOTIONS if all(emotion in own for own in emotion_sets))
    if len(both) < 2:
        raise SettingError(
            f"the domains {base} and {other} share {len(both)} emotions, at least 2 are needed to tell apart"
        )
    return both


def _emotions(domain: Domain) -> tuple[str, ...]:
    # The frame from which an expression rises is labelled neutral.
    return (*domain.emotions, EMOTIONS[0]) if domain.course == "rise" else domain.emotions


def render_conditions(
    base: str,
    other: str,
    people: int,
    size: int,
    seed: int = 0,
    *,
    workers: int | None = None,
    cache: Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of ``people`` persons, each with each of the ``shared_emotions`` once, under each of the
    ``conditions``: uint8 (conditions, people · emotions, ``size``, ``size``), and the intensities of their
    AUs, float64 (conditions, people · emotions, ``len(AUS)``).

    The same place under two conditions is the same person, emotion and seed. The persons are number
    ``people.MIXED`` and following of ``base``.
    """
    kinds, emotions = conditions(base, other), shared_emotions(base, other)
    each = len(kinds) * len(emotions)
    common = {"base": base, "other": other, "seed": seed}
    jobs = [Job(each, common | {"person": MIXED + k}) for k in range(people)]
    arrays = {
        "pixels": np.empty((people * each, size, size), np.uint8),
        "intensities": np.empty((people * each, len(AUS))),
    }
    render_people(f"{__name__}:render_person", jobs, arrays, size=size, workers=workers, cache=cache)
    # From person by person to condition by condition.
    pixels, intensities = (
        np.concatenate(array.reshape(people, len(kinds), len(emotions), *array.shape[1:]), axis=1)
        for array in arrays.values()
    )
    return pixels, intensities


def render_person(
    renderer: "Renderer", base: str, other: str, seed: int, person: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels and intensities of one person, condition by condition and in each emotion by emotion."""
    own, far = domain_named(base), domain_named(other)
    number = person_number(own, person)
    heads: dict[Looks, object] = {}
    for kind in conditions(base, other):
        domain = mixed(own, far, kind.switched)
        if domain.looks not in heads:
            heads[domain.looks] = draw_person(renderer.assets, seed, number, domain.looks)
        for emotion in shared_emotions(base, other):
            intensities = draw_intensities(domain, seed, number, emotion)
            shot = draw_mixed_shot(own, far, kind.switched, seed, number, emotion)
            picture = renderer.render(heads[domain.looks], intensities, shot, domain.capture)
            yield picture.pixels, intensities.max(axis=1)


def mixed(base: Domain, other: Domain, factors: Iterable[str]) -> Domain:
    """The domain ``base`` with the capture, looks and spread of ``other`` in all settings of the
    ``factors``.
    """
    parts = {}
    for part in ("capture", "looks", "spread"):
        names = [name for factor in factors for name in getattr(FACTORS[factor], part)]
        there = getattr(other, part)
        parts[part] = replace(getattr(base, part), **{name: getattr(there, name) for name in names})
    return replace(base, **parts)


def draw_intensities(domain: Domain, seed: int, number: int, emotion: str) -> np.ndarray:
    """float64 (``len(AUS)``, 2): what person ``number`` shows for ``emotion`` with the spread of
    ``domain``.
    """
    rng = np.random.default_rng((Stream.MIXED_EXPRESSION, seed, number, EMOTIONS.index(emotion)))
    return draw_expression(emotion, rng, domain.spread).intensities


def draw_mixed_shot(
    base: Domain, other: Domain, factors: Iterable[str], seed: int, number: int, emotion: str
) -> Shot:
    """The shot of person ``number`` showing ``emotion`` as ``base`` draws it, with what the ``factors``
    take from the one of ``other``.
    """
    own, far = (
        draw_shot(
            np.random.default_rng((Stream.MIXED_SHOT, seed, number, EMOTIONS.index(emotion))),
            domain.capture,
            emotion,
        )
        for domain in (base, other)
    )
    names = [name for factor in factors for name in FACTORS[factor].shot]
    return replace(own, **{name: getattr(far, name) for name in names})
