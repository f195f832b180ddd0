"""Writes what ``face_sets.readers.jaffe`` reads."""

import re
from pathlib import Path

import pandas as pd

from face_sets.faceset import FaceSet
from face_sets.readers.jaffe import _NAME, JAFFE_CODES
from face_sets.readers.own import write_picture
from tests.face_sets.readers.writers.sequences import official_ids

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_PERSON = re.compile(r"[A-Z]{2}")


def write_jaffe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as JAFFE: 8-bit tiff files, so that no pixel changes.

    A set read from JAFFE keeps its file names. Else people of JAFFE keep their letters where all are of it;
    otherwise the k-th of the sorted subjects becomes ``AA``, ``AB`` …. Takes count the pictures of a person
    and expression, running numbers all pictures, both from 1, in the table's order. Sequences, frames and
    action units are lost.
    """
    for name, picture in zip(_file_names(faces.table), faces.pixels, strict=True):
        write_picture(folder / f"{name}.tiff", picture)


def _file_names(table: pd.DataFrame) -> list[str]:
    codes = {emotion: code for code, emotion in JAFFE_CODES.items()}
    rows = [*zip(table["subject"], table["emotion"], table["sequence"], strict=True)]
    own = [_NAME.fullmatch(name) for _, _, name in rows]
    official = all(
        match and (f"jaffe-{match[1]}", match[2]) == (subject, codes[emotion])
        for match, (subject, emotion, _) in zip(own, rows, strict=True)
    )
    if official and table["sequence"].is_unique:
        return table["sequence"].tolist()
    pairs = [a + b for a in _LETTERS for b in _LETTERS]
    ids = official_ids(table["subject"], "jaffe-", _PERSON, lambda k: pairs[k - 1])
    takes = table.groupby(["subject", "emotion"]).cumcount() + 1
    return [
        f"{ids[subject]}.{codes[emotion]}{take}.{row + 1}"
        for row, ((subject, emotion, _), take) in enumerate(zip(rows, takes, strict=True))
    ]
