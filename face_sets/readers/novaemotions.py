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

from collections import Counter
from functools import partial
from pathlib import Path

from face_sets.faceset import EMOTIONS, FaceSet
from face_sets.readers.pictures import SUFFIXES, list_inside, named_file, pictures_below, require_inside
from face_sets.readers.sequences import FaceRow, Search, gather_rows, picture_file
from face_sets.readers.tables import SPELLINGS, check_columns, emotion_folders, person_name, read_rows
from ferbook.errors import DataError

NOVA_CSV = "novaemotions.csv"
_ABOUT = ("path", "subject", "emotion")
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
    path, left_out = folder / NOVA_CSV, Counter()
    there = path.exists() or path.is_symlink()
    rows = _listed(require_inside(path, folder), folder, left_out) if there else _by_emotion(folder)
    return gather_rows("novaemotions", rows, size, Search(clips=False), left_out)


def _listed(path: Path, folder: Path, left_out: Counter[str]) -> list[FaceRow]:
    """The rows of the csv on whose emotion the votes, or a column of it, decide."""
    rows = read_rows(path, partial(_columns, path))
    votes = {SPELLINGS[name]: name for name in rows[0].cells if name not in _ABOUT}
    pictures, places = pictures_below(folder, folder), {}
    faces: list[FaceRow] = []
    for row in rows:
        picture = require_inside(named_file(folder, row.text("path")), folder)
        if picture not in pictures:
            raise DataError(f"{row.place}: no picture {row.text('path')!r} in {folder}")
        if picture in places:
            line = places[picture].rpartition(", ")[2]
            raise DataError(f"{row.place}: {row.text('path')!r} stands in {line} already; expected each once")
        places[picture] = row.place
        counts = {emotion: row.whole(votes[emotion]) for emotion in EMOTIONS if emotion in votes}
        emotion = row.choice("emotion", {"": "", **SPELLINGS}, EMOTIONS)
        best = [each for each, count in counts.items() if count == max(counts.values()) > 0]
        if emotion or len(best) == 1:
            subject = row.text("subject") and f"novaemotions-{person_name(row.text('subject'))}"
            shown = {f"vote_{each}": count for each, count in counts.items()}
            faces.append(_face(folder, picture, emotion or best[0], subject, **shown))
    left_out.update({_TIED: len(rows) - len(faces), _UNLISTED: len(pictures - places.keys())})
    return faces


def _face(folder: Path, picture: Path, emotion: str, subject: str = "", **votes: int) -> FaceRow:
    labels = {"frame": 0, "emotion": emotion, **votes}
    return FaceRow(picture_file(picture), subject, picture.relative_to(folder).as_posix(), labels)


def _columns(path: Path, header: list[str]) -> list[str]:
    """The columns of the csv, in lower case."""
    names = [name.strip().lower() for name in header]
    hint = f"expected the header path,subject and one column per emotion ({', '.join(EMOTIONS)})"
    check_columns(path, names, _ABOUT[:2], {*_ABOUT, *SPELLINGS}.__contains__, hint)
    meant = [SPELLINGS[name] for name in names if name not in _ABOUT]
    if not meant or len(set(meant)) < len(meant):
        raise DataError(f"{path}, line 1: no emotion, or one twice; {hint}")
    return names


def _by_emotion(folder: Path) -> list[FaceRow]:
    rows: list[FaceRow] = []
    inner = filter(Path.is_dir, list_inside(folder, folder))
    for emotion, place in emotion_folders(inner, SPELLINGS, ", ".join(EMOTIONS)).items():
        rows += [_face(folder, picture, emotion) for picture in list_inside(place, folder, SUFFIXES)]
    if not rows:
        raise DataError(
            f"{folder / NOVA_CSV}: not found, and no folders of pictures named after emotions either; put "
            "one of both there"
        )
    return rows
