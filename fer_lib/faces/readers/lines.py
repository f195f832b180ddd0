"""Text beside pictures: lines and records of its files, and the words that data sets have for emotions."""

import csv
import io
from pathlib import Path

from fer_lib.faces.faceset import EMOTIONS
from ferbook.errors import DataError
from ferbook.files import open_regular

SPELLINGS = {emotion: emotion for emotion in EMOTIONS} | {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
"""Names of folders and columns, in lower case, and the emotion of ``EMOTIONS`` that each means."""


def counts_of(what: str, **counts: int) -> dict[str, int]:
    """``{"sequences of anger": 45}`` for ``counts_of("sequences", anger=45)``: published counts by label."""
    return {f"{what} of {label}": count for label, count in counts.items()}


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file. Raises DataError where it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read ({fault})") from fault


def read_records(path: Path) -> list[tuple[int, list[str]]]:
    """The fields of each record of a UTF-8 csv file, with the number of its last line: a text in quotes may
    go over several. Raises DataError, naming the line, where it cannot be read.
    """
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            records = csv.reader(text)
            return [(records.line_num, fields) for fields in records]
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read ({fault})") from fault
    except csv.Error as fault:
        raise DataError(f"{path}, line {records.line_num}: not readable as csv ({fault})") from fault


def require_header(path: Path, header: str, reference: str) -> None:
    """Raise DataError unless line 1 of ``path`` is ``reference``; it names the first column that is
    missing.
    """
    if header == reference:
        return
    columns = header.split(",")
    missing = [column for column in reference.split(",") if column not in columns]
    what = f"column {missing[0]!r} is missing" if missing else "columns in another order or too many"
    raise DataError(f"{path}, line 1: {what}; expected the header {reference}, found {header[:120]}")
