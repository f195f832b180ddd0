"""Figures of merit with intervals that respect subjects: several pictures of one person are not independent.
And calibration: whether a network is right in 70 % of the cases in which it is 70 % confident.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from fer_lib.stats.resampling import CONFIDENCE, bootstrap, cluster_sums, mean_of_defined, quotient
from ferbook.errors import DataError
from ferbook.estimate import Estimate


def confusion_sums(
    labels: np.ndarray, predictions: np.ndarray, clusters: np.ndarray, n_classes: int
) -> np.ndarray:
    """Compute the confusion matrix of each cluster.

    Parameters
    ----------
    labels, predictions : (N,) int arrays
        Class indices.
    clusters : (N,) int array
        One code per subject; a separate code for each picture without a subject label.
    n_classes : int

    Returns
    -------
    (clusters, classes, classes) int64 array
        Rows are the true classes.

    Raises
    ------
    DataError
        Lengths differ, there is no picture, or an index is not a class.
    """
    labels, predictions, clusters = (np.asarray(a) for a in (labels, predictions, clusters))
    if not len(labels) == len(predictions) == len(clusters):
        raise DataError(
            f"{len(labels)} labels, {len(predictions)} predictions and {len(clusters)} cluster codes: give "
            "one of each per picture"
        )
    if not len(labels):
        raise DataError("no picture to score")
    for name, indices in (("label", labels), ("prediction", predictions)):
        wrong = np.flatnonzero((indices < 0) | (indices >= n_classes))
        if len(wrong):
            raise DataError(
                f"picture {wrong[0]}: {name} {indices[wrong[0]]} is not one of the {n_classes} classes"
            )
    names, codes = np.unique(clusters, return_inverse=True)
    cells = (codes * n_classes + labels) * n_classes + predictions
    counts = np.bincount(cells, minlength=len(names) * n_classes**2)
    return counts.reshape(len(names), n_classes, n_classes)


def _diagonal(totals: np.ndarray) -> np.ndarray:
    return np.diagonal(totals, axis1=-2, axis2=-1)


def accuracy_of(totals: np.ndarray) -> np.ndarray:
    """Accuracy (draws,) of confusion matrices (draws, classes, classes)."""
    return quotient(_diagonal(totals).sum(-1), totals.sum((-2, -1)))


def balanced_accuracy_of(totals: np.ndarray) -> np.ndarray:
    """Mean recall (draws,) over the classes that occur in each confusion matrix (draws, classes, classes)."""
    return mean_of_defined(quotient(_diagonal(totals), totals.sum(-1)))


def macro_f1_of(totals: np.ndarray) -> np.ndarray:
    """Mean F1 (draws,) over the classes that occur or are predicted in each confusion matrix."""
    return mean_of_defined(quotient(2 * _diagonal(totals), totals.sum(-1) + totals.sum(-2)))


def accuracy(labels: np.ndarray, predictions: np.ndarray, clusters: np.ndarray, **drawn: float) -> Estimate:
    """Compute the proportion of correctly classified pictures, with its interval over draws of subjects.

    Parameters
    ----------
    labels, predictions : (N,) int arrays
        Class indices.
    clusters : (N,) int array
        One code per subject.
    **drawn
        ``draws``, ``seed`` and ``tolerance`` as of ``stats.resampling.bootstrap``.

    Returns
    -------
    Estimate

    Raises
    ------
    DataError
        Lengths differ or there is no picture.
    """
    n_classes = int(max(np.max(labels, initial=0), np.max(predictions, initial=0))) + 1
    sums = confusion_sums(labels, predictions, clusters, n_classes)
    return bootstrap(sums, accuracy_of, of="clusters", n=sums.sum(), unit="share", **drawn)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Count pictures (classes × classes): rows are the true emotions, columns the predicted ones."""
    counts = confusion_matrix(labels, predictions, labels=range(len(classes)))
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def proportion(hits: int, trials: int, *, of: str) -> Estimate:
    """Compute a proportion with the exact binomial interval of Clopper and Pearson (1934).

    Parameters
    ----------
    hits, trials : int
        Of independent trials.
    of : str
        Names the trials, in the plural.

    Returns
    -------
    Estimate
    """
    low, high = binomtest(hits, trials).proportion_ci(CONFIDENCE)
    how = f"95 % binomial interval (exact) over {of}"
    return Estimate(hits / trials, low, high, n=trials, how=how, unit="share")


# Equally wide bins of confidence between 0 and 1.
CONFIDENCE_BINS = 10


def _in_bins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return float64 (N, ``CONFIDENCE_BINS``, 3): for each picture, in the bin of its confidence, 1, its
    confidence, and whether it is classified correctly.
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
    """Compute accuracy by confidence, the highest class probability.

    Parameters
    ----------
    probabilities : (N, C) array
    labels : (N,) int array
        True classes.

    Returns
    -------
    pandas.DataFrame
        One row per bin that has a picture: ``pictures``, their mean ``confidence`` and their ``accuracy``,
        proportions.

    Raises
    ------
    DataError
        The arrays do not fit.
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
    probabilities: np.ndarray, labels: np.ndarray, clusters: np.ndarray, **drawn: float
) -> Estimate:
    """Compute the expected calibration error, a proportion: the mean distance between confidence and accuracy
    of the bins, weighted by their pictures (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    Like every distance it is larger in resamples than in the sample: its interval is reflected.

    Parameters
    ----------
    probabilities, labels
        As of ``reliability``.
    clusters, **drawn
        As of ``accuracy``.

    Returns
    -------
    Estimate
    """

    def error(totals: np.ndarray) -> np.ndarray:
        return np.abs(totals[..., 1] - totals[..., 2]).sum(axis=-1) / totals[..., 0].sum(axis=-1)

    sums = cluster_sums(_in_bins(probabilities, labels), clusters)
    about = {"of": "clusters", "n": len(labels), "unit": "share"}
    return bootstrap(sums, error, reflected=True, **about, **drawn)
