"""Bootstrap that draws whole clusters: several pictures of one person are not independent.

A function of sums over pictures (an accuracy, a mean, a histogram) needs the pictures only once, to add them
up per cluster; a draw is then a row of weights, how often each cluster was drawn, and all draws are a product
of two matrices.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm, t

from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit

CONFIDENCE = 0.95

# Draws within this distance count as equal.
SAME = 1e-12

# Bootstrap weights (draws × clusters) held at a time: 32 MB.
MOST_WEIGHTS = 4_000_000


def cluster_sums(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Add up ``values`` (N, …) over the pictures of each cluster.

    ``clusters`` (N,) are names or codes, equal for pictures that are not independent. Returns float64
    (clusters, …) in the order of the sorted names. Raises DataError if lengths differ.
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
    """Draw clusters with replacement: how often each is drawn, as many in a draw as there are clusters.

    Yields parts, float64 (rows, ``clusters``), that together have ``draws`` rows. A part has at most
    ``MOST_WEIGHTS`` numbers; the draws do not depend on where the parts are cut.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, MOST_WEIGHTS // clusters)
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        indices = generator.integers(clusters, size=(rows, clusters))
        # One count of all rows.
        indices += clusters * np.arange(rows)[:, None]
        counts = np.bincount(indices.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield counts.astype(np.float64)


def resampled_sums(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draw clusters and add up their contributions.

    Parameters
    ----------
    sums : (clusters, …) array
        The contribution of each cluster.
    draws, seed : int

    Returns
    -------
    (draws, …) float64 array
        The total of the clusters in each draw.
    """
    if not len(sums):
        return np.zeros((draws, *sums.shape[1:]))
    flat = sums.reshape(len(sums), -1).astype(np.float64)
    parts = [weights @ flat for weights in cluster_weights(len(sums), draws, seed)]
    return np.concatenate(parts).reshape(draws, *sums.shape[1:])


def expanded_tail(clusters: int) -> float:
    """Return the proportion of draws beyond each bound of a 95 % interval over ``clusters`` (at least 2):
    less than 2.5 %, its limit for infinitely many.
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
    """Compute bounds over people from the values of a statistic in each resample: the interval of every
    estimate over people, and the last step of the one over networks and people (``stats.two_way``).

    With few clusters percentiles at 2.5 and 97.5 % are too narrow, by √((n − 1) / n) and by the normal's tail
    instead of Student's; so more extreme percentiles are taken (expanded percentiles: Hesterberg 2015, The
    American Statistician 69: 371).

    Parameters
    ----------
    draws : (D, …) array
        Draws that are not numbers (a class that no drawn person shows) are left out.
    clusters : int or array
        How many independent clusters (people) each draw consists of; an array fits the last axes.
    value : (…) array, optional
        The statistic of the sample, which every interval is widened to include.
    reflected : bool
        For distances, which are larger in resamples than in the sample as they are larger in the sample than
        in the population: 2 · value − percentile, cut at 0.

    Returns
    -------
    two (…) float64 arrays
        Lower and upper bound. NaN if there is no interval: with fewer than two clusters, no draw that is a
        number, the same value in every draw (20 correct answers out of 20 would suggest certainty), or if the
        cut leaves only 0.
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
    """Make an estimate of ``value`` with its interval by ``bounds``.

    Parameters
    ----------
    value : float
    draws : (D,) array
        The statistic in each resample.
    clusters : int
    of : str
        What was drawn, in the plural.
    besides : str
        Added to the description: what else the interval covers, or does not.
    how : str
        Replaces the description.
    n, unit, tolerance
        Of the estimate.
    reflected : bool
        As of ``bounds``.
    freedom : float, optional
        Degrees of freedom of the tails; by default ``clusters`` − 1.

    Returns
    -------
    Estimate
        Without an interval it gives the reason.
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
    """Return ``part / whole``, float64 (…), NaN where ``whole`` is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0)


def mean_of_defined(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the mean along ``axis`` over finite ``values``; NaN where there are none."""
    finite = np.isfinite(values)
    return quotient(np.where(finite, values, 0).sum(axis), finite.sum(axis))


def ratio(totals: np.ndarray) -> np.ndarray:
    """Return the first of totals (…, 2 or more) over the second, float64 (…): the mean where these are a sum
    and a count; NaN where the second is 0.
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
    """Estimate a statistic of summed counts, with its interval, by drawing whole clusters.

    The draws are a product of two matrices, not a loop.

    Parameters
    ----------
    sums : (clusters, …) array
        The contribution of each cluster (person), for instance its confusion matrix, or its sum and its
        number of pictures.
    statistic : callable
        From totals (draws, …) to values (draws,).
    value : float, optional
        The statistic of the sample, where another order of addition would change its last digit.
    draws, seed : int
    **about
        ``of``, ``n``, ``unit``, ``tolerance`` and ``reflected`` as of ``interval``.

    Returns
    -------
    Estimate
    """
    if value is None:
        value = float(statistic(sums.sum(axis=0)[None])[0])
    replicates = statistic(resampled_sums(sums, draws, seed)) if len(sums) > 1 else np.empty(0)
    return interval(value, replicates, len(sums), **about)


# How far a proportion of correct predictions may change if a network is trained again with the same seed. The
# same machine gives the same digits; another processor adds in another order, and training magnifies that.
RERUN_TOLERANCE = 0.05
