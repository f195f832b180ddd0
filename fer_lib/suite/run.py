"""Running chapters: resolve the parameters, say what is out of date and why, let Snakemake schedule the rest."""

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil
import yaml

from fer_lib import paths
from fer_lib.errors import ChapterError, ParameterError, RunStoreError
from fer_lib.faces.registry import require_source
from fer_lib.params import ChapterParameters, nearest_name, resolve
from fer_lib.suite.chapters import CHAPTERS, Chapter, find_chapter, with_upstream
from fer_lib.suite.execute import OWNER_VARIABLE, owner
from fer_lib.suite.inputs import PACKAGES, chapter_inputs, reasons_out_of_date
from fer_lib.suite.store import Run, exclusive, now, open_run, read_json, write_json

LONGEST_NAME = 50
"""Characters of a run's derived name before the rest of it becomes a digest."""


@dataclass(frozen=True)
class Request:
    """What the user asked for: a profile and overrides, either for all chapters or for one."""

    profile: str = "laptop"
    overrides: Mapping[str, object] = field(default_factory=dict)
    """``name`` or ``chapter.name`` -> value (text from the command line, or a value from a YAML file)."""

    def of_chapter(self, chapter: Chapter) -> ChapterParameters:
        """The chapter's parameters, all resolved. Raises ParameterError."""
        fields = chapter.parameters.model_fields
        own: dict[str, object] = {}
        for name, value in self.overrides.items():
            scope, dot, short = name.rpartition(".")
            if scope == chapter.name or (not dot and short in fields):
                own[short] = value
        return resolve(chapter.name, chapter.parameters, self.profile, own)

    def check(self) -> None:
        """Raise ParameterError for an override that names no chapter or no parameter of any chapter."""
        known = {name for chapter in CHAPTERS.values() for name in chapter.parameters.model_fields}
        for name in self.overrides:
            scope, dot, short = name.rpartition(".")
            if dot:
                find_chapter(scope)
            elif short not in known:
                raise ParameterError(
                    f"no chapter has a parameter {name!r}{nearest_name(name, known)}; `ferbook params` lists them"
                )

    @property
    def default_run_name(self) -> str:
        """The run's name where the user gives none: face set, profile and overrides, ``laptop-epochs-5``.

        Other parameters make another run, so trying a value never touches the runs one has.
        """
        words = [str(self.overrides["faces"])] if "faces" in self.overrides else []
        words.append(self.profile)
        words += [f"{name}-{value}" for name, value in sorted(self.overrides.items()) if name != "faces"]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-")
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256(repr(sorted(self.overrides.items())).encode()).hexdigest()
            name = f"{name[:LONGEST_NAME]}-{digest[:8]}"
        return name


def read_overrides(file: Path) -> dict[str, object]:
    """Overrides from a YAML mapping: ``name: value``, or ``chapter: {name: value}``. Raises ParameterError."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ParameterError(f"{file}: cannot be read ({fault.strerror})") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise ParameterError(f"{file}: not YAML ({' '.join(str(fault).split())})") from fault
    if not isinstance(content, dict):
        raise ParameterError(f"{file}: expected a mapping of parameter names to values")
    overrides: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            overrides |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            overrides[str(name)] = value
    return overrides


def parse_assignments(assignments: list[str]) -> dict[str, object]:
    """Overrides from ``name=value`` texts. Raises ParameterError where one has no ``=`` or is given twice."""
    overrides: dict[str, object] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ParameterError(f"-p {text}: expected NAME=VALUE, for example -p epochs=5")
        if name in overrides:
            raise ParameterError(f"-p {name} is given twice")
        overrides[name.strip()] = value.strip()
    return overrides


@dataclass(frozen=True)
class ChapterState:
    """Whether a chapter's stored result is what its present inputs would give."""

    chapter: str
    reasons: tuple[str, ...]
    seconds: float | None = None

    @property
    def up_to_date(self) -> bool:
        """True where nothing speaks against the stored result."""
        return not self.reasons


