"""Bootstrap that draws whole clusters: several pictures of one person are not independent.

Whatever is a function of sums over pictures (an accuracy, a mean, a histogram) needs the pictures only once,
to add them up per cluster; a draw is then a row of weights, how often each cluster was drawn, and all draws
are a product of two matrices.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ferbook.errors import DataError

CONFIDENCE = 0.95

MOST_WEIGHTS = 4_000_000
"""Bootstrap weights (draws × clusters) held at a time: 32 MB."""


@dataclass(frozen=True)
class Interval:
    """``low`` and ``high``, None where there is no interval; ``method`` says how, or why not."""

    low: float | None
    high: float | None
    method: str


def cluster_sums(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """float64 (clusters, …): the sum of ``values`` (N, …) over the pictures of each cluster, in the order of
    the sorted names.

    ``clusters`` (N,): any names or codes, equal for pictures that are not independent. Raises DataError where
    lengths differ.
    """
    values, clusters = np.asarray(values), np.asarray(clusters)
    if len(values) != len(clusters):
        raise DataError(
            f"{len(values)} values and {len(clusters)} cluster codes: give one of each per picture"
        )
    names, codes = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(names), *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def cluster_weights(clusters: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each cluster is drawn, in parts float64 (rows, ``clusters``) that together have ``draws``
    rows.

    Each draw takes as many clusters as there are, with replacement; a row sums to ``clusters``. The parts
    hold at most ``MOST_WEIGHTS`` numbers, and where they are cut does not change the draws.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, MOST_WEIGHTS // clusters)
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        drawn = generator.integers(clusters, size=(rows, clusters))
        # One count for all rows.
        drawn += clusters * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield counts.astype(np.float64)


def resampled_sums(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """float64 (draws, …): for each draw, the total of the clusters drawn; ``sums`` (clusters, …) is what each
    adds.
    """
    flat = sums.reshape(len(sums), -1).astype(np.float64)
    parts = [weights @ flat for weights in cluster_weights(len(sums), draws, seed)]
    return np.concatenate(parts).reshape(draws, *sums.shape[1:])


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    sums: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """95 % percentile interval of a statistic of summed counts, resampling whole clusters.

    ``sums`` (clusters, …): what each cluster (subject) adds, for instance its confusion matrix. ``statistic``
    maps (draws, …) resampled totals to (draws,) values; a value that is not a number (a class that no drawn
    subject shows) is left out. The draws are a product of two matrices, not a loop.

    There is no interval, and ``method`` says why, with fewer than two clusters, or where every draw gives the
    same value: a bootstrap of 20 right answers out of 20 would claim certainty.
    """
    clusters = len(sums)
    if clusters < 2:
        return Interval(None, None, f"none: {clusters} cluster, at least 2 are needed")
    values = statistic(resampled_sums(sums, draws, seed))
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(None, None, "none: the statistic is undefined in every draw")
    if np.ptp(values) < 1e-12:
        return Interval(None, None, f"none: all draws of the {clusters} clusters give the same value")
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Interval(
        float(low),
        float(high),
        f"{CONFIDENCE:.0%} percentile bootstrap, {draws} draws of {clusters} clusters",
    )


RERUN_TOLERANCE = 0.05
"""How far a share of right answers may move when a network is trained again with the same seed. The same
machine gives the same digits; another processor adds up in another order, and training magnifies that."""
