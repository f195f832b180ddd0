"""The user's own pictures: a table ``faces.csv`` and the pictures that it lists, in a folder of any name.

The columns ``path``, ``subject`` and ``emotion`` are required. Optional are ``sequence`` and ``frame`` for
pictures that follow each other, ``split`` (train, valid, test; each person in one), ``cropped`` (yes: the
picture is the crop of a face already, and is used whole), and ``AU1``, ``AU2`` …, the intensity from 0 to 1
of an action unit, empty if it was not coded. Paths are relative to the table.

A face is searched for in each picture as ``ferbook predict`` does, in a sequence in the first picture that
shows one: a new window in each picture would tremble, and look like motion.
"""

import io
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from face_sets.faceset import LABELS, SPLITS, UNLABELLED, FaceSet
from face_sets.photo import find_faces, look_closer, read_photo
from face_sets.readers.pictures import Window, named_file, pictures_below, require_file, whole
from face_sets.readers.sequences import FaceRow, Frame, Search, gather_rows
from face_sets.readers.tables import SPELLINGS, Row, check_columns, person_name, read_rows
from face_sets.sources import may_be_own
from ferbook.errors import DataError, ParameterError
from ferbook.files import whole_folder

CSV = "faces.csv"
WITHOUT_FACE = "pictures in which no face was found (if they are cropped faces: yes in the column cropped)"

_NEEDED = ("path", "subject", "emotion")
_OPTIONAL = ("sequence", "frame", "split", "cropped")
_UNIT = re.compile(r"AU[1-9]\d?")
_LONGEST = 200
_EMOTIONS = {label: label for label in (*LABELS, UNLABELLED)} | SPELLINGS


def read_own(folder: Path, size: int) -> FaceSet:
    """Read the pictures of ``folder`` that its ``faces.csv`` lists, in its order.

    The set's name is the folder's, and each ``subject`` begins with it; ``sequence`` is the path if the table
    has none. Without a column ``split`` people are divided, three fifths for training. ``left_out`` counts
    pictures without a face and those that the table does not list.

    Returns
    -------
    FaceSet
        Pixels uint8 (N, ``size``, ``size``).

    Raises
    ------
    DataError
        Names file and line.
    """
    csv = require_file(folder / CSV, folder)
    table = read_rows(csv, partial(_columns, csv))
    rows: list[FaceRow] = []
    paths: dict[int, Path] = {}
    places: dict[object, str] = {}
    sides: dict[object, tuple[str, object]] = {}
    for line in table:
        path = _picture(folder, line)
        row = _face_row(folder, line, path, size)
        frame = row.labels["frame"]
        for key, what in (
            (path, "picture"),
            ((row.subject, row.sequence, frame), f"picture of frame {frame} of its sequence"),
        ):
            if key in places:
                raise DataError(f"{line.place}: a second {what}, after {places[key]}; expected each once")
            places[key] = line.place.rpartition(", ")[2]
        if split := row.labels.get("split"):
            person = row.subject or (row.subject, row.sequence)
            before, other = sides.setdefault(person, (places[path], split))
            if split != other:
                raise DataError(
                    f"{line.place}: split {split}, but the same person is in {other} ({before}); a person "
                    "may be in one split only. Without a column split people are divided"
                )
        rows.append(row)
        paths[id(row)] = path

    def without_face(missing: Sequence[FaceRow]) -> dict[str, int]:
        if len(missing) == len(rows):
            raise DataError(
                f"{csv}: no face was found in any of its {len(rows)} pictures; if they are cropped faces, "
                "write yes in a column cropped"
            )
        return {WITHOUT_FACE: len(missing)}

    # A sequence without a subject label shows one person.
    search = Search(find=_find, none=without_face, person=lambda row: row.subject or f"\0{row.sequence}")
    unlisted = {f"pictures that {CSV} does not list": len(pictures_below(folder, folder) - {*paths.values()})}
    faces = gather_rows(folder.name, rows, size, search, unlisted)
    return faces if sides else faces.assign(split_rule="people, divided by the suite")


def missing_pictures(folder: Path, faces: FaceSet) -> list[str]:
    """List the paths in ``folder``'s table that ``read_own`` left out of ``faces``."""
    columns = faces.table[["subject", "sequence", "frame"]]
    kept = set(columns.itertuples(index=False, name=None))
    lines = read_rows(folder / CSV, partial(_columns, folder / CSV))
    rows = [(line.text("path"), _face_row(folder, line, folder, 0)) for line in lines]
    return [path for path, row in rows if (row.subject, row.sequence, row.labels["frame"]) not in kept]


