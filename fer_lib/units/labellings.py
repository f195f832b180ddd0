"""The six measures for very many labellings of the same pictures: one matrix product where the measure allows it.

``units.measures`` defines the measures; here each is split into what depends on the responses alone, computed once, and
what depends on the labels. A labelling is a vector of 0 and 1 over the pictures: an action unit under one permutation.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import torch
from scipy.stats import rankdata

from fer_lib.units.measures import BINS, PSEUDO_COUNT, Measure, bin_codes

Score = Callable[[torch.Tensor], torch.Tensor]
"""From labellings float32 (L, n) of 0 and 1 to the measure of every labelling and filter, float32 (L, K)."""

EXACT_COUNTS = 2**24
"""Whole numbers up to here are exact in float32, so that sums of them are the same in any order."""

LABELLINGS = 256
"""Labellings treated at a time where intermediate arrays are large: they stay near the processor's cache."""


def scorer(maxima: np.ndarray, rows: np.ndarray, measure: Measure, device: torch.device) -> Score:
    """The ``measure`` of responses ``maxima`` (N, K), finite, as a function of labellings of the n pictures ``rows``.

    AUROC and KL come from sums of whole numbers, exact in float32 (AUROC in float64 above some 5,800 pictures); mean differences from sums
    of standardised responses, within 1e-5 of their standard deviation. The pooled deviation of ``smd`` is at least a thousandth
    of the whole one, so that it stays finite. Wasserstein and KS are not functions of a fixed number of sums, and some
    thirty times as slow as AUROC. A labelling without any 1, or without any 0, gives NaN.
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
    """Responses with mean 0 and sd 1 over the pictures, and the sd (K,): float32 sums lose little of such numbers."""
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
    """Wasserstein's and Kolmogorov and Smirnov's distances of the two distribution functions, filter by filter, on the CPU."""
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
        # n1 n0 (F1 - F0) after i of n pictures is n c - i n1 with c of them present: whole numbers, summed one by one.
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
            # sum p log(p / q), with p = counts / present and q = (smoothed - counts) / absent; the p sum to 1.
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
