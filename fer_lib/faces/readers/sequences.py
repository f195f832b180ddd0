"""Clips: sequences of pictures found on disk, thinned, framed and gathered into a face set; and how sets are
named.

What the readers of sequence data sets share. A clip is cut out with one window for all its pictures: a window
found anew in each would tremble, and pass for motion. At the end posed expressions, as Oulu-CASIA and BU-4DFE
have them: a folder per person, in it one per emotion, in it a sequence that begins at rest. There is no file
of labels: the folder's name is the label, and of the pictures kept the first is neutral.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd

from fer_lib.faces.faceset import LANDMARKS, FaceSet
from fer_lib.faces.facs_codes import Codes, au_columns
from fer_lib.faces.readers import pictures
from fer_lib.faces.splits import split_people
from ferbook.errors import DataError

WindowRule = Literal["clip", "picture", "whole"]
"""One window per clip, one per picture, or the whole picture where the set's pictures are face crops already.
"""

_SEARCHED_AT = 320
"""Shorter side in pixels to which a picture is reduced while a face is looked for: large pictures take
seconds.
"""

OTHER_FOLDERS = "folders that are not named like a person"
NO_FACE = {"clip": "clips in which no face was found", "picture": "pictures in which no face was found"}


@dataclass(frozen=True)
class Frame:
    """A picture that can be read when it is needed: ``place`` is what messages call it."""

    place: str
    read: Callable[[], np.ndarray]


def picture_file(path: Path) -> Frame:
    """The picture at ``path`` as a ``Frame``."""
    return Frame(str(path), partial(pictures.read_grey, path))


@dataclass(frozen=True)
class FaceRow:
    """A ``picture`` and its row of the table: whose it is, and of which ``sequence``; ``labels``: at least
    ``frame`` and ``emotion``. Rows of one sequence, a clip, follow each other.

    ``codes``: FACS codes, where the set has such; sets that come with AU numbers have their columns in
    ``labels`` instead. ``landmarks`` (68, 2), in the picture's pixels, None where there are none; the first
    picture of a clip shows the face at rest.
    """

    picture: Frame
    subject: str
    sequence: str
    labels: Mapping[str, object]
    codes: Codes = None
    landmarks: np.ndarray | None = None


def gather_rows(
    name: str,
    rows: Sequence[FaceRow],
    size: int,
    framing: WindowRule,
    left_out: Mapping[str, int],
    unscored: float = 1.0,
    halves: bool | None = None,
) -> FaceSet:
    """The face set ``name`` of ``rows``, every picture ``size`` × ``size``, split by subject.

    Pictures that have that size are taken as they are. Where a picture or the first of its clip has
    landmarks they give its window, otherwise a detector. Clips (or, with framing ``picture``, pictures) in
    which no face is found are left out and counted; so is what ``left_out`` brings along. Unless ``halves``
    is None the table gets columns of the codes: ``unscored`` and ``halves`` are those of ``au_columns``.

    Raises DataError, naming the file: a picture that cannot be read, or differs in size from others of its
    clip; and where nothing is left or fewer than three people are.
    """
    numbers: dict[tuple[str, str], int] = {}
    # Of each row the number of the first of its clip.
    clips = [numbers.setdefault((row.subject, row.sequence), k) for k, row in enumerate(rows)]
    windows = _clip_windows(rows, clips, size) if framing == "clip" else {}
    shapes: dict[int, tuple[int, ...]] = {}
    landmarks = None
    if any(row.landmarks is not None for row in rows):
        landmarks = np.full((len(rows), LANDMARKS, 2), np.nan, np.float32)

    def load(k: int) -> np.ndarray | None:
        frame, points, resting = rows[k].picture, rows[k].landmarks, rows[clips[k]].landmarks
        picture = frame.read()
        shape = shapes.setdefault(clips[k], picture.shape)
        if picture.shape != shape:
            raise DataError(
                f"{frame.place}: {picture.shape[1]} × {picture.shape[0]} pixels, but others of its clip are "
                f"{shape[1]} × {shape[0]}"
            )
        if picture.shape == (size, size) or framing == "whole":
            if points is not None:
                landmarks[k] = points
            return pictures.whole(picture, size)
        try:
            if points is None and resting is None:
                window = windows[clips[k]] if framing == "clip" else face_window(picture)
            else:
                window = pictures.landmark_window(resting if points is None else points, resting)
            if points is not None:
                landmarks[k] = window.scale(points, size)
            return None if window is None else pictures.cut_out(picture, window, size)
        except DataError as fault:
            raise DataError(f"{frame.place}: {fault}") from fault

    pixels, present = pictures.gather_pictures(len(rows), size, load)
    counts = Counter(left_out)
    if not present.all():
        missing = {clips[k] if framing == "clip" else k for k in np.flatnonzero(~present)}
        counts[NO_FACE[framing]] += len(missing)
        if framing == "clip":  # as a whole: without its first frame it has no neutral face
            stays = np.array([clip not in missing for clip in clips])
            pixels, present = pixels[stays[present]], present & stays
    if not present.any():
        reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items() if count)
        raise DataError(f"{name}: no picture is left ({reasons or 'no sequences found'})")
    table = pd.DataFrame(
        {"dataset": name, "subject": row.subject, "sequence": row.sequence, **row.labels} for row in rows
    )
    if halves is not None:
        table = pd.concat([table, au_columns([row.codes for row in rows], unscored, halves)], axis=1)
    table = table[present].reset_index(drop=True)
    table["split"] = split_people(table["subject"].to_numpy(), table["emotion"].to_numpy())
    marks = None if landmarks is None else landmarks[present]
    return FaceSet(name, pixels, table, landmarks=marks, left_out=+counts)


def face_window(picture: np.ndarray) -> pictures.Window | None:
    """``find_face`` in a copy of ``picture`` (H, W) reduced to ``_SEARCHED_AT``; the window is in
    ``picture``'s pixels.
    """
    scale = max(1.0, min(picture.shape) / _SEARCHED_AT)
    if scale > 1:
        shape = (round(picture.shape[1] / scale), round(picture.shape[0] / scale))
        picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
    window = pictures.find_face(picture)
    return window and pictures.Window(window.left * scale, window.top * scale, window.side * scale)


def first_window(frames: Iterable[np.ndarray]) -> pictures.Window | None:
    """The face's window in the first of ``frames`` in which there is one; None where none has."""
    return next((window for frame in frames if (window := face_window(frame))), None)


