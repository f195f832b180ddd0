"""Anybody's method on trial: a function in a file, asked in a process of its own, beside the registered ones.

``ferbook evaluate maps`` judges the maps of a function ``explain`` as ``fer_lib.look.judge`` does, of the
networks of the population ``ASKED_POPULATION`` and of people whom nobody trained on, drawn by a seed.
"""

import importlib.util
import inspect
import json
import math
import multiprocessing
import os
import pickle
import resource
import signal
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.populations import find_population
from fer_lib.aus.interventions import interventions
from fer_lib.faces.registry import set_name
from fer_lib.look.attribution import EXPLAINERS, Explainer
from fer_lib.look.judge import MAP_SCORES, MapTrial, Twins, asked, judge_maps, map_estimates, map_trial
from ferbook.errors import DataError, FerError
from ferbook.estimate import Estimate
from ferbook.owner import end_with_parent
from ferbook.store import ChapterResult
from synthetic_faces.facs import AUS

ASKED_POPULATION, FACES = "published", "lab"
"""Whose networks are asked about which faces."""

PROCESSOR_SECONDS = 600
"""What a method may take of the processor in all."""

CLOCK = 3
"""By the clock an answer may take so many times the processor's seconds."""

START_SECONDS = 600
"""What Python and torch may take to start in the method's process, by the clock."""

BASELINE_FILE = Path(__file__).with_name("judge.csv")
"""What ``ferbook evaluate baselines`` found, committed."""

WHERE = ("concentration", "pointing", "iou", "right_unit")
"""The scores that say where a map lies, which stand in a table of their own."""

Tell = Callable[[str], None]
Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class TrialSize:
    """So many ``networks``, asked about so many ``people`` and ``aus``."""

    networks: int
    people: int
    aus: tuple[str, ...] = AUS


UNITS_OF_EMOTIONS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU25")
TRIAL_SIZES = {"small": TrialSize(5, 6, UNITS_OF_EMOTIONS), "whole": TrialSize(10, 24)}


class EntryProcess:
    """The function ``explain`` of a ``file`` as a method, which runs in a process of its own until the block
    ends; it may take ``seconds`` of the processor, and an answer ``CLOCK`` times as many by the clock.

    Raises DataError, naming the file, where there is no such function, and in a call where it raises, ends
    its process, takes longer, or gives what ``fer_lib.look.judge.asked`` refuses.
    """

    def __init__(self, file: Path, seconds: int = PROCESSOR_SECONDS) -> None:
        if not file.is_file():
            raise DataError(f"{file}: no such file; name one that defines `explain`")
        self.file, self._seconds = file, seconds
        self._connection, theirs = multiprocessing.Pipe()
        work = (theirs, str(file), seconds, torch.get_num_threads())
        # Not a fork: torch's threads do not survive one.
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=work, daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "EntryProcess":
        try:
            self._answer(START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def __call__(
        self,
        network: nn.Module,
        layer: str,
        pictures: np.ndarray,
        rows: np.ndarray,
        filters: np.ndarray,
        positions: np.ndarray,
    ) -> np.ndarray:
        """The maps, float32 (N, H, W)."""
        # No shared memory: the process must not reach our network. Why it has ended says `_answer`.
        with suppress(OSError):
            self._connection.send_bytes(pickle.dumps((network, layer, pictures, rows, filters, positions)))
        maps = np.frombuffer(self._answer(CLOCK * self._seconds), np.float32)
        return maps.reshape(len(rows), *pictures.shape[1:])

    def _answer(self, seconds: int) -> bytes:
        try:
            if not self._connection.poll(seconds):
                raise DataError(f"{self.file}: it took longer than {seconds} seconds by the clock")
            fault = json.loads(self._connection.recv_bytes())
            answer = self._connection.recv_bytes()
        except (EOFError, OSError) as ended:
            self._process.join()
            late = self._process.exitcode == -signal.SIGXCPU
            why = f"it took longer than {self._seconds} seconds of the processor" if late else ""
            raise DataError(f"{self.file}: {why or 'its process ended by itself'}") from ended
        if fault:
            raise DataError(f"{self.file}: {fault}")
        return answer


def _serve(connection: Connection, file: str, seconds: int, threads: int) -> None:
    """In the method's process: answer first whether there is a method, then every question, by a fault (empty
    where there is none) and the bytes of maps.
    """
    end_with_parent()
    os.dup2(2, 1)  # what the method prints is no answer of the command's
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    used = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds + 5))
    method = None
    while True:
        try:
            if method is None:
                method, maps = read_method(file), b""
            else:
                maps = asked(method, *pickle.loads(connection.recv_bytes())).tobytes()
            fault = ""
        except EOFError:
            return
        except BaseException as raised:
            fault, maps = _reason(raised, file), b""
        connection.send_bytes(json.dumps(fault).encode())
        connection.send_bytes(maps)
        if method is None:
            return


