"""The cache of face sets, below ``paths.cache_dir()``, by a key of what they depend on: the version of
synthetic sets, the files and the reader's code of real ones.

Light to import: the command line computes the code's hash many times a session.
"""

import ast
import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from face_sets import paths
from ferbook.errors import DataError

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet

# Folders of the code that determines the content of a face set.
ROOMS = ("face_sets/", "synthetic_faces/")

# Files that store or list face sets, but do not determine their content.
_NOT_CODE = {f"face_sets/{name}.py" for name in ("faceset", "cache", "registry", "sources")}

_log = logging.getLogger(__name__)


def cached(kind: str, key: dict, make: Callable[[], "FaceSet"]) -> "FaceSet":
    """Load the face set ``kind`` with ``key``, or make and store it.

    A damaged entry is reported in one line and made again. Processes that make the same entry at the same
    time all succeed.

    Parameters
    ----------
    kind
        The readable part of the entry's name.
    key
        All that the content depends on, as JSON values: any change of it is another entry.
    make
        Makes the set if it is not stored.

    Raises
    ------
    DataError
        The entry cannot be written.
    """
    from face_sets.faceset import FaceSet

    folder = entry(kind, key)
    if folder.exists():
        try:
            return FaceSet.load(folder)
        except DataError as fault:
            _log.warning("cached face set is damaged and made anew: %s", fault)
            # Another process may be faster, or see a part of it: it reports damage and makes the entry again.
            shutil.rmtree(folder, ignore_errors=True)
    faces = make()
    try:
        faces.save(folder)
    except DataError as fault:
        # Another process may have stored the entry first: same key, same content.
        if not folder.exists():
            raise DataError(f"{fault}: FER_CACHE names the folder in which face sets are stored") from fault
    return faces


def entry(kind: str, key: dict) -> Path:
    """Return the folder of the face set ``kind`` with ``key``."""
    canonical = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return paths.cache_dir() / "faces" / f"{kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def code_hash(*modules: str) -> str:
    """Hex digest of ``code_of``."""
    digest = hashlib.sha256()
    for name, content in sorted(code_of(*modules).items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def code_of(*modules: str) -> dict[str, bytes]:
    """Collect the code below ``face_sets/`` and ``synthetic_faces/`` that determines what ``modules`` read or
    make: path -> content.

    That is the files of ``modules`` and all that they import in turn.
    """
    home = Path(__file__).resolve().parents[1]
    pending, sources = list(modules), {}
    while pending:
        name = pending.pop().replace(".", "/") + ".py"
        if name.startswith(ROOMS) and name not in {*sources, *_NOT_CODE} and (home / name).is_file():
            sources[name] = (home / name).read_bytes()
            pending += _imported(sources[name])
    return sources


@cache
def _imported(content: bytes) -> set[str]:
    """Return the names of the modules that the code ``content`` imports, and of names that it imports from
    them.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
