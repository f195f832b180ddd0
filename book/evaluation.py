"""Anybody's method on trial, beside the registered ones: maps of what a neuron looks at.

``ferbook evaluate FILE`` judges the maps of a function ``explain`` as ``fer_lib.look.judge`` does: of the
networks of the population ``ASKED_POPULATION`` and of people whom nobody trained on, drawn by a seed.
``python -m book.evaluation`` judges the registered methods anew, and keeps what is found in
``BASELINES_FILE``.
"""

import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from book.populations import find_population
from face_sets.registry import set_name
from fer_lib.aus.interventions import interventions, twins_of
from fer_lib.look.attribution import EXPLAINERS, Explainer
from fer_lib.look.judge import (
    MAP_SCORES,
    MapBenchmark,
    Twins,
    asked,
    judge_maps,
    map_benchmark,
    map_estimates,
)
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.files import write_atomically
from ferbook.steps import steps, time_text
from ferbook.store import ChapterResult
from synthetic_faces.facs import AUS

ASKED_POPULATION, FACES = "emotions", "lab"
"""Whose networks are asked about which faces."""

ARGUMENTS = ("network", "layer", "pictures", "rows", "filters", "positions")
"""What ``explain`` is given."""

WHERE = ("concentration", "pointing", "iou", "right_unit")
"""The scores that say where a map lies, which stand in a table of their own."""

SCORE_TABLES = WHERE, tuple(name for name in MAP_SCORES if name not in WHERE)
"""The scores that stand together on a page."""

CONTROL_MAPS = ("edges", "field", "field_edges", "centre", "random")
"""Registered methods whose maps know nothing of a network."""

BASELINES_FILE = Path(__file__).with_name("judge.csv")
"""What the registered methods were found to be worth, committed."""

MAPS = 4
"""Maps of each neuron that are asked for."""

LONGEST_BENCHMARK, SAMPLE, FEW_MAPS = 240.0, 600, 4
"""Seconds that all maps may take, going by a few neurons, beyond which so many are drawn: a method that asks
about one neuron at a time is judged in minutes, too."""

Tell = Callable[[str], None]
Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class BenchmarkSize:
    """So many ``networks``, asked about so many ``people`` and ``aus``."""

    networks: int
    people: int
    aus: tuple[str, ...] = AUS


UNITS_OF_EMOTIONS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU25")
BENCHMARK_SIZES = {"small": BenchmarkSize(5, 6, UNITS_OF_EMOTIONS), "whole": BenchmarkSize(5, 24)}


def read_method(file: Path) -> Explainer:
    """The function ``explain`` of a Python file; what it prints goes to standard error. Raises DataError,
    naming the file, where there is no such file or function, where it does not take ``ARGUMENTS``, and, then
    and in a call, for whatever it raises.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file; name one that defines `explain`")
    name = str(file)
    loader = importlib.machinery.SourceFileLoader("entry", name)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_file_location("entry", name, loader=loader)
    )
    try:
        file.read_text(encoding="utf-8")
        with redirect_stdout(sys.stderr):
            loader.exec_module(module)
    except UnicodeDecodeError as fault:
        raise DataError(f"{file}: not UTF-8 at byte {fault.start}; save it in UTF-8") from fault
    except (Exception, SystemExit) as fault:
        raise DataError(f"{file}: {_raised(fault, name)}") from fault
    method = getattr(module, "explain", None)
    if not callable(method):
        raise DataError(f"{file}: it defines no function `explain`")
    try:
        inspect.signature(method).bind(*ARGUMENTS)
    except TypeError as fault:
        raise DataError(f"{file}: its `explain` does not take ({', '.join(ARGUMENTS)})") from fault

    def explain(*given: object) -> np.ndarray:
        try:
            with redirect_stdout(sys.stderr):
                return method(*given)
        except (Exception, SystemExit) as fault:
            raise DataError(_raised(fault, name)) from fault

    return explain


def _raised(fault: BaseException, file: str) -> str:
    """One line: what a file of the user's raised, and where in it."""
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == file]
    text = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
    text += f" (line {lines[-1]})" if lines else ""
    if not torch.cuda.is_available() and any(word in text.lower() for word in ("cuda", "nvidia")):
        return f"it needs a GPU, and there is none here ({text})"
    return f"it raised {text}"


def made_twins(size: BenchmarkSize, seed: int) -> Twins:
    """Neutral faces of strangers with each unit alone at full intensity, and without it."""
    return twins_of(interventions(size.people, size.aus, (1.0,), face_seed=seed, domain=FACES))


def made_benchmarks(size: BenchmarkSize, seed: int, tell: Tell) -> list[MapBenchmark]:
    """The networks of ``ASKED_POPULATION`` that ``size`` asks for and are kept, with the neurons that methods
    are asked about. Raises DataError where none is kept.
    """
    members = [each for each in find_population(ASKED_POPULATION).kept() if each.has_weights][: size.networks]
    if not members:
        raise DataError(
            f"no network of the population {ASKED_POPULATION!r} is kept here; clone the repository whole, "
            "and let FER_RUNS be unset"
        )
    tell(f"rendering {size.people} people, each with each of {len(size.aus)} action units")
    twins, trials = made_twins(size, seed), []
    for each in members:
        name = f"{ASKED_POPULATION} {each.seed}"
        tell(f"network {name}: finding its neurons")
        trials.append(map_benchmark(name, each.network(), twins, seed=seed))
    return trials


