"""Controls and baselines of an LSTM on a trained network's features.

Controls are the same LSTM with something taken away. An LSTM that is as good with frames shuffled does not
use time; one that is as good with one frame repeated does not use the others. The repeated frame is the
spotted apex (``apex.farthest``); the true apex is known only to whoever rendered or coded the clip, and is an
oracle. Baselines have no LSTM: linear SVMs, on the components that the LSTMs read or on descriptors, and the
majority class. Scaling and weights come from a fold's training clips, the penalty from its validation people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score
from sklearn.svm import SVC

from book.micro_expressions.apex import PLACES, farthest, frame_places, pixels_of
from book.micro_expressions.descriptors import candidate_features, flow_features
from book.micro_expressions.leave_one_out import ClipStudy, ClipTask
from face_sets.clips import Clips
from face_sets.request import FEWEST_FRAMES
from fer_lib.stats.contrasts import BASELINE, CONTROL, NULL, OURS, Contender
from ferbook.errors import DataError, require_name

MATCHED = "matched_"

CONTROLS = ("shuffled", *(MATCHED + place for place in PLACES))
"""What ``controlled`` takes away. ``shuffled``: the order of the frames of each clip. ``matched_spotted``,
``matched_middle``, ``matched_apex``: all frames but one (``apex.PLACES``), which is repeated, so that cells,
weights and steps are the same.
"""

UNTRAINED_FEATURES = "untrained"
"""Further control: features of an untrained network."""

CLIP_RIVALS: dict[str, tuple[str, str]] = {
    "shuffled": (CONTROL, "LSTM, frames shuffled"),
    "matched_spotted": (CONTROL, "LSTM, spotted apex repeated"),
    "matched_middle": (CONTROL, "LSTM, middle frame repeated"),
    "matched_apex": (CONTROL, "LSTM, true apex repeated"),
    UNTRAINED_FEATURES: (CONTROL, "LSTM, untrained CNN"),
    "spotted_features": (BASELINE, "SVM, spotted apex"),
    "middle_features": (BASELINE, "SVM, middle frame"),
    "mean_features": (BASELINE, "SVM, mean of frames"),
    "apex_features": (BASELINE, "SVM, true apex"),
    "optical_flow": (BASELINE, "SVM, optical flow"),
    "lbp_top": (BASELINE, "SVM, LBP-TOP"),
    "majority": (NULL, "majority-class baseline"),
}
"""Slug -> kind and name of each control and baseline, in the order of the figure."""

SLUGS = {name: slug for slug, (_, name) in CLIP_RIVALS.items()}

FIRST = "LSTM"
"""LSTMs on the features of trained networks, which the page evaluates."""


def controlled(sequences: np.ndarray, clips: Clips, name: str, seed: int = 0) -> np.ndarray:
    """Return the ``sequences`` (…, C, T, F) of ``clips`` changed as the control ``name`` says, float32 (…, C,
    T, F), zero beyond a clip's end.

    The difference to the onset is taken before, so the onset is the first frame filmed, not the first one
    shuffled. ``seed`` draws one order per clip; a clip of few frames may be drawn in the order it had. Raises
    ParameterError for an unknown name.
    """
    sequences = np.asarray(sequences, np.float32)
    require_name("control", name, CONTROLS)
    if name == "shuffled":
        place = np.random.default_rng(seed).random(clips.rows.shape)
        # What is beyond a clip's end remains there.
        order = np.argsort(np.where(clips.inside, place, np.inf), axis=1, kind="stable")
        return _taken(sequences, order)
    frame = _taken(sequences, frame_places(sequences, clips, name.removeprefix(MATCHED))[..., None])
    return np.where(clips.inside[..., None], frame, np.float32(0))


def _taken(sequences: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames of ``sequences`` (…, C, T, F) at ``places`` (…, C, T')."""
    leading = (1,) * (sequences.ndim - 1 - places.ndim)
    return np.take_along_axis(sequences, places.reshape(*leading, *places.shape, 1), axis=-2)


