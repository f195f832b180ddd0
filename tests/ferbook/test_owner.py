"""Jobs end with the command that started them."""

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from ferbook.owner import _alive, owner

ODD_NAME = """
import sys
from ferbook.owner import owner
if sys.platform == "linux":
    open("/proc/self/comm", "w").write("a) Z (1")
print(owner(), flush=True)
sys.stdin.read()
"""
PARENT = """
import subprocess, sys
from ferbook.owner import end_with_parent
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], preexec_fn=end_with_parent)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_child_dies_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    try:
        # The child has the same output, which ends only when both are gone.
        assert parent.communicate(timeout=60)[0] == ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_process_lives_until_it_has_ended_reaped_or_not():
    child = subprocess.Popen(
        [sys.executable, "-c", ODD_NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        who = child.stdout.readline().strip()
        assert _alive(who)
        assert not _alive(f"{child.pid}:1"), "an earlier process with the same number"
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not _alive(who), "a zombie"
    assert not _alive(who)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel keeps the time of day of the start")
def test_a_clock_that_is_set_kills_nobody(monkeypatch):
    who, create_time = owner(), psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 100)
    assert _alive(who)
