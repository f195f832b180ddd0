"""Action unit detection: what a linear head can read from a network's features, of one layer or of each stage
of the network, about people it has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve, roc_auc_score
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional as F

from fer_lib.aus.presence import FEWEST_SUBJECTS, Presence, require_finite
from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.look.layers import example_picture, trace
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.resampling import bounds, cluster_weights
from fer_lib.train.features import collected
from ferbook.errors import DataError, ParameterError

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths C of the heads' L2 penalty that are tried on the validation pictures."""

FEWEST_HELD_OUT = 3
"""Subjects with an AU, and without it, that validation and test pictures must show each."""

MACRO = "macro"
"""Name of the row of means over AUs."""

SCORES = ("auroc", "average_precision", "f1", "f1_skew")


@dataclass(frozen=True)
class Heads:
    """One linear detector per AU, on features as the network gives them.

    ``weights`` (A, F) and ``bias`` (A,): the log-odds of AU a are ``features @ weights[a] + bias[a]``.
    ``thresholds`` (A,): log-odds from which on an AU counts as shown, where F1 was largest on the validation
    pictures; ``strengths`` (A,): C of each head, chosen there too. ``too_few``: AUs without a head.
    """

    aus: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    thresholds: np.ndarray
    strengths: np.ndarray
    too_few: tuple[str, ...]

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """float64 (N, A) of ``features`` (N, F)."""
        return features.astype(np.float64) @ self.weights.T + self.bias


def one_blas_thread() -> threadpool_limits:
    """A context in which BLAS works on one thread: regressions of some hundred features are several times
    slower on two.
    """
    return threadpool_limits(1, user_api="blas")


