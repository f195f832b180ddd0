"""People of several families, each of whom shows one action unit at a time.

A family holds people whom no other could hold, by their shapes or by how their muscles build units
(``synthetic_faces.domains.FAMILIES``). What holds for all families but one, and for that one, does not hang
on whom the generator drew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_lib.aus.interventions import Interventions
from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import UNLABELLED, FaceSet
from fer_lib.faces.rendered import cache_key, entry_kind, head_folder
from fer_lib.paths import cache_dir
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
"""The first person of a family whose units are switched; sets of expressions have those before."""


def family_interventions(
    families: Sequence[str],
    people: int,
    aus: Sequence[str] = AUS,
    levels: Sequence[float] = (1.0,),
    *,
    size: int = 48,
    face_seed: int = 0,
    domain: str = "lab",
    doses: Mapping[str, float] | None = None,
) -> Interventions:
    """As ``aus.interventions.interventions``, of so many ``people`` of each of ``families`` with a neutral
    face; ``family_of`` says whose family a subject is of.
    """
    aus, levels = tuple(aus), tuple(float(level) for level in levels)
    at_one = tuple(float((doses or {}).get(au, 1.0)) for au in aus)
    intensities = np.zeros((1 + len(aus) * len(levels), len(AUS), 2))
    for a, (au, dose) in enumerate(zip(aus, at_one, strict=True)):
        for step, level in enumerate(levels):
            intensities[1 + a * len(levels) + step, AUS.index(au)] = level * dose
    numbers = np.arange(FIRST_SWITCHED, FIRST_SWITCHED + people)
    among = [_first(family) + numbers for family in families]
    count = len(families) * people
    script = Script(
        np.repeat(np.concatenate(among), len(intensities)),
        np.zeros(count * len(intensities), np.int64),
        np.tile(intensities, (count, 1, 1)),
    )
    recipe = Recipe(domain, SUBJECTS_AT_LEAST, size, face_seed)
    kind = entry_kind(recipe, f"families-of-{people}")
    faces = cached(kind, cache_key(recipe, families=script.digest), lambda: _rendered(script, recipe))
    subjects = faces.table["subject"].to_numpy(dtype=object)[:: len(intensities)]
    valid = np.ones((count, len(aus)), bool)
    return Interventions(faces, aus, levels, subjects, np.zeros(count, np.int64), valid, at_one)


def family_of(subjects: np.ndarray) -> np.ndarray:
    """The family of each of ``subjects`` (N,) of ``family_interventions``, and of a family's own set."""
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
        Job(count, common | {"person": who, "intensities": script.intensities[at : at + count].tolist()})
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
    renderer: "Renderer", domain: str, seed: int, person: int, intensities: list
) -> "Iterator[Rendered]":
    """The pictures of one person of a family, one for each of ``intensities``, taken alike."""
    family = list(FAMILIES)[(person - FAMILY) // len(IN_SETS)]
    own = with_options(domain_named(domain), family=family)
    number = person_number(domain_named(domain), person)
    someone = draw_person(renderer.assets, seed, number, own.looks)
    for row in intensities:
        yield renderer.render(someone, np.array(row), take(domain, seed, person, 0), own.capture)
