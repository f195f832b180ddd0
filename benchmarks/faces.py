"""Time and memory of the synthetic faces: each set made whole, made by one process and by two, and loaded
from the cache.

    python benchmarks/faces.py [--parts sets laptop] [--domains lab wild game micro] [--share 1.0] [--turns 3]

A temporary cache is used, and the kernel is compiled before anything is timed. First every set is made once
with masks and landmarks, at its own size, with `--share` of its people; then 12 people of `lab` are made in
turns by one process and by two. Processor time of the workers says what a picture costs where the cores are
shared. `--parts laptop` makes what a `laptop` run needs before and while it computes, and says how long each
set takes.

Processor time per picture on one core of an AMD EPYC (Zen 4, shared by others), people of seed 0, old and new
in turns, twice each (wild four times: 9.9 to 10.8 ms): before 21 November 2026 (rays) and after (triangles;
people now also have muscles and creases of their own):

    lab    96 px, 60 pictures      37.7 ms -> 15.0 ms (2.5 times as fast)
    wild   48 px, 159 pictures     20.5 ms -> 10.4 ms (1.98)
    micro  96 px x 16, 192         42.8 ms -> 14.9 ms (2.9)

Since head and hair have kernels of their own, and a person's units are moved only where they move something,
wild takes 1 / 1.06 of that (median of 14 turns with the commit before, on busy cores): 2.1 times as fast.
"""

import importlib
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from contest import SEED, options, peak_memory_mb, print_ratio, take_turns
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.rendered import render_set, rendered_faces
from fer_lib.faces.request import FaceRequest
from synthetic_faces.domains import DOMAINS
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe
from synthetic_faces.workers import end_idle_workers, usable_cores


def timed(make: Callable[[], FaceSet]) -> tuple[float, float, FaceSet]:
    """Wall seconds, processor seconds of the processes that were started, and what was made."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    faces = make()
    wall = time.perf_counter() - start
    end_idle_workers()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, faces


def whole_sets(names: list[str], share: float) -> list[float]:
    """Make each set and load it again; print a line of each. Seconds made over seconds loaded."""
    print(
        f"{'set':8s}{'pictures':>10s}{'pixels':>8s}{'made':>10s}{'per core':>14s}{'processor':>14s}"
        f"{'loaded':>10s}"
    )
    ratios = []
    for name in names:
        people = max(3, round(share * DOMAINS[name].subjects))
        wall, cpu, faces = timed(partial(rendered_faces, FaceRequest(name, people, face_seed=SEED)))
        load, _, _ = timed(partial(rendered_faces, FaceRequest(name, people, face_seed=SEED)))
        rate = len(faces) / wall / usable_cores()
        print(
            f"{name:8s}{len(faces):10,d}{faces.size[0]:8d}{wall:8.1f} s{rate:10.1f} p/s"
            f"{1000 * cpu / len(faces):8.2f} ms/p{load:8.2f} s",
            flush=True,
        )
        ratios.append(wall / load)
    return ratios


def laptop_parts() -> dict[str, Callable[[], object]]:
    """All faces that the chapters of a `laptop` run have made, by what they are: their sets, and the scripts
    of interventions, pairs and factors; from the chapters' own parameters.
    """
    from book.au_verification.examine import DOSE_LEVELS
    from book.derl.pairs import expression_pairs
    from book.transfer.factor_faces import factor_faces
    from fer_lib.aus.interventions import interventions
    from fer_lib.faces.registry import open_faces

    parameters = {}
    for file in sorted((Path(__file__).parent.parent / "book").glob("*/chapter.py")):
        chapter = importlib.import_module(f"book.{file.parent.name}.chapter").CHAPTER
        kind = chapter.parameters
        parameters[file.parent.name] = kind(**kind.of_profile(chapter.profiles, "laptop", {}))
    parts: dict[str, Callable[[], object]] = {}
    for request in dict.fromkeys(request for p in parameters.values() for request in p.face_requests):
        if request.name in DOMAINS:
            parts[str(request)] = partial(open_faces, request)
    p = parameters["au_verification"]
    # The chapter takes the units that are shown often enough; here it is all.
    parts["au_verification: interventions"] = partial(
        interventions, p.people, AUS, DOSE_LEVELS, contexts=p.contexts, size=p.size, face_seed=p.face_seed
    )
    p = parameters["derl"]
    takes = max(1, p.pretrain_expressions // 2)
    parts["derl: pairs"] = partial(
        expression_pairs,
        p.pretrain_people,
        p.size,
        p.face_seed,
        p.pretrain,
        expressions=p.pretrain_expressions,
        takes=takes,
    )
    p = parameters["transfer"]
    parts["transfer: factors"] = partial(factor_faces, p.factor_people, size=p.size, seed=p.face_seed)
    return parts


def laptop() -> None:
    """Print how long each of ``laptop_parts`` takes to make, in their order, and all of them."""
    total = 0.0
    for name, make in laptop_parts().items():
        wall, cpu, _ = timed(make)
        total += wall
        print(f"{name:40s}{wall:8.1f} s{cpu:10.1f} s of processors", flush=True)
    print(f"{'laptop':40s}{total:8.1f} s")


def main() -> None:
    parser = options(__doc__, turns=5)
    own = [name for name, domain in DOMAINS.items() if not domain.head]  # whose head comes with the suite
    parser.add_argument("--domains", nargs="+", choices=own, default=own)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--parts", nargs="+", choices=["sets", "laptop"], default=["sets"])
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FER_CACHE"] = folder
        first, _, _ = timed(partial(render_set, Recipe("lab", 3, 24, SEED)))
        print(f"{usable_cores()} cores; first set, kernel compiled: {first:.1f} s")
        if "laptop" in args.parts:
            laptop()
        if "sets" not in args.parts:
            return
        ratios = whole_sets(args.domains, args.share)
        recipe = Recipe("lab", 12, 96, SEED)
        by = {name: partial(render_set, recipe, workers=k) for k, name in enumerate(("one", "two"), start=1)}
        seconds = take_turns(by, args.turns)["passed"]

    for name, who in (
        ("caller", resource.RUSAGE_SELF),
        # A worker counts from its start, when it still is a copy of the caller.
        ("worker, or caller at its start", resource.RUSAGE_CHILDREN),
    ):
        print(f"{f'peak memory, {name}':44s} {peak_memory_mb(who):8.0f} MB")
    print_ratio("two_processes", seconds, "two", "one")
    print(f"ratio cached_load {min(ratios):.0f}")


if __name__ == "__main__":
    main()
