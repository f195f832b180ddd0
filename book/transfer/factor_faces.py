"""Faces between two synthetic domains as a face set."""

from itertools import product

import pandas as pd

from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.rendered import cache_key, entry_kind
from fer_lib.paths import cache_dir
from ferbook.errors import ParameterError
from synthetic_faces.domains import SUBJECTS_AT_LEAST
from synthetic_faces.facs import AUS
from synthetic_faces.mix import conditions, render_conditions, shared_emotions
from synthetic_faces.people import MIXED
from synthetic_faces.produce import Recipe
from synthetic_faces.versions import unversioned, versioned


def factor_faces(people: int = 24, *, size: int = 48, seed: int = 0, other: str = "wild") -> FaceSet:
    """Faces between the synthetic domain ``lab`` and ``other``, under each of their ``conditions``; cached.

    Each of ``people`` persons, who are in no face set, shows each emotion of both domains once, so a
    condition has P = people × emotions pictures, and row k·P + i of the set is picture i under condition k:
    the same person, emotion and random numbers. Beside the columns of every set the table has ``condition``,
    ``factor`` and ``direction`` (see ``mix.Condition``); ``emotion`` is what was shown, with no wrong label;
    all pictures are in the split ``test``. A picture of ``game`` has no votes here.

    Raises ParameterError for a single person, SettingError for a size out of range, an unknown domain, twice
    the same one, or two that share fewer than two emotions; DataError where anny or warp-lang is missing;
    RenderError where a worker fails.
    """
    if people < 2:
        raise ParameterError(f"people {people}: give at least 2")
    recipe, other = Recipe("lab", SUBJECTS_AT_LEAST, size, seed), unversioned(other)
    shared_emotions(recipe.domain, other)
    key = cache_key(recipe, people=people, other=versioned(other))
    kind = entry_kind(recipe, f"{other}-factors-of-{people}")
    return cached(kind, key, lambda: render_factors(recipe, other, people))


def render_factors(recipe: Recipe, other: str, people: int) -> FaceSet:
    """As ``factor_faces``, made anew; of ``recipe`` domain (the base), size and seed count."""
    pixels, intensities = render_conditions(
        recipe.domain, other, people, recipe.size, recipe.seed, cache=cache_dir()
    )
    units = dict(zip(AUS, intensities.reshape(-1, len(AUS)).T, strict=True))
    table = condition_rows(recipe.domain, other, people).assign(**units)
    return FaceSet(f"{recipe.domain}-{other}-factors", pixels.reshape(-1, *pixels.shape[2:]), table)


def condition_rows(base: str, other: str, people: int) -> pd.DataFrame:
    """The table of ``render_factors``, but for the action units."""
    subjects = [f"{base}-S{MIXED + person + 1}" for person in range(people)]
    kinds = [(kind.name, kind.factor, kind.direction) for kind in conditions(base, other)]
    rows = [(*kind, *who) for kind, *who in product(kinds, subjects, shared_emotions(base, other))]
    table = pd.DataFrame(rows, columns=["condition", "factor", "direction", "subject", "emotion"])
    sequence = table["subject"] + "-" + table["emotion"]
    return table.assign(dataset=base, sequence=sequence, frame=0, split="test")
