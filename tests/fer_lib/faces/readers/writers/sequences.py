"""Writes what ``fer_lib.faces.readers.sequences`` reads."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError


def require_subjects(faces: FaceSet) -> None:
    """Raise DataError, naming the row, where a picture has no subject."""
    nobody = faces.table["subject"].eq("")
    if nobody.any():
        raise DataError(
            f"face set {faces.name!r}, row {nobody.argmax()}: no subject; this layout names people"
        )


def official_ids(
    ids: Iterable[str], prefix: str, own: re.Pattern, form: Callable[[int], str], most: float = math.inf
) -> dict[str, str]:
    """Each of ``ids`` -> the id to be written: its own where all are ``prefix`` and a match of ``own``, else
    a number.

    The k-th of the sorted distinct ids, from 1, becomes ``form(k)``; sorting them again inverts it. Raises
    DataError for more than ``most``, which the layout has no form for: its reader would pass them over.
    """
    distinct = sorted(set(ids))
    if all(name.startswith(prefix) and own.fullmatch(name, len(prefix)) for name in distinct):
        return {name: name.removeprefix(prefix) for name in distinct}
    if len(distinct) > most:
        raise DataError(
            f"{len(distinct):,} to number, {distinct[0]!r} to {distinct[-1]!r}, but this layout has room for "
            f"{most:,}; select fewer first"
        )
    return {name: form(k) for k, name in enumerate(distinct, start=1)}


def named_sequences(
    faces: FaceSet, dataset: str, own: re.Pattern, form: Callable[[int], str], most: float = math.inf
) -> list[tuple[str, str, str, np.ndarray]]:
    """(the subject's ``official_ids`` entry, subject, sequence, row numbers in order of frames) of each
    sequence, sorted.

    Raises DataError for a set without pictures, a picture without a subject or with a frame number below 0,
    two of one sequence with one frame number, and as ``official_ids`` does.
    """
    table = faces.table[["subject", "sequence", "frame"]]
    if not len(table):
        raise DataError(f"face set {faces.name!r}: no pictures to write")
    require_subjects(faces)
    if (table["frame"] < 0).any():
        row = table["frame"].lt(0).argmax()
        raise DataError(f"face set {faces.name!r}, row {row}: a frame number below 0; no layout has such")
    ids = official_ids(table["subject"], f"{dataset}-", own, form, most)
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    entries = []
    for (subject, sequence), group in ordered.groupby(["subject", "sequence"], sort=True):
        if group["frame"].duplicated().any():
            raise DataError(f"face set {faces.name!r}: two pictures of one frame in {subject}, {sequence}")
        entries.append((ids[subject], subject, sequence, group.index.to_numpy()))
    return entries


def frames_of(faces: FaceSet, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Frame number and picture of each of ``rows``."""
    return zip(faces.table["frame"].iloc[rows].tolist(), faces.gather(rows), strict=True)


def shown_emotion(faces: FaceSet, rows: np.ndarray, names: Mapping[str, str]) -> str:
    """The one emotion of a sequence, whatever neutral pictures it begins with, that a layout can write.

    ``names``: emotion -> what the layout calls it. Raises DataError for none, several, or one without a name.
    """
    table = faces.table
    emotions = sorted(set(table["emotion"].iloc[rows]) - ({"neutral"} if "neutral" not in names else set()))
    where = f"face set {faces.name!r}: {table['subject'].iloc[rows[0]]}, {table['sequence'].iloc[rows[0]]}"
    if len(emotions) != 1:
        raise DataError(f"{where} shows {', '.join(emotions) or 'nothing but neutral'}; expected one emotion")
    if emotions[0] not in names:
        raise DataError(
            f"{where} is {emotions[0] or 'not labelled'}; this layout has a name only for "
            f"{', '.join(names)}: leave the others out first (--without)"
        )
    return emotions[0]


def emotion_after_rest(faces: FaceSet, rows: np.ndarray, names: Mapping[str, str]) -> str:
    """The emotion of a sequence whose first picture is neutral and whose other pictures, three or more, show
    it.

    Raises DataError for any other sequence, and as ``shown_emotion`` does.
    """
    emotion = shown_emotion(faces, rows, names)
    labels = faces.table["emotion"].iloc[rows].tolist()
    if len(labels) < 4 or labels[0] != "neutral" or set(labels[1:]) != {emotion}:
        first = faces.table.iloc[rows[0]]
        raise DataError(
            f"face set {faces.name!r}: {first['subject']}, {first['sequence']} has the labels "
            f"{', '.join(labels[:6])}; this layout holds sequences of a neutral picture and then at least "
            "three of one emotion"
        )
    return emotion
