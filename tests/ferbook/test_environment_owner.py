"""Jobs end with the command that started them."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

PARENT = """
import subprocess, sys
from ferbook.environment import end_with_parent
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
