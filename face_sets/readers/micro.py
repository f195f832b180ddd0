"""Coded clips of micro-expressions: CASME II and SAMM, a coding sheet and a folder per clip.

Each row of the sheet is a clip: subject, file name, the numbers of its onset, apex and offset frame, its
action units and its emotion, which every picture of the clip has. At most ``clip_frames`` pictures are used,
evenly spaced from onset to offset, with onset, apex and offset among them, or with 0 all of them.

The official sheets have a few errors. They are corrected if only one correction is plausible, and the column
``corrected`` describes it (empty otherwise): an apex that is missing, or outside the clip, becomes the middle
of onset and offset; an offset before the onset becomes the clip's last picture; an onset, apex or offset
without a picture becomes the nearest one within the clip. ``missing_frames`` counts the frame numbers from
onset to offset for which there is no picture. Clips with fewer than two pictures are left out and counted.
There is no official split.

**CASME II** (Yan et al., 2014): 26 people, spontaneous micro-expressions at 200 pictures per second. Expected
in the folder: the coding sheet ``CASME2-coding-<date>.xlsx`` and one of

- ``Cropped/sub01/EP02_01f/reg_img46.jpg``: face crops, used whole (they are not square: squeezed, as is
  customary);
- ``CASME2_RAW_selected/`` or ``CASME2-RAW/``, ``sub01/EP02_01f/img46.jpg``: the faces are found by a
  detector.

Doubled folders (``Cropped/Cropped``) are accepted. Frame numbers are not padded and are those of the sheet.
Corrected are one apex, which is ``/``, the offset of one row, the 61st, and the incomplete ``sub16/EP01_08``.
AUs are coded as present (intensity 1) with sides.

**SAMM** (Davison et al., 2018): a wide range of people, grey, 2040 × 1088, 200 pictures per second. Expected
in the folder: ``006/006_1_2/006_05562.jpg`` (subject, subject_inducement_index, subject_frame), also some
levels further down, and the coding sheet ``SAMM_Micro_FACS_Codes_v2.xlsx`` (other names with ``FACS_Codes``
are found as well), worksheet ``MICRO_ONLY`` or the first. There are notes above its header, which is found by
its first cell. The padding of frame numbers differs between clips: they are read as numbers. Faces are found
by a detector, one window per clip. Corrected are the apex of ``028_4_1`` and of ``032_3_1``, which is outside
the clip, and the offset of one row. AU codes may have letters and sides; of ``R12 or R15`` neither counts as
coded.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_sets.faceset import EMOTIONS, FaceSet
from face_sets.facs_codes import parse_codes
from face_sets.readers import sequences
from face_sets.readers.pictures import list_inside
from face_sets.readers.sequences import FaceRow, Search
from face_sets.readers.tables import Row, find_sheet, read_sheet
from face_sets.request import CLIP_FRAMES, spread_evenly
from ferbook.errors import DataError

_FPS = 200.0
SINGLE = "clips with fewer than two pictures from onset to offset"
UNCODED = "clips without a row in the coding sheet"

# Columns of both coding sheets; their spaces differ between editions.
SHEET_COLUMNS = SUBJECT, CLIP, ONSET, APEX, OFFSET, SHEET_UNITS, EMOTION = (
    *("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame"),
    *("Action Units", "Estimated Emotion"),
)


@dataclass(frozen=True)
class MicroLayout:
    """How one data set arranges its coded clips."""

    name: str
    sheet: str
    worksheet: str
    # Emotion -> the sheet's word for it; no other emotion can be written in the layout.
    emotions: Mapping[str, str]
    subject_folder: re.Pattern
    subject_id: Callable[[int], str]


_WORDS = ("happiness", "disgust", "repression", "surprise", "sadness", "fear")
CASME2 = MicroLayout(
    name="casme2",
    sheet="CASME2-coding*.xlsx",
    worksheet="",
    emotions={**dict(zip(_WORDS, _WORDS, strict=True)), "other": "others"},
    subject_folder=re.compile(r"sub(\d{1,4})", re.IGNORECASE),
    subject_id="sub{:02d}".format,
)
SAMM = MicroLayout(
    name="samm",
    sheet="SAMM*FACS_Codes*.xlsx",
    worksheet="MICRO_ONLY",
    emotions={each: each.capitalize() for each in (*EMOTIONS, "other") if each != "neutral"},
    subject_folder=re.compile(r"(\d{3,4})"),
    subject_id="{:03d}".format,
)
_CROPS = ("Cropped", "Cropped-updated", "Cropped_original")
_RAW = ("CASME2_RAW_selected", "CASME2-RAW")


def read_casme2(folder: Path, size: int, clip_frames: int = CLIP_FRAMES) -> FaceSet:
    """Read CASME II from ``folder``: at most ``clip_frames`` pictures (0: all) of each coded clip, ``size`` ×
    ``size``.

    Subjects are ``casme2-sub01`` …, sequences ``sub01/EP02_01f`` …; columns ``onset``, ``apex``, ``offset``,
    ``fps``, ``missing_frames``, ``corrected``, AUs with their halves, ``facs``. Emotions are those of
    ``CASME2``. Raises DataError as ``_read_micro``, and if neither tree of pictures exists.
    """
    for tree in (*_CROPS, *_RAW):
        if (folder / tree).is_dir():
            prefix, cropped = ("reg_img", True) if tree in _CROPS else ("img", None)
            names = {"prefix": prefix, "example": f"{prefix}46.jpg", "cropped": cropped}
            return _read_micro(CASME2, folder, folder / tree, size, clip_frames, **names)
    raise DataError(
        f"{folder}: no pictures; expected the folder {' or '.join((*_CROPS, *_RAW))} of CASME II there"
    )


def read_samm(folder: Path, size: int, clip_frames: int = CLIP_FRAMES) -> FaceSet:
    """Read SAMM from ``folder``: as ``read_casme2``. Subjects are ``samm-006`` …, sequences ``006/006_1_2``
    …. Raises DataError as ``_read_micro``, and if there are no folders of subjects.
    """
    return _read_micro(SAMM, folder, folder, size, clip_frames, prefix=r"\d+_", example="006_05562.jpg")


def _read_micro(
    layout: MicroLayout,
    folder: Path,
    pictures: Path,
    size: int,
    clip_frames: int,
    *,
    prefix: str,
    example: str,
    cropped: bool | None = None,
) -> FaceSet:
    """Read the clips of the coding sheet in ``folder``, as the module's docstring describes. ``pictures`` is
    the folder of the subjects' folders; a file there is named ``prefix`` and its frame's number.

    Raises DataError, naming file and row: an unusable sheet, an unreadable cell, a row without a folder, a
    clip without a picture between onset and offset.
    """
    sheet_rows = read_sheet(find_sheet(folder, layout.sheet), SHEET_COLUMNS, layout.worksheet)
    left_out: Counter[str] = Counter()
    what = f"folders of subjects ({layout.subject_id(1)})"
    (top, *others) = sequences.tops(pictures, layout.subject_folder, what)
    if others:
        raise DataError(f"{top} and {others[0]}: two folders of subjects; keep one")
    other, form = "folders that are not named like a subject", lambda match: layout.subject_id(int(match[1]))
    subjects = sequences.named_folders([top], folder, layout.subject_folder, left_out, other, form=form)
    words = {word.lower(): emotion for emotion, word in layout.emotions.items()}
    words |= {"other": "other", "others": "other"}
    pattern = re.compile(rf"{prefix}(?P<frame>\d+)")
    clips: dict[Path, list[FaceRow]] = {}
    for row in sheet_rows:
        subject, name = layout.subject_id(row.whole(SUBJECT)), row.text(CLIP)
        if subject not in subjects:
            raise DataError(f"{row.place}: no folder {top / subject}; the copy is not complete")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise row.fault(CLIP, "expected a clip's name: letters, digits, - and _")
        place = subjects[subject] / name
        if not place.is_dir():
            raise DataError(f"{row.place}: no folder {place}; the copy is not complete")
        if place in clips:
            raise DataError(f"{row.place}: {place} belongs to an earlier row already; keep one row")
        paths = sequences.numbered_pictures(place, folder, pattern, example)
        emotion = row.choice(EMOTION, words, layout.emotions.values())
        codes = parse_codes(row.text(SHEET_UNITS), f"{row.place}, {SHEET_UNITS}")
        onset, apex, offset, corrected = _span(row, list(paths))
        inside = [number for number in paths if onset <= number <= offset]
        labels = {"emotion": emotion, "onset": onset, "apex": apex, "offset": offset, "fps": _FPS}
        labels |= {"missing_frames": offset - onset + 1 - len(inside), "corrected": corrected}
        person, sequence = f"{layout.name}-{subject}", f"{subject}/{name}"
        clips[place] = [
            FaceRow(
                sequences.picture_file(paths[number]),
                *(person, sequence, {"frame": number} | labels, codes),
                cropped=cropped,
            )
            for number in (spread_evenly(inside, clip_frames, apex) if len(inside) > 1 else ())
        ]
    left_out[SINGLE] = sum(not clip for clip in clips.values())
    entries = (entry for place in subjects.values() for entry in list_inside(place, folder))
    left_out[UNCODED] = sum(entry.is_dir() and entry not in clips for entry in entries)
    usable = [row for _, clip in sorted(clips.items()) for row in clip]
    return sequences.gather_rows(layout.name, usable, size, Search(), left_out, halves=True)


def _span(row: Row, numbers: Sequence[int]) -> tuple[int, int, int, str]:
    """Return onset, apex and offset of a clip, each with a picture, and the corrections; ``numbers`` are
    those of the pictures.
    """
    onset, offset = row.whole(ONSET), row.whole(OFFSET)
    apex = row.whole(APEX, absent=("", "/"))
    if not numbers:
        return onset, onset, onset, ""  # no picture at all: the clip is left out
    notes: list[str] = []
    if offset < onset:
        notes.append(f"offset {offset} lies before the onset, taken as {numbers[-1]}")
        offset = numbers[-1]
    inside = [number for number in numbers if onset <= number <= offset]
    if not inside:
        raise DataError(
            f"{row.place}: no picture from onset {onset} to offset {offset}; the clip's pictures are "
            f"numbered {numbers[0]} to {numbers[-1]}. Do the pictures belong to this sheet?"
        )
    for what, value, nearest in (("onset", onset, inside[0]), ("offset", offset, inside[-1])):
        if value != nearest:
            notes.append(f"{what} {value} has no picture, taken as {nearest}")
    onset, offset = inside[0], inside[-1]
    middle = (onset + offset) // 2
    if apex is None:
        original, fault, to = repr(row.text(APEX)), "", middle
    elif not onset <= apex <= offset:
        original, fault, to = apex, " lies outside the clip", middle
    else:
        original, fault, to = apex, " has no picture", apex
    nearest = min(inside, key=lambda number: abs(number - to))
    if nearest != apex:
        notes.append(f"apex {original}{fault}, taken as {nearest}")
    return onset, nearest, offset, "; ".join(notes)
