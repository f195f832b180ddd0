"""How strongly a filter's maximal response goes with the presence of an action unit, with intervals: six
measures, for many labellings and weightings of the pictures at once.

Notation as in the papers: m, the maximal response of one filter to a picture, its largest activation anywhere
in the map; pictures that show the AU (present) and pictures that do not (absent). Khorrami, Paine and Huang
2015 compare histograms of m by their Kullback–Leibler divergence; Zhu, Fan and Yuan 2019 take the distance of
the responses without saying which, so the usual ones are here to choose from.

* ``mean_difference``: mean of m where present less its mean where absent, on the scale of m.
* ``smd``: the same over the pooled standard deviation, √((SS₁ + SS₀) / (n₁ + n₀ − 2)), with SS the sums of
  squared deviations from each group's own mean (Cohen's d), which has no scale.
* ``auroc``: 2 · AUROC − 1, in [−1, 1]: how much more often m is larger on a picture with the AU than on one
  without; ties count half.
* ``ks``: Kolmogorov–Smirnov, the largest distance of the two empirical distribution functions, in [0, 1].
* ``wasserstein``: Wasserstein-1, the area between the two distribution functions, on the scale of m.
* ``kl``: KL(present‖absent) in nats of the histograms of m in ``KL_BINS`` equal-width bins over the filter's
  range in all pictures given, with ``PSEUDO_COUNT`` pictures added to every bin of both histograms, so that
  it is finite.

The first three are signed, positive where m is larger with the AU. The others are distances: never below 0,
above 0 by chance alone, the further the fewer pictures show the AU, and as large for a filter that the AU
silences.

Each measure is split into what depends on the responses alone, computed once, and what depends on the labels
and on how often a picture counts. A labelling is a vector of 0 and 1 over the pictures: an action unit, also
under a permutation. A weighting says how often each cluster of pictures counts: a draw of a bootstrap.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import get_args

import numpy as np
import torch

from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence, require_finite
from fer_lib.names import AssociationMeasure
from fer_lib.stats.resampling import bounds, cluster_weights
from ferbook.errors import DataError, require_name

MEASURES: tuple[AssociationMeasure, ...] = get_args(AssociationMeasure)

SIGNED = ("mean_difference", "smd", "auroc")
"""Measures whose sign says in which direction the AU moves the response; the others are distances."""

KL_BINS = 10

PSEUDO_COUNT = 0.5
"""Jeffreys' prior: half a picture in every bin."""

Score = Callable[[torch.Tensor], torch.Tensor]
"""From labellings (L, n) of 0 and 1 to the measure of every weighting, labelling and filter, (D, L, K)."""

EXACT_COUNTS = 2**24
"""Whole numbers up to here are exact in float32, so that sums of them are the same in any order."""

ROWS_AT_ONCE = 256
"""Labellings treated at a time where intermediate arrays are large: they stay near the processor's cache."""

NUMBERS_AT_ONCE = 2**20
"""Numbers in one intermediate array of a weighted statistic: 8 MB."""


