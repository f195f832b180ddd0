"""The run store: ``runs/<name>/`` with one folder per chapter, which is valid only with its ``DONE.json``."""

import hashlib
import json
import os
import re
import shutil
import stat
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel

from ferbook import paths, records
from ferbook.book import chapters, suite
from ferbook.environment import committed_file, git_commit, held, now
from ferbook.errors import DataError, ParameterError, RunStoreError, nearest_name, require_name
from ferbook.estimate import Estimate
from ferbook.files import (
    LARGEST_RECORD,
    digest_of,
    is_leftover,
    open_regular,
    parse_json,
    plain_values,
    read_yaml,
    remove,
    whole_folder,
    write_atomically,
)

Content = TypeVar("Content", bound=BaseModel)

DONE = "DONE.json"
# Folder of the run store into which a chapter writes that is opened in JupyterLab.
INTERACTIVE = "interactive"
# The run that is large enough to answer, and is committed.
REFERENCE = "reference"
# File of the run store with the name of the run that commands take by default.
CURRENT = ".current"
# Folder, in a run's working folder, of what chapters write while they are executed.
STAGING = "staging"
# Bytes of ``run.yaml``, ten times those of a run of nine chapters: YAML of some megabytes takes a minute.
LARGEST_RUN_RECORD = 2**18
NOT_REGULAR = "no plain file"
# Bytes of what one chapter hands to another.
LARGEST_ARTEFACT = 2**26
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as indented JSON, atomically."""
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def file_checksums(folder: Path) -> dict[str, str]:
    """Return a mapping, path below ``folder`` -> SHA-256 (hex), of all its files but ``DONE.json``;
    ``NOT_REGULAR`` of links, pipes, and whatever else is no plain file.
    """
    checksums = {}
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for file in (Path(place) / name for name in (*links, *files) if name != DONE):
            plain, checksum = stat.S_ISREG(file.lstat().st_mode), NOT_REGULAR
            if plain:
                with open_regular(file) as content:
                    checksum = hashlib.file_digest(content, "sha256").hexdigest()
            checksums[file.relative_to(folder).as_posix()] = checksum
    return dict(sorted(checksums.items()))


def seal(folder: Path, record: dict) -> dict:
    """Write ``record`` into ``folder`` as ``DONE.json``, with the checksums of the files that are there;
    returns it.
    """
    record = record | {"files": file_checksums(folder)}
    write_json(folder / DONE, record)
    return record


@dataclass(frozen=True)
class ChapterResult:
    """One chapter's folder in a run."""

    chapter: str
    folder: Path

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.folder / f"{self.chapter}.ipynb"

    @property
    def failed_folder(self) -> Path:
        """Where a failed attempt's partial notebook and log lie."""
        return self.folder.with_name(f"{self.chapter}.failed")

    def done(self) -> dict | None:
        """Return the content of ``DONE.json``; None if the chapter is not finished or the file damaged."""
        with suppress(RunStoreError):
            return self._manifest()
        return None

    def _manifest(self) -> dict:
        if self.folder.is_symlink():
            raise RunStoreError(f"{self.folder}: a link; a chapter's folder lies in its run")
        return records.read_json(self.folder / DONE, records.Manifest)

    def _vouched(self, name: str, most: int = LARGEST_RECORD) -> bytes:
        """Return the content of a file; in a finished chapter its checksum must be that in ``DONE.json``."""
        content, manifest = records.read_vouched(self.folder / name, most), self.done()
        if manifest and manifest["files"].get(name) != hashlib.sha256(content).hexdigest():
            raise RunStoreError(
                f"{self.folder / name}: differs from its checksum in {DONE}; run the chapter again"
            )
        return content

    def faults(self) -> list[str]:
        """List the files that differ from their checksums in ``DONE.json`` or are no records."""
        try:
            checksums = self._manifest()["files"]
        except RunStoreError as fault:
            return [f"{self.chapter}: not finished ({fault})"]
        present = file_checksums(self.folder)

        def fault(file: str) -> str:
            if present.get(file) == NOT_REGULAR:
                return f"a link or a pipe, {NOT_REGULAR}"
            if file not in checksums:
                return f"not in {DONE}"
            return f"differs from its checksum in {DONE}" if file in present else "missing"

        every = checksums | present
        if odd := [f"{self.chapter}/{f}: {fault(f)}" for f in every if checksums.get(f) != present.get(f)]:
            return odd
        try:
            for file, reader in (("record.json", self.record), ("metrics.json", self.metrics)):
                if file in checksums:
                    reader()
        except RunStoreError as fault:
            return [f"{self.chapter}: {fault}"]
        return []

    def require_whole(self) -> None:
        """Raise RunStoreError, which names the damaged file, unless the chapter is finished and intact."""
        if faults := self.faults():
            name = self.folder.parent.name
            raise RunStoreError(f"{faults[0]}; `ferbook run {self.chapter} --run {name}` makes it again")

    def mark_local(self, manifest: Path | None = None) -> None:
        """Note that the result, with its ``manifest`` where that is still staged, was made by this user."""
        digest = hashlib.sha256((manifest or self.folder / DONE).read_bytes()).hexdigest()
        paths.local_results().parent.mkdir(parents=True, exist_ok=True)
        with paths.local_results().open("a", encoding="utf-8") as file:
            file.write(f"{digest} {self.folder.parent.name}/{self.chapter}\n")

    def is_local(self) -> bool:
        """Return whether git tracks the result as it is, or this user made it. Any other is data: its numbers
        are read, and nothing that it brings along is shown.

        Outside a repository the reference is trusted as the code that it came with.
        """
        file, noted = self.folder / DONE, paths.local_results()
        manifest = records.read_vouched(file, LARGEST_RECORD)
        lines = noted.read_text(encoding="utf-8").split() if noted.is_file() else ()
        if hashlib.sha256(manifest).hexdigest() in lines or committed_file(file) == manifest:
            return True
        return self.folder.parent == paths.runs_dir() / REFERENCE and git_commit() == "unknown"

    def artifact_digest(self) -> str:
        """Return SHA-256 (hex) over what the chapters that follow read: artefacts and weights, but neither
        the page with its numbers, figures and tables, nor when and how fast they were made.
        """
        pages = (f"{self.chapter}.ipynb", "record.json", "metrics.json", "figures/", "tables/")
        files = self._manifest()["files"].items()
        return digest_of({name: key for name, key in files if not name.startswith(pages)})

    def shown_numbers(self) -> str:
        """Return SHA-256 (hex) over the finished chapter's metrics and the numbers of tables and figures."""
        files = self._manifest()["files"].items()
        shown = {name: key for name, key in files if name == "metrics.json" or name.endswith(".csv")}
        return digest_of(shown)

    def metrics(self) -> dict[str, Estimate]:
        """Return the content of ``metrics.json``. Raises RunStoreError for a damaged file."""
        file = self.folder / "metrics.json"
        try:
            entries = records.record_of(file, self._vouched(file.name))
            return {name: Estimate.from_json(entry) for name, entry in entries.items()}
        except DataError as fault:
            raise RunStoreError(f"{file}: {fault}; run the chapter again") from fault

    def artefact(self, name: str, model: type[Content]) -> Content:
        """Return what the chapter stored with ``run.artefact(name, …)`` for the chapters that follow.

        Parameters
        ----------
        name : str
        model : subclass of BaseModel
            The class of what was stored.

        Raises
        ------
        RunStoreError
            If there is no such artefact, or it does not fit ``model``.
        """
        file = self.folder / "artefacts" / f"{name}.json"
        try:
            content = self._vouched(f"artefacts/{name}.json", LARGEST_ARTEFACT)
            parse_json(content)
            return model.model_validate_json(content)
        except (RunStoreError, ValueError) as fault:
            raise RunStoreError(
                f"{file}: not readable as {model.__name__} ({str(fault).splitlines()[0]}); run "
                f"{self.chapter} again"
            ) from fault

    def record(self) -> records.ChapterRecord:
        """Return ``record.json``: what the chapter noted of its data, device, time, figures and tables."""
        file, form = self.folder / "record.json", suite().record or records.ChapterRecord
        return form.model_validate(records.record_of(file, self._vouched(file.name), form))

    def summary(self) -> dict:
        """Return how the finished chapter was made: parameters, packages, data, device, time, commit.

        Raises RunStoreError where the chapter is not finished or damaged.
        """
        manifest = self._manifest()
        return {
            "finished": manifest["finished"],
            **self.record().model_dump(exclude={"figures", "tables"}, exclude_unset=True),
            "parameters": manifest["inputs"].get("parameters", {}),
            "packages": manifest["inputs"].get("packages", {}),
        }

    def commit(self, staged: Path, inputs: dict) -> None:
        """Move the verified folder ``staged`` into place; its ``DONE.json`` is written last."""
        seal(staged, {"chapter": self.chapter, "finished": now(), "inputs": inputs})
        # A home that cannot be written costs no result: `ferbook build --mine` is needed then.
        with suppress(OSError):
            self.mark_local(staged / DONE)
        with whole_folder(self.folder, replace=True) as place:
            staged.rename(place)  # an empty folder gives way
        remove(self.failed_folder)

    def copy_from(self, other: "ChapterResult") -> None:
        """Have the finished result of another run, as hard links where the file system has them. Raises
        RunStoreError where that is damaged.
        """
        other.require_whole()
        if self.done() != other.done() or self.faults():
            with whole_folder(self.folder, replace=True) as staged:
                for file in (*file_checksums(other.folder), DONE):
                    (staged / file).parent.mkdir(parents=True, exist_ok=True)
                    try:
                        os.link(other.folder / file, staged / file)
                    except OSError:
                        shutil.copyfile(other.folder / file, staged / file)
        remove(self.failed_folder)  # also of a later attempt, by other code

    def recover(self) -> None:
        """Put a result into its place where a kill struck between the two moves of ``whole_folder``, and
        remove what else it left.
        """
        for rest in self.folder.parent.glob(f".{self.chapter}.*"):
            if is_leftover(rest, self.folder):
                whole = (rest / DONE).exists() and not self.folder.exists()
                rest.rename(self.folder) if whole else remove(rest)


