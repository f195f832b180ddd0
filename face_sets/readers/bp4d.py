"""Spontaneous expressions, coded in FACS frame by frame: BP4D and BP4D+.

A person does several tasks; of each task there are pictures, and for a part of them AU codes: a csv of
occurrences (a row per frame; 0 absent, 1 present, 9 unknown) and, for some AUs, csv files of intensities
(frame, then 0 to 5, or 9). A coded intensity is used, level k as k/5; otherwise presence as intensity 1; 9 is
NaN. There are no emotions: ``emotion`` is empty, the column ``task`` says what the person did. Neighbouring
frames are almost the same picture: of each task every k-th frame with codes and a picture is used, where k is
the least number that leaves at most ``FRAMES_PER_TASK``. Pictures are framed one by one. There is no official
split.

**BP4D-Spontaneous** (Zhang et al., 2014): 41 people, eight tasks. Expected: pictures ``F001/T1/0000.jpg`` in
``Sequences(2D+3D)/`` (also ``Sequences_2D+3D``, ``2D+3D``, or ``BP4D-training`` of FERA 2015), and the codes
``AUCoding/AU_OCC/F001_T1.csv`` and ``AUCoding/AU_INT/AU06/F001_T1_AU06.csv``. The header of an occurrence
file names the AUs after its first column, the frame; the older edition has a column for every number from 0
to 99. Frame numbers have three or four digits, by person, and are read as numbers. The place of the
intensities is that of BP4D+ and not certain. FERA 2015 trained on people with odd numbers.

**BP4D+** (Zhang et al., 2016): 140 people, ten tasks, codes of four of them. Expected: ``2D+3D/F001.zip`` per
person with entries ``…/T1/<frame>.jpg``, read without being unpacked, or unpacked folders
``2D+3D/F001/T1/<frame>.jpg``; and the codes as of BP4D, the occurrences with 34 AUs in the order of
``OCCURRENCE_AUS`` (the header has a mistake and is only compared), the intensities without a header. How many
women and men there are is not certain.

For both it is not certain whether frame n of the codes is picture n (assumed) or n - 1, for both are found in
published code; in a copy whose pictures have other numbers than its codes, the user adds ``SHIFT_FILE``.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from face_sets.faceset import FaceSet
from face_sets.readers import sequences
from face_sets.readers.pictures import DAMAGE, SUFFIXES, add_once, is_litter, list_inside, read_grey
from face_sets.readers.sequences import FaceRow, Frame, Search, find_folders
from face_sets.readers.tables import Row, check_columns, read_lines, read_rows
from ferbook.errors import DataError

# The layouts have only the codes of action units.
NO_EMOTIONS = True

# The columns of BP4D+'s occurrence files after the frame; others, AU25 and AU26 for instance, are not coded.
OCCURRENCE_AUS = (1, 2, *range(4, 8), *range(9, 21), *range(22, 25), *range(27, 40))

FRAMES_PER_TASK = 100
# A file of the user, next to the folders of a copy: the number of a frame's picture minus the frame's number
# in the csv files, such as -1; without it 0.
SHIFT_FILE = "frame_shift.txt"

UNKNOWN = 9
_LEVELS = 5
PERSON = re.compile(r"[FM]\d{3}", re.IGNORECASE)
TASK = re.compile(r"(T\d{1,2})", re.IGNORECASE)
NO_CODES = "tasks without AU codes"
NO_PICTURE = "coded frames without a picture"
_TREE = re.compile(r"Sequences.*|2D\+3D|BP4D-training", re.IGNORECASE)
_PLUS_TREE = re.compile(r"2D\+3D", re.IGNORECASE)
_OCCURRENCES, _INTENSITIES = (re.compile(name, re.IGNORECASE) for name in ("AU_OCC", "AU_INT"))
_INTENSITY_FOLDER = re.compile(r"AU0?([1-9]\d?)", re.IGNORECASE)
_ENTRY = re.compile(r"(?:.*/)?(?P<task>T\d{1,2})/(?P<frame>\d+)", re.IGNORECASE)
# Bytes of one picture in an archive; the sets' own have about a megabyte.
_LARGEST_PICTURE = 1 << 26

# Task -> frame number -> picture, of one person.
Tasks = Mapping[str, Mapping[int, Frame]]


def read_bp4d(folder: Path, size: int) -> FaceSet:
    """Read BP4D from ``folder``: at most 100 coded frames of each person and task, without emotions.

    Subjects are ``bp4d-F001`` …, sequences ``F001/T1``; ``frame`` is the number in the codes. Faces are found
    by a detector; pictures without one are counted. Raises DataError as ``_read_spontaneous``, and if there
    is no folder of pictures, or two.
    """
    left_out: Counter[str] = Counter()
    trees = find_folders(folder, _TREE, "folder Sequences(2D+3D)")
    places = [top for tree in trees for top in sequences.tops(tree, PERSON, "folders of people (F001)")]
    people = sequences.named_folders(places, folder, PERSON, left_out)
    tasks = {person: partial(_folder_tasks, place, folder) for person, place in people.items()}
    return _read_spontaneous("bp4d", folder, tasks, size, left_out)


def read_bp4dplus(folder: Path, size: int) -> FaceSet:
    """Read BP4D+ from ``folder``: as ``read_bp4d``, from archives and from folders. Raises DataError as
    ``_read_spontaneous``, and, naming the archive, for an unreadable one, or two of one person.
    """
    left_out: Counter[str] = Counter()
    people: dict[str, Path] = {}
    trees = find_folders(folder, _PLUS_TREE, "folder 2D+3D")
    for entry in (each for tree in trees for each in _people(tree, folder)):
        person = (entry.name if entry.is_dir() else entry.stem).upper()
        if PERSON.fullmatch(person):
            add_once(people, person, entry, f"place of {person}")
        else:
            left_out[sequences.OTHER_FOLDERS] += entry.is_dir()
    with ExitStack() as archives:
        tasks = {
            person: partial(_folder_tasks, place, folder)
            if place.is_dir()
            else partial(_archive_tasks, place, archives)
            for person, place in people.items()
        }
        return _read_spontaneous("bp4dplus", folder, tasks, size, left_out, aus=OCCURRENCE_AUS)


def _read_spontaneous(
    name: str,
    folder: Path,
    people: Mapping[str, Callable[[], Tasks]],
    size: int,
    left_out: Counter[str],
    *,
    aus: Sequence[int] | None = None,
) -> FaceSet:
    """Read the coded frames of all ``people`` (id -> their tasks), as the module's docstring describes.

    ``aus``: the AUs of the occurrence files if their order is fixed; None if the header names them.

    Raises DataError, naming file and row: a ``SHIFT_FILE`` without a whole number, no codes, a csv that
    cannot be read, values out of range, a frame twice, codes of a person or a task without pictures, two
    files for one task. Counted: ``NO_CODES``, ``NO_PICTURE``.
    """
    shift = _frame_shift(folder / SHIFT_FILE)
    coded = _code_files(folder)
    if not coded:
        raise DataError(f"{folder}: no AU codes; expected AU_OCC/F001_T1.csv … there or in folders below")
    for (person, _), files in sorted(coded.items()):
        if person not in people:
            raise DataError(f"{files[0]}: codes, but no pictures, of {person}; the copy is not complete")
    rows: list[FaceRow] = []
    for person, open_tasks in sorted(people.items()):
        tasks = open_tasks()
        own = {task: files for (who, task), files in coded.items() if who == person}
        left_out[NO_CODES] += len(tasks.keys() - own.keys())
        for task, files in sorted(own.items()):
            path = files.pop(0)
            if task not in tasks:
                raise DataError(
                    f"{path}: codes, but no pictures, of {person}, {task}; the copy is not complete"
                )
            codes = read_codes(path, files, aus)
            has_picture = [frame + shift in tasks[task] for frame in codes.index]
            left_out[NO_PICTURE] += has_picture.count(False)
            codes = codes[has_picture]
            codes = codes.iloc[:: max(1, -(-len(codes) // FRAMES_PER_TASK))]
            for frame, units in zip(codes.index, codes.to_dict("records"), strict=True):
                labels = {"frame": frame, "emotion": "", "task": task, **units}
                picture = tasks[task][frame + shift]
                rows.append(FaceRow(picture, f"{name}-{person}", f"{person}/{task}", labels))
    faces = sequences.gather_rows(name, rows, size, Search(clips=False), left_out)
    uncoded = [au for au in faces.aus if faces.table[au].isna().all()]
    return FaceSet(name, faces.pixels, faces.table.drop(columns=uncoded), left_out=faces.left_out)


def _frame_shift(path: Path) -> int:
    if not path.exists():
        return 0
    text = " ".join(read_lines(path)).strip()
    if not re.fullmatch(r"[+-]?\d{1,4}", text):
        raise DataError(f"{path}: {text[:20]!r}; expected a whole number, such as -1")
    return int(text)


def _folder_tasks(place: Path, root: Path) -> Tasks:
    """Return the tasks of a person whose pictures are in folders: ``T1/0000.jpg`` …, with any padding of
    numbers.
    """
    tasks: dict[str, dict[int, Frame]] = {}
    folders = sequences.named_folders([place], root, TASK, Counter(), form=lambda match: _task_id(match[0]))
    for task, entry in folders.items():
        paths = sequences.numbered_pictures(entry, root, re.compile(r"(?P<frame>\d+)"), "0000.jpg")
        tasks[task] = {number: sequences.picture_file(path) for number, path in paths.items()}
    return tasks


def _task_id(name: str) -> str:
    """Return ``T1`` for ``t1`` and ``T01``."""
    return f"T{int(name[1:])}"


def _code_files(folder: Path) -> dict[tuple[str, str], dict[int, Path]]:
    """Return (person, task) -> the file of its occurrences, under 0, and those of its intensities, by AU."""
    files: dict[tuple[str, str], dict[int, Path]] = {}
    places = [(0, tree) for tree in find_folders(folder, _OCCURRENCES)]
    inner = [place for tree in find_folders(folder, _INTENSITIES) for place in list_inside(tree, folder)]
    matches = [(_INTENSITY_FOLDER.fullmatch(place.name), place) for place in filter(Path.is_dir, inner)]
    for au, place in [*places, *((int(match[1]), place) for match, place in matches if match)]:
        ending, example = (f"_AU0?{au}", f"_AU{au:02d}") if au else ("", "")
        for path in list_inside(place, folder, (".csv",)):
            match = re.fullmatch(rf"([FM]\d{{3}})_(T\d{{1,2}}){ending}", path.stem, re.IGNORECASE)
            if not match:
                raise DataError(f"{path}: not named like F001_T1{example}.csv")
            key = match[1].upper(), _task_id(match[2])
            if au and key not in files:
                raise DataError(
                    f"{path}: intensities without the occurrences of {'_'.join(key)}; the copy is not "
                    "complete"
                )
            what = (f"file of AU{au} for " if au else "file for ") + "_".join(key)
            add_once(files.setdefault(key, {}), au, path, what)
    return files


def read_codes(
    occurrence: Path, intensities: Mapping[int, Path], aus: Sequence[int] | None = None
) -> pd.DataFrame:
    """Read AU intensities in [0, 1] by frame (the index, ascending): columns ``AU<n>``, NaN where not coded.

    Raises DataError, naming file and line, as ``_read_spontaneous``.
    """
    rows = read_rows(occurrence, partial(_unit_columns, occurrence, aus))
    codes = _coded(rows, {0: 0.0, 1: 1.0, UNKNOWN: np.nan}, "0, 1 or 9")
    scale = {level: level / _LEVELS for level in range(_LEVELS + 1)} | {UNKNOWN: np.nan}
    for au, path in intensities.items():
        rows = read_rows(
            path,
            lambda _, au=au: ["frame", f"AU{au}"],
            has_header=lambda first: first and not first[0].strip().isdecimal(),
        )
        levels = _coded(rows, scale, "0 to 5 or 9")[f"AU{au}"].reindex(codes.index)
        codes[f"AU{au}"] = levels.fillna(codes[f"AU{au}"]) if f"AU{au}" in codes.columns else levels
    return codes


def _unit_columns(path: Path, aus: Sequence[int] | None, header: Sequence[str]) -> Sequence[str]:
    """Return the columns of an occurrence file: ``frame``, and ``AU<n>`` after it."""
    numbers = [re.fullmatch(r"\s*(?:AU\s*)?0*([1-9]\d?)\s*", cell, re.IGNORECASE) for cell in header[1:]]
    names = [f"AU{match[1]}" if match else cell for match, cell in zip(numbers, header[1:], strict=True)]
    if aus is None:
        hint = "the columns after the first must be AU numbers"
        return check_columns(path, ["frame", *names], (), lambda n: re.fullmatch(r"frame|AU\d+", n), hint)
    # The published header has a 1 in one place too many: a 1 is accepted anywhere, another number only in its
    # place.
    columns = [f"AU{au}" for au in aus]
    if len(names) != len(columns) or any(n not in ("AU1", c) for n, c in zip(names, columns, strict=True)):
        raise DataError(
            f"{path}, line 1: expected the frame and the AUs {', '.join(map(str, aus))}; found "
            f"{', '.join(header)}"
        )
    return ["frame", *columns]


def _coded(rows: Sequence[Row], scale: Mapping[int, float], form: str) -> pd.DataFrame:
    """Translate the cells by ``scale``, by frame; the first wrong one is named."""
    frames = pd.Index([row.whole("frame", form="a frame number") for row in rows])
    if again := list(np.flatnonzero(frames.duplicated())):
        raise rows[again[0]].fault("frame", "it occurs twice; keep one row")
    cells = pd.DataFrame([row.cells for row in rows], index=frames).drop(columns="frame")
    codes = cells.apply(pd.to_numeric, errors="coerce")
    if len(wrong := np.argwhere(~codes.isin(list(scale)).to_numpy())):
        row, column = wrong[0]
        raise rows[row].fault(codes.columns[column], f"expected {form}")
    return codes.astype(float).replace(scale).sort_index()


def _people(tree: Path, folder: Path) -> list[Path]:
    """Return archives and folders of people: in ``tree``, or, if it is doubled, in the one below."""
    entries = [e for e in list_inside(tree, folder) if e.is_dir() or e.suffix.lower() == ".zip"]
    if len(entries) == 1 and entries[0].is_dir() and _PLUS_TREE.fullmatch(entries[0].name):
        return _people(entries[0], folder)
    return entries


def _archive_tasks(path: Path, archives: ExitStack) -> Tasks:
    """Return the tasks in one archive, which is open until all pictures are read."""
    tasks: dict[str, dict[int, Frame]] = {}
    try:
        archive = archives.enter_context(zipfile.ZipFile(path))
        names = archive.namelist()
    except DAMAGE as fault:
        raise DataError(f"{path}: not a readable zip archive ({fault})") from fault
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        match = _ENTRY.fullmatch(stem)
        if (
            not match
            or dot + suffix.lower() not in SUFFIXES
            or any(is_litter(Path(part)) for part in Path(name).parts)
        ):
            continue
        pictures = tasks.setdefault(_task_id(match["task"]), {})
        number = int(match["frame"])
        if number in pictures:
            raise DataError(
                f"{pictures[number].place}: frame {number} occurs in the archive a second time, as {name}"
            )
        pictures[number] = Frame(f"{path}, {name}", partial(_read_entry, archive, path, name))
    return tasks


def _read_entry(archive: zipfile.ZipFile, path: Path, name: str) -> np.ndarray:
    size = archive.getinfo(name).file_size  # of which zipfile reads no more
    if size > _LARGEST_PICTURE:
        raise DataError(f"{path}, {name}: {size:,} bytes; expected a picture of at most {_LARGEST_PICTURE:,}")
    try:
        content = archive.read(name)
    except DAMAGE as fault:
        raise DataError(f"{path}, {name}: cannot be read from the archive ({fault})") from fault
    return read_grey(path / name, io.BytesIO(content))
