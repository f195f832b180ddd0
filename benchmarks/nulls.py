"""Permutation nulls: seconds and memory of the whole, and how many times as fast as a loop over SciPy.

    python benchmarks/nulls.py [--measures auroc kl] [--permutations 10000] [--filters 256] [--aus 15]
    [--subjects 109]

Every person shows 3 sequences of 4 pictures, so that 109 people make 1,308 pictures. Ours is
``permutation_null``: all permutations, filters and action units, with standardisation, p-values and the
maximum. Beside it, on the same permuted labels:

- scipy: for each permutation, filter and action unit one call of SciPy, as one would write it
  (``mannwhitneyu``, ``entropy`` of two ``histogram``, ``ks_2samp``, ``wasserstein_distance``; means by
  NumPy);
- numpy: the same loop with what depends on the filter alone computed once (ranks, bins), for ``auroc`` and
  ``kl``.

The loops would take hours to days. They are timed on ``--sample`` calls spread over filters, action units and
permutations, and scaled by the number of calls; their values must equal ours. Wall and processor seconds are
both printed: where other programs run, the processor's say more, and the ratio is of those.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import entropy, ks_2samp, mannwhitneyu, rankdata, wasserstein_distance

from book.au_verification.simulation import null_responses, simulated_presence
from contest import SEED, machine, options, peak_memory_mb
from fer_lib.aus.association import statistic
from fer_lib.aus.measures import KL_BINS, MEASURES, PSEUDO_COUNT, bin_codes
from fer_lib.aus.nulls import permutation_null
from fer_lib.aus.permutations import blocks_of

Loop = Callable[[int, np.ndarray], float]
"""From a filter and the pictures that show the action unit, bool (N,), to the measure."""


def scipy_loop(maxima: np.ndarray, measure: str) -> Loop:
    def mean_difference(with_au: np.ndarray, without: np.ndarray) -> float:
        return with_au.mean() - without.mean()

    def smd(with_au: np.ndarray, without: np.ndarray) -> float:
        n, m = len(with_au), len(without)
        pooled = ((n - 1) * with_au.var(ddof=1) + (m - 1) * without.var(ddof=1)) / (n + m - 2)
        return (with_au.mean() - without.mean()) / np.sqrt(pooled)

    def auroc(with_au: np.ndarray, without: np.ndarray) -> float:
        wins = mannwhitneyu(with_au, without, method="asymptotic").statistic
        return 2 * wins / (len(with_au) * len(without)) - 1

    distances = {
        "mean_difference": mean_difference,
        "smd": smd,
        "auroc": auroc,
        "ks": lambda with_au, without: ks_2samp(with_au, without, method="asymp").statistic,
        "wasserstein": wasserstein_distance,
    }

    def one(k: int, marks: np.ndarray) -> float:
        column = maxima[:, k]
        if measure == "kl":
            span = (column.min(), column.max())
            counts = [np.histogram(column[rows], KL_BINS, span)[0] + PSEUDO_COUNT for rows in (marks, ~marks)]
            return entropy(*counts)
        return distances[measure](column[marks], column[~marks])

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


def seconds_per_call(loop: Loop, measure: str, maxima: np.ndarray, labels: np.ndarray, sample: int) -> float:
    """Processor seconds per call over ``sample`` calls on permuted ``labels`` (P, N, A), after one that warms
    up.
    """
    generator = np.random.default_rng(SEED)
    places = [
        tuple(int(generator.integers(n)) for n in (len(labels), maxima.shape[1], labels.shape[2]))
        for _ in range(sample)
    ]
    loop(0, labels[0, :, 0])
    start = time.process_time()
    values = [loop(k, labels[p, :, a]) for p, k, a in places]
    seconds = time.process_time() - start
    ours = [
        statistic(maxima[:, [k]], labels[p][:, [a]].astype(np.float32), measure)[0, 0] for p, k, a in places
    ]
    np.testing.assert_allclose(values, ours, rtol=1e-6, atol=1e-9)
    return seconds / sample


def main() -> None:
    parser = options(__doc__, permutations=10_000, filters=256, aus=15, subjects=109, sample=300)
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=["auroc", "kl"])
    args = parser.parse_args()
    device = torch.device(args.device)
    presence = simulated_presence(args.subjects, aus=args.aus, seed=SEED)
    maxima = null_responses(presence, args.filters, seed=SEED)
    draws = next(blocks_of(presence).draws(50, SEED))
    labels = presence.present[draws] == 1
    calls = args.permutations * args.filters * args.aus
    print(
        f"{args.permutations} permutations x {args.filters} filters x {args.aus} action units on "
        f"{len(presence)} pictures, {machine(device)}"
    )
    for measure in args.measures:
        permutation_null(maxima[:, :8], presence, measure, permutations=250, device=device)
        before = peak_memory_mb()
        wall, cpu = time.perf_counter(), time.process_time()
        null = permutation_null(
            maxima, presence, measure, permutations=args.permutations, seed=SEED, device=device
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"-- {measure}: {null.tested.sum()} pairs")
        print(f"ours {wall:10.1f} s wall {cpu:10.1f} s of the processor")
        print(f"peak memory {peak_memory_mb():.0f} MB, {peak_memory_mb() - before:.0f} MB more than before")
        loops = {"scipy": scipy_loop} | ({"numpy": numpy_loop} if measure in ("auroc", "kl") else {})
        for name, loop in loops.items():
            each = seconds_per_call(loop(maxima, measure), measure, maxima, labels, args.sample)
            print(
                f"{name:5} {each * calls:10.0f} s of the processor, scaled from {args.sample} calls of "
                f"{each * 1e6:.0f} µs each"
            )
            print(f"ratio {name} {each * calls / cpu:.0f}")


if __name__ == "__main__":
    main()
