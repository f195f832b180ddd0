"""What the commands share: where they print, tables in a terminal's width, JSON, and options that several of
them take.
"""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.console import Console

if TYPE_CHECKING:
    from ferbook.store import Run

# Lines are left to the terminal to break, so that they can be copied.
# What is printed may hold brackets (a path, a fault), which rich would take for its markup and swallow.
console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

RunName = Annotated[str | None, typer.Option("--run", metavar="NAME", help="The run's name below runs/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


GAP = 2
"""Blanks between two columns."""


def print_json(content: object) -> None:
    """Print ``content`` as JSON and nothing else, so that it can be piped."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print ``rows`` under ``title``, if it has one, in the width of the terminal (see ``table_lines``)."""
    if title:
        console.print(title, style="italic")
    for line in table_lines(columns, [[str(cell) for cell in row] for row in rows], console.width):
        console.print(line)


def print_lines(text: str, indent: int) -> None:
    """Print ``text`` between words in the width of the terminal, each line so many blanks in; into a file as
    one line.
    """
    for line in _wrapped(text, console.width - indent) if console.is_terminal else [text]:
        console.print(" " * indent + line)


def chosen_run(name: str | None) -> "Run":
    """The run that an option ``--run`` names, or else the one that `ferbook run` was last called for: who
    asks prints which it was.
    """
    from ferbook.store import current_run, open_run

    return current_run() if name is None else open_run(name)


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
    lines = []
    if len(columns) > 1 and _total(words[1:]) <= width - GAP:
        widths = _shared_out(words[1:], whole[1:], width - GAP)
        for first, *others in (columns, *rows):
            lines += [first, *(GAP * " " + line for line in _aligned([others], widths))]
        return lines
    for first, *others in rows:
        pairs = (f"{column}: {cell}" for column, cell in zip(columns[1:], others, strict=True) if cell)
        lines += [first, *(GAP * " " + pair for pair in pairs)]
    return lines


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