def _clip_windows(
    rows: Sequence[FaceRow], clips: Sequence[int], size: int
) -> dict[int, pictures.Window | None]:
    """Number of a clip's first row -> the window of the first face in it."""
    members: dict[int, list[FaceRow]] = {}
    for row, clip in zip(rows, clips, strict=True):
        members.setdefault(clip, []).append(row)

    def window(clip: list[FaceRow]) -> pictures.Window | None:
        if clip[0].landmarks is not None:
            return None  # not looked at: landmarks give the windows
        first = clip[0].picture.read()
        if first.shape == (size, size):
            return None  # nor here: such pictures are taken as they are
        return first_window(chain([first], (row.picture.read() for row in clip[1:])))

    with ThreadPoolExecutor() as threads:
        return dict(zip(members, threads.map(window, members.values()), strict=True))


def find_folders(folder: Path, pattern: re.Pattern, what: str = "", depth: int = 3) -> list[Path]:
    """The folders named like ``pattern`` in ``folder`` or, where none is, up to ``depth`` levels below it.

    Unpacking often adds levels (``Cropped/Cropped``): those of the nearest level that has any are taken.
    Raises DataError for links that leave ``folder``, and, saying ``what`` was looked for, where none is
    found; without ``what`` the list is empty then.
    """
    level = [folder]
    for _ in range(depth + 1):
        below = [entry for place in level for entry in pictures.list_inside(place, folder) if entry.is_dir()]
        matches = [entry for entry in below if pattern.fullmatch(entry.name)]
        if matches:
            return matches
        level = below
    if what:
        raise DataError(f"{folder}: no {what} there, nor in up to {depth} folders below")
    return []


def tops(folder: Path, child: re.Pattern, what: str) -> list[Path]:
    """The folders that hold those of ``find_folders``."""
    return list(dict.fromkeys(place.parent for place in find_folders(folder, child, what)))


