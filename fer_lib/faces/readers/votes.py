"""The votes of FER+ (Barsoum et al., 2016): ten voters per picture of FER2013."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import EMOTIONS
from fer_lib.faces.readers.lines import read_lines, require_header
from ferbook.errors import DataError

VOTE_COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""What could be voted for, in the order of the files; NF is "not a face"."""

FERPLUS_HEADER = ",".join(("Usage", "Image name", *VOTE_COLUMNS))


def read_votes(path: Path, usage: Sequence[str]) -> pd.DataFrame:
    """The FER+ votes in ``fer2013new.csv``, one row for each of ``usage``, the Usage of fer2013.csv's rows.

    Columns: ``vote_<emotion>`` in the order of ``EMOTIONS``, ``vote_unknown``, ``vote_nf`` (not a face),
    int64, and ``image``, the picture's name, empty where FER+ has none; in the released file four names stand
    in two rows, with different pictures. Raises DataError, naming file and line.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path}, line 1: empty; expected the header {FERPLUS_HEADER}")
    require_header(path, lines[0], FERPLUS_HEADER)
    if len(lines) - 1 != len(usage):
        raise DataError(
            f"{path}: {len(lines) - 1} rows of votes for the {len(usage)} rows of fer2013.csv; row i must "
            "belong to row i"
        )
    counts = np.empty((len(usage), len(VOTE_COLUMNS)), np.int64)
    names = []
    for row, line in enumerate(lines[1:]):
        place = f"{path}, line {row + 2}"
        fields = line.split(",")
        if len(fields) != 2 + len(VOTE_COLUMNS):
            raise DataError(
                f"{place}: {len(fields)} fields; expected {2 + len(VOTE_COLUMNS)} ({FERPLUS_HEADER})"
            )
        if fields[0] != usage[row]:
            raise DataError(
                f"{place}: Usage {fields[0]!r}, but that row of fer2013.csv has {usage[row]!r}; the two "
                "files do not belong together"
            )
        counts[row] = parse_votes(fields[2:], place)
        names.append(fields[1].strip())
    _require_order(path, names)
    return vote_table(counts).assign(image=names)


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
