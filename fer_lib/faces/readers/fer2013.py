"""FER2013 (Goodfellow et al., 2013) and its FER+ votes (Barsoum et al., 2016).

Two layouts are read. ``fer2013.csv`` is the official one: header ``emotion,pixels,Usage``, one row
per picture, 48 × 48 grey values separated by spaces. ``fer2013new.csv`` beside it holds the FER+
votes; its row i belongs to row i of ``fer2013.csv``. The image-folder form that circulates instead,
``train/<emotion>/*`` and ``test/<emotion>/*`` with png or jpg pictures, has lost the public/private
split: it is regained where every test picture is named ``PublicTest_*`` or ``PrivateTest_*``, and
otherwise ``test`` stays whole and a validation split is taken from ``train``. The table's column
``split_rule`` says which of these was done, and where a set is smaller or larger than the release.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import EMOTIONS, SIX, SPLITS, FaceSet
from fer_lib.faces.leakage import copy_groups
from fer_lib.faces.readers.pictures import gather_pictures, list_inside, read_grey, require_inside, whole
from fer_lib.faces.readers.tables import SPELLINGS, counts_of, read_rows, require_header
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

PUBLISHED = {
    "pictures": RELEASED,
    **counts_of("pictures", anger=4_953, disgust=547, fear=5_121, happiness=8_989),
    **counts_of("pictures", sadness=6_077, surprise=4_002, neutral=6_198),
}
"""Counts of the released csv (Goodfellow et al. 2013, and the file itself)."""

VALID_FRACTION = 1 / 8
"""Share of ``train`` taken for validation in the image-folder form: 3,589 of 28,709 in the official split."""

_FOLDER_NAMES = {str(code): emotion for code, emotion in enumerate(CODES)} | {
    name: emotion for name, emotion in SPELLINGS.items() if emotion in CODES
}
_SUFFIXES = (".png", ".jpg", ".jpeg")
_LONGEST_LINE = 1 << 22
_LINE = re.compile(
    rf"(?P<label>[0-6]),(?P<pixels>\d{{1,3}}(?: \d{{1,3}}){{{PIXELS - 1}}}),"
    rf"(?P<usage>{'|'.join(USAGE)})\r?\n?".encode()
)


def read_fer2013(folder: Path, size: int = SIDE) -> FaceSet:
    """FER2013 from ``folder``: pixels (N, ``size``, ``size``), emotions, official splits, FER+ votes if they
    are there.

    ``Training`` becomes ``train``, ``PublicTest`` ``valid``, ``PrivateTest`` ``test``; ``subject`` is
    empty, since FER2013 does not say who is shown; ``sequence`` is the 0-based row number (csv) or
    the picture's path. Pictures of 48 × 48 are resampled to another ``size``. With ``fer2013new.csv``,
    ``vote_<emotion>``, ``vote_unknown`` and ``vote_nf`` hold the counts of the ten voters. Exact copies are
    kept: see ``fer_lib.faces.leakage``.

    Raises DataError, naming file and line, for anything absent, damaged or out of range; nothing is
    loaded in part.
    """
    csv, votes = fer2013_csv(folder), folder / "fer2013new.csv"
    if csv.exists() or csv.is_symlink():
        faces = read_csv(require_inside(csv, folder))
        if votes.exists() or votes.is_symlink():
            counts = read_votes(require_inside(votes, folder), faces)
            table = pd.concat([faces.table, counts.drop(columns="image")], axis=1)
            faces = FaceSet(faces.name, faces.pixels, table)
        return resized(faces, size)
    if not (folder / "train").is_dir() and not (folder / "test").is_dir():
        raise DataError(
            f"{csv}: not found, and no image folders train/ and test/ either. Put the official "
            "fer2013.csv there, or set FER_DATA (--data-dir) to the folder that holds fer2013/"
        )
    if votes.exists():
        raise DataError(
            f"{votes}: the FER+ votes follow the rows of fer2013.csv and cannot be joined to an image "
            "folder. Add fer2013.csv, or move this file away"
        )
    return resized(_read_folders(folder), size)


def fer2013_csv(folder: Path) -> Path:
    """``fer2013.csv`` in ``folder``, or where only that is there Kaggle's own form of it."""
    official, other = folder / "fer2013.csv", folder / KAGGLE
    return other if not (official.exists() or official.is_symlink()) and other.exists() else official