def named_folders(
    places: Iterable[Path],
    root: Path,
    pattern: re.Pattern,
    left_out: Counter,
    what: str = OTHER_FOLDERS,
    form: Callable[[re.Match], str] = lambda match: match[0].upper(),
) -> dict[str, Path]:
    """The folders in ``places`` named like ``pattern``, sorted, by the id that ``form`` makes of the match.

    Other folders are counted in ``left_out`` as ``what``. Raises DataError where two folders have one id.
    """
    folders: dict[str, Path] = {}
    for entry in (entry for place in places for entry in pictures.list_inside(place, root) if entry.is_dir()):
        match = pattern.fullmatch(entry.name)
        if match:
            pictures.add_once(folders, form(match), entry, f"folder of {form(match)}")
        else:
            left_out[what] += 1
    return dict(sorted(folders.items()))


def numbered_pictures(place: Path, root: Path, pattern: re.Pattern, example: str) -> dict[int, Path]:
    """The pictures in ``place`` by frame number, in ascending order: 9 before 10, however they are padded.

    ``pattern`` matches a file's name without its ending and has a group ``frame``. Files that are no pictures
    are passed over. Raises DataError for a picture named otherwise, and for two with one number.
    """
    paths: dict[int, Path] = {}
    for path in pictures.list_inside(place, root, pictures.SUFFIXES):
        match = pattern.fullmatch(path.stem)
        if not match:
            raise DataError(f"{path}: not named like {example}, so its frame number is not known")
        pictures.add_once(paths, int(match["frame"]), path, f"picture of frame {int(match['frame'])}")
    return dict(sorted(paths.items()))


def first_and_middle(count: int) -> list[int]:
    """Positions of the first and the middle three of ``count`` ≥ 4 frames: at rest, and at the height of what
    is shown.
    """
    middle = count // 2
    return [0, middle - 1, middle, middle + 1]


_LEAST = 4
_FPS = 25.0
SHORT = "sequences of fewer than four pictures"


@dataclass(frozen=True)
class PosedLayout:
    """How one data set names its folders and pictures, and which pictures of a sequence are kept."""

    name: str
    emotions: Mapping[str, str]
    """Emotion -> the folder of its sequence."""
    subject_folder: re.Pattern
    subject_form: Callable[[re.Match], str]
    suffix: str
    keep: Callable[[int], Sequence[int]]
    """From the number of pictures, four or more, to the positions of those to keep; 0 is the neutral one."""


def read_posed(
    layout: PosedLayout, folder: Path, tops: Sequence[Path], framing: WindowRule, size: int
) -> FaceSet:
    """Every sequence below the folders ``tops`` of people; ``folder`` is the data set's own.

    Raises DataError, naming the folder or file: one that is no emotion's, two for one emotion or one person,
    a picture without a frame number, and what ``gather_rows`` refuses. Sequences of fewer than four pictures
    are counted.
    """
    left_out: Counter[str] = Counter()
    emotions = {word.lower(): emotion for emotion, word in layout.emotions.items()}
    rows: list[FaceRow] = []
    people = named_folders(tops, folder, layout.subject_folder, left_out, form=layout.subject_form)
    for subject, place in people.items():
        folders: dict[str, Path] = {}
        for entry in pictures.list_inside(place, folder):
            if not entry.is_dir():
                continue
            emotion = emotions.get(entry.name.lower())
            if emotion is None:
                raise DataError(
                    f"{entry}: not the folder of an emotion; expected {', '.join(layout.emotions.values())}"
                )
            pictures.add_once(folders, emotion, entry, f"folder of {emotion}")
        for emotion, entry in folders.items():
            paths = numbered_pictures(entry, folder, re.compile(r"(?P<frame>\d+)"), f"000{layout.suffix}")
            numbers = list(paths)
            if len(numbers) < _LEAST:
                left_out[SHORT] += 1
                continue
            selection = [numbers[k] for k in layout.keep(len(numbers))]
            rows += [
                FaceRow(
                    picture_file(paths[number]),
                    f"{layout.name}-{subject}",
                    f"{subject}/{layout.emotions[emotion]}",
                    {"frame": number, "emotion": emotion if k else "neutral", "fps": _FPS},
                )
                for k, number in enumerate(selection)
            ]
    return gather_rows(layout.name, rows, size, framing, left_out)
