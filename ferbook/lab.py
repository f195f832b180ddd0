"""Chapters in JupyterLab with a run's parameters: copies outside the book, which stays as it is."""

import hashlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ferbook import paths
from ferbook.book import Chapter, child_environment
from ferbook.environment import RUN_VARIABLE
from ferbook.errors import MissingError
from ferbook.files import write_atomically
from ferbook.notebook import code_cells, parameters_source, read_notebook
from ferbook.request import stored_request
from ferbook.store import INTERACTIVE, Run

QUIET = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
"""JupyterLab asks no other host whether there is a newer one."""

WRITTEN = "ferbook_written"
"""The notebook's metadata under which a copy says what it was written as."""


def _content(notebook: NotebookNode) -> str:
    """SHA-256 (hex) of what a reader edits: the cells' sources."""
    return hashlib.sha256(repr([cell.source for cell in notebook.cells]).encode()).hexdigest()


def copy_for(run: Run, chapter: Chapter) -> tuple[Path, bool]:
    """A copy of the chapter's notebook whose parameters are those of ``run``, below ``runs/interactive``, and
    whether an earlier copy stays since somebody has edited it.

    Raises RunStoreError where there is no such run.
    """
    file = paths.runs_dir() / INTERACTIVE / "notebooks" / run.name / f"{chapter.name}.ipynb"
    notebook = read_notebook(chapter.notebook)
    parameters = stored_request(run.record()["request"]).of_chapter(chapter).model_dump()
    cell = code_cells(notebook)[0]
    cell.source = parameters_source(parameters)
    notebook.cells[0].source = notebook.cells[0].source.replace("<!-- title -->", chapter.title)
    notebook.metadata[WRITTEN] = _content(notebook)
    if file.exists():
        earlier = read_notebook(file)
        if earlier.metadata.get(WRITTEN) != _content(earlier):
            return file, True
        if _content(earlier) == _content(notebook):  # with its outputs
            return file, False
    write_atomically(file, nbformat.writes(notebook) + "\n")
    return file, False


def open_lab(run: Run, place: Path) -> None:
    """Become JupyterLab, on a notebook or a folder of them; chapters find what is upstream of them in
    ``run``.
    """
    command = [sys.executable, "-m", "jupyterlab", str(place), QUIET]
    os.execve(sys.executable, command, child_environment(**{RUN_VARIABLE: str(run.folder)}))


def require_lab() -> None:
    """Raise MissingError, with the command that installs it, where there is no JupyterLab."""
    if find_spec("jupyterlab") is None:
        raise MissingError(
            f"JupyterLab is not installed: `cd {paths.ENGINE.parent} && {sys.executable} -m pip install -c "
            "constraints.txt -e '.[notebook]'`"
        )
