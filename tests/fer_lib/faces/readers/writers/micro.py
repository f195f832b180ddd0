"""Writes what ``fer_lib.faces.readers.micro`` reads."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.facs_codes import format_codes
from fer_lib.faces.readers.micro import _AUS, APEX, CLIP, EMOTION, OFFSET, ONSET, SUBJECT, MicroLayout
from fer_lib.faces.readers.own import write_picture
from tests.fer_lib.faces.readers.writers.facs_codes import codes_of
from tests.fer_lib.faces.readers.writers.sequences import frames_of, named_sequences, shown_emotion


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
    sheet by ``_COLUMNS``, a row each.

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
            {SUBJECT: person, CLIP: clip, ONSET: onset, APEX: apex, OFFSET: offset}
            # One AU alone is a number, as Excel makes it, and none an empty cell.
            | {
                _AUS: int(aus) if aus.isdigit() else aus or None,
                EMOTION: emotion,
            }
        )
    return cells


def _number(part: pd.DataFrame, column: str, otherwise: int) -> int:
    value = part[column].iloc[0] if column in part.columns else np.nan
    return int(otherwise if pd.isna(value) else value)
