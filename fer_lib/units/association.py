"""How strongly a filter's maximal response goes with the presence of an action unit: six measures under one name.

Notation as in the papers: m, the maximal response of one filter to a picture, its largest activation anywhere in the map; pictures that show the
AU (present) and pictures that do not (absent). Khorrami, Paine and Huang 2015 compare histograms of m by their Kullback–Leibler
divergence; Zhu, Fan and Yuan 2019 take the distance of the responses without saying which, so the usual ones are here to choose from.

* ``mean_difference``: mean of m where present less its mean where absent, in units of m.
* ``smd``: the same over the pooled standard deviation, √((SS₁ + SS₀) / (n₁ + n₀ − 2)), with SS the sums of squared deviations
  from each group's own mean (Cohen's d); without a unit.
* ``auroc``: 2 · AUROC − 1, in [−1, 1]: how much more often m is larger on a picture with the AU than on one without; ties count half.
* ``ks``: Kolmogorov–Smirnov, the largest distance of the two empirical distribution functions, in [0, 1].
* ``wasserstein``: Wasserstein-1, the area between the two distribution functions, in units of m.
* ``kl``: KL(present‖absent) in nats of the histograms of m in ``BINS`` equal-width bins over the filter's range in all pictures given, with
  ``PSEUDO_COUNT`` pictures added to every bin of both histograms, so that it is finite.

The first three are signed, positive where m is larger with the AU. The others are distances: never below 0, above 0 by chance alone,
the further the fewer pictures show the AU, and as large for a filter that the AU silences.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from fer_lib.errors import DataError, ParameterError
from fer_lib.resampling import CONFIDENCE, cluster_weights
from fer_lib.units.presence import FEWEST_SUBJECTS, Presence, check_present

Measure = Literal["mean_difference", "smd", "wasserstein", "ks", "kl", "auroc"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
SIGNED = ("mean_difference", "smd", "auroc")
"""Measures whose sign says in which direction the AU moves the response; the others are distances."""

BINS = 10
PSEUDO_COUNT = 0.5
"""Jeffreys' prior: half a picture in every bin."""

_ORDERED = ("wasserstein", "ks", "auroc")
"""Measures of the order of the pictures; the others are functions of sums over pictures."""

_NUMBERS_AT_ONCE = 1_000_000
"""Numbers in one intermediate array: 8 MB, near the size of a cache."""


@dataclass(frozen=True)
class Association:
    """Association of K filters with A action units by one ``measure``, each with its interval.

    ``estimate``, ``low``, ``high`` float64 (K, A): NaN for the AUs in ``too_few``. ``dead`` bool (K,): filters that answer to all
    pictures alike (rectified, they never fire), whose association is 0. ``stability`` (K,): share of the resamples in which the filter's strongest AU is that of ``estimate``, NaN
    for dead filters. ``n_present``, ``n_absent``, ``subjects_present`` int64 (A,). ``interval`` says how the bounds were computed.
    """

    measure: Measure
    aus: tuple[str, ...]
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stability: np.ndarray
    n_present: np.ndarray
    n_absent: np.ndarray
    subjects_present: np.ndarray
    too_few: tuple[str, ...]
    dead: np.ndarray
    interval: str

    def table(self) -> pd.DataFrame:
        """Long form, a row per filter and AU: ``filter``, ``au``, ``estimate``, ``low``, ``high``, ``n_present``, ``n_absent``, ``too_few``, ``dead``."""
        filters, units = self.estimate.shape
        few = np.isin(self.aus, self.too_few)
        return pd.DataFrame(
            {
                "filter": np.repeat(np.arange(filters), units),
                "au": np.tile(np.array(self.aus, dtype=object), filters),
                "estimate": self.estimate.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
                "n_present": np.tile(self.n_present, filters),
                "n_absent": np.tile(self.n_absent, filters),
                "too_few": np.tile(few, filters),
                "dead": np.repeat(self.dead, units),
            }
        )


