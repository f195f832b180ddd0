"""Detection of action units by linear probes on features, tested on held-out subjects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from face_sets.faceset import SPLITS
from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence, require_finite
from fer_lib.stats.resampling import cluster_weights
from ferbook.errors import DataError

# Inverse strengths C of the L2 penalty that are compared on the validation pictures.
HEAD_STRENGTHS = (0.001, 0.01, 0.1, 1.0)

# Subjects with an AU, and without it, that validation and test pictures must each include.
FEWEST_HELD_OUT = 3


@dataclass(frozen=True)
class Heads:
    """Linear probes, one per AU, on the features of a network.

    Attributes
    ----------
    aus : tuple of str
        A units.
    weights : (A, F) array
    bias : (A,) array
        The log-odds of AU a are ``features @ weights[a] + bias[a]``.
    too_few : tuple of str
        AUs without a probe.
    """

    aus: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    too_few: tuple[str, ...]

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Return float64 (N, A) for ``features`` (N, F)."""
        return features.astype(np.float64) @ self.weights.T + self.bias


def one_blas_thread() -> threadpool_limits:
    """Return a context in which BLAS works on one thread: regressions of some hundred features are several
    times slower on two.
    """
    return threadpool_limits(1, user_api="blas")


def fit_heads(
    features: np.ndarray,
    presence: Presence,
    split: np.ndarray,
    *,
    strengths: Sequence[float] = HEAD_STRENGTHS,
) -> Heads:
    """Fit logistic regressions with an L2 penalty, one per AU, on features standardised by the training
    pictures.

    Only the training pictures are fitted. The penalty with the largest AUROC on the validation pictures is
    selected, the strongest of equal ones. An AU that fewer than ``FEWEST_SUBJECTS`` training subjects show,
    or that fewer are seen without, or fewer than ``FEWEST_HELD_OUT`` of the validation or test pictures, has
    no probe and is listed in ``too_few``.

    Parameters
    ----------
    features : (N, F) array
    presence : Presence
    split : (N,) array of str
    strengths : sequence of float
        Inverse strengths C of the penalty.

    Returns
    -------
    Heads

    Raises
    ------
    DataError
        A feature is not finite, a subject is in two splits, a split is empty or every AU has too few
        subjects.
    """
    features = _checked(features)
    split = np.asarray(split)
    require_disjoint(presence, split)
    parts = {name: presence.select(split == name) for name in SPLITS}
    too_few = _too_few(presence, split)
    aus = tuple(au for au in presence.aus if au not in too_few)
    if not aus:
        raise DataError(
            f"no AU is shown by {FEWEST_SUBJECTS} training subjects and by {FEWEST_HELD_OUT} each in "
            "validation and test, and as many are seen without it: use a larger face set"
        )
    train = features[split == "train"]
    mean, scale = train.mean(axis=0), train.std(axis=0)
    # A feature that is the same in all training pictures carries no information.
    scale = np.where(scale > 1e-7 * np.abs(train).max(axis=0), scale, np.inf)
    inputs = {name: (features[split == name] - mean) / scale for name in ("train", "valid")}
    weights, bias = [], []
    for au in aus:
        column = presence.aus.index(au)
        (train_x, train_y), (valid_x, valid_y) = (
            coded(inputs[name], parts[name].present[:, column]) for name in ("train", "valid")
        )
        with one_blas_thread():
            heads = [
                LogisticRegression(C=strength, max_iter=1000).fit(train_x, train_y)
                for strength in sorted(strengths)
            ]
        scores = [roc_auc_score(valid_y, head.decision_function(valid_x)) for head in heads]
        head = heads[int(np.argmax(scores))]
        weights.append(head.coef_[0] / scale)
        bias.append(head.intercept_[0] - (mean * weights[-1]).sum())
    left = tuple(au for au in presence.aus if au in too_few)
    return Heads(aus, np.array(weights), np.array(bias), left)


