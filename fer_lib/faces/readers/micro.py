"""Coded clips of micro-expressions: what CASME II and SAMM have in common, a coding sheet and a folder per
clip.

Each row of the sheet is a clip: subject, file name, the numbers of its onset, apex and offset frame, its
action units and its emotion, which every kept picture gets. Kept are at most ``clip_frames`` pictures, evenly
spaced from onset to offset, with onset, apex and offset among them, or with 0 all of them.

The official sheets have a few faults. They are mended where only one way is plausible, and the column
``corrected`` says what was done (empty where nothing was): an apex that is not given, or lies outside the
clip, becomes the middle of onset and offset; an offset before the onset becomes the clip's last picture; an
onset, apex or offset without a picture becomes the nearest one within the clip. ``missing_frames`` counts the
frame numbers from onset to offset for which there is no picture. Clips of which fewer than two pictures are
there are left out and counted.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.facs_codes import parse_codes
from fer_lib.faces.readers import sequences
from fer_lib.faces.readers.pictures import list_inside
from fer_lib.faces.readers.tables import Row, find_sheet, read_sheet
from fer_lib.faces.request import CLIP_FRAMES, spread_evenly
from ferbook.errors import DataError

NO_APEX = ("", "/")
_FPS = 200.0
SINGLE = "clips with fewer than two pictures from onset to offset"
UNCODED = "clips without a row in the coding sheet"

_COLUMNS = SUBJECT, CLIP, ONSET, APEX, OFFSET, _AUS, EMOTION = (
    *("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame"),
    *("Action Units", "Estimated Emotion"),
)
"""Columns of both coding sheets, in which spaces come and go."""

_OTHER = {"other": "other", "others": "other"}
"""What either sheet may say, in lower case, where no emotion is meant."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class MicroLayout:
    """How one data set arranges its coded clips."""

    name: str
    sheet: str
    worksheet: str
    emotions: Mapping[str, str]
    """Emotion -> the sheet's word for it."""
    subject_folder: re.Pattern
    subject_id: Callable[[int], str]


@dataclass(frozen=True)
class Pictures:
    """Where a data set's clips lie, above the subjects' folders; how pictures are named and framed."""

    place: Path
    pattern: re.Pattern
    example: str
    framing: sequences.WindowRule


def read_micro(
    layout: MicroLayout, folder: Path, pictures: Pictures, size: int, clip_frames: int = CLIP_FRAMES
) -> FaceSet:
    """The clips of the coding sheet in ``folder``, as the module's docstring says.

    Raises DataError, naming file and row: a sheet that cannot be used, a cell that cannot be read, a row
    without a folder, a clip none of whose pictures lies between onset and offset.
    """
    sheet = find_sheet(folder, layout.sheet)
    rows = read_sheet(sheet, _COLUMNS, layout.worksheet)
    left_out: Counter[str] = Counter({SINGLE: 0})
    (top, *others) = sequences.tops(
        pictures.place, layout.subject_folder, f"folders of subjects ({layout.subject_id(1)})"
    )
    if others:
        raise DataError(f"{top} and {others[0]}: two folders of subjects; keep one")
    subjects = sequences.named_folders(
        [top],
        folder,
        layout.subject_folder,
        left_out,
        "folders that are not named like a subject",
        lambda match: layout.subject_id(int(match[1])),
    )
    clips: dict[Path, list[sequences.FaceRow]] = {}
    for row in rows:
        place = _clip_folder(layout, row, top, subjects)
        if place in clips:
            raise DataError(f"{row.place}: {place} belongs to an earlier row already; keep one row")
        clips[place] = _read_clip(layout, row, folder, pictures, place, clip_frames)
    left_out[SINGLE] = sum(not clip for clip in clips.values())
    left_out[UNCODED] = sum(
        entry.is_dir() and entry not in clips
        for place in subjects.values()
        for entry in list_inside(place, folder)
    )
    usable = [picture for _, clip in sorted(clips.items()) for picture in clip]
    return sequences.gather_rows(layout.name, usable, size, pictures.framing, left_out, halves=True)


def _clip_folder(layout: MicroLayout, row: Row, place: Path, subjects: Mapping[str, Path]) -> Path:
    subject = layout.subject_id(row.whole(SUBJECT))
    if subject not in subjects:
        raise DataError(f"{row.place}: no folder {place / subject}; the copy is not complete")
    name = row.text(CLIP)
    if not _FILE_NAME.fullmatch(name):
        raise row.fault(CLIP, "expected a clip's name: letters, digits, - and _")
    clip = subjects[subject] / name
    if not clip.is_dir():
        raise DataError(f"{row.place}: no folder {clip}; the copy is not complete")
    return clip


def _read_clip(
    layout: MicroLayout, row: Row, folder: Path, pictures: Pictures, place: Path, clip_frames: int
) -> list[sequences.FaceRow]:
    paths = sequences.numbered_pictures(place, folder, pictures.pattern, pictures.example)
    emotion = _emotion(layout, row)
    codes = parse_codes(row.text(_AUS), f"{row.place}, {_AUS}")
    onset, apex, offset, corrections = _span(row, list(paths))
    inside = [number for number in paths if onset <= number <= offset]
    if len(inside) < 2:
        return []
    numbers = spread_evenly(inside, clip_frames, apex)
    subject = layout.subject_id(row.whole(SUBJECT))
    common = {"emotion": emotion, "onset": onset, "apex": apex, "offset": offset, "fps": _FPS}
    common |= {"missing_frames": offset - onset + 1 - len(inside), "corrected": corrections}
    return [
        sequences.FaceRow(
            sequences.picture_file(paths[number]),
            f"{layout.name}-{subject}",
            f"{subject}/{place.name}",
            {"frame": number} | common,
            codes,
        )
        for number in numbers
    ]


def _emotion(layout: MicroLayout, row: Row) -> str:
    words = {word.lower(): emotion for emotion, word in layout.emotions.items()} | _OTHER
    word = row.text(EMOTION)
    if word.lower() not in words:
        raise row.fault(EMOTION, f"expected one of {', '.join(layout.emotions.values())}")
    return words[word.lower()]


def _span(row: Row, numbers: Sequence[int]) -> tuple[int, int, int, str]:
    """Onset, apex and offset of a clip, each with a picture, and what was corrected; ``numbers``: pictures'
    numbers.
    """
    onset, offset = row.whole(ONSET), row.whole(OFFSET)
    apex = row.whole(APEX, absent=NO_APEX)
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
