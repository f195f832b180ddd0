"""Writes what ``face_sets.readers.sequences`` reads."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from face_sets.faceset import FaceSet


def official_ids(
    ids: Iterable[str], prefix: str, own: re.Pattern, form: Callable[[int], str]
) -> dict[str, str]:
    """Each of ``ids`` -> the id to be written: its own where all are ``prefix`` and a match of ``own``, else
    a number: the k-th of the sorted distinct ids, from 1, becomes ``form(k)``.
    """
    distinct = sorted(set(ids))
    if all(name.startswith(prefix) and own.fullmatch(name, len(prefix)) for name in distinct):
        return {name: name.removeprefix(prefix) for name in distinct}
    return {name: form(k) for k, name in enumerate(distinct, start=1)}


def named_sequences(
    faces: FaceSet, dataset: str, own: re.Pattern, form: Callable[[int], str]
) -> list[tuple[str, str, str, np.ndarray]]:
    """(the subject's ``official_ids`` entry, subject, sequence, row numbers in order of frames) of each
    sequence, sorted.
    """
    table = faces.table[["subject", "sequence", "frame"]]
    ids = official_ids(table["subject"], f"{dataset}-", own, form)
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    groups = ordered.groupby(["subject", "sequence"], sort=True)
    return [(ids[who], who, sequence, group.index.to_numpy()) for (who, sequence), group in groups]


def frames_of(faces: FaceSet, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Frame number and picture of each of ``rows``."""
    return zip(faces.table["frame"].iloc[rows].tolist(), faces.gather(rows), strict=True)


def shown_emotion(faces: FaceSet, rows: np.ndarray, names: Mapping[str, str]) -> str:
    """What a layout calls the one emotion of a sequence, whatever neutral pictures it begins with.

    ``names``: emotion -> its name there.
    """
    (emotion,) = set(faces.table["emotion"].iloc[rows]) - ({"neutral"} - names.keys())
    return names[emotion]
