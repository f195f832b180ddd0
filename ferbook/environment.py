"""Which state of the checkout a result was made with.

The environment of a process that works for us in another folder.
"""

import contextlib
import os
import subprocess

from fer_lib import paths as fer_lib_paths
from ferbook import paths


def git_commit() -> str:
    """The checkout's commit, marked ``-dirty`` where files differ from it; ``unknown`` outside a git
    checkout.
    """
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


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``: the same library and, absolute, the same runs, cache and
    data.

    ``FER_RUNS`` and its like may be relative, and the child's working directory is another.
    """
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(p for p in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if p),
        "FER_RUNS": str(paths.runs_dir()),
        "FER_CACHE": str(fer_lib_paths.cache_dir()),
        "FER_DATA": str(fer_lib_paths.data_dir()),
        **more,
    }
