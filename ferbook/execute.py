"""One chapter, executed by papermill into a staging folder, verified, and moved into its run."""

import os
import time
import traceback
import uuid
from contextlib import suppress
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from ferbook import environment as environments
from ferbook import notebook as notebooks
from ferbook import paths
from ferbook.book import Chapter
from ferbook.errors import ChapterError, RunStoreError
from ferbook.files import remove, write_atomically
from ferbook.inputs import cells_digest, code_files, homes, reasons_to_rerun
from ferbook.notebook import COMPARED_TAG, code_cells, read_notebook, tags
from ferbook.opened import read_opened_files
from ferbook.records import read_json
from ferbook.steps import STEPS_VARIABLE
from ferbook.store import STAGING, Run, write_json

# How often a kernel is started before giving up: parallel kernels can race for ports.
KERNEL_STARTS = 3


class BoundKernelManager(AsyncKernelManager):
    """Starts a kernel that dies with this process. A kernel looks for its parent too, but in a thread, which
    waits where a cell computes without giving others a turn.
    """

    async def start_kernel(self, **kwargs: object) -> None:
        """Start the kernel, with ``kwargs`` for its process."""
        await super().start_kernel(preexec_fn=environments.end_with_parent, **kwargs)


class _Client(PapermillNotebookClient):
    """Refuses a compared cell that updates or clears what it showed: nbval, which executes it again, keeps
    every state, and finds a difference in an unchanged chapter.
    """

    def process_message(self, msg: dict, cell: nbformat.NotebookNode, cell_index: int) -> object:
        """As nbclient does. Raises ChapterError."""
        if msg["msg_type"] in ("clear_output", "update_display_data") and COMPARED_TAG in tags(cell):
            name = f"{notebooks.cell_name(self.nb, cell)} ({cell.get('id')})"
            why = "so that it would differ whenever it is executed again; take the tag away"
            raise ChapterError(f"{name} updates what it shows, and is tagged {COMPARED_TAG}, {why}")
        return super().process_message(msg, cell, cell_index)


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: object, kernel_name: str, **options: object) -> object:
        """Execute with ``_Client`` in place of papermill's."""
        for name in ("input_path", "start_timeout", "execution_timeout"):
            options.pop(name, None)
        return _Client(nb_man, kernel_name=kernel_name, startup_timeout=60, timeout=None, **options).execute()


_ENGINE = "ferbook"
papermill_engines.register(_ENGINE, _Engine)


def _literal(path: Path) -> str:
    """``path`` so that papermill, which fills parameters into ``{name}`` in paths, does not change it."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _execute(source: Path, target: Path, parameters: dict[str, object], progress: Path) -> None:
    """Run papermill; ``progress`` is rewritten at each cell. Only the kernel's start is retried."""
    total = len(code_cells(read_notebook(source)))
    counts = {"cells": 0}

    def note(cell: nbformat.NotebookNode, **_: object) -> None:
        if cell.cell_type == "code" and notebooks.INJECTED_TAG not in tags(cell):
            counts["cells"] += 1
            write_json(progress, {"cell": counts["cells"], "cells": total})

    for attempt in range(1, KERNEL_STARTS + 1):
        try:
            papermill.execute_notebook(
                _literal(source),
                _literal(target),
                parameters=parameters,
                cwd=paths.root(),
                progress_bar=False,
                request_save_on_cell_execute=True,
                on_cell_start=note,
                kernel_manager_class=BoundKernelManager,
                # Whatever the editor wrote: Colab's notebooks name no language, others another kernel.
                kernel_name="python3",
                language="python",
                engine_name=_ENGINE,
            )
            return
        except (RuntimeError, DeadKernelError):
            if counts["cells"] or attempt == KERNEL_STARTS:
                raise


