"""What a chapter's result depends on, by content, and why a stored result is out of date."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version

from book.parameters import ChapterParameters
from fer_lib.faces.registry import fingerprint
from ferbook import paths
from ferbook.book import Chapter
from ferbook.errors import ChapterError
from ferbook.imports import imported_modules, reached_files
from ferbook.notebook import code_sources, read_notebook

PACKAGES = ("fastai", "numpy", "pandas", "scikit-learn", "scipy", "torch")
"""Packages whose version a number may depend on."""

_NOT_INPUTS = (
    *(paths.LIBRARY / "suite", paths.LIBRARY / "params", paths.LIBRARY / "paths.py"),
    *(paths.LIBRARY / "faces" / "synthetic", paths.LIBRARY / "faces" / "readers"),
)
"""Code that runs chapters rather than computing for them, neither counted nor followed; parameters are
compared by value. What makes the pictures is part of the face set's own fingerprint: a changed renderer does
not concern a real set."""


def sha256(content: bytes) -> str:
    """Hex digest of ``content``."""
    return hashlib.sha256(content).hexdigest()


def library_files(sources: list[str], notebook: str = "notebook") -> dict[str, str]:
    """Relative path -> SHA-256 of every library file that the code cells ``sources`` reach by imports.

    Raises ChapterError, naming the cell of ``notebook``, for one that is not plain Python.
    """
    modules: set[str] = set()
    for number, source in enumerate(sources, start=1):
        try:
            modules |= imported_modules(source)
        except (SyntaxError, ValueError) as fault:  # ValueError: a null byte
            line = f", line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
            raise ChapterError(
                f"{notebook}, code cell {number}{line}: not plain Python ({getattr(fault, 'msg', fault)})"
            ) from fault
    files = reached_files(modules, lambda file: not any(file.is_relative_to(other) for other in _NOT_INPUTS))
    return {file.relative_to(paths.ROOT).as_posix(): sha256(file.read_bytes()) for file in files}


def chapter_inputs(chapter: Chapter, parameters: ChapterParameters) -> dict[str, object]:
    """Everything the chapter's result depends on but its upstream chapters, as plain JSON values."""
    sources = code_sources(read_notebook(chapter.notebook))
    return {
        "notebook": sha256(json.dumps(sources).encode()),
        "parameters": parameters.model_dump(),
        "library": library_files(sources, chapter.notebook.name),
        "packages": {name: version(name) for name in PACKAGES},
        "face_data": {
            " ".join(str(value) for _, value in source): fingerprint(**dict(source))
            for source in parameters.face_sources
        },
    }


def reasons_out_of_date(recorded: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    """Why a result made from ``recorded`` inputs is not what ``current`` inputs would give; empty if it is."""
    reasons = []
    if recorded.get("notebook") != current["notebook"]:
        reasons.append("notebook changed")
    for kind in ("parameters", "packages"):
        before, now = recorded.get(kind, {}), current[kind]
        word = "parameter" if kind == "parameters" else "package"
        reasons += [
            f"{word} {name} {before.get(name, 'absent')} → {now.get(name, 'absent')}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
    before, now = recorded.get("upstream", {}), current.get("upstream", {})
    reasons += [f"upstream {name} ran" for name in now if before.get(name) != now[name]]
    before, now = recorded.get("library", {}), current["library"]
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        reasons.append(f"library changed ({shown})")
    # Face sets that were not asked for before are told by the parameters that ask for them.
    before, now = recorded.get("face_data", {}), current["face_data"]
    changed = {now[asked] for asked in now if before.get(asked, now[asked]) != now[asked]}
    if changed:
        absent = "absent" in changed
        reasons.append("face data not found (FER_DATA or --data-dir)" if absent else "face data changed")
    return reasons
