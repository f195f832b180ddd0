"""Writes what ``face_sets.readers.jaffe`` reads."""

from pathlib import Path

from face_sets.faceset import FaceSet
from face_sets.readers.jaffe import JAFFE_CODES
from face_sets.readers.own import write_picture
from tests.face_sets.readers.writers.sequences import numbered

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def write_jaffe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as JAFFE: 8-bit tiff files, so that no pixel changes.

    The k-th of the sorted subjects becomes ``AA``, ``AB`` …. Takes count the pictures of a person and
    expression, running numbers all pictures, both from 1, in the table's order. Sequences, frames and action
    units are lost.
    """
    codes = {emotion: code for code, emotion in JAFFE_CODES.items()}
    pairs = [a + b for a in _LETTERS for b in _LETTERS]
    table = faces.table
    ids = numbered(table["subject"], lambda k: pairs[k - 1])
    takes = table.groupby(["subject", "emotion"]).cumcount() + 1
    rows = zip(table["subject"], table["emotion"], takes, faces.pixels, strict=True)
    for number, (subject, emotion, take, picture) in enumerate(rows, start=1):
        write_picture(folder / f"{ids[subject]}.{codes[emotion]}{take}.{number}.tiff", picture)
