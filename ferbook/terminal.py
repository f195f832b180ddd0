"""Tables in a terminal's width: nothing is broken inside a word."""

from rich.cells import cell_len
from rich.table import Table

GAP = 2
FIRST_SHARE = 0.4
"""Of the width, that the first column keeps before others are left out."""
SHORTEST = 12
"""Characters of a first column that would leave no room for the second."""


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters: the middle is left out, and more of the end is kept."""
    if len(text) <= width:
        return text
    start = (width - 1) // 3
    return f"{text[:start]}…{text[len(text) - (width - 1 - start) :]}"


def table_that_fits(columns: list[str], rows: list[list[str]], width: int) -> tuple[Table, list[str]]:
    """A table of at most ``width`` characters, and the columns that found no room: the last go first.

    The first column is shortened before another goes; names in it, which other commands take, stay whole
    where the others' words fit beside them, paths do not. Longer cells go on in further lines.
    """
    parts = [list(column) for column in zip(columns, *rows, strict=True)]
    whole = [max(map(cell_len, cells)) for cells in parts]
    least = [max(cell_len(word) for cell in cells for word in cell.split(" ")) for cells in parts]
    least[0] = min(whole[0], int(FIRST_SHARE * width))
    count = len(columns)
    while count > 2 and _total(least[:count]) > width:
        count -= 1
    if (excess := _total(least[:count]) - width) > 0:
        least[0] = max(min(SHORTEST, whole[0]), least[0] - excess)
    if count > 1 and (excess := _total(least[:count]) - width) > 0:
        least[1] = max(1, least[1] - excess)
    if not any("/" in cell for cell in parts[0]):
        least[0] = min(whole[0], least[0] + max(0, width - _total(least[:count])))
    widths = _shared_out(least[:count], whole[:count], width)
    table = Table(title_justify="left", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, cells in zip(columns[:count], widths, strict=True):
        table.add_column(_fitted(column, cells), width=cells)
    for row in rows:
        table.add_row(
            shortened(row[0], widths[0]),
            *(_fitted(cell, cells) for cell, cells in zip(row[1:count], widths[1:], strict=True)),
        )
    return table, columns[count:]


def _fitted(cell: str, width: int) -> str:
    return " ".join(shortened(word, width) for word in cell.split(" "))


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shared_out(least: list[int], whole: list[int], width: int) -> list[int]:
    """What is left of ``width``, column by column to the one that lacks most of its whole."""
    widths = list(least)
    for _ in range(width - _total(least)):
        widths[max(range(len(widths)), key=lambda n: whole[n] / max(widths[n], 1))] += 1
    return [min(pair) for pair in zip(widths, whole, strict=True)]