def resized(faces: FaceSet, size: int) -> FaceSet:
    """``faces`` with its pictures, which are face crops already, brought to ``size`` × ``size``."""
    if faces.size == (size, size):
        return faces
    pixels, _ = gather_pictures(len(faces), size, lambda row: whole(faces.pixels[row], size))
    return FaceSet(faces.name, pixels, faces.table, left_out=faces.left_out)


def read_csv(csv: Path) -> FaceSet:
    """The rows of ``fer2013.csv``: pixels (N, 48, 48), emotions and splits. Raises DataError, naming file and
    line.
    """
    pixels, labels, usage = [], [], []
    try:
        with open_regular(csv) as file:
            header = file.readline(_LONGEST_LINE).decode("utf-8-sig", errors="replace").rstrip("\r\n")
            turned = header == _KAGGLE_HEADER
            if not turned:
                require_header(csv, header, HEADER)
            for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), start=2):
                if turned:  # emotion,Usage,pixels
                    label, usage_name, values = (*line.rstrip(b"\r\n").split(b","), b"", b"")[:3]
                    line = b",".join((label, values, usage_name.strip()))
                match = _LINE.fullmatch(line)
                values = np.fromstring(match["pixels"], np.int16, sep=" ") if match else None
                if match is None or values.max() > 255:
                    raise DataError(f"{csv}, line {number}: {_fault_of(line)}")
                pixels.append(values.astype(np.uint8))
                labels.append(int(match["label"]))
                usage.append(match["usage"].decode())
    except OSError as fault:
        raise DataError(f"{csv}: cannot be read ({fault.strerror})") from fault
    if not pixels:
        raise DataError(f"{csv}, line 2: no pictures after the header; expected {RELEASED:,} rows")
    for name in USAGE:
        if name not in usage:
            raise DataError(f"{csv}: no row with Usage {name}; the file is not the whole of FER2013")
    return _faceset(
        np.stack(pixels).reshape(-1, SIDE, SIDE),
        np.array(CODES, dtype=object)[labels],
        np.array([USAGE[name] for name in usage], dtype=object),
        sequence=[f"{row:05d}" for row in range(len(usage))],
        split_rule="official Usage",
    )


def _fault_of(line: bytes) -> str:
    """What is wrong with one csv line that ``_LINE`` does not match, and what was expected."""
    if len(line) == _LONGEST_LINE:
        return f"longer than {_LONGEST_LINE} bytes; not a FER2013 csv"
    fields = line.decode("utf-8", errors="replace").rstrip("\r\n").split(",")
    if len(fields) != 3:
        return f"{len(fields)} field(s) instead of 3 ({HEADER}); the line is cut short or damaged"
    label, pixels, usage = fields
    if label not in tuple("0123456"):
        return f"emotion {label[:20]!r}; expected 0 to 6 ({', '.join(CODES)})"
    values = pixels.split(" ")
    for position, value in enumerate(values, start=1):
        if not (value.isascii() and value.isdigit()) or len(value) > 3 or int(value) > 255:
            return (
                f"pixel {position} is {value[:20]!r}; expected a whole number from 0 to 255, one space apart"
            )
    if len(values) != PIXELS:
        return f"{len(values)} pixel values; expected {PIXELS} ({SIDE} × {SIDE})"
    return f"Usage {usage[:20]!r}; expected {', '.join(USAGE)}"


def _read_folders(folder: Path) -> FaceSet:
    pictures = [(part, *entry) for part in ("train", "test") for entry in _list_pictures(folder, part)]
    pixels, _ = gather_pictures(len(pictures), SIDE, lambda row: _read_picture(pictures[row][2]))
    split = np.array([part for part, _, _ in pictures], dtype=object)
    emotion = np.array([emotion for _, emotion, _ in pictures], dtype=object)
    prefixes = [path.name.partition("_")[0] for part, _, path in pictures if part == "test"]
    if {"PublicTest", "PrivateTest"} == set(prefixes):
        split[split == "test"] = [USAGE[prefix] for prefix in prefixes]
        rule = "file name prefix"
    else:
        rule = f"valid taken from train (1 in {round(1 / VALID_FRACTION)}), test whole"
    sequence = [path.relative_to(folder).as_posix() for _, _, path in pictures]
    faces = _faceset(pixels, emotion, split, sequence, rule)
    if rule == "file name prefix":
        return faces
    split[_validation_rows(faces)] = "valid"
    return FaceSet(faces.name, pixels, faces.table.assign(split=split))


