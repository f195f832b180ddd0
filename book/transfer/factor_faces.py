"""Faces between two synthetic domains as a face set."""

import pandas as pd

from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.rendered import cache_key
from fer_lib.paths import cache_dir
from ferbook.errors import ParameterError
from synthetic_faces.domains import SUBJECTS_AT_LEAST
from synthetic_faces.facs import AUS
from synthetic_faces.mix import conditions, render_conditions, shared_emotions
from synthetic_faces.people import MIXED
from synthetic_faces.produce import Recipe


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
    ``factor`` and ``direction`` (see ``mix.Condition``); ``emotion`` is what was shown, with no wrong label;
    all pictures are in the split ``test``. A picture of ``game`` has no votes here. The number of ``workers``
    (default: one per usable core) changes nothing.

    Raises ParameterError and SettingError for a value out of range, an unknown domain, twice the same one, or
    two that share fewer than two emotions; DataError where anny or warp-lang is missing; RenderError where a
    worker fails.
    """
    if isinstance(people, bool) or not isinstance(people, int) or not 2 <= people <= 10_000:
        raise ParameterError(f"people {people!r}: give a whole number from 2 to 10,000")
    recipe = Recipe(base, SUBJECTS_AT_LEAST, size, seed)
    shared_emotions(base, other)
    key = cache_key(recipe, "synthetic_faces.mix", people=people, other=other)
    return cached(f"{base}-{other}-factors", key, lambda: render_factors(recipe, other, people, workers))


def render_factors(recipe: Recipe, other: str, people: int, workers: int | None = None) -> FaceSet:
    """As ``factor_faces``, made anew; of ``recipe`` domain (the base), size and seed count."""
    pixels, intensities = render_conditions(
        recipe.domain, other, people, recipe.size, recipe.seed, workers=workers, cache=cache_dir()
    )
    units = dict(zip(AUS, intensities.reshape(-1, len(AUS)).T, strict=True))
    table = condition_rows(recipe.domain, other, people).assign(**units)
    return FaceSet(f"{recipe.domain}-{other}-factors", pixels.reshape(-1, *pixels.shape[2:]), table)


def condition_rows(base: str, other: str, people: int) -> pd.DataFrame:
    """The table of ``render_factors``, but for the action units."""
    subjects = [f"{base}-S{MIXED + person + 1}" for person in range(people)]
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
