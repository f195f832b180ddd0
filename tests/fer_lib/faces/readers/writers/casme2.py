"""Writes what ``fer_lib.faces.readers.casme2`` reads."""

import re
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.casme2 import _LAYOUT
from fer_lib.faces.readers.micro import SUBJECT
from tests.fer_lib.faces.readers.writers.micro import write_micro
from tests.fer_lib.faces.readers.writers.sheets import write_sheet

_SHEET = "CASME2-coding-20140508.xlsx"
_HEADER = (
    *("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units"),
    "Estimated Emotion",
)


def write_casme2(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``Cropped/`` and the coding sheet.

    Subjects become ``sub01`` …, sequences ``EP01_01`` … of their subject, in sorted order, unless they come
    from CASME II; frames keep their numbers; JPEG changes grey values slightly. AUs are written as present or
    not.
    """
    clips = write_micro(
        _LAYOUT,
        faces,
        folder / "Cropped",
        own_clip=re.compile(r"sub\d+/(EP\d+_\d+[a-z]?)"),
        clip_id=lambda subject, k: f"EP01_{k:02d}",
        letters=False,
        picture="reg_img{frame}.jpg",
    )
    rows = [clip | {SUBJECT: int(str(clip[SUBJECT]).removeprefix("sub"))} for clip in clips]
    write_sheet(folder / _SHEET, "Sheet1", _HEADER, rows)
