"""What the commands share: where they print, tables and JSON, and options that several of them take."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ferbook.terminal import filled_lines, table_lines

if TYPE_CHECKING:
    from ferbook.store import Run

# Lines are left to the terminal to break, so that they can be copied.
# What is printed may hold brackets (a path, a fault), which rich would take for its markup and swallow.
console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

RunName = Annotated[str | None, typer.Option("--run", metavar="NAME", help="The run's name below runs/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    for line in filled_lines(text, console.width if console.is_terminal else len(text) + indent, indent):
        console.print(line)


def chosen_run(name: str | None) -> "Run":
    """The run that an option ``--run`` names, or else the one that `ferbook run` was last called for: who
    asks prints which it was.
    """
    from ferbook.store import current_run, open_run

    return current_run() if name is None else open_run(name)
