"""A run as one file, to be handed on, and what holds of a run from elsewhere, which is never executed."""

import errno
import hashlib
import io
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from ferbook import paths
from ferbook.book import Chapter, chapters, suite
from ferbook.build import foreign_cells, require_sound
from ferbook.environment import committed_file
from ferbook.errors import FerError, RunStoreError, first_fault
from ferbook.files import open_regular, write_atomically
from ferbook.inputs import code_inputs
from ferbook.store import DONE, ChapterResult, Run, open_run

MOST_ENTRIES = 10_000
LARGEST_ARCHIVE = 2**31
"""Of a zip, unpacked."""

BELIEVED = (
    "that this code gave these numbers: digests guard a run against damage, not against forgery. `ferbook "
    "check` executes this checkout's code with the run's parameters, and compares"
)

_PLACE = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*){0,3}", re.ASCII)


@dataclass
class Findings:
    """What ``holds`` of a run, what nobody here can know, and the ``faults`` that speak against it."""

    holds: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {**vars(self), "believed": BELIEVED}


def archived_names(run: Run) -> list[str]:
    """Paths, below its folder, of what is handed on of ``run``: its record and the files of its finished
    chapters. Raises RunStoreError for a damaged run.
    """
    require_sound(run)
    files = [f"{each.chapter}/{name}" for each in run.results() for name in (*each.done()["files"], DONE)]
    return [run.record_file.name, *files]


def archive_run(run: Run, file: Path) -> int:
    """Write the record of ``run`` and the files of its finished chapters to a zip, the same each time; the
    number of files. Raises RunStoreError for a damaged run, for one that would not be unpacked, and where
    ``file`` is there already.
    """
    if file.exists():
        raise RunStoreError(f"{file} is there already; give another name, or remove it")
    names, content = archived_names(run), io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, (run.folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
        if fault := next(_faults_of_entries(archive.infolist()), ""):
            raise RunStoreError(f"run {run.name!r}: {fault}; no command would unpack it")
    write_atomically(file, content.getvalue())
    return len(names)


@contextmanager
def run_at(what: str) -> Iterator[Run]:
    """The run called ``what``, or that in the zip ``what``, unpacked for as long as it is looked at. Raises
    RunStoreError for a name that is none, and for a zip that is not unpacked.
    """
    if not Path(what).is_file():
        if Path(what).suffix == ".zip" or len(Path(what).parts) > 1:
            raise RunStoreError(f"{what}: there is no such file")
        yield open_run(what)
        return
    with TemporaryDirectory(prefix="ferbook-verify.") as place:
        unpack_run(Path(what), Path(place))
        yield Run("unpacked", Path(place))


def unpack_run(file: Path, folder: Path) -> None:
    """Write what a run's zip holds below the empty ``folder``.

    Raises RunStoreError, before anything is written, for a zip with a link, with a path that no run has, with
    two files of one name, packed in a way that no run is, or of more than ``MOST_ENTRIES`` or
    ``LARGEST_ARCHIVE``; and for a damaged one.
    """
    try:
        with open_regular(file) as content, zipfile.ZipFile(content) as archive:
            if fault := next(_faults_of_entries(archive.infolist()), ""):
                raise RunStoreError(f"{file}: {fault}; it is not unpacked")
            for entry in archive.infolist():
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as plain:
                    shutil.copyfileobj(source, plain)  # never more than the entry's size, which was looked at
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, OSError) as fault:
        if isinstance(fault, OSError) and fault.errno != errno.EINVAL:
            raise  # a full disk; a place before the file's begin, which a damaged zip may name, is EINVAL
        raise RunStoreError(f"{file}: no zip that can be read ({fault})") from fault


