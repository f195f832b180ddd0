"""Which state of the checkout a result was made with, and the environment of a process that works for us in
another folder.
"""

import contextlib
import os
import subprocess
from pathlib import Path

from ferbook import paths
from ferbook.book import suite


def git_commit() -> str:
    """The checkout's commit, marked ``-dirty`` where files differ from it; ``unknown`` outside a git
    checkout.
    """
    command = [
        "git",
        "-C",
        str(paths.root()),
        *["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
    ]
    with contextlib.suppress(OSError):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return "unknown"


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``: the same book, engine and, absolute, the same runs and other
    places.

    ``FER_RUNS`` and its like may be relative, and the child's working directory is another.
    """
    search = (str(paths.root()), str(paths.ENGINE.parent), os.environ.get("PYTHONPATH"))
    places = {name: os.environ[name] for name in suite().places if os.environ.get(name)}
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(place for place in search if place)),
        paths.ROOT_VARIABLE: str(paths.root()),
        paths.RUNS_VARIABLE: str(paths.runs_dir()),
        **{name: str(Path(place).expanduser().resolve()) for name, place in places.items()},
        **more,
    }
