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
from typing import Literal, get_args

import numpy as np
import pandas as pd

from fer_lib.stats.resampling import SAME, bounds, cluster_sums, interval, ratio, resampled_sums
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate, Unit

BINS = 10

SMALLEST = 1e-12
"""Probabilities below this count as this in a logarithm: one impossible answer would make the mean infinite.
"""

Binning = Literal["width", "mass"]
"""``width``: bins equally wide between 0 and 1; ``mass``: bins of equally many pictures."""

ROUNDING = 1e-4
"""How far a row of float32 probabilities may be from a sum of one."""


@dataclass(frozen=True)
class Summed:
    """A measure as sums over pictures: ``parts`` (N, …) are added up, and ``of`` maps totals (draws, …) to
    values (draws,).

    ``unit`` of the value, ``n`` pictures.
    """

    parts: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    unit: Unit = ""

    @property
    def value(self) -> float:
        """The measure over all pictures."""
        return float(self.of(self.parts.sum(axis=0)[None])[0])


def bin_edges(confidence: np.ndarray, bins: int = BINS, binning: Binning = "width") -> np.ndarray:
    """float64 (B + 1,) ascending: edges of at most ``bins`` bins of ``confidence`` (N,); a value on an edge
    is in the bin below it.

    With ``mass`` the edges are quantiles, and bins between equal quantiles are dropped, so B may be smaller
    than ``bins``. Raises ParameterError for no bin or an unknown binning.
    """
    if bins < 1 or binning not in get_args(Binning):
        raise ParameterError(
            f"bins {bins}, binning {binning!r}: give at least 1, and {' or '.join(get_args(Binning))}"
        )
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

    The bins are those of all pictures, also in a bootstrap's draws. Raises DataError as ``checked``.
    """
    probabilities = checked(probabilities, labels)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = bin_edges(confidence, bins, binning)
    member = np.eye(len(edges) - 1)[_bin_of(confidence, edges)]
    parts = np.stack([member * (right - confidence)[:, None], member], axis=-1)

    def error(totals: np.ndarray) -> np.ndarray:
        return np.abs(totals[..., 0]).sum(axis=-1) / totals[..., 1].sum(axis=-1)

    return Summed(parts, error, "share")


def brier_score(probabilities: np.ndarray, truth: np.ndarray) -> Summed:
    """The Brier score of ``probabilities`` (N, C) for ``truth``: true classes (N,), or shares of votes (N,
    C).
    """
    probabilities, target = checked(probabilities, truth), _distribution(truth, np.shape(probabilities)[1])
    return _mean_of(((probabilities - target) ** 2).sum(axis=1))


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> Summed:
    """The negative log-likelihood, in nats, of ``truth``: true classes (N,), or shares of votes (N, C);
    probabilities count as ``SMALLEST`` at least.
    """
    probabilities, target = checked(probabilities, truth), _distribution(truth, np.shape(probabilities)[1])
    return _mean_of(-(target * np.log(np.maximum(probabilities, SMALLEST))).sum(axis=1))


def accuracy_score(probabilities: np.ndarray, labels: np.ndarray) -> Summed:
    """The share of pictures whose most probable class is their label."""
    probabilities = checked(probabilities, labels)
    return _mean_of(probabilities.argmax(axis=1) == labels, "share")


def _mean_of(values: np.ndarray, unit: Unit = "") -> Summed:
    parts = np.stack([values, np.ones(len(values))], axis=1)
    return Summed(parts, ratio, unit)


def checked(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """``probabilities`` in float64; raises DataError where they, or ``truth``, are not what the scores take,
    naming the picture.
    """
    probabilities, truth = np.asarray(probabilities, np.float64), np.asarray(truth)
    if probabilities.ndim != 2 or not probabilities.size:
        raise DataError(f"probabilities of shape {probabilities.shape}: give (pictures, classes)")
    if truth.shape not in ((len(probabilities),), probabilities.shape):
        raise DataError(
            f"truth of shape {truth.shape} for probabilities {probabilities.shape}: give a class, or shares "
            "of all classes, per picture"
        )
    _check_shares("probabilities", probabilities)
    if truth.ndim == 2:
        _check_shares("shares of votes", truth)
    else:
        wrong = np.flatnonzero((truth < 0) | (truth >= probabilities.shape[1]))
        if len(wrong):
            raise DataError(
                f"picture {wrong[0]}: label {truth[wrong[0]]} is not one of the {probabilities.shape[1]} "
                "classes"
            )
    return probabilities


def _check_shares(what: str, rows: np.ndarray) -> None:
    good = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= ROUNDING)
    if not good.all():
        wrong = np.flatnonzero(~good)[0]
        raise DataError(
            f"picture {wrong}: {what} {np.round(rows[wrong], 3).tolist()} are not shares that sum to one"
        )


def _distribution(truth: np.ndarray, n_classes: int) -> np.ndarray:
    truth = np.asarray(truth)
    return np.eye(n_classes)[truth] if truth.ndim == 1 else truth.astype(np.float64)


def calibration_scores(
    probabilities: np.ndarray, labels: np.ndarray, shares: np.ndarray | None = None, *, bins: int = BINS
) -> dict[str, Summed]:
    """All measures of ``probabilities`` (N, C) by name; those against the crowd's ``shares`` (N, C) only
    where these are given.

    ``accuracy``; ``calibration_error`` (bins of equal width) and ``calibration_error_mass`` (of equal mass);
    ``brier`` and ``log_loss`` against the labels (N,); ``brier_votes`` and ``log_loss_votes`` against the
    shares.
    """
    scores = {
        "accuracy": accuracy_score(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels, bins=bins),
        "calibration_error_mass": calibration_error(probabilities, labels, bins=bins, binning="mass"),
        "brier": brier_score(probabilities, labels),
        "log_loss": log_loss(probabilities, labels),
    }
    if shares is not None:
        scores |= {
            "brier_votes": brier_score(probabilities, shares),
            "log_loss_votes": log_loss(probabilities, shares),
        }
    return scores


@dataclass(frozen=True)
class Luck:
    """How much one training's score varies with its seed: the standard deviation ``spread``, known with
    ``freedom`` degrees of freedom.
    """

    spread: float
    freedom: int


def luck_of(groups: Iterable[Sequence[Summed]]) -> Luck:
    """The luck of the seeds, pooled over ``groups`` of trainings that differ in nothing else; of single
    trainings nothing is known.
    """
    values = [np.array([score.value for score in scores]) for scores in groups]
    freedom = sum(len(own) - 1 for own in values)
    squares = sum(((own - own.mean()) ** 2).sum() for own in values)
    return Luck(math.sqrt(squares / freedom) if freedom else 0.0, freedom)


def score_metric(
    scores: Sequence[Summed],
    clusters: np.ndarray,
    against: Sequence[Summed] = (),
    *,
    luck: Luck | None = None,
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
    Student's t times the standard error that their ``luck`` gives; without it they are not.
    """
    terms = [(1 / len(scores), score) for score in scores]
    terms += [(-1 / len(against), score) for score in against]
    value = sum(weight * score.value for weight, score in terms)
    unit: Unit = "" if against else scores[0].unit
    settings = {"n": len(scores[0].parts), "unit": unit, "tolerance": tolerance}
    sums = [(weight, score, cluster_sums(score.parts, clusters)) for weight, score in terms]
    count = len(sums[0][2])
    drawn = np.empty(0)
    if count > 1:
        drawn = sum(weight * score.of(resampled_sums(own, draws, seed)) for weight, score, own in sums)
    if not len(drawn) or np.ptp(drawn) < SAME:
        return interval(value, drawn, count, of="clusters", **settings)
    drawn = drawn - (drawn.mean() - value)
    covers = ", their mean excess subtracted"
    if luck and luck.freedom:
        generator = np.random.default_rng(seed)
        error = luck.spread * math.sqrt(sum(weight**2 for weight, _ in terms))
        drawn = drawn + error * generator.standard_t(luck.freedom, size=draws)
        covers += f", and of the seeds (pooled, {luck.freedom} degrees of freedom)"
    else:
        covers += "; the seeds are not covered"
    drawn = drawn.clip(0, 1) if unit == "share" else drawn
    return interval(value, drawn, count, of="clusters", besides=covers, **settings)


