"""Running chapters: say what is out of date and why, and let Snakemake schedule the rest."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import psutil

from ferbook import paths
from ferbook.book import Chapter, find_chapter, suite, with_upstream
from ferbook.environment import child_environment, git_commit
from ferbook.errors import ChapterError, RunStoreError
from ferbook.files import is_leftover
from ferbook.inputs import chapter_inputs
from ferbook.notebook import require_parameters_cell
from ferbook.owner import OWNER_VARIABLE, end_with_parent, now, owner
from ferbook.parameters import Parameters
from ferbook.records import read_json
from ferbook.request import Request, stored_request
from ferbook.state import ChapterState, differences, states
from ferbook.store import Run, exclusive, make_current, open_run, write_json

WORTHWHILE_THREADS = 4
"""Threads of a chapter, where there are cores for several chapters of so many: small networks gain little
from more.
"""

_ERROR_LINE = re.compile(r"^(?:ferbook: |[\w.]+(?:Error|Exception): ).*", re.MULTILINE)
"""A line of a chapter's log that says what went wrong; a kernel's warnings do not."""


def _write_record(run: Run, request: Request, parameters: Mapping[str, Parameters]) -> None:
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
        versions = {name: version(name) for name in suite().packages} | {"python": sys.version.split()[0]}
        times = {"created": earlier.get("created", now()), "changed": now()}
        run.write_record(content | times | {"commit": git_commit(), "versions": versions})


def threads_of_each(cores: int, chapters: int) -> int:
    """Threads of each of ``chapters`` (≥ 1) that may run side by side on ``cores`` (≥ 1): all cores for one
    chapter, half of few cores for several.

    Two trainings side by side are done some eighth sooner than one after the other on twice the threads
    (``benchmarks/training.py --parts side_by_side``), and what a chapter does on one thread, such as
    resampling and drawing, leaves no core idle.
    """
    at_once = min(chapters, max(2, cores // WORTHWHILE_THREADS))
    return max(1, cores // at_once)


def _snakemake(run: Run, chapters: list[Chapter], cores: int, threads: int = 1) -> subprocess.Popen:
    """Snakemake on the run's folder, by its documented command line; ``threads`` for each chapter."""
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(paths.SNAKEFILE), "--directory", str(run.folder)),
        *("--cores", str(cores), "--rerun-triggers", "mtime", "--rerun-incomplete", "--nocolor"),
        "--nolock",  # we hold the run ourselves, and our lock ends with us
        *("--config", f"chapters={','.join(chapter.name for chapter in chapters)}", f"threads={threads}"),
        # The user's profiles, also of $SNAKEMAKE_PROFILE and ./profiles, may ask for a dry run or a cluster.
        *("--profile", "none", "--workflow-profile", "none"),
    ]
    with (run.work / "snakemake.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=child_environment(**{OWNER_VARIABLE: owner()}),
            preexec_fn=end_with_parent,
        )


def _mark(run: Run, chapter_states: list[ChapterState], parameters: Mapping[str, Parameters]) -> None:
    """Tell Snakemake by files what is to be done; our judgement is by content, its own by time."""
    moment = 1_000_000_000
    for state in chapter_states:
        inputs = chapter_inputs(find_chapter(state.chapter), parameters[state.chapter])
        write_json(run.inputs_file(state.chapter), inputs)
        os.utime(run.inputs_file(state.chapter), (moment, moment))
        marker = run.marker(state.chapter)
        run.progress_file(state.chapter).unlink(missing_ok=True)
        if state.up_to_date:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
            os.utime(marker, (moment + 1, moment + 1))
            moment += 2
        else:
            marker.unlink(missing_ok=True)
            run.log_file(state.chapter).unlink(missing_ok=True)


