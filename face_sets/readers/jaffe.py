"""JAFFE, Japanese Female Facial Expression (Lyons et al., 1998): 213 pictures of ten women, seven
expressions.

Expected: a folder of ``.tiff`` files. ``KA.AN1.39.tiff`` holds the person (two letters), the expression (AN
DI FE HA NE SA SU) with the number of the take, and a running number with gaps. Names and the number of
pictures are certain; the counts per expression and the list of people are not, so any two letters count as a
person.

The published pictures, 256 × 256, show head and shoulders. A detector finds the face, unless ``size`` is 256:
pictures of that size are used unchanged.
"""

import re
from pathlib import Path

from face_sets.faceset import SIX, FaceSet
from face_sets.readers import sequences
from face_sets.readers.pictures import list_inside
from ferbook.errors import DataError

JAFFE_CODES = {emotion[:2].upper(): emotion for emotion in sorted((*SIX, "neutral"))}

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d+)\.(\d+)")


def read_jaffe(folder: Path, size: int) -> FaceSet:
    """Read JAFFE from ``folder``: pictures of ``size`` × ``size`` pixels, emotions, people.

    ``subject`` is ``jaffe-KA``, ``sequence`` the file's name without its ending (``KA.AN1.39``), ``frame`` 0;
    splits are by subject. Pictures in which no face is found are counted in ``left_out``. Files that are not
    pictures (a README) are ignored. Raises DataError, naming the file, for a picture that is damaged, has
    another name, or occurs twice.
    """
    rows: list[sequences.FaceRow] = []
    for path in list_inside(folder, folder, (".tiff",)):
        match = _NAME.fullmatch(path.stem)
        if not match or match[2] not in JAFFE_CODES:
            raise DataError(
                f"{path}: not named like KA.AN1.39.tiff, with an expression among {', '.join(JAFFE_CODES)}"
            )
        labels = {"frame": 0, "emotion": JAFFE_CODES[match[2]]}
        rows.append(sequences.FaceRow(sequences.picture_file(path), f"jaffe-{match[1]}", match[0], labels))
    if not rows:
        raise DataError(f"{folder}: no pictures in it; expected files such as KA.AN1.39.tiff")
    return sequences.gather_rows("jaffe", rows, size, sequences.Search(clips=False), {})
