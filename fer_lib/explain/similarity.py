"""How alike the projections of the same pairs by two networks are, beyond what any two maps have in common."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from fer_lib.explain.deconv import Projections
from fer_lib.resampling import bootstrap_interval, cluster_sums

MEASURES = ("absolute", "signed", "cosine")
"""Spearman's rank correlation of the absolute maps, and of the signed ones (Adebayo et al. 2018 give both), and the cosine of the absolute maps."""


def similarities(
    ours: Projections, theirs: Projections, pictures: np.ndarray, clusters: np.ndarray
) -> pd.DataFrame:
    """One row per pair and measure: ``cluster``, ``measure``, ``similarity`` of ``ours`` and ``theirs``, and the ``floor``.

    Both are P maps of the same places. The floor compares our map of a pair with theirs of the next pair of another picture: what
    maps have in common without a common picture, since energy gathers in the middle of what a unit sees. ``pictures`` (P,): which
    picture a pair is of; ``clusters`` (P,): whose. Only pixels inside the picture are compared. NaN where a map is zero throughout (the unit is off),
    and for the floor where there is no other picture.
    """
    seen = _inside(ours)
    blank = ~(ours.maps != 0).any(axis=(1, 2)) | ~(theirs.maps != 0).any(axis=(1, 2))
    nothing = dict.fromkeys(MEASURES, np.nan)
    rows = []
    for pair, cluster in enumerate(clusters):
        same = floor = nothing
        if not blank[pair]:
            same = _measured(ours.maps[pair], theirs.maps[pair], seen[pair])
            elsewhere = np.flatnonzero(~blank & (pictures != pictures[pair]))
            if len(elsewhere):
                beside = elsewhere[np.searchsorted(elsewhere, pair) % len(elsewhere)]
                floor = _measured(ours.maps[pair], theirs.maps[beside], seen[pair] & seen[beside])
        rows += [(cluster, measure, same[measure], floor[measure]) for measure in MEASURES]
    return pd.DataFrame(rows, columns=["cluster", "measure", "similarity", "floor"])


def summary(compared: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """One row per measure of the rows of ``similarities``: means over the pairs that could be compared.

    ``measure``, ``similarity``, ``floor``, ``excess`` = similarity - floor with its 95 % interval ``low`` … ``high`` (bootstrap over clusters; NaN where
    there is none), ``n`` pairs that were compared and ``off``, how many could not be. Means over no pair are NaN.
    """
    rows = []
    for measure, own in compared.groupby("measure", sort=False):
        there = own.dropna()
        excess = there["similarity"] - there["floor"]
        low, high = mean_interval(excess.to_numpy(), there["cluster"].to_numpy(), seed=seed)
        means = {"similarity": there["similarity"].mean(), "floor": there["floor"].mean()}
        found = {"excess": excess.mean(), "low": low, "high": high}
        counts = {"n": len(there), "off": len(own) - len(there)}
        rows.append({"measure": measure} | means | found | counts)
    return pd.DataFrame(rows)


def mean_interval(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of ``values`` (N,), by a bootstrap over ``clusters`` (N,); NaN where there is none."""
    sums = cluster_sums(np.stack([values, np.ones(len(values))], axis=1), clusters.astype(str))
    interval = bootstrap_interval(lambda totals: totals[:, 0] / totals[:, 1], sums, seed=seed)
    return tuple(np.nan if end is None else end for end in (interval.low, interval.high))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of all values of two arrays of one shape; NaN where one is constant."""
    return float(correlations(one.reshape(-1, 1), other.reshape(-1, 1))[0, 0])


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """float64 (P, K): Pearson's correlation of each column of ``one`` (N, P) with each of ``other`` (N, K); NaN for constant columns."""
    constant = [np.ptp(values, axis=0) == 0 for values in (one, other)]
    one, other = (values - values.mean(axis=0, dtype=np.float64) for values in (one, other))
    norms = np.linalg.norm(one, axis=0)[:, None] * np.linalg.norm(other, axis=0)
    norms[constant[0][:, None] | constant[1]] = np.nan
    return one.T @ other / norms


def _inside(maps: Projections) -> np.ndarray:
    """bool (P, h, w): which pixels of each map lie inside the picture."""
    rows = maps.corners[:, :1] + np.arange(maps.maps.shape[1])
    columns = maps.corners[:, 1:] + np.arange(maps.maps.shape[2])
    height, width = maps.size
    return ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]


def _measured(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> dict[str, float]:
    one, other = one[where].astype(np.float64), other[where].astype(np.float64)
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return {
        "absolute": correlation(rankdata(abs(one)), rankdata(abs(other))),
        "signed": correlation(rankdata(one), rankdata(other)),
        "cosine": float(abs(one) @ abs(other) / norms) if norms else np.nan,
    }