def statistic(maxima: np.ndarray, present: np.ndarray, measure: Measure) -> np.ndarray:
    """Association float64 (K, A) of each filter with each AU, without interval.

    ``maxima`` (N, K): maximal responses; ``present`` (N, A): 1 shown, 0 not shown, NaN not coded: each AU is judged on the pictures for
    which it was coded. ``measure``: one of ``MEASURES``, defined at the head of this module. NaN where no coded picture shows the AU, or all
    do; 0 for a filter that answers to all pictures alike.

    Raises ParameterError for an unknown measure; DataError where shapes do not fit, a response is not finite (it names filter and
    picture) or ``present`` holds anything but 1, 0 and NaN.
    """
    maxima, present = _checked(maxima, present, measure)
    one_cluster = np.zeros(len(maxima), np.int64)
    return _resampled(maxima, present, one_cluster, np.ones((1, 1)), measure)[0]


def associate(
    maxima: np.ndarray,
    presence: Presence,
    measure: Measure = "auroc",
    *,
    draws: int = 1000,
    seed: int = 0,
    min_subjects: int = FEWEST_SUBJECTS,
) -> Association:
    """Association of every filter with every AU, with 95 % intervals from a bootstrap that draws whole subjects.

    ``maxima`` (N, K): maximal responses of rectified maps; ``measure``: one of ``MEASURES``, see the head of this module. AUs that
    fewer than ``min_subjects`` subjects show, or are seen without, are not scored: they are named in ``too_few``.

    The interval is that of percentiles for signed measures. Distances are larger in resamples than in the sample, as they are larger in
    the sample than in truth, so theirs is the basic (reflected) interval, 2 · estimate − percentile, cut at 0. Where an interval would miss its
    own estimate it is widened to it. Ranks, histograms and distribution functions are computed anew in each resample; bins stay.
    ``mean_difference``, ``smd`` and ``kl`` are products of matrices; ``auroc`` takes a few times as long, ``ks`` and ``wasserstein`` the longest.

    Raises the errors of ``statistic``; DataError for fewer than two subjects or where every AU has too few; ParameterError for no draws.
    """
    maxima, present = _checked(maxima, presence.present, measure)
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    if len(subjects) < 2:
        raise DataError(
            f"{len(subjects)} subject on {len(maxima)} pictures; an interval needs at least 2 and better 30: add pictures of other people"
        )
    if draws < 1:
        raise ParameterError(f"draws is {draws}; expected at least 1, and 1000 for steady bounds")
    scored = presence.scored(min_subjects)
    columns = np.flatnonzero(np.isin(presence.aus, scored.aus))
    present = present[:, columns]
    dead = np.ptp(maxima, axis=0) == 0
    whole = np.ones((1, len(subjects)))
    estimate = _resampled(maxima, present, codes, whole, measure)[0]
    drawn = np.concatenate(
        [
            _resampled(maxima, present, codes, weights, measure).astype(np.float32)
            for weights in cluster_weights(len(subjects), draws, seed)
        ]
    )
    low, high = _bounds(estimate, drawn, measure)
    strongest = np.where(np.isnan(drawn), -np.inf, drawn).argmax(axis=2)
    stability = (strongest == estimate.argmax(axis=1)).mean(axis=0)

    def among_all(values: np.ndarray) -> np.ndarray:
        spread = np.full((len(values), len(presence.aus)), np.nan)
        spread[:, columns] = values
        return spread

    kind = "percentile" if measure in SIGNED else "basic"
    return Association(
        measure,
        presence.aus,
        among_all(estimate),
        among_all(low),
        among_all(high),
        np.where(dead, np.nan, stability),
        presence.n_present,
        presence.n_absent,
        presence.subjects_present,
        presence.too_few(min_subjects),
        dead,
        f"{CONFIDENCE:.0%} {kind} bootstrap, {draws} draws of {len(subjects)} subjects",
    )


