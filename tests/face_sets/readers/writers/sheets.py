"""Writes what ``face_sets.readers.tables`` reads."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl

from face_sets.readers.tables import _plain


def write_sheet(
    path: Path,
    title: str,
    header: Sequence[str | None],
    rows: Iterable[Mapping[str, object]],
    notes: Sequence[str] = (),
) -> None:
    """Write ``rows`` under ``header``, and above it a row for each of ``notes``, as the worksheet ``title``
    of a new workbook at ``path``.

    Cells are put into the header's order by name as in ``read_sheet``; empty where there is none.
    """
    book = openpyxl.Workbook()
    book.active.title = title
    for cells in (*([note] for note in notes), header):
        book.active.append(cells)
    for row in rows:
        values = {_plain(column): value for column, value in row.items()}
        book.active.append([values.get(_plain(column or "")) for column in header])
    file = io.BytesIO()  # on a full disk openpyxl's own file object complains once more as it is thrown away
    book.save(file)
    path.write_bytes(file.getvalue())
