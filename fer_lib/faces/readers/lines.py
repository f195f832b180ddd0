"""Text beside pictures: lines and records of its files, and the words that data sets have for emotions."""

import csv
import io
import unicodedata
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


def person_name(text: str) -> str:
    """``text`` in the one form in which names of people and sequences are compared: Unicode's NFKC, and one
    blank wherever there are some.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file. Raises DataError where it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as fault:
        raise _not_utf8(path, fault) from fault
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault})") from fault


def _not_utf8(path: Path, fault: UnicodeDecodeError) -> DataError:
    with open_regular(path) as file:
        content = file.read()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as whole:  # of the whole file, not of a block
        fault = whole
    line = content[: fault.start].count(b"\n") + 1
    return DataError(
        f"{path}: cannot be read (line {line}: not UTF-8 at byte {fault.start}; save it as CSV in UTF-8)"
    )


def read_records(path: Path) -> list[tuple[int, list[str]]]:
    """The fields of each record of a UTF-8 csv file, with the number of its last line: a text in quotes may
    go over several. Fields are separated by commas, or by semicolons where the first line has no comma, as
    spreadsheets write in many countries. Raises DataError, naming the line, where it cannot be read.
    """
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            first = text.readline()
            text.seek(0)
            records = csv.reader(text, delimiter=";" if ";" in first and "," not in first else ",")
            return [(records.line_num, fields) for fields in records]
    except UnicodeDecodeError as fault:
        raise _not_utf8(path, fault) from fault
    except OSError as fault:
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
