"""Face sets by name: whether a copy is available, what has changed, and how it is opened.

Imports neither pandas, torch nor a renderer before pictures are opened: the command line reads status and
changes many times a session.
"""

import hashlib
import importlib
import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from face_sets.cache import cached, code_hash
from face_sets.paths import cache_dir, data_dir
from face_sets.request import CLIP_FRAMES, FaceRequest, require_clip_frames
from face_sets.sources import CLIP_SETS, SOURCES, Source, may_be_own
from ferbook.errors import DataError, ParameterError, nearest_name
from ferbook.files import open_regular, write_atomically
from synthetic_faces.versions import VERSIONS, unversioned, versioned

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


# Every face set by the name that the chapters' parameter ``faces`` accepts.
REGISTRY: dict[str, Source] = {source.name: source for source in SOURCES}


def open_faces(request: FaceRequest) -> "FaceSet":
    """Open a face set, from the cache where its content is known there.

    Parameters
    ----------
    request
        Name, size and, for synthetic sets, people and options.

    Returns
    -------
    FaceSet
        Pictures uint8 (N, size, size) with one table row each.

    Raises
    ------
    ParameterError
        An unknown name, a wrong size, an option of a real set, or ``clip_frames`` for a set without clips.
    DataError
        The set is absent, incomplete or damaged.
    """
    source, size = _checked(request)
    if not source.reader:
        require_source(source.name)
        from face_sets.rendered import rendered_faces

        return rendered_faces(request)

    folder, files = _copy(source)
    clips = _clip_options(source, request)
    key = {"code": code_hash(source.module), "size": size}
    key |= {"files": len(files), "content": _content_hash(source, folder, files)} | clips
    return cached(source.name, key, lambda: _read(source, size, clips, folder, files))


def read_anew(request: FaceRequest) -> "FaceSet":
    """Read the real set of ``request`` from the user's copy, without the cache.

    Raises as ``open_faces``, and ParameterError for a synthetic set, which has no copy.
    """
    require_layout(request.name)
    source, size = _checked(request)
    return _read(source, size, _clip_options(source, request), *_copy(source))


def source_files(name: str) -> list[Path]:
    """List the files of the user's copy of the real set ``name``, sorted. Raises as ``read_anew``."""
    folder, files = _copy(named_source(name))
    return [folder / file for file, *_ in files]


def require_layout(name: str) -> None:
    """Raise ParameterError unless ``name`` is a real set with an official layout."""
    layouts = [source.name for source in REGISTRY.values() if source.reader]
    if name not in (*layouts, *own_sets()):
        raise ParameterError(f"{name!r} has no official layout; the layouts are {', '.join(layouts)}")


def _read(
    source: Source, size: int, options: dict[str, int], folder: Path, files: "list[FileState]"
) -> "FaceSet":
    try:
        reader = getattr(importlib.import_module(source.module), source.reader.partition(":")[2])
        faces = reader(folder, size, **options)
    except DataError as fault:
        if str(folder) in str(fault):
            raise
        raise DataError(f"{source.name}, read from {folder}: {fault}") from fault
    _require_unchanged(source, folder, files)
    return faces


# Side in pixels above which no set is opened: 35,887 pictures would already fill 9 GB.
_LARGEST = 512


def _checked(request: FaceRequest) -> tuple[Source, int]:
    """Return the source of ``request`` and the side of its pictures in pixels. Raises ParameterError."""
    source, size = named_source(request.name), request.size
    require_clip_frames(request.clip_frames)
    if source.reader and request.options:
        raise ParameterError(
            f"{', '.join(request.options)} is for synthetic faces; {source.name} is a real set"
        )
    if not source.clips and request.clip_frames != CLIP_FRAMES:
        raise ParameterError(
            f"clip_frames is {request.clip_frames}, but {source.name} has no clips; leave it at "
            f"{CLIP_FRAMES}, or take one of {', '.join(CLIP_SETS)}"
        )
    if not 0 <= size <= _LARGEST:
        raise ParameterError(f"size is {size}; it must lie between 0 (the set's own) and {_LARGEST} pixels")
    if source.sizes and size > max(source.sizes):
        largest = max(source.sizes)
        raise ParameterError(
            f"size is {size}, but pictures of {source.name} have {largest} × {largest} pixels at most; give "
            f"{largest} or less"
        )
    return source, size or source.size


def _clip_options(source: Source, request: FaceRequest) -> dict[str, int]:
    """Return the arguments of the reader of ``source`` beyond a size."""
    return {"clip_frames": request.clip_frames} if source.clips else {}


