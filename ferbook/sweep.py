"""A sweep: one chapter in many runs that differ in some parameters, as one graph of jobs.

Its runs are runs as any other, with the names that `ferbook run` would give them. A chapter upstream that
does not depend on what varies is made in one of them, and the others take it.
"""

import hashlib
import json
import os
import re
import resource
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from ferbook import paths
from ferbook.book import Chapter, longest_chain, suite, with_upstream
from ferbook.errors import RunStoreError
from ferbook.files import plain_values, read_yaml, write_atomically
from ferbook.inputs import chapter_inputs, code_inputs
from ferbook.notebook import require_parameters_cell
from ferbook.owner import held, now
from ferbook.parameters import Parameters
from ferbook.points import Point, point_of, points_of
from ferbook.request import Request
from ferbook.run import chapter_failure, chapter_job, mend, require_run, require_same, write_record
from ferbook.schedule import QueueJob, cluster_messages, profile_of, start_jobs, stop_jobs
from ferbook.state import states
from ferbook.store import SWEEPS, Run, exclusive, open_run

SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ADVICE = "--update makes it again as it is asked for now, another value of what varies leaves it alone"
"""What to do about a run of a sweep that has other parameters."""

FILES_BESIDE = 200
"""Files that this process has open beside the locks of the runs."""


@dataclass(frozen=True)
class Sweep:
    """``chapter`` in a run for each of ``points``; ``base`` holds for all of them."""

    name: str
    chapter: Chapter
    base: Request
    points: tuple[Point, ...]

    @property
    def folder(self) -> Path:
        """Its record, its table and its figure, and below ``.work`` what Snakemake needs."""
        return paths.runs_dir() / SWEEPS / self.name

    @property
    def board(self) -> Path:
        """Where Snakemake works."""
        return self.folder / ".work"

    @property
    def closure(self) -> list[Chapter]:
        """The chapter behind those that it depends on."""
        return with_upstream([self.chapter.name])

    def _content(self, points: Sequence[Point]) -> dict[str, object]:
        return {
            "chapter": self.chapter.name,
            "profile": self.base.profile,
            "fixed": dict(self.base.overrides),
            "points": [dict(point.values) for point in points],
        }

    def with_earlier(self) -> "Sweep":
        """The sweep with the points that it had before, behind its own. Raises RunStoreError where a sweep of
        this name asked for something else.
        """
        file = self.folder / "sweep.yaml"
        if not file.exists():
            return self
        own = self._content(self.points)
        try:
            content = plain_values(read_yaml(file, RunStoreError))
            differs = [name for name in ("chapter", "profile", "fixed") if content[name] != own[name]]
            differs += ["what varies"] * any(
                each.keys() != own["points"][0].keys() for each in content["points"]
            )
            earlier = [each for each in content["points"] if each not in own["points"]]
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise RunStoreError(f"{file}: not the record of a sweep; remove it") from fault
        if differs:
            raise RunStoreError(
                f"the sweep {self.name!r} exists with another {', '.join(differs)}; choose another --name"
            )
        profile, fixed, names = self.base.profile, self.base.overrides, [*self.points[0].request.overrides]
        points = [point_of(profile, names, fixed, values) for values in earlier]
        return Sweep(self.name, self.chapter, self.base, (*self.points, *points))

    def write_record(self) -> None:
        """Write ``sweep.yaml``: what it asks for, and all its points."""
        text = yaml.safe_dump(self._content(self.points), sort_keys=False, allow_unicode=True)
        write_atomically(self.folder / "sweep.yaml", text)


@dataclass(frozen=True)
class SweepPlace:
    """A run of a sweep, or the one without what varies: what each chapter is made from, and the ``reasons``
    why it is not up to date. ``keys``: of runs with the same key of a chapter, one has to make it.
    """

    run: Run
    request: Request
    parameters: Mapping[str, Parameters]
    inputs: Mapping[str, dict[str, object]]
    keys: Mapping[str, str]
    reasons: Mapping[str, tuple[str, ...]]

    @property
    def fault(self) -> str:
        """Why the run is not up to date; empty if it is."""
        return "; ".join(f"{name}: {', '.join(some)}" for name, some in self.reasons.items() if some)


