"""Tables in a terminal's width: nothing is cut, and no column is left out."""

import textwrap

from rich.cells import cell_len

GAP = 2


def table_lines(columns: list[str], rows: list[list[str]], width: int) -> list[str]:
    """A table in lines of at most ``width`` characters, as far as its words allow.

    Cells but the first of a row go on in further lines. Where even their words do not fit beside each other
    the first cell, which other commands take as it is, stands on a line of its own and the others below it.
    """
    parts = [list(column) for column in zip(columns, *rows, strict=True)]
    whole = [max(map(cell_len, cells)) for cells in parts]
    words = [max(cell_len(word) for cell in cells for word in cell.split(" ")) for cells in parts]
    words[0] = whole[0]
    if _total(words) <= width:
        return _aligned([columns, *rows], _shared_out(words, whole, width))
    if len(columns) > 1 and _total(words[1:]) <= width - GAP:
        widths = _shared_out(words[1:], whole[1:], width - GAP)
        return [
            line
            for first, *others in (columns, *rows)
            for line in (
                first,
                *textwrap.indent("\n".join(_aligned([others], widths)), GAP * " ").split("\n"),
            )
        ]
    lines = []
    for first, *others in rows:
        pairs = (f"{column}: {cell}" for column, cell in zip(columns[1:], others, strict=True) if cell)
        lines += [first, *(f"{GAP * ' '}{pair}" for pair in pairs)]
    return lines


def filled_lines(text: str, width: int, indent: int = 0) -> list[str]:
    """``text`` in lines of at most ``width`` characters, after ``indent`` spaces, broken between words."""
    return [" " * indent + line for line in _wrapped(text, width - indent)]


def _aligned(rows: list[list[str]], widths: list[int]) -> list[str]:
    lines = []
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            line = [cell[number] if number < len(cell) else "" for cell in cells]
            padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
            lines.append((GAP * " ").join(padded).rstrip())
    return lines


def _wrapped(cell: str, width: int) -> list[str]:
    """The lines of a cell, broken between words."""
    lines = [""]
    for word in cell.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shared_out(least: list[int], whole: list[int], width: int) -> list[int]:
    """What is left of ``width``, column by column to the one that lacks most of its whole."""
    widths = list(least)
    for _ in range(width - _total(least)):
        widths[max(range(len(widths)), key=lambda n: whole[n] / max(widths[n], 1))] += 1
    return [min(pair) for pair in zip(widths, whole, strict=True)]
