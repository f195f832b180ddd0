"""Writes what ``fer_lib.faces.readers.samm`` reads."""

import re
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.micro import CLIP, OFFSET, ONSET
from fer_lib.faces.readers.samm import _LAYOUT, _WORKSHEET
from tests.fer_lib.faces.readers.writers.micro import write_micro
from tests.fer_lib.faces.readers.writers.sheets import write_sheet

_SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
NOTE_ROWS = 13
"""Rows of notes above the header of the official sheet."""

SAMM_HEADER = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"),
    *("Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)  # fmt: skip


def write_samm(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as folders of subjects and the coding sheet, with its notes on
    top.

    Subjects become ``001`` …, sequences ``001_1_1``, ``001_1_2`` … of their subject, in sorted order, unless
    they come from SAMM; frames keep their numbers; JPEG changes grey values slightly. AUs are written with
    the letter of their level. ``Objective Classes`` stays empty.
    """
    rows = [
        clip
        | {"Inducement Code": int(str(clip[CLIP]).split("_")[1]), "Micro": "Micro - 1/2"}
        | {"Duration": clip[OFFSET] - clip[ONSET] + 1}
        for clip in write_micro(
            _LAYOUT,
            faces,
            folder,
            own_clip=re.compile(r"\d+/(\d+_\d+_\d+)"),
            clip_id=lambda subject, k: f"{subject}_1_{k}",
            letters=True,
            picture="{subject}_{frame:05d}.jpg",
        )
    ]
    notes = [f"Note {k}" for k in range(1, NOTE_ROWS + 1)]
    write_sheet(folder / _SHEET, _WORKSHEET, SAMM_HEADER, rows, notes)