def calibration_metrics(
    probabilities: np.ndarray,
    learned: Sequence[str],
    labels: np.ndarray,
    clusters: np.ndarray,
    shares: np.ndarray | None = None,
    *,
    bins: int = BINS,
    draws: int = 2000,
    seed: int = 0,
    tolerance: float = 0.0,
) -> dict[str, Estimate]:
    """``<learned>_<measure>`` for each measure of ``calibration_scores``, the mean over the trainings; and
    the differences.

    ``probabilities`` (T, N, C) of T trainings, of which the t-th learned from ``learned[t]``; ``labels``,
    ``clusters`` and ``shares`` as in ``calibration_scores`` and ``score_metric``. The differences,
    ``<learned>_<measure>_difference``, are those to what is named first. Raises DataError where lengths do
    not fit.
    """
    if len(learned) != len(probabilities):
        raise DataError(f"{len(learned)} names of what {len(probabilities)} trainings learned from")
    found = [calibration_scores(given, labels, shares, bins=bins) for given in probabilities]
    names = list(dict.fromkeys(learned))
    settings: dict = {"draws": draws, "seed": seed, "tolerance": tolerance}
    metrics = {}
    for measure in found[0]:
        groups = {
            name: [own[measure] for own, what in zip(found, learned, strict=True) if what == name]
            for name in names
        }
        settings["luck"] = luck_of(groups.values())
        for name, scores in groups.items():
            metrics[f"{name}_{measure}"] = score_metric(scores, clusters, **settings)
        for name in names[1:]:
            apart = score_metric(groups[name], clusters, groups[names[0]], **settings)
            metrics[f"{name}_{measure}_difference"] = apart
    return metrics


