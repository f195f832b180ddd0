"""Which files of the book a kernel executes, opens and looks for: what a chapter's result is made from."""

import hashlib
import os
import re
import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path

ANY = "…"
"""Stands in a noted path for any characters: a record holds no ``*``."""
_WILD = re.compile(r"[*?]|\[[^]]*\]")
_LISTINGS = {"os.listdir": "*", "os.scandir": "*", "pathlib.Path.glob": "", "pathlib.Path.rglob": "**"}
"""What asks which files are there, as Python's audit calls it -> what stands before a pattern, or in place of
one."""
_INSIDE = {("os.listdir", "importlib._bootstrap_external"), ("os.scandir", "glob"), ("os.scandir", "pathlib")}
"""Those, and the module that makes them, of a search for a module, and of a glob, which is noted as such."""


def names_digest(pattern: str, *folders: str | Path) -> str:
    """SHA-256 (hex) over the names of the files below ``folders`` that fit ``pattern``, each seen from there,
    without hidden ones and what Python compiles.
    """
    found = (glob(pattern, root_dir=folder, recursive=True) for folder in folders)
    names = {os.path.relpath(name, pattern) for some in found for name in some if "__pycache__" not in name}
    return hashlib.sha256(os.fsencode("\n".join(sorted(names)))).hexdigest()


def note_files(log: str, homes: Sequence[str]) -> None:
    """From now on write a line to ``log``, digest and path, for each file below the folders ``homes`` that
    this process, or one forked from it, executes as a module or opens to read, as it was at that moment; one
    more where it has changed since. Of files that it lists or looks for, the names: a line for each pattern,
    with ``ANY`` in it, but for what lies in one of ``homes`` itself, where the engine looks for all chapters.
    """
    folders = tuple(f"{os.path.realpath(home)}{os.sep}" for home in homes)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    elsewhere: set[str | bytes] = set()
    seen: set[str | tuple[str, int, int]] = {f"{folder}*" for folder in folders}

    def note(event: str, values: tuple) -> None:
        path = ""
        if event == "exec":
            path = values[0].co_filename if values[0].co_name == "<module>" else ""
        elif event == "open" and not str(values[0]).endswith((".py", ".pyc")):
            path = values[0] if values[1] is None or not set(str(values[1])) & set("wxa+") else ""
        elif event == "glob.glob/2":
            path = os.path.join(values[2] or values[0][:0], values[0])
        elif event in _LISTINGS and (event, sys._getframe(1).f_globals.get("__name__")) not in _INSIDE:
            named = isinstance(values[0], str | os.PathLike)
            path = named and os.path.join(values[0], _LISTINGS[event], *values[1:])
        if not path or not isinstance(path, str | os.PathLike) or (path := os.fspath(path)) in elsewhere:
            return
        if not isinstance(path, str) or not (file := os.path.realpath(path)).startswith(folders):
            elsewhere.add(path)
        elif os.path.isfile(file):
            state = file, os.stat(file).st_mtime_ns, os.path.getsize(file)
            if state not in seen:
                seen.add(state)
                with open(file, "rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
                os.write(sink, f"{digest} {file}\n".encode())
        else:
            home = next(each for each in folders if file.startswith(each))
            pattern = _WILD.sub("*", file.removeprefix(home))
            if "*" in pattern and home + pattern not in seen:
                seen.add(home + pattern)
                os.write(sink, f"{names_digest(pattern, home)} {home}{pattern.replace('*', ANY)}\n".encode())

    sys.addaudithook(note)


def noted_files(log: Path) -> dict[Path, str]:
    """File -> SHA-256, of what ``note_files`` noted in ``log``; of a file that was changed in between, and
    read again, a digest that no file has.
    """
    digests: dict[Path, list[str]] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        digest, _, path = line.partition(" ")
        digests.setdefault(Path(path), []).append(digest)
    return {
        file: some[0] if len(set(some)) == 1 else hashlib.sha256("".join(some).encode()).hexdigest()
        for file, some in sorted(digests.items())
    }
