"""Where everything lives. The only file that knows.

A book is a folder with ``_toc.yml`` and ``book/``. It is looked for from the working directory upwards,
unless ``FERBOOK_ROOT`` names it; where neither leads to one, it is the checkout that this package lies in.
``FER_RUNS`` moves the run store, ``XDG_STATE_HOME`` the note of the results that were made on this machine.
"""

import os
from pathlib import Path

from ferbook.errors import ParameterError

ENGINE = Path(__file__).resolve().parent
WORKFLOW = ENGINE / "workflow"  # Snakemake imports from its folder, so no module lies there
ROOT_VARIABLE = "FERBOOK_ROOT"
RUNS_VARIABLE = "FER_RUNS"


def absolute(path: Path | str) -> Path:
    """Return the absolute path that a user means; ``~`` is a home. Raises ParameterError if it is unknown."""
    try:
        return Path(path).expanduser().resolve()
    except RuntimeError as fault:
        raise ParameterError(f"{path}: there is no such user here, or a circle of links") from fault


def from_environment(variable: str, default: Path) -> Path:
    """Return the absolute path that the environment variable holds, or else ``default``."""
    value = os.environ.get(variable)
    return absolute(value) if value else default


def root() -> Path:
    """Return the book's folder."""
    here = Path.cwd()
    places = (place for place in (here, *here.parents) if (place / "_toc.yml").is_file())
    book = next((place for place in places if (place / "book").is_dir()), ENGINE.parent)
    return from_environment(ROOT_VARIABLE, book)


def pages() -> Path:
    """Folder of the pages, with one folder a chapter."""
    return root() / "book"


def toc() -> Path:
    """Return the file of the table of contents, as Jupyter Book reads it."""
    return root() / "_toc.yml"


def claims_file() -> Path:
    """Return the file of the claims and of what decides them; a book may have none."""
    return root() / "claims.yaml"


def build_folder() -> Path:
    """Return the folder in which the book is built."""
    return root() / "_build"


def runs_dir() -> Path:
    """Folder of the run store: one folder per run."""
    return from_environment(RUNS_VARIABLE, root() / "runs")


def local_results() -> Path:
    """Return the list of this user's results, a file outside the book, where no unpacked archive writes."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home: nothing is noted, and nothing is found
        home = Path(os.devnull)
    return from_environment("XDG_STATE_HOME", home / ".local" / "state") / "ferbook" / "local-results"