def states(
    run: Run, chapters: list[Chapter], parameters: Mapping[str, ChapterParameters]
) -> list[ChapterState]:
    """For each chapter, up to date or why not, judged by content and never by time stamps."""
    found: list[ChapterState] = []
    stale: set[str] = set()
    for chapter in chapters:
        result = run.result(chapter.name)
        done = result.done()
        failure = result.failed_folder / "failure.json"
        if done is None:
            reasons = ["not finished" if failure.exists() else "never ran"]
        elif faults := result.faults():
            reasons = [f"stored result damaged: {faults[0]}"]
        else:
            current = chapter_inputs(chapter, parameters[chapter.name])
            current["upstream"] = {
                name: run.result(name).checksum() for name in chapter.upstream if run.result(name).done()
            }
            reasons = reasons_out_of_date(done["inputs"], current)
            reasons += [f"upstream {name} is out of date" for name in chapter.upstream if name in stale]
        if failure.exists():
            reasons.append(f"last attempt failed in {read_json(failure)['where']}")
        if reasons:
            stale.add(chapter.name)
        seconds = result.record().get("seconds") if done is not None and not result.faults() else None
        found.append(ChapterState(chapter.name, tuple(reasons), seconds))
    return found


def differences(
    before: Mapping[str, Mapping[str, object]], after: Mapping[str, ChapterParameters]
) -> list[str]:
    """``chapter.name old → new`` for each parameter of a chapter in both that differs."""
    return [
        f"{chapter}.{name} {before[chapter].get(name, 'absent')} → {value}"
        for chapter, parameters in after.items()
        if chapter in before
        for name, value in parameters.model_dump().items()
        if before[chapter].get(name) != value
    ]


def _git_commit() -> str:
    """The checkout's commit, marked where files differ from it; ``unknown`` outside a git checkout."""
    command = [
        "git",
        "-C",
        str(paths.ROOT),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude",
        "*",
    ]
    with contextlib.suppress(OSError):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return "unknown"


def _write_record(run: Run, request: Request, parameters: Mapping[str, ChapterParameters]) -> None:
    """``run.yaml``: the request and, for each finished chapter, what its result was made from."""
    earlier = run.record() if run.exists() else {}
    requested = earlier.get("request", {}).get("parameters", {})
    record = {
        "run": run.name,
        "request": {
            "profile": request.profile,
            "parameters": requested | {name: model.model_dump() for name, model in parameters.items()},
        },
        "created": earlier.get("created", now()),
        "changed": now(),
        "commit": _git_commit(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": sys.version.split()[0]},
        "chapters": {},
    }
    for result in run.results():
        done, notes = result.done(), result.record()
        record["chapters"][result.chapter] = {
            "finished": done["finished"],
            "commit": earlier.get("chapters", {}).get(result.chapter, {}).get("commit", record["commit"])
            if earlier.get("chapters", {}).get(result.chapter, {}).get("finished") == done["finished"]
            else record["commit"],
            "parameters": done["inputs"]["parameters"],
            "packages": done["inputs"]["packages"],
        } | {name: value for name, value in notes.items() if name != "figures"}
    run.write_record(record)


def _end_with_parent() -> None:
    """In the child, before it starts: on Linux, be killed when the parent dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _snakemake(run: Run, chapters: list[Chapter], cores: int, *extra: str) -> subprocess.Popen:
    """Snakemake on the run's folder, by its documented command line."""
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(paths.SNAKEFILE), "--directory", str(run.folder)),
        *("--cores", str(cores), "--rerun-triggers", "mtime", "--rerun-incomplete", "--nocolor"),
        *("--config", f"chapters={','.join(chapter.name for chapter in chapters)}"),
        *extra,
    ]
    environment = os.environ | {
        OWNER_VARIABLE: owner(),
        "PYTHONPATH": os.pathsep.join(p for p in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if p),
        "FER_RUNS": str(paths.runs_dir()),
        "FER_CACHE": str(paths.cache_dir()),
        "FER_DATA": str(paths.data_dir()),
    }
    with (run.work / "snakemake.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            preexec_fn=_end_with_parent,
        )


