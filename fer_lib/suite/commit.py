"""Which state of the checkout a result was made with."""

import contextlib
import subprocess

from fer_lib import paths


def git_commit() -> str:
    """The checkout's commit, marked ``-dirty`` where files differ from it; ``unknown`` outside a git checkout."""
    command = [
        "git",
        "-C",
        str(paths.ROOT),
        *["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
    ]
    with contextlib.suppress(OSError):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return "unknown"