def _faults_of_entries(entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    if len(entries) > MOST_ENTRIES:
        yield f"{len(entries):,} files, more than {MOST_ENTRIES:,}"
    if (size := sum(entry.file_size for entry in entries)) > LARGEST_ARCHIVE:
        yield f"{size:,} bytes unpacked, more than {LARGEST_ARCHIVE:,}"
    names: set[str] = set()
    folders = {str(place) for entry in entries for place in PurePath(entry.filename.lower()).parents}
    for entry in entries:
        name = entry.filename
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            yield f"{name!r:.80} is a link, or no plain file"
        if not _PLACE.fullmatch(name):
            yield f"{name!r:.80} is no path within a run"
        if name.lower() in names:
            yield f"{name!r:.80} is there twice"
        if name.lower() in folders:
            yield f"{name!r:.80} is a file and a folder"
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield f"{name!r:.80} is packed in another way than `ferbook archive` does"
        names.add(name.lower())


def verify_run(run: Run, archive: bool = False) -> Findings:
    """What holds of ``run``: its form, its digests, whose code it names, its parameters and its versions; of
    one from an ``archive`` also that nothing came with it. Nothing of it is executed.
    """
    findings = Findings()
    try:
        record, names = run.record(), archived_names(run)
    except FerError as fault:
        findings.faults.append(str(fault))
        return findings
    content = {file.relative_to(run.folder).as_posix() for file in run.folder.rglob("*") if file.is_file()}
    if archive and (odd := sorted(content.difference(names))):
        findings.faults.append(f"files that are none of the run's: {_first(odd)}; remove them from the zip")
    results = run.results()
    files = sum(len(result.done()["files"]) for result in results)
    findings.holds.append(f"form and digests: {len(results)} chapters, {files} files, made from each other")
    for result in results:
        _verify_chapter(chapters()[result.chapter], result, findings)
    here = {name: version(name) for name in suite().packages}
    there = record.get("versions", {})
    differing = [
        f"{name} {there[name]} (here {here[name]})"
        for name in here
        if there.get(name, here[name]) != here[name]
    ]
    if absent := [name for name in here if name not in there]:
        findings.unknown.append(f"versions: of {_first(absent)} it names none")
    if differing or not absent:
        findings.holds.append(f"versions: {', '.join(differing) or 'as here'}")
    return findings


def _verify_chapter(chapter: Chapter, result: ChapterResult, findings: Findings) -> None:
    inputs = result.done()["inputs"]
    try:
        chapter.parameters(**inputs.get("parameters", {}))
    except ValidationError as fault:
        findings.faults.append(f"{chapter.name}: parameters: {first_fault(fault)}")
    try:
        if foreign := foreign_cells(chapter, result):
            findings.faults.append(f"{chapter.name}: cells that nobody here knows: {', '.join(foreign)}")
    except FerError as fault:
        findings.faults.append(f"{chapter.name}: {fault}")
        return
    code, current = inputs.get("code", {}), code_inputs(chapter)
    commit = str(result.record().get("commit", "unknown"))
    if all(inputs.get(part) == now for part, now in current.items()):
        findings.holds.append(f"{chapter.name}: says that it ran this checkout's code")
        return
    clean = commit.removesuffix("-dirty")
    odd = [name for name, digest in code.items() if _digest(clean, name) != digest]
    # One true file must not stand for all. What another commit does not have its chapter could not name.
    unnamed = [name for name in current["code"] if name not in code and _digest(clean, name)]
    if not code or unnamed:
        what = f"does not name {_first(unnamed)}" if code else "names no files"
        findings.unknown.append(f"{chapter.name}: whose code it ran: it {what}")
    elif odd:
        findings.unknown.append(f"{chapter.name}: files as commit {commit} does not have them: {_first(odd)}")
    else:
        findings.holds.append(f"{chapter.name}: says that it ran the code of commit {commit}")


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + " …" * (len(names) > 3)


def _digest(commit: str, name: str) -> str | None:
    content = committed_file(commit, paths.root() / name)
    return None if content is None else hashlib.sha256(content).hexdigest()