def mapping(association: Association) -> pd.DataFrame:
    """The papers' mapping: for each filter the AU with the largest association, one row per filter.

    ``filter``; ``au`` (empty for a dead filter); ``estimate``, ``low``, ``high`` of that AU; ``second``, the AU next to it, and ``margin``, how much
    less its association is; ``stability``, the share of the subject resamples that name the same AU; ``dead``. ``second`` is empty and ``margin``
    NaN where only one AU was scored. For signed measures the largest is the most positive: an AU that silences the filter is not its AU.
    """
    estimate = np.where(np.isnan(association.estimate), -np.inf, association.estimate)
    filters = np.arange(len(estimate))
    order = np.argsort(-estimate, axis=1, kind="stable")
    names = np.array(association.aus, dtype=object)
    first = order[:, 0]
    second = order[:, 1] if len(names) > 1 else first
    compared = np.isfinite(estimate[filters, second]) & (second != first) & ~association.dead
    best = estimate[filters, first]
    return pd.DataFrame(
        {
            "filter": filters,
            "au": np.where(association.dead, "", names[first]),
            "estimate": best,
            "low": association.low[filters, first],
            "high": association.high[filters, first],
            "second": np.where(compared, names[second], ""),
            "margin": np.where(compared, best - np.where(compared, estimate[filters, second], 0), np.nan),
            "stability": association.stability,
            "dead": association.dead,
        }
    )


def histograms(responses: np.ndarray, present: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """How a filter answers with and without an AU: the two histograms that ``kl`` compares (Khorrami et al. 2015, section 4.2).

    ``responses`` (N,): maximal responses of one filter; ``present`` (N,): 1, 0 or NaN. One row per bin: ``left`` and ``right``, in units of the response;
    ``n_present``, ``n_absent``: pictures; ``present``, ``absent``: shares of those; ``divergence``: what the bin adds to KL(present‖absent), in nats, after
    smoothing. Raises DataError for a filter that answers to all pictures alike, and as ``statistic`` does.
    """
    column, shown = _checked(np.asarray(responses)[:, None], np.asarray(present)[:, None], "kl")
    low, high = column.min(), column.max()
    if low == high:
        raise DataError(f"the filter answers {low:g} to all {len(column)} pictures; there is nothing to bin")
    codes = bin_codes(column, bins)[:, 0]
    counts = np.stack([np.bincount(codes[shown[:, 0] == value], minlength=bins) for value in (1, 0)])
    smooth = _smoothed(counts.astype(np.float64))
    edges = np.linspace(low, high, bins + 1)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "n_present": counts[0],
            "n_absent": counts[1],
            "present": shares[0],
            "absent": shares[1],
            "divergence": smooth[0] * np.log(smooth[0] / smooth[1]),
        }
    )


def bin_codes(maxima: np.ndarray, bins: int = BINS) -> np.ndarray:
    """int64 (N, K): the equal-width bin, from 0, of each response within its filter's range; 0 for a constant filter."""
    maxima = np.asarray(maxima, np.float64)
    low, spread = maxima.min(axis=0), np.ptp(maxima, axis=0)
    share = np.divide(maxima - low, spread, out=np.zeros(maxima.shape), where=spread > 0)
    return np.minimum((share * bins).astype(np.int64), bins - 1)