def _list_pictures(folder: Path, part: str) -> list[tuple[str, Path]]:
    """(emotion, path) of every picture of ``train`` or ``test``, sorted by path."""
    top = folder / part
    if (top / part).is_dir():  # unpacking often doubles the folder: train/train/angry
        top = top / part
    if not top.is_dir():
        raise DataError(f"{top}: no such folder; the image-folder form of FER2013 has train/ and test/")
    folders: dict[str, list[Path]] = {}
    for entry in list_inside(top, folder):
        emotion = _FOLDER_NAMES.get(entry.name.lower())
        if emotion is None or not entry.is_dir():
            raise DataError(
                f"{entry}: not an emotion folder; expected angry, disgust, fear, happy, sad, surprise, "
                "neutral (or 0 to 6)"
            )
        if emotion in folders:
            raise DataError(f"{entry}: a second folder for {emotion}; keep one")
        folders[emotion] = list_inside(entry, folder)
        for picture in folders[emotion]:
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


def _validation_rows(faces: FaceSet) -> np.ndarray:
    """Row numbers of ``train`` that become ``valid``: the same for the same pictures, whatever their names.

    In each emotion the groups of equal pictures are ordered by the SHA-256 of their pixels and
    taken from the top until the share is reached, so copies never fall on both sides.
    """
    group = copy_groups(faces)
    in_train = (faces.table["split"] == "train").to_numpy()
    rows = pd.DataFrame({"row": np.flatnonzero(in_train), "group": group[in_train]})
    rows["emotion"] = faces.table["emotion"].to_numpy()[rows["row"]]
    groups = rows.groupby("group").agg(row=("row", "first"), emotion=("emotion", "min"), size=("row", "size"))
    groups["digest"] = [hashlib.sha256(faces.pixels[row]).hexdigest() for row in groups["row"]]
    groups = groups.sort_values(["emotion", "digest"])
    before = groups.groupby("emotion")["size"].cumsum() - groups["size"]
    share = groups.groupby("emotion")["size"].transform("sum") * VALID_FRACTION
    selection = groups.index[before < share]
    return rows["row"].to_numpy()[rows["group"].isin(selection)]


def _faceset(
    pixels: np.ndarray, emotion: np.ndarray, split: np.ndarray, sequence: list[str], split_rule: str
) -> FaceSet:
    # Not an error: exports and excerpts use the layout too. But no table of results may pass for FER2013's.
    other_size = f"{len(pixels):,} pictures where the release has {RELEASED:,}"
    table = pd.DataFrame(
        {
            "dataset": "fer2013",
            "subject": "",
            "sequence": sequence,
            "frame": np.zeros(len(pixels), np.int64),
            "emotion": emotion,
            "split": split,
            "split_rule": split_rule if len(pixels) == RELEASED else f"{split_rule}; {other_size}",
        }
    )
    return FaceSet("fer2013", pixels, table)


