"""What an LSTM on a trained network's features stands beside: controls, the same with something taken away,
and rivals without an LSTM, linear machines and answers given unseen.

A network that names a clip as well with its frames shuffled as in order has not used time; one that does as
well with random features has used no picture; the features of an untrained network are a control too. Each
clip is answered by a machine that never saw its person: scaling and weights come from the training clips of a
fold alone, the penalty from its validation people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import recall_score
from sklearn.svm import SVC

from book.micro_expressions.lbp_top import candidate_features
from book.micro_expressions.leave_one_out import (
    ClipFold,
    ClipStudy,
    fold_labels,
    fold_table,
    leave_one_out,
    require_apart,
)
from book.micro_expressions.optical_flow import flow_features
from fer_lib.faces.clips import Clips
from fer_lib.faces.frames import FEWEST_FRAMES
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.contest import BASELINE, CONTROL, NULL, OURS, Contender
from fer_lib.train import learner
from fer_lib.train.au_heads import unit_network
from fer_lib.train.clips import ClipRecipe
from fer_lib.train.features import clip_features, difference_to_onset
from fer_lib.train.precision import Precision, Request
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, require_name

CONTROLS = ("shuffled", "reversed", "apex_only", "onset_only", "random_features")
"""What ``controlled`` can take away. ``shuffled``: the frames of each clip in an order drawn at random, what
is shown stays, when goes. ``reversed``: from the last to the first, rise and fall change places.
``apex_only``: one frame per clip, that nearest to the apex. ``onset_only``: the face at rest.
``random_features``: normal random numbers, fixed for each picture, nothing of the picture is left.
"""

UNTRAINED, AS_THEY_ARE = "untrained", "features"
"""Names of the controls beside ``CONTROLS``: features of an untrained network, and features that no onset was
taken from.
"""

RIVALS: dict[str, tuple[str, str]] = {
    AS_THEY_ARE: (CONTROL, "no difference to onset"),
    "shuffled": (CONTROL, "frames shuffled"),
    "reversed": (CONTROL, "frames reversed"),
    "apex_only": (CONTROL, "apex only"),
    "onset_only": (CONTROL, "onset only"),
    UNTRAINED: (CONTROL, "untrained CNN"),
    "random_features": (CONTROL, "random features"),
    "tuned": (CONTROL, "CNN fine-tuned per fold"),
    "apex_features": (BASELINE, "apex features, SVM"),
    "optical_flow": (BASELINE, "optical flow, SVM"),
    "lbp_top": (BASELINE, "LBP-TOP, SVM"),
    "majority": (NULL, "majority-class baseline"),
    "chance": (NULL, "guessing"),
}
"""Slug -> kind and name of whatever the study stands beside, in the order to be shown."""

SLUGS = {name: slug for slug, (_, name) in RIVALS.items()}

FIRST = "LSTM on the CNN's features"


def controlled(features: np.ndarray, clips: Clips, name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The sequences ``features`` (…, C, T, F) of ``clips`` changed as the control ``name`` says, and their
    lengths: float32 (…, C, T', F), int64 (C,).

    T' is T, or 1 where one frame is kept; beyond a clip's end all is zero. ``features`` are what the
    classifier would be given: a difference to the onset is taken before, so that the onset stays the first
    frame filmed and not the first one shuffled. As ``control`` of ``micro_expressions.leave_one_out``
    serves ``functools.partial(controlled, clips=clips, name=name, seed=seed)``. ``seed`` draws the orders,
    one per clip, and the random features, one row per picture of ``clips.faces``: a picture has the same ones
    wherever it stands. A clip of few frames may be drawn in the order it had.

    Raises ParameterError for an unknown name.
    """
    features, lengths = np.asarray(features, np.float32), clips.lengths
    require_name("control", name, CONTROLS)
    generator = np.random.default_rng(seed)
    if name == "shuffled":
        changed = _reordered(features, clips, generator.random(clips.rows.shape))
    elif name == "reversed":
        changed = _reordered(features, clips, -clips.frames)
    elif name == "apex_only":
        changed = _taken(features, clips.apex_at[:, None])
    elif name == "onset_only":
        changed = features[..., :1, :].copy()
    else:
        drawn = generator.standard_normal((len(clips.faces), features.shape[-1]), np.float32)
        sequences = np.where(clips.inside[:, :, None], drawn[clips.rows], np.float32(0))
        changed = np.broadcast_to(sequences, features.shape).copy()
    return changed, np.ones_like(lengths) if name.endswith("_only") else lengths.copy()


def _reordered(features: np.ndarray, clips: Clips, place: np.ndarray) -> np.ndarray:
    """Frames in ascending order of ``place`` (C, T), those beyond a clip's end behind all others."""
    return _taken(features, np.argsort(np.where(clips.inside, place, np.inf), axis=1, kind="stable"))


def _taken(features: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames of ``features`` (…, C, T, F) at ``places`` (C, T')."""
    leading = (1,) * (features.ndim - 3)
    return np.take_along_axis(features, places.reshape(*leading, *places.shape, 1), axis=-2)


STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
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
    strengths: Sequence[float] = STRENGTHS,
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


def majority_answers(clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]) -> ClipAnswers:
    """Always the class with the most training clips of the fold, of equals the first of ``classes``. Raises
    DataError as ``linear_answers``.
    """
    labels = fold_labels(clips, classes, folds)
    answers = np.full((1, len(labels)), -1)
    for train, _, test in folds:
        answers[0, test] = np.bincount(labels[train], minlength=len(classes)).argmax()
    return ClipAnswers(fold_table(clips, labels, classes, folds), _hard(answers, len(classes)))


def chance_answers(
    clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold], seeds: Sequence[int]
) -> ClipAnswers:
    """Every class as likely as any other, drawn anew from each of ``seeds``. Raises DataError as
    ``linear_answers``.
    """
    labels = fold_labels(clips, classes, folds)
    drawn = [np.random.default_rng(seed).integers(len(classes), size=len(labels)) for seed in seeds]
    tested = np.isin(np.arange(len(labels)), np.concatenate([test for _, _, test in folds]))
    answers = np.where(tested, np.array(drawn), -1)
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


