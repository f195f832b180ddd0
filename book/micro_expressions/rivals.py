"""What an LSTM on a trained network's features stands beside: controls, the same with something taken away,
and rivals without an LSTM, linear machines and answers given unseen.

An LSTM that names a clip as well with its frames shuffled as in order has not used time; one that does as
well on the apex alone, shown to the same cells as often, has not used the others. Each clip is answered by a
machine that never saw its person: scaling and weights come from the training clips of a fold alone, the
penalty from its validation people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score
from sklearn.svm import SVC

from book.micro_expressions.lbp_top import candidate_features
from book.micro_expressions.leave_one_out import (
    ClipFold,
    ClipStudy,
    fold_labels,
    fold_table,
    leave_one_out,
)
from book.micro_expressions.optical_flow import flow_features
from fer_lib.faces.clips import Clips
from fer_lib.faces.frames import FEWEST_FRAMES
from fer_lib.stats.contest import BASELINE, CONTROL, NULL, OURS, Contender
from fer_lib.train.features import difference_to_onset
from ferbook.errors import DataError, require_name

CONTROLS = ("shuffled", "matched_apex")
"""What ``controlled`` can take away. ``shuffled``: the frames of each clip in an order drawn at random, what
is shown stays, when goes. ``matched_apex``: the frame nearest to the apex in the place of each, for the same
cells, weights and steps as what it stands beside.
"""

UNTRAINED = "untrained"
"""Name of the control beside ``CONTROLS``: features of an untrained network."""

CLIP_RIVALS: dict[str, tuple[str, str]] = {
    "shuffled": (CONTROL, "frames shuffled"),
    "matched_apex": (CONTROL, "apex repeated"),
    UNTRAINED: (CONTROL, "untrained CNN"),
    "apex_features": (BASELINE, "apex features, SVM"),
    "optical_flow": (BASELINE, "optical flow, SVM"),
    "lbp_top": (BASELINE, "LBP-TOP, SVM"),
    "majority": (NULL, "majority-class baseline"),
}
"""Slug -> kind and name of whatever the study stands beside, in the order to be shown."""

SLUGS = {name: slug for slug, (_, name) in CLIP_RIVALS.items()}

FIRST = "LSTM"
"""The contender that the page is about: LSTMs on the features of trained networks."""


def controlled(features: np.ndarray, clips: Clips, name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The sequences ``features`` (…, C, T, F) of ``clips`` changed as the control ``name`` says, and their
    lengths: float32 (…, C, T, F), int64 (C,); beyond a clip's end all is zero.

    ``features`` are what the classifier would be given: a difference to the onset is taken before, so that
    the onset stays the first frame filmed and not the first one shuffled. As ``control`` of
    ``micro_expressions.leave_one_out`` serves ``functools.partial(controlled, clips=clips, name=name,
    seed=seed)``. ``seed`` draws the orders, one per clip. A clip of few frames may be drawn in the order it
    had.

    Raises ParameterError for an unknown name.
    """
    features = np.asarray(features, np.float32)
    require_name("control", name, CONTROLS)
    if name == "shuffled":
        place = np.random.default_rng(seed).random(clips.rows.shape)
        # What is beyond a clip's end stays there.
        order = np.argsort(np.where(clips.inside, place, np.inf), axis=1, kind="stable")
        changed = _taken(features, order)
    else:
        apex = _taken(features, clips.apex_at[:, None])
        changed = np.where(clips.inside[..., None], apex, np.float32(0))
    return changed, clips.lengths.copy()


