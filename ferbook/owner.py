"""Who is at work: a file that one process holds at a time, and jobs that do not outlive the command that
started them, even where that was killed with -9.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from ferbook.errors import RunStoreError

OWNER_VARIABLE = "FER_OWNER"
"""Names, by its number, the process that a job is not to outlive."""


def end_with_parent() -> None:
    """In a child, before it starts: on Linux, be killed when the parent dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


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
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def now() -> str:
    """The present moment in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def is_held(file: Path) -> bool:
    """Whether a living process holds ``file``, for which others wait."""
    with suppress(OSError), file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def held(file: Path, busy: str | None = None) -> Iterator[None]:
    """Hold ``file`` for this process. The lock ends with the process, however that ends.

    Where another living process has it: waits, or raises RunStoreError that says ``busy``, with the holder in
    the place of ``{}``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as fault:
            raise RunStoreError(busy.format(_holder(file))) from fault
        lock.seek(0)
        lock.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}, lock)
        lock.flush()
        yield
