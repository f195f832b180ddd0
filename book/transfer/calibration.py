"""Calibration: whether a network that says 70 % is right in 70 % of such cases, and how far its probabilities
are from the truth.

The **expected calibration error** sorts pictures into bins by their confidence, the highest class
probability, and takes the mean distance between confidence and accuracy over the bins, weighed by their
pictures (Guo et al. 2017, arXiv 1706.04599, eq. 3). Bins are equally wide, or hold equally many pictures. The
**Brier score** is the mean squared distance between the probabilities and the truth, summed over classes
(Brier 1950): 0 to 2. The **negative log-likelihood** is the mean of −ln p, in nats. Both are proper scores:
in the mean nothing beats the true probabilities. The truth is a picture's label, or the shares of a crowd's
votes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from fer_lib.stats.resampling import SAME, bounds, cluster_sums, interval, ratio, resampled_sums
from ferbook.estimate import Estimate, Unit

BINS = 10

SMALLEST = 1e-12
"""Probabilities below this count as this in a logarithm: one impossible answer would make the mean infinite.
"""

Binning = Literal["width", "mass"]
"""``width``: bins equally wide between 0 and 1; ``mass``: bins of equally many pictures."""


@dataclass(frozen=True)
class Summed:
    """A measure as sums over pictures: ``parts`` (N, …) are added up, and ``of`` maps totals (draws, …) to
    values (draws,) with ``unit``.
    """

    parts: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    unit: Unit = ""

    @property
    def value(self) -> float:
        """The measure over all pictures."""
        return float(self.of(self.parts.sum(axis=0)[None])[0])


def mean_of(values: np.ndarray, unit: Unit = "") -> Summed:
    """The mean of ``values`` (N,)."""
    return Summed(np.stack([values, np.ones(len(values))], axis=1), ratio, unit)


def bin_edges(confidence: np.ndarray, bins: int = BINS, binning: Binning = "width") -> np.ndarray:
    """float64 (B + 1,) ascending: edges of at most ``bins`` bins of ``confidence`` (N,); a value on an edge
    is in the bin below it.

    With ``mass`` the edges are quantiles, and bins between equal quantiles are dropped, so B may be smaller
    than ``bins``.
    """
    even = np.linspace(0, 1, bins + 1)
    if binning == "width":
        return even
    inner = np.unique(np.quantile(confidence, even[1:-1]))
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def _bin_of(confidence: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """int64 (N,): each value's bin; one of 0 is in the first."""
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)


def calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, binning: Binning = "width"
) -> Summed:
    """The expected calibration error of ``probabilities`` (N, C) for true classes ``labels`` (N,), a share.

    The bins are those of all pictures, also in a bootstrap's draws.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = bin_edges(confidence, bins, binning)
    member = np.eye(len(edges) - 1)[_bin_of(confidence, edges)]
    parts = np.stack([member * (right - confidence)[:, None], member], axis=-1)

    def error(totals: np.ndarray) -> np.ndarray:
        return np.abs(totals[..., 0]).sum(axis=-1) / totals[..., 1].sum(axis=-1)

    return Summed(parts, error, "share")


def brier_score(probabilities: np.ndarray, truth: np.ndarray) -> Summed:
    """The Brier score of ``probabilities`` (N, C) for the shares ``truth`` (N, C)."""
    return mean_of(((probabilities - truth) ** 2).sum(axis=1))


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> Summed:
    """The negative log-likelihood, in nats, of the shares ``truth`` (N, C); probabilities (N, C) count as
    ``SMALLEST`` at least.
    """
    return mean_of(-(truth * np.log(np.maximum(probabilities, SMALLEST))).sum(axis=1))


def calibration_scores(
    probabilities: np.ndarray, labels: np.ndarray, shares: np.ndarray
) -> dict[str, Summed]:
    """All measures of ``probabilities`` (N, C) by name.

    ``accuracy``, the share of pictures whose most probable class is their label (N,); ``calibration_error``
    (bins of equal width) and ``calibration_error_mass`` (of equal mass); ``brier`` and ``log_loss`` against
    the labels; ``brier_votes`` and ``log_loss_votes`` against the crowd's ``shares`` (N, C).
    """
    probabilities, shares = probabilities.astype(np.float64), shares.astype(np.float64)
    truth = np.eye(probabilities.shape[1])[labels]
    return {
        "accuracy": mean_of(probabilities.argmax(axis=1) == labels, "share"),
        "calibration_error": calibration_error(probabilities, labels),
        "calibration_error_mass": calibration_error(probabilities, labels, binning="mass"),
        "brier": brier_score(probabilities, truth),
        "log_loss": log_loss(probabilities, truth),
        "brier_votes": brier_score(probabilities, shares),
        "log_loss_votes": log_loss(probabilities, shares),
    }


@dataclass(frozen=True)
class Luck:
    """How much one training's score varies with its seed: the standard deviation ``spread``, known with
    ``freedom`` degrees of freedom; of single trainings nothing is known.
    """

    spread: float = 0.0
    freedom: int = 0


def luck_of(groups: Iterable[Sequence[Summed]]) -> Luck:
    """The luck of the seeds, pooled over ``groups`` of trainings that differ in nothing else."""
    values = [np.array([score.value for score in scores]) for scores in groups]
    freedom = sum(len(own) - 1 for own in values)
    squares = sum(((own - own.mean()) ** 2).sum() for own in values)
    return Luck(math.sqrt(squares / freedom), freedom) if freedom else Luck()


def score_metric(
    scores: Sequence[Summed],
    clusters: np.ndarray,
    against: Sequence[Summed] = (),
    *,
    luck: Luck,
    draws: int = 2000,
    seed: int = 0,
    tolerance: float = 0.0,
) -> Estimate:
    """The mean of one measure over trainings, less the mean ``against`` other trainings if given, with a 95 %
    interval over draws of clusters.

    ``scores``: one per training, all of the same N pictures; ``clusters`` (N,): codes or names, equal for
    pictures that are not independent. A difference is paired by the same draws, and keeps the measure's
    scale: of shares it is a share, not points.

    A calibration error is a mean of distances, which chance lengthens, and a draw has that luck twice. So
    what the draws exceed the value by in the mean is subtracted from them; an interval that would not hold
    its value is widened. The seeds of the trainings are covered, as in ``stats.contrasts``, by a deviate of
    Student's t times the standard error that their ``luck`` gives, where that is known.
    """
    terms = [(1 / len(scores), score) for score in scores]
    terms += [(-1 / len(against), score) for score in against]
    value = sum(weight * score.value for weight, score in terms)
    unit: Unit = "" if against else scores[0].unit
    sums = [cluster_sums(score.parts, clusters) for _, score in terms]
    drawn = sum(
        weight * score.of(resampled_sums(own, draws, seed))
        for (weight, score), own in zip(terms, sums, strict=True)
    )
    covers = ", their mean excess subtracted"
    # Where people make no difference, the seeds alone are no interval.
    if np.ptp(drawn) >= SAME:
        drawn = drawn - (drawn.mean() - value)
        if luck.freedom:
            error = luck.spread * math.sqrt(sum(weight**2 for weight, _ in terms))
            drawn = drawn + error * np.random.default_rng(seed).standard_t(luck.freedom, size=draws)
            covers += f", and of the seeds (pooled, {luck.freedom} degrees of freedom)"
        else:
            covers += "; the seeds are not covered"
        drawn = drawn.clip(0, 1) if unit == "share" else drawn
    settings = {"n": len(clusters), "unit": unit, "tolerance": tolerance}
    return interval(value, drawn, len(sums[0]), of="clusters", besides=covers, **settings)


def calibration_metrics(
    probabilities: np.ndarray,
    learned: Sequence[str],
    labels: np.ndarray,
    clusters: np.ndarray,
    shares: np.ndarray,
    **settings: float,
) -> dict[str, Estimate]:
    """``<learned>_<measure>`` for each measure of ``calibration_scores``, the mean over the trainings; and
    the differences.

    ``probabilities`` (T, N, C) of T trainings, of which the t-th learned from ``learned[t]``; ``labels``,
    ``clusters``, ``shares`` and ``settings`` as in ``calibration_scores`` and ``score_metric``. The
    differences, ``<learned>_<measure>_difference``, are those to what is named first.
    """
    found = [calibration_scores(given, labels, shares) for given in probabilities]
    first, *others = dict.fromkeys(learned)
    metrics = {}
    for measure in found[0]:
        groups = {
            name: [own[measure] for own, what in zip(found, learned, strict=True) if what == name]
            for name in (first, *others)
        }
        luck = luck_of(groups.values())
        for name, scores in groups.items():
            metrics[f"{name}_{measure}"] = score_metric(scores, clusters, luck=luck, **settings)
        for name in others:
            apart = score_metric(groups[name], clusters, groups[first], luck=luck, **settings)
            metrics[f"{name}_{measure}_difference"] = apart
    return metrics


def reliability_table(
    probabilities: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    bins: int = BINS,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per bin of equal width: ``from`` and ``to`` (the bin holds its upper edge), ``n`` pictures,
    mean ``confidence`` and ``accuracy`` (shares), ``low`` and ``high``.

    The last two are the accuracy's 95 % interval over draws of clusters. Of a bin without pictures all but
    the edges and ``n`` are NaN, the bounds also where there are none. ``probabilities`` (T, N, C) of T
    trainings, whose answers are put together; the other arguments as in ``calibration_error`` and
    ``score_metric``.
    """
    confidence = probabilities.max(axis=2).ravel().astype(np.float64)
    right = (probabilities.argmax(axis=2) == labels).ravel()
    edges = bin_edges(confidence, bins)
    places, people = _bin_of(confidence, edges), np.tile(clusters, len(probabilities))
    rows = []
    for place, (lower, upper) in enumerate(pairwise(edges)):
        inside = places == place
        sums = cluster_sums(np.stack([inside & right, inside], axis=1), people)
        sums = sums[sums[:, 1] > 0]
        accuracy = ratio(sums.sum(axis=0))
        low, high = bounds(ratio(resampled_sums(sums, draws, seed)), len(sums), accuracy)
        mean = confidence[inside].mean() if inside.any() else np.nan
        rows.append((lower, upper, inside.sum(), mean, accuracy, low, high))
    return pd.DataFrame(rows, columns=["from", "to", "n", "confidence", "accuracy", "low", "high"])
