"""JAFFE, Japanese Female Facial Expression (Lyons et al., 1998): 213 pictures of ten women, seven
expressions.

A folder of pictures is read: ``KA.AN1.39.tiff`` is the person (two letters), the expression (AN DI FE HA NE
SA SU) with the number of the take, and a running number, which is not dense. Copies that were converted and
renamed are read too (``….tiff.bmp``, ``….jpg``), in whichever folders they lie inside. Names
and the number of pictures are certain; the counts per expression and the list of people are not, so any two
letters are taken for a person.

The published pictures, 256 × 256, show head and shoulders: they are framed by a face detector, unless
``size`` is 256, since pictures of that size are taken as they are.
"""

import re
from pathlib import Path

from face_sets.faceset import SIX, FaceSet
from face_sets.readers import sequences
from face_sets.readers.pictures import SUFFIXES, pictures_below
from ferbook.errors import DataError

JAFFE_CODES = {emotion[:2].upper(): emotion for emotion in sorted((*SIX, "neutral"))}

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d+)\.(\d+)", re.IGNORECASE)


def read_jaffe(folder: Path, size: int) -> FaceSet:
    """JAFFE from ``folder``: pixels (N, ``size``, ``size``), emotions, people.

    ``subject`` is ``jaffe-KA``, ``sequence`` the file's name without its ending (``KA.AN1.39``), ``frame`` 0;
    splits are by subject. Pictures in which no face is found are counted in ``left_out``. Files that are no
    pictures (a README) are passed over. Raises DataError, naming the file, for a picture that is damaged,
    named otherwise, or there twice.
    """
    paths = sorted(
        pictures_below(folder, folder), key=lambda path: (len(path.parts), path.name.casefold(), path)
    )
    if not paths:
        raise DataError(f"{folder}: no pictures in it; expected files such as KA.AN1.39.tiff")
    rows: dict[str, sequences.FaceRow] = {}
    for path in paths:
        stem = path.name
        while Path(stem).suffix.lower() in SUFFIXES:
            stem = Path(stem).stem
        copy = re.fullmatch(r"(.*?) ?\(\d+\)", stem)  # a download that was there already
        match = _NAME.fullmatch(copy[1] if copy else stem)
        code = match[2].upper() if match else ""
        if code not in JAFFE_CODES:
            raise DataError(
                f"{path}: not named like KA.AN1.39.tiff, with an expression among {', '.join(JAFFE_CODES)}"
            )
        name = match[0].upper()
        if name in rows:
            raise DataError(f"{path}: a second picture named {stem}; keep one")
        subject, labels = f"jaffe-{match[1].upper()}", {"frame": 0, "emotion": JAFFE_CODES[code]}
        rows[name] = sequences.FaceRow(sequences.picture_file(path), subject, name, labels)
    return sequences.gather_rows("jaffe", list(rows.values()), size, sequences.Search(clips=False), {})
