"""Pictures made by several processes, each of which renders all pictures of its share of the people.

The processes are plain subprocesses that run a module's ``work``. Unlike ``multiprocessing`` they never
import the caller's ``__main__``, so faces can be made from a notebook, from pytest and from a script without
a guard.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ferbook import paths
from ferbook.errors import FerError


def rows_of_share(people: np.ndarray, share: int, workers: int) -> np.ndarray:
    """Rows of worker number ``share`` of ``workers``: whole people of ``people`` (N,), whose heads are then
    made once.
    """
    _, codes = np.unique(people, return_inverse=True)
    return np.flatnonzero(codes % workers == share)


def run_shares(module: str, wanted: Mapping[str, object], workers: int, what: str) -> None:
    """Run ``work()`` of ``module`` in ``workers`` processes at once and wait for all of them.

    Each reads, as JSON from its first argument, ``wanted`` and beside it ``share``, its number from 0, and
    ``workers``. ``what`` is rendered, as an error message names it. Raises FerError with a worker's last
    words where it fails; the others are then ended.
    """
    with ExitStack() as stack:
        started = []
        for share in range(workers):
            log = stack.enter_context(tempfile.TemporaryFile())
            worker = _start(module, {**wanted, "share": share, "workers": workers}, log)
            stack.callback(worker.wait)
            stack.callback(worker.kill)
            started.append((worker, log))
        for worker, log in started:
            if worker.wait():
                log.seek(0)
                last = log.read().decode(errors="replace").strip().splitlines()[-1:]
                raise FerError(
                    f"the process that renders {what} ended with status {worker.returncode}: "
                    f"{''.join(last) or 'no message'}"
                )


def keep_share(folder: Path, share: int, rendered: Mapping[str, list[np.ndarray]]) -> None:
    """Leave in ``folder`` what worker number ``share`` rendered, in the order of its rows, for
    ``joined_shares``.
    """
    np.savez(folder / f"{share}.npz", **{name: np.stack(arrays) for name, arrays in rendered.items()})


def joined_shares(folder: Path, people: np.ndarray, workers: int) -> dict[str, np.ndarray]:
    """The arrays that the workers kept, by name, put together in the order of ``people`` (N,)."""
    joined: dict[str, np.ndarray] = {}
    for share in range(workers):
        with np.load(folder / f"{share}.npz", allow_pickle=False) as part:
            for name in part.files:
                rendered = part[name]
                if name not in joined:
                    joined[name] = np.empty((len(people), *rendered.shape[1:]), rendered.dtype)
                joined[name][rows_of_share(people, share, workers)] = rendered
    return joined


def _start(module: str, wanted: Mapping[str, object], log: object) -> subprocess.Popen:
    command = f"from {module} import work; work()"
    search = os.pathsep.join([str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # One thread each: there is a worker per core.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        # -P: a file in the working directory must not shadow a module.
        [sys.executable, "-P", "-c", command, json.dumps(wanted)],
        stdout=log,
        stderr=log,
        env={**os.environ, **threads, "PYTHONPATH": search},
        # Ctrl-C reaches this process alone, which then ends the workers.
        process_group=0 if os.name == "posix" else None,
    )
