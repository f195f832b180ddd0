"""How strongly a filter's maximal response is associated with the presence of an action unit: three measures,
for many labellings of the pictures at once.

Notation as in the papers: m, the maximal response of one filter to a picture, its largest activation anywhere
in the map; pictures that show the AU (present) and pictures that do not (absent). Khorrami, Paine and Huang
2015 compare histograms of m by their Kullback–Leibler divergence; Zhu, Fan and Yuan 2019 take the distance of
the responses without a definition, so the usual ones can be chosen here.

* ``mean_difference``: mean of m where present minus its mean where absent, on the scale of m.
* ``auroc``: 2 · AUROC − 1, in [−1, 1]: how much more often m is larger on a picture with the AU than on one
  without; ties count half.
* ``kl``: KL(present‖absent) in nats of the histograms of m in ``KL_BINS`` equal-width bins over the filter's
  range in all pictures given, with ``PSEUDO_COUNT`` pictures added to every bin of both histograms, so that
  it is finite.

The first two are signed, positive where m is larger with the AU. The last is a distance: never below 0, above
0 by chance alone, more so the fewer pictures show the AU, and equally large for a filter that the AU
silences.

Each measure is split into what depends on the responses alone, computed once, and what depends on the labels.
A labelling is a vector of 0 and 1 over the pictures: an action unit, also after a permutation.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

import numpy as np
import torch
from scipy.stats import rankdata

from fer_lib.aus.presence import require_finite
from fer_lib.names import AssociationMeasure
from ferbook.errors import require_name

MEASURES: tuple[AssociationMeasure, ...] = get_args(AssociationMeasure)

KL_BINS = 10

# Jeffreys' prior: half a picture in every bin.
PSEUDO_COUNT = 0.5

# From labellings (L, n) of 0 and 1 to the measure of every labelling and filter, (L, K).
Score = Callable[[torch.Tensor], torch.Tensor]

# Whole numbers up to this one are exact in float32, so that their sums do not depend on the order.
EXACT_COUNTS = 2**24

# Labellings processed at a time where intermediate arrays are large: these fit in the processor's cache.
ROWS_AT_ONCE = 256

# Numbers in one intermediate array of ``statistic``: 8 MB.
NUMBERS_AT_ONCE = 2**20


def statistic(maxima: np.ndarray, present: np.ndarray, measure: AssociationMeasure) -> np.ndarray:
    """Compute the association of each filter with each AU.

    Parameters
    ----------
    maxima : (N, K) array
        Maximal responses of K filters to N pictures.
    present : (N, A) array
        1 shown, 0 not shown, NaN not coded: each AU is measured on the pictures for which it was coded.
    measure : str
        One of ``MEASURES``.

    Returns
    -------
    (K, A) float64 array
        NaN where no coded picture shows the AU, or all do; 0 for a filter with the same response to all
        pictures.

    Raises
    ------
    DataError
        A response is not finite; names filter and picture.
    """
    maxima, present = np.asarray(maxima, np.float64), np.asarray(present, np.float32)
    require_finite(maxima)
    values = np.full((maxima.shape[1], present.shape[1]), np.nan)
    for columns, rows in coded_together(present):
        if not len(rows):
            continue
        shown = present[np.ix_(rows, columns)] == 1
        labels = torch.from_numpy(shown.T.astype(np.float64))
        at_once = max(1, NUMBERS_AT_ONCE // max(len(rows), KL_BINS * len(columns)))
        for start in range(0, maxima.shape[1], at_once):
            part = slice(start, start + at_once)
            score = scorer(maxima[:, part], rows, measure, dtype=torch.float64)
            values[part, columns] = score(labels).T.numpy()
        constant = np.flatnonzero(np.ptp(maxima[rows], axis=0) == 0)
        told = shown.any(axis=0) & ~shown.all(axis=0)
        values[np.ix_(constant, columns)] = np.where(told, 0, np.nan)
    return values


def scorer(
    maxima: np.ndarray,
    rows: np.ndarray,
    measure: AssociationMeasure,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Score:
    """Return the ``measure`` as a function of labellings of the pictures ``rows``.

    AUROC and KL come from sums of whole numbers, exact in float32 (AUROC in float64 above some 5,800
    pictures); mean differences from sums of standardised responses, in float32 within 1e-5 of their standard
    deviation. A labelling without any 1, or without any 0, gives NaN.

    Parameters
    ----------
    maxima : (N, K) array
        Finite responses.
    rows : (n,) int array
    measure : str
    dtype, device
        Of the computation.

    Raises
    ------
    ParameterError
        For an unknown measure.
    """
    require_name("measure", measure, MEASURES)
    maxima, tensor = np.asarray(maxima, np.float64), partial(torch.as_tensor, dtype=dtype, device=device)
    if measure == "auroc":
        return _auroc(maxima[rows], tensor)
    # The bins span the responses to all pictures, also to those for which the unit was not coded.
    score = _kl(bin_codes(maxima)[rows], tensor) if measure == "kl" else _means(maxima[rows], tensor)
    return lambda labels: torch.cat([score(part) for part in labels.split(ROWS_AT_ONCE)])


def _numbers(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Count the pictures with label 1 and with label 0, (L, 1) each, NaN instead of 0."""
    present = labels.sum(1, keepdim=True)
    return tuple(torch.where(n > 0, n, torch.nan) for n in (present, labels.shape[1] - present))


