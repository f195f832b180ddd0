"""Six measures of how much a response goes with a label: their definitions, and their values for many
weightings of the pictures at once.

Notation as in the papers: m, the maximal response of one filter to a picture, its largest activation anywhere
in the map; pictures that show the AU (present) and pictures that do not (absent). Khorrami, Paine and Huang
2015 compare histograms of m by their Kullback–Leibler divergence; Zhu, Fan and Yuan 2019 take the distance of
the responses without saying which, so the usual ones are here to choose from.

* ``mean_difference``: mean of m where present less its mean where absent, in units of m.
* ``smd``: the same over the pooled standard deviation, √((SS₁ + SS₀) / (n₁ + n₀ − 2)), with SS the sums of
  squared deviations from each group's own mean (Cohen's d); without a unit.
* ``auroc``: 2 · AUROC − 1, in [−1, 1]: how much more often m is larger on a picture with the AU than on one
  without; ties count half.
* ``ks``: Kolmogorov–Smirnov, the largest distance of the two empirical distribution functions, in [0, 1].
* ``wasserstein``: Wasserstein-1, the area between the two distribution functions, in units of m.
* ``kl``: KL(present‖absent) in nats of the histograms of m in ``BINS`` equal-width bins over the filter's
  range in all pictures given, with ``PSEUDO_COUNT`` pictures added to every bin of both histograms, so that
  it is finite.

The first three are signed, positive where m is larger with the AU. The others are distances: never below 0,
above 0 by chance alone, the further the fewer pictures show the AU, and as large for a filter that the AU
silences.


The six measures for very many labellings of the same pictures: one matrix product where the measure allows
it.

``aus.measures`` defines the measures; here each is split into what depends on the responses alone, computed
once, and what depends on the labels. A labelling is a vector of 0 and 1 over the pictures: an action unit
under one permutation.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Literal, get_args

import numpy as np
import torch
from scipy.stats import rankdata

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


def weighted_statistic(
    maxima: np.ndarray, present: np.ndarray, codes: np.ndarray, weights: np.ndarray, measure: Measure
) -> np.ndarray:
    """Each measure for many weightings of the same pictures, float64 (draws, K, A).

    ``maxima`` float64 (N, K), finite; ``present`` (N, A): 1, 0 or NaN. Each picture of cluster ``codes`` (N,)
    counts ``weights`` (draws, clusters) times, whole numbers; float32 is exact for them and twice as fast for
    measures of order. NaN where no picture counts that shows the AU, or none that does not; 0 for a filter
    that answers alike to all pictures for which the AU was coded.
    """
    found = np.full((len(weights), maxima.shape[1], present.shape[1]), np.nan)
    # Bins and scales come from all pictures, also those for which an AU was not coded.
    features = None if measure in _ORDERED else _features(maxima, measure)
    clusters = weights.shape[1]
    for columns, rows in coded_together(present):
        if not len(rows):
            continue
        shown = present[np.ix_(rows, columns)] == 1
        constant = np.ptp(maxima[rows], axis=0) == 0
        if measure in _ORDERED:
            for k in np.flatnonzero(~constant):
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
    """float64 (draws, K): the measure for one AU, from sums over the pictures that show it, and over the
    others.
    """
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
    """(draws, K): the difference of the means, of two groups' ``sums`` (draws, K, F) over ``numbers`` (draws,
    1) of pictures.
    """
    means = [given[..., 0] / n for given, n in zip(sums, numbers, strict=True)]
    difference = means[0] - means[1]
    if measure == "mean_difference":
        return difference
    squares = sum(given[..., 1] for given in sums)
    within = squares - sum(n * mean**2 for n, mean in zip(numbers, means, strict=True))
    # What is left of groups that are constant, or alike, is rounding.
    within = np.where(within > 1e-12 * squares, within, 0)
    alike = sum(numbers) * difference**2 <= 1e-12 * squares
    return np.where(alike, 0, difference / np.sqrt(within / (sum(numbers) - 2)))


def _ordered(
    responses: np.ndarray, shown: np.ndarray, codes: np.ndarray, weights: np.ndarray, measure: str
) -> np.ndarray:
    """float64 (draws, A): the measure for one filter, from the pictures in the order of their responses (N,)."""
    order = np.argsort(responses, kind="stable")
    values, shown, codes = responses[order], shown[order].astype(weights.dtype), codes[order]
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
    """(draws, A): 2 · AUROC − 1 by the ranks (draws, N) from 0, equal responses sharing the middle one (Mann
    and Whitney 1947).
    """
    present = counts @ shown
    absent = counts.sum(axis=1, keepdims=True) - present
    # Among themselves the pictures that show the AU win half of all their pairs.
    wins = (counts * ranks) @ shown - present**2 / 2
    return 2 * wins / (present * absent) - 1


def _apart(counts: np.ndarray, upto: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(draws, N): distance of the distribution functions of pictures with and without the AU after each
    picture.
    """
    present = (counts * shown).cumsum(axis=1)
    own, other = present[:, -1:].copy(), upto[:, -1:] - present[:, -1:]
    # F₁ − F₀ with F₀ from what is not present: one running sum less.
    present *= 1 / own + 1 / other
    present -= upto / other
    return np.abs(present, out=present)


