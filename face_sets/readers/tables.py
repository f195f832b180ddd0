"""Files next to pictures: lines, records and tables of files, the coding sheets of .xlsx files read by
column name and row by row, and the words that sets have for emotions.
"""

import csv
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path

import openpyxl

from face_sets.faceset import EMOTIONS
from face_sets.readers.pictures import DAMAGE, list_inside
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


def emotion_folders(entries: Iterable[Path], names: Mapping[str, str], listed: str) -> dict[str, Path]:
    """Emotion -> its folder among ``entries``; ``names``: what folders are called, in lower case -> emotion.

    Raises DataError for an entry that is none of them, ``listed`` in words, and where an emotion has two.
    """
    folders: dict[str, Path] = {}
    for entry in entries:
        emotion = names.get(entry.name.lower())
        if emotion is None or not entry.is_dir():
            raise DataError(f"{entry}: not an emotion folder; expected {listed}")
        if emotion in folders:
            raise DataError(f"{entry}: a second folder for {emotion}; keep one")
        folders[emotion] = entry
    return folders


def person_name(text: str) -> str:
    """``text`` in the one form in which names of people and sequences are compared: Unicode's NFKC, and one
    blank wherever there are some.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text in UTF-8 with their ends, one after the other. Raises DataError where it cannot be
    read, naming line and byte where it is no UTF-8.
    """
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            yield from text
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault})") from fault
    except UnicodeDecodeError:
        with open_regular(path) as file:
            content = file.read()
        try:
            content.decode("utf-8-sig")
        except UnicodeDecodeError as fault:  # of the whole file, not of a block
            line, byte = content[: fault.start].count(b"\n") + 1, fault.start
            what = f"line {line}: not UTF-8 at byte {byte}; save it as CSV in UTF-8"
            raise DataError(f"{path}: cannot be read ({what})") from fault


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without their ends. Raises DataError as ``text_lines``."""
    return "".join(text_lines(path)).splitlines()


def read_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of its last line and the fields of each record of a UTF-8 csv file.

    Commas separate fields, or semicolons where the first line has no comma, as spreadsheets write in many
    countries. A text in quotes may go over several lines.

    Raises
    ------
    DataError
        Names the line: what is not csv, and a quote that is never closed, or only by a quote of a later row,
        so that rows would become a part of one field.
    """
    lines = text_lines(path)
    head = [*islice(lines, 1)]
    separator = ";" if any(";" in line and "," not in line for line in head) else ","
    records = csv.reader(chain(head, lines), delimiter=separator, strict=True, skipinitialspace=True)
    number = 0
    try:
        for fields in records:
            if any(separator in field and re.search(r"[\r\n]", field) for field in fields):
                raise csv.Error("a quote is opened and not closed on its line")
            number = records.line_num
            yield number, fields
    except csv.Error as fault:
        what = "a quote is opened and never closed" if "unexpected end" in str(fault) else fault
        raise DataError(f"{path}, line {number + 1}: not readable as csv ({what})") from fault


@dataclass(frozen=True)
class Row:
    """One row of a table: ``cells`` by column name, and ``place``, the file and the line or row that messages
    name. ``verb`` stands between column and value in them.
    """

    place: str
    cells: Mapping[str, str]
    verb: str = ""

    def text(self, column: str) -> str:
        """The cell; empty where nothing stands there, or the table lacks the column."""
        return self.cells.get(column, "")

    def whole(self, column: str, absent: Sequence[str] = (), form: str = "a whole number") -> int | None:
        """The cell as a whole number of 0 or more; None where its text is one of ``absent``. Else
        DataError.
        """
        text = self.text(column)
        if text in absent:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise self.fault(column, f"expected {form}")
        return int(text)

    def choice(self, column: str, choices: Mapping[str, str], listed: Iterable[str] = ()) -> str:
        """What the cell, in whichever letter case, means in ``choices``; else DataError, which names those
        ``listed``, or all.
        """
        text = self.text(column).lower()
        if text not in choices:
            raise self.fault(column, f"expected one of {', '.join(listed or filter(None, choices))}")
        return choices[text]

    def fault(self, column: str, rule: str) -> DataError:
        """The error that names file, row, column and what stands there."""
        return DataError(f"{self.place}: {column}{self.verb} {self.text(column)[:40]!r}; {rule}")


