"""People of several families, each of whom shows one action unit at a time.

A family holds people whom no other could hold, by their shapes or by how their muscles build units
(``synthetic_faces.domains.FAMILIES``). What holds for all families but one, and for that one, does not hang
on whom the generator drew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_lib.aus.interventions import Interventions, context_intensities
from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import UNLABELLED, FaceSet
from fer_lib.faces.rendered import cache_key, entry_kind, head_folder
from fer_lib.paths import cache_dir
from synthetic_faces.domains import FAMILIES, SUBJECTS_AT_LEAST, domain_named, require_head, with_options
from synthetic_faces.facs import AUS, resolve_alternatives
from synthetic_faces.people import FAMILY, IN_SETS, draw_person
from synthetic_faces.produce import Recipe, empty_arrays
from synthetic_faces.script import Script, script_rows, take
from synthetic_faces.sequences import person_number
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    from synthetic_faces.render import Rendered, Renderer

FIRST_SWITCHED = len(IN_SETS) // 2
"""The first person of a family whose units are switched; sets of expressions have those before."""


def family_interventions(
    families: Sequence[str],
    people: int,
    aus: Sequence[str] = AUS,
    levels: Sequence[float] = (1.0,),
    *,
    contexts: int = 1,
    doses: Mapping[str, float] | None = None,
    **taken: int | str,
) -> Interventions:
    """As ``aus.interventions.interventions``, of so many ``people`` of each of ``families``; ``family_of``
    says whose family a subject is of. ``taken``: ``size``, ``face_seed``, ``domain``.
    """
    aus, levels = tuple(aus), tuple(float(level) for level in levels)
    at_one = tuple(float((doses or {}).get(au, 1.0)) for au in aus)
    recipe = _recipe(**taken)
    persons = np.repeat(_persons(families, FIRST_SWITCHED, people), contexts)
    takes = np.tile(np.arange(contexts), len(families) * people)
    base = np.stack(
        [context_intensities(recipe.domain, recipe.seed, *each) for each in zip(persons, takes, strict=True)]
    )
    number = 1 + len(aus) * len(levels)
    intensities, valid = np.repeat(base[:, None], number, axis=1), np.ones((len(base), len(aus)), bool)
    for b, a in np.ndindex(valid.shape):
        unit, steps = AUS.index(aus[a]), slice(1 + a * len(levels), 1 + (a + 1) * len(levels))
        intensities[b, steps, unit] = at_one[a] * np.array(levels)[:, None]
        added = intensities[b, steps][-1]
        # What this face cannot show beside what it shows would go, or change it.
        valid[b, a] = not base[b, unit].any() and (resolve_alternatives(added) >= added).all()
        if not valid[b, a]:
            intensities[b, steps] = base[b]
    script = Script(np.repeat(persons, number), np.repeat(takes, number), np.concatenate(intensities))
    faces = _faces(script, recipe, f"families-of-{people}")
    subjects = faces.table["subject"].to_numpy(dtype=object)[::number]
    return Interventions(faces, aus, levels, subjects, takes, valid, at_one)


def _recipe(size: int = 48, face_seed: int = 0, domain: str = "lab") -> Recipe:
    return Recipe(domain, SUBJECTS_AT_LEAST, size, face_seed)


def _persons(families: Sequence[str], first: int, people: int) -> np.ndarray:
    """So many ``people`` of each of ``families``, from its ``first``."""
    return np.concatenate([_first(family) + np.arange(first, first + people) for family in families])


def _faces(script: Script, recipe: Recipe, what: str) -> FaceSet:
    key = cache_key(recipe, families=script.digest)
    return cached(entry_kind(recipe, what), key, lambda: _rendered(script, recipe))


def family_of(subjects: np.ndarray) -> np.ndarray:
    """The family of each of ``subjects`` (N,) of this module, and of a family's own set."""
    families = {who: next(name for name in FAMILIES if f"-{name}-" in who) for who in np.unique(subjects)}
    return np.array([families[who] for who in subjects], dtype=object)


def _first(family: str) -> int:
    """The first of a family among the people of a domain."""
    return FAMILY + len(IN_SETS) * list(FAMILIES).index(family)


def _rendered(script: Script, recipe: Recipe) -> FaceSet:
    """The pictures of ``script``, whose people stand one after the other."""
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
    renderer: "Renderer", domain: str, seed: int, person: int, takes: list, intensities: list
) -> "Iterator[Rendered]":
    """The pictures of one person of a family, one for each of ``takes`` and ``intensities``."""
    family = list(FAMILIES)[(person - FAMILY) // len(IN_SETS)]
    own = with_options(domain_named(domain), family=family)
    number = person_number(domain_named(domain), person)
    someone = draw_person(renderer.assets, seed, number, own.looks)
    for number, row in zip(takes, intensities, strict=True):
        yield renderer.render(someone, np.array(row), take(domain, seed, person, number), own.capture)
