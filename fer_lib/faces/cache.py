"""Face sets that were made once are kept below ``paths.cache_dir()`` under a key of what they depend on."""

import contextlib
import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from fer_lib import paths
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError, ParameterError

_log = logging.getLogger(__name__)


def cached(kind: str, key: dict, make: Callable[[], FaceSet]) -> FaceSet:
    """The face set ``kind`` with ``key``: loaded if it was kept, else made by ``make`` and kept.

    ``key`` holds all that the content depends on, as JSON values: any change of it is another entry. A
    damaged entry is reported in one line and made anew. Processes that make the same entry at the same time
    all succeed. Raises ParameterError for a key that is not JSON, DataError where the entry cannot be
    written.
    """
    folder = entry(kind, key)
    if folder.exists():
        try:
            return FaceSet.load(folder)
        except DataError as fault:
            _log.warning("cached face set is damaged and made anew: %s", fault)
            _discard(folder)
    faces = make()
    try:
        faces.save(folder)
    except DataError as fault:
        # Another process may have kept the entry first: same key, same content.
        if not folder.exists():
            raise DataError(f"{fault}: FER_CACHE says where faces are kept") from fault
    return faces


def entry(kind: str, key: dict) -> Path:
    """The folder that ``cached`` keeps the face set ``kind`` with ``key`` in."""
    try:
        canonical = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as fault:
        raise ParameterError(
            f"cache key of the {kind} faces: {fault}; only JSON values can be keys"
        ) from fault
    return paths.cache_dir() / "faces" / f"{kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _discard(folder: Path) -> None:
    # Moved away first: another process sees the whole entry or none of it.
    aside = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    # Another process may be quicker to discard it.
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