def fingerprint(request: FaceRequest) -> str:
    """Compute a key of the content of ``request`` without loading it.

    Equal keys mean equal faces, on any machine. The key of a synthetic set is its version and the request.
    The key of a real set is a digest of its files and of its reader's code; the content of pictures of more
    than 8 GiB in all is represented by their modification times.

    Returns
    -------
    str
        The key, or ``"absent"`` where the set cannot be opened because something is missing.

    Raises
    ------
    ParameterError
        As ``open_faces``.
    DataError
        A file that cannot be read.
    """
    if may_be_own(request.name) and not _is_own(request.name):
        return "absent"  # of a run from another machine, say
    source, size = _checked(request)
    clips = _clip_options(source, request)
    folder, missing = _place(source) if source.layouts else (None, None)
    if missing:
        return "absent"
    content = {"content": _content_hash(source, folder, _files(source, folder))} if folder else {}
    if not source.reader:
        about = {"subjects": request.subjects, "size": size, "seed": request.face_seed}
        settings = about | clips | request.options | content
        return ", ".join([set_name(request.name), *(f"{what} {value}" for what, value in settings.items())])
    key = {"code": code_hash(source.module), "size": size} | clips | content
    return hashlib.sha256(json.dumps([request.name, key], sort_keys=True).encode()).hexdigest()


def source_status(name: str) -> dict:
    """Return whether ``name`` can be opened here, and where it was searched for.

    Returns
    -------
    dict
        ``state`` ("found", "incomplete" or "not found"), ``found`` (bool), ``place``, and ``missing``, the
        first missing thing or None.
    """
    source = named_source(name)
    if not source.layouts:
        return {"state": "found", "found": True, "place": "generated", "missing": None}
    folder, missing = _place(source)
    state = "found" if not missing else "incomplete" if folder.is_dir() else "not found"
    return {"state": state, "found": not missing, "place": str(folder), "missing": missing}


def require_source(name: str) -> None:
    """Raise DataError, with the place of the search and how to get the set, unless ``name`` can be opened
    here.
    """
    source = named_source(name)
    if source.layouts:
        _copy(source)


def _copy(source: Source) -> "tuple[Path, list[FileState]]":
    """Return the folder of the user's copy and its files; raise DataError unless it is complete."""
    folder, missing = _place(source)
    if missing:
        other = source.other_form(folder)
        near = nearest_name(source.name, REGISTRY) if source.name not in REGISTRY else ""
        raise DataError(
            f"{source.name}: {missing} not found{near}. {other and f'{other}. '}It was looked for below "
            f"FER_DATA; expected there: {source.expected}. How to get it: {source.how_to_get}"
        )
    return folder, _files(source, folder)


def list_sources() -> list[dict]:
    """List all face sets: title, licence, citation, how to get it, expected files, its ``source_status`` and
    ``version`` (``set_name``).
    """
    fields = ("name", "title", "licence", "citation", "shareable", "how_to_get", "expected")
    return [
        {field: getattr(source, field) for field in fields}
        | source_status(source.name)
        | {"version": set_name(source.name)}
        for source in map(named_source, (*REGISTRY, *own_sets()))
    ]


def own_sets() -> list[str]:
    """List the user's own sets: folders below FER_DATA with a ``faces.csv``, sorted."""
    names = sorted(table.parent.name for table in data_dir().glob("*/faces.csv"))
    return [*filter(_is_own, names)]


def _is_own(name: str) -> bool:
    return may_be_own(name) and (data_dir() / name / "faces.csv").is_file()


def set_name(name: str) -> str:
    """Return the name of a face set in runs and weights: a synthetic one with its version, as ``lab/2``."""
    return versioned(name) if name in VERSIONS else name


def named_source(name: str) -> Source:
    """Return the face set ``name``; a synthetic one also as ``name/version``.

    Raises ParameterError for an unknown one, SettingError for a version that is not made here.
    """
    plain = unversioned(name) if name.partition("/")[0] in VERSIONS else name
    if _is_own(plain):
        return replace(REGISTRY["own"], name=plain)
    if plain not in REGISTRY:
        table = data_dir() / name / "faces.csv"
        also = f"; a set of yours would have its table at {table}" if may_be_own(name) else ""
        raise ParameterError(f"faces is {name!r}; the face sets are {', '.join(REGISTRY)}{also}")
    return REGISTRY[plain]


def _place(source: Source) -> tuple[Path, str | None]:
    """Return the first of the source's folders with a complete layout, or that exists, or its first; and the
    first missing thing there.
    """
    folders = [data_dir() / name for name in source.folders or (source.name,)]
    if len(below := [copy for folder in folders for copy in _level_below(source, folder)]) == 1:
        return below[0], None
    places = [(folder, _first_missing(source, folder)) for folder in folders]
    whole = [place for place in places if place[1] is None]
    return next(iter([*whole, *(place for place in places if place[0].is_dir()), *places]))


def _level_below(source: Source, folder: Path) -> list[Path]:
    """List the folders in ``folder`` with a complete layout, if it has none itself: archives unpack this
    way.
    """
    if not folder.is_dir() or source.name == "own" or not _first_missing(source, folder):
        return []
    return [each for each in sorted(folder.iterdir()) if each.is_dir() and not _first_missing(source, each)]


