"""BP4D-Spontaneous (Zhang et al., 2014): 41 people, eight tasks, FACS codes frame by frame.

Expected: pictures ``F001/T1/0000.jpg`` in ``Sequences(2D+3D)/`` (also ``Sequences_2D+3D``, ``2D+3D``, or
``BP4D-training`` of FERA 2015), and the codes ``AUCoding/AU_OCC/F001_T1.csv`` and
``AUCoding/AU_INT/AU06/F001_T1_AU06.csv``. The header of an occurrence file names the AUs after its first
column, the frame; the older edition has a column for every number from 0 to 99. Frame numbers have three or
four digits, by person, and are read as numbers.

Not certain: whether frame n of the codes is picture n (assumed) or n - 1 (the user then writes -1 into
``frame_shift.txt`` beside the folders), for both are found in published code; and the place of the
intensities, which is that of BP4D+. There is no official split; FERA 2015 trained on people with odd numbers.

What BP4D+ has in common with it is here, too (``read_spontaneous``): expressions coded frame by frame. A
person does several tasks; of each task there are pictures, and for a part of them AU codes: a csv of
occurrences (a row per frame; 0 absent, 1 present, 9 unknown) and, for some AUs, csv files of intensities
(frame, then 0 to 5, or 9). Where an intensity is coded it is taken, level k as k/5; otherwise presence as
intensity 1; 9 is NaN. There are no emotions: ``emotion`` is empty, the column ``task`` says what the person
did.

Neighbouring frames are almost the same picture: of each task every k-th frame that has codes and a picture is
kept, where k is the least number that leaves no more than ``FRAMES_PER_TASK``. Pictures are framed one by
one. A copy whose pictures are numbered otherwise than its codes says so in ``SHIFT_FILE``.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers import sequences
from fer_lib.faces.readers.pictures import add_once, is_litter, list_inside
from fer_lib.faces.readers.tables import read_lines
from ferbook.errors import DataError

FRAMES_PER_TASK = 100
SHIFT_FILE = "frame_shift.txt"
"""The user's own, beside the folders of a copy: the number of a frame's picture less the frame's number in
the csv files, such as -1; without it 0.
"""

_UNKNOWN = 9
_LEVELS = 5
PERSON = re.compile(r"[FM]\d{3}", re.IGNORECASE)
_TASK = re.compile(r"(T\d{1,2})", re.IGNORECASE)
NO_CODES = "tasks without AU codes"
NO_PICTURE = "coded frames without a picture"

Tasks = Mapping[str, Mapping[int, sequences.Frame]]
"""Task -> frame number -> picture, of one person."""

_OCCURRENCES, _INTENSITIES = (re.compile(name, re.IGNORECASE) for name in ("AU_OCC", "AU_INT"))
_INTENSITY_FOLDER = re.compile(r"AU\d{1,2}", re.IGNORECASE)


def read_spontaneous(
    name: str,
    folder: Path,
    people: Mapping[str, Callable[[], Tasks]],
    size: int,
    columns: Sequence[int] | None,
    left_out: Counter[str],
) -> FaceSet:
    """The coded frames of all ``people`` (id -> their tasks), as the module's docstring says.

    ``columns``: the AUs of the occurrence files where their order is fixed; None where the header names them.

    Raises DataError, naming file and row: a ``SHIFT_FILE`` without a whole number, no codes, a csv that
    cannot be read, values out of range, a frame twice, codes of a person or a task without pictures, two
    files for one task. Counted: ``NO_CODES``, ``NO_PICTURE``.
    """
    shift = _frame_shift(folder / SHIFT_FILE)
    occurrences = _code_files(sequences.find_folders(folder, _OCCURRENCES), folder)
    if not occurrences:
        raise DataError(f"{folder}: no AU codes; expected AU_OCC/F001_T1.csv … there or in folders below")
    intensities = _intensities(folder, occurrences)
    for (person, _), path in sorted(occurrences.items()):
        if person not in people:
            raise DataError(f"{path}: codes, but no pictures, of {person}; the copy is not complete")
    rows: list[sequences.FaceRow] = []
    for person, open_tasks in sorted(people.items()):
        tasks = open_tasks()
        paths = {task: path for (who, task), path in occurrences.items() if who == person}
        left_out[NO_CODES] += len(tasks.keys() - paths.keys())
        for task, path in sorted(paths.items()):
            if task not in tasks:
                raise DataError(
                    f"{path}: codes, but no pictures, of {person}, {task}; the copy is not complete"
                )
            codes = read_codes(path, intensities.get((person, task), {}), columns)
            has_picture = [frame + shift in tasks[task] for frame in codes.index]
            left_out[NO_PICTURE] += has_picture.count(False)
            codes = codes[has_picture]
            codes = codes.iloc[:: max(1, -(-len(codes) // FRAMES_PER_TASK))]
            for frame, units in zip(codes.index, codes.to_dict("records"), strict=True):
                labels = {"frame": frame, "emotion": "", "task": task, **units}
                picture = tasks[task][frame + shift]
                rows.append(sequences.FaceRow(picture, f"{name}-{person}", f"{person}/{task}", labels))
    faces = sequences.gather_rows(name, rows, size, "picture", left_out)
    uncoded = [au for au in faces.aus if faces.table[au].isna().all()]
    return FaceSet(name, faces.pixels, faces.table.drop(columns=uncoded), left_out=faces.left_out)


def _frame_shift(path: Path) -> int:
    if not path.exists():
        return 0
    text = " ".join(read_lines(path)).strip()
    if not re.fullmatch(r"[+-]?\d{1,4}", text):
        raise DataError(f"{path}: {text[:20]!r}; expected a whole number, such as -1")
    return int(text)


def folder_tasks(place: Path, root: Path) -> Tasks:
    """The tasks of a person whose pictures lie in folders: ``T1/0000.jpg`` …, however the numbers are
    padded.
    """
    tasks: dict[str, dict[int, sequences.Frame]] = {}
    folders = sequences.named_folders([place], root, _TASK, Counter(), form=lambda match: task_id(match[0]))
    for task, entry in folders.items():
        paths = sequences.numbered_pictures(entry, root, re.compile(r"(?P<frame>\d+)"), "0000.jpg")
        tasks[task] = {number: sequences.picture_file(path) for number, path in paths.items()}
    return tasks


def task_id(name: str) -> str:
    """``T1`` for ``t1`` and ``T01``."""
    return f"T{int(name[1:])}"


def _code_files(places: Iterable[Path], folder: Path, au: int | None = None) -> dict[tuple[str, str], Path]:
    """(person, task) -> the file in ``places`` of its occurrences, or of the intensities of ``au``."""
    ending, example = ("", "") if au is None else (f"_AU0?{au}", f"_AU{au:02d}")
    files: dict[tuple[str, str], Path] = {}
    pattern = re.compile(rf"([FM]\d{{3}})_(T\d{{1,2}}){ending}", re.IGNORECASE)
    for path in (path for place in places for path in list_inside(place, folder, (".csv",))):
        match = pattern.fullmatch(path.stem)
        if not match:
            raise DataError(f"{path}: not named like F001_T1{example}.csv")
        key = match[1].upper(), task_id(match[2])
        add_once(files, key, path, f"file for {'_'.join(key)}")
    return files


def _intensities(folder: Path, occurrences: Mapping[tuple[str, str], Path]) -> dict[tuple, dict[int, Path]]:
    """(person, task) -> AU -> the file of its intensities."""
    files: dict[tuple[str, str], dict[int, Path]] = {}
    inner = [
        entry for tree in sequences.find_folders(folder, _INTENSITIES) for entry in list_inside(tree, folder)
    ]
    for place in inner:
        if not (place.is_dir() and _INTENSITY_FOLDER.fullmatch(place.name)):
            continue
        au = int(place.name[2:])
        for key, path in _code_files([place], folder, au).items():
            if key not in occurrences:
                raise DataError(
                    f"{path}: intensities without the occurrences of {'_'.join(key)}; the copy is "
                    "not complete"
                )
            add_once(files.setdefault(key, {}), au, path, f"file of AU{au} for {'_'.join(key)}")
    return files


def read_codes(
    occurrence: Path, intensities: Mapping[int, Path], columns: Sequence[int] | None = None
) -> pd.DataFrame:
    """AU intensities in [0, 1] by frame (the index, ascending): columns ``AU<n>``, NaN where not coded.

    Raises DataError, naming file and row, for whatever cannot be read: see ``read_spontaneous``.
    """
    header, cells = _read_csv(occurrence, header=True)
    aus = _columns_of(occurrence, header, columns)
    codes = _checked(occurrence, cells, aus, {0: 0.0, 1: 1.0, _UNKNOWN: np.nan}, "0, 1 or 9", first_row=2)
    scale = {level: level / _LEVELS for level in range(_LEVELS + 1)} | {_UNKNOWN: np.nan}
    for au, path in intensities.items():
        header, cells = _read_csv(path, header=False)
        if cells.shape[1] != 2:
            raise DataError(f"{path}: {cells.shape[1]} columns; expected two, frame and intensity")
        levels = _checked(path, cells, (au,), scale, "0 to 5 or 9", first_row=1 + len(header[:1]))[f"AU{au}"]
        levels = levels.reindex(codes.index)
        codes[f"AU{au}"] = levels.fillna(codes[f"AU{au}"]) if f"AU{au}" in codes.columns else levels
    return codes


def _read_csv(path: Path, header: bool) -> tuple[list[str], pd.DataFrame]:
    """The header's cells and the rows below as text. Without ``header`` a first row that is no number is
    taken as one.
    """
    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError) as fault:  # ValueError: those of pandas, UnicodeDecodeError
        raise DataError(f"{path}: not a readable csv file ({' '.join(str(fault).split())})") from fault
    while len(cells) and (cells.iloc[-1] == "").all():
        cells = cells.iloc[:-1]
    if header or (len(cells) and not str(cells.iat[0, 0]).strip().isdecimal()):
        names = [str(cell).strip() for cell in cells.iloc[0]] if len(cells) else []
        cells = cells.iloc[1:]
    else:
        names = []
    if not len(cells):
        raise DataError(f"{path}: no rows of codes")
    return names, cells


def _columns_of(path: Path, header: Sequence[str], columns: Sequence[int] | None) -> tuple[int, ...]:
    """The AUs of the columns after the first, which is the frame."""
    numbers = [re.fullmatch(r"(?:AU\s*)?0*([1-9]\d?)", cell, re.IGNORECASE) for cell in header[1:]]
    aus = [int(match[1]) if match else None for match in numbers]
    if columns is None:
        wrong = [cell for cell, au in zip(header[1:], aus, strict=True) if au is None]
        if wrong or len(set(aus)) < len(aus):
            raise DataError(
                f"{path}, row 1: the columns after the first must be AU numbers, each once; found "
                + (f"{wrong[0]!r}" if wrong else "one twice")
            )
        return tuple(aus)
    # The published header says 1 in one place too many: a 1 is let pass anywhere, another number only in its
    # place.
    if len(aus) != len(columns) or any(
        au not in (1, column) for au, column in zip(aus, columns, strict=True)
    ):
        raise DataError(
            f"{path}, row 1: expected the frame and the AUs {', '.join(map(str, columns))}; found "
            f"{', '.join(header)}"
        )
    return tuple(columns)


def _checked(
    path: Path,
    cells: pd.DataFrame,
    aus: Sequence[int],
    scale: Mapping[int, float],
    form: str,
    first_row: int,
) -> pd.DataFrame:
    """``cells`` as numbers through ``scale``, by frame; the first wrong cell is named."""
    values = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    frames, codes = values[:, 0], values[:, 1:]
    good = np.isin(codes, list(scale))
    whole = (frames >= 0) & (frames < 1e9) & (frames % 1 == 0)
    wrong = np.argwhere(~np.column_stack([whole, good]))
    if len(wrong):
        row, at = wrong[0]
        what, form = (f"AU{aus[at - 1]}", form) if at else ("frame", "a frame number")
        raise DataError(f"{path}, row {first_row + row}: {what} is {cells.iat[row, at]!r}; expected {form}")
    again = pd.Series(frames).duplicated().to_numpy()
    if again.any():
        row = int(again.argmax())
        raise DataError(
            f"{path}, row {first_row + row}: frame {frames[row]:.0f} stands there twice; keep one row"
        )
    table = pd.DataFrame(codes, index=frames.astype(int), columns=[f"AU{au}" for au in aus])
    return table.replace(scale).sort_index()


def is_picture_entry(name: str) -> bool:
    """Whether an archive's entry is no litter in any of its folders."""
    return not any(is_litter(Path(part)) for part in Path(name).parts)


PUBLISHED = {"subjects": 41, "sequences": 328}
"""41 people (F001 to F023, M001 to M018) and eight tasks each are certain."""

NO_EMOTIONS = True
"""The layout has the codes of action units alone."""

_TREE = re.compile(r"Sequences.*|2D\+3D|BP4D-training", re.IGNORECASE)


def read_bp4d(folder: Path, size: int) -> FaceSet:
    """BP4D from ``folder``: at most 100 coded frames of each person and task, without emotions.

    Subjects are ``bp4d-F001`` …, sequences ``F001/T1``; ``frame`` is the number in the codes. Faces are found
    by a detector; pictures without one are counted. Raises DataError: see ``read_spontaneous``; and where
    there is no folder of pictures, or there are two.
    """
    left_out: Counter[str] = Counter()
    trees = sequences.find_folders(folder, _TREE, "folder Sequences(2D+3D)")
    places = [top for tree in trees for top in sequences.tops(tree, PERSON, "folders of people (F001)")]
    people = sequences.named_folders(places, folder, PERSON, left_out)
    tasks = {person: partial(folder_tasks, place, folder) for person, place in people.items()}
    return read_spontaneous("bp4d", folder, tasks, size, None, left_out)
