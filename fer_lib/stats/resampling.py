"""Bootstrap that draws whole clusters: several pictures of one person are not independent.

Whatever is a function of sums over pictures (an accuracy, a mean, a histogram) needs the pictures only once,
to add them up per cluster; a draw is then a row of weights, how often each cluster was drawn, and all draws
are a product of two matrices.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm, t

from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit

CONFIDENCE = 0.95

SAME = 1e-12
"""Draws that lie no further apart are all the same."""

MOST_WEIGHTS = 4_000_000
"""Bootstrap weights (draws × clusters) held at a time: 32 MB."""


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
        indices = generator.integers(clusters, size=(rows, clusters))
        # One count for all rows.
        indices += clusters * np.arange(rows)[:, None]
        counts = np.bincount(indices.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield counts.astype(np.float64)


def resampled_sums(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """float64 (draws, …): for each draw, the total of the clusters drawn; ``sums`` (clusters, …) is what each
    adds.
    """
    if not len(sums):
        return np.zeros((draws, *sums.shape[1:]))
    flat = sums.reshape(len(sums), -1).astype(np.float64)
    parts = [weights @ flat for weights in cluster_weights(len(sums), draws, seed)]
    return np.concatenate(parts).reshape(draws, *sums.shape[1:])


def expanded_tail(clusters: int) -> float:
    """The share of the draws beyond each bound of a 95 % interval over so many ``clusters`` (at least 2):
    less than 2.5 %, which it is without end of them.
    """
    reach = t.ppf((1 + CONFIDENCE) / 2, clusters - 1) * np.sqrt(1 + 1 / (clusters - 1))
    return float(norm.cdf(-reach))


def bounds(
    draws: np.ndarray,
    clusters: int | np.ndarray,
    value: float | np.ndarray | None = None,
    *,
    reflected: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The rule over people: lower and upper bound float64 (…) from what a statistic is in each resample,
    ``draws`` (D, …). The one over networks and people, ``stats.two_way``, ends here, too.

    ``clusters``: how many independent ones (people) each draw was made of, one number or an array that fits
    the statistics' last axes. With few of them percentiles at 2.5 and 97.5 % are too narrow, by
    √((n − 1) / n) and by the normal's tail for Student's; so the percentiles are taken further out (expanded
    percentiles: Hesterberg 2015, The American Statistician 69: 371).

    ``value`` (…): the statistic of the sample, which every interval is widened to hold. ``reflected``: for
    distances, which are larger in resamples than in the sample as they are larger in the sample than in
    truth: 2 · value − percentile, cut at 0.

    Draws that are not numbers (a class that no drawn person shows) are left out. NaN where there is no
    interval: with fewer than two clusters, no draw that is a number, where every draw gives the same value
    (20 right answers out of 20 would claim certainty), or where the cut leaves nothing but 0.
    """
    shape = np.shape(draws)[1:]
    clusters = np.broadcast_to(clusters, shape).ravel()
    draws = np.reshape(draws, (len(draws), -1))
    finite = np.isfinite(draws)
    quantile = np.quantile if finite.all() else np.nanquantile
    draws = draws if finite.all() else np.where(finite, draws, np.nan)
    low, high = np.full((2, draws.shape[1]), np.nan)
    there = finite.any(axis=0) & (clusters > 1)
    there[there] = np.nanmax(draws[:, there], axis=0) - np.nanmin(draws[:, there], axis=0) >= SAME
    for count in np.unique(clusters[there]):
        own = there & (clusters == count)
        tail = expanded_tail(count)
        low[own], high[own] = quantile(draws[:, own], (tail, 1 - tail), axis=0)
    low, high = low.reshape(shape)[()], high.reshape(shape)[()]
    if reflected:
        low, high = np.maximum(2 * value - high, 0), np.maximum(2 * value - low, 0)
    if value is not None:
        low, high = np.minimum(low, value), np.maximum(high, value)
    if reflected:
        low, high = np.where(high > 0, (low, high), np.nan)
    return low, high


def interval(
    value: float,
    draws: np.ndarray,
    clusters: float,
    *,
    of: str = "people",
    besides: str = "",
    how: str = "",
    n: int | None = None,
    unit: Unit = "",
    tolerance: float = 0.0,
    reflected: bool = False,
    freedom: float | None = None,
) -> Estimate:
    """``value`` with its interval by the rule of ``bounds``, from what it is in each resample, ``draws``
    (D,), of so many ``clusters``.

    ``of`` names what was drawn, in the plural; ``besides`` is said behind it: what else the interval covers,
    or does not; ``how`` replaces the sentence of both. ``freedom``: of the tails, by default one less than
    ``clusters``. Where there is no interval the estimate says why.
    """
    about = {"n": n, "unit": unit, "tolerance": tolerance, "level": CONFIDENCE}
    if clusters < 2:
        return Estimate(value, why=f"fewer than two {of}", **about)
    low, high = bounds(draws, clusters, value, reflected=reflected)
    count = int(np.isfinite(draws).sum())
    if np.isnan(low):
        same = f"all draws of the {clusters} {of} give the same value"
        if reflected and count and np.nanmax(draws) - np.nanmin(draws) >= SAME:
            same = f"reflected, every draw of the {clusters} {of} lies at or below 0"
        return Estimate(value, why=same if count else "it is undefined in every draw", **about)
    kind = "reflected expanded percentile" if reflected else "expanded percentile"
    how = how or f"{100 * CONFIDENCE:g} % {kind} bootstrap, {count} draws of {clusters} {of}{besides}"
    return Estimate(value, low, high, how=how, freedom=freedom or clusters - 1, **about)


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """float64 (…): ``part / whole``, NaN where ``whole`` is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0)


def mean_of_defined(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean of ``values`` along ``axis`` over those that are finite; NaN where none is."""
    finite = np.isfinite(values)
    return quotient(np.where(finite, values, 0).sum(axis), finite.sum(axis))


def ratio(totals: np.ndarray) -> np.ndarray:
    """float64 (…): of totals (…, 2 or more) the first over the second, the mean where these are a sum and a
    count; not a number where there is nothing to divide by.
    """
    return quotient(totals[..., 0], totals[..., 1])[()]


def bootstrap(
    sums: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = ratio,
    value: float | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    **about: object,
) -> Estimate:
    """A statistic of summed counts with its interval, by drawing whole clusters.

    ``sums`` (clusters, …): what each cluster (person) adds, for instance its confusion matrix, or its sum and
    its number of pictures. ``statistic`` maps totals (draws, …) to values (draws,). ``value``: that of the
    sample, where adding it up in another order would not give its last digit. ``about``: ``of``, ``n``,
    ``unit``, ``tolerance`` and ``reflected`` as of ``interval``. The draws are a product of two matrices, not
    a loop.
    """
    if value is None:
        value = float(statistic(sums.sum(axis=0)[None])[0])
    replicates = statistic(resampled_sums(sums, draws, seed)) if len(sums) > 1 else np.empty(0)
    return interval(value, replicates, len(sums), **about)


RERUN_TOLERANCE = 0.05
"""How far a share of right answers may move when a network is trained again with the same seed. The same
machine gives the same digits; another processor adds up in another order, and training magnifies that."""