def _means(maxima: np.ndarray, tensor: Callable[..., torch.Tensor]) -> Score:
    # Standardised, or the sums would lose their digits to a large mean.
    spread = maxima.std(axis=0)
    scaled = tensor((maxima - maxima.mean(axis=0)) / np.where(spread > 0, spread, 1))
    whole = torch.ones_like(scaled[:, :1]).T @ scaled

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = _numbers(labels)
        first = labels @ scaled
        return (first / present - (whole - first) / absent) * tensor(spread)

    return score


def _kl(bins: np.ndarray, tensor: Callable[..., torch.Tensor]) -> Score:
    """From the bin (n, K) of each response."""
    one_hot = tensor((bins[..., None] == np.arange(KL_BINS)).reshape(len(bins), -1))
    smooth = one_hot.sum(0) + 2 * PSEUDO_COUNT

    def score(labels: torch.Tensor) -> torch.Tensor:
        present, absent = (number + KL_BINS * PSEUDO_COUNT for number in _numbers(labels))
        counts = (labels @ one_hot).add_(PSEUDO_COUNT)
        # sum p log(p / q), with p = counts / present and q = (smooth - counts) / absent; the p sum to 1.
        terms = (smooth - counts).reciprocal_().mul_(counts).log_().mul_(counts)
        return terms.unflatten(1, (-1, KL_BINS)).sum(2) / present + (absent / present).log()

    return score


def _auroc(maxima: np.ndarray, tensor: Callable[..., torch.Tensor]) -> Score:
    """By the ranks (Mann and Whitney 1947), equal responses with the middle one: 2 · AUROC − 1 is the sum of
    2 · rank − all over the pictures that show the AU, over the number of pairs.
    """
    exact = {"dtype": torch.float64} if len(maxima) ** 2 / 2 >= EXACT_COUNTS else {}
    # Whole numbers: twice the middle rank, which begins at 1, minus the number of pictures and 1.
    ranks = tensor(2 * rankdata(maxima, axis=0) - (len(maxima) + 1), **exact)

    def score(labels: torch.Tensor) -> torch.Tensor:
        return (labels.to(ranks.dtype) @ ranks).to(labels.dtype) / torch.mul(*_numbers(labels))

    return score


def bin_codes(maxima: np.ndarray, bins: int = KL_BINS) -> np.ndarray:
    """Return the equal-width bin, from 0, of each response within its filter's range: int64 (N, K); 0 for a
    constant filter.
    """
    maxima = np.asarray(maxima, np.float64)
    edges = np.linspace(maxima.min(axis=0), maxima.max(axis=0), bins + 1)
    inner = [np.searchsorted(edges[1:-1, k], maxima[:, k], side="right") for k in range(maxima.shape[1])]
    return np.where(np.ptp(maxima, axis=0) > 0, np.stack(inner, axis=1), 0)


def coded_together(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the AUs that were coded for the same pictures: indices (columns, rows) of ``present`` (N, A), for
    each such group.
    """
    coded = ~np.isnan(present)
    groups: dict[bytes, list[int]] = {}
    for column, rows in enumerate(coded.T):
        groups.setdefault(rows.tobytes(), []).append(column)
    for columns in groups.values():
        yield np.array(columns), np.flatnonzero(coded[:, columns[0]])