def _clear_lock_of_the_dead(run: Run, chapters: list[Chapter]) -> None:
    """Unlock the folder that a killed Snakemake left locked. We hold the run, so no living one has it."""
    locks = run.folder / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        _snakemake(run, chapters, 1, "--unlock").wait()


def _mark(run: Run, found: list[ChapterState], parameters: Mapping[str, ChapterParameters]) -> None:
    """Tell Snakemake by files what is to be done; our judgement is by content, its own by time."""
    moment = 1_000_000_000
    for state in found:
        write_json(
            run.inputs_file(state.chapter), chapter_inputs(CHAPTERS[state.chapter], parameters[state.chapter])
        )
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


def _failure(run: Run, chapters: list[Chapter], since: str) -> ChapterError:
    for chapter in chapters:
        failure = run.result(chapter.name).failed_folder / "failure.json"
        if failure.exists() and read_json(failure)["when"] >= since:
            told = read_json(failure)
            return ChapterError(
                f"chapter {chapter.name!r} failed in {told['where']}: {told['error']}\n"
                f"  partial notebook: {failure.parent / f'{chapter.name}.ipynb'}\n"
                f"  log: {run.log_file(chapter.name)}"
            )
    return ChapterError(f"Snakemake ended with an error; its log: {run.work / 'snakemake.log'}")


def run_chapters(
    request: Request,
    names: list[str],
    run_name: str | None = None,
    *,
    cores: int | None = None,
    update: bool = False,
    replace: bool = False,
    wait: bool = False,
    watch: Callable[[Run, list[ChapterState], subprocess.Popen], None],
) -> tuple[Run, list[ChapterState]]:
    """Bring the named chapters, and what they depend on, up to date in a run.

    ``watch`` is called once Snakemake works, shows progress, and returns when it has ended. Returns the run
    and the states found before. Raises ParameterError, DataError, RunStoreError before anything executes,
    ChapterError where a chapter fails.
    """
    request.check()
    chapters = with_upstream(names)
    parameters = {chapter.name: request.of_chapter(chapter) for chapter in chapters}
    run = open_run(run_name or request.default_run_name)
    if run.exists() and not (update or replace):
        changed = differences(run.record()["request"]["parameters"], parameters)
        if changed:
            raise RunStoreError(
                f"run {run.name!r} exists with other parameters ({'; '.join(changed)}); "
                "--update runs again what these change, --replace starts the run anew, --run NAME makes another"
            )
    elif (
        run.folder.exists() and not run.exists() and any(f for f in run.folder.iterdir() if f.name != ".work")
    ):
        raise RunStoreError(
            f"{run.folder} exists but holds no run.yaml: it is not a run; choose another --run NAME"
        )
    for model in parameters.values():
        require_source(model.faces)
    with exclusive(run, wait):
        if replace:
            _empty(run)
        for chapter in chapters:
            run.result(chapter.name).recover()
        _write_record(run, request, parameters)
        found = states(run, chapters, parameters)
        if all(state.up_to_date for state in found):
            return run, found
        _mark(run, found, parameters)
        _clear_lock_of_the_dead(run, chapters)
        since = now()
        process = _snakemake(run, chapters, cores or os.cpu_count() or 1)
        try:
            watch(run, found, process)
            process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            _write_record(run, request, parameters)
        if process.returncode:
            raise _failure(run, chapters, since)
    return run, found


def _empty(run: Run) -> None:
    """Remove what the run holds, but not the lock that guards it."""
    for entry in run.folder.iterdir():
        if entry != run.work:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


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


def run_states(run: Run, request: Request | None = None) -> list[ChapterState]:
    """The state of every chapter in ``run`` against ``request``, or against what the run was asked for."""
    stored = run.record()["request"]
    if request is None:
        parameters = {
            chapter.name: chapter.parameters(**stored["parameters"][chapter.name])
            if chapter.name in stored["parameters"]
            else resolve(chapter.name, chapter.parameters, stored["profile"])
            for chapter in CHAPTERS.values()
        }
    else:
        request.check()
        parameters = {chapter.name: request.of_chapter(chapter) for chapter in CHAPTERS.values()}
    return states(run, list(CHAPTERS.values()), parameters)
