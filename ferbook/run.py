"""Running chapters: say what is out of date and why, and let Snakemake schedule the rest."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ferbook.book import Chapter, longest_chain, suite, with_upstream
from ferbook.environment import git_commit
from ferbook.errors import ChapterError, RunStoreError
from ferbook.files import is_leftover
from ferbook.inputs import chapter_inputs, package_versions
from ferbook.notebook import require_parameters_cell
from ferbook.owner import now
from ferbook.parameters import Parameters
from ferbook.records import read_json
from ferbook.request import Request, stored_request
from ferbook.schedule import QueueJob, finished_file, start_jobs, stop_jobs
from ferbook.state import ChapterState, differences, states
from ferbook.store import Run, exclusive, make_current, open_run, write_json

_ERROR_LINE = re.compile(r"^(?:ferbook: |[\w.]+(?:Error|Exception): ).*", re.MULTILINE)
"""A line of a chapter's log that says what went wrong; a kernel's warnings do not."""


def write_record(run: Run, request: Request, parameters: Mapping[str, Parameters]) -> None:
    """``run.yaml``: the request and, for each finished chapter, what its result was made from."""
    earlier = run.record() if run.exists() else {}
    requests = earlier.get("request", {}).get("parameters", {})
    chapters = {}
    for result in run.results():
        # A damaged chapter is about to run again, which a record that cannot be written would prevent.
        with contextlib.suppress(RunStoreError):
            chapters[result.chapter] = result.summary()
    content = {
        "run": run.name,
        "request": {
            "profile": request.profile,
            "parameters": requests | {name: model.model_dump() for name, model in parameters.items()},
        },
        "chapters": chapters,
    }
    # A command that found nothing to do changes nothing, the time of the last change included.
    if any(earlier.get(name) != value for name, value in content.items()):
        versions = package_versions() | {"python": sys.version.split()[0]}
        times = {"created": earlier.get("created", now()), "changed": now()}
        run.write_record(content | times | {"commit": git_commit(), "versions": versions})


def chapter_job(
    run: Run, chapter: Chapter, inputs: Mapping[str, object], homes: Mapping[str, str]
) -> QueueJob:
    """The job that executes ``chapter`` in ``run`` with the ``inputs``.

    ``homes``: chapters upstream that are to be made first -> the run in which; what lies in another one is
    taken from there.
    """
    write_json(run.inputs_file(chapter.name), inputs)
    run.progress_file(chapter.name).unlink(missing_ok=True)
    run.log_file(chapter.name).unlink(missing_ok=True)
    words = ("_execute", chapter.name, str(run.folder))
    return QueueJob(chapter.name, run.name, words, run.log_file(chapter.name), tuple(homes.items()))


def chapter_failure(board: Path, run: Run, chapters: list[Chapter], since: str) -> ChapterError | None:
    """What became of the first of ``chapters``, jobs on ``board``, that failed ``since`` then; None where
    none of them left a word.
    """
    for chapter in chapters:
        failure = run.result(chapter.name).failed_folder / "failure.json"
        report = read_json(failure) if failure.exists() else {}
        if report.get("when", "") >= since:
            return ChapterError(
                f"chapter {chapter.name!r} failed in {report['where']}: {report['error']}\n"
                f"  partial notebook: {failure.parent / f'{chapter.name}.ipynb'}\n"
                f"  log: {run.log_file(chapter.name)}"
            )
    for chapter in chapters:
        log = run.log_file(chapter.name)
        if log.exists() and not finished_file(board, chapter.name, run.name).exists():
            lines = _ERROR_LINE.findall(log.read_text(encoding="utf-8", errors="replace"))
            why = (
                lines[-1].removeprefix("ferbook: ") if lines else "killed from outside, or the memory ran out"
            )
            return ChapterError(f"chapter {chapter.name!r} ended without a result: {why}\n  log: {log}")
    return None


def run_chapters(
    request: Request | None,
    names: list[str],
    run_name: str | None = None,
    *,
    cores: int | None = None,
    threads: int | None = None,
    update: bool = False,
    replace: bool = False,
    wait: bool = False,
    current: bool = True,
    watch: Callable[[Run, list[ChapterState], subprocess.Popen], None],
) -> tuple[Run, list[ChapterState]]:
    """Bring the named chapters, and what they depend on, up to date in a run.

    Without a ``request``, as an existing run was asked for, or with the defaults in a new one. ``threads`` of
    each chapter: as ``threads_of_each`` where not given. ``current``: commands that name no run take this one
    from now on. ``watch`` is called once Snakemake works, shows progress, and returns when it has ended.
    Returns the run and the states found before. Raises ParameterError, BookError, RunStoreError, and what the
    book's own check refuses, before anything executes; ChapterError where a chapter fails.
    """
    run = open_run((request or Request()).default_run_name if run_name is None else run_name)
    if request is None:
        request = stored_request(run.record()) if run.exists() else Request()
    request.check()
    chapters = with_upstream(names)
    parameters = {chapter.name: request.of_chapter(chapter) for chapter in chapters}
    require_run(run)
    for chapter in chapters:
        require_parameters_cell(chapter)
    suite().check(parameters)
    with exclusive(run, wait):
        # Not before the run is ours: while we waited, its holder may have given it other parameters.
        if not (update or replace):
            advice = "--update runs again what these change, --replace starts the run anew, --run NAME makes"
            require_same(run, parameters, f"{advice} another")
        mend(run, chapters)
        chapter_states = states(run, chapters, parameters)
        # What is refused now makes no run, and changes none.
        suite().prepare(
            [parameters[state.chapter] for state in chapter_states if replace or not state.up_to_date]
        )
        if replace:
            _empty(run)
            chapter_states = states(run, chapters, parameters)
        write_record(run, request, parameters)
        if current:
            make_current(run)
        if all(state.up_to_date for state in chapter_states):
            return run, chapter_states
        since = now()
        stale = {
            state.chapter: chapter
            for state, chapter in zip(chapter_states, chapters, strict=True)
            if not state.up_to_date
        }
        jobs = [
            chapter_job(
                run,
                chapter,
                chapter_inputs(chapter, parameters[name]),
                {other: run.name for other in chapter.upstream if other in stale},
            )
            for name, chapter in stale.items()
        ]
        process = start_jobs(
            run.work,
            jobs,
            {name: chapter.resources for name, chapter in stale.items()},
            cores=cores or os.cpu_count() or 1,
            threads=threads,
            priorities={name: longest_chain(name, request.profile) for name in stale},
        )
        try:
            watch(run, chapter_states, process)
            process.wait()
        except BaseException:
            stop_jobs(process)
            raise
        finally:
            write_record(run, request, parameters)
        log = f"Snakemake's log: {run.work / 'snakemake.log'}"
        if process.returncode:
            fault = chapter_failure(run.work, run, list(stale.values()), since)
            raise ChapterError(f"{fault or 'Snakemake ended with an error'}\n  {log}")
        # Snakemake's word is not enough: it ends without an error also where it executed nothing.
        unmade = [state for state in states(run, chapters, parameters) if not state.up_to_date]
        if unmade:
            reasons = ", ".join(f"{state.chapter} ({'; '.join(state.reasons)})" for state in unmade)
            raise ChapterError(f"Snakemake ended without an error, but not up to date: {reasons}\n  {log}")
    return run, chapter_states


def require_run(run: Run) -> None:
    """Raise RunStoreError where a folder of other files lies in the place of ``run``."""
    if (
        run.folder.exists()
        and not run.exists()
        # A first command that was killed while it wrote run.yaml leaves a part of that.
        and any(f not in _kept(run) and not is_leftover(f, run.record_file) for f in run.folder.iterdir())
    ):
        raise RunStoreError(
            f"{run.folder} exists but holds no run.yaml: it is not a run; choose another --run NAME"
        )


def require_same(run: Run, parameters: Mapping[str, Parameters], advice: str) -> None:
    """Raise RunStoreError, ending in ``advice``, where ``run`` has results by other parameters."""
    if not run.exists():
        return
    changes = differences(run.record()["request"]["parameters"], parameters)
    if changes and run.results():
        raise RunStoreError(f"run {run.name!r} exists with other parameters ({'; '.join(changes)}); {advice}")


def mend(run: Run, chapters: list[Chapter]) -> None:
    """Bring ``run``, which is held, and its ``chapters`` to where no command was interrupted."""
    for file in run.folder.iterdir():
        if is_leftover(file, run.record_file):
            file.unlink()
    for chapter in chapters:
        run.result(chapter.name).recover()


def _kept(run: Run) -> list[Path]:
    """What lies in a run's folder but is made by no chapter: the lock that guards it, and what the book
    keeps there.
    """
    return [run.work, *(run.folder / name for name in suite().kept)]


def _empty(run: Run) -> None:
    """Remove what the run's chapters made; ``run.yaml`` last, as without it no command would know the rest
    for a run.
    """
    for entry in run.folder.iterdir():
        if entry not in (*_kept(run), run.record_file):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    run.record_file.unlink(missing_ok=True)
