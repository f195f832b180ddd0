"""One's own pictures: a table ``faces.csv`` and the pictures that it lists, in a folder named as one likes.

``path``, ``subject`` and ``emotion`` are its columns, and as many of the others as there is something to say
in: ``sequence`` and ``frame`` for pictures that follow each other, ``split`` (train, valid, test; each person
in one), ``cropped`` (yes: the picture is the crop of a face already, and is taken whole), and ``AU1``,
``AU2`` …, the intensity from 0 to 1 of an action unit, empty where it was not coded. Paths are relative to
the table.

A face is looked for in each picture as ``ferbook predict`` looks for it, in a sequence in the first picture
that shows one: a window found anew in each would tremble, and pass for motion.
"""

import io
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_lib.faces.faceset import LABELS, SPLITS, UNLABELLED, FaceSet
from fer_lib.faces.photo import find_faces, look_closer, read_photo
from fer_lib.faces.readers.pictures import (
    Window,
    cut_out,
    gather_pictures,
    named_file,
    pictures_below,
    require_file,
    whole,
)
from fer_lib.faces.readers.tables import SPELLINGS, person_name, read_rows
from fer_lib.faces.sources import may_be_own
from fer_lib.faces.splits import split_people
from ferbook.errors import DataError, ParameterError
from ferbook.files import whole_folder

CSV = "faces.csv"
PUBLISHED: dict[str, int] = {}
"""Nobody has counted them but their owner."""

_NEEDED = ("path", "subject", "emotion")
_OPTIONAL = ("sequence", "frame", "split", "cropped")
_UNIT = re.compile(r"AU[1-9]\d?")
_LONGEST = 200
_CROPPED = {"yes": True, "no": False, "": False}
_UNLISTED = f"pictures that {CSV} does not list"


@dataclass(frozen=True)
class _Line:
    place: str
    path: Path
    cropped: bool
    row: Mapping[str, object]

    @property
    def clip(self) -> tuple[object, object]:
        return self.row["subject"], self.row["sequence"]


def read_own(folder: Path, size: int) -> FaceSet:
    """The pictures of ``folder`` that its ``faces.csv`` lists: pixels (N, ``size``, ``size``), grey, in its
    order.

    The set's name is the folder's, and ``subject`` begins with it; ``sequence`` is the path where the table
    has none. Without a column ``split`` people are divided, three fifths to train on. ``left_out`` counts and
    names pictures without a face, and counts those that the table does not list. Raises DataError, naming
    file and line, for whatever else is wrong.
    """
    lines, splits = _read_table(folder)
    unlisted = len(pictures_below(folder, folder) - {line.path for line in lines})
    clips: dict[tuple[object, object], list[_Line]] = {}
    for line in lines:
        clips.setdefault(line.clip, []).append(line)
    with ThreadPoolExecutor() as threads:
        frames = dict(zip(clips, threads.map(_clip_frame, clips.values()), strict=True))

    def load(number: int) -> np.ndarray | None:
        line = lines[number]
        picture = read_photo(line.path)
        if line.cropped:
            return whole(picture, size)
        frame = frames[line.clip]
        if frame is None:
            return None
        window, shape = frame
        if picture.shape != shape:
            raise DataError(
                f"{line.place}: {picture.shape[1]} × {picture.shape[0]} pixels, but others of its sequence "
                f"are {shape[1]} × {shape[0]}"
            )
        return cut_out(picture, window, size)

    pixels, has_face = gather_pictures(len(lines), size, load)
    faceless = [
        line.path.relative_to(folder).as_posix()
        for line, face in zip(lines, has_face, strict=True)
        if not face
    ]
    if not has_face.any():
        raise DataError(
            f"{folder / CSV}: no face was found in any of its {len(lines)} pictures; where they are crops of "
            "faces already, say yes in a column cropped"
        )
    names = ", ".join(faceless[:3]) + (" …" if len(faceless) > 3 else "")
    left_out = {f"pictures in which no face was found ({names})": len(faceless), _UNLISTED: unlisted}
    table = pd.DataFrame([line.row for line in lines])[has_face].reset_index(drop=True)
    if not splits:
        # A sequence of nobody known shows one person.
        people = table["subject"].where(table["subject"].ne(""), "\0" + table["sequence"])
        table["split"] = split_people(people.to_numpy(), table["emotion"].to_numpy())
        table["split_rule"] = "people, divided by the suite"
    left_out = {reason: count for reason, count in left_out.items() if count}
    return FaceSet(folder.name, pixels, table, left_out=left_out)


def _clip_frame(lines: list[_Line]) -> tuple[Window, tuple[int, ...]] | None:
    """The window of the first face in the pictures of a sequence, and their shape; None where none has a
    face, and where they are crops.
    """
    for line in lines:
        picture = read_photo(line.path)
        if windows := [] if line.cropped else find_faces(picture):
            return look_closer(picture, windows[0]), picture.shape
    return None


def _read_table(folder: Path) -> tuple[list[_Line], bool]:
    """The lines of ``faces.csv``, and whether it divides the pictures itself."""
    path = require_file(folder / CSV, folder)
    rows = read_rows(path, partial(_columns, path))
    places: dict[object, str] = {}
    sides: dict[object, tuple[str, object]] = {}
    lines = []
    for place, cells in ((row.place, row.cells) for row in rows):
        line = _line(folder, place, cells)
        for key, what in (
            (line.path, "picture"),
            ((*line.clip, line.row["frame"]), f"picture of frame {line.row['frame']} of its sequence"),
        ):
            if key in places:
                raise DataError(f"{place}: a second {what}, after {places[key]}; expected each once")
            places[key] = place.rpartition(", ")[2]
        if split := line.row.get("split"):
            person = line.row["subject"] or line.clip
            before, other = sides.setdefault(person, (places[line.path], split))
            if split != other:
                raise DataError(
                    f"{place}: split {split}, but the same person is in {other} ({before}); nobody may be "
                    "learned from and tested on. Without a column split people are divided"
                )
        lines.append(line)
    return lines, "split" in rows[0].cells


