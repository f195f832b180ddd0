"""Which files of the book a kernel executes and opens: what a chapter's result is made from."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def note_files(log: str, homes: Sequence[str]) -> None:
    """From now on write a line to ``log``, digest and path, for each file below the folders ``homes`` that
    this process, or one forked from it, executes as a module or opens to read, as it was at that moment; one
    more where it has changed since.
    """
    folders = tuple(f"{os.path.realpath(home)}{os.sep}" for home in homes)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    elsewhere: set[str | bytes] = set()
    seen: set[tuple[str, int, int]] = set()

    def note(event: str, values: tuple) -> None:
        if event == "exec":
            path = values[0].co_filename if values[0].co_name == "<module>" else ""
        elif event == "open" and not str(values[0]).endswith((".py", ".pyc")):
            path = values[0] if values[1] is None or not set(str(values[1])) & set("wxa+") else ""
        else:
            return
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