def new_sweep(
    chapter: str,
    profile: str,
    choices: Mapping[str, object],
    name: str | None = None,
    most: int | None = None,
) -> Sweep:
    """What is asked for: ``choices``, of which some varies, as ``points_of``; by default it is called after
    all but the values of what varies, so that further values are further runs of it.
    """
    closure = with_upstream([chapter])
    target = next(each for each in closure if each.name == chapter)
    base, points = points_of(
        profile, choices, [each for each in closure if each is not target] + [target], most
    )
    name = name or "-".join((chapter, base.default_run_name, *sorted(points[0].values)))
    if not SWEEP_NAME.fullmatch(name):
        raise RunStoreError(f"a sweep cannot be called {name!r}: letters, digits, '.', '_' and '-'")
    return Sweep(name, target, base, tuple(points))


def places(sweep: Sweep, points: Sequence[Point]) -> list[SweepPlace]:
    """Where each of ``points`` stands now."""
    closure = sweep.closure
    codes = {chapter.name: code_inputs(chapter) for chapter in closure}
    return [_place(point.request, closure, codes) for point in points]


def _place(request: Request, closure: list[Chapter], codes: Mapping[str, dict[str, object]]) -> SweepPlace:
    run = open_run(request.default_run_name)
    parameters = {chapter.name: request.of_chapter(chapter) for chapter in closure}
    inputs, keys = {}, {}
    for chapter in closure:
        inputs[chapter.name] = chapter_inputs(chapter, parameters[chapter.name], codes[chapter.name])
        content = [chapter.name, inputs[chapter.name], [keys[name] for name in chapter.upstream]]
        keys[chapter.name] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    reasons = {state.chapter: state.reasons for state in states(run, closure, parameters, codes)}
    return SweepPlace(run, request, parameters, inputs, keys, reasons)


def homes_of(sweep: Sweep, selection: Sequence[SweepPlace]) -> list[dict[str, str]]:
    """For each of ``selection``, chapter -> the run whose result it shows: its own, or one that has it, or
    will have it first, from the same inputs. The swept chapter is made in each run, but where another has it
    and the own has nothing of it.
    """
    donors = list(selection)
    if open_run(sweep.base.default_run_name).exists():
        donors += places(sweep, [Point({}, sweep.base)])
    first: dict[str, str] = {}
    for place in donors:
        for name, key in place.keys.items():
            if not place.reasons[name]:
                first.setdefault(key, place.run.name)
    swept, homes = sweep.chapter.name, []
    for place in selection:
        own, key = place.run.name, place.keys[swept]
        home = first.get(key, own) if all(place.reasons.values()) else own
        if home != own:
            homes.append(dict.fromkeys(place.keys, home))
            continue
        upstream = {
            name: first.setdefault(key, own) if place.reasons[name] else own
            for name, key in place.keys.items()
            if name != swept
        }
        homes.append(upstream | {swept: own})
    return homes


def jobs_of(
    sweep: Sweep, selection: Sequence[SweepPlace], homes: Sequence[Mapping[str, str]]
) -> list[tuple[SweepPlace, Chapter]]:
    """What is to be executed: in which run which chapter."""
    return [
        (place, chapter)
        for place, home in zip(selection, homes, strict=True)
        for chapter in sweep.closure
        if place.reasons[chapter.name] and home[chapter.name] == place.run.name
    ]


