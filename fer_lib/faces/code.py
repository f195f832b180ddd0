"""On which code a face set depends: known by its content, wherever it lies."""

import hashlib

from ferbook.imports import reached_files
from ferbook.paths import LIBRARY

_NOT_CODE = ("faceset.py", "rows.py", "cache.py", "registry.py", "sources.py", "code.py", "au_statistics.py")
"""Files of this folder that keep face sets, or ask about them, but do not decide what is in one."""


def code_hash(module: str) -> str:
    """Hex digest of the code below ``fer_lib/faces`` that decides what ``module`` reads or makes."""
    home = LIBRARY / "faces"
    digest = hashlib.sha256()
    for file in reached_files(
        [module], lambda file: file.is_relative_to(home) and file.name not in _NOT_CODE
    ):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(LIBRARY).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
