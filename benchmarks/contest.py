"""Shared by the benchmarks: contestants that take turns, pictures of noise, and what is printed or stored for
the book's page.
"""

import argparse
import os
import resource
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from face_sets.faceset import EMOTIONS, FaceSet
from fer_lib.train.device import device_name
from ferbook.environment import git_commit, now
from ferbook.files import write_atomically

SEED = 0
# Elapsed and processor time; other programs disturb the latter less. With one thread; waiting counts.
CLOCKS = {"passed": time.perf_counter, "processor": time.process_time}

# With fewer turns the range says little.
LEAST_TURNS = 5

# As the benchmark began: storing a row may change the checkout.
COMMIT = git_commit()

Contestants = Mapping[str, Callable[[], object]]


def take_turns(contestants: Contestants, repeats: int) -> dict[str, pd.DataFrame]:
    """Clock -> seconds of each contestant (a column) in each turn (a row), in changing order, after one turn
    that warms up: allocations, kernels, page cache.
    """
    rows = []
    for turn in range(repeats + 1):
        for name in sorted(contestants, reverse=bool(turn % 2)):
            starts = {clock: tick() for clock, tick in CLOCKS.items()}
            contestants[name]()
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            seconds = {clock: tick() - starts[clock] for clock, tick in CLOCKS.items()}
            rows.append({"turn": turn, "name": name} | seconds)
    table = pd.DataFrame(rows).query("turn > 0").pivot(index="turn", columns="name")
    return {clock: table[clock][list(contestants)] for clock in CLOCKS}


def print_speeds(seconds: pd.DataFrame, pictures: int) -> None:
    """Pictures per second of each contestant, by its median turn of ``pictures``."""
    for name, median in seconds.median().items():
        print(f"{name:30} {pictures / median:10.0f} pictures/s")


def print_ratio(
    name: str, seconds: pd.DataFrame, ours: str, *others: str, digits: int = 2, least: int = LEAST_TURNS
) -> None:
    """How many times as fast ``ours`` is as the fastest of ``others``: the median over the turns of the ratio
    within a turn, so that whatever else the machine does falls on all alike; the smallest and the largest
    turn. Stored in the file that the variable ``BENCH_CSV`` names, where there were ``least`` turns and
    little more load than there are processors.
    """
    ratios = seconds[list(others)].min(axis=1) / seconds[ours]
    spread = ratios.median(), ratios.min(), ratios.max()
    print(f"ratio {name} {{:.{digits}f}} [{{:.{digits}f}}, {{:.{digits}f}}]".format(*spread))
    if "BENCH_CSV" not in os.environ:
        return
    load, most = os.getloadavg()[0], (os.cpu_count() or 1) + 0.5  # of a busier one others' work is measured
    if len(ratios) < least or load > most:
        print(f"not stored: {len(ratios)} turns of {least}, load {load:.1f} of {most:.1f} at most")
        return
    row = {
        "benchmark": Path(sys.argv[0]).stem,
        "ratio": name,
        "rival": " or ".join(others),
        **{name: f"{part:.4g}" for name, part in zip(("value", "low", "high"), spread, strict=True)},
        "repetitions": len(ratios),
        "device": device_name(torch.device("cuda" if torch.cuda.is_initialized() else "cpu")),
        "threads": torch.get_num_threads(),
        "load": f"{load:.1f}",
        "versions": "; ".join(_versions()),
        "when": now(),
        "commit": COMMIT,
        "arguments": shlex.join(sys.argv[1:]),
    }
    keep_row(Path(os.environ["BENCH_CSV"]), row)


def _versions() -> list[str]:
    installed = {each.name: each.version for each in distributions()}
    names = ("torch", "fastai", "torchvision", "captum", "scipy", "numpy")
    return [f"{name} {installed[name]}" for name in names if name in installed]


def keep_row(file: Path, row: Mapping[str, object]) -> None:
    """Put ``row`` into the CSV ``file``, in the place of an earlier one of the same ratio on that device."""
    table = pd.read_csv(file, keep_default_na=False) if file.exists() else pd.DataFrame(columns=list(row))
    keys = ["benchmark", "ratio", "device"]
    same = table[keys].eq([row[key] for key in keys]).all(axis=1)
    table = pd.concat([table[~same].astype(object), pd.DataFrame([row], dtype=object)])
    write_atomically(file, table.sort_values(keys, kind="stable").to_csv(index=False))


def peak_memory_mb() -> float:
    """Largest resident memory so far of this process, in MB."""
    # Linux counts it in KB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def machine(device: torch.device | str) -> str:
    """Threads and device, for a heading."""
    return f"{torch.get_num_threads()} threads, {device_name(torch.device(device))}"


def noise(pictures: int, size: int, seed: int = SEED, **columns: object) -> FaceSet:
    """A face set of noise, every emotion in turn, with these ``columns``."""
    table = pd.DataFrame(
        {
            "dataset": "noise",
            "subject": "",
            "sequence": "",
            "frame": 0,
            "split": "train",
            "emotion": [EMOTIONS[row % len(EMOTIONS)] for row in range(pictures)],
            **columns,
        }
    )
    pixels = np.random.default_rng(seed).integers(0, 256, (pictures, size, size), dtype=np.uint8)
    return FaceSet("noise", pixels, table)


def options(doc: str, **numbers: int) -> argparse.ArgumentParser:
    """A parser of ``--device`` and of whole ``numbers`` with their defaults; ``doc`` is its help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, value in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    return parser