def run_sweep(
    sweep: Sweep,
    *,
    cores: int | None = None,
    executor: str | None = None,
    update: bool = False,
    watch: Callable[[Path, Sequence[QueueJob], subprocess.Popen], None],
) -> dict[str, str]:
    """Bring the runs of ``sweep`` up to date; run -> why it is not, of those that failed. Those that have
    other parameters than is asked for, since a default was changed, are refused but with ``update``.

    Raises ParameterError, BookError, RunStoreError, MissingError, and what the book's own check refuses,
    before anything executes.
    """
    if executor:
        profile_of(executor)
    closure = sweep.closure
    for chapter in closure:
        require_parameters_cell(chapter)
    with ExitStack() as stack:
        busy = f"the sweep {sweep.name!r} is in use by {{}}; wait for it, or choose another --name"
        stack.enter_context(held(sweep.board / "lock", busy))
        selection = places(sweep, sweep.points)
        for place in selection:
            require_run(place.run)
            suite().check(place.parameters)
        _allow_files(len(selection) + FILES_BESIDE)
        for place in selection:
            stack.enter_context(exclusive(place.run, advice="wait for it, and call again"))
        whole = sweep.with_earlier()
        for place in selection:
            if not update:
                require_same(place.run, place.parameters, ADVICE)
        for place in selection:
            mend(place.run, closure)
        homes = homes_of(sweep, selection)
        work = jobs_of(sweep, selection, homes)
        # What is refused now makes no run, and changes none.
        suite().prepare([place.parameters[chapter.name] for place, chapter in work])
        for place, home in zip(selection, homes, strict=True):
            write_record(place.run, place.request, place.parameters)
            if home[sweep.chapter.name] != place.run.name:
                for chapter in closure:
                    place.run.result(chapter.name).take(open_run(home[chapter.name]).result(chapter.name))
                write_record(place.run, place.request, place.parameters)
        whole.write_record()
        if not work:
            return {}
        making, by_run = {(chapter.name, place.run.name) for place, chapter in work}, {}
        for place, home in zip(selection, homes, strict=True):
            by_run[place.run.name] = home
        jobs = [_job(place, chapter, by_run[place.run.name], making) for place, chapter in work]
        since = now()
        (sweep.board / "snakemake.log").unlink(missing_ok=True)
        process = start_jobs(
            sweep.board,
            jobs,
            {chapter.name: chapter.resources for chapter in closure},
            cores=cores or os.cpu_count() or 1,
            executor=executor,
            go_on=True,
            priorities={each.name: longest_chain(each.name, sweep.base.profile) for each in closure},
        )
        try:
            watch(sweep.board, jobs, process)
            process.wait()
        except BaseException:
            stop_jobs(process, executor)
            raise
        finally:
            for place in selection:
                write_record(place.run, place.request, place.parameters)
        return _faults(sweep, work, since)


def _job(
    place: SweepPlace, chapter: Chapter, home: Mapping[str, str], making: set[tuple[str, str]]
) -> QueueJob:
    before = [other.name for other in with_upstream(chapter.upstream)] if chapter.upstream else []
    shared = {name: home[name] for name in before if home[name] != place.run.name}
    needs = {name: home[name] for name in chapter.upstream if (name, home[name]) in making}
    return chapter_job(place.run, chapter, place.inputs[chapter.name] | {"shared": shared}, needs)


def _faults(sweep: Sweep, work: Sequence[tuple[SweepPlace, Chapter]], since: str) -> dict[str, str]:
    """Run -> why it is not up to date, of those with something to execute in ``work`` that are not."""
    executed: dict[str, list[Chapter]] = {}
    for place, chapter in work:
        executed.setdefault(place.run.name, []).append(chapter)
    messages = cluster_messages((sweep.board / "snakemake.log").read_text(encoding="utf-8", errors="replace"))
    faults = {}
    for place in places(sweep, sweep.points):
        name, board = place.run.name, sweep.board
        if place.fault and name in executed:
            own = [
                messages[chapter.name, name] for chapter in sweep.closure if (chapter.name, name) in messages
            ]
            fault = chapter_failure(board, place.run, executed[name], since)
            faults[name] = "; ".join([str(fault)] * bool(fault) + own) or f"not made ({place.fault})"
    return faults


def _allow_files(count: int) -> None:
    """Let this process have so many files open, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
