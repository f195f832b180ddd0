"""JAFFE, Japanese Female Facial Expression (Lyons et al., 1998): 213 pictures of ten women, seven
expressions.

A folder of pictures is read: ``KA.AN1.39.tiff`` is the person (two letters), the expression (AN DI FE HA NE
SA SU) with the number of the take, and a running number, which is not dense. Copies that were converted and
renamed are read too (``….tiff.bmp``, ``….jpg``), and so is a folder ``jaffe`` or ``jaffedbase`` inside. Names
and the number of pictures are certain; the counts per expression and the list of people are not, so any two
letters are taken for a person.

The published pictures, 256 × 256, show head and shoulders: they are framed by a face detector, unless
``size`` is 256, since pictures of that size are taken as they are.
"""

import re
from pathlib import Path

import pandas as pd

from fer_lib.faces.faceset import SIX, FaceSet
from fer_lib.faces.readers import sequences
from fer_lib.faces.readers.lines import require_labels
from fer_lib.faces.readers.pictures import SUFFIXES, list_inside
from ferbook.errors import DataError

JAFFE_CODES = {emotion[:2].upper(): emotion for emotion in sorted((*SIX, "neutral"))}

PUBLISHED = {"pictures": 213, "subjects": 10}
"""Lyons et al. 1998."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d+)\.(\d+)", re.IGNORECASE)
_PERSON = re.compile(r"[A-Z]{2}")


def read_jaffe(folder: Path, size: int) -> FaceSet:
    """JAFFE from ``folder``: pixels (N, ``size``, ``size``), emotions, people.

    ``subject`` is ``jaffe-KA``, ``sequence`` the file's name without its ending (``KA.AN1.39``), ``frame`` 0;
    splits are by subject. Pictures in which no face is found are counted in ``left_out``. Files that are no
    pictures (a README) are passed over. Raises DataError, naming the file, for a picture that is damaged,
    named otherwise, or there twice.
    """
    places = [folder, *(folder / name for name in ("jaffe", "jaffedbase") if (folder / name).is_dir())]
    paths = [path for place in places for path in list_inside(place, folder, SUFFIXES)]
    if not paths:
        raise DataError(f"{folder}: no pictures in it; expected files such as KA.AN1.39.tiff")
    clips: dict[str, sequences.Clip] = {}
    for path in paths:
        stem = path.name
        while Path(stem).suffix.lower() in SUFFIXES:
            stem = Path(stem).stem
        match = _NAME.fullmatch(stem)
        code = match[2].upper() if match else ""
        if code not in JAFFE_CODES:
            raise DataError(
                f"{path}: not named like KA.AN1.39.tiff, with an expression among {', '.join(JAFFE_CODES)}"
            )
        name = stem.upper()
        if name in clips:
            raise DataError(f"{path}: a second picture named {stem}; keep one")
        row = {"frame": 0, "emotion": JAFFE_CODES[code]}
        clips[name] = sequences.Clip(f"jaffe-{match[1].upper()}", name, [sequences.picture_file(path)], [row])
    return sequences.gather_clips("jaffe", list(clips.values()), size, "picture", {})


def write_jaffe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as JAFFE: 8-bit tiff files, so that no pixel changes.

    A set read from JAFFE keeps its file names. Else people of JAFFE keep their letters where all are of it;
    otherwise the k-th of the sorted subjects becomes ``AA``, ``AB`` …. Takes count the pictures of a person
    and expression, running numbers all pictures, both from 1, in the table's order. Sequences, frames and
    action units are lost. Raises DataError for a picture without a subject, more than 676 subjects, or an
    emotion that JAFFE does not have.
    """
    require_labels(faces, tuple(JAFFE_CODES.values()), "JAFFE")
    table = faces.table
    sequences.require_subjects(faces)
    for name, picture in zip(_file_names(table), faces.pixels, strict=True):
        sequences.write_picture(folder / f"{name}.tiff", picture)


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
    ids = sequences.official_ids(table["subject"], "jaffe-", _PERSON, lambda k: pairs[k - 1], len(pairs))
    takes = table.groupby(["subject", "emotion"]).cumcount() + 1
    return [
        f"{ids[subject]}.{codes[emotion]}{take}.{row + 1}"
        for row, ((subject, emotion, _), take) in enumerate(zip(rows, takes, strict=True))
    ]