def _find(picture: np.ndarray) -> Window | None:
    windows = find_faces(picture)
    return look_closer(picture, windows[0]) if windows else None


def _columns(path: Path, header: list[str]) -> Sequence[str]:
    named = (*_NEEDED, *_OPTIONAL)
    hint = f"the columns are {', '.join(named)} and AU1 …, with commas or semicolons between"
    columns = [name.strip() for name in header]
    return check_columns(path, columns, _NEEDED, lambda name: name in named or _UNIT.fullmatch(name), hint)


def _picture(folder: Path, line: Row) -> Path:
    """Return the file of the picture of ``line``, by its name on the disk."""
    name = line.text("path")
    if not name or "\0" in name:
        raise DataError(f"{line.place}: no path of a picture")
    picture = require_file(named_file(folder, name), folder, line.place)
    return folder / picture.resolve().relative_to(folder.resolve())


def _face_row(folder: Path, line: Row, path: Path, size: int) -> FaceRow:
    for column in ("subject", "sequence"):
        if len(line.text(column)) > _LONGEST:
            raise DataError(f"{line.place}: {column} has more than {_LONGEST} characters")
    subject, sequence = (person_name(line.text(column)) for column in ("subject", "sequence"))
    frame = line.whole("frame", absent=("",), form="a whole number, 0 or more") or 0
    labels = {"frame": frame, "emotion": line.choice("emotion", _EMOTIONS)}
    if "split" in line.cells:
        labels["split"] = line.choice("split", {split: split for split in SPLITS})
        labels["split_rule"] = f"as {CSV} says"
    labels |= {unit: _intensity(line, unit) for unit in line.cells if _UNIT.fullmatch(unit)}
    cropped = line.choice("cropped", {"yes": "yes", "no": "", "": ""}, ("yes", "no")) == "yes"
    return FaceRow(
        Frame(line.place, lambda: whole(read_photo(path), size) if cropped else read_photo(path)),
        f"{folder.name}-{subject}" if subject else "",
        sequence or line.text("path"),
        labels,
        cropped=cropped,
    )


def _intensity(line: Row, unit: str) -> float:
    text = line.text(unit)
    if not text:
        return float("nan")
    if re.fullmatch(r"(\d\.?\d{0,20}|\.\d{1,20})(e[+-]?\d{1,3})?", text, re.ASCII | re.IGNORECASE):
        intensity = float(text)
        if intensity <= 1:
            return intensity
    raise line.fault(unit, "expected an intensity from 0 to 1, or nothing")


def require_own_folder(folder: Path) -> None:
    """Raise DataError if ``folder`` exists, ParameterError if no set can have its name."""
    if folder.exists() or folder.is_symlink():
        raise DataError(f"{folder}: exists already; name another folder, or move it away")
    if folder.name != "own" and not may_be_own(folder.name):
        raise ParameterError(
            f"{folder}: no set can be called {folder.name!r}; its name has small letters, digits and _, and "
            "is no other set's"
        )


def save_own(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` by ``write_own`` to the new ``folder``: completely, or not at all. Raises DataError if
    it cannot be written.
    """
    require_own_folder(folder)
    try:
        with whole_folder(folder) as partial:
            write_own(faces, partial)
    except OSError as fault:
        raise DataError(
            f"{folder}: the faces could not be written ({fault}); free disk space or choose another folder"
        ) from fault


def write_own(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``faces.csv`` and png pictures ``pictures/0000000.png`` …,
    which are crops.

    Subjects, sequences, frames, splits and action units are written, those of halves of the face are not.
    """
    units = [*filter(_UNIT.fullmatch, faces.aus)]
    table = faces.table[[*_NEEDED[1:], *_OPTIONAL[:-1], *units]].assign(cropped="yes")
    table["subject"] = table["subject"].str.removeprefix(f"{faces.name}-")
    table.insert(0, "path", [f"pictures/{row:07d}.png" for row in range(len(faces))])
    table.to_csv(folder / CSV, index=False)
    for path, row in zip(table["path"], range(len(faces)), strict=True):
        write_picture(folder / path, faces.gather(np.array([row]))[0])


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 (H, W) ``pixels`` to ``path``, and make its folder. JPEG at quality 100: values change by 1
    or 2.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, path.suffix))


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """Return the content of a picture file with the ending ``suffix`` that shows uint8 (H, W) ``pixels``.

    In memory first: on a full disk Pillow leaves an incomplete file without an error.
    """
    file = io.BytesIO()
    options = {"quality": 100} if suffix in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(file, Image.registered_extensions()[suffix], **options)
    return file.getvalue()