def drawn_aurocs(
    heads: Heads, features: np.ndarray, presence: Presence, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Compute the AUROC of each probe, on all pictures and on each bootstrap draw of whole subjects.

    The same ``presence`` and ``seed`` draw the same subjects, so two detectors can be compared draw by draw.

    Parameters
    ----------
    heads : Heads
    features : (N, F) array
    presence : Presence
    draws, seed : int

    Returns
    -------
    (A, 1 + draws) float64 array
        NaN where a draw has no picture with the AU, or none without it.

    Raises
    ------
    DataError
        A feature is not finite.
    """
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    weights = np.concatenate([np.ones((1, len(subjects))), *cluster_weights(len(subjects), draws, seed)])
    return _weighted_aurocs(heads, features, presence, weights[:, codes])


def aurocs_without(heads: Heads, features: np.ndarray, presence: Presence, groups: np.ndarray) -> np.ndarray:
    """Compute the AUROC of each probe without each group of pictures.

    Parameters
    ----------
    heads, features, presence
        As of ``drawn_aurocs``.
    groups : (N,) int array
        Codes from 0.

    Returns
    -------
    (A, G) float64 array
    """
    weights = (groups != np.arange(groups.max() + 1)[:, None]).astype(float)
    return _weighted_aurocs(heads, features, presence, weights)


def _weighted_aurocs(
    heads: Heads, features: np.ndarray, presence: Presence, weights: np.ndarray
) -> np.ndarray:
    """Return float64 (A, W), where pictures count ``weights`` (W, N) times."""
    log_odds = heads.log_odds(_checked(features))
    values = np.full((len(heads.aus), len(weights)), np.nan)
    for a, au in enumerate(heads.aus):
        present = presence.present[:, presence.aus.index(au)]
        there = ~np.isnan(present)
        if 0 < present[there].sum() < there.sum():
            values[a] = _aurocs(log_odds[there, a], present[there] == 1, weights[:, there])
    return values


def _aurocs(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return float64 (draws,), where pictures (N,) count ``weights`` (draws, N) times."""
    order = np.argsort(-scores, kind="stable")
    positive, negative = weights[:, order] * labels[order], weights[:, order] * ~labels[order]
    # Equal scores enter together: the curves have a point after the last of them.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true, false = positive.cumsum(axis=1)[:, ends], negative.cumsum(axis=1)[:, ends]
    steps = np.diff(true, axis=1, prepend=0)
    concordance = (np.diff(false, axis=1, prepend=0) * (true - steps / 2)).sum(axis=1)
    pairs = true[:, -1] * false[:, -1]
    return np.divide(concordance, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def coded(values: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Select from ``values`` (N, …) the pictures for which one AU was coded, and return which of them show
    it; ``present`` (N,) is 1, 0 or NaN.
    """
    there = ~np.isnan(present)
    return values[there], present[there] == 1


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    require_finite(features, "feature", "its value")
    return features


def require_disjoint(presence: Presence, split: np.ndarray) -> None:
    """Raise DataError if one of ``SPLITS`` is absent from ``split`` (N,), or a subject is in two splits."""
    for name in SPLITS:
        if not (split == name).any():
            raise DataError(f"no picture is in the split {name!r}; heads need all of {', '.join(SPLITS)}")
    pairs = pd.DataFrame({"subject": presence.subjects, "split": split}).drop_duplicates()
    twice = pairs["subject"][pairs["subject"].duplicated()]
    if len(twice):
        among = ", ".join(pairs["split"][pairs["subject"] == twice.iloc[0]])
        raise DataError(
            f"subject {twice.iloc[0]!r} is in the splits {among}; heads must be tested on people that they "
            "have not seen: split by subject"
        )


def enough_people(presence: Presence, split: np.ndarray) -> bool:
    """Return whether some unit is shown, and seen absent, by enough subjects of each split for a probe."""
    return len(_too_few(presence, np.asarray(split))) < len(presence.aus)


def _too_few(presence: Presence, split: np.ndarray) -> set[str]:
    least = {name: FEWEST_SUBJECTS if name == "train" else FEWEST_HELD_OUT for name in SPLITS}
    return {au for name, fewest in least.items() for au in presence.select(split == name).too_few(fewest)}