_HALF_WIDTH = {0xFF01 + k: chr(0x21 + k) for k in range(94)} | {0x3000: " ", 0x3001: ","}
"""What Chinese and Japanese keyboards write for ASCII: full-width letters, digits and signs."""


def cell_text(value: object) -> str:
    """A cell's value as text: whole numbers without a decimal point, nothing as the empty text."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).translate(_HALF_WIDTH).strip()


def read_rows(
    path: Path,
    columns_of: Callable[[list[str]], Sequence[str]],
    *,
    has_header: Callable[[list[str]], bool] = bool,
    verb: str = "",
) -> list[Row]:
    """The rows of the csv file at ``path``, without blanks around cells and without empty ones.
    ``columns_of`` the fields of its first line, which it checks, are the columns' names; that line is a row
    itself unless it ``has_header``.

    Raises DataError as ``read_records``, for a row of more or fewer fields, and where there is none.
    """
    records = [*read_records(path)] or [(1, [])]
    columns, skipped, rows = columns_of(records[0][1]), bool(has_header(records[0][1])), []
    for number, fields in records[skipped:]:
        cells = [field.strip() for field in fields]
        if not any(cells):
            continue
        place = f"{path}, line {number}"
        if len(cells) != len(columns):
            raise DataError(f"{place}: {len(cells)} fields; expected {len(columns)} ({','.join(columns)})")
        rows.append(Row(place, dict(zip(columns, cells, strict=True)), verb))
    if not rows:
        raise DataError(
            f"{path}, line 2: no pictures after the header" if skipped else f"{path}, line 1: empty"
        )
    return rows


def check_columns(
    path: Path, columns: Sequence[str], needed: Sequence[str], known: Callable[[str], object], hint: str
) -> Sequence[str]:
    """``columns`` of the csv file at ``path``. Raises DataError that ends with ``hint`` where one ``needed``
    is missing, one is not ``known``, or one stands there twice.
    """
    for name in needed:
        if name not in columns:
            raise DataError(f"{path}, line 1: no column {name!r} in {','.join(columns)[:120]!r}; {hint}")
    for name in columns:
        if not known(name):
            raise DataError(f"{path}, line 1: column {name[:40]!r} is not known; {hint}")
        if columns.count(name) > 1:
            raise DataError(f"{path}, line 1: two columns {name}; keep one")
    return columns


def require_header(path: Path, header: str, reference: str, *, any_order: bool = False) -> list[str]:
    """Return the columns of ``header``, line 1 of ``path``.

    Raises DataError, naming the first column that is missing, unless it is ``reference``, or has the same
    columns in ``any_order``.
    """
    columns, expected = header.split(","), reference.split(",")
    if columns == expected or (any_order and sorted(columns) == sorted(expected)):
        return columns
    missing = [column for column in expected if column not in columns]
    what = f"column {missing[0]!r} is missing" if missing else "columns in another order or too many"
    what = what if header else "empty"
    raise DataError(f"{path}, line 1: {what}; expected the header {reference}, found {header[:120]!r}")


LAST_ROW = 1_048_576
"""The last row of an Excel sheet."""


def find_sheet(folder: Path, pattern: str) -> Path:
    """The one workbook directly in ``folder`` whose name matches the glob ``pattern``, in either case.

    Raises DataError where there is none or more than one, and for a link that leaves ``folder``.
    """
    sheets = [path for path in list_inside(folder, folder) if fnmatchcase(path.name.lower(), pattern.lower())]
    if not sheets:
        raise DataError(f"{folder / pattern}: not found; the coding sheet belongs there")
    if len(sheets) > 1:
        raise DataError(f"{sheets[0]} and {sheets[1].name}: two coding sheets; keep the one to be used")
    return sheets[0]


def read_sheet(path: Path, columns: Sequence[str], sheet: str = "") -> list[Row]:
    """The rows of the workbook at ``path`` that stand under the header row, each with the cells of
    ``columns``.

    The header is the first row whose first cell is the first of ``columns``, so that notes may stand above
    it. The others are found by name, wherever they stand; case, spaces and underscores in names do not
    matter; empty rows and further columns are ignored. The worksheet named ``sheet`` is read, or the first
    one.

    Raises DataError, naming file and row: unreadable workbook, no header, a missing or doubled column (with
    the columns that were found), no rows.
    """
    table = _cells(path, sheet)
    spellings = {_plain(column): column for column in columns}
    header_row = next((k for k, cells in table if _plain(cell_text(cells[0])) == _plain(columns[0])), None)
    if header_row is None:
        raise DataError(
            f"{path}: no header row; expected a row whose first cell is {columns[0]}, with the columns "
            + ", ".join(columns)
        )
    header = [cell_text(cell) for cell in dict(table)[header_row]]
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        column = spellings.get(_plain(name))
        if column in positions:
            raise DataError(f"{path}, row {header_row}: two columns {column}; keep one")
        if column:
            positions[column] = position
    missing = [column for column in columns if column not in positions]
    if missing:
        raise DataError(
            f"{path}, row {header_row}: no column {missing[0]!r}; found {', '.join(filter(None, header))}. "
            "Was it renamed? Columns are found by name"
        )
    below = [(k, cells + (None,) * len(header)) for k, cells in table if k > header_row]
    rows = [
        Row(f"{path}, row {k}", {column: cell_text(cells[at]) for column, at in positions.items()}, " is")
        for k, cells in below
        if any(cell_text(cells[at]) for at in positions.values()) and not _is_note(cells)
    ]
    if not rows:
        raise DataError(f"{path}: no rows under the header in row {header_row}")
    return rows


def _is_note(cells: Sequence[object]) -> bool:
    """Whether a row has one cell only, with words in it: what people write below a table."""
    texts = [text for cell in cells if (text := cell_text(cell))]
    return len(texts) == 1 and len(texts[0].split()) > 1


def _cells(path: Path, sheet: str) -> list[tuple[int, tuple[object, ...]]]:
    """(row number, cell values) of every row of a worksheet that holds something, numbered from 1 as Excel
    shows them.

    Each ends with the last cell that the file has. Row by row: one cell far below, as formatting leaves it,
    would else make a million rows.
    """
    rows: list[tuple[int, tuple[object, ...]]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that openpyxl does not keep
            books = [openpyxl.load_workbook(path, read_only=True, data_only=plain) for plain in (True, False)]
            pages = [book[sheet] if sheet in book.sheetnames else book.worksheets[0] for book in books]
            for page in pages:
                page.reset_dimensions()  # what the sheet says of its own size may be wrong
            pairs = zip(pages[0].iter_rows(values_only=True), pages[1].iter_rows(), strict=True)
            for number, (cells, originals) in enumerate(pairs, start=1):
                if number > LAST_ROW:
                    raise DataError(f"{path}: rows beyond {LAST_ROW:,}, the last that a sheet can have")
                for value, cell in zip(cells, originals, strict=True):
                    if value is None and cell.data_type == "f":
                        raise DataError(
                            f"{path}, row {number}: column {cell.column_letter} is the formula "
                            f"{str(cell.value)[:40]!r}, which was never calculated; open the file in a "
                            "spreadsheet program and save it there"
                        )
                if any(cell is not None for cell in cells):
                    rows.append((number, cells))
            for book in books:
                book.close()
    except DAMAGE as fault:
        raise DataError(f"{path}: not a readable .xlsx workbook ({fault})") from fault
    return rows


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).casefold()
