"""What the commands share: where they print, tables and JSON, and options that several of them take."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

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
    """Print ``rows`` under ``title``, as wide as the terminal allows."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        # The first column names what other commands take, so it must not be broken.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table, soft_wrap=False)


def chosen_run(name: str | None) -> "Run":
    """The run that an option ``--run`` names, or else the one that `ferbook run` was last called for: who
    asks prints which it was.
    """
    from ferbook.store import current_run, open_run

    return current_run() if name is None else open_run(name)
