"""Face sets of the generator: its rows and pictures, with splits of people and FACS codes; cached."""

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
    """Grey pictures of synthetic people, those of ``request``; cached.

    With other numbers of people there are more or fewer sequences in proportion, see
    ``domains.sequence_counts``. Of each clip of ``micro`` there are at most ``clip_frames`` pictures, with
    the apex among them; other domains have no clips. The set has AU masks and 68 landmarks. Its table has the
    columns that FaceSet documents: AU intensities of both halves of the face and ``facs``, the same as FACS
    codes; for clips ``onset``, ``apex``, ``offset`` (frame numbers) and ``fps``; in ``wild`` and ``game``
    ``true_emotion``, what was shown, next to the label ``emotion``, which people gave; in ``game``
    ``vote_<emotion>``. Each person is in one split: about 60 % train, 20 % valid, 20 % test.

    Raises SettingError for a value out of range, a version that is not made here and an option that there is
    not, DataError and AssetError where the cache cannot be written.
    """
    recipe = Recipe.of(request.name, request.subjects, request.size, request.face_seed, **request.options)
    kind = entry_kind(recipe, f"{recipe.subjects}-people")
    key = cache_key(recipe, clip_frames=request.clip_frames)
    return cached(kind, key, lambda: render_set(recipe, request.clip_frames))


def scripted_faces(
    script: Script, *, domain: str = "lab", size: int = 48, seed: int = 0, workers: int | None = None
) -> FaceSet:
    """The pictures of ``script`` in its order, as ``synthetic_faces.script.render_script`` makes them;
    cached.

    The set has AU columns, masks and landmarks, no emotions, the sequence ``<subject>-<take>``, ``frame``
    counted within it, and every picture in the split ``test``. The number of ``workers`` changes nothing.
    Raises as ``rendered_faces``.
    """
    recipe = Recipe(domain, SUBJECTS_AT_LEAST, size, seed)
    key = cache_key(recipe, script=script.digest)
    kind = entry_kind(recipe, f"script-of-{len(script.people)}")
    return cached(kind, key, lambda: render_ordered(script, recipe, workers))


def cache_key(recipe: Recipe, **further: object) -> dict:
    """What names a set: its recipe with the version of the faces, and ``further`` arguments; of a head model
    of the user's its content too.
    """
    head = head_folder(recipe.domain)
    return recipe.key | further | ({"head": model_digest(head)} if head else {})


def head_folder(domain: str) -> Path | None:
    """Where the head model of ``domain`` has to lie; None where its people have anny's."""
    own = domain_named(domain)
    return data_dir() / own.head if own.head else None


def entry_kind(recipe: Recipe, what: str) -> str:
    """The readable part of a cached set's name: version, ``what`` it holds, size, seed and options."""
    faces, _, size, seed, *options = recipe.key.values()
    name = "-".join([faces.replace("/", "-"), what, f"{size}-px", f"seed-{seed}", *options])
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)


def render_set(recipe: Recipe, clip_frames: int = CLIP_FRAMES, workers: int | None = None) -> FaceSet:
    """As ``rendered_faces``, made anew by ``workers`` processes (default: one per usable core, few on a
    GPU).
    """
    table = set_table(recipe, clip_frames)
    with _rendering(recipe, len(table), workers) as how:
        arrays = produce(recipe, _choice(clip_frames), **how)
    return FaceSet(recipe.domain, table=table, mask_aus=AUS, **arrays)


@contextmanager
def _rendering(recipe: Recipe, pictures: int, workers: int | None) -> Iterator[dict]:
    """How so many ``pictures`` of ``recipe`` are rendered, with a line that says how far it is."""
    with steps("pictures rendered:", pictures) as advance:
        head = head_folder(recipe.domain)
        yield {"workers": workers, "cache": cache_dir(), "head": head, "advance": advance}


def set_table(recipe: Recipe, clip_frames: int = CLIP_FRAMES) -> pd.DataFrame:
    """The table of ``render_set``, without a picture being made.

    Raises DataError where the people of a family are too few for each split to have all emotions.
    """
    table = picture_rows(recipe, _choice(clip_frames))
    # One row per sequence: the neutral frame that a sequence starts from is in every split anyway.
    ends = table["sequence"] != table["sequence"].shift(-1)
    last = table[ends]
    splits = split_people(last["subject"], last["emotion"], recipe.seed)
    table.insert(5, "split", splits[ends.cumsum() - ends])
    table["facs"] = [format_codes(codes) for codes in codes_from_columns(table)]
    if recipe.family:
        _require_every_class(table, recipe)
    return table


def _require_every_class(table: pd.DataFrame, recipe: Recipe) -> None:
    """DataError where a split has no picture of an emotion: a family that is held out must hold them all."""
    for split in SPLITS:
        emotions = set(table.loc[table["split"] == split, "emotion"])
        if absent := [emotion for emotion in domain_named(recipe.domain).emotions if emotion not in emotions]:
            people = f"{recipe.subjects} people of the family {recipe.family!r}"
            raise DataError(
                f"{versioned(recipe.domain)} with {people} has no picture of {', '.join(absent)} in split "
                f"{split!r}; give more people"
            )


def _choice(clip_frames: int) -> Choice:
    # As the readers thin a real clip: with a fixed place for the apex, an index alone would tell where it is.
    return lambda every, apex: spread_evenly(every, clip_frames, apex)


def render_ordered(script: Script, recipe: Recipe, workers: int | None = None) -> FaceSet:
    """As ``scripted_faces``, made anew; of ``recipe`` domain, size and seed count."""
    with _rendering(recipe, len(script.people), workers) as how:
        arrays = render_script(script, recipe.domain, recipe.size, recipe.seed, **how)
    table = script_table(script, recipe.domain)
    return FaceSet(f"{recipe.domain}-staged", table=table, mask_aus=AUS, **arrays)


def script_table(script: Script, domain: str) -> pd.DataFrame:
    """The table of ``scripted_faces``."""
    table = script_rows(script, domain)
    table.insert(4, "emotion", UNLABELLED)
    table.insert(5, "split", "test")
    return table


def open_studio(size: int, seed: int = 0) -> "Studio":
    """The ``Studio`` of the people of ``lab`` and ``seed``; the kernels are those of the face sets."""
    # Imported here: it takes Warp.
    from synthetic_faces.studio import Studio

    return Studio(size, seed, "lab", cache_dir())
