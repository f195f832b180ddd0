"""Which files a piece of code reaches by its imports: what a result depends on."""

import ast
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from ferbook import paths


def imported_modules(source: str) -> set[str]:
    """Names of the modules that the Python code ``source`` imports, anywhere in it; those of a ``from`` may
    be names inside a module, too.

    Raises SyntaxError or ValueError (a null byte) for what is not plain Python.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reached_files(modules: Iterable[str], follow: Callable[[Path], bool]) -> list[Path]:
    """The files of ``modules`` and of all that they import in turn, sorted; only files that lie beside the
    book or beside the engine, and that ``follow`` accepts.
    """
    homes = paths.root(), paths.ENGINE.parent
    pending, names, files = set(modules), set(), set()
    while pending:
        name = pending.pop()
        names.add(name)
        if package := name.rpartition(".")[0]:
            pending.add(package)  # importing a module runs the __init__ of each package above it
        file = _module_file(name, homes)
        if file and file not in files and follow(file):
            files.add(file)
            pending |= _imports_of(file, file.stat().st_mtime_ns)
        pending -= names
    return sorted(files)


def _module_file(name: str, homes: Iterable[Path]) -> Path | None:
    for home in homes:
        stem = home / name.replace(".", "/")
        for candidate in (f"{stem}.py", f"{stem}/__init__.py"):
            if os.path.isfile(candidate):
                return Path(candidate)
    return None


@cache
def _imports_of(file: Path, mtime: int) -> frozenset[str]:
    return frozenset(imported_modules(file.read_text(encoding="utf-8")))
