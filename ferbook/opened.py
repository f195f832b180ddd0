"""Record which files of the book a chapter's kernel executes, opens and lists: what its result is made from.

``record_opened_files`` runs in the kernel before any other code. It installs an audit hook (PEP 578), which
writes one line to a log for each file or listing: its digest, and its path. ``read_opened_files`` reads that
log when the chapter has ended.
"""

import hashlib
import io
import os
import re
import sys
import tokenize
from collections.abc import Sequence
from glob import glob
from pathlib import Path

# Stands for any characters in the path of a listing: a record holds no ``*``.
ANY = "…"

_SILENT = {tokenize.ENCODING, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_TEXT = re.compile(r"[rRuUbB]{0,2}['\"]")

_WILDCARD = re.compile(r"[*?]|\[[^]]*\]")


def file_digest(file: str | Path) -> str:
    """Return the SHA-256 (hex) of a file; of a Python module that of its code, since comments, docstrings,
    blank lines and the kind of line ends compute nothing.
    """
    with open(file, "rb") as content:
        if str(file).endswith(".py"):
            return _digest_of_code(content.read().replace(b"\r\n", b"\n"))
        return hashlib.file_digest(content, "sha256").hexdigest()


def _digest_of_code(source: bytes) -> str:
    lines = source.decode(errors="replace").split("\n")
    code: list[str] = []
    statement: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column].rstrip()
            elif token.type == tokenize.NEWLINE:
                if len(statement) > 1 or not _TEXT.match(statement[0].string):
                    rows = {row for each in statement for row in range(each.start[0], each.end[0] + 1)}
                    code += [lines[row - 1] for row in sorted(rows)]
                statement = []
            elif token.type not in _SILENT:
                statement.append(token)
    except (tokenize.TokenError, SyntaxError):
        return hashlib.sha256(source).hexdigest()
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


def names_digest(pattern: str, *folders: str | Path) -> str:
    """Return the SHA-256 (hex) over the names, relative to ``pattern``, of the files below ``folders`` that
    match it; hidden files and compiled modules do not count.
    """
    matches = (glob(pattern, root_dir=folder, recursive=True) for folder in folders)
    names = {os.path.relpath(name, pattern) for some in matches for name in some if "__pycache__" not in name}
    return hashlib.sha256(os.fsencode("\n".join(sorted(names)))).hexdigest()


def record_opened_files(log: str, folders: Sequence[str]) -> None:
    """From now on log each file below ``folders`` that this process, or one forked from it, executes as a
    module or opens to read, again where it has changed since; and each pattern of file names that it lists
    there.

    A listing of one of ``folders`` itself is not logged: the engine looks there for all chapters.
    """
    sys.addaudithook(_Recorder(log, folders).audit)


class _Recorder:
    def __init__(self, log: str, folders: Sequence[str]) -> None:
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.folders = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in folders)
        # Paths that are known to lie elsewhere.
        self.outside: set[str] = set()
        self.logged: set[str | tuple[str, int, int]] = {f"{folder}*" for folder in self.folders}

    def audit(self, event: str, arguments: tuple) -> None:
        """Log what an audit event is about. Python calls it at every event, so most calls must be quick."""
        path = _path_of(event, arguments)
        if not isinstance(path, str) or not path or path in self.outside:
            return
        file = os.path.realpath(path)
        if not file.startswith(self.folders):
            self.outside.add(path)
        elif os.path.isfile(file):
            self._log_file(file)
        else:
            self._log_listing(file)

    def _log_file(self, file: str) -> None:
        state = file, os.stat(file).st_mtime_ns, os.path.getsize(file)
        if state not in self.logged:
            self.logged.add(state)  # before the file is opened, which is an event too
            self._write(file_digest(file), file)

    def _log_listing(self, path: str) -> None:
        folder = next(folder for folder in self.folders if path.startswith(folder))
        pattern = _WILDCARD.sub("*", path.removeprefix(folder))
        if "*" in pattern and folder + pattern not in self.logged:
            self.logged.add(folder + pattern)
            self._write(names_digest(pattern, folder), folder + pattern.replace("*", ANY))

    def _write(self, digest: str, path: str) -> None:
        os.write(self.log, f"{digest} {path}\n".encode())


def _path_of(event: str, arguments: tuple) -> object:
    """Return the file that an audit event executes or reads, or the pattern that it lists; else None."""
    if event == "exec":
        code = arguments[0]
        return code.co_filename if code.co_name == "<module>" else None
    if event == "open":
        path, mode = arguments[:2]
        writes = mode is not None and set(str(mode)) & set("wxa+")
        # A module is logged when it is executed.
        return None if writes or str(path).endswith((".py", ".pyc")) else _text(path)
    if event == "glob.glob/2":
        pattern, _, root = arguments[:3]
        return _text(os.path.join(root or pattern[:0], pattern))
    if event in ("os.listdir", "os.scandir"):
        caller = sys._getframe(2).f_globals.get("__name__")  # audit's caller
        # Python's search for modules, and a glob, which is logged as one.
        internal = {"os.listdir": ("importlib._bootstrap_external",), "os.scandir": ("glob", "pathlib")}
        return None if caller in internal[event] else _joined(arguments[0], "*")
    if event == "pathlib.Path.glob":
        return _joined(*arguments[:2])
    if event == "pathlib.Path.rglob":
        return _joined(arguments[0], "**", arguments[1])
    return None


def _joined(folder: object, *names: str) -> object:
    """Return the path of ``names`` in a folder; None where that is given by a file descriptor."""
    return _text(os.path.join(folder, *names)) if isinstance(folder, str | os.PathLike) else None


def _text(path: object) -> object:
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def read_opened_files(log: Path) -> dict[Path, str]:
    """Return file or listing -> SHA-256, from the ``log`` of ``record_opened_files``; for a file that changed
    between two readings a digest that no file has.
    """
    digests: dict[Path, list[str]] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        digest, _, path = line.partition(" ")
        digests.setdefault(Path(path), []).append(digest)
    return {
        file: some[0] if len(set(some)) == 1 else hashlib.sha256("".join(some).encode()).hexdigest()
        for file, some in sorted(digests.items())
    }
