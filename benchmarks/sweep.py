"""A sweep of short runs: what more workers gain.

    python benchmarks/sweep.py [--repeats 5] [--runs 6] [--workers 2]

Each contestant is ``ferbook run structure_and_loss --profile smoke -p seed=0..5`` into an empty folder of
runs, by one worker and by ``--workers``, of one thread each. Faces are cached by the turn that warms up.

``workers`` is how many times as fast several workers are as one; goal, written before it was measured: .85 of
their number.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from contest import machine, options, print_ratio
from ferbook import paths

SWEPT = "structure_and_loss"


def sweep_seconds(runs: int, workers: int) -> float:
    """Seconds that passed."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"FER_RUNS": folder, "OMP_NUM_THREADS": "1", "FER_THREADS": "1"}
        command = [sys.executable, "-m", "ferbook.cli", "run", SWEPT, "--cores", str(workers)]
        command += ["--profile", "smoke", "-p", f"seed=0..{runs - 1}", "-p", "kept=false"]
        where = {"cwd": paths.root(), "env": os.environ | places, "stdout": subprocess.DEVNULL}
        began = time.perf_counter()
        subprocess.run(command, check=True, **where)
        passed = time.perf_counter() - began
        assert len([*Path(folder).glob(f"**/{SWEPT}/record.json")]) == runs
        return passed


def main() -> None:
    """Let one worker and several take turns."""
    parser = options(__doc__, repeats=5, runs=6, workers=os.cpu_count() or 1)
    args = parser.parse_args()
    rows = []
    for turn in range(args.repeats + 1):
        counts = (1, args.workers) if turn % 2 else (args.workers, 1)
        seconds = {count: sweep_seconds(args.runs, count) for count in counts}
        rows.append({"one worker": seconds[1], f"{args.workers} workers": seconds[args.workers]})
    passed = pd.DataFrame(rows[1:])
    print(f"{args.runs} runs of {SWEPT}, {machine('cpu')}")
    print(passed.median().to_string(float_format="{:.1f} s".format))
    print_ratio("workers", passed, f"{args.workers} workers", "one worker")


if __name__ == "__main__":
    main()
