"""FER2013 (Goodfellow et al., 2013), and FER+ (Barsoum et al., 2016): its pictures under the labels of ten
crowd voters.

**FER2013** in two layouts. ``fer2013.csv`` is the official one: header ``emotion,pixels,Usage``, one row per
picture, 48 × 48 grey values separated by spaces. ``fer2013new.csv`` beside it holds the FER+ votes; its row i
belongs to row i of ``fer2013.csv``. The image-folder form that circulates instead, ``train/<emotion>/*`` and
``test/<emotion>/*`` with png or jpg pictures, has lost the public/private split: it is regained where every
test picture is named ``PublicTest_*`` or ``PrivateTest_*``, and otherwise ``test`` stays whole and a
validation split is taken from ``train``. The table's column ``split_rule`` says which of these was done, and
where a set is smaller or larger than the release.

**FER+** in two layouts: both csv files; and what Microsoft's ``generate_training_data.py`` makes of them,
the folders ``FER2013Train``, ``FER2013Valid`` and ``FER2013Test`` (there, or in ``data/``), each with png
pictures and a ``label.csv`` without header: name, ten votes in the order of the csv. An edition with a box
such as ``"(0, 0, 48, 48)"`` after the name circulates and is read too; the box is always the whole picture.
Four names stand in the released csv twice, with different pictures: in the folders the later has overwritten
the earlier, whose line is left out and counted.

FER+'s label is that of the official majority rule (``_process_data``, mode ``majority``, in
``src/ferplus.py`` of github.com/microsoft/FERPlus): votes that stand alone in their class are dropped, and
the class with more than half of what remains wins. Left out and counted are the pictures that FER+ gives no
name (no face was found), those where nothing wins, and those where "unknown" or NF ("not a face") wins. The
votes are kept as columns, so that the paper's other modes (probability, cross-entropy) can be had from them.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from face_sets.faceset import EMOTIONS, SIX, FaceSet
from face_sets.readers.pictures import list_inside, read_grey, require_inside
from face_sets.readers.sequences import FaceRow, Search, gather_rows, picture_file, whole_picture
from face_sets.readers.tables import SPELLINGS, Row, emotion_folders, read_rows, require_header
from ferbook.errors import DataError
from ferbook.files import open_regular

SIDE = 48
PIXELS = SIDE * SIDE
CODES = (*SIX, "neutral")
"""FER2013's label codes 0 to 6 under the names of ``EMOTIONS``; contempt does not occur."""

HEADER = "emotion,pixels,Usage"
KAGGLE = "icml_face_data.csv"
"""The same rows as Kaggle's page has them today: the columns in another order, with blanks in the header."""

_KAGGLE_HEADER = "emotion, Usage, pixels"
USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
RELEASED = 35_887
"""Rows of the released set: 28,709 Training, 3,589 PublicTest, 3,589 PrivateTest."""

VALID_FRACTION = 1 / 8
"""Share of ``train`` taken for validation in the image-folder form: 3,589 of 28,709 in the official split."""

_FOLDER_NAMES = {str(code): emotion for code, emotion in enumerate(CODES)} | {
    name: emotion for name, emotion in SPELLINGS.items() if emotion in CODES
}
_SUFFIXES = (".png", ".jpg", ".jpeg")
_LONGEST_LINE = 1 << 22
_GREY = r"(?:[01]\d\d|2[0-4]\d|25[0-5]|\d\d?)"
"""A grey value as it may be written."""

_PICTURE = re.compile(rf"{_GREY}(?: {_GREY}){{{PIXELS - 1}}}", re.ASCII)

_WHOLE = Search(clips=False)


