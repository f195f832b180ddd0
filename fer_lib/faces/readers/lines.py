"""Lines of the text files that come with pictures."""

import csv
from pathlib import Path

from fer_lib.errors import DataError


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file. Raises DataError where it cannot be read."""
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read ({fault})") from fault


def read_fields(path: Path) -> list[list[str]]:
    """The fields of each line of a UTF-8 csv file. Raises DataError, naming the line, where it cannot be read."""
    lines = csv.reader(read_lines(path))
    try:
        return list(lines)
    except csv.Error as fault:
        raise DataError(f"{path}, line {lines.line_num}: not readable as csv ({fault})") from fault


def require_header(path: Path, header: str, expected: str) -> None:
    """Raise DataError unless line 1 of ``path`` is ``expected``; it names the first column that is missing."""
    if header == expected:
        return
    given = header.split(",")
    missing = [column for column in expected.split(",") if column not in given]
    what = f"column {missing[0]!r} is missing" if missing else "columns in another order or too many"
    raise DataError(f"{path}, line 1: {what}; expected the header {expected}, found {header[:120]}")