def drawn_benchmarks(
    method: Explainer, trials: list[MapBenchmark], seed: int, tell: Tell
) -> list[MapBenchmark]:
    """The ``trials``, or where all their neurons would take ``method`` longer than ``LONGEST_BENCHMARK``
    a sample of ``SAMPLE`` of them, drawn by the ``seed``, as many of each network; and ``tell`` so.
    """
    count = sum(len(trial.rows) for trial in trials)
    seconds = MAPS * count * seconds_of(method, trials[0])
    if seconds <= LONGEST_BENCHMARK or count <= SAMPLE:
        return trials
    rng, drawn = np.random.default_rng(seed), []
    for trial in trials:
        own = np.sort(rng.permutation(len(trial.rows))[: SAMPLE // len(trials)])
        at = {name: getattr(trial, name)[own] for name in ("rows", "filters", "positions")}
        drawn.append(replace(trial, **at))
    left = sum(len(trial.rows) for trial in drawn)
    tell(
        f"a first verdict, from a drawn sample: {left:,} of {count:,} neurons, since all of them take about "
        f"{time_text(seconds)}; --all asks about all"
    )
    return drawn


def seconds_of(method: Explainer, trial: MapBenchmark) -> float:
    """What a map of a few neurons of ``trial`` takes, once everything is warm. Raises DataError as
    ``asked``.
    """
    few = tuple(part[:FEW_MAPS] for part in (trial.rows, trial.filters, trial.positions))
    for _ in range(2):
        began = perf_counter()
        asked(method, trial.network, trial.layer, trial.twins.on.pixels, *few)
    return (perf_counter() - began) / len(few[0])


def judged_method(
    name: str, method: Explainer, trials: list[MapBenchmark], tell: Tell, sampled_by: int | None = None
) -> Estimates:
    """What one method is worth: score -> estimate; with a seed ``sampled_by`` as ``drawn_benchmarks``. Raises
    DataError, which names it, where it is refused.
    """
    try:
        asked_about = trials if sampled_by is None else drawn_benchmarks(method, trials, sampled_by, tell)
        tell(f"{name}: {(count := sum(len(each.rows) for each in asked_about)):,} neurons, {MAPS} maps each")
        # Of each network a few maps are asked for twice more; how many, the fourth argument says, ``rows``.
        with steps("maps", MAPS * count + 2 * FEW_MAPS * len(asked_about)) as advance:
            told = judge_maps(lambda *given: (method(*given), advance(len(given[3])))[0], asked_about)
        return map_estimates(told)
    except DataError as fault:
        raise DataError(f"{name}: {fault}") from fault


def judged_baselines(trials: list[MapBenchmark], tell: Tell) -> dict[str, Estimates]:
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
    table = pd.read_csv(BASELINES_FILE, keep_default_na=False, na_values={"low": "", "high": ""})
    own = table["seed"].eq(seed) & table["size"].eq(size) & table["faces"].eq(set_name(FACES))
    methods: dict[str, dict[str, Estimate]] = {}
    for row in table[own].itertuples():
        about = {"n": int(float(row.n)) if row.n else None, "unit": row.unit, "how": row.how, "why": row.why}
        methods.setdefault(row.method, {})[row.score] = Estimate.bounded(
            row.value, row.low, row.high, **about
        )
    return methods


def verdict(own: Estimates, others: Mapping[str, Estimates]) -> str:
    """Whether chapter ``truth`` would believe a method, by its ``own`` intervals: ahead of the best of
    ``CONTROL_MAPS`` in correctness and right unit, and sanity above half.
    """
    bounds = {
        score: max((others[name][score].value for name in CONTROL_MAPS if name in others), default=0.0)
        for score in ("correctness", "right_unit")
    } | {"sanity": 0.5}
    short = [
        f"{score.replace('_', ' ')} not above {bound:.2f} with its whole interval"
        for score, bound in bounds.items()
        if score not in own or own[score].low is None or own[score].low <= bound
    ]
    return f"not believed: {', '.join(short)}" if short else "believed: its own intervals pass three tests"


def baselines_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed table of methods as a page shows it, the best by correctness first."""
    every = sorted(committed_baselines("small", 0).items(), key=lambda item: -item[1]["correctness"].value)
    lines = []
    for scores in SCORE_TABLES:
        timed = scores is SCORE_TABLES[-1]
        heads = [score.replace("_", " ") for score in scores] + ["ms"] * timed
        lines += [f"| explain | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        for name, own in every:
            cells = [f"{own[score].value:.2f}" if score in own else "–" for score in scores]
            cells += [f"{1000 * own['seconds'].value:.1f}"] * timed
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
        lines.append("")
    first = pd.read_csv(BASELINES_FILE).iloc[0]
    origin = f"{first['faces']}, seed {first['seed']}, {first['size']}; {first['device']}, {first['date']}"
    return "\n".join([*lines, f"Networks of the population `{first['population']}`; faces {origin}."])


if __name__ == "__main__":
    found = judged_baselines(made_benchmarks(BENCHMARK_SIZES["small"], 0, print), print)
    write_atomically(BASELINES_FILE, baseline_table(found, "small", 0).to_csv(index=False))