def read_fer2013(folder: Path, size: int = SIDE) -> FaceSet:
    """FER2013 from ``folder``: pixels (N, ``size``, ``size``), emotions, official splits, FER+ votes if they
    are there.

    ``Training`` becomes ``train``, ``PublicTest`` ``valid``, ``PrivateTest`` ``test``; ``subject`` is
    empty, since FER2013 does not say who is shown; ``sequence`` is the 0-based row number (csv) or
    the picture's path. Pictures of 48 × 48 are resampled to another ``size``. With ``fer2013new.csv``,
    ``vote_<emotion>``, ``vote_unknown`` and ``vote_nf`` hold the counts of the ten voters. Exact copies are
    kept: see ``face_sets.leakage``.

    Raises DataError, naming file and line, for anything absent, damaged or out of range; nothing is
    loaded in part.
    """
    csv, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    if os.path.lexists(csv):
        rows = _csv_rows(require_inside(csv, folder))
        if os.path.lexists(votes):
            rows = [
                _labelled(row, **counts)
                for row, _, counts in _with_votes(require_inside(votes, folder), rows)
            ]
    elif not (folder / "train").is_dir() and not (folder / "test").is_dir():
        raise DataError(
            f"{csv}: not found, and no image folders train/ and test/ either. Put the official "
            "fer2013.csv there, or set FER_DATA to the folder that holds fer2013/"
        )
    elif votes.exists():
        raise DataError(
            f"{votes}: the FER+ votes follow the rows of fer2013.csv and cannot be joined to an image "
            "folder. Add fer2013.csv, or move this file away"
        )
    else:
        rows = _folder_rows(folder)
    return gather_rows("fer2013", rows, size, _WHOLE, {})


def read_ferplus(folder: Path, size: int = SIDE) -> FaceSet:
    """FER+ from ``folder``: pixels (N, ``size``, ``size``), majority labels, official splits, votes.

    ``image`` is the picture's name in FER+ (``fer0000000.png``), not always its alone; ``sequence`` the
    0-based row number (csv) or that name (folders); ``subject`` is empty. ``vote_<emotion>``,
    ``vote_unknown`` and ``vote_nf`` hold the counts of the voters; from the csv files, ``fer2013_emotion``
    the label of FER2013. ``left_out`` counts what the majority rule leaves out. Raises DataError, naming file
    and line, for anything absent, damaged or out of range; nothing is loaded in part.
    """
    csv, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    present = [path for path in (csv, votes) if os.path.lexists(path)]
    left_out: Counter[str] = Counter()
    if len(present) == 2:
        faces = _csv_rows(require_inside(csv, folder))
        rows = []
        for row, image, counts in _with_votes(require_inside(votes, folder), faces):
            labels = {"frame": 0, "fer2013_emotion": row.labels["emotion"], "split": row.labels["split"]}
            rows.append(replace(row, labels={**labels, **counts, "image": image}))
    elif present:
        absent = votes if present == [csv] else csv
        raise DataError(f"{absent}: not found; FER+ needs both fer2013.csv and fer2013new.csv")
    else:
        rows = _ferplus_folders(folder, left_out)
    columns = [f"vote_{column.lower()}" for column in VOTE_COLUMNS]
    winners = majority(np.array([[row.labels[column] for column in columns] for row in rows]))
    decided = []
    for row, winner in zip(rows, winners, strict=True):
        outcome = _OUTCOMES[winner] if row.labels["image"] else _UNNAMED
        if outcome in EMOTIONS:
            decided.append(_labelled(row, emotion=outcome))
        else:
            left_out[outcome] += 1
    return gather_rows("ferplus", decided, size, _WHOLE, left_out)


def _labelled(row: FaceRow, **labels: object) -> FaceRow:
    return replace(row, labels={**row.labels, **labels})


def fer2013_csv(folder: Path) -> Path:
    """``fer2013.csv`` in ``folder``, or where only that is there Kaggle's own form of it."""
    official, other = folder / "fer2013.csv", folder / KAGGLE
    return other if not os.path.lexists(official) and other.exists() else official


def _csv_rows(csv: Path) -> list[FaceRow]:
    """The rows of ``fer2013.csv``. Raises DataError, naming file and line."""
    try:
        with open_regular(csv) as file:
            header = file.readline(_LONGEST_LINE).decode("utf-8-sig", errors="replace").rstrip("\r\n")
            turned = header == _KAGGLE_HEADER
            if not turned:
                require_header(csv, header, HEADER)
            lines = enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), start=2)
            parsed = [_parsed(line, turned, f"{csv}, line {number}") for number, line in lines]
    except OSError as fault:
        raise DataError(f"{csv}: cannot be read ({fault.strerror})") from fault
    if not parsed:
        raise DataError(f"{csv}, line 2: no pictures after the header; expected {RELEASED:,} rows")
    for usage in USAGE:
        if usage not in {usage for _, _, usage in parsed}:
            raise DataError(f"{csv}: no row with Usage {usage}; the file is not the whole of FER2013")
    rule = _split_rule("official Usage", len(parsed))
    return [
        whole_picture(picture, str(csv), f"{k:05d}", emotion=emotion, split=USAGE[usage], split_rule=rule)
        for k, (picture, emotion, usage) in enumerate(parsed)
    ]