VOTE_COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What could be voted for, in the order of the files; NF is "not a face"."""

FERPLUS_HEADER = ",".join(("Usage", "Image name", *VOTE_COLUMNS))


SPLIT_FLOOR, AGREEING = 0.5, 50
"""The least share of a split's pictures with a majority in which it is FER2013's label, and from how many
pictures on it is asked: 67.7, 66.8 and 67.0 % in the released pair, 18 % where rows were shuffled.
"""

HUNDRED, FLOOR_OF_HUNDRED = 100, 0.42
"""The same of any hundred such pictures one after the other: 53 % or more in the released pair, at most 32 %
where the rows are those of the neighbours, since one was taken out and another put in further on.
"""


def read_votes(path: Path, faces: FaceSet) -> pd.DataFrame:
    """The FER+ votes in ``fer2013new.csv``, one row for each picture of ``faces``, the rows of fer2013.csv.

    Columns: ``vote_<emotion>`` in the order of ``EMOTIONS``, ``vote_unknown``, ``vote_nf`` (not a face),
    int64, and ``image``, the picture's name, empty where FER+ has none; in the released file four names stand
    in two rows, with different pictures. Raises DataError, naming file and line; also where the votes speak
    of other pictures, as ``SPLIT_FLOOR`` and ``FLOOR_OF_HUNDRED`` tell.
    """
    usage = (
        faces.table["split"].map({"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}).tolist()
    )
    rows = read_rows(path, lambda header: require_header(path, ",".join(header), FERPLUS_HEADER))
    if len(rows) != len(usage):
        raise DataError(
            f"{path}: {len(rows)} rows of votes for the {len(usage)} rows of fer2013.csv; row i must "
            "belong to row i"
        )
    for row, part in zip(rows, usage, strict=True):
        if row.cells["Usage"] != part:
            raise DataError(
                f"{row.place}: Usage {row.cells['Usage']!r}, but that row of fer2013.csv has {part!r}; the "
                "two files do not belong together"
            )
    counts = np.array([parse_votes([row.cells[name] for name in VOTE_COLUMNS], row.place) for row in rows])
    names = [row.cells["Image name"] for row in rows]
    _require_order(path, names)
    _require_agreement(path, counts, faces.table)
    return vote_table(counts).assign(image=names)


def _require_agreement(path: Path, votes: np.ndarray, table: pd.DataFrame) -> None:
    """Raise DataError where the majority of ``votes`` is too rarely the label of the row of ``table``."""
    emotion = table["emotion"].to_numpy()
    named = np.array([*VOTE_COLUMNS], dtype=object)[majority(votes)]
    rows = np.flatnonzero((majority(votes) >= 0) & np.isin(named, emotion))
    agrees = named[rows] == emotion[rows]
    parts = [(f"split {name}", np.flatnonzero(table["split"].to_numpy()[rows] == name)) for name in SPLITS]
    parts = [(place, agrees[part].mean(), SPLIT_FLOOR) for place, part in parts if len(part) >= AGREEING]
    if len(rows) >= HUNDRED:
        shares = np.convolve(agrees, np.full(HUNDRED, 1 / HUNDRED), "valid")
        at = int(shares.argmin())
        lines = f"lines {rows[at] + 2:,} to {rows[at + HUNDRED - 1] + 2:,}"
        parts.append((lines, shares[at], FLOOR_OF_HUNDRED))
    for place, share, floor in parts:
        if share < floor:
            raise DataError(
                f"{path}, {place}: what most voters say is the label of that row of fer2013.csv in "
                f"{100 * share:.0f} % of the pictures, where the released files agree in 67 %; rows of one "
                "of the two have changed places. Take both as they were released"
            )


def _require_order(path: Path, names: Sequence[str]) -> None:
    """Raise DataError unless names come in ascending order, but for those that stand there twice: in the
    release four do, once out of place.
    """
    counts = Counter(names)
    last = ""
    for number, name in enumerate(names, start=2):
        if counts[name] == 1 and name:
            if name < last:
                raise DataError(f"{path}, line {number}: {name} after {last}; rows have changed places")
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


def parse_votes(fields: Sequence[str], place: str) -> list[int]:
    """The ten counts in ``fields``, in the order of ``VOTE_COLUMNS``. Raises DataError that begins with
    ``place``.
    """
    return [parse_count(column, value, place) for column, value in zip(VOTE_COLUMNS, fields, strict=True)]


def parse_count(column: str, value: str, place: str) -> int:
    """The votes ``value`` in ``column``. Raises DataError that begins with ``place``."""
    if not (value.isascii() and value.isdigit()) or len(value) > 6:
        raise DataError(f"{place}: {column} votes {value[:20]!r}; expected a whole number, 0 or more")
    return int(value)


def vote_table(counts: np.ndarray) -> pd.DataFrame:
    """``counts`` (N, 10), in the order of ``VOTE_COLUMNS``, as the columns ``vote_…`` of a FaceSet."""
    columns = pd.DataFrame(counts, columns=[f"vote_{column.lower()}" for column in VOTE_COLUMNS])
    return columns[[f"vote_{emotion}" for emotion in EMOTIONS] + ["vote_unknown", "vote_nf"]]