def bin_codes(maxima: np.ndarray, bins: int = BINS) -> np.ndarray:
    """int64 (N, K): the equal-width bin, from 0, of each response within its filter's range; 0 for a constant
    filter.
    """
    maxima = np.asarray(maxima, np.float64)
    edges = np.linspace(maxima.min(axis=0), maxima.max(axis=0), bins + 1)
    inner = [np.searchsorted(edges[1:-1, k], maxima[:, k], side="right") for k in range(maxima.shape[1])]
    return np.where(np.ptp(maxima, axis=0) > 0, np.stack(inner, axis=1), 0)


def divergence(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """KL(present‖absent) in nats of histograms of counts (…, bins), smoothed by ``PSEUDO_COUNT`` per bin."""
    p, q = smoothed(present), smoothed(absent)
    return (p * np.log(p / q)).sum(axis=-1)


def coded_together(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The AUs that were coded for the same pictures: (columns, rows) indices into ``present`` (N, A), for
    each such group.
    """
    coded = ~np.isnan(present)
    groups: dict[bytes, list[int]] = {}
    for column, rows in enumerate(coded.T):
        groups.setdefault(rows.tobytes(), []).append(column)
    for columns in groups.values():
        yield np.array(columns), np.flatnonzero(coded[:, columns[0]])


def smoothed(counts: np.ndarray) -> np.ndarray:
    """Shares of counts (…, bins) after ``PSEUDO_COUNT`` pictures were added to every bin."""
    counts = counts + PSEUDO_COUNT
    return counts / counts.sum(axis=-1, keepdims=True)


Score = Callable[[torch.Tensor], torch.Tensor]
"""From labellings float32 (L, n) of 0 and 1 to the measure of every labelling and filter, float32 (L, K)."""

EXACT_COUNTS = 2**24
"""Whole numbers up to here are exact in float32, so that sums of them are the same in any order."""

LABELLINGS = 256
"""Labellings treated at a time where intermediate arrays are large: they stay near the processor's cache."""


def scorer(maxima: np.ndarray, rows: np.ndarray, measure: Measure, device: torch.device) -> Score:
    """The ``measure`` of responses ``maxima`` (N, K), finite, as a function of labellings of the n pictures
    ``rows``.

    AUROC and KL come from sums of whole numbers, exact in float32 (AUROC in float64 above some 5,800
    pictures); mean differences from sums of standardised responses, within 1e-5 of their standard deviation.
    The pooled deviation of ``smd`` is at least a thousandth of the whole one, so that it stays finite.
    Wasserstein and KS are not functions of a fixed number of sums, and some thirty times as slow as AUROC. A
    labelling without any 1, or without any 0, gives NaN.
    """
    maxima = np.asarray(maxima, np.float64)
    if measure == "kl":
        # The bins span the responses to all pictures, also to those for which the unit was not coded.
        return _kl(bin_codes(maxima)[rows], device)
    return _SCORERS[measure](maxima[rows], device)


def _counts(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Number of pictures with label 1 and with label 0, (L, 1) each, NaN instead of 0."""
    present = labels.sum(1, keepdim=True)
    absent = labels.shape[1] - present
    return tuple(torch.where(n > 0, n, torch.nan) for n in (present, absent))


def _standardised(maxima: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Responses with mean 0 and sd 1 over the pictures, and the sd (K,): float32 sums lose little of such
    numbers.
    """
    spread = maxima.std(0)
    return (maxima - maxima.mean(0)) / np.where(spread > 0, spread, 1), spread


def _mean_difference(maxima: np.ndarray, device: torch.device) -> Score:
    scaled, spread = _standardised(maxima)
    features = torch.tensor(scaled, dtype=torch.float32, device=device)
    spread = torch.tensor(spread, dtype=torch.float32, device=device)

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = _counts(labels)
        # The sum over all pictures is 0, so that over the absent ones is minus that over the present ones.
        return labels @ features * (1 / present + 1 / absent) * spread

    return score


def _standardised_mean_difference(maxima: np.ndarray, device: torch.device) -> Score:
    scaled, _ = _standardised(maxima)
    features = torch.tensor(np.hstack((scaled, scaled**2)), dtype=torch.float32, device=device)
    squares = torch.tensor((scaled**2).sum(0), dtype=torch.float32, device=device)
    least = 1e-6 * squares

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = _counts(labels)
        first, second = (labels @ features).chunk(2, dim=1)
        within = second - first**2 / present + (squares - second) - first**2 / absent
        pooled = (torch.maximum(within, least) / (present + absent - 2)).sqrt()
        difference = first * (1 / present + 1 / absent)
        return torch.where(least > 0, difference / pooled, 0 * difference)

    return score


def _auroc(maxima: np.ndarray, device: torch.device) -> Score:
    n = len(maxima)
    # Whole numbers, since ranks of ties are halves; their sum over all pictures is 0.
    centred = 2 * rankdata(maxima, axis=0) - (n + 1)
    dtype = torch.float32 if n * n / 2 < EXACT_COUNTS else torch.float64
    features = torch.tensor(centred, dtype=dtype, device=device)

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = _counts(labels)
        return (labels.to(dtype) @ features).float() / (present * absent)

    return score


def _cumulated(maxima: np.ndarray, measure: Measure, device: torch.device) -> Score:
    """Wasserstein's and Kolmogorov and Smirnov's distances of the two distribution functions, filter by
    filter, on the CPU.
    """
    order = np.argsort(maxima, axis=0, kind="stable")
    steps = np.diff(np.take_along_axis(maxima, order, axis=0), axis=0)
    n = len(maxima)
    whole = np.int32 if n * n / 4 < np.iinfo(np.int32).max else np.int64

    def of_filter(k: int, marks: np.ndarray) -> np.ndarray:
        gaps = marks.take(order[:, k], axis=1).cumsum(axis=1, dtype=whole)[:, :-1]
        np.abs(gaps, out=gaps)
        if measure == "wasserstein":
            return gaps.astype(np.float32) @ steps[:, k].astype(np.float32)
        # Equal responses are one step of the distribution functions, which counts after the last of them.
        ends = np.flatnonzero(steps[:, k] > 0)
        return (gaps if len(ends) == n - 1 else gaps.take(ends, axis=1)).max(axis=1, initial=0)

    def score(labels: torch.Tensor) -> torch.Tensor:
        products = torch.mul(*_counts(labels)).cpu().numpy()
        # n1 n0 (F1 - F0) after i of n pictures is n c - i n1 with c of them present: whole numbers, summed
        # one by one.
        marks = (labels * n - labels.sum(1, keepdim=True)).cpu().numpy().astype(whole)
        found = np.empty((len(labels), len(steps.T)), np.float32)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for start in range(0, len(labels), LABELLINGS):
                part = marks[start : start + LABELLINGS]
                columns = pool.map(of_filter, range(found.shape[1]), repeat(part))
                found[start : start + len(part)] = np.stack(list(columns), axis=1)
        return torch.from_numpy(found / products).to(device)

    return score


def _kl(bins: np.ndarray, device: torch.device) -> Score:
    one_hot = (
        torch.nn.functional.one_hot(torch.tensor(bins, device=device), BINS).flatten(1).to(torch.float32)
    )
    smoothed = one_hot.sum(0) + 2 * PSEUDO_COUNT

    def score(labels: torch.Tensor) -> torch.Tensor:
        scores = []
        for part in labels.split(LABELLINGS):
            present, absent = (n + BINS * PSEUDO_COUNT for n in _counts(part))
            counts = (part @ one_hot).add_(PSEUDO_COUNT)
            # sum p log(p / q), with p = counts / present and q = (smoothed - counts) / absent; the p sum to
            # 1.
            terms = (smoothed - counts).reciprocal_().mul_(counts).log_().mul_(counts)
            sums = terms.unflatten(1, (-1, BINS)).sum(2)
            scores.append(sums / present + (absent / present).log())
        return torch.cat(scores)

    return score


_SCORERS: dict[str, Callable[[np.ndarray, torch.device], Score]] = {
    "mean_difference": _mean_difference,
    "smd": _standardised_mean_difference,
    "wasserstein": lambda maxima, device: _cumulated(maxima, "wasserstein", device),
    "ks": lambda maxima, device: _cumulated(maxima, "ks", device),
    "auroc": _auroc,
}
