"""Permutation nulls: seconds and memory of the whole, and how many times as fast as a loop over SciPy.

    python benchmarks/nulls.py [--measures auroc kl] [--permutations 2000] [--filters 256] [--aus 15]
    [--subjects 109] [--sample 300] [--repeats 5]

Every person shows 3 sequences of 4 pictures, so that 109 people make 1,308 pictures. Ours is
``permutation_null``: all permutations, filters and action units, with standardisation, p-values and the
maximum. Beside it, on the same permuted labels:

- scipy: for each permutation, filter and action unit one call of SciPy, as one would write it
  (``mannwhitneyu``, ``entropy`` of two ``histogram``);
- numpy: the same loop with what depends on the filter alone computed once (ranks, bins).

The loops would take hours to days. They are timed on ``--sample`` calls spread over filters, action units and
permutations, and scaled by the number of calls; their values must equal ours. The contestants take turns.
Wall and processor seconds are both printed: where other programs run, the processor's say more, and the ratio
is of those; on a GPU, which works beside the processor, it is of the time that passed.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.stats import entropy, mannwhitneyu, rankdata

from contest import SEED, machine, options, peak_memory_mb, print_ratio, take_turns
from fer_lib.aus.association import KL_BINS, PSEUDO_COUNT, bin_codes, statistic
from fer_lib.aus.nulls import blocks_of, permutation_null
from fer_lib.aus.presence import Presence

# From a filter and the pictures that show the action unit, bool (N,), to the measure.
Loop = Callable[[int, np.ndarray], float]


def invented(people: int, aus: int, filters: int) -> tuple[np.ndarray, Presence]:
    """Responses (N, ``filters``) that no unit moves, and the units that invented people show: of each three
    sequences of four pictures.
    """
    rng, blocks = np.random.default_rng(SEED), np.repeat(np.arange(3 * people), 4)
    shown = rng.random((3 * people, aus))[blocks] < 0.3
    about = (blocks // 3).astype(str), blocks.astype(str), np.full(len(blocks), "")
    return rng.random((len(blocks), filters)), Presence(tuple(f"AU{a}" for a in range(aus)), shown, *about)


def scipy_loop(maxima: np.ndarray, measure: str) -> Loop:
    def one(k: int, marks: np.ndarray) -> float:
        column = maxima[:, k]
        if measure == "kl":
            span = (column.min(), column.max())
            counts = [np.histogram(column[rows], KL_BINS, span)[0] + PSEUDO_COUNT for rows in (marks, ~marks)]
            return entropy(*counts)
        wins = mannwhitneyu(column[marks], column[~marks], method="asymptotic").statistic
        return 2 * wins / (marks.sum() * (~marks).sum()) - 1

    return one


def numpy_loop(maxima: np.ndarray, measure: str) -> Loop:
    ranks = rankdata(maxima, axis=0)
    codes = bin_codes(maxima)

    def auroc(k: int, marks: np.ndarray) -> float:
        n = marks.sum()
        wins = ranks[marks, k].sum() - n * (n + 1) / 2
        return 2 * wins / (n * (len(marks) - n)) - 1

    def kl(k: int, present: np.ndarray) -> float:
        with_au, without = (
            np.bincount(codes[rows, k], minlength=KL_BINS) + PSEUDO_COUNT for rows in (present, ~present)
        )
        with_au, without = with_au / with_au.sum(), without / without.sum()
        return (with_au * np.log(with_au / without)).sum()

    return {"auroc": auroc, "kl": kl}[measure]


def sampled_calls(loop: Loop, maxima: np.ndarray, labels: np.ndarray, sample: int) -> np.ndarray:
    """Values (``sample``, 4) of as many calls on permuted ``labels`` (P, N, A): permutation, filter, action
    unit, and what the loop says.
    """
    generator = np.random.default_rng(SEED)
    sizes = len(labels), maxima.shape[1], labels.shape[2]
    places = [tuple(int(generator.integers(n)) for n in sizes) for _ in range(sample)]
    return np.array([(p, k, a, loop(k, labels[p, :, a])) for p, k, a in places])


def require_equal(calls: np.ndarray, measure: str, maxima: np.ndarray, labels: np.ndarray) -> None:
    """Raise AssertionError where ``sampled_calls`` are not what ours says."""
    ours = [
        statistic(maxima[:, [k]], labels[p][:, [a]].astype(np.float32), measure)[0, 0]
        for p, k, a in calls[:, :3].astype(int)
    ]
    np.testing.assert_allclose(calls[:, 3], ours, rtol=1e-6, atol=1e-9)


def main() -> None:
    parser = options(__doc__, permutations=2_000, filters=256, aus=15, subjects=109, sample=300, repeats=5)
    parser.add_argument("--measures", nargs="+", choices=("auroc", "kl"), default=["auroc", "kl"])
    args = parser.parse_args()
    device = torch.device(args.device)
    maxima, presence = invented(args.subjects, args.aus, args.filters)
    draws = next(blocks_of(presence).draws(50, SEED))
    labels = presence.present[draws] == 1
    calls = args.permutations * args.filters * args.aus
    print(
        f"{args.permutations} permutations x {args.filters} filters x {args.aus} action units on "
        f"{len(presence)} pictures, {machine(device)}"
    )
    clock = "processor" if device.type == "cpu" else "passed"
    for measure in args.measures:
        print(f"-- {measure}; peak memory before {peak_memory_mb():.0f} MB")
        loops = {"scipy": scipy_loop(maxima, measure), "numpy": numpy_loop(maxima, measure)}
        contestants = {
            name: partial(sampled_calls, loop, maxima, labels, args.sample) for name, loop in loops.items()
        }
        for run in contestants.values():
            require_equal(run(), measure, maxima, labels)
        how = {"permutations": args.permutations, "seed": SEED, "device": device}
        contestants["ours"] = partial(permutation_null, maxima, presence, measure, **how)
        turns = take_turns(contestants, args.repeats)
        for name, seconds in turns.items():
            seconds[list(loops)] *= calls / args.sample
            print(f"seconds, {name}, loops scaled: {seconds.median().round(1).to_dict()}")
        print(f"peak memory {peak_memory_mb():.0f} MB")
        for name in loops:
            print_ratio(f"{measure}_{name}", turns[clock], "ours", name, digits=0)


if __name__ == "__main__":
    main()
