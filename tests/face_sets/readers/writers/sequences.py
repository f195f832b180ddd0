"""Writes what ``face_sets.readers.sequences`` reads."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from face_sets.faceset import FaceSet


def numbered(ids: Iterable[str], form: Callable[[int], str]) -> dict[str, str]:
    """Each of ``ids`` -> its name in the layout: the k-th of the sorted ones, from 1, is ``form(k)``."""
    return {name: form(k) for k, name in enumerate(sorted(set(ids)), start=1)}


def named_sequences(faces: FaceSet, form: Callable[[int], str]) -> list[tuple[str, str, str, np.ndarray]]:
    """(the subject's ``numbered`` entry, subject, sequence, row numbers in order of frames) of each sequence,
    sorted.
    """
    table = faces.table[["subject", "sequence", "frame"]]
    ids = numbered(table["subject"], form)
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