def tuned_features(
    model: Classifier,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: Recipe,
    *,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> np.ndarray:
    """float32 (folds, C, T, F): the features of all ``clips`` by a network of each fold's own, as
    ``leave_one_out`` takes them.

    Each network starts with the body of ``model`` and a new last layer drawn with ``seed``, learns by
    ``recipe`` to name the emotion of the apex frames of its fold's training clips, and keeps the epoch that
    those of its validation clips choose. Of ``classes`` it learns those that its training clips show. It
    never sees the subject that is tested. ``model`` stays as it is. The features are kept, the training is
    not.

    Raises DataError as ``require_apart`` and where a fold has fewer than two classes to learn from or no
    validation clip of them; and as ``train.learner.train``.
    """
    require_apart(clips, folds)
    found = []
    for number, fold in enumerate(folds):
        shown = set(clips.emotions[fold[0]])
        known = tuple(emotion for emotion in classes if emotion in shown)
        parts = [part[np.isin(clips.emotions[part], known)] for part in fold[:2]]
        if len(known) < 2 or not len(parts[1]):
            raise DataError(
                f"fold {number}: training clips of {', '.join(known) or 'no class'} and {len(parts[1])} "
                "validation clips of these; a network needs two classes to learn from and clips to select on"
            )
        chosen = np.concatenate(parts)
        apices = clips.faces.select(clips.rows[chosen, clips.apex_at[chosen]])
        apices = apices.assign(split=np.repeat(["train", "valid"], [len(part) for part in parts]))
        # A new last layer on the old body is the same thing for classes as for action units.
        network = unit_network(model, len(known), keep_body=True, seed=seed)
        settings = {"precision": precision, "device": device, "seed": seed}
        precision = learner.train(apices, network, known, recipe, **settings).precision
        found.append(clip_features(network, clips))
    return np.stack(found)


def control_studies(
    features: np.ndarray,
    untrained: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: ClipRecipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> dict[str, ClipStudy]:
    """The study of ``micro_expressions.leave_one_out`` by one ``recipe``, once for each thing that may
    be taken away, by its name.

    The names: those of ``micro_expressions.rivals.CONTROLS``; ``AS_THEY_ARE``, the features without a
    difference to the onset; ``UNTRAINED``, those of another network, ``untrained`` float32 (C, T, F').
    ``seed`` draws what a control draws. Raises as ``leave_one_out``.
    """
    study = partial(
        leave_one_out,
        clips=clips,
        classes=classes,
        folds=folds,
        recipe=recipe,
        seeds=seeds,
        device=device,
        watch_test=False,
    )
    found = {
        name: study(features, control=partial(controlled, clips=clips, name=name, seed=seed))
        for name in CONTROLS
    }
    found[AS_THEY_ARE] = study(features, recipe=replace(recipe, input="features"))
    found[UNTRAINED] = study(untrained)
    return found


TUNING = Recipe(epochs=10, lr=0.003)
"""Of the CNN, per fold: a tenth of the rate that it was taught with, so that what it knows of expressions is
changed and not replaced.
"""


def tuned_study(
    model: Classifier,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: ClipRecipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> ClipStudy:
    """The study on features of a CNN of each fold's own: ``model``, fine-tuned by ``TUNING`` on the apex
    frames of the fold's training people.

    ``seed`` draws the new last layers. Raises as ``micro_expressions.rivals.tuned_features`` and
    ``leave_one_out``.
    """
    # In one number format wherever it runs, so that another machine's choice changes no result.
    how = {"precision": "fp32", "device": device, "seed": seed}
    features = tuned_features(model, clips, classes, folds, TUNING, **how)
    return leave_one_out(features, clips, classes, folds, recipe, seeds, device=device, watch_test=False)


def baseline_answers(
    features: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    *,
    seed: int = 0,
) -> dict[str, ClipAnswers]:
    """Answers of everything without an LSTM, by name, clip by clip from who never saw its person.

    ``apex_features``: a linear machine on what the ``features`` (C, T, F) at the apex differ from those at
    the onset; ``optical_flow`` and ``lbp_top``, the same on these descriptions, the latter only where every
    clip is long enough for patterns over time; ``majority`` and ``chance``. Raises as ``linear_answers``.
    """
    moved = difference_to_onset(features, clips.lengths)
    described = {
        "apex_features": moved[np.arange(len(clips)), clips.apex_at],
        "optical_flow": flow_features(clips),
    }
    if clips.lengths.min() >= FEWEST_FRAMES:
        described["lbp_top"] = candidate_features(clips)
    found = {name: linear_answers(given, clips, classes, folds) for name, given in described.items()}
    found["majority"] = majority_answers(clips, classes, folds)
    found["chance"] = chance_answers(clips, classes, folds, [seed])
    return found


def contenders(study: ClipStudy, rivals: Mapping[str, ClipStudy | ClipAnswers]) -> list[Contender]:
    """The study's LSTMs first, then the ``rivals`` by their slugs in ``RIVALS``, in its order."""
    found = [Contender(FIRST, OURS, study.probabilities)]
    for slug, (kind, name) in RIVALS.items():
        if slug in rivals:
            given = rivals[slug]
            found.append(Contender(name, kind, given.probabilities, seeded=isinstance(given, ClipStudy)))
    return found