def weighted_statistic(
    maxima: np.ndarray,
    present: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
    measure: AssociationMeasure,
) -> np.ndarray:
    """Each measure for many weightings of the same pictures, float64 (draws, K, A).

    ``maxima`` float64 (N, K), finite; ``present`` (N, A): 1, 0 or NaN. Each picture of cluster ``codes`` (N,)
    counts ``weights`` (draws, clusters) times, whole numbers. NaN where no picture counts that shows the AU,
    or none that does not; 0 for a filter that answers alike to all pictures for which the AU was coded.
    """
    values = np.full((len(weights), maxima.shape[1], present.shape[1]), np.nan)
    for columns, rows in coded_together(present):
        if not len(rows):
            continue
        labels = (present[np.ix_(rows, columns)].T == 1).astype(np.float64)
        sample = Sample(codes[rows], weights, torch.float64)
        at_once = max(1, NUMBERS_AT_ONCE // (len(weights) * max(len(rows), KL_BINS * len(columns))))
        for start in range(0, maxima.shape[1], at_once):
            part = slice(start, start + at_once)
            score = scorer(maxima[:, part], rows, measure, sample)
            values[:, part, columns] = score(torch.from_numpy(labels)).permute(0, 2, 1).numpy()
        constant = np.flatnonzero(np.ptp(maxima[rows], axis=0) == 0)
        # Not a number only where the numbers of pictures are not.
        undefined = sum(sample.numbers(torch.from_numpy(labels))).isnan().permute(0, 2, 1).numpy()
        values[(slice(None), *np.ix_(constant, columns))] = np.where(undefined, np.nan, 0)
    return values


class Sample:
    """n pictures in S clusters, ``codes`` (n,), that count ``weights`` (D, S) times, whole numbers; by
    default each once.

    ``counts`` (D, n): how often each picture counts; ``whole`` (D, 1, 1): how many that makes.
    """

    def __init__(
        self,
        codes: np.ndarray,
        weights: np.ndarray | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        weights = np.ones((1, codes.max() + 1)) if weights is None else weights
        self.dtype, self.device = dtype, torch.device(device)
        self.weights = self.tensor(weights)
        self.chosen = self.tensor(codes == np.arange(weights.shape[1])[:, None])
        self.counts = self.tensor(weights[:, codes])
        self.whole = self.counts.sum(1)[:, None, None]

    def tensor(self, values: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.as_tensor(values, dtype=dtype or self.dtype, device=self.device)

    def sums(self, labels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """(D, L, F): ``features`` (n, F) added up over the pictures with label 1 of ``labels`` (L, n)."""
        return (self.weights @ ((labels[:, None] * self.chosen) @ features)).transpose(0, 1)

    def numbers(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Number of pictures with label 1 and with label 0, (D, L, 1) each, NaN instead of 0."""
        present = (self.counts @ labels.T)[..., None]
        return tuple(torch.where(n > 0, n, torch.nan) for n in (present, self.whole - present))


def scorer(maxima: np.ndarray, rows: np.ndarray, measure: AssociationMeasure, sample: Sample) -> Score:
    """The ``measure`` of responses ``maxima`` (N, K), finite, as a function of labellings of the n pictures
    ``rows``, which are those of ``sample``.

    AUROC and KL come from sums of whole numbers, exact in float32 (AUROC in float64 above some 5,800
    pictures); mean differences from sums of standardised responses, in float32 within 1e-5 of their standard
    deviation. In float32 the pooled deviation of ``smd`` is at least a thousandth of the whole one, so that
    it stays finite. Wasserstein and KS are not functions of a fixed number of sums, and some thirty times as
    slow as AUROC. A labelling without any 1, or without any 0, gives NaN. Raises ParameterError for an
    unknown measure.
    """
    require_name("measure", measure, MEASURES)
    maxima = np.asarray(maxima, np.float64)
    if measure in ("wasserstein", "ks"):
        return _cumulated(maxima[rows], measure, sample)
    if measure == "auroc":
        return _auroc(maxima[rows], sample)
    # The bins span the responses to all pictures, also to those for which the unit was not coded.
    score = _kl(bin_codes(maxima)[rows], sample) if measure == "kl" else _means(maxima[rows], measure, sample)
    return lambda labels: torch.cat([score(part) for part in labels.split(ROWS_AT_ONCE)], dim=1)


def _means(maxima: np.ndarray, measure: AssociationMeasure, sample: Sample) -> Score:
    """The difference of the means, as it is or over the pooled standard deviation."""
    # Standardised, or the sum of squares would lose its digits to a large mean.
    spread = maxima.std(axis=0)
    scaled = (maxima - maxima.mean(axis=0)) / np.where(spread > 0, spread, 1)
    features = sample.tensor(np.hstack((scaled, scaled**2)))
    all_sums, squares = sample.sums(torch.ones_like(features[:, :1]).T, features).chunk(2, dim=2)
    least = 1e-6 if sample.dtype == torch.float32 else 0

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = sample.numbers(labels)
        first, second = sample.sums(labels, features).chunk(2, dim=2)
        means = first / present, (all_sums - first) / absent
        difference = means[0] - means[1]
        if measure == "mean_difference":
            return difference * sample.tensor(spread)
        within = second - present * means[0] ** 2 + (squares - second) - absent * means[1] ** 2
        # What is left of groups that are constant, or alike, is rounding.
        within = torch.where(within > max(least, 1e-12) * squares, within, least * squares)
        alike = sample.whole * difference**2 <= 1e-12 * squares
        return torch.where(alike, 0, difference / (within / (sample.whole - 2)).sqrt())

    return score


def _kl(bins: np.ndarray, sample: Sample) -> Score:
    """From the bin (n, K) of each response."""
    one_hot = sample.tensor((bins[..., None] == np.arange(KL_BINS)).reshape(len(bins), -1))
    smooth = sample.sums(torch.ones_like(one_hot[:, :1]).T, one_hot) + 2 * PSEUDO_COUNT

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = (number + KL_BINS * PSEUDO_COUNT for number in sample.numbers(labels))
        counts = sample.sums(labels, one_hot).add_(PSEUDO_COUNT)
        # sum p log(p / q), with p = counts / present and q = (smooth - counts) / absent; the p sum to 1.
        terms = (smooth - counts).reciprocal_().mul_(counts).log_().mul_(counts)
        return terms.unflatten(2, (-1, KL_BINS)).sum(3) / present + (absent / present).log()

    return score


def _auroc(maxima: np.ndarray, sample: Sample) -> Score:
    """By the ranks (Mann and Whitney 1947), equal responses sharing the middle one: 2 · AUROC - 1 is the sum
    of 2 · rank - all over the pictures that show the AU, over the number of pairs.
    """
    counts, whole = (values.cpu().numpy().astype(np.float64) for values in (sample.counts, sample.whole))
    centred = np.empty((maxima.shape[1], *counts.shape))
    for responses, own in zip(maxima.T, centred, strict=True):
        order, last, run = _runs(responses)
        upto = counts[:, order].cumsum(axis=1)[:, last]
        below = np.diff(upto, axis=1, prepend=0)
        # Whole numbers: twice the middle of a run, from 0, less the number of pictures.
        own[:, order] = counts[:, order] * (2 * upto - below - whole[:, 0])[:, run]
    dtype = torch.float64 if whole.max() ** 2 / 2 >= EXACT_COUNTS else sample.dtype
    ranks = sample.tensor(centred, dtype).flatten(0, 1)

    def score(labels: torch.Tensor) -> torch.Tensor:
        wins = (labels.to(dtype) @ ranks.T).to(sample.dtype).unflatten(1, centred.shape[:2])
        return wins.permute(2, 0, 1) / torch.mul(*sample.numbers(labels))

    return score


def _cumulated(maxima: np.ndarray, measure: AssociationMeasure, sample: Sample) -> Score:
    """Wasserstein's and Kolmogorov and Smirnov's distances of the two distribution functions, filter by
    filter, on the CPU.
    """
    columns = [(*_runs(responses)[:2], np.diff(np.sort(responses))) for responses in maxima.T]
    largest = float(sample.whole.max())
    whole = torch.int32 if largest**2 / 4 < np.iinfo(np.int32).max else torch.int64
    counts, real = sample.counts.to("cpu", whole), np.dtype(str(sample.dtype).removeprefix("torch."))

    def of_filter(column: tuple[np.ndarray, np.ndarray, np.ndarray], marks: np.ndarray) -> np.ndarray:
        order, last, steps = column
        apart = marks.take(order, axis=1).cumsum(axis=1, dtype=marks.dtype)
        np.abs(apart, out=apart)
        if measure == "wasserstein":
            return apart[:, :-1].astype(real) @ steps.astype(real)
        # Equal responses are one step of the distribution functions, which counts after the last of them.
        return apart.take(last, axis=1).max(axis=1).astype(real)

    def score(labels: torch.Tensor) -> torch.Tensor:
        parts = []
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for part in labels.to("cpu", whole).split(ROWS_AT_ONCE):
                distances = []
                for own in counts[:, None].split(max(1, ROWS_AT_ONCE // len(part))):
                    # n1 n0 (F1 - F0) after some of n pictures is n c - i n1, with i of them so far and c of
                    # these present: whole numbers, summed one by one.
                    all_of, present = (weights.sum(2, keepdim=True) for weights in (own, own * part))
                    marks = (own * (part * all_of - present)).to(whole).flatten(0, 1).numpy()
                    values = np.stack(list(pool.map(of_filter, columns, repeat(marks))), axis=1)
                    distances.append(values.reshape(len(own), len(part), -1))
                parts.append(np.concatenate(distances))
        return sample.tensor(np.concatenate(parts, axis=1)) / torch.mul(*sample.numbers(labels))

    return score


def _runs(responses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pictures in the order of their ``responses`` (n,); of each run of equal ones the last place in that
    order; and for each place its run.
    """
    order = np.argsort(responses, kind="stable")
    ends = np.append(np.diff(responses[order]) > 0, True)
    return order, np.flatnonzero(ends), np.cumsum(ends) - ends


def bin_codes(maxima: np.ndarray, bins: int = KL_BINS) -> np.ndarray:
    """int64 (N, K): the equal-width bin, from 0, of each response within its filter's range; 0 for a constant
    filter.
    """
    maxima = np.asarray(maxima, np.float64)
    edges = np.linspace(maxima.min(axis=0), maxima.max(axis=0), bins + 1)
    inner = [np.searchsorted(edges[1:-1, k], maxima[:, k], side="right") for k in range(maxima.shape[1])]
    return np.where(np.ptp(maxima, axis=0) > 0, np.stack(inner, axis=1), 0)


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


DRAWS_AT_ONCE = 1000
"""Resamples whose results (draws × filters × AUs) are held in double precision at a time."""


@dataclass(frozen=True)
class Association:
    """Association of K filters with A action units by one ``measure``, each with its interval.

    ``estimate``, ``low``, ``high`` float64 (K, A): NaN for the AUs in ``too_few``. ``dead`` bool (K,):
    filters that answer to all pictures alike (behind a ReLU, they never fire), whose association is 0.
    """

    measure: AssociationMeasure
    aus: tuple[str, ...]
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    too_few: tuple[str, ...]
    dead: np.ndarray


def statistic(maxima: np.ndarray, present: np.ndarray, measure: AssociationMeasure) -> np.ndarray:
    """Association float64 (K, A) of each filter with each AU, without interval.

    ``maxima`` (N, K): maximal responses; ``present`` (N, A): 1 shown, 0 not shown, NaN not coded: each AU is
    judged on the pictures for which it was coded. ``measure``: one of ``MEASURES``. NaN where no coded
    picture shows the AU, or all do; 0 for a filter that answers to all pictures alike.

    Raises DataError where a response is not finite (it names filter and picture).
    """
    maxima, present = _checked(maxima, present)
    one_cluster = np.zeros(len(maxima), np.int64)
    return weighted_statistic(maxima, present, one_cluster, np.ones((1, 1)), measure)[0]


def associate(
    maxima: np.ndarray,
    presence: Presence,
    measure: AssociationMeasure = "auroc",
    *,
    draws: int = 1000,
    seed: int = 0,
    min_subjects: int = FEWEST_SUBJECTS,
) -> Association:
    """Association of every filter with every AU, with 95 % intervals from a bootstrap that draws whole
    subjects.

    ``maxima`` (N, K): maximal responses of rectified maps; ``measure``: one of ``MEASURES``. AUs that fewer
    than ``min_subjects`` subjects show, or are seen without, are not scored: they are named in ``too_few``.

    The intervals are those of ``stats.resampling.bounds``, with the number of clusters taken as the smaller
    of the subjects who show the AU and those seen without it; those of distances are reflected. Ranks,
    histograms and distribution functions are computed anew in each resample; bins stay. The
    intervals hold the truth about as often as they say for signed measures, less often for distances near 0
    (``tests/fer_lib/aus/test_nulls_simulated.py``).

    ``mean_difference``, ``smd`` and ``kl`` are products of matrices and, as ``auroc``, take seconds for
    hundreds of filters; ``ks`` and ``wasserstein`` have to follow the distribution functions of every
    resample, filter and AU, and take about ten times as long as ``auroc``.

    Raises the errors of ``statistic``; DataError for fewer than two subjects or where every AU has too few.
    """
    maxima, present = _checked(maxima, presence.present)
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    if len(subjects) < 2:
        raise DataError(
            f"{len(subjects)} subject on {len(maxima)} pictures; an interval needs at least 2 and better "
            "30: add pictures of other people"
        )
    coding = presence.scored(min_subjects)
    columns = np.flatnonzero(np.isin(presence.aus, coding.aus))
    present = present[:, columns]
    dead = np.ptp(maxima, axis=0) == 0
    whole = np.ones((1, len(subjects)))
    estimate = weighted_statistic(maxima, present, codes, whole, measure)[0]
    replicates = np.concatenate(
        [
            weighted_statistic(maxima, present, codes, part, measure).astype(np.float32)
            for weights in cluster_weights(len(subjects), draws, seed)
            for part in np.split(
                weights.astype(np.float32), range(DRAWS_AT_ONCE, len(weights), DRAWS_AT_ONCE)
            )
        ]
    )
    low, high = bounds(replicates, coding.fewest_subjects, estimate, reflected=measure not in SIGNED)
    # A filter whose draws are all the same (a dead one) has its value for an interval.
    low, high = (np.where(np.isnan(bound), estimate, bound) for bound in (low, high))

    def among_all(values: np.ndarray) -> np.ndarray:
        spread = np.full((len(values), len(presence.aus)), np.nan)
        spread[:, columns] = values
        return spread

    return Association(
        measure,
        presence.aus,
        among_all(estimate),
        among_all(low),
        among_all(high),
        presence.too_few(min_subjects),
        dead,
    )


def _checked(maxima: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``maxima`` as float64 and ``present`` as float32, or one of the errors of ``statistic``."""
    maxima, present = np.asarray(maxima, np.float64), np.asarray(present, np.float32)
    require_finite(maxima)
    return maxima, present