def _parsed(line: bytes, turned: bool, place: str) -> tuple[np.ndarray, str, str]:
    """Picture, emotion and Usage of one line; DataError that begins with ``place`` and says what is wrong."""
    fields = line.decode("utf-8", errors="replace").rstrip("\r\n").split(",")
    if len(line) == _LONGEST_LINE:
        raise DataError(f"{place}: longer than {_LONGEST_LINE} bytes; not a FER2013 csv")
    if len(fields) != 3:
        raise DataError(
            f"{place}: {len(fields)} field(s) instead of 3 ({HEADER}); the line is cut short or damaged"
        )
    label, pixels, usage = (fields[0], fields[2], fields[1].strip()) if turned else fields
    if label not in tuple("0123456"):
        raise DataError(f"{place}: emotion {label[:20]!r}; expected 0 to 6 ({', '.join(CODES)})")
    if not _PICTURE.fullmatch(pixels):
        values = pixels.split(" ")
        for at, value in enumerate(values, start=1):
            if not re.fullmatch(_GREY, value, re.ASCII):
                raise DataError(
                    f"{place}: pixel {at} is {value[:20]!r}; expected a whole number from 0 to 255, one "
                    "space apart"
                )
        raise DataError(f"{place}: {len(values)} pixel values; expected {PIXELS} ({SIDE} × {SIDE})")
    if usage not in USAGE:
        raise DataError(f"{place}: Usage {usage[:20]!r}; expected {', '.join(USAGE)}")
    return np.fromstring(pixels, np.uint8, sep=" ").reshape(SIDE, SIDE), CODES[int(label)], usage


def _split_rule(rule: str, count: int) -> str:
    # Not an error: exports and excerpts use the layout too. But no table of results may pass for FER2013's.
    return rule if count == RELEASED else f"{rule}; {count:,} pictures where the release has {RELEASED:,}"


def _folder_rows(folder: Path) -> list[FaceRow]:
    found = [(part, *entry) for part in ("train", "test") for entry in _list_pictures(folder, part)]
    with ThreadPoolExecutor() as threads:
        pictures = list(threads.map(_read_picture, (path for _, _, path in found)))
    split = np.array([part for part, _, _ in found], dtype=object)
    prefixes = [path.name.partition("_")[0] for part, _, path in found if part == "test"]
    if {"PublicTest", "PrivateTest"} == set(prefixes):
        split[split == "test"] = [USAGE[prefix] for prefix in prefixes]
        rule = "file name prefix"
    else:
        split[_validation_rows(pictures, [emotion for _, emotion, _ in found], split == "train")] = "valid"
        rule = f"valid taken from train (1 in {round(1 / VALID_FRACTION)}), test whole"
    rule = _split_rule(rule, len(found))
    return [
        whole_picture(
            *(picture, str(path), path.relative_to(folder).as_posix()),
            **{"emotion": emotion, "split": part, "split_rule": rule},
        )
        for picture, (_, emotion, path), part in zip(pictures, found, split, strict=True)
    ]


def _list_pictures(folder: Path, part: str) -> list[tuple[str, Path]]:
    """(emotion, path) of every picture of ``train`` or ``test``, sorted by path."""
    top = folder / part
    if (top / part).is_dir():  # unpacking often doubles the folder: train/train/angry
        top = top / part
    if not top.is_dir():
        raise DataError(f"{top}: no such folder; the image-folder form of FER2013 has train/ and test/")
    named = "angry, disgust, fear, happy, sad, surprise, neutral (or 0 to 6)"
    places = emotion_folders(list_inside(top, folder), _FOLDER_NAMES, named)
    folders = {emotion: list_inside(entry, folder) for emotion, entry in places.items()}
    for picture in chain(*folders.values()):
        if picture.suffix.lower() not in _SUFFIXES:
            raise DataError(f"{picture}: not a picture; expected {', '.join(_SUFFIXES)} files only")
    for emotion in CODES:
        if not folders.get(emotion):
            raise DataError(f"{top}: no pictures of {emotion}; all seven emotion folders must be there")
    return sorted(((e, p) for e, paths in folders.items() for p in paths), key=lambda item: item[1])


