"""Chapters in JupyterLab with a run's parameters: copies outside the book, which does not change."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat

from ferbook import paths
from ferbook.book import Chapter, child_environment
from ferbook.environment import RUN_VARIABLE
from ferbook.errors import MissingError
from ferbook.files import write_atomically
from ferbook.notebook import code_cells, parameters_source, read_notebook
from ferbook.request import stored_request
from ferbook.store import INTERACTIVE, Run

# JupyterLab does not look on the network for a newer version.
QUIET = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"


def copy_for(run: Run, chapter: Chapter) -> tuple[Path, bool]:
    """Return a copy of the chapter's notebook whose parameters are those of ``run``, below
    ``runs/interactive``, and whether that is an earlier copy, which is not changed.

    Raises RunStoreError where there is no such run.
    """
    file = paths.runs_dir() / INTERACTIVE / "notebooks" / run.name / f"{chapter.name}.ipynb"
    parameters = stored_request(run.record()["request"]).of_chapter(chapter).model_dump()
    if file.exists():
        return file, True
    notebook = read_notebook(chapter.notebook)
    code_cells(notebook)[0].source = parameters_source(parameters)
    notebook.cells[0].source = notebook.cells[0].source.replace("<!-- title -->", chapter.title)
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
