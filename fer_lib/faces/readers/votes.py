"""The votes of FER+ (Barsoum et al., 2016): ten voters per picture of FER2013."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import EMOTIONS, SPLITS, FaceSet
from fer_lib.faces.readers.lines import read_rows, require_header
from ferbook.errors import DataError

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
