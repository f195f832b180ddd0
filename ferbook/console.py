"""What the commands share: where they print, tables in a terminal's width, JSON, and options that several of
them take.
"""

import json
import re
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ferbook.store import Run

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Characters of a text that are printed.
_LONGEST = 4000


def visible(text: str) -> str:
    """Return ``text``, cut where it is very long, with control characters written out: to a terminal they are
    commands, and a run may come from another machine.
    """
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], cut)


class _Console(Console):
    """Prints texts without markup, since a path may hold brackets, and without control characters. Lines are
    left to the terminal to break, so that they can be copied.
    """

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, soft_wrap=True)

    def print(self, *objects: object, **options: object) -> None:
        """Print as rich does."""
        super().print(*(visible(each) if isinstance(each, str) else each for each in objects), **options)


console = _Console()
errors = _Console(stderr=True)

RunName = Annotated[str | None, typer.Option("--run", metavar="NAME", help="The run's name below runs/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
# Blanks between two columns.
GAP = 2


def print_json(content: object) -> None:
    """Print ``content`` as JSON and nothing else, so that it can be piped."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    print(_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(title: str, columns: list[str], rows: list[list[object]]) -> None:
    """Print ``rows`` under ``title``, if it has one, in the width of the terminal: cells but the first of a
    row, which other commands take as it is, go on in further lines between words. Where even single
    words do not fit, each cell is a separate line below the first. None is printed as a dash.
    """
    if title:
        console.print(title, style="italic")
    cells = [["–" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    columns = [visible(column) for column in columns]
    parts = [*zip(columns, *cells, strict=True)]
    whole = [max(map(cell_len, column)) for column in parts]
    words = [max(cell_len(word) for cell in column for word in cell.split(" ")) for column in parts]
    words[0] = whole[0]
    if sum(words) + GAP * (len(words) - 1) > console.width:
        for first, *others in cells:
            console.print(first)
            for column, cell in zip(columns[1:], others, strict=True):
                print_lines(f"{column}: {cell}" if cell else "", GAP)
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="")
    for column, least, most in zip(columns, words, whole, strict=True):
        table.add_column(column, min_width=least, no_wrap=least == most)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def print_lines(text: str, indent: int, hanging: int = 0) -> None:
    """Print ``text`` between words in the width of the terminal, each line so many blanks in, and all but the
    first ``hanging`` more; into a file as one line.
    """
    width, more = console.width - indent, " " * hanging
    fitted = wrap(text, width, subsequent_indent=more, break_long_words=False, break_on_hyphens=False)
    for line in fitted if console.is_terminal else [text] * bool(text):
        console.print(" " * indent + line)


def chosen_run(name: str | None) -> "Run":
    """Return the run that an option ``--run`` names, or else the one that `ferbook run` was last called for:
    the command prints which it was.
    """
    from ferbook.store import current_run, open_run

    return current_run() if name is None else open_run(name)