def _taken(features: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames of ``features`` (…, C, T, F) at ``places`` (C, T')."""
    leading = (1,) * (features.ndim - 3)
    return np.take_along_axis(features, places.reshape(*leading, *places.shape, 1), axis=-2)


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
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    *,
    strengths: Sequence[float] = SVM_STRENGTHS,
) -> ClipAnswers:
    """Linear support vector machines on ``features`` (C, F), one per fold and pair of classes.

    Features are standardised by the training clips (one that is the same in all of them becomes 0) and
    divided by √F, so that one set of ``strengths`` serves vectors of every length. Clips count by the inverse
    of their class's frequency. The strength is the one with the largest mean recall of the classes that the
    validation clips show, the smallest of equals; those clips are not learned from. Of several ``features``,
    given by their names, each fold takes those with the largest recall too, of equals the first, and the
    table names them in ``features``.

    Raises DataError where somebody is on two sides of a fold, a clip is tested twice or a fold has fewer than
    two classes to learn from.
    """
    named = features if isinstance(features, Mapping) else {"": features}
    named = {name: np.asarray(given, np.float64) for name, given in named.items()}
    labels = fold_labels(clips, classes, folds)
    answers = np.full((1, len(labels)), -1)
    found = []
    for number, (train, valid, test) in enumerate(folds):
        if len(np.unique(labels[train])) < 2:
            raise DataError(
                f"fold {number} has training clips of {classes[labels[train[0]]]!r} only; take more people "
                "or more classes"
            )
        best = -1.0
        for name, given in named.items():
            scaled = _standardised(given, train)
            kernel = scaled @ scaled[train].T
            for strength in sorted(strengths):
                machine = SVC(C=strength, kernel="precomputed", class_weight="balanced")
                machine.fit(kernel[train], labels[train])
                score = mean_recall(labels[valid], machine.predict(kernel[valid]))
                if score > best:
                    best, chosen = score, {"strength": strength, "valid_score": score}
                    chosen |= {"features": name} if name else {}
                    answers[0, test] = machine.predict(kernel[test])
        found.append(chosen)
    table = fold_table(clips, labels, classes, folds).join(pd.DataFrame(found))
    return ClipAnswers(table, _hard(answers, len(classes)))


def majority_of_folds(clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]) -> ClipAnswers:
    """Always the class with the most training clips of the fold, of equals the first of ``classes``. Raises
    DataError as ``linear_answers``.
    """
    labels = fold_labels(clips, classes, folds)
    answers = np.full((1, len(labels)), -1)
    for train, _, test in folds:
        answers[0, test] = np.bincount(labels[train], minlength=len(classes)).argmax()
    return ClipAnswers(fold_table(clips, labels, classes, folds), _hard(answers, len(classes)))


def mean_recall(labels: np.ndarray, answers: np.ndarray) -> float:
    """Mean over the classes in ``labels`` (N,) of the share of their clips that ``answers`` (N,) name
    rightly.
    """
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


def control_studies(
    given: np.ndarray, clips: Clips, names: Sequence[str] = CONTROLS, *, seed: int = 0, **task: object
) -> dict[str, ClipStudy]:
    """The study of ``micro_expressions.leave_one_out``, once for each of ``names`` of ``CONTROLS`` that is
    taken away from ``given``. ``task``: the further arguments of ``leave_one_out``. ``seed`` draws what a
    control draws.
    """
    return {
        name: leave_one_out(
            given, clips, control=partial(controlled, clips=clips, name=name, seed=seed), **task
        )
        for name in names
    }


def baseline_answers(
    features: Sequence[np.ndarray], clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]
) -> dict[str, ClipAnswers]:
    """Answers of everything without an LSTM, by name, clip by clip from who never saw its person.

    ``apex_features``: linear machines on what each of the ``features``, (C, T, F) of one CNN, at the apex
    differs from that at the onset; ``optical_flow`` and ``lbp_top``, the same on these descriptions, the
    latter only where every clip is long enough for patterns over time; ``majority``. Raises as
    ``linear_answers``.
    """
    moved = [difference_to_onset(given, clips.lengths) for given in features]
    at_apex = [own[np.arange(len(clips)), clips.apex_at] for own in moved]
    each = [linear_answers(given, clips, classes, folds) for given in at_apex]
    together = np.concatenate([own.probabilities for own in each])
    described = {"optical_flow": flow_features(clips)}
    if clips.lengths.min() >= FEWEST_FRAMES:
        described["lbp_top"] = candidate_features(clips)
    found = {"apex_features": ClipAnswers(each[0].table, together)}
    found |= {name: linear_answers(given, clips, classes, folds) for name, given in described.items()}
    return found | {"majority": majority_of_folds(clips, classes, folds)}


def clip_contenders(study: ClipStudy, rivals: Mapping[str, ClipStudy | ClipAnswers]) -> list[Contender]:
    """The study's LSTMs first, then the ``rivals`` by their slugs in ``CLIP_RIVALS``, in its order."""
    found = [Contender(FIRST, OURS, study.probabilities)]
    for slug, (kind, name) in CLIP_RIVALS.items():
        if slug in rivals:
            given = rivals[slug]
            found.append(Contender(name, kind, given.probabilities, seeded=len(given.probabilities) > 1))
    return found
