"""CK+, the Extended Cohn-Kanade set (Lucey et al., 2010): posed sequences that begin neutral and end at the
peak.

Four parallel trees are read, as the four official archives unpack:

    cohn-kanade-images/S005/001/S005_001_00000011.png     every frame
    Emotion/S005/001/S005_001_00000011_emotion.txt        one number 0 to 7; 327 of 593 sequences have one
    FACS/S005/001/S005_001_00000011_facs.txt              lines "AU intensity"; 0: there, not scored
    Landmarks/S005/001/S005_001_00000011_landmarks.txt    68 lines "x y"

each of them also one level deeper or under the archive's name (``extended-cohn-kanade-images``,
``Emotion_labels``, ``FACS_labels``). FACS and Landmarks may be absent: then there are no action units, and
faces are framed by a detector. Emotion and FACS belong to a sequence's last frame; of the file's name only
the frame number at its end is used, since the official ReadMe itself has a mistake in the subject's
(``S0005_…``).

Used of a sequence: the first frame as neutral and the last three with its label, as is customary; every
action unit of the label's frame on those three, none on the first. What is certain about the layout comes
from the official ReadMe. Unverified without a copy: how many pictures are in colour, and the counts per
emotion.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from face_sets.faceset import EMOTIONS, LANDMARKS, UNLABELLED, FaceSet
from face_sets.facs_codes import Code, Codes
from face_sets.readers import sequences
from face_sets.readers.pictures import add_once, list_inside, require_inside
from face_sets.readers.tables import read_lines
from ferbook.errors import DataError

# CK+'s emotion codes 0 to 7; neutral is in the ReadMe but labels no sequence.
CKPLUS_CODES = EMOTIONS

_LEVELS = 5
# Intensity of an action unit that is there but was not scored: FACS level 0.
_NOT_SCORED = 0.5

_PEAK = 3
_TREES = {
    "images": ("cohn-kanade-images", "extended-cohn-kanade-images"),
    "Emotion": ("Emotion", "Emotion_labels"),
    "FACS": ("FACS", "FACS_labels"),
    "Landmarks": ("Landmarks",),
}
_SUBJECT = re.compile(r"[Ss]\d{3}")
_SEQUENCE = re.compile(r"\d{3}")
_LABEL_FRAME = re.compile(r".*_(\d+)_(?:emotion|facs)\.txt", re.IGNORECASE)
_UNUSED = "sequences with neither an emotion nor FACS codes"
_FOREIGN = "folders not named like a subject's (S005) or a sequence's (001)"
_EMPTY = "sequence folders without a picture"
_UNMARKED = "files of landmarks, which other pictures have"
_UNCODED = "AU codes of sequences that have none, or an empty file"
_GAPS = "pictures of a sequence, by the numbers of the others"
_BEYOND = "sequences whose emotion or FACS file belongs to a frame that is not there"


def read_ckplus(folder: Path, size: int) -> FaceSet:
    """Read CK+ from ``folder``: of each sequence the neutral first frame and the last three, ``size`` ×
    ``size``.

    ``subject`` is ``ckplus-S005``, ``sequence`` ``S005/001``, ``frame`` the number in the picture's name.
    ``emotion`` is neutral on the first frame and the sequence's own on the last three; in sequences without a
    label, used if they are FACS coded, it is empty on all four. ``AU<n>``: level k of 1 … 5 is k / 5, level 0
    ("not scored") 0.5, and not listed 0; NaN if the sequence was not coded. ``facs`` has the codes as text.
    Splits are by subject.

    Pictures of ``size`` × ``size`` are used unchanged; others are framed by their landmarks, the eyes of each
    frame and the proportions of the first, or else by the first face found in them. ``landmarks`` are those
    of the pictures returned. ``left_out`` counts sequences with neither label nor codes, empty ones, those
    whose label's frame is missing, and those without a face.

    Raises DataError, naming the file and line, for anything else that is absent, damaged or out of range.
    """
    trees = _trees(folder)
    left_out: Counter[str] = Counter()
    rows = _list_rows(trees, folder, left_out)
    halves = False if any(row.codes is not None for row in rows) else None
    units = {"unscored": _NOT_SCORED, "halves": halves}
    return sequences.gather_rows("ckplus", rows, size, sequences.Search(), left_out, **units)


def _trees(folder: Path) -> dict[str, Path]:
    """Find where each tree begins: the folder that has the subjects' folders."""
    trees = {}
    for tree, names in _TREES.items():
        places = _called(folder, folder, names)
        if len(places) > 1:
            raise DataError(f"{places[1]}: a second tree next to {places[0]}; keep one of the two")
        if places:  # unpacking adds a level: Emotion_labels/Emotion, Landmarks/Landmarks
            trees[tree] = (_called(places[0], folder, names) or places)[0]
    for tree in ("images", "Emotion"):
        if tree not in trees:
            official = ", ".join(first for first, *_ in _TREES.values())
            raise DataError(
                f"{folder / _TREES[tree][0]}: not found. Expected the official archives, unpacked: {official}"
            )
    return trees


