"""What an LSTM on a trained network's features stands beside: controls, the same with something taken away,
and rivals without an LSTM, linear machines and answers given unseen.

An LSTM that names a clip as well with its frames shuffled as in order has not used time; one that does as
well on one frame alone, shown to the same cells as often, has not used the others. That frame is the one
that was spotted (``apex.farthest``): the true apex is known to who rendered or coded the clip, and what reads
it stands beside as an oracle. Rivals on features read the components that the LSTMs read. Each clip is
answered by a machine that never saw its person: scaling and weights come from the training clips of a fold
alone, the penalty from its validation people.
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
"""What ``controlled`` can take away. ``shuffled``: the frames of each clip in an order drawn at random, what
is shown stays, when goes. ``matched_spotted``, ``matched_middle``, ``matched_apex``: one frame
(``apex.PLACES``) in the place of each, for the same cells, weights and steps as what it stands beside.
"""

UNTRAINED_FEATURES = "untrained"
"""Name of the control beside ``CONTROLS``: features of an untrained network."""

CLIP_RIVALS: dict[str, tuple[str, str]] = {
    "shuffled": (CONTROL, "frames shuffled"),
    "matched_spotted": (CONTROL, "spotted apex repeated"),
    "matched_middle": (CONTROL, "middle frame repeated"),
    "matched_apex": (CONTROL, "true apex repeated"),
    UNTRAINED_FEATURES: (CONTROL, "untrained CNN"),
    "spotted_features": (BASELINE, "spotted apex, SVM"),
    "middle_features": (BASELINE, "middle frame, SVM"),
    "mean_features": (BASELINE, "mean of frames, SVM"),
    "apex_features": (BASELINE, "true apex, SVM"),
    "optical_flow": (BASELINE, "optical flow, SVM"),
    "lbp_top": (BASELINE, "LBP-TOP, SVM"),
    "majority": (NULL, "majority-class baseline"),
}
"""Slug -> kind and name of whatever the study stands beside, in the order to be shown."""

SLUGS = {name: slug for slug, (_, name) in CLIP_RIVALS.items()}

FIRST = "LSTM"
"""The contender that the page is about: LSTMs on the features of trained networks."""


def controlled(sequences: np.ndarray, clips: Clips, name: str, seed: int = 0) -> np.ndarray:
    """float32 (…, C, T, F): the ``sequences`` (…, C, T, F) of ``clips`` changed as the control ``name`` says;
    zero beyond a clip's end.

    They are what the classifier would be given: a difference to the onset is taken before, so that the onset
    stays the first frame filmed and not the first one shuffled. ``seed`` draws the orders, one per clip. A
    clip of few frames may be drawn in the order it had. Raises ParameterError for an unknown name.
    """
    sequences = np.asarray(sequences, np.float32)
    require_name("control", name, CONTROLS)
    if name == "shuffled":
        place = np.random.default_rng(seed).random(clips.rows.shape)
        # What is beyond a clip's end stays there.
        order = np.argsort(np.where(clips.inside, place, np.inf), axis=1, kind="stable")
        return _taken(sequences, order)
    frame = _taken(sequences, frame_places(sequences, clips, name.removeprefix(MATCHED))[..., None])
    return np.where(clips.inside[..., None], frame, np.float32(0))


def _taken(sequences: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames of ``sequences`` (…, C, T, F) at ``places`` (…, C, T')."""
    leading = (1,) * (sequences.ndim - 1 - places.ndim)
    return np.take_along_axis(sequences, places.reshape(*leading, *places.shape, 1), axis=-2)


SVM_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Inverse strengths C of the penalty that are tried on the validation subjects."""


@dataclass(frozen=True, eq=False)
class ClipAnswers:
    """One answer per clip and seed, from whoever never saw the clip's subject.

    ``probabilities`` float32 (seeds, C, classes), hard: 1 for the answer, 0 for the others; NaN for clips
    that no fold tests. ``table``: one row per fold with ``fold`` (from 0), ``subject`` (tested; several
    separated by commas), ``clips`` (tested), ``absent`` (classes without a training clip, which are never
    answered), and, of support vector machines, ``strength``, ``valid_score`` and, where several were given,
    ``features``.
    """

    table: pd.DataFrame
    probabilities: np.ndarray


def linear_answers(
    features: np.ndarray | Mapping[str, np.ndarray],
    task: ClipTask,
    *,
    strengths: Sequence[float] = SVM_STRENGTHS,
) -> ClipAnswers:
    """Linear support vector machines on ``features`` (C, F), or (folds, C, F) with each fold's own, one per
    fold and pair of classes.

    Features are standardised by the training clips (one that is the same in all of them becomes 0) and
    divided by √F, so that one set of ``strengths`` serves vectors of every length. Clips count by the inverse
    of their class's frequency. The strength is the one with the largest mean recall of the classes that the
    validation clips show, the smallest of equals; those clips are not learned from. Of several ``features``,
    given by their names, each fold takes those with the largest recall too, of equals the first, and the
    table names them in ``features``.

    Raises DataError where a fold has fewer than two classes to learn from.
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
    """Always the class with the most training clips of the fold, of equals the first of the classes."""
    answers = np.full((1, len(task.labels)), -1)
    for train, _, test in task.folds:
        answers[0, test] = np.bincount(task.labels[train], minlength=len(task.classes)).argmax()
    return ClipAnswers(task.table, _hard(answers, len(task.classes)))


def _mean_recall(labels: np.ndarray, answers: np.ndarray) -> float:
    """Over the classes in ``labels`` (N,) the mean share of clips that ``answers`` (N,) name rightly."""
    return float(recall_score(labels, answers, labels=np.unique(labels), average="macro"))


def _standardised(features: np.ndarray, train: np.ndarray) -> np.ndarray:
    mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
    # What is the same in all training clips says nothing, and may differ by rounding only.
    spread = np.where(spread > 1e-7 * np.abs(features[train]).max(axis=0), spread, np.inf)
    return (features - mean) / (spread * np.sqrt(features.shape[1]))


def _hard(answers: np.ndarray, classes: int) -> np.ndarray:
    """``answers`` (seeds, C) as probabilities; NaN for -1."""
    probabilities = np.eye(classes, dtype=np.float32)[answers]
    probabilities[answers < 0] = np.nan
    return probabilities


def baseline_answers(sequences: np.ndarray, task: ClipTask, networks: int) -> dict[str, ClipAnswers]:
    """Answers of everything without an LSTM, by name, clip by clip from who never saw its person.

    ``spotted_features``, ``middle_features``, ``apex_features``, ``mean_features``: linear machines on what
    the LSTM of each seed and fold reads, ``sequences`` (S · folds, C, T, F), at one frame (``apex.PLACES``)
    or in the mean over all, once for each of the ``networks`` that gave the features: where seeds share one,
    their machines are the same; ``optical_flow``, from the onset to the apex that pixels spot, and
    ``lbp_top``, the same on these descriptions, the latter only where every clip is long enough for patterns
    over time; ``majority``. Raises as ``linear_answers``.
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
    """The study's LSTMs first, then the ``rivals`` by their slugs in ``CLIP_RIVALS``, in its order."""
    contenders = [Contender(FIRST, OURS, study.probabilities)]
    for slug, (kind, name) in CLIP_RIVALS.items():
        if slug in rivals:
            probabilities = rivals[slug].probabilities
            contenders.append(Contender(name, kind, probabilities, seeded=len(probabilities) > 1))
    return contenders
