"""Writes what ``face_sets.readers.micro`` reads."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from face_sets.faceset import FaceSet
from face_sets.facs_codes import format_codes
from face_sets.readers import micro
from face_sets.readers.micro import CASME2, CLIP, OFFSET, ONSET, SAMM, SUBJECT, MicroLayout
from face_sets.readers.own import write_picture
from tests.face_sets.readers.writers.facs_codes import codes_of
from tests.face_sets.readers.writers.sequences import frames_of, named_sequences, shown_emotion
from tests.face_sets.readers.writers.sheets import write_sheet


def write_micro(
    layout: MicroLayout,
    faces: FaceSet,
    place: Path,
    own_clip: re.Pattern,
    clip_id: Callable[[str, int], str],
    letters: bool,
    picture: str,
) -> list[dict[str, object]]:
    """Write the sequences of ``faces`` as clips to the folder ``place``; returned are the cells of the coding
    sheet by ``SHEET_COLUMNS``, a row each.

    A subject and a sequence that were read from this layout keep their names. Others are numbered: the k-th
    of the sorted subjects, the k-th of a subject's sorted sequences, as ``subject_id`` and ``clip_id`` say.
    Onset, apex and offset are the table's columns; without them the first, the middle and the last frame.
    Action units are those of the apex.
    """
    clips = named_sequences(faces, layout.name, layout.subject_folder, layout.subject_id)
    own = all(own_clip.fullmatch(sequence) for _, _, sequence, _ in clips)
    counts: Counter[str] = Counter()
    cells: list[dict[str, object]] = []
    for person, _, sequence, rows in clips:
        counts[person] += 1
        clip = own_clip.fullmatch(sequence)[1] if own else clip_id(person, counts[person])
        emotion = shown_emotion(faces, rows, layout.emotions)
        part = faces.table.iloc[rows].reset_index(drop=True)
        frames = part["frame"].to_numpy()
        apex = _number(part, "apex", frames[len(frames) // 2])
        at = int(np.argmin(np.abs(frames - apex)))
        aus = format_codes(codes_of(part.iloc[[at]].reset_index(drop=True), letters)[0])
        onset, offset = _number(part, "onset", frames[0]), _number(part, "offset", frames[-1])
        for frame, pixels in frames_of(faces, rows):
            write_picture(place / person / clip / picture.format(subject=person, frame=frame), pixels)
        cells.append(
            {SUBJECT: person, CLIP: clip, ONSET: onset, micro.APEX: apex, OFFSET: offset}
            # One AU alone is a number, as Excel makes it, and none an empty cell.
            | {micro.SHEET_UNITS: int(aus) if aus.isdigit() else aus or None, micro.EMOTION: emotion}
        )
    return cells


def _number(part: pd.DataFrame, column: str, otherwise: int) -> int:
    value = part[column].iloc[0] if column in part.columns else np.nan
    return int(otherwise if pd.isna(value) else value)


_CASME2_SHEET = "CASME2-coding-20140508.xlsx"
_CASME2_HEADER = (
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
        CASME2,
        faces,
        folder / "Cropped",
        own_clip=re.compile(r"sub\d+/(EP\d+_\d+[a-z]?)"),
        clip_id=lambda subject, k: f"EP01_{k:02d}",
        letters=False,
        picture="reg_img{frame}.jpg",
    )
    rows = [clip | {SUBJECT: int(str(clip[SUBJECT]).removeprefix("sub"))} for clip in clips]
    write_sheet(folder / _CASME2_SHEET, "Sheet1", _CASME2_HEADER, rows)


_SAMM_SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
# Rows of notes above the header of the official sheet.
NOTE_ROWS = 13

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
            SAMM,
            faces,
            folder,
            own_clip=re.compile(r"\d+/(\d+_\d+_\d+)"),
            clip_id=lambda subject, k: f"{subject}_1_{k}",
            letters=True,
            picture="{subject}_{frame:05d}.jpg",
        )
    ]
    notes = [f"Note {k}" for k in range(1, NOTE_ROWS + 1)]
    write_sheet(folder / _SAMM_SHEET, SAMM.worksheet, SAMM_HEADER, rows, notes)
