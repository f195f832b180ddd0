"""People of several families, each rendered with one action unit at a time.

Families differ in the shape of their heads or in how their muscles build units
(``synthetic_faces.domains.FAMILIES``), so that no person could be of two. What holds with each family held
out does not depend on the people that the generator drew.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from face_sets.cache import cached
from face_sets.faceset import UNLABELLED, FaceSet
from face_sets.paths import cache_dir
from face_sets.rendered import cache_key, entry_kind, head_folder
from fer_lib.aus.interventions import Interventions, switch_units
from synthetic_faces.domains import FAMILIES, SUBJECTS_AT_LEAST, domain_named, require_head, with_options
from synthetic_faces.facs import AUS
from synthetic_faces.people import FAMILY, IN_SETS, draw_person
from synthetic_faces.produce import Recipe, empty_arrays
from synthetic_faces.script import Script, script_rows, take
from synthetic_faces.sequences import person_number
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    from synthetic_faces.render import Rendered, Renderer

FIRST_SWITCHED = len(IN_SETS) // 2
"""The first person of a family whose units are activated; those before are in sets of expressions."""


def family_interventions(
    families: Sequence[str], people: int, aus: Sequence[str] = AUS, **taken: int | str
) -> Interventions:
    """Render ``people`` of each family with each action unit at full intensity, as
    ``aus.interventions.interventions``. ``taken``: ``size``, ``face_seed``, ``domain``.
    """
    recipe = _recipe(**taken)
    persons = _persons(families, FIRST_SWITCHED, people)
    return switch_units(persons, partial(_faces, recipe=recipe, what=f"families-of-{people}"), aus)


def _recipe(size: int = 48, face_seed: int = 0, domain: str = "lab") -> Recipe:
    return Recipe(domain, SUBJECTS_AT_LEAST, size, face_seed)


def _persons(families: Sequence[str], first: int, people: int) -> np.ndarray:
    """Numbers of ``people`` of each of ``families``, from its ``first`` on."""
    return np.concatenate([_first(family) + np.arange(first, first + people) for family in families])


def _faces(script: Script, recipe: Recipe, what: str) -> FaceSet:
    key = cache_key(recipe, families=script.digest)
    return cached(entry_kind(recipe, what), key, lambda: _rendered(script, recipe))


def family_of(subjects: np.ndarray) -> np.ndarray:
    """Return the family of each of ``subjects`` (N,)."""
    families = {who: next(name for name in FAMILIES if f"-{name}-" in who) for who in np.unique(subjects)}
    return np.array([families[who] for who in subjects], dtype=object)


def _first(family: str) -> int:
    """Number of a family's first person."""
    return FAMILY + len(IN_SETS) * list(FAMILIES).index(family)


def _rendered(script: Script, recipe: Recipe) -> FaceSet:
    """Render ``script``, in which the pictures of each person follow one another."""
    people, counts = np.unique(script.people, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)])
    common = {"domain": recipe.domain, "seed": recipe.seed}
    jobs = [
        Job(
            count,
            common
            | {
                "person": who,
                "takes": script.takes[at : at + count].tolist(),
                "intensities": script.intensities[at : at + count].tolist(),
            },
        )
        for who, count, at in zip(people.tolist(), counts.tolist(), starts.tolist(), strict=False)
    ]
    arrays, head = empty_arrays(len(script.people), recipe.size), head_folder(recipe.domain)
    require_head(domain_named(recipe.domain), head)
    render_people(f"{__name__}:render_family", jobs, arrays, size=recipe.size, cache=cache_dir(), head=head)
    table = script_rows(script, recipe.domain)
    families = np.array(list(FAMILIES), dtype=object)[(script.people - FAMILY) // len(IN_SETS)]
    table["subject"] = [
        f"{recipe.domain}-{family}-S{number + 1}"
        for family, number in zip(families, (script.people - FAMILY) % len(IN_SETS), strict=True)
    ]
    table["sequence"] = table["subject"] + "-1"
    table.insert(4, "emotion", UNLABELLED)
    table.insert(5, "split", "test")
    return FaceSet(f"{recipe.domain}-families", table=table, mask_aus=AUS, **arrays)


def render_family(
    renderer: "Renderer", *, domain: str, seed: int, person: int, takes: list, intensities: list
) -> "Iterator[Rendered]":
    """Render one person of a family, a picture for each of ``takes`` and ``intensities``."""
    family = list(FAMILIES)[(person - FAMILY) // len(IN_SETS)]
    own = with_options(domain_named(domain), family=family)
    number = person_number(domain_named(domain), person)
    someone = draw_person(renderer.assets, seed, number, own.looks)
    for number, row in zip(takes, intensities, strict=True):
        yield renderer.render(someone, np.array(row), take(domain, seed, person, number), own.capture)
