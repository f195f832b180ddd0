"""Calibration: whether a network that says 70 % is right in 70 % of such cases."""

import numpy as np
import pandas as pd

from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import DataError
from ferbook.estimate import Estimate

CONFIDENCE_BINS = 10
"""Equally wide bins of confidence between 0 and 1."""


def _in_bins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 (N, ``CONFIDENCE_BINS``, 3): of each picture, in the bin of its confidence, 1, its confidence,
    and whether it is named rightly.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise DataError(
            f"probabilities {probabilities.shape} and {len(labels)} labels: give (N, classes) and N, N > 0"
        )
    count = probabilities.shape[1]
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-6)).all():
        raise DataError("probabilities: some are no numbers from 0 to 1")
    if not ((labels >= 0) & (labels < count)).all():
        raise DataError(f"labels: some are none of the {count} classes, 0 to {count - 1}")
    confidence = probabilities.max(axis=1)
    place = np.clip(np.ceil(confidence * CONFIDENCE_BINS).astype(int) - 1, 0, CONFIDENCE_BINS - 1)
    each = np.stack([np.ones(len(labels)), confidence, probabilities.argmax(axis=1) == labels], axis=1)
    return np.eye(CONFIDENCE_BINS)[place][:, :, None] * each[:, None, :]


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """One row per bin that holds a picture: ``pictures``, their mean ``confidence`` (the highest class
    probability) and their ``accuracy``, shares.

    ``probabilities`` (N, C), ``labels`` (N,) true classes. Raises DataError where they do not fit.
    """
    count, confidence, right = _in_bins(probabilities, labels).sum(axis=0).T
    there = count > 0
    return pd.DataFrame(
        {
            "pictures": count[there].astype(int),
            "confidence": confidence[there] / count[there],
            "accuracy": right[there] / count[there],
        }
    )


def calibration_error(
    probabilities: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
    tolerance: float = 0.0,
) -> Estimate:
    """The expected calibration error, a share: the mean distance between confidence and accuracy of the
    bins, weighed by their pictures (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    ``probabilities`` and ``labels`` as in ``reliability``; ``clusters`` (N,), equal for pictures that are not
    independent; ``draws``, ``seed`` and ``tolerance`` as of ``stats.resampling.bootstrap``. Like every
    distance it is larger in resamples than in the sample: its interval is reflected.
    """

    def error(totals: np.ndarray) -> np.ndarray:
        return np.abs(totals[..., 1] - totals[..., 2]).sum(axis=-1) / totals[..., 0].sum(axis=-1)

    sums = cluster_sums(_in_bins(probabilities, labels), clusters)
    return bootstrap(
        sums,
        error,
        draws=draws,
        seed=seed,
        of="clusters",
        n=len(labels),
        unit="share",
        tolerance=tolerance,
        reflected=True,
    )
