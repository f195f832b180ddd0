"""BP4D+ (Zhang et al., 2016): 140 people, ten tasks, FACS codes of four of them frame by frame.

Expected: ``2D+3D/F001.zip`` per person with entries ``…/T1/<frame>.jpg``, read without being unpacked, or
unpacked folders ``2D+3D/F001/T1/<frame>.jpg``; and the codes ``AUCoding/AU_OCC/F001_T1.csv`` (frame, then 34
AUs in the order of ``OCCURRENCE_AUS``; the header has a mistake and is only compared) and
``AUCoding/AU_INT/AU06/F001_T1_AU06.csv`` (frame, intensity; no header). Frame numbers have three or four
digits, by person, and are read as numbers.

Not certain: whether frame n of the codes is picture n (assumed; else ``frame_shift.txt``, as of BP4D), and
how many women and men there are. There is no official split. What is kept, and what codes become, says
``fer_lib.faces.readers.bp4d``.
"""

import io
import re
import zipfile
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers import bp4d
from fer_lib.faces.readers.pictures import DAMAGE, SUFFIXES, add_once, list_inside, read_grey
from fer_lib.faces.readers.sequences import OTHER_FOLDERS, Frame, find_folders
from ferbook.errors import DataError

PUBLISHED = {"subjects": 140}
"""Certain; the number of coded sequences, four tasks of each person, is not."""

NO_EMOTIONS = True
"""The layout has the codes of action units alone."""

OCCURRENCE_AUS = (1, 2, *range(4, 8), *range(9, 21), *range(22, 25), *range(27, 40))
"""The columns of an occurrence file after the frame; others, AU25 and AU26 for instance, are not coded."""

_LARGEST_PICTURE = 1 << 26
"""Bytes of one picture; the set's own have about a megabyte."""

_TREE = re.compile(r"2D\+3D", re.IGNORECASE)
_ENTRY = re.compile(r"(?:.*/)?(?P<task>T\d{1,2})/(?P<frame>\d+)", re.IGNORECASE)


def read_bp4dplus(folder: Path, size: int) -> FaceSet:
    """BP4D+ from ``folder``: at most 100 coded frames of each person and task, without emotions.

    Subjects are ``bp4dplus-F001`` …, sequences ``F001/T1``; ``frame`` is the number in the codes. Faces are
    found by a detector; pictures without one are counted. Raises DataError: see ``read_spontaneous``; and,
    naming the archive, for one that cannot be read, or a person's twice.
    """
    left_out: Counter[str] = Counter()
    people: dict[str, Path] = {}
    for entry in (e for tree in find_folders(folder, _TREE, "folder 2D+3D") for e in _people(tree, folder)):
        person = (entry.name if entry.is_dir() else entry.stem).upper()
        if bp4d.PERSON.fullmatch(person):
            add_once(people, person, entry, f"place of {person}")
        else:
            left_out[OTHER_FOLDERS] += entry.is_dir()
    with ExitStack() as archives:
        tasks = {
            person: partial(bp4d.folder_tasks, place, folder)
            if place.is_dir()
            else partial(_archive_tasks, place, archives)
            for person, place in people.items()
        }
        return bp4d.read_spontaneous("bp4dplus", folder, tasks, size, OCCURRENCE_AUS, left_out)


def _people(tree: Path, folder: Path) -> list[Path]:
    """Archives and folders of people: in ``tree``, or, where it is doubled, in the one below."""
    entries = [e for e in list_inside(tree, folder) if e.is_dir() or e.suffix.lower() == ".zip"]
    if len(entries) == 1 and entries[0].is_dir() and _TREE.fullmatch(entries[0].name):
        return _people(entries[0], folder)
    return entries


def _archive_tasks(path: Path, archives: ExitStack) -> bp4d.Tasks:
    """The tasks in one archive, which stays open until all pictures are read."""
    tasks: dict[str, dict[int, Frame]] = {}
    try:
        archive = archives.enter_context(zipfile.ZipFile(path))
        names = archive.namelist()
    except DAMAGE as fault:
        raise DataError(f"{path}: not a readable zip archive ({fault})") from fault
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        match = _ENTRY.fullmatch(stem)
        if not match or dot + suffix.lower() not in SUFFIXES or not bp4d.is_picture_entry(name):
            continue
        pictures = tasks.setdefault(bp4d.task_id(match["task"]), {})
        number = int(match["frame"])
        if number in pictures:
            raise DataError(
                f"{pictures[number].place}: frame {number} stands in the archive a second time, as {name}"
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
