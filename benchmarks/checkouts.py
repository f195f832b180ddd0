"""How long a command takes from a bare clone of another commit, and from one of this checkout's.

    python benchmarks/checkouts.py COMMIT [--repeats 3] -- make book

They take turns, each in a clone of its own with an empty home, so that nothing is built or cached. `ratio` is
the other's time over ours: 2 says that ours takes half as long. Nothing begins where both are one commit,
or where files of this checkout differ from its own. A turn before which the processors have other work, or in
which the command fails, ends it all, and nothing is kept.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil

from contest import COMMIT, machine, options, print_ratio
from ferbook import paths

# Share of the processors that may be at work when a turn begins.
IDLE = 0.1


def two_commits(other: str) -> dict[str, str]:
    """Name -> commit, of ``this`` checkout and the ``other``; ends the program where they are not two."""
    if COMMIT.endswith("-dirty"):
        sys.exit(f"files differ from {COMMIT.removesuffix('-dirty')}; commit them first")
    words = ("rev-parse", "--short=12", "--verify", "--quiet", f"{other}^{{commit}}")
    found = subprocess.run(
        ["git", "-C", paths.root(), *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if found.stdout.strip() in ("", COMMIT):
        sys.exit(f"{other!r} is no commit but this one, {COMMIT}: nothing to compare")
    return {"this": COMMIT, "other": found.stdout.strip()}


def clone_seconds(commit: str, command: list[str]) -> float:
    """Seconds of ``command`` in a bare clone; ends the program where it fails, or the processors are busy."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", paths.root(), place], check=True)
        subprocess.run(["git", "-C", place, "checkout", "--quiet", commit], check=True)
        environment = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        ways = [way for way in os.get_exec_path() if not Path(way).is_relative_to(sys.prefix)]
        environment |= {"HOME": folder, "PATH": os.pathsep.join(ways), "LANG": "C.UTF-8"}
        if (share := psutil.cpu_percent(2) / 100) > IDLE:
            sys.exit(f"the machine is busy ({share:.0%} of its processors, load {os.getloadavg()[0]:.1f})")
        where = {"cwd": place, "env": environment, "capture_output": True}
        began = time.perf_counter()
        done = subprocess.run(command, check=False, **where)
        passed, told = time.perf_counter() - began, done.stderr.decode()[-2000:]
        return sys.exit(f"{command} at {commit}: {told}") if done.returncode else passed


def main() -> None:
    """Let both take turns."""
    parser = options(__doc__, repeats=3)
    parser.add_argument("other")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    commits, rows = two_commits(args.other), []
    print(f"{' '.join(args.command)}: {commits}, {machine('cpu')}")
    for turn in range(args.repeats):
        order = [*commits.items()][:: (-1) ** turn]
        rows.append({name: clone_seconds(commit, args.command) for name, commit in order})
        print(f"turn {turn}: {rows[-1]} s", flush=True)
    print(f"largest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GiB")
    print_ratio(" ".join(args.command), pd.DataFrame(rows), "this", "other", least=3)


if __name__ == "__main__":
    main()
