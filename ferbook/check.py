"""Is the book still true? This checkout's chapters executed through nbval with a run's parameters, and the
numbers compared with those that the run stored.
"""

import io
import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import disk_usage

import nbformat
import numpy as np
import pandas as pd
from IPython.core.displayhook import DisplayHook
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from ferbook import environment as environments
from ferbook import notebook as notebooks
from ferbook.book import Chapter, child_environment, suite, with_upstream
from ferbook.environment import printed_by_failure
from ferbook.errors import ChapterError, FerError
from ferbook.estimate import Estimate
from ferbook.files import read_plain, remove
from ferbook.parameters import Parameters
from ferbook.steps import steps
from ferbook.store import STAGING, ChapterResult, Run

# Of a figure's or a table's numbers.
MOST_COLUMNS = 1000
# Characters of a fault that are shown: a run may bring cells of megabytes.
LONGEST_FAULT = 400
# Bytes on a disk below which it counts as full.
_LEAST_SPACE = 2**20
# A line of nbval's log that names an exception, of a cell or of pytest.
_ERROR_LINE = re.compile(r"(?:E +)?(?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b(?:: |$)")
# Relative difference that only says how a number was written down.
_ROUNDING = 1e-9


def faults_of_notebook(path: Path) -> list[str]:
    """Return why nbval's verdict on the notebook at ``path`` would be worth nothing; empty if it would not.

    nbval passes a notebook without outputs, so one that is stripped or was not executed is a fault here.
    """
    notebook = notebooks.read_notebook(path)
    faults = [*notebooks.faults_of_execution(notebook), *notebooks.faults_of_comparison(notebook)]
    if not any(notebooks.COMPARED_TAG in notebooks.tags(cell) for cell in notebook.cells):
        faults.append(f"no cell is tagged {notebooks.COMPARED_TAG}")
    return faults


def _unpaired(what: str, before: Collection[str], again: Collection[str]) -> list[str]:
    faults = [f"{what} {name}: missing when executed again" for name in before if name not in again]
    return faults + [f"{what} {name}: new when executed again" for name in again if name not in before]


def compare_metrics(metrics: Mapping[str, Estimate], again: Mapping[str, Estimate]) -> list[str]:
    """Return metrics that differ by more than their own tolerance, are missing or are new."""
    faults = _unpaired("metric", metrics, again)
    for name in metrics.keys() & again.keys():
        for part in ("value", "low", "high", "n"):
            before, after = getattr(metrics[name], part), getattr(again[name], part)
            tolerance = 0 if part == "n" else metrics[name].tolerance
            limit = tolerance + _ROUNDING * abs(before or 0)
            if before != after and (None in (before, after) or abs(before - after) > limit):
                faults.append(f"metric {name}, {part}: {before} → {after} (tolerance {tolerance:g})")
    return sorted(faults)


def compare_shown(result: ChapterResult, again: Path) -> list[str]:
    """Return figures and tables whose numbers differ by more than the tolerance they declared, or that are
    missing or new.
    """
    faults = []
    for kind in ("figures", "tables"):
        entries = getattr(result.record(), kind)
        present = sorted(file.stem for file in (again / kind).glob("*.csv"))
        faults += _unpaired(kind[:-1], entries, present)
        for name in filter(entries.__contains__, present):
            before, after = (folder / kind / f"{name}.csv" for folder in (result.folder, again))
            faults += _compare_csv(f"{kind[:-1]} {name}", before, after, entries[name].tolerance)
    return faults


def _stored_table(file: Path) -> pd.DataFrame:
    """The numbers of a run, which may come from anybody. Raises OSError, and ValueError for no table."""
    content = read_plain(file)
    if content.partition(b"\n")[0].count(b",") > MOST_COLUMNS:
        raise ValueError(f"more than {MOST_COLUMNS:,} columns")
    return pd.read_csv(io.BytesIO(content))


def _compare_csv(
    what: str, before: Path, after: Path, tolerance: float | dict[str, float] | None
) -> list[str]:
    try:
        first, second = _stored_table(before), pd.read_csv(after)
    except (OSError, ValueError) as fault:
        return [f"{what}: its CSV is no table ({' '.join(str(fault).split())})"]
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        return [f"{what}: another table ({first.shape} → {second.shape})"]
    if tolerance is None:
        return []
    faults = []
    for column in first.columns:
        limit = tolerance.get(column, 0.0) if isinstance(tolerance, dict) else tolerance
        faults += _differing(f"{what}, column {column}", first[column], second[column], limit)
    return faults


