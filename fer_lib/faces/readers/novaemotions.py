"""NovaEmotions (Mourão & Magalhães, 2013): pictures of people who play a game by making faces, labelled by a
crowd.

Unverified throughout: the official layout is not known here, only that there are some 42,900 pictures of 40
people, several workers' labels for each. Two forms are read, to which a copy is easily brought.
``novaemotions.csv`` with the header ``path,subject,`` and one column of votes per emotion (``anger`` or
``angry`` …, in any order), if wanted with a column ``emotion``; paths are relative to the csv. Or one folder
of pictures per emotion (``anger/*.png`` …), which says neither who is shown nor how the votes fell.

In the csv form the emotion is the column ``emotion``, or else the one with the most votes; pictures on which
two or more share the first place are left out and counted.
"""

from functools import partial
from pathlib import Path

from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.readers.fer2013 import parse_count
from fer_lib.faces.readers.pictures import SUFFIXES, list_inside, named_file, pictures_below, require_inside
from fer_lib.faces.readers.sequences import FaceRow, gather_rows, picture_file
from fer_lib.faces.readers.tables import SPELLINGS, person_name, read_rows
from ferbook.errors import DataError

_CSV = "novaemotions.csv"
_ABOUT = ("path", "subject", "emotion")

PUBLISHED: dict[str, int] = {}
"""No count is certain enough to compare a copy with."""

_TIED = "pictures without a vote, or on which two or more emotions have the most"
_UNLISTED = "pictures that novaemotions.csv does not list"


def read_novaemotions(folder: Path, size: int) -> FaceSet:
    """NovaEmotions from ``folder``: pixels (N, ``size``, ``size``), emotions, and from a csv people and
    votes.

    ``subject`` is ``novaemotions-`` and the csv's name, empty where it gives none; ``sequence`` the picture's
    path, ``frame`` 0; ``vote_<emotion>`` the votes. Splits are by subject; a picture of nobody known counts
    as a person of its own. Pictures of another size than ``size`` are framed by a face detector. ``left_out``
    counts ties, pictures that the csv does not list, and those without a face. Raises DataError, naming file
    and line, for whatever else is wrong.
    """
    path = folder / _CSV
    if path.exists() or path.is_symlink():
        faces, left_out = _read_csv(require_inside(path, folder), folder)
    else:
        faces, left_out = _list_folders(folder), {}
    return gather_rows("novaemotions", faces, size, "picture", left_out)


def _read_csv(path: Path, folder: Path) -> tuple[list[FaceRow], dict[str, int]]:
    rows = read_rows(path, partial(_columns, path))
    votes = {SPELLINGS[name]: name for name in rows[0].cells if name not in _ABOUT}
    pictures = pictures_below(folder, folder)
    places: dict[Path, str] = {}
    faces: list[FaceRow] = []
    for place, row in ((row.place, row.cells) for row in rows):
        picture = require_inside(named_file(folder, row["path"]), folder)
        if picture not in pictures:
            raise DataError(f"{place}: no picture {row['path']!r} in {folder}")
        if places.setdefault(picture, place) != place:
            line = places[picture].rpartition(", ")[2]
            raise DataError(f"{place}: {row['path']!r} stands in {line} already; expected each once")
        counts = {f"vote_{e}": parse_count(votes[e], row[votes[e]], place) for e in EMOTIONS if e in votes}
        subject = f"novaemotions-{person_name(row['subject'])}" if row["subject"] else ""
        emotion = _emotion(place, row, counts)
        if emotion:
            faces.append(_face(folder, picture.relative_to(folder).as_posix(), emotion, subject, **counts))
    if not faces:
        raise DataError(f"{path}: on none of its {len(rows)} pictures one emotion has the most votes")
    return faces, {_TIED: len(rows) - len(faces), _UNLISTED: len(pictures - places.keys())}


def _face(folder: Path, path: str, emotion: str, subject: str = "", **votes: int) -> FaceRow:
    return FaceRow(picture_file(folder / path), subject, path, {"frame": 0, "emotion": emotion} | votes)


def _columns(path: Path, header: list[str]) -> list[str]:
    """The columns of the csv, in lower case."""
    names = [name.strip().lower() for name in header]
    advice = f"expected the header path,subject and one column per emotion ({', '.join(EMOTIONS)})"
    for name in ("path", "subject"):
        if name not in names:
            raise DataError(f"{path}, line 1: column {name!r} is missing; {advice}")
    votes = [name for name in names if name not in _ABOUT]
    if unknown := [name for name in votes if name not in SPELLINGS]:
        raise DataError(f"{path}, line 1: column {unknown[0]!r} is no emotion; {advice}")
    if not votes or len({SPELLINGS.get(name, name) for name in names}) < len(names):
        raise DataError(f"{path}, line 1: no emotion, or one column twice; {advice}")
    return names


def _emotion(place: str, row: dict[str, str], counts: dict[str, int]) -> str:
    """The row's own emotion, or the one with the most votes; empty where several have, or none has any."""
    if row.get("emotion"):
        if row["emotion"].lower() not in SPELLINGS:
            raise DataError(
                f"{place}: emotion {row['emotion'][:20]!r}; expected one of {', '.join(EMOTIONS)}"
            )
        return SPELLINGS[row["emotion"].lower()]
    if not any(counts.values()):
        return ""
    best = [column for column, votes in counts.items() if votes == max(counts.values())]
    return best[0].removeprefix("vote_") if len(best) == 1 else ""


def _list_folders(folder: Path) -> list[FaceRow]:
    faces: list[FaceRow] = []
    for place in list_inside(folder, folder):
        if not place.is_dir():
            continue
        emotion = SPELLINGS.get(place.name.lower())
        if emotion is None:
            raise DataError(f"{place}: not named after an emotion; expected {', '.join(EMOTIONS)}")
        faces += [
            _face(folder, path.relative_to(folder).as_posix(), emotion)
            for path in list_inside(place, folder, SUFFIXES)
        ]
    if not faces:
        raise DataError(
            f"{folder / _CSV}: not found, and no folders of pictures named after emotions either; put one of "
            "both there"
        )
    return faces
