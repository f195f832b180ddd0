"""Face sets of the generator: table and pictures, with splits of people and FACS codes; cached."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from face_sets.cache import cached
from face_sets.faceset import SPLITS, UNLABELLED, FaceSet
from face_sets.facs_codes import codes_from_columns, format_codes
from face_sets.paths import cache_dir, data_dir
from face_sets.request import CLIP_FRAMES, FaceRequest, spread_evenly
from face_sets.splits import split_people
from ferbook.errors import DataError
from ferbook.steps import steps
from synthetic_faces.domains import SUBJECTS_AT_LEAST, domain_named
from synthetic_faces.facs import AUS
from synthetic_faces.ict_facekit import model_digest
from synthetic_faces.produce import Recipe, picture_rows, produce
from synthetic_faces.script import Script, render_script, script_rows
from synthetic_faces.sequences import Choice
from synthetic_faces.versions import versioned

if TYPE_CHECKING:
    from synthetic_faces.studio import Studio


def rendered_faces(request: FaceRequest) -> FaceSet:
    """Render grey pictures of synthetic people; cached.

    With other numbers of people there are more or fewer sequences in proportion, see
    ``domains.sequence_counts``. Of each clip of ``micro`` there are at most ``clip_frames`` pictures, with
    the apex among them; other domains have no clips. Each person is in one split: about 60 % train, 20 %
    valid, 20 % test.

    Parameters
    ----------
    request : FaceRequest

    Returns
    -------
    FaceSet
        With AU masks and 68 landmarks. Its table has the columns of FaceSet: AU intensities of both halves of
        the face and ``facs``, the same as FACS codes; for clips ``onset``, ``apex``, ``offset`` (frame
        numbers) and ``fps``; in ``wild`` and ``game`` ``true_emotion``, the emotion shown, next to the label
        ``emotion`` that people gave; in ``game`` ``vote_<emotion>``.

    Raises
    ------
    SettingError
        A value out of range, a version that is not made here, an unknown option.
    DataError, AssetError
        The cache cannot be written.
    """
    recipe = Recipe.of(request.name, request.subjects, request.size, request.face_seed, **request.options)
    kind = entry_kind(recipe, f"{recipe.subjects}-people")
    key = cache_key(recipe, clip_frames=request.clip_frames)
    return cached(kind, key, lambda: render_set(recipe, request.clip_frames))


def scripted_faces(
    script: Script, *, domain: str = "lab", size: int = 48, seed: int = 0, workers: int | None = None
) -> FaceSet:
    """Render the pictures of ``script`` in its order (``synthetic_faces.script.render_script``); cached.

    Parameters
    ----------
    script : Script
    domain : str
    size : int
        Side of a picture in pixels.
    seed : int
    workers : int, optional
        Number of processes; without effect on the result.

    Returns
    -------
    FaceSet
        With AU columns, masks and landmarks, no emotions, the sequence ``<subject>-<take>``, ``frame``
        counted within it, and every picture in the split ``test``.

    Raises
    ------
    SettingError, DataError, AssetError
        As ``rendered_faces``.
    """
    recipe = Recipe(domain, SUBJECTS_AT_LEAST, size, seed)
    key = cache_key(recipe, script=script.digest)
    kind = entry_kind(recipe, f"script-of-{len(script.people)}")
    return cached(kind, key, lambda: render_ordered(script, recipe, workers))


def cache_key(recipe: Recipe, **further: object) -> dict:
    """Return the key of a set: its recipe with the version of the faces, and ``further`` arguments; for a
    head model of the user also its content.
    """
    head = head_folder(recipe.domain)
    return recipe.key | further | ({"head": model_digest(head)} if head else {})


def head_folder(domain: str) -> Path | None:
    """Return the folder of the head model of ``domain``; None if its people have anny's."""
    own = domain_named(domain)
    return data_dir() / own.head if own.head else None


def entry_kind(recipe: Recipe, what: str) -> str:
    """Return the readable part of a cached set's name: version, ``what``, size, seed and options."""
    faces, _, size, seed, *options = recipe.key.values()
    name = "-".join([faces.replace("/", "-"), what, f"{size}-px", f"seed-{seed}", *options])
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)


def render_set(recipe: Recipe, clip_frames: int = CLIP_FRAMES, workers: int | None = None) -> FaceSet:
    """As ``rendered_faces``, without the cache, by ``workers`` processes (by default one per usable core, few
    on a GPU).
    """
    table = set_table(recipe, clip_frames)
    with _rendering(recipe, len(table), workers) as how:
        arrays = produce(recipe, _choice(clip_frames), **how)
    return FaceSet(recipe.domain, table=table, mask_aus=AUS, **arrays)


@contextmanager
def _rendering(recipe: Recipe, pictures: int, workers: int | None) -> Iterator[dict]:
    """Yield the arguments for rendering ``pictures`` of ``recipe``, and print progress."""
    with steps("pictures rendered:", pictures) as advance:
        head = head_folder(recipe.domain)
        yield {"workers": workers, "cache": cache_dir(), "head": head, "advance": advance}


def set_table(recipe: Recipe, clip_frames: int = CLIP_FRAMES) -> pd.DataFrame:
    """Return the table of ``render_set``, without rendering.

    Raises DataError if a family has too few people for each split to include all emotions.
    """
    table = picture_rows(recipe, _choice(clip_frames))
    # One row per sequence: the neutral first frame of a sequence is in every split anyway.
    ends = table["sequence"] != table["sequence"].shift(-1)
    last = table[ends]
    splits = split_people(last["subject"], last["emotion"], recipe.seed)
    table.insert(5, "split", splits[ends.cumsum() - ends])
    table["facs"] = [format_codes(codes) for codes in codes_from_columns(table)]
    if recipe.family:
        _require_every_class(table, recipe)
    return table


def _require_every_class(table: pd.DataFrame, recipe: Recipe) -> None:
    """Raise DataError if a split has no picture of an emotion: a family that is held out must include them
    all.
    """
    for split in SPLITS:
        emotions = set(table.loc[table["split"] == split, "emotion"])
        if absent := [emotion for emotion in domain_named(recipe.domain).emotions if emotion not in emotions]:
            people = f"{recipe.subjects} people of the family {recipe.family!r}"
            raise DataError(
                f"{versioned(recipe.domain)} with {people} has no picture of {', '.join(absent)} in split "
                f"{split!r}; give more people"
            )


def _choice(clip_frames: int) -> Choice:
    # As the readers thin a real clip: with a fixed place for the apex, an index alone would reveal it.
    return lambda every, apex: spread_evenly(every, clip_frames, apex)


def render_ordered(script: Script, recipe: Recipe, workers: int | None = None) -> FaceSet:
    """As ``scripted_faces``, without the cache; domain, size and seed of ``recipe`` are used."""
    with _rendering(recipe, len(script.people), workers) as how:
        arrays = render_script(script, recipe.domain, recipe.size, recipe.seed, **how)
    table = script_table(script, recipe.domain)
    return FaceSet(f"{recipe.domain}-staged", table=table, mask_aus=AUS, **arrays)


def script_table(script: Script, domain: str) -> pd.DataFrame:
    """Return the table of ``scripted_faces``."""
    table = script_rows(script, domain)
    table.insert(4, "emotion", UNLABELLED)
    table.insert(5, "split", "test")
    return table


def open_studio(size: int, seed: int = 0) -> "Studio":
    """Return the ``Studio`` of the people of ``lab`` and ``seed``; its kernels are those of the face sets."""
    # Imported here: it needs Warp.
    from synthetic_faces.studio import Studio

    return Studio(size, seed, "lab", cache_dir())
