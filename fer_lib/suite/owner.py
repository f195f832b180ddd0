"""Jobs that do not outlive the command that started them, even where that was killed with -9."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

import psutil

OWNER_VARIABLE = "FER_OWNER"


def owner() -> str:
    """This process as ``pid:start time``, which no later process can be mistaken for."""
    me = psutil.Process()
    return f"{me.pid}:{me.create_time()}"


def _alive(who: str) -> bool:
    pid, started = who.split(":")
    try:
        return psutil.Process(int(pid)).create_time() == float(started)
    except psutil.NoSuchProcess:
        return False


def end_with_parent() -> None:
    """In a child, before it starts: on Linux, be killed when the parent dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def die_with_owner() -> None:
    """End this process and its children once the process named by ``FER_OWNER`` is gone, however it went."""
    if OWNER_VARIABLE not in os.environ:
        return
    who = os.environ[OWNER_VARIABLE]

    def watch() -> None:
        while _alive(who):
            time.sleep(0.5)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