def _failure(run: Run, chapters: list[Chapter], since: str) -> ChapterError:
    for chapter in chapters:
        failure = run.result(chapter.name).failed_folder / "failure.json"
        report = read_json(failure) if failure.exists() else {}
        if report.get("when", "") >= since:
            return ChapterError(
                f"chapter {chapter.name!r} failed in {report['where']}: {report['error']}\n"
                f"  partial notebook: {failure.parent / f'{chapter.name}.ipynb'}\n"
                f"  log: {run.log_file(chapter.name)}"
            )
    snakemake = f"Snakemake's log: {run.work / 'snakemake.log'}"
    for chapter in chapters:
        log = run.log_file(chapter.name)
        if log.exists() and not run.marker(chapter.name).exists():
            lines = _ERROR_LINE.findall(log.read_text(encoding="utf-8", errors="replace"))
            why = (
                lines[-1].removeprefix("ferbook: ") if lines else "killed from outside, or the memory ran out"
            )
            return ChapterError(
                f"chapter {chapter.name!r} ended without a result: {why}\n  log: {log}\n  {snakemake}"
            )
    return ChapterError(f"Snakemake ended with an error; {snakemake}")


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
    watch: Callable[[Run, list[ChapterState], subprocess.Popen], None],
) -> tuple[Run, list[ChapterState]]:
    """Bring the named chapters, and what they depend on, up to date in a run.

    Without a ``request``, as an existing run was asked for, or with the defaults in a new one. ``threads`` of
    each chapter: as ``threads_of_each`` where not given. ``watch`` is called once Snakemake works, shows
    progress, and returns when it has ended. Returns the run and the states found before. Raises
    ParameterError, BookError, RunStoreError, and what the book's own check refuses, before anything executes;
    ChapterError where a chapter fails.
    """
    run = open_run((request or Request()).default_run_name if run_name is None else run_name)
    if request is None:
        request = stored_request(run.record()) if run.exists() else Request()
    request.check()
    chapters = with_upstream(names)
    parameters = {chapter.name: request.of_chapter(chapter) for chapter in chapters}
    if (
        run.folder.exists()
        and not run.exists()
        # A first command that was killed while it wrote run.yaml leaves a part of that.
        and any(f not in _kept(run) and not is_leftover(f, run.record_file) for f in run.folder.iterdir())
    ):
        raise RunStoreError(
            f"{run.folder} exists but holds no run.yaml: it is not a run; choose another --run NAME"
        )
    for chapter in chapters:
        require_parameters_cell(chapter)
    suite().check(parameters)
    with exclusive(run, wait):
        for file in run.folder.iterdir():
            if is_leftover(file, run.record_file):
                file.unlink()
        if replace:
            _empty(run)
        elif run.exists() and not update:
            # Not before the run is ours: while we waited, its holder may have given it other parameters.
            changes = differences(run.record()["request"]["parameters"], parameters)
            if changes and run.results():
                raise RunStoreError(
                    f"run {run.name!r} exists with other parameters ({'; '.join(changes)}); "
                    "--update runs again what these change, --replace starts the run anew, --run NAME makes "
                    "another"
                )
        for chapter in chapters:
            run.result(chapter.name).recover()
        _write_record(run, request, parameters)
        make_current(run)
        chapter_states = states(run, chapters, parameters)
        if all(state.up_to_date for state in chapter_states):
            return run, chapter_states
        suite().prepare([parameters[state.chapter] for state in chapter_states if not state.up_to_date])
        _mark(run, chapter_states, parameters)
        since = now()
        cores = cores or os.cpu_count() or 1
        stale = sum(not state.up_to_date for state in chapter_states)
        process = _snakemake(run, chapters, cores, threads or threads_of_each(cores, stale))
        try:
            watch(run, chapter_states, process)
            process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            _write_record(run, request, parameters)
        if process.returncode:
            raise _failure(run, chapters, since)
        # Snakemake's word is not enough: it ends without an error also where it executed nothing.
        unmade = [state for state in states(run, chapters, parameters) if not state.up_to_date]
        if unmade:
            reasons = ", ".join(f"{state.chapter} ({'; '.join(state.reasons)})" for state in unmade)
            raise ChapterError(
                f"Snakemake ended without an error, but not up to date: {reasons}\n"
                f"  Snakemake's log: {run.work / 'snakemake.log'}"
            )
    return run, chapter_states


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


def _stop(process: subprocess.Popen) -> None:
    """End Snakemake and everything below it, and wait until all are gone."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=5)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(alive)
