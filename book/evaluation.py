"""Benchmark of attribution methods: anybody's, next to the registered ones.

``ferbook evaluate FILE`` scores the maps of a function ``explain`` by ``fer_lib.look.judge``: for networks of
the population ``POPULATION`` and held-out people, drawn by a seed. ``python -m book.evaluation`` scores
the registered methods and stores the results in ``BASELINES_FILE``.
"""

import inspect
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch

from book.page_parts import markdown_table
from book.populations import find_population
from face_sets.registry import set_name
from fer_lib.aus.interventions import interventions, twins_of
from fer_lib.look.attribution import EXPLAINERS, Explainer
from fer_lib.look.judge import (
    MAP_SCORES,
    MapBenchmark,
    Twins,
    checked_maps,
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

# Networks and faces of the benchmark.
POPULATION, FACES = "emotions", "lab"

# Arguments of ``explain``.
ARGUMENTS = ("network", "layer", "pictures", "rows", "filters", "positions")

# Scores of where a map lies, in a separate table.
WHERE = ("concentration", "pointing", "iou", "right_unit")

# Scores by table.
SCORE_TABLES = WHERE, tuple(name for name in MAP_SCORES if name not in WHERE)

# Registered controls: their maps know nothing of a network.
CONTROL_METHODS = ("edges", "field", "field_edges", "centre", "random")

# Scores of the registered methods, committed.
BASELINES_FILE = Path(__file__).with_name("judge.csv")

# Columns of it that make an estimate; what the estimate does not have is empty.
ESTIMATE_COLUMNS = ["value", "low", "high", "n", "how", "why", "unit"]

# Maps for each neuron.
MAPS = 4

# Seconds that all maps may take, estimated from ``FEW_MAPS``; else neurons are sampled, at least
# ``FEWEST_NEURONS``.
LONGEST_BENCHMARK, FEWEST_NEURONS, FEW_MAPS = 100.0, 50, 4

Log = Callable[[str], None]
Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class BenchmarkSize:
    """Numbers of ``networks`` and ``people``, and the action units."""

    networks: int
    people: int
    aus: tuple[str, ...] = AUS


UNITS_OF_EMOTIONS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU25")
BENCHMARK_SIZES = {"small": BenchmarkSize(5, 6, UNITS_OF_EMOTIONS), "whole": BenchmarkSize(5, 24)}


def read_method(file: Path) -> Explainer:
    """Load the function ``explain`` of a Python file; what it prints goes to standard error.

    Raises DataError, naming the file, where there is no such file or function, where it does not take
    ``ARGUMENTS``, and for whatever it raises, then and in a call.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file; name one that defines `explain`")
    name = str(file)
    try:
        file.read_text(encoding="utf-8")
        with redirect_stdout(sys.stderr):
            defined = runpy.run_path(name, run_name="entry")
    except UnicodeDecodeError as fault:
        raise DataError(f"{file}: not UTF-8 at byte {fault.start}; save it in UTF-8") from fault
    except (Exception, SystemExit) as fault:
        raise DataError(f"{file}: {_raised(fault, name)}") from fault
    method = defined.get("explain")
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
    """Describe in one line what a user's file raised, and where."""
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == file]
    text = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
    text += f" (line {lines[-1]})" if lines else ""
    if not torch.cuda.is_available() and any(word in text.lower() for word in ("cuda", "nvidia")):
        return f"it needs a GPU, and there is none here ({text})"
    return f"it raised {text}"


def made_twins(size: BenchmarkSize, seed: int) -> Twins:
    """Render held-out people with each unit alone at full intensity, and without."""
    return twins_of(interventions(size.people, size.aus, (1.0,), face_seed=seed, domain=FACES))


def made_benchmarks(size: BenchmarkSize, seed: int, log: Log) -> list[MapBenchmark]:
    """Load the stored networks, render the faces, and find the neurons. Raises DataError where no network is
    stored.
    """
    members = [each for each in find_population(POPULATION).kept() if each.has_weights][: size.networks]
    if not members:
        raise DataError(
            f"no network of the population {POPULATION!r} is stored here; clone the repository whole, "
            "and let FER_RUNS be unset"
        )
    log(f"rendering {size.people} people, each with each of {len(size.aus)} action units")
    twins, benchmarks = made_twins(size, seed), []
    for each in members:
        name = f"{POPULATION} {each.seed}"
        log(f"network {name}: finding its neurons")
        benchmarks.append(map_benchmark(name, each.network(), twins, seed=seed))
    return benchmarks