def _first_missing(source: Source, folder: Path) -> str | None:
    if not folder.is_dir():
        return f"folder {folder}"
    if other := _other_case(source, folder):
        return other
    missing = [[entry for entry in layout if not any(folder.glob(entry))] for layout in source.layouts]
    # Of several layouts, the user most likely has the one that is begun: train without test lacks test.
    candidates = [
        entries for entries, layout in zip(missing, source.layouts, strict=True) if len(entries) < len(layout)
    ]
    if [] in missing:
        return None
    return f"{folder / (candidates or missing)[0][0]}"


def _other_case(source: Source, folder: Path) -> str:
    """Return, in words, a name that differs from an entry of the layouts in letter case only: it would be
    ignored.

    Empty if there is none, and if a disk does not distinguish the two.
    """
    entries = (*(entry for layout in source.layouts for entry in layout), *source.optional)
    spellings = {entry.casefold(): entry for entry in entries if not set(entry) & set("*?[/")}
    for other in sorted(os.listdir(folder)):
        name = spellings.get(other.casefold(), other)
        if name != other and not (folder / name).exists():
            return f"{folder / name} (there is {other!r}: mind the letter case)"
    return ""


# Path below the set's folder, size in bytes, modification and change time in ns, inode.
FileState = tuple[str, int, int, int, int]


def _files(source: Source, folder: Path) -> list[FileState]:
    """List the files that the reader reads, sorted: those of the first complete layout, and the optional
    ones; none without a complete layout.

    Plain strings, not Path objects: an image folder has 35,887 files, and staleness is checked often.
    """
    complete = (entries for entries in source.layouts if all(any(folder.glob(e)) for e in entries))
    if (layout := next(complete, None)) is None:
        return []
    root = os.path.join(folder, "")
    states: dict[str, FileState] = {}
    for entry in (*layout, *source.optional):
        for top in map(str, sorted(folder.glob(entry))):
            below = [os.path.join(parent, file) for parent, _, files in os.walk(top) for file in files]
            for name in below if os.path.isdir(top) else [top]:
                with suppress(OSError):  # a broken link, which the reader names
                    s = os.stat(name)
                    local = name.removeprefix(root)
                    if not stat.S_ISREG(s.st_mode):  # opening a pipe would wait for ever
                        raise DataError(f"{source.name}: {name} is no regular file; take it away")
                    states[local] = (local, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
    return sorted(states.values())


_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".avi", ".zip", ".wrl")
# Bytes of a set up to which its pictures are hashed too; for a larger one, their state is used.
_HASHED_PICTURES = 8 << 30

# A file changed within the last two seconds may change again within one tick of its clock.
_SETTLED_NS = 2_000_000_000


def _content_hash(source: Source, folder: Path, files: list[FileState]) -> str:
    """Compute SHA-256 over each file's path and content; for pictures of more than 8 GiB in all over path,
    size and modification time.

    Reading 300 MB at every opening would cost more than loading the parsed set, so the digest is stored in
    the cache under the files' state: path, size, modification and change time, inode. No system call sets the
    change time, so a file whose content was replaced and its modification time restored is still noticed. As
    in git, a state younger than two seconds is not trusted.
    """
    rule = "contents, of more than 8 GiB times"  # a digest by another rule is not remembered
    states = hashlib.sha256(json.dumps([rule, str(folder), files]).encode()).hexdigest()
    memo = cache_dir() / "digests" / f"{source.name}.json"
    with suppress(OSError, ValueError):
        entry = json.loads(memo.read_text())
        if isinstance(entry, dict) and entry.get("states") == states:
            return str(entry["content"])
    start = time.time_ns()
    digest = hashlib.sha256()
    try:
        whole = sum(size for _, size, *_ in files) <= _HASHED_PICTURES
        for name, size, mtime, _, _ in files:
            if not whole and name.lower().endswith(_PICTURES):
                digest.update(json.dumps([name, size, mtime]).encode())
                continue
            with open_regular(folder / name) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(json.dumps([name, content]).encode())
    except OSError as fault:
        raise DataError(f"{source.name}: {fault.filename} cannot be read ({fault.strerror})") from fault
    _require_unchanged(source, folder, files)
    if files and start - max(ctime for _, _, _, ctime, _ in files) > _SETTLED_NS:
        with suppress(OSError):  # a cache that cannot be written costs time only
            write_atomically(memo, json.dumps({"states": states, "content": digest.hexdigest()}))
    return digest.hexdigest()


def _require_unchanged(source: Source, folder: Path, files: list[FileState]) -> None:
    if _files(source, folder) != files:
        raise DataError(f"{source.name}: files below {folder} changed while they were read; try again")