def _read_picture(path: Path) -> np.ndarray:
    picture = read_grey(path)
    if picture.shape != (SIDE, SIDE):
        height, width = picture.shape
        raise DataError(f"{path}: {width} × {height} pixels; expected {SIDE} × {SIDE}, as released")
    return picture


def _validation_rows(
    pictures: Sequence[np.ndarray], emotions: Sequence[str], train: np.ndarray
) -> np.ndarray:
    """bool (N,): which of the ``train`` pictures become ``valid``: the same for the same pictures, whatever
    their names.

    In each emotion the groups of equal pictures are ordered by the SHA-256 of their pixels and
    taken from the top until the share is reached, so copies never fall on both sides.
    """
    digests = [hashlib.sha256(picture).hexdigest() for picture in pictures]
    table = pd.DataFrame({"digest": digests, "emotion": emotions})
    groups = table[train].groupby("digest")["emotion"].agg(["min", "size"]).reset_index()
    groups = groups.sort_values(["min", "digest"])
    sizes = groups.groupby("min")["size"]
    before, share = sizes.cumsum() - groups["size"], sizes.transform("sum") * VALID_FRACTION
    return train & table["digest"].isin(groups["digest"][before < share]).to_numpy()


VOTE_COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What could be voted for, in the order of the files; NF is "not a face"."""

FERPLUS_HEADER = ",".join(("Usage", "Image name", *VOTE_COLUMNS))
_UNNAMED = "pictures without a name in FER+ (no face was found)"
_OUTCOMES = (
    *VOTE_COLUMNS[: len(EMOTIONS)],
    "pictures that most voters call unknown",
    "pictures that most voters call not a face (NF)",
    "pictures on which no class has more than half of the votes",
)
"""Of each class of ``VOTE_COLUMNS`` that wins, and, at the end, where none does."""

_OVERWRITTEN = "lines of label.csv whose picture a later one of the same name has overwritten"
_UNLISTED = "pictures that label.csv does not list"
_FERPLUS_FOLDERS = {"FER2013Train": "train", "FER2013Valid": "valid", "FER2013Test": "test"}
_BOX = re.compile(r"\(\s*\d+(\s*,\s*\d+){3}\s*\)")

HUNDRED, FLOOR_OF_HUNDRED = 100, 0.42
"""The least share of a hundred pictures, one after the other, with a majority in which it is FER2013's label:
53 % or more in the released pair, 18 % where rows were shuffled, at most 32 % where the rows are those of the
neighbours, since one was taken out and another put in further on.
"""


def _with_votes(path: Path, rows: Sequence[FaceRow]) -> list[tuple[FaceRow, str, dict[str, int]]]:
    """Each of ``rows``, those of fer2013.csv, with its image's name and votes in ``fer2013new.csv``.

    The name is empty where FER+ has none; in the released file four names stand in two rows, with different
    pictures. Raises DataError, naming file and line; also where the votes speak of other pictures, as
    ``FLOOR_OF_HUNDRED`` tells.
    """
    lines = read_rows(
        path, lambda header: require_header(path, ",".join(header), FERPLUS_HEADER), verb=" votes"
    )
    if len(lines) != len(rows):
        raise DataError(
            f"{path}: {len(lines)} rows of votes for the {len(rows)} rows of fer2013.csv; row i must "
            "belong to row i"
        )
    usages = dict(zip(USAGE.values(), USAGE, strict=True))
    for line, row in zip(lines, rows, strict=True):
        if line.text("Usage") != (part := usages[row.labels["split"]]):
            raise DataError(
                f"{line.place}: Usage {line.text('Usage')!r}, but that row of fer2013.csv has {part!r}; the "
                "two files do not belong together"
            )
    counts = [_votes_of(line) for line in lines]
    _require_order(lines)
    winners = majority(np.array([[each[f"vote_{name.lower()}"] for name in VOTE_COLUMNS] for each in counts]))
    emotion = np.array([row.labels["emotion"] for row in rows], dtype=object)
    named = np.array(_OUTCOMES, dtype=object)[winners]
    shown = np.flatnonzero(np.isin(named, [*set(emotion)]))  # of objects it compares each with each
    if len(shown) >= HUNDRED:
        shares = np.convolve(named[shown] == emotion[shown], np.full(HUNDRED, 1 / HUNDRED), "valid")
        at = int(shares.argmin())
        if shares[at] < FLOOR_OF_HUNDRED:
            raise DataError(
                f"{path}, lines {shown[at] + 2:,} to {shown[at + HUNDRED - 1] + 2:,}: what most voters say "
                f"is the label of that row of fer2013.csv in {100 * shares[at]:.0f} % of the pictures, where "
                "the released files agree in 67 %; rows of one of the two have changed places. Take both as "
                "they were released"
            )
    return [(row, line.text("Image name"), each) for row, line, each in zip(rows, lines, counts, strict=True)]


def _votes_of(line: Row) -> dict[str, int]:
    """The columns ``vote_…`` of one line."""
    form, names = "a whole number, 0 or more", (*EMOTIONS, "unknown", "NF")
    return {f"vote_{name.lower()}": line.whole(name, form=form) for name in names}


def _require_order(lines: Sequence[Row]) -> None:
    """Raise DataError unless names come in ascending order, but for those that stand there twice: in the
    release four do, once out of place.
    """
    counts = Counter(line.text("Image name") for line in lines)
    last = ""
    for line in lines:
        name = line.text("Image name")
        if counts[name] == 1 and name:
            if name < last:
                raise DataError(f"{line.place}: {name} after {last}; rows have changed places")
            last = name


def majority(votes: np.ndarray) -> np.ndarray:
    """int64 (N,): the class that wins by FER+'s majority rule, as an index in ``VOTE_COLUMNS``, -1 where none
    does.

    ``votes`` (N, 10) counts in the order of ``VOTE_COLUMNS``. Single votes are dropped; the winner has more
    than half of the rest.
    """
    votes = np.where(votes > 1, votes, 0)
    best = votes.argmax(axis=1)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), best, -1)


def _ferplus_folders(folder: Path, left_out: Counter[str]) -> list[FaceRow]:
    top = folder / "data" if (folder / "data" / "FER2013Train").exists() else folder
    if missing := [name for name in _FERPLUS_FOLDERS if not (top / name).is_dir()]:
        raise DataError(
            f"{folder / 'fer2013.csv'}: not found, and no folder {missing[0]} either. Put the official "
            f"fer2013.csv and fer2013new.csv there, or all of {', '.join(_FERPLUS_FOLDERS)}"
        )
    rows: list[FaceRow] = []
    for name, split in _FERPLUS_FOLDERS.items():
        pictures = {path.name: path for path in list_inside(top / name, folder, (".png",))}
        labels = require_inside(top / name / "label.csv", folder)
        lines = read_rows(labels, _label_columns, has_header=lambda first: False, verb=" votes")
        last = {line.text("Image name"): line for line in lines}
        for line in lines:
            image = line.text("Image name")
            if image not in pictures:
                raise DataError(f"{line.place}: no picture {image!r} in that folder")
            labels_of = {"image": image, "frame": 0, "split": split, **_votes_of(line)}
            if line is last[image]:
                rows.append(FaceRow(picture_file(pictures[image]), "", image, labels_of, cropped=True))
        left_out[_OVERWRITTEN] += len(lines) - len(last)
        left_out[_UNLISTED] += len(pictures.keys() - last.keys())
    return rows


def _label_columns(first: Sequence[str]) -> list[str]:
    """Those of a label.csv, by its ``first`` line: an older edition has a box after the name."""
    return ["Image name", *(["box"] if any(map(_BOX.fullmatch, first[1:2])) else []), *VOTE_COLUMNS]
