"""A sweep of short runs: what ``ferbook`` and its kernels cost beside the chapters' own work, and what more
workers gain.

    python benchmarks/sweep.py [--repeats 5] [--runs 6] [--workers 2]

Each contestant is ``ferbook run structure_and_loss --profile smoke -p seed=0..5`` into an empty folder of
runs, by one worker and by ``--workers``, of one thread each. Faces are cached by the turn that warms up.

- ``workers``: how many times as fast several workers are as one; goal, written before it was measured: .85 of
  their number;
- ``own_work``: seconds of the chapters themselves, as their records say, over those of the sweep with one
  worker; goal: .7, of chapters of some ten seconds.
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
from ferbook.records import read_json

SWEPT = "structure_and_loss"


def sweep_seconds(runs: int, workers: int) -> tuple[float, float]:
    """Seconds that passed, and the sum of the chapters' own."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"FER_RUNS": folder, "OMP_NUM_THREADS": "1", "FER_THREADS": "1"}
        command = ["run", SWEPT, "--profile", "smoke", "-p", f"seed=0..{runs - 1}", "-p", "kept=false"]
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "ferbook.cli", *command, "--cores", str(workers)],
            cwd=paths.root(),
            env=os.environ | places,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        passed = time.perf_counter() - began
        records = [read_json(file) for file in Path(folder).glob(f"**/{SWEPT}/record.json")]
        assert len(records) == runs
        return passed, sum(record["seconds"] for record in records)


def main() -> None:
    """Let one worker and several take turns."""
    parser = options(__doc__, repeats=5, runs=6, workers=os.cpu_count() or 1)
    args = parser.parse_args()
    rows = []
    for turn in range(args.repeats + 1):
        counts = (1, args.workers) if turn % 2 else (args.workers, 1)
        seconds = {count: sweep_seconds(args.runs, count) for count in counts}
        alone, own = seconds[1]
        rows.append(
            {"one worker": alone, f"{args.workers} workers": seconds[args.workers][0], "own work": own}
        )
    passed = pd.DataFrame(rows[1:])
    print(f"{args.runs} runs of {SWEPT}, {machine('cpu')}")
    print(passed.median().to_string(float_format="{:.1f} s".format))
    print(
        f"{(passed['one worker'] - passed['own work']).median() / args.runs:.1f} s a run beside its own work"
    )
    print_ratio("workers", passed, f"{args.workers} workers", "one worker")
    print_ratio("own_work", passed, "one worker", "own work")


if __name__ == "__main__":
    main()