def divergence(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """KL(present‖absent) in nats of histograms of counts (…, bins), smoothed by ``PSEUDO_COUNT`` per bin."""
    p, q = _smoothed(present), _smoothed(absent)
    return (p * np.log(p / q)).sum(axis=-1)


def coded_together(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The AUs that were coded for the same pictures: (columns, rows) indices into ``present`` (N, A), for each such group."""
    patterns, group = np.unique(~np.isnan(present), axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        yield np.flatnonzero(group == number), np.flatnonzero(pattern)


def _smoothed(counts: np.ndarray) -> np.ndarray:
    counts = counts + PSEUDO_COUNT
    return counts / counts.sum(axis=-1, keepdims=True)


def _checked(maxima: np.ndarray, present: np.ndarray, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """``maxima`` as float64 and ``present`` as float32, or one of the errors of ``statistic``."""
    if measure not in MEASURES:
        raise ParameterError(f"measure is {measure!r}; expected one of {', '.join(MEASURES)}")
    maxima, present = np.asarray(maxima, np.float64), np.asarray(present, np.float32)
    if maxima.ndim != 2 or present.ndim != 2 or len(maxima) != len(present) or not maxima.size:
        raise DataError(
            f"maximal responses {maxima.shape} and presence {present.shape}; expected (pictures, filters) and (pictures, AUs) of the same pictures"
        )
    check_present(present)
    wrong = np.argwhere(~np.isfinite(maxima))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"picture {row}, filter {column}: the maximal response is {maxima[row, column]}; expected a finite number: "
            "look for pictures or weights that are not"
        )
    return maxima, present


def _resampled(
    maxima: np.ndarray, present: np.ndarray, codes: np.ndarray, weights: np.ndarray, measure: str
) -> np.ndarray:
    """float64 (draws, K, A): the statistic where each picture of cluster ``codes`` (N,) counts ``weights`` (draws, clusters) times."""
    found = np.full((len(weights), maxima.shape[1], present.shape[1]), np.nan)
    # Bins and scales come from all pictures, also those for which an AU was not coded.
    features = None if measure in _ORDERED else _features(maxima, measure)
    spread = np.ptp(maxima, axis=0)
    constant, varying = np.flatnonzero(spread == 0), np.flatnonzero(spread > 0)
    clusters = weights.shape[1]
    for columns, rows in coded_together(present):
        if not len(rows):
            continue
        shown = present[np.ix_(rows, columns)] == 1
        if measure in _ORDERED:
            for k in varying:
                found[:, k, columns] = _ordered(maxima[rows, k], shown, codes[rows], weights, measure)
        else:
            for column, one in zip(columns, shown.T, strict=True):
                found[:, :, column] = _summed(features[rows], one, codes[rows], weights, measure)
        found[(slice(None), *np.ix_(constant, columns))] = 0
        with_au, coded = (
            weights @ _sums(given, codes[rows], clusters) for given in (shown, np.ones(shown.shape))
        )
        undefined = (with_au == 0) | (with_au == coded)
        found[:, :, columns] = np.where(undefined[:, None], np.nan, found[:, :, columns])
    return found


def _sums(values: np.ndarray, codes: np.ndarray, clusters: int) -> np.ndarray:
    """float64 (clusters, …): the sum of ``values`` (N, …) over the pictures of each cluster."""
    chosen = np.zeros((clusters, len(codes)))
    chosen[codes, np.arange(len(codes))] = 1
    return np.tensordot(chosen, values, axes=1)


def _features(maxima: np.ndarray, measure: str) -> np.ndarray:
    """float64 (N, K, F): what has to be summed over pictures for a measure that is a function of sums."""
    if measure == "kl":
        return (bin_codes(maxima)[:, :, None] == np.arange(BINS)).astype(np.float64)
    # About the mean, or the sum of squares would lose its digits to a large mean.
    centred = maxima - maxima.mean(axis=0)
    return centred[:, :, None] if measure == "mean_difference" else np.stack((centred, centred**2), axis=2)


def _summed(
    features: np.ndarray, shown: np.ndarray, codes: np.ndarray, weights: np.ndarray, measure: str
) -> np.ndarray:
    """float64 (draws, K): the measure for one AU, from sums over the pictures that show it, and over the others."""
    clusters = weights.shape[1]
    own, other = (_sums(features[rows], codes[rows], clusters) for rows in (shown, ~shown))
    own_n, other_n = (np.bincount(codes[rows], minlength=clusters) for rows in (shown, ~shown))
    at_once = max(1, _NUMBERS_AT_ONCE // own[0].size)
    parts = []
    for start in range(0, len(weights), at_once):
        part = weights[start : start + at_once]
        sums = [np.tensordot(part, given, axes=1) for given in (own, other)]
        numbers = [(part @ given)[:, None] for given in (own_n, other_n)]
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(divergence(*sums) if measure == "kl" else _difference(sums, numbers, measure))
    return np.concatenate(parts)


def _difference(sums: list[np.ndarray], numbers: list[np.ndarray], measure: str) -> np.ndarray:
    """(draws, K): the difference of the means, of two groups' ``sums`` (draws, K, F) over ``numbers`` (draws, 1) of pictures."""
    means = [given[..., 0] / n for given, n in zip(sums, numbers, strict=True)]
    difference = means[0] - means[1]
    if measure == "mean_difference":
        return difference
    squares = sum(given[..., 1] for given in sums)
    within = squares - sum(n * mean**2 for n, mean in zip(numbers, means, strict=True))
    # What is left of two constant groups is rounding.
    within = np.where(within > 1e-12 * squares, within, 0)
    scaled = difference / np.sqrt(within / (sum(numbers) - 2))
    return np.where(squares == 0, 0, scaled)


def _ordered(
    responses: np.ndarray, shown: np.ndarray, codes: np.ndarray, weights: np.ndarray, measure: str
) -> np.ndarray:
    """float64 (draws, A): the measure for one filter, from the pictures in the order of their responses (N,)."""
    order = np.argsort(responses, kind="stable")
    values, shown, codes = responses[order], shown[order].astype(np.float64), codes[order]
    gaps = np.diff(values)
    # A run of equal responses is one step of the distribution functions: first and last picture of each.
    last = np.flatnonzero(np.append(gaps > 0, True))
    run = np.concatenate(([0], np.cumsum(gaps > 0)))
    first = np.concatenate(([0], last[:-1] + 1))
    at_once = max(1, _NUMBERS_AT_ONCE // len(values))
    found = np.empty((len(weights), shown.shape[1]))
    for start in range(0, len(weights), at_once):
        counts = weights[start : start + at_once, codes]
        upto = counts.cumsum(axis=1)
        part = slice(start, start + len(counts))
        with np.errstate(invalid="ignore", divide="ignore"):
            if measure == "auroc":
                below = upto[:, first] - counts[:, first]
                ranks = ((below + upto[:, last]) / 2)[:, run]
                found[part] = _area(counts, ranks, shown)
            else:
                for a, column in enumerate(shown.T):
                    apart = _apart(counts, upto, column)
                    found[part, a] = apart[:, last].max(axis=1) if measure == "ks" else apart[:, :-1] @ gaps
    return found


def _area(counts: np.ndarray, ranks: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(draws, A): 2 · AUROC − 1 by the ranks (draws, N) from 0, equal responses sharing the middle one (Mann and Whitney 1947)."""
    present = counts @ shown
    absent = counts.sum(axis=1, keepdims=True) - present
    # Among themselves the pictures that show the AU win half of all their pairs.
    wins = (counts * ranks) @ shown - present**2 / 2
    return 2 * wins / (present * absent) - 1


def _apart(counts: np.ndarray, upto: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(draws, N): distance of the distribution functions of pictures with and without the AU after each picture."""
    present = (counts * shown).cumsum(axis=1)
    own, other = present[:, -1:].copy(), upto[:, -1:] - present[:, -1:]
    # F₁ − F₀ with F₀ from what is not present: one running sum less.
    present *= 1 / own + 1 / other
    present -= upto / other
    return np.abs(present, out=present)


def _bounds(estimate: np.ndarray, drawn: np.ndarray, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound (K, A) from the statistic in each resample, ``drawn`` (draws, K, A)."""
    tail = (1 - CONFIDENCE) / 2
    quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
    low, high = quantile(drawn, (tail, 1 - tail), axis=0).astype(np.float64)
    if measure not in SIGNED:
        low, high = np.maximum(2 * estimate - high, 0), np.maximum(2 * estimate - low, 0)
    return np.minimum(low, estimate), np.maximum(high, estimate)