SVM_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse penalties C that are compared on the validation people."""


@dataclass(frozen=True, eq=False)
class ClipAnswers:
    """One answer per clip and seed, by a classifier that was not trained on the clip's subject.

    Attributes
    ----------
    table : DataFrame
        One row per fold: ``fold`` (from 0), ``subject`` (tested; several separated by commas), ``clips``
        (tested), ``absent`` (classes without a training clip); for SVMs ``strength``, ``valid_score`` and, if
        several were given, ``features``.
    probabilities : (seeds, C, classes) float32 array
        1 for the answer, 0 for the other classes; NaN for clips that no fold tests.
    """

    table: pd.DataFrame
    probabilities: np.ndarray


def linear_answers(
    features: np.ndarray | Mapping[str, np.ndarray],
    task: ClipTask,
    *,
    strengths: Sequence[float] = SVM_STRENGTHS,
) -> ClipAnswers:
    """Train linear support vector machines, one per fold and pair of classes.

    Features are standardised by the training clips (a constant one becomes 0) and divided by √F, so that one
    set of ``strengths`` fits vectors of every length. Clips are weighted by the inverse frequency of their
    class. The validation clips, on which nothing is trained, choose the strength with the largest mean recall
    (of equals the smallest), and among several features those with the largest recall (of equals the first).

    Parameters
    ----------
    features : (C, F) or (folds, C, F) array, or mapping of name to such arrays
        Of all folds, or of each fold; a mapping if the validation clips are to choose.
    task : ClipTask
        Clips, classes and folds.
    strengths : sequence of float
        Inverse penalties C.

    Raises
    ------
    DataError
        If a fold has training clips of fewer than two classes.
    """
    vectors = features if isinstance(features, Mapping) else {"": features}
    vectors = {name: np.asarray(own, np.float64) for name, own in vectors.items()}
    labels = task.labels
    answers = np.full((1, len(labels)), -1)
    choices = []
    for number, (train, valid, test) in enumerate(task.folds):
        if len(np.unique(labels[train])) < 2:
            raise DataError(
                f"fold {number} has training clips of {task.classes[labels[train[0]]]!r} only; take more "
                "people or more classes"
            )
        best = -1.0
        for name, own in vectors.items():
            scaled = _standardised(own if own.ndim == 2 else own[number], train)
            kernel = scaled @ scaled[train].T
            for strength in sorted(strengths):
                machine = SVC(C=strength, kernel="precomputed", class_weight="balanced")
                machine.fit(kernel[train], labels[train])
                score = _mean_recall(labels[valid], machine.predict(kernel[valid]))
                if score > best:
                    best, choice = score, {"strength": strength, "valid_score": score}
                    choice |= {"features": name} if name else {}
                    answers[0, test] = machine.predict(kernel[test])
        choices.append(choice)
    return ClipAnswers(task.table.join(pd.DataFrame(choices)), _hard(answers, len(task.classes)))


def majority_of_folds(task: ClipTask) -> ClipAnswers:
    """Answer each fold with the class of most of its training clips (of equals the first)."""
    answers = np.full((1, len(task.labels)), -1)
    for train, _, test in task.folds:
        answers[0, test] = np.bincount(task.labels[train], minlength=len(task.classes)).argmax()
    return ClipAnswers(task.table, _hard(answers, len(task.classes)))


def _mean_recall(labels: np.ndarray, answers: np.ndarray) -> float:
    """Return the recall of ``answers`` (N,), averaged over the classes in ``labels`` (N,)."""
    return float(recall_score(labels, answers, labels=np.unique(labels), average="macro"))


def _standardised(features: np.ndarray, train: np.ndarray) -> np.ndarray:
    mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
    # Constant features carry no information, and may differ by rounding.
    spread = np.where(spread > 1e-7 * np.abs(features[train]).max(axis=0), spread, np.inf)
    return (features - mean) / (spread * np.sqrt(features.shape[1]))


def _hard(answers: np.ndarray, classes: int) -> np.ndarray:
    """Return ``answers`` (seeds, C) as probabilities, NaN for -1."""
    probabilities = np.eye(classes, dtype=np.float32)[answers]
    probabilities[answers < 0] = np.nan
    return probabilities


def baseline_answers(sequences: np.ndarray, task: ClipTask, networks: int) -> dict[str, ClipAnswers]:
    """Return the answers of everything without an LSTM, by name.

    ``spotted_features``, ``middle_features``, ``apex_features``, ``mean_features``: linear SVMs on what the
    LSTM of each seed and fold reads, ``sequences`` (S · folds, C, T, F), at one frame (``apex.PLACES``) or
    averaged over all, once for each of the ``networks`` (seeds that share a network have the same SVMs).
    ``optical_flow``: from the onset to the apex that pixels spot. ``lbp_top``: only if every clip is long
    enough. ``majority``. Raises as ``linear_answers``.
    """
    clips = task.clips
    vectors = {
        name: _taken(sequences, frame_places(sequences, clips, name)[..., None])[..., 0, :] for name in PLACES
    }
    vectors["mean"] = sequences.sum(axis=-2) / clips.lengths[:, None]
    answers = {}
    for name, own in vectors.items():
        by_seed = own.reshape(len(task.seeds), len(task.folds), *own.shape[1:])
        each = [linear_answers(by_fold, task) for by_fold in by_seed[:networks]]
        together = np.concatenate([machines.probabilities for machines in each])
        answers[f"{name}_features"] = ClipAnswers(each[0].table, together)
    answers["optical_flow"] = linear_answers(flow_features(clips, farthest(pixels_of(clips), clips)), task)
    if clips.lengths.min() >= FEWEST_FRAMES:
        answers["lbp_top"] = linear_answers(candidate_features(clips), task)
    return answers | {"majority": majority_of_folds(task)}


def clip_contenders(study: ClipStudy, rivals: Mapping[str, ClipStudy | ClipAnswers]) -> list[Contender]:
    """Return the study's LSTMs, then the ``rivals`` in the order of ``CLIP_RIVALS``."""
    contenders = [Contender(FIRST, OURS, study.probabilities)]
    for slug, (kind, name) in CLIP_RIVALS.items():
        if slug in rivals:
            probabilities = rivals[slug].probabilities
            contenders.append(Contender(name, kind, probabilities, seeded=len(probabilities) > 1))
    return contenders