def _called(place: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """List the folders in ``place`` with one of ``names``, in any letter case."""
    known = {name.casefold() for name in names}
    entries = list_inside(place, folder) if place.is_dir() else []
    return [entry for entry in entries if entry.name.casefold() in known and entry.is_dir()]


def _list_rows(trees: dict[str, Path], folder: Path, left_out: Counter[str]) -> list[sequences.FaceRow]:
    emotions = _annotations(trees["Emotion"], folder, "_emotion.txt", left_out)
    facs = _annotations(trees["FACS"], folder, "_facs.txt", left_out) if "FACS" in trees else {}
    marked = _sequence_folders(trees["Landmarks"], folder, left_out) if "Landmarks" in trees else {}
    rows: list[sequences.FaceRow] = []
    keys: set[tuple[str, str]] = set()
    for key, place in _sequence_folders(trees["images"], folder, left_out).items():
        stem = "_".join((*key, ""))
        pattern = re.compile(rf"{stem}(?P<frame>\d+)", re.IGNORECASE)
        frames = sequences.numbered_pictures(place, folder, pattern, f"{stem}00000001.png")
        if not frames:
            left_out[_EMPTY] += 1
            continue
        keys.add(key)
        emotion = _read_emotion(emotions[key]) if key in emotions else UNLABELLED
        codes = _read_facs(facs[key]) if key in facs else None
        annotations = [files[key] for files in (emotions, facs) if key in files]
        if not annotations:
            left_out[_UNUSED] += 1
        elif any(_frame_of(file) not in frames for file in annotations):
            left_out[_BEYOND] += 1
        else:
            first, *others = frames
            left_out[_UNCODED] += not codes
            left_out[_GAPS] += max(frames) - min(1, *frames) + 1 - len(frames)
            for frame in (first, *others[-_PEAK:]):
                name, where = f"{frames[frame].stem}_landmarks.txt", marked.get(key)
                marks = _read_landmarks(where / name, folder) if where else None
                left_out[_UNMARKED] += marks is None and "Landmarks" in trees
                peak = frame != first or not others
                labels = {"frame": frame, "emotion": emotion if peak or not emotion else "neutral"}
                shown = codes if peak or codes is None else ()
                picture, sequence = sequences.picture_file(frames[frame]), "/".join(key)
                rows.append(sequences.FaceRow(picture, f"ckplus-{key[0]}", sequence, labels, shown, marks))
    for key, file in [*emotions.items(), *facs.items()]:
        if key not in keys:
            raise DataError(
                f"{file}: describes a sequence without pictures; expected some in "
                f"{trees['images'] / key[0] / key[1]}"
            )
    return rows


def _sequence_folders(tree: Path, folder: Path, left_out: Counter[str]) -> dict[tuple[str, str], Path]:
    """Return (subject, sequence) -> its folder ``S005/001`` of a tree, sorted; files next to them are
    ignored.
    """
    subjects = sequences.named_folders([tree], folder, _SUBJECT, left_out, _FOREIGN)
    return {
        (subject, number): inner
        for subject, place in subjects.items()
        for number, inner in sequences.named_folders([place], folder, _SEQUENCE, left_out, _FOREIGN).items()
    }


def _annotations(
    tree: Path, folder: Path, ending: str, left_out: Counter[str]
) -> dict[tuple[str, str], Path]:
    """Return (subject, sequence) -> its one file that ends in ``ending``."""
    files: dict[tuple[str, str], Path] = {}
    for key, place in _sequence_folders(tree, folder, left_out).items():
        for path in list_inside(place, folder, (".txt",)):
            if not path.name.lower().endswith(ending):
                raise DataError(f"{path}: expected a name that ends in {ending}")
            add_once(files, key, path, "file for that sequence")
    return files


def _frame_of(file: Path) -> int:
    match = _LABEL_FRAME.fullmatch(file.name)
    if not match:
        raise DataError(
            f"{file}: no frame number in the name; expected one such as S005_001_00000011{file.name[-12:]}"
        )
    return int(match[1])


def _numbers(file: Path, good: Sequence[Callable[[float], bool]], form: str) -> list[tuple[int, list[float]]]:
    """Return (line number, numbers) for each line of ``file`` that is not empty.

    Raises DataError, naming the line and its ``form``, unless there is one number for each of ``good``, which
    tests it.
    """
    lines = []
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        try:
            values = [float(field) for field in line.split()]
        except ValueError:
            values = []
        if len(values) != len(good) or not all(fits(value) for fits, value in zip(good, values, strict=True)):
            raise DataError(f"{file}, line {number}: {line.strip()[:40]!r}; expected {form}")
        lines.append((number, values))
    return lines


def _read_emotion(file: Path) -> str:
    form = f"one number from 0 to 7 ({', '.join(CKPLUS_CODES)})"
    codes = _numbers(file, [range(len(CKPLUS_CODES)).__contains__], form)
    if len(codes) != 1:
        raise DataError(f"{file}: {len(codes)} lines; expected {form}")
    return CKPLUS_CODES[int(codes[0][1][0])]


def _read_facs(file: Path) -> Codes:
    """Read the codes in ``file``; level 0, "not scored", becomes a code without a level. A repeated line
    counts once.
    """
    good = [range(1, 100).__contains__, range(_LEVELS + 1).__contains__]
    levels: dict[int, int] = {}
    for number, values in _numbers(file, good, f"an AU's number and its intensity from 0 to {_LEVELS}"):
        au, level = map(int, values)
        if levels.setdefault(au, level) != level:
            raise DataError(f"{file}, line {number}: AU{au} with intensity {level}, but {levels[au]} before")
    return tuple(Code(au, level=level or None) for au, level in levels.items())


def _read_landmarks(file: Path, folder: Path) -> np.ndarray | None:
    """Read float64 (68, 2) of one frame, in the pixels of its picture; None if there is no file."""
    if not (file.exists() or file.is_symlink()):
        return None
    points = _numbers(require_inside(file, folder), [math.isfinite] * 2, "two numbers, x and y")
    if len(points) != LANDMARKS:
        raise DataError(f"{file}: {len(points)} lines; expected {LANDMARKS}, x and y of one point in each")
    return np.array([point for _, point in points])