def sampled_benchmarks(
    benchmarks: list[MapBenchmark], seconds: float, seed: int, log: Log
) -> list[MapBenchmark]:
    """Sample as many neurons of each network, by the ``seed``, as ``LONGEST_BENCHMARK`` allows at so many
    ``seconds`` for a map, and ``log`` so; all where it allows all.
    """
    count = sum(len(each.rows) for each in benchmarks)
    most = max(FEWEST_NEURONS, int(LONGEST_BENCHMARK / (MAPS * seconds)))
    if most >= count:
        return benchmarks
    rng, sampled = np.random.default_rng(seed), []
    for each in benchmarks:
        own = np.sort(rng.permutation(len(each.rows))[: most // len(benchmarks)])
        sampled.append(replace(each, **{name: getattr(each, name)[own] for name in AT}))
    log(
        f"a sample of {sum(len(each.rows) for each in sampled):,} of {count:,} neurons, since all take about "
        f"{time_text(MAPS * count * seconds)}; --all takes all"
    )
    return sampled


# Fields of a benchmark with a value for each neuron.
AT = ("rows", "filters", "positions")


def seconds_of(method: Explainer, benchmark: MapBenchmark) -> float:
    """Time a map, by a few neurons, after a first call. Raises DataError as ``checked_maps``."""
    few = [getattr(benchmark, name)[:FEW_MAPS] for name in AT]
    for _ in range(2):
        began = perf_counter()
        checked_maps(method, benchmark.network, benchmark.layer, benchmark.twins.on.pixels, *few)
    return (perf_counter() - began) / len(few[0])


def judged_method(
    name: str, method: Explainer, benchmarks: list[MapBenchmark], log: Log, sampled_by: int | None = None
) -> Estimates:
    """Estimate the scores of a method: score -> estimate.

    With a seed ``sampled_by`` it takes at most ``LONGEST_BENCHMARK``. Raises DataError, which names the
    method, where it is refused.
    """
    try:
        seconds = seconds_of(method, benchmarks[0])
        if sampled_by is not None:
            benchmarks = sampled_benchmarks(benchmarks, seconds, sampled_by, log)
        count = sum(len(each.rows) for each in benchmarks)
        # Of each network a few maps are made twice more.
        maps = MAPS * count + 2 * FEW_MAPS * len(benchmarks)
        log(f"{name}: {count:,} neurons, {MAPS} maps each, about {time_text(maps * seconds)}")
        with steps("maps", maps) as advance:
            table = judge_maps(lambda *given: (method(*given), advance(len(given[3])))[0], benchmarks)
        return map_estimates(table)
    except DataError as fault:
        raise DataError(f"{name}: {fault}") from fault


def judged_baselines(
    benchmarks: list[MapBenchmark], log: Log, sampled_by: int | None = None
) -> dict[str, Estimates]:
    """Estimate the scores of every registered method; with a seed ``sampled_by`` all together take at most
    ``LONGEST_BENCHMARK``.
    """
    if sampled_by is not None:
        seconds = sum(seconds_of(method, benchmarks[0]) for method in EXPLAINERS.values())
        benchmarks = sampled_benchmarks(benchmarks, seconds, sampled_by, log)
    return {name: judged_method(name, method, benchmarks, log) for name, method in EXPLAINERS.items()}


def baseline_table(by_method: Mapping[str, Estimates], size: str, seed: int) -> pd.DataFrame:
    """Tabulate a row per method and score, with what they depend on: ``seed``, ``size``, version of the
    ``faces``; and ``device`` and ``date``.
    """
    about = {"seed": seed, "size": size, "faces": set_name(FACES), "population": POPULATION}
    about |= {"device": "CPU", "date": datetime.now(UTC).date().isoformat()}
    rows = [
        about | {"method": method, "score": score} | each.to_json()
        for method, estimates in by_method.items()
        for score, each in estimates.items()
    ]
    return pd.DataFrame(rows)[[*about, "method", "score", *ESTIMATE_COLUMNS]]


def committed_baselines(size: str, seed: int) -> dict[str, Estimates]:
    """Read the committed scores of the registered methods; none of another size, seed or version of faces."""
    table = pd.read_csv(BASELINES_FILE)
    own = table["seed"].eq(seed) & table["size"].eq(size) & table["faces"].eq(set_name(FACES))
    methods: dict[str, dict[str, Estimate]] = {}
    for _, row in table[own].iterrows():
        given = row[ESTIMATE_COLUMNS].dropna()
        methods.setdefault(row["method"], {})[row["score"]] = Estimate(**given)
    return methods


def verdict(own: Estimates, others: Mapping[str, Estimates]) -> str:
    """Say whether a method passes the three tests of chapter ``truth``: its ``own`` intervals lie above the
    best of ``CONTROL_METHODS`` in correctness and right unit, and above one half in sanity.
    """
    bounds = {
        score: max((others[name][score].value for name in CONTROL_METHODS if name in others), default=0.0)
        for score in ("correctness", "right_unit")
    } | {"sanity": 0.5}
    short = [
        f"interval of {score.replace('_', ' ')} not above {bound:.2f}"
        for score, bound in bounds.items()
        if score not in own or own[score].low is None or own[score].low <= bound
    ]
    return f"fails: {', '.join(short)}" if short else "passes all three tests"


def marked(name: str) -> str:
    """Name a registered method; controls are marked as such."""
    return f"`{name}`" + " (control)" * (name in CONTROL_METHODS)


def score_cells(own: Estimates, scores: Sequence[str]) -> list[str]:
    """Write the values of some ``scores`` of a method for a row of a table."""
    return [f"{own[score].value:.2f}" if score in own else "–" for score in scores]


def baselines_page(results: Mapping[str, ChapterResult]) -> str:
    """Write the committed table as a page shows it, by correctness; controls are marked."""
    every = sorted(committed_baselines("small", 0).items(), key=lambda item: -item[1]["correctness"].value)
    parts = []
    for scores in SCORE_TABLES:
        timed = scores is SCORE_TABLES[-1]
        heads = [score.replace("_", " ") for score in scores] + ["ms per map"] * timed
        cells = [
            [marked(name), *score_cells(own, scores), *[f"{1000 * own['seconds'].value:.1f}"] * timed]
            for name, own in every
        ]
        parts.append(markdown_table(["method", *heads], cells))
    first = pd.read_csv(BASELINES_FILE).iloc[0]
    origin = f"{first['faces']}, seed {first['seed']}, {first['size']}; {first['device']}, {first['date']}"
    return "\n\n".join([*parts, f"Networks of the population `{first['population']}`; faces {origin}."])


if __name__ == "__main__":
    found = judged_baselines(made_benchmarks(BENCHMARK_SIZES["small"], 0, print), print)
    write_atomically(BASELINES_FILE, baseline_table(found, "small", 0).to_csv(index=False))