def _differing(what: str, before: pd.Series, after: pd.Series, tolerance: float) -> list[str]:
    if all(pd.api.types.is_numeric_dtype(column) for column in (before, after)):
        pair = before.astype(float), after.astype(float)
        close = np.isclose(*pair, rtol=_ROUNDING, atol=tolerance, equal_nan=True)
    else:
        # An empty text is read as missing, and missing is equal to nothing.
        texts = (column.astype(object).fillna("").astype(str) for column in (before, after))
        close = np.equal(*(text.to_numpy(object) for text in texts)).astype(bool)
    if close.all():
        return []
    row = int(np.flatnonzero(~close)[0])
    return [
        f"{what}: {int((~close).sum())} of {len(close)} numbers differ, first in row {row}: "
        f"{before.iloc[row]} → {after.iloc[row]} (tolerance {tolerance:g})"
    ]


def todays_notebook(chapter: Chapter, result: ChapterResult) -> tuple[NotebookNode, list[str]]:
    """Return the checkout's notebook of ``chapter`` with the outputs that ``result`` stored for the same
    code, and which cells' code differs: what a run brings along is compared, and never executed.
    """
    notebook, executed = notebooks.read_notebook(chapter.notebook), notebooks.read_notebook(result.notebook)
    faults, past = [], notebooks.cells_executed(notebook, executed)
    for cell in notebooks.code_cells(notebook):
        ran = past.pop(cell.id, None)
        if ran and ran.source == cell.source:
            cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
            continue
        faults.append(f"cell {cell.id!r}: the code of the run is not that of this checkout")
        cell.metadata["tags"] = [tag for tag in notebooks.tags(cell) if tag != notebooks.COMPARED_TAG]
    return notebook, [*faults, *(f"cell {name!r}: this checkout has no such cell" for name in past)]


def _log_file(run: Run, chapter: str) -> Path:
    """Return the log of nbval, when the chapter was last executed again."""
    return run.work / "logs" / f"{chapter}.check.log"


def _is_silenced(cell: NotebookNode) -> bool:
    """Return whether IPython shows nothing of the cell's last value: its last token but comments is a
    semicolon.
    """
    return DisplayHook.semicolon_at_end_of_expression(TransformerManager().transform_cell(cell.source))


def _execute_again(
    chapter: Chapter, result: ChapterResult, run: Run, parameters: Parameters
) -> tuple[list[str], int]:
    """Run the checkout's chapter under nbval in a separate folder. Returns the differences, and how many
    metrics are the same to the last digit.

    Raises ChapterError where it ended before anything could be compared.
    """
    notebook, faults = todays_notebook(chapter, result)
    busy = f"{chapter.name} of run {run.name!r} is being checked by {{}}"
    # In the run, not among temporary files: the next check removes what a killed one left.
    place = run.work / STAGING / f"{chapter.name}.check"
    with environments.held(run.work / f"{chapter.name}.check.lock", busy):
        remove(place)
        try:
            again, copy = place / "again", place / result.notebook.name
            again.mkdir(parents=True)
            notebooks.code_cells(notebook)[0].source = notebooks.parameters_source(parameters.model_dump())
            for cell in filter(_is_silenced, notebooks.code_cells(notebook)):
                cell.source += "\nNone"  # nbval keeps no history, by which IPython knows of the semicolon
            nbformat.write(notebook, copy)
            log = _log_file(run, result.chapter)
            printed = printed_by_failure(_nbval(copy), log, _environment(result, run, again), place)
            if printed is not None:
                return [*faults, *_differences(printed, place), f"nbval's log: {log}"], 0
            before, after = result.metrics(), ChapterResult(result.chapter, again).metrics()
            faults += compare_metrics(before, after) + compare_shown(result, again)
            return faults, sum(before[name] == after.get(name) for name in before)
        finally:
            remove(place)


def _nbval(notebook: Path) -> list[str]:
    """Return the command that executes a notebook again, from its folder: pytest takes what follows a bracket
    in a path for parameters. It reads no conftest.py, which a run might bring.
    """
    return [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--noconftest"),
        *("--rootdir", str(notebook.parent), "-c", os.devnull, "-q", "--no-header", "--tb=short"),
        *("--color=no", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "7200", notebook.name),
    ]