def reliability_table(
    probabilities: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    bins: int = BINS,
    binning: Binning = "width",
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per bin: ``from`` and ``to`` (the bin holds its upper edge), ``n`` pictures, mean
    ``confidence`` and ``accuracy`` (shares), ``low`` and ``high``.

    The last two are the accuracy's 95 % interval over draws of clusters. Of a bin without pictures all but
    the edges and ``n`` are NaN, the bounds also where there are none. ``probabilities`` (N,
    C), or (T, N, C) of T trainings, whose answers are put together; the other arguments as in
    ``calibration_error`` and ``score_metric``.
    """
    given = np.asarray(probabilities)
    trainings = len(given) if given.ndim == 3 else 1
    pooled, repeated = given.reshape(-1, given.shape[-1]), np.tile(labels, trainings)
    pooled = checked(pooled, repeated)
    confidence, right = pooled.max(axis=1), pooled.argmax(axis=1) == repeated
    edges = bin_edges(confidence, bins, binning)
    places = _bin_of(confidence, edges)
    rows = []
    for place in range(len(edges) - 1):
        inside = places == place
        parts = np.stack([inside & right, inside], axis=1)
        sums = cluster_sums(parts, np.tile(clusters, trainings))
        sums = sums[sums[:, 1] > 0]
        accuracy = ratio(sums.sum(axis=0))
        low, high = bounds(ratio(resampled_sums(sums, draws, seed)), len(sums), accuracy)
        rows.append(
            {
                "from": edges[place],
                "to": edges[place + 1],
                "n": int(inside.sum()),
                "confidence": confidence[inside].mean() if inside.any() else np.nan,
                "accuracy": accuracy,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)
