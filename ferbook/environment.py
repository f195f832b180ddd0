"""Where and for whom work is done: which state of the checkout made a result, processes that work for
us in another folder, a file that one process holds at a time, and jobs that do not outlive the command that
started them, even where that was killed with -9.
"""

import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ferbook import paths
from ferbook.errors import RunStoreError
from ferbook.files import open_regular

OUTPUT_VARIABLE = "FER_OUTPUT"
RUN_VARIABLE = "FER_RUN"
STORED_VARIABLE = "FER_STORED"
# Pass to a kernel where its chapter's result goes, the run, the record of an earlier result that is checked,
# and how many threads it may use.
THREADS_VARIABLE = "FER_THREADS"


# Ends a commit from which files differed.
DIRTY = "-dirty"


def _git(*words: str) -> bytes | None:
    """Return what git says in the checkout; None where there is no git, or it refuses."""
    command = ["git", *words]
    try:
        return subprocess.check_output(command, cwd=paths.root(), stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None


def git_commit() -> str:
    """Return the checkout's commit, marked ``-dirty`` where files differ from it; ``unknown`` outside git."""
    commit = (_git("rev-parse", "--short=12", "HEAD") or b"unknown").decode().strip()
    return f"{commit}{DIRTY * bool(uncommitted())}"


def uncommitted() -> list[str]:
    """Return files of the checkout that differ from its commit, and modules that it does not have. Not those
    below ``runs/``: a result changes no later one.
    """
    listed = _git("status", "--porcelain", "-z", "--no-renames", "-uall", "--", ":/", ":(exclude)runs") or b""
    files = [(line[:2], line[3:]) for line in listed.decode(errors="replace").split("\0") if line]
    return [file for state, file in files if state != "??" or file.endswith(".py")]


def committed_file(file: Path) -> bytes | None:
    """Return the content of a file of the checkout as it is committed; None where it is not, or there is no
    git.
    """
    inside = file.is_relative_to(paths.root())
    return _git("show", f"HEAD:./{file.relative_to(paths.root()).as_posix()}") if inside else None


def bare_jupyter(folder: Path) -> dict[str, str]:
    """Return an environment in which kernels are the packages' own: start-up files, kernels and settings of
    the user are looked for in the empty ``folder``. What they defined would be part of a result that does
    not name them.
    """
    own = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR")}
    empty = dict.fromkeys(("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "PYTHONSTARTUP"), "")
    return own | empty | {"JUPYTER_PREFER_ENV_PATH": "1"}


def start_logged(
    command: Sequence[str], log: Path, environment: Mapping[str, str], **options: object
) -> subprocess.Popen:
    """Start ``command``, which ends when we do. ``log``, begun anew, holds what it prints."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    with log.open("xb") as sink:  # never what a link leads to
        streams = {"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, env=environment, preexec_fn=end_with_parent, **streams, **options)


def printed_by_failure(
    command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path | None = None
) -> list[str] | None:
    """Run ``command``, which ends when we do. The lines it printed where it fails, None where it succeeds;
    ``log`` holds them in either case.
    """
    failed = start_logged(command, log, environment, cwd=folder).wait()
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if failed else None


# Names, by its number, the process that a job is not to outlive.
OWNER_VARIABLE = "FER_OWNER"


def end_with_parent() -> None:
    """In a child, before it starts: on Linux, be killed when the parent dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill those that are still there."""
    for each in processes:
        with suppress(psutil.Error):
            each.kill()


def die_with_owner() -> None:
    """End this process and its children once the process named by ``FER_OWNER`` is gone, however it went."""
    if OWNER_VARIABLE not in os.environ:
        return

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            # psutil knows a process by its number and by when it started, whatever the clock is set to.
            owner = psutil.Process(int(os.environ[OWNER_VARIABLE]))
            while owner.is_running() and owner.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.5)
        kill(psutil.Process().children(recursive=True))
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def now() -> str:
    """Return the present moment in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def is_held(file: Path) -> bool:
    """Return whether a living process holds the lock ``file``."""
    with suppress(OSError), open_regular(file) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def held(file: Path, busy: str | None = None) -> Iterator[None]:
    """Hold the lock ``file`` for this process. The lock ends with the process, however that ends.

    Where another living process has it: waits, or raises RunStoreError that says ``busy``, with the holder in
    the place of ``{}``. Raises RunStoreError, too, where ``file`` is a link or no plain file.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as fault:
        if fault.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise RunStoreError(f"{file} is a link or a pipe, no lock; remove it") from fault
    state = os.fstat(number)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        os.close(number)
        raise RunStoreError(f"{file} is a link or a pipe, no lock; remove it")
    with os.fdopen(number, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as fault:
            raise RunStoreError(busy.format(_holder(file))) from fault
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}, lock)
        lock.flush()
        yield