def fit_heads(
    features: np.ndarray, presence: Presence, split: np.ndarray, *, strengths: Sequence[float] = STRENGTHS
) -> Heads:
    """Logistic regressions with an L2 penalty, one per AU, on features standardised by the training pictures.

    Of ``strengths`` the one with the largest AUROC on the validation pictures, the smallest of equals; the
    training pictures alone are fitted. An AU that fewer than ``FEWEST_SUBJECTS`` training subjects show, or
    are seen without, or fewer than ``FEWEST_HELD_OUT`` of the validation or test pictures, gets no head and
    is named in ``too_few``.

    Raises DataError where a feature is not finite, a subject is in two splits, a split is empty or every AU
    has too few.
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
    # A feature that is the same in all training pictures says nothing.
    scale = np.where(scale > 1e-7 * np.abs(train).max(axis=0), scale, np.inf)
    given = {name: (features[split == name] - mean) / scale for name in ("train", "valid")}
    weights, bias, thresholds, chosen = [], [], [], []
    for au in aus:
        column = presence.aus.index(au)
        (train_x, train_y), (valid_x, valid_y) = (
            coded(given[name], parts[name].present[:, column]) for name in ("train", "valid")
        )
        with one_blas_thread():
            tried = [
                LogisticRegression(C=strength, max_iter=1000).fit(train_x, train_y)
                for strength in sorted(strengths)
            ]
        said = [head.decision_function(valid_x) for head in tried]
        best = int(np.argmax([roc_auc_score(valid_y, log_odds) for log_odds in said]))
        head = tried[best]
        weights.append(head.coef_[0] / scale)
        bias.append(head.intercept_[0] - (mean * weights[-1]).sum())
        thresholds.append(best_threshold(said[best], valid_y))
        chosen.append(sorted(strengths)[best])
    return Heads(
        aus,
        np.array(weights),
        np.array(bias),
        np.array(thresholds),
        np.array(chosen),
        tuple(au for au in presence.aus if au in too_few),
    )


def best_threshold(scores: np.ndarray, shown: np.ndarray) -> float:
    """The threshold from which on F1 of ``scores`` (N,) against ``shown`` (N,) bool is largest: half way from
    there to the next lower score.

    Of equally good ones the highest, which calls the fewest pictures. Raises DataError where nothing is
    shown.
    """
    if not shown.any():
        raise DataError("no picture shows the action unit; F1 has no best threshold")
    precision, recall, thresholds = precision_recall_curve(shown, scores)
    # The last point of the curve, recall 0, has no threshold.
    precision, recall = precision[:-1], recall[:-1]
    f1 = np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(recall), where=recall > 0)
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    lower = thresholds[best - 1] if best > 0 else thresholds[best]
    return float((thresholds[best] + lower) / 2)


def drawn_scores(
    heads: Heads, features: np.ndarray, presence: Presence, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """float64 (A, len(SCORES), 1 + draws): the scores of each of the ``heads``, first on all pictures, then
    on each draw of whole subjects.

    The same ``presence`` and ``seed`` draw the same subjects, so two detectors' scores can be compared draw
    by draw. NaN where a draw has no picture with the AU, or none without it. Raises DataError
    where a feature is not finite.
    """
    features = _checked(features)
    subjects, codes = np.unique(presence.subjects, return_inverse=True)
    weights = np.concatenate([np.ones((1, len(subjects))), *cluster_weights(len(subjects), draws, seed)])
    log_odds = heads.log_odds(features)
    values = np.full((len(heads.aus), len(SCORES), len(weights)), np.nan)
    for a, au in enumerate(heads.aus):
        present = presence.present[:, presence.aus.index(au)]
        there = ~np.isnan(present)
        if not 0 < present[there].sum() < there.sum():
            continue
        values[a] = _scores(
            log_odds[there, a], present[there] == 1, weights[:, codes[there]], heads.thresholds[a]
        )
    return values


def score_table(aus: tuple[str, ...], presence: Presence, values: np.ndarray) -> pd.DataFrame:
    """How well heads detect ``aus`` on the pictures of ``presence``, from ``values`` of ``drawn_scores``; one
    row per AU and one of macro means.

    ``au``; ``n`` coded pictures, ``positives`` of them and ``subjects`` who show the AU; ``prevalence``,
    which is what ``average_precision`` is by chance; then, each with ``_low`` and ``_high``: ``auroc``;
    ``average_precision``; ``f1`` at the head's threshold; ``f1_skew``, the same with the false positives
    weighed by positives/negatives, as if there were as many of both (Jeni, Cohn and De la Torre 2013), so
    that AUs of different frequency can be compared; ``too_few``. AUs without a head have NaN.

    Intervals: by the rule of ``stats.resampling.bounds`` over draws of whole subjects, the same subjects for
    all AUs, of whom those count who show the AU, or who do not if they are fewer. The last row, ``MACRO``,
    holds means over the AUs with a head.
    """
    counts = presence.counts().set_index("au")
    people = dict(zip(presence.aus, presence.fewest_subjects, strict=True))
    rows = []
    for au in presence.aus:
        n, positives = int(counts.n_present[au] + counts.n_absent[au]), int(counts.n_present[au])
        row = {"au": au, "n": n, "positives": positives, "subjects": int(counts.subjects_present[au])}
        row["prevalence"] = positives / n if n else np.nan
        has_head = au in aus
        known = values[aus.index(au)] if has_head else np.full(values.shape[1:], np.nan)
        rows.append(row | _with_intervals(known, people[au]) | {"too_few": not has_head})
    means = _with_intervals(mean_of_defined(values), len(np.unique(presence.subjects)))
    rows.append({"au": MACRO, **means, "too_few": False})
    # Whole numbers that the last row lacks.
    return pd.DataFrame(rows).astype(dict.fromkeys(("n", "positives", "subjects"), "Int64"))


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean of ``values`` (A, …) over the AUs, of each entry over those that are numbers; NaN where none
    is.
    """
    defined = np.isfinite(values)
    number = defined.sum(axis=0)
    total = np.where(defined, values, 0).sum(axis=0)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _with_intervals(values: np.ndarray, people: int) -> dict[str, float]:
    """Columns of one row from ``values`` (scores, 1 + draws), the estimate first, of draws of ``people``."""
    row = {}
    for name, estimate, *ends in zip(
        SCORES, values[:, 0], *bounds(values[:, 1:].T, people, values[:, 0]), strict=True
    ):
        row |= {name: estimate, f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return row


def _scores(scores: np.ndarray, shown: np.ndarray, weights: np.ndarray, threshold: float) -> np.ndarray:
    """float64 (len(SCORES), draws): pictures (N,) count ``weights`` (draws, N) times."""
    order = np.argsort(-scores, kind="stable")
    positive, negative = weights[:, order] * shown[order], weights[:, order] * ~shown[order]
    # Equal scores enter together: the curves have a point behind the last of them.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    true, false = positive.cumsum(axis=1)[:, ends], negative.cumsum(axis=1)[:, ends]
    all_true, all_false = true[:, -1], false[:, -1]
    steps = np.diff(true, axis=1, prepend=0)
    ranked = (np.diff(false, axis=1, prepend=0) * (true - steps / 2)).sum(axis=1)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    called = scores[order] >= threshold
    hits, alarms = positive @ called, negative @ called
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack(
            [
                ranked / (all_true * all_false),
                (steps * precision).sum(axis=1) / all_true,
                2 * hits / (hits + alarms + all_true),
                2 * hits / (hits + alarms * all_true / all_false + all_true),
            ]
        )
    return np.where((all_true > 0) & (all_false > 0), found, np.nan)


def coded(values: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ``values`` (N, …) those of the pictures for which one AU was coded, and which of these show it;
    ``present`` (N,): 1, 0 or NaN.
    """
    there = ~np.isnan(present)
    return values[there], present[there] == 1


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    require_finite(features, "feature", "its value")
    return features


def require_disjoint(presence: Presence, split: np.ndarray) -> None:
    """Raise DataError where one of ``SPLITS`` is not in use in ``split`` (N,), or a subject is in two of
    them.
    """
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


FEATURES = "features"
"""Stands for what ``output`` is given, beside the names of layers."""


def stage_layers(model: nn.Module) -> tuple[str, ...]:
    """The last ReLU at each size of feature maps, in the order in which they work: where a stage of the
    network ends.

    ``relu1``, ``relu2``, ``relu3`` of the zero-bias CNN, ``stage1.0.relu2``, … of the residual net. Raises
    ParameterError where ``model`` has no maps behind a ReLU.
    """
    ends: dict[tuple[int, ...], str] = {}
    for call in trace(model, example_picture(model)):
        if isinstance(call.module, nn.ReLU) and len(call.shape) == 4:
            ends[call.shape[2:]] = call.name
    if not ends:
        raise ParameterError(f"{type(model).__name__} has no feature maps behind a ReLU; name its layers")
    return tuple(ends.values())


def layer_features(model: Classifier, faces: FaceSet) -> dict[str, np.ndarray]:
    """What each of ``stage_layers`` says of each picture of ``faces``, in one pass: by name float32 (N, F),
    in evaluation mode, where the model is.

    Of a layer with K feature maps the mean of each quarter of each map (F = 4 K, a map's quarters side by
    side): whether an edge is at the brows or at the mouth stays known. On the validation pictures of ``lab``
    at 32 pixels that served heads on an untrained network better than a quarter's largest value, or than
    maximum and mean of the whole map, and heads on a trained one as well as these: the fairest to the rival.
    Of an odd side both quarters have the middle row or column. Behind the layers, under the name
    ``FEATURES``, what the last layer is given, equal to ``train.features.features_of``.

    Raises DataError where there is no picture. The model's mode and hooks stay as they were.
    """
    wanted = {name: (model.get_submodule(name), _quarters) for name in stage_layers(model)}
    wanted[FEATURES] = (model.output, lambda given, _: given)
    return collected(model, faces, wanted, batch_size=64)


def _quarters(_: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    return F.adaptive_avg_pool2d(maps.float(), 2).flatten(1)


def enough_people(presence: Presence, split: np.ndarray) -> bool:
    """Whether some unit is shown, and seen absent, by as many people of each split as a detection head
    needs.
    """
    return len(_too_few(presence, np.asarray(split))) < len(presence.aus)


def _too_few(presence: Presence, split: np.ndarray) -> set[str]:
    least = {name: FEWEST_SUBJECTS if name == "train" else FEWEST_HELD_OUT for name in SPLITS}
    return {au for name, fewest in least.items() for au in presence.select(split == name).too_few(fewest)}
