"""Coding sheets: the tables in .xlsx files that say what a clip shows, read by column name and row by row."""

import re
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import openpyxl

from fer_lib.faces.readers.lines import Row, cell_text
from fer_lib.faces.readers.pictures import DAMAGE, list_inside
from ferbook.errors import DataError

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
        Row(f"{path}, row {k}", {column: cells[at] for column, at in positions.items()})
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