def execute_chapter(chapter: Chapter, run: Run) -> None:
    """Execute ``chapter`` with the inputs that ``run`` holds for it and commit the result, unless that which
    is there is what they would give.

    Raises ChapterError where a cell fails, the executed notebook is not whole or cannot be stored. What there
    is of the notebook, and the error, are then in ``<chapter>.failed/``; an earlier result is not touched.
    """
    environments.die_with_owner()
    result = run.result(chapter.name)
    # A new folder for each attempt: the kernel of a killed command may write for a moment longer.
    place = run.work / STAGING / chapter.name
    with environments.held(run.work / f"{chapter.name}.lock"):
        remove(place)
        staging, settings = place / uuid.uuid4().hex, place / "jupyter"
        inputs = read_json(run.inputs_file(chapter.name))
        for name, home in inputs.pop("shared", {}).items():
            with environments.held(run.work / f"{name}.lock"):
                run.result(name).copy_from(Run(home, run.folder.with_name(home)).result(name))
        inputs["upstream"] = {name: run.result(name).artifact_digest() for name in chapter.upstream}
        if not (result.failed_folder.exists() or reasons_to_rerun(run, chapter, inputs)):
            return  # what it reads of a chapter upstream came out as before
        staging.mkdir(parents=True)
        settings.mkdir()
        os.environ |= environments.bare_jupyter(settings)
        source, opened = place / chapter.notebook.name, place / "opened"
        # Not a copy of the file: papermill does not read every notebook that an editor writes.
        nbformat.write(read_notebook(chapter.notebook), source)
        startup = place / "startup.py"
        call = f"record_opened_files({str(opened)!r}, {[str(home) for home in homes()]!r})"
        words = f"from ferbook.opened import record_opened_files\n{call}\ndel record_opened_files\n"
        write_atomically(startup, words)
        os.environ["PYTHONSTARTUP"] = str(startup)  # IPython's own folder for it may hold no brackets
        os.environ[environments.OUTPUT_VARIABLE] = str(staging)
        os.environ[environments.RUN_VARIABLE] = str(run.folder)
        os.environ[STEPS_VARIABLE] = str(run.progress_file(chapter.name).with_suffix(".steps"))
        # Deprecation warnings of libraries would be on the page, with a machine's path.
        os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning,ignore::DeprecationWarning")
        target = staging / f"{chapter.name}.ipynb"
        began, commit = time.monotonic(), environments.git_commit()
        try:
            _execute(source, target, inputs["parameters"], run.progress_file(chapter.name))
            notebook = read_notebook(target)
            if faults := notebooks.faults_of_execution(notebook) or notebooks.faults_of_comparison(notebook):
                raise ChapterError("; ".join(faults))
            notebooks.drop_papermill_metadata(notebook)
            nbformat.write(notebook, target)
            record = read_json(staging / "record.json")
            record |= {"seconds": round(time.monotonic() - began, 2), "commit": commit}
            write_json(staging / "record.json", record)
            inputs |= {"notebook": cells_digest(source), "code": code_files(read_opened_files(opened))}
            result.commit(staging, inputs)
        except Exception as fault:
            raise _failed(chapter, run, staging, fault) from fault
        finally:
            remove(place)


def _failed(chapter: Chapter, run: Run, staging: Path, fault: Exception) -> ChapterError:
    """Return the error to raise for a failed attempt, after storing it with what there is of the notebook.

    Whatever happens while that is stored, on a full disk for instance, the error is the first one.
    """
    where, message = _place_and_cause(chapter, run, staging, fault)
    folder = run.result(chapter.name).failed_folder
    with suppress(OSError):
        remove(folder)
        # The commit of a result may have failed when it had moved the folder already.
        staging.rename(folder) if staging.exists() else folder.mkdir(parents=True)
        write_json(folder / "failure.json", {"where": where, "error": message, "when": environments.now()})
        write_atomically(folder / "error.txt", "".join(traceback.format_exception(fault)))
    return ChapterError(f"chapter {chapter.name!r} failed in {where}: {message}")


def _place_and_cause(chapter: Chapter, run: Run, staging: Path, fault: Exception) -> tuple[str, str]:
    """Return where an attempt failed, and why, in words."""
    if isinstance(fault, RuntimeError | DeadKernelError):
        return "the kernel", f"the kernel died ({fault})"
    where = "the storing of its result"
    if isinstance(fault, PapermillExecutionError | CellExecutionError):
        where, printed = "its notebook", []
        with suppress(ChapterError, OSError, RunStoreError, KeyError):
            partial = read_notebook(staging / f"{chapter.name}.ipynb")
            ended = (
                c for c in code_cells(partial) if any(o.output_type == "error" for o in c.get("outputs", ()))
            )
            # Of a wrong magic command IPython only prints what is wrong: its cell is the last one begun.
            last = read_json(run.progress_file(chapter.name))["cell"] - 1
            cell = next(ended, code_cells(partial)[last])
            where = notebooks.cell_name(partial, cell)
            printed = "".join(o.text for o in cell.outputs if o.get("name") == "stderr").splitlines()
        cause = f"{fault.ename}: {fault.evalue}" if fault.evalue else (printed or [fault.ename])[-1]
        return where, cause.strip()
    if isinstance(fault, ChapterError):
        return "the check of its notebook", str(fault)
    return where, f"{type(fault).__name__}: {fault}"
