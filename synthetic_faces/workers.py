"""Pictures of many people, rendered by several processes.

The workers are plain subprocesses that run this module. Unlike ``multiprocessing`` they never import
the caller's ``__main__``, so faces can be made from a notebook, from pytest and from a script without
a guard. They read what is wanted of a person, answer with the arrays of it, and end when their input ends: a
caller that dies leaves none behind.
"""

import contextlib
import gc
import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from synthetic_faces.errors import RenderError
from synthetic_faces.ict_facekit import load_head

GPU_WORKERS = 4
"""Processes that share one GPU; each keeps a copy of the head and the compiled kernels there."""

PICTURES_AT_LEAST = 400
"""For fewer pictures a further process takes longer to start than it saves."""


@dataclass(frozen=True)
class Job:
    """All that is wanted of one person: ``number`` rows of every array, and in ``request``, as JSON, which of
    them, and of which ``person``.
    """

    number: int
    request: Mapping[str, object]


def render_people(
    task: str,
    jobs: Sequence[Job],
    arrays: Mapping[str, np.ndarray],
    *,
    size: int,
    workers: int | None = None,
    cache: Path | None = None,
    head: Path | None = None,
    advance: Callable[[int], object] = lambda number: None,
) -> None:
    """Fill ``arrays``, each of as many rows as ``jobs`` want together, job by job.

    ``task`` (``module:function``) makes the rows of one job: it is called in a worker with a ``Renderer`` of
    ``size`` pixels and what the job tells, and yields for each row what goes into each of ``arrays``. There
    are ``workers`` processes (default: one per usable core, few on a GPU or for few pictures); their number
    does not change a bit of the result. The head and the compiled kernels are kept in the folder ``cache``;
    ``head``: the folder of another head model than anny's.
    ``advance`` is told the rows of each job that is done. Raises RenderError with a worker's last words where
    it dies.
    """
    # Kept here once: the workers would otherwise all read the head's files.
    load_head(head, cache)
    waiting: queue.SimpleQueue[tuple[Job, int]] = queue.SimpleQueue()
    start = 0
    for job in jobs:
        waiting.put((job, start))
        start += job.number

    def feed(worker: subprocess.Popen, log: IO[bytes]) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job, first = waiting.get_nowait()
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.write(json.dumps(job.request).encode() + b"\n")
                    worker.stdin.flush()
                for array in arrays.values():
                    part = array[first : first + job.number]
                    answer = worker.stdout.read(part.nbytes)
                    if len(answer) != part.nbytes:
                        raise _ended(worker, log, f"at person {job.request['person'] + 1}")
                    part[:] = np.frombuffer(answer, part.dtype).reshape(part.shape)
                advance(job.number)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers or usable_cores()))
        feeds = []

        def start_one() -> str:
            log = stack.enter_context(tempfile.TemporaryFile())
            worker = _start(task, size, cache, head, log)
            # Unwound before the pool is: a thread that waits for a killed worker ends.
            stack.callback(_end, worker)
            device = worker.stdout.readline().decode().strip()
            if not device:
                raise _ended(worker, log, "as it started")
            feeds.append(pool.submit(feed, worker, log))
            return device

        # The first one compiles the kernel, which the others then find, and says where it runs.
        device = start_one()
        most = min(usable_cores(), 1 + start // PICTURES_AT_LEAST)
        most = most if device == "cpu" else min(most, GPU_WORKERS)
        for _ in range(1, min(workers or most, len(jobs))):
            start_one()
        for future in as_completed(feeds):
            future.result()


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(task: str, size: int, cache: Path | None, head: Path | None, log: IO[bytes]) -> subprocess.Popen:
    setting = {"task": task, "size": size, "cache": cache and str(cache), "head": head and str(head)}
    home = str(Path(__file__).resolve().parent.parent)
    search = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # One thread each: there is a worker per core.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        # -P: a file in the working directory must not shadow a module.
        [sys.executable, "-P", "-c", f"from {__name__} import work; work()", json.dumps(setting)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **threads, "PYTHONPATH": search},
        # Ctrl-C reaches this process alone, which then ends the workers.
        process_group=0 if os.name == "posix" else None,
    )


def _end(worker: subprocess.Popen) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdout, worker.stdin):
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def _ended(worker: subprocess.Popen, log: IO[bytes], when: str) -> RenderError:
    """What to raise where a worker answered too little: its status and its last words."""
    worker.wait()
    log.seek(0)
    last = log.read().decode(errors="replace").strip().splitlines()[-1:]
    return RenderError(
        f"the process that renders synthetic faces ended with status {worker.returncode} {when}: "
        f"{''.join(last) or 'no message'}"
    )


def work() -> None:
    """What a worker process does: say on which device it runs, then read one job after the other and answer
    with its arrays, until the end.
    """
    # Whatever a library prints goes to stderr: stdout carries answers only.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Imported here: the caller's process needs no Warp.
    from synthetic_faces.render import Renderer

    setting = json.loads(sys.argv[1])
    module, _, name = setting["task"].partition(":")
    task = getattr(importlib.import_module(module), name)
    cache, head = (Path(setting[name]) if setting[name] else None for name in ("cache", "head"))
    renderer = Renderer(load_head(head, cache), setting["size"], cache=cache)
    # All that lives by now lives to the end: not to be searched for garbage again and again.
    gc.freeze()
    answers.write(renderer.device.encode() + b"\n")
    answers.flush()
    for line in sys.stdin:
        for rows in zip(*task(renderer, **json.loads(line)), strict=True):
            answers.write(np.stack(rows).tobytes())
        answers.flush()
