"""How strongly a filter's maximal response goes with the presence of an action unit, with intervals and the
papers' mapping.

The six measures are defined in ``aus.measures``.
"""

from dataclasses import dataclass

import numpy as np

from fer_lib.aus.measures import SIGNED, weighted_statistic
from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence, require_finite
from fer_lib.names import AssociationMeasure
from fer_lib.stats.resampling import bounds, cluster_weights
from ferbook.errors import DataError

DRAWS_AT_ONCE = 1000
"""Resamples whose results (draws × filters × AUs) are held in double precision at a time."""


@dataclass(frozen=True)
class Association:
    """Association of K filters with A action units by one ``measure``, each with its interval.

    ``estimate``, ``low``, ``high`` float64 (K, A): NaN for the AUs in ``too_few``. ``dead`` bool (K,):
    filters that answer to all pictures alike (behind a ReLU, they never fire), whose association is 0.
    ``stability`` (K,): share of the resamples in which the filter's strongest AU is that of ``estimate``, NaN
    for dead filters.
    """

    measure: AssociationMeasure
    aus: tuple[str, ...]
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stability: np.ndarray
    too_few: tuple[str, ...]
    dead: np.ndarray


def statistic(maxima: np.ndarray, present: np.ndarray, measure: AssociationMeasure) -> np.ndarray:
    """Association float64 (K, A) of each filter with each AU, without interval.

    ``maxima`` (N, K): maximal responses; ``present`` (N, A): 1 shown, 0 not shown, NaN not coded: each AU is
    judged on the pictures for which it was coded. ``measure``: one of ``MEASURES``, defined in
    ``aus.measures``. NaN where no coded picture shows the AU, or all do; 0 for a filter that answers to all
    pictures alike.

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

    ``maxima`` (N, K): maximal responses of rectified maps; ``measure``: one of ``MEASURES``, defined in
    ``aus.measures``. AUs that fewer than ``min_subjects`` subjects show, or are seen without, are not scored:
    they are named in ``too_few``.

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
    strongest = np.where(np.isnan(replicates), -np.inf, replicates).argmax(axis=2)
    stability = (strongest == estimate.argmax(axis=1)).mean(axis=0)

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
        np.where(dead, np.nan, stability),
        presence.too_few(min_subjects),
        dead,
    )


def _checked(maxima: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``maxima`` as float64 and ``present`` as float32, or one of the errors of ``statistic``."""
    maxima, present = np.asarray(maxima, np.float64), np.asarray(present, np.float32)
    require_finite(maxima)
    return maxima, present