def read_method(file: str) -> Explainer:
    """The function ``explain`` of a Python file. Raises DataError where there is none of six arguments, and
    whatever the file raises.
    """
    spec = importlib.util.spec_from_file_location("entry", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    method = getattr(module, "explain", None)
    if not callable(method):
        raise DataError("it defines no function `explain`")
    try:
        inspect.signature(method).bind(*range(6))
    except TypeError as fault:
        raise DataError(
            "its `explain` does not take (network, layer, pictures, rows, filters, positions)"
        ) from fault
    return method


def _reason(fault: BaseException, file: str) -> str:
    """One line: what a method raised, and where in its file."""
    if isinstance(fault, FerError):
        return str(fault)
    text = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
    if not torch.cuda.is_available() and any(word in text.lower() for word in ("cuda", "nvidia")):
        return f"it needs a GPU, and there is none here ({text})"
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == file]
    return f"it raised {text}" + (f" (line {lines[-1]})" if lines else "")


def made_twins(size: TrialSize, seed: int) -> Twins:
    """Neutral faces of strangers with each unit alone at full intensity, and without it."""
    switched_faces = interventions(size.people, size.aus, (1.0,), face_seed=seed, domain=FACES)
    index, (bases, units) = np.arange(len(switched_faces.faces)), switched_faces.valid.shape
    off, on = switched_faces.arranged(index)
    off = np.repeat(off, units)
    aus = np.tile(np.array(switched_faces.aus, dtype=object), bases)
    return Twins(switched_faces.faces.select(on.ravel()), switched_faces.faces.select(off), aus)


def made_trials(size: TrialSize, seed: int, tell: Tell) -> list[MapTrial]:
    """Those networks of ``ASKED_POPULATION`` that ``size`` asks for and are kept, with their neurons."""
    tell(f"rendering {size.people} people of seed {seed}, each with each of {len(size.aus)} action units")
    twins = made_twins(size, seed)
    members = [each for each in find_population(ASKED_POPULATION).kept() if each.has_weights][: size.networks]
    if not members:
        raise DataError(
            f"no network of the population {ASKED_POPULATION!r} is kept here; clone the repository whole"
        )
    trials = []
    for member in members:
        tell(f"network {member.seed}: finding its neurons")
        trials.append(map_trial(f"{ASKED_POPULATION} {member.seed}", member.network(), twins, seed=seed))
    return trials


def judged_method(name: str, method: Explainer, trials: list[MapTrial], tell: Tell) -> Estimates:
    """``map_estimates`` of one method."""
    tell(f"{name}: {sum(len(trial.rows) for trial in trials):,} neurons, four maps each")
    return map_estimates(judge_maps(method, trials))


def judged_baselines(trials: list[MapTrial], tell: Tell) -> dict[str, Estimates]:
    """What every registered method is worth."""
    return {name: judged_method(name, method, trials, tell) for name, method in EXPLAINERS.items()}


def baseline_table(by_method: Mapping[str, Estimates], size: str, seed: int) -> pd.DataFrame:
    """One row per method and score, with what decides them: ``seed``, ``size`` and version of the ``faces``;
    and ``device`` and ``date``.
    """
    about = {"seed": seed, "size": size, "faces": set_name(FACES), "population": ASKED_POPULATION}
    about |= {"device": "CPU", "date": datetime.now(UTC).date().isoformat()}
    fields = ("value", "low", "high", "n", "unit", "how", "why")
    rows = [
        about
        | {"method": method, "score": score}
        | {key: value for key, value in each.to_json().items() if key in fields}
        for method, estimates in by_method.items()
        for score, each in estimates.items()
    ]
    return pd.DataFrame(rows)


def committed_baselines(size: str, seed: int) -> dict[str, Estimates]:
    """The registered methods as they were found before, if of this size, seed and version of the faces; else
    none.
    """
    table = pd.read_csv(BASELINE_FILE, keep_default_na=False, na_values={"low": "", "high": ""})
    own = table["seed"].eq(seed) & table["size"].eq(size) & table["faces"].eq(set_name(FACES))
    methods: dict[str, dict[str, Estimate]] = {}
    for row in table[own].itertuples():
        about = {"n": int(float(row.n)) if row.n else None, "unit": row.unit, "how": row.how, "why": row.why}
        methods.setdefault(row.method, {})[row.score] = Estimate.bounded(
            row.value, row.low, row.high, **about
        )
    return methods


def standing(score: str, value: float, others: Mapping[str, Estimates]) -> int:
    """The rank, from 1, of a ``value`` of ``score`` among ``others``."""
    return 1 + sum(each[score].value > value for each in others.values() if score in each)


def baselines_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed table as a page shows it."""
    by_method = committed_baselines("small", 0)
    table = pd.read_csv(BASELINE_FILE)
    every = sorted(by_method.items(), key=lambda item: -item[1]["correctness"].value)
    lines = []
    for scores in (WHERE, [score for score in MAP_SCORES if score not in WHERE]):
        timed = scores is not WHERE
        heads = [score.replace("_", " ") for score in scores] + ["ms"] * timed
        lines += [f"| method | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        for name, own in every:
            cells = [f"{own[score].value:.2f}" if score in own else "–" for score in scores]
            cells += [f"{1000 * own['seconds'].value:.1f}"] * timed
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
        lines.append("")
    first = table.iloc[0]
    origin = f"{first['faces']}, seed {first['seed']}, {first['size']}; {first['device']}, {first['date']}"
    return "\n".join([*lines, f"Networks of the population `{first['population']}`; faces {origin}."])
