"""Clips: sequences of pictures found on disk, thinned, framed and gathered into a face set; and how sets are
named.

What the readers of sequence data sets share. A clip is cut out with one window for all its pictures: a window
found anew in each would tremble, and pass for motion.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from face_sets.faceset import LANDMARKS, FaceSet
from face_sets.facs_codes import Codes, au_columns
from face_sets.readers import pictures
from face_sets.splits import split_people
from ferbook.errors import DataError

_SEARCHED_AT = 320
"""Shorter side in pixels to which a picture is reduced while a face is looked for: large pictures take
seconds.
"""

OTHER_FOLDERS = "folders that are not named like a person"
NO_FACE = {True: "clips in which no face was found", False: "pictures in which no face was found"}
"""What is counted, where faces are looked for clip by clip, or picture by picture."""


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
    """A picture and its row of the table. Rows of one sequence, a clip, follow each other.

    Attributes
    ----------
    picture
        Read when it is needed.
    subject, sequence
        Who is shown, with the set's prefix, and in which sequence.
    labels
        At least ``frame`` and ``emotion``; ``split`` where the set divides its pictures itself; any other
        column.
    codes
        FACS codes. Sets with AU numbers have their columns in ``labels`` instead.
    landmarks
        (68, 2) in the picture's pixels, or None; the first picture of a clip shows the neutral face.
    cropped
        Whether the picture is a cropped face, and used whole; None: if it has the size that is wanted.
    """

    picture: Frame
    subject: str
    sequence: str
    labels: Mapping[str, object]
    codes: Codes = None
    landmarks: np.ndarray | None = None
    cropped: bool | None = None

    @property
    def clip(self) -> tuple[str, str, bool | None]:
        """What rows of one clip have in common."""
        return self.subject, self.sequence, self.cropped


def whole_picture(picture: np.ndarray, place: str, sequence: str, **labels: object) -> FaceRow:
    """The row of a face crop without a subject label, uint8 (H, W), that is in memory already."""
    return FaceRow(Frame(place, lambda: picture), "", sequence, {"frame": 0, **labels}, cropped=True)


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


def first_window(
    frames: Iterable[np.ndarray], find: Callable[[np.ndarray], pictures.Window | None] = face_window
) -> pictures.Window | None:
    """The face's window in the first of ``frames`` in which there is one; None where none has."""
    return next((window for frame in frames if (window := find(frame))), None)


@dataclass(frozen=True)
class Search:
    """How faces are looked for.

    Attributes
    ----------
    clips
        One window for each clip, or else one for each picture.
    find
        Returns the window of the face in a picture, or None.
    none
        Counts the rows without a face; None counts them as ``NO_FACE``.
    person
        Whose rows must be in one split.
    """

    clips: bool = True
    find: Callable[[np.ndarray], pictures.Window | None] = face_window
    none: Callable[[Sequence[FaceRow]], Mapping[str, int]] | None = None
    person: Callable[[FaceRow], str] = attrgetter("subject")


def gather_rows(
    name: str,
    rows: Sequence[FaceRow],
    size: int,
    search: Search,
    left_out: Mapping[str, int],
    *,
    unscored: float = 1.0,
    halves: bool | None = None,
) -> FaceSet:
    """Read, crop and join the pictures of ``rows``, and divide the people unless labels have a ``split``.

    Landmarks of a picture, or of the first of its clip, give its window; otherwise ``search`` does.

    Parameters
    ----------
    name
        The face set.
    rows
        One for each picture.
    size
        Side of the crops in pixels.
    search
        How faces are looked for.
    left_out
        What the reader left out already: reason -> count. Pictures and clips without a face are added.
    unscored, halves
        Passed to ``au_columns`` for the codes; ``halves`` None: the rows have no codes.

    Raises
    ------
    DataError
        Names the file: a picture that cannot be read, or differs in size from others of its clip; no picture
        left; fewer than three people.
    """
    members: dict[tuple, list[FaceRow]] = {}
    for row in rows:
        members.setdefault(row.clip, []).append(row)
    shapes: dict[tuple, tuple[int, ...]] = {}
    landmarks = None
    if any(row.landmarks is not None for row in rows):
        landmarks = np.full((len(rows), LANDMARKS, 2), np.nan, np.float32)

    def is_crop(row: FaceRow, picture: np.ndarray) -> bool:
        return picture.shape == (size, size) if row.cropped is None else row.cropped

    def clip_window(clip: list[FaceRow]) -> pictures.Window | None:
        if clip[0].cropped or clip[0].landmarks is not None:
            return None  # not looked for
        picture = clip[0].picture.read()
        shapes[clip[0].clip] = picture.shape
        if is_crop(clip[0], picture):
            return None
        return first_window(chain([picture], (row.picture.read() for row in clip[1:])), search.find)

    windows: dict[tuple, pictures.Window | None] = {}
    if search.clips:
        with ThreadPoolExecutor() as threads:
            windows = dict(zip(members, threads.map(clip_window, members.values()), strict=True))

    def load(k: int) -> np.ndarray | None:
        row, resting = rows[k], members[rows[k].clip][0].landmarks
        picture, points = row.picture.read(), row.landmarks
        shape = shapes.setdefault(row.clip, picture.shape)
        if picture.shape != shape:
            raise DataError(
                f"{row.picture.place}: {picture.shape[1]} × {picture.shape[0]} pixels, but others of its "
                f"clip are {shape[1]} × {shape[0]}"
            )
        if is_crop(row, picture):
            if points is not None:
                landmarks[k] = points
            return pictures.whole(picture, size)
        try:
            if points is None and resting is None:
                window = windows[row.clip] if search.clips else search.find(picture)
            else:
                window = pictures.landmark_window(resting if points is None else points, resting)
            if points is not None:
                pictures.require_within(points, window, picture.shape)
                landmarks[k] = window.scale(points, size)
            return None if window is None else pictures.cut_out(picture, window, size)
        except DataError as fault:
            raise DataError(f"{row.picture.place}: {fault}") from fault

    pixels, present = pictures.gather_pictures(len(rows), size, load)
    counts = Counter(left_out)
    missing = [row for row, there in zip(rows, present, strict=True) if not there]
    if search.clips and missing:  # as a whole: without its first frame it has no neutral face
        clips = {row.clip for row in missing}
        missing = [row for clip in clips for row in members[clip]]
        stays = np.array([row.clip not in clips for row in rows])
        pixels, present = pixels[stays[present]], present & stays
    if missing:
        number = len({row.clip for row in missing} if search.clips else missing)
        counts.update(search.none(missing) if search.none else {NO_FACE[search.clips]: number})
    if not present.any():
        reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items() if count)
        raise DataError(f"{name}: no picture is left ({reasons or 'no sequences found'})")
    table = pd.DataFrame(
        {"dataset": name, "subject": row.subject, "sequence": row.sequence, **row.labels} for row in rows
    )
    if halves is not None:
        table = pd.concat([table, au_columns([row.codes for row in rows], unscored, halves)], axis=1)
    table = table[present].reset_index(drop=True)
    if "split" not in table:
        people = [search.person(row) for row, there in zip(rows, present, strict=True) if there]
        table["split"] = split_people(people, table["emotion"].to_numpy())
    marks = None if landmarks is None else landmarks[present]
    return FaceSet(name, pixels, table, landmarks=marks, left_out=+counts)


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
    *,
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
