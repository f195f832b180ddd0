"""Running chapters, in one run or in several that differ in some parameters: find what is stale, and
let Snakemake schedule it.

A chapter that several runs would make from the same is made in one of them, and the others take it.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ferbook import paths
from ferbook.book import Chapter, longest_chain, suite, with_upstream
from ferbook.environment import git_commit, now, uncommitted
from ferbook.errors import ParameterError, RunStoreError
from ferbook.files import digest_of, is_leftover
from ferbook.inputs import ChapterState, chapter_inputs, package_versions, states
from ferbook.notebook import require_parameters_cell
from ferbook.parameters import Parameters
from ferbook.progress import run_jobs
from ferbook.records import read_json
from ferbook.request import Request, requests_of, stored_request
from ferbook.schedule import QueueJob, cluster_messages, finished_file
from ferbook.store import REFERENCE, Run, exclusive, make_current, open_run, write_json

# A line of a chapter's log that says what went wrong; a kernel's warnings do not.
_ERROR_LINE = re.compile(r"^(?:ferbook: |[\w.]+(?:Error|Exception): ).*", re.MULTILINE)


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
            "every": {name: value for name, value in request.overrides.items() if "." not in name},
            "parameters": requests | {name: model.model_dump() for name, model in parameters.items()},
        },
        "chapters": chapters,
    }
    # A command that found nothing to do changes nothing, the time of the last change included.
    if any(earlier.get(name) != value for name, value in content.items()):
        versions = package_versions() | {"python": sys.version.split()[0]}
        times = {"created": earlier.get("created", now()), "changed": now()}
        run.write_record(content | times | {"commit": git_commit(), "versions": versions})


def chapter_failure(board: Path, run: Run, chapters: list[Chapter], since: str) -> str:
    """Return what became of the first of ``chapters``, jobs on ``board``, that failed ``since`` then; empty
    where none of them left a word.
    """
    for name in (chapter.name for chapter in chapters):
        folder, log = run.result(name).failed_folder, run.log_file(name)
        report = read_json(file) if (file := folder / "failure.json").exists() else {}
        if report.get("when", "") >= since:
            what = f"chapter {name!r} failed in {report['where']}: {report['error']}"
            return f"{what}\n  partial notebook: {folder / f'{name}.ipynb'}\n  log: {log}"
    for name in (chapter.name for chapter in chapters):
        log = run.log_file(name)
        if log.exists() and not finished_file(board, name, run.name).exists():
            lines = _ERROR_LINE.findall(log.read_text(encoding="utf-8", errors="replace"))
            why = (lines or ["killed from outside, or the memory ran out"])[-1].removeprefix("ferbook: ")
            return f"chapter {name!r} ended without a result: {why}\n  log: {log}"
    return ""


@dataclass(frozen=True)
class RunPlan:
    """A run, its request, and of each chapter the inputs, the state, and in ``homes`` the run whose result it
    shows: its own where that is up to date, or else the first that has it from the same inputs, or will have
    it.
    """

    run: Run
    request: Request
    parameters: Mapping[str, Parameters]
    inputs: Mapping[str, dict[str, object]]
    states: list[ChapterState]
    homes: dict[str, str] = field(default_factory=dict)

    @property
    def stale(self) -> dict[str, str]:
        """Chapter -> why it is stale."""
        return {state.chapter: "; ".join(state.reasons) for state in self.states if not state.up_to_date}


def plan_of(requests: Mapping[str, Request], chapters: Sequence[Chapter]) -> list[RunPlan]:
    """Return the present state of the ``chapters`` in each run, and where each is made, given run ->
    request.
    """
    places = []
    for name, request in requests.items():
        run, parameters = open_run(name), {each.name: request.of_chapter(each) for each in chapters}
        inputs = {c.name: chapter_inputs(c, parameters[c.name]) for c in chapters}
        places.append(RunPlan(run, request, parameters, inputs, states(run, [*chapters], parameters)))
    first: dict[str, str] = {}
    content: dict[tuple[str, str], str] = {}
    for chapter in chapters:
        fresh = [place for place in places if chapter.name not in place.stale]
        for place in (*fresh, *(place for place in places if chapter.name in place.stale)):
            own = place.run.name
            above = [content[own, name] for name in chapter.upstream]
            key = digest_of([chapter.name, place.inputs[chapter.name], above])
            home = own if place in fresh else first.get(key, own)
            first.setdefault(key, own)
            # What is there is known by its content: made again elsewhere it may come out otherwise.
            there = place.run.result(chapter.name).artifact_digest() if place in fresh else key
            content[own, chapter.name] = content.get((home, chapter.name), there)
            place.homes[chapter.name] = home
    return places


def pending_jobs(places: Sequence[RunPlan], chapters: Sequence[Chapter]) -> list[tuple[RunPlan, Chapter]]:
    """Return what is to be executed: in which run which chapter."""
    return [
        (place, chapter)
        for place in places
        for chapter in chapters
        if chapter.name in place.stale and place.homes[chapter.name] == place.run.name
    ]


def plan_runs(
    requests: Mapping[str, Request], names: list[str], *, update: bool = False
) -> tuple[list[RunPlan], list[tuple[RunPlan, Chapter]]]:
    """Return the state of the runs, and what ``make_runs`` would execute; nothing is written. Raises as it
    does.
    """
    chapters = with_upstream(names)
    require_runnable(requests, names)
    if not update:
        _require_same(requests, chapters)
    places = plan_of(requests, chapters)
    return places, pending_jobs(places, chapters)


def require_runnable(requests: Mapping[str, Request], names: Sequence[str]) -> None:
    """Refuse what cannot be run, before anything is held or written. Raises as ``make_runs``."""
    chapters = with_upstream(names)
    for name in requests:
        require_run(open_run(name))
    changed = uncommitted() if REFERENCE in requests else []
    if changed and paths.runs_dir().is_relative_to(paths.root()):
        raise RunStoreError(
            f"the run `{REFERENCE}` names the commit that it is made from, and {len(changed)} file(s) differ "
            f"from it ({', '.join(changed[:3])}); commit them first, or name another run: --run NAME"
        )
    models = [requests[REFERENCE].of_chapter(each) for each in chapters] if REFERENCE in requests else []
    if absent := [name for each in models for name, key in each.data_key().items() if key == "absent"]:
        raise RunStoreError(
            f"the run `{REFERENCE}` is made of all its data, and {absent[0]!r} is not here; say where it is "
            f"({', '.join(suite().path_variables[:1])}), or name another run: --run NAME"
        )
    for chapter in chapters:
        require_parameters_cell(chapter.notebook, chapter.parameters().model_dump())
    for request in requests.values():
        suite().check({chapter.name: request.of_chapter(chapter) for chapter in chapters})


def _require_same(requests: Mapping[str, Request], chapters: list[Chapter]) -> None:
    """Raise RunStoreError where a run has results by other parameters."""
    advice = "-p with the earlier values keeps them, --update runs again what these change"
    advice += ", --run NAME makes another" if len(requests) == 1 else ""
    for name, request in requests.items():
        run = open_run(name)
        stored = run.record()["request"]["parameters"] if run.results() and run.exists() else {}
        changes = [
            f"{chapter.name}.{field} {stored[chapter.name].get(field, 'absent')} → {value}"
            for chapter in chapters
            if chapter.name in stored
            for field, value in request.of_chapter(chapter).model_dump().items()
            if stored[chapter.name].get(field) != value
        ]
        if changes:
            raise RunStoreError(f"run {name!r} exists with other parameters ({'; '.join(changes)}); {advice}")


def requests_by_run(
    request: Request | None, names: list[str], run_name: str | None = None
) -> dict[str, Request]:
    """Run -> request: without a ``request`` the stored one of an existing run, or the defaults in a new one;
    several where a parameter has several values (``requests_of``).

    Raises ParameterError as ``Request.check``, and for several with one ``run_name``.
    """
    chapters = with_upstream(names)
    if request is None:
        run = open_run(Request().default_run_name if run_name is None else run_name)
        stored = stored_request(run.record()["request"]) if run.exists() else Request()
        stored.check()
        return {run.name: stored}
    requests = requests_of(request, chapters)
    for each in requests:
        each.check(names)
        each.require_effect(chapters)
    if len(requests) > 1 and run_name is not None:
        raise ParameterError(
            f"--run names one run, and these are {len(requests)}: each is called after its parameters"
        )
    return {each.default_run_name if run_name is None else run_name: each for each in requests}


def make_runs(
    requests: Mapping[str, Request],
    names: list[str],
    *,
    cores: int | None = None,
    executor: str | None = None,
    update: bool = False,
    current: bool = True,
) -> tuple[list[RunPlan], dict[str, str]]:
    """Bring the named chapters, and what they depend on, up to date in each run, given run ->
    request.

    ``current``: commands that name no run take this one from now on, where it is one. Returns what
    was found before, and run -> why it is not up to date, of those that failed. Raises
    ParameterError, BookError, RunStoreError, MissingError, and what the book's own check refuses, before
    anything executes.
    """
    chapters, count = with_upstream(names), len(requests)
    require_runnable(requests, names)
    with contextlib.ExitStack() as stack:
        for name in sorted(requests):
            stack.enter_context(exclusive(open_run(name)))
        # Not before the runs are ours: their holder may have given them other parameters.
        if not update:
            _require_same(requests, chapters)
        for name in requests:
            repair(open_run(name), chapters)
        places = plan_of(requests, chapters)
        work = pending_jobs(places, chapters)
        # What is refused now makes no run, and changes none.
        suite().prepare([place.parameters[chapter.name] for place, chapter in work])
        making = {(chapter.name, place.run.name) for place, chapter in work}
        for place in places:
            write_record(place.run, place.request, place.parameters)
            _take(place, lambda name, home: (name, home) not in making)
            write_record(place.run, place.request, place.parameters)
        if count == 1 and current:
            make_current(places[0].run)
        if not work:
            return places, {}
        board, since = places[0].run.work, now()
        jobs = [_job(place, chapter, making) for place, chapter in work]
        first, models = places[0].request.profile, places[0].parameters
        seconds = {each.name: each.expected(first, models[each.name]) for each in chapters}
        try:
            ended = run_jobs(
                board,
                jobs,
                {chapter.name: chapter.resources for chapter in chapters},
                cores=cores or os.cpu_count() or 1,
                executor=executor,
                go_on=count > 1,
                priorities={name: longest_chain(name, seconds) for name in seconds},
            )
            for place in places:
                _take(place, lambda name, home: finished_file(board, name, home).exists())
        finally:
            for place in places:
                write_record(place.run, place.request, place.parameters)
        return places, _faults(board, plan_of(requests, chapters), work, since, ended)


def _take(place: RunPlan, is_there: Callable[[str, str], bool]) -> None:
    """Have what other runs have made for ``place`` and ``is_there``."""
    for name, home in place.homes.items():
        if home != place.run.name and is_there(name, home):
            place.run.result(name).copy_from(open_run(home).result(name))


def _job(place: RunPlan, chapter: Chapter, making: set[tuple[str, str]]) -> QueueJob:
    """Return the job that executes ``chapter`` in its run. What another run makes now is taken from there."""
    run, name, homes = place.run, chapter.name, place.homes
    needs = {other: homes[other] for other in chapter.upstream if (other, homes[other]) in making}
    shared = {other: where for other, where in needs.items() if where != run.name}
    write_json(run.inputs_file(name), place.inputs[name] | {"shared": shared})
    run.progress_file(name).unlink(missing_ok=True)
    return QueueJob(
        name,
        run.name,
        ("_execute", name, str(run.folder)),
        run.log_file(name),
        tuple(needs.items()),
        seconds=chapter.expected(place.request.profile, place.parameters[name]),
        progress=run.progress_file(name),
    )


def _faults(
    board: Path,
    places: list[RunPlan],
    work: Sequence[tuple[RunPlan, Chapter]],
    since: str,
    ended: tuple[int, Mapping[tuple[str, str], str]],
) -> dict[str, str]:
    """Run -> why it is not up to date. Snakemake's exit code does not decide: it may end without an error
    where it executed nothing, and with one where all is there.
    """
    log = board / "snakemake.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    code, lost = ended
    messages, faults = lost | cluster_messages(text), {}
    for place in places:
        name = place.run.name
        executed = [chapter for other, chapter in work if other.run == place.run]
        if place.stale:
            every = [chapter_failure(board, place.run, executed, since)]
            every += [messages.get((chapter.name, name)) for chapter in executed]
            how = "with an error" if code else "without an error"
            unmade = ", ".join(f"{chapter} ({why})" for chapter, why in place.stale.items())
            text = "; ".join(filter(None, every)) or f"Snakemake ended {how}, but not up to date: {unmade}"
            faults[name] = text + f"\n  Snakemake's log: {log}" * (len(places) == 1)
    return faults


def require_run(run: Run) -> None:
    """Raise RunStoreError where a folder of other files lies in the place of ``run``."""
    if run.exists() or not run.folder.exists():
        return
    allowed = (run.work.name, *suite().run_folders)
    # A first command that was killed while it wrote run.yaml leaves a part of that.
    if any(f.name not in allowed and not is_leftover(f, run.record_file) for f in run.folder.iterdir()):
        raise RunStoreError(f"{run.folder} is no run, for it holds no run.yaml; choose another --run NAME")


def repair(run: Run, chapters: list[Chapter]) -> None:
    """Bring ``run``, which is held, and its ``chapters`` to where no command was interrupted."""
    for file in run.folder.iterdir():
        if is_leftover(file, run.record_file):
            file.unlink()
    for chapter in chapters:
        run.result(chapter.name).recover()