def _environment(result: ChapterResult, run: Run, output: Path) -> dict[str, str]:
    """Return where the chapter writes, and the settings and threads with which it was executed."""
    environment = child_environment(
        **{environments.OUTPUT_VARIABLE: str(output), environments.RUN_VARIABLE: str(run.folder)},
        **{environments.STORED_VARIABLE: str(result.folder / "record.json")},
        **environments.bare_jupyter(output.parent),
    )
    environment.pop("PYTEST_ADDOPTS", None)  # such as --collect-only, which would pass whatever is stored
    if threads := result.record().threads:
        # Sums in another order differ in their last digits, which training makes larger.
        environment |= dict.fromkeys((environments.THREADS_VARIABLE, "OMP_NUM_THREADS"), str(threads))
    return environment


def _differences(printed: Sequence[str], place: Path) -> list[str]:
    """Return the cells in which nbval found a difference, from what it ``printed``. Raises ChapterError where
    a cell failed, or nbval itself, so that nothing was compared.
    """
    errors = [line.strip() for line in printed if _ERROR_LINE.match(line.strip())]
    if errors and any(re.search("caused an exception|INTERNALERROR", line) for line in printed):
        raise ChapterError(errors[-1])
    if failures := [line.strip() for line in printed if line.startswith("FAILED")]:
        return failures
    full = disk_usage(place).free < _LEAST_SPACE
    raise ChapterError(
        f"no space left on the device of {place}" if full else "nbval ended early: " + "; ".join(printed[-3:])
    )


def _check_chapter(chapter: Chapter, run: Run, again: bool) -> dict[str, object]:
    def row(state: str, faults: Sequence[str] = (), executed: bool = False) -> dict[str, object]:
        shown = [f"{fault:.{LONGEST_FAULT}}" for fault in faults]
        return {"chapter": chapter.name, "executed": executed, "faults": shown, "state": state}

    result = run.result(chapter.name)
    if faults := result.faults() or faults_of_notebook(result.notebook):
        return row("failed: the stored result cannot be trusted", faults)
    if not again:
        return row("stored result whole")
    inputs = result.done()["inputs"].get("parameters", {})
    values = {name: value for name, value in inputs.items() if name in chapter.parameters.model_fields}
    try:
        parameters = chapter.resolve(run.record()["request"]["profile"], values)
        suite().check({chapter.name: parameters})
        faults, exact = _execute_again(chapter, result, run, parameters)
    except (FerError, OSError) as fault:
        return row("failed: it could not be executed again", [" ".join(str(fault).split())])
    if faults:
        return row("failed: executed again, it differs", faults, executed=True)
    shown, digits = result.record(), f"{len(result.metrics())} metrics, {exact} of them to the last digit"
    extent = f"{digits}; {len(shown.figures)} figures, {len(shown.tables)} tables, every compared cell"
    return row(f"executed again, agrees ({extent})", executed=True)


def check_run(run: Run, names: list[str], *, one: bool = False) -> list[dict[str, object]]:
    """Check the named chapters of a run (where none is named, all of the run's request): one row each, with
    ``state`` and ``faults``.

    ``one``: execute again only one, the quickest of those that never were, or else the one that was longest
    ago; the others' stored results are still verified. Raises RunStoreError where there is no such run.
    """
    selection = names or run.record()["request"]["parameters"]
    chapters = [chapter for chapter in with_upstream(names) if not selection or chapter.name in selection]
    whole = [result for each in chapters if not (result := run.result(each.name)).faults()]
    took = {each.chapter: each.record().seconds or 0.0 for each in whole}
    if one and took:
        logs = {name: _log_file(run, name) for name in took}
        last = {name: log.stat().st_mtime_ns if log.exists() else 0 for name, log in logs.items()}
        turn = min(took, key=lambda name: (last[name], took[name]))
        took = {turn: took[turn]}
    seconds, threads = sum(took.values()), max((each.record().threads or 1 for each in whole), default=1)
    at_once = max(1, (os.cpu_count() or 1) // threads)  # each has the threads that it was made with

    def row(each: Chapter) -> dict[str, object]:
        found = _check_chapter(each, run, each.name in took)
        if each.name in took:
            advance(1, took[each.name] / seconds if seconds else None)
        return found

    expected = steps("check: chapters", len(took) or 1, seconds / at_once)
    with ThreadPoolExecutor(at_once) as pool, expected as advance:
        return list(pool.map(row, chapters))