@dataclass(frozen=True)
class ReferenceMatch:
    """The reference's ``result`` of a chapter, where a run's may be compared with it; else ``why`` not,
    empty for the reference itself and where there is no reference. ``usable``: the reference's intact result,
    with whatever parameters.
    """

    result: ChapterResult | None = None
    why: str = ""
    usable: ChapterResult | None = None


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    name: str
    folder: Path

    @property
    def work(self) -> Path:
        """Locks, logs, staging: may be deleted once nothing runs.

        Raises RunStoreError where it holds a link or a pipe: an unpacked archive may bring one, and what is
        written to it would go elsewhere.
        """
        folder = self.folder / ".work"
        for place, folders, files in os.walk(folder):
            for entry in (Path(place), *(Path(place) / name for name in (*folders, *files))):
                with suppress(FileNotFoundError):  # a job of ours has removed it meanwhile
                    if stat.S_IFMT(entry.lstat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
                        raise RunStoreError(
                            f"{entry} is a link or a pipe, which no run makes; remove {folder}"
                        )
            if Path(place) == folder / STAGING:
                folders.clear()  # each is removed as a whole before it is written to
        return folder

    @property
    def record_file(self) -> Path:
        """``run.yaml``."""
        return self.folder / "run.yaml"

    def exists(self) -> bool:
        """Return whether the run has been started before."""
        return self.record_file.is_file()

    def record(self) -> dict:
        """Return the content of ``run.yaml``. Raises RunStoreError where there is no such run or the file is
        damaged.
        """
        if not self.exists():
            near = nearest_name(self.name, (run.name for run in all_runs()))
            mend = f"`ferbook status --all` lists them, `ferbook run --run {self.name}` makes it"
            raise RunStoreError(f"there is no run {self.name!r}{near}; {mend}")
        remedy = f"remove {self.folder}, and `ferbook run --run {self.name}` starts the run anew"
        content = read_yaml(self.record_file, RunStoreError, f"; {remedy}", most=LARGEST_RUN_RECORD)
        try:
            record = records.require_form(plain_values(content), records.RunRecord)
            request = record["request"]
            require_name("profile", request["profile"], suite().profiles)
            # Every chapter takes what names a run, in every edition of the book.
            for chapter, parameters in request["parameters"].items():
                if lacking := set(suite().named_by) - parameters.keys():
                    raise ValueError(f"request.parameters.{chapter} lacks {', '.join(lacking)}")
        except (ValueError, ParameterError) as fault:
            raise RunStoreError(f"{self.record_file}: not the record of a run ({fault}); {remedy}") from fault
        return record

    def parameters(self) -> dict[str, dict[str, object]]:
        """Chapter -> the parameters that its finished result was made with, or those of the run's
        request: of a run that was killed, or whose record was exchanged, these may differ.
        """
        made = {each.chapter: each.done()["inputs"].get("parameters") for each in self.results()}
        requested = self.record()["request"]["parameters"]
        return requested | {name: values for name, values in made.items() if values}

    def write_record(self, content: dict) -> None:
        """Write ``run.yaml`` atomically."""
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
        write_atomically(self.record_file, text)

    def result(self, chapter: str) -> ChapterResult:
        """Return the folder of one chapter."""
        return ChapterResult(chapter, self.folder / chapter)

    def results(self) -> list[ChapterResult]:
        """Return the finished chapters, in the book's order."""
        return [result for name in chapters() if (result := self.result(name)).done() is not None]

    def inputs_file(self, chapter: str) -> Path:
        """Return the file of the chapter's present inputs, which the job that executes it reads."""
        return self.work / "inputs" / f"{chapter}.json"

    def progress_file(self, chapter: str) -> Path:
        """Return the file that says how far the chapter's execution is."""
        return self.work / "progress" / f"{chapter}.json"

    def log_file(self, chapter: str) -> Path:
        """Return the log of the chapter's execution."""
        return self.work / "logs" / f"{chapter}.log"


def open_run(name: str) -> Run:
    """Return the run called ``name``, whether or not it exists.

    Raises RunStoreError for a name that is not a plain folder name.
    """
    if name == INTERACTIVE:
        raise RunStoreError(f"the name {name!r} is reserved for notebooks in JupyterLab; choose another")
    if not _NAME.fullmatch(name) or ".." in name:
        allowed = "letters, digits, '.', '_' and '-', starting with a letter or digit, at most 80, no '..'"
        raise RunStoreError(f"run name {name!r} cannot be used: {allowed} and no '/'")
    return Run(name, paths.runs_dir() / name)


def all_runs() -> list[Run]:
    """Return every run of the store, by name."""
    found = sorted(paths.runs_dir().glob("*/run.yaml"))
    return [Run(f.parent.name, f.parent) for f in found if f.is_file() and _NAME.fullmatch(f.parent.name)]


def exclusive(run: Run) -> AbstractContextManager[None]:
    """Hold the run for this process. Raises RunStoreError naming the holder where another living process has
    it.
    """
    return held(run.work / "lock", f"run {run.name!r} is in use by {{}}; wait, or choose another --run NAME")


def make_current(run: Run) -> None:
    """Make this the run that commands take by default."""
    write_atomically(paths.runs_dir() / CURRENT, f"{run.name}\n")


def current_run() -> Run:
    """Return the run that `ferbook run` was last called for here, also where it found nothing to do.

    Raises RunStoreError where there was none, or it is gone; runs that came with the checkout are taken where
    they are named.
    """
    file = paths.runs_dir() / CURRENT
    if not file.is_file():
        names = ", ".join(run.name for run in all_runs())
        some = f", or name one with --run: {names}" if names else ""
        raise RunStoreError(f"there is no run yet that was made here; `ferbook run` makes one{some}")
    run = open_run(file.read_text(encoding="utf-8").strip())
    if not run.exists():
        mend = f"`ferbook run --run {run.name}` makes it, or name another with --run"
        raise RunStoreError(f"the run {run.name!r}, which `ferbook run` was last called for, is gone; {mend}")
    return run