def _columns(path: Path, header: list[str]) -> list[str]:
    columns = [name.strip() for name in header]
    hint = f"the columns are {', '.join((*_NEEDED, *_OPTIONAL))} and AU1 …, with commas between"
    for name in _NEEDED:
        if name not in columns:
            raise DataError(f"{path}, line 1: no column {name!r} in {','.join(columns)[:120]!r}; {hint}")
    for name in columns:
        if name not in (*_NEEDED, *_OPTIONAL) and not _UNIT.fullmatch(name):
            raise DataError(f"{path}, line 1: column {name[:40]!r} is not known; {hint}")
        if columns.count(name) > 1:
            raise DataError(f"{path}, line 1: two columns {name}; keep one")
    return columns


def _line(folder: Path, place: str, fields: Mapping[str, str]) -> _Line:
    def choice(column: str, choices: Mapping[str, object], otherwise: str) -> object:
        entry = fields.get(column, otherwise).lower()
        if entry not in choices:
            raise DataError(
                f"{place}: {column} {entry[:20]!r}; expected one of {', '.join(filter(None, choices))}"
            )
        return choices[entry]

    name, subject = folder.name, person_name(fields["subject"])
    for column in ("subject", "sequence"):
        if len(fields.get(column, "")) > _LONGEST:
            raise DataError(f"{place}: {column} has more than {_LONGEST} characters")
    if not fields["path"] or "\0" in fields["path"]:
        raise DataError(f"{place}: no path of a picture")
    picture = (
        require_file(named_file(folder, fields["path"]), folder, place)
        .resolve()
        .relative_to(folder.resolve())
    )
    emotions = {label: label for label in (*LABELS, UNLABELLED)} | SPELLINGS
    frame = fields.get("frame") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", frame):
        raise DataError(f"{place}: frame {frame[:20]!r}; expected a whole number, 0 or more")
    row = {
        "dataset": name,
        "subject": f"{name}-{subject}" if subject else "",
        "sequence": person_name(fields.get("sequence", "")) or fields["path"],
        "frame": int(frame),
        "emotion": choice("emotion", emotions, UNLABELLED),
    }
    if "split" in fields:
        row["split"] = choice("split", {split: split for split in SPLITS}, "")
        row["split_rule"] = f"as {CSV} says"
    row |= {unit: _intensity(place, unit, text) for unit, text in fields.items() if _UNIT.fullmatch(unit)}
    return _Line(place, folder / picture, choice("cropped", _CROPPED, ""), row)


def _intensity(place: str, unit: str, text: str) -> float:
    if not text:
        return float("nan")
    if re.fullmatch(r"(\d\.?\d{0,20}|\.\d{1,20})(e[+-]?\d{1,3})?", text, re.ASCII | re.IGNORECASE):
        intensity = float(text)
        if intensity <= 1:
            return intensity
    raise DataError(f"{place}: {unit} {text[:20]!r}; expected an intensity from 0 to 1, or nothing")


def require_own_folder(folder: Path) -> None:
    """Raise DataError where ``folder`` exists, ParameterError where no set can be called so."""
    if folder.exists() or folder.is_symlink():
        raise DataError(f"{folder}: exists already; name another folder, or move it away")
    if folder.name != "own" and not may_be_own(folder.name):
        raise ParameterError(
            f"{folder}: no set can be called {folder.name!r}; its name has small letters, digits and _, and "
            "is no other set's"
        )


def save_own(faces: FaceSet, folder: Path) -> None:
    """``write_own`` to the new ``folder``: whole, or not at all. Raises DataError where that cannot be."""
    require_own_folder(folder)
    try:
        with whole_folder(folder) as partial:
            write_own(faces, partial)
    except OSError as fault:
        raise DataError(
            f"{folder}: the faces could not be written ({fault}); make room or choose another folder"
        ) from fault


def write_own(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``faces.csv`` and png pictures ``pictures/0000000.png`` …,
    which are crops.

    Subjects, sequences, frames, splits and action units are kept, those of halves of the face are not.
    """
    units = [*filter(_UNIT.fullmatch, faces.aus)]
    table = faces.table[[*_NEEDED[1:], *_OPTIONAL[:-1], *units]].assign(cropped="yes")
    table["subject"] = table["subject"].str.removeprefix(f"{faces.name}-")
    table.insert(0, "path", [f"pictures/{row:07d}.png" for row in range(len(faces))])
    table.to_csv(folder / CSV, index=False)
    for path, row in zip(table["path"], range(len(faces)), strict=True):
        write_picture(folder / path, faces.gather(np.array([row]))[0])


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 (H, W) ``pixels`` to ``path``, whose folder is made. JPEG at quality 100: values change by
    1 or 2.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, path.suffix))


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """The content of a picture file with the ending ``suffix`` that shows uint8 (H, W) ``pixels``.

    In memory first: on a full disk Pillow leaves a file that is cut short, and says nothing.
    """
    file = io.BytesIO()
    options = {"quality": 100} if suffix in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(file, Image.registered_extensions()[suffix], **options)
    return file.getvalue()
