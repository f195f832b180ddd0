"""Time and memory of the synthetic faces: made by one process, by two, and loaded from the cache.

    python benchmarks/faces.py [--subjects 12] [--repeats 3] [--size 48] [--turns 3]

A temporary cache is used, and the kernel is compiled before anything is timed. The contestants take turns; a
ratio is the median over the turns of the ratio within a turn, so that whatever else the machine does falls on both
sides alike. Processor time of the workers says what a picture costs where the cores are shared.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from fer_lib.faces.cache import cached
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.synthetic.generate import NAME, Recipe, cache_key, generate

SEED = 0
# Linux counts resident memory in KB, macOS in bytes.
MEMORY_UNIT = 2**20 if sys.platform == "darwin" else 2**10


def timed(make: Callable[[], FaceSet]) -> tuple[float, float, FaceSet]:
    """Wall seconds, processor seconds of the processes that were started, and what was made."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    faces = make()
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, faces


def never() -> FaceSet:
    raise SystemExit("the set was not in the cache")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    recipe = Recipe(given.subjects, given.repeats, given.size, SEED)

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FER_CACHE"] = folder
        first, _, _ = timed(lambda: generate(Recipe(3, 1, 24, SEED)))
        walls: dict[str, list[float]] = {"one process": [], "two processes": [], "cached load": []}
        processor = []
        for _ in range(given.turns):
            for workers, name in ((1, "one process"), (2, "two processes")):
                wall, used, faces = timed(lambda workers=workers: generate(recipe, workers))
                walls[name].append(wall)
                processor.append(used / len(faces))
            cached(NAME, cache_key(recipe), lambda faces=faces: faces)
            wall, _, _ = timed(lambda: cached(NAME, cache_key(recipe), never))
            walls["cached load"].append(wall)

    print(f"{len(faces)} pictures of {given.size} pixels, {os.cpu_count()} cores, {given.turns} turns")
    print(f"{'first set, kernel compiled':28s} {first:8.2f} s")
    for name, seconds in walls.items():
        median = statistics.median(seconds)
        print(f"{name:28s} {median:8.2f} s {len(faces) / median:9.1f} pictures/s")
    print(f"{'processor time':28s} {1000 * statistics.median(processor):8.2f} ms/picture")
    for name, who in (("caller", resource.RUSAGE_SELF), ("largest worker", resource.RUSAGE_CHILDREN)):
        print(f"{f'peak memory, {name}':28s} {resource.getrusage(who).ru_maxrss / MEMORY_UNIT:8.0f} MB")
    one, two, load = walls.values()
    speedup = statistics.median(a / b for a, b in zip(one, two, strict=True))
    saved = statistics.median(a / b for a, b in zip(two, load, strict=True))
    print(f"ratio two_processes {speedup:.2f}")
    print(f"ratio cached_load {saved:.0f}")


if __name__ == "__main__":
    main()
