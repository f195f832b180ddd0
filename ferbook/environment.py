"""Which state of the checkout a result was made with, and processes that work for us in another folder."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ferbook import paths
from ferbook.owner import end_with_parent
from ferbook.steps import INTERVAL

OUTPUT_VARIABLE = "FER_OUTPUT"
RUN_VARIABLE = "FER_RUN"
STORED_VARIABLE = "FER_STORED"
THREADS_VARIABLE = "FER_THREADS"
"""What a kernel is told: where its chapter's result goes, of which run it is, the record of an earlier result
that is checked, and how many threads it may take.
"""


DIRTY = "-dirty"
"""Ends a commit from which files differed."""


def _git(*words: str) -> bytes | None:
    """What git says in the checkout; None where there is no git, or it refuses."""
    command = ["git", *words]
    try:
        return subprocess.check_output(command, cwd=paths.root(), stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None


def git_commit() -> str:
    """The checkout's commit, marked ``-dirty`` where files differ from it; ``unknown`` outside git."""
    commit = (_git("rev-parse", "--short=12", "HEAD") or b"unknown").decode().strip()
    return f"{commit}{DIRTY * bool(uncommitted())}"


def uncommitted() -> list[str]:
    """Files of the checkout that differ from its commit, and modules that it does not have. Not those below
    ``runs/``: a result changes no later one.
    """
    told = _git("status", "--porcelain", "-z", "--no-renames", "-uall", "--", ":/", ":(exclude)runs") or b""
    files = [(line[:2], line[3:]) for line in told.decode(errors="replace").split("\0") if line]
    return [file for state, file in files if state != "??" or file.endswith(".py")]


def committed_file(file: Path) -> bytes | None:
    """The content of a file of the checkout as it is committed; None where nobody knows, or it is not."""
    inside = file.is_relative_to(paths.root())
    return _git("show", f"HEAD:./{file.relative_to(paths.root()).as_posix()}") if inside else None


def bare_jupyter(folder: Path) -> dict[str, str]:
    """Environment in which kernels are the packages' own: start-up files, kernels and settings of the user
    are looked for in the empty ``folder``. What they defined would be part of a result that names them
    nowhere.
    """
    own = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR")}
    empty = dict.fromkeys(("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "PYTHONSTARTUP"), "")
    return own | empty | {"JUPYTER_PREFER_ENV_PATH": "1"}


def printed_by_failure(
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    folder: Path | None = None,
    watch: Callable[[str], object] = len,
) -> list[str] | None:
    """Run ``command``, which ends when we do. The lines it printed where it fails, None where it succeeds;
    ``log`` holds them in either case, and ``watch`` is given now and then what it printed so far.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
    with process:
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(INTERVAL)
            watch(log.read_text(encoding="utf-8", errors="replace"))
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if process.returncode else None
