"""Leave one subject out: LSTMs on clips, each tested on the person whom it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from fer_lib.faces.clips import Clips
from fer_lib.nets.lstm import ClipLSTM
from fer_lib.train.clips import ClipRecipe, train_clips
from fer_lib.train.features import difference_to_onset
from ferbook.errors import DataError

ClipFold = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Clips to learn from, to select on and to test on, int64 indices."""

Control = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the features (C, T, F) that an LSTM would be given to others in their place, and their lengths (C,).
"""


@dataclass(frozen=True, eq=False)
class ClipStudy:
    """A study of S seeds on C clips, every fold from every seed.

    ``table``: one row per fold and seed, that of ``fold_table`` with ``seed`` and ``best_epoch``, chosen by
    the validation loss. A network is never shown a class that is ``absent`` and hardly ever answers it, so
    those of the tested clips that show it count as they fall, mostly wrong.

    ``probabilities`` float32 (S, C, classes): each clip by the networks that never saw its subject; NaN for
    clips that no fold tests. ``networks``: one ``ClipLSTM`` per row of ``table``. ``curves``: one row per
    seed, fold and epoch with ``train_loss``, ``valid_loss``, ``valid_score``.

    Only where the test subjects were watched, to show what looking costs: ``test_accuracy`` in ``curves``,
    and ``chosen_on_test``, like ``probabilities``, but of the epoch that answered best about the very subject
    that is tested (of equals the lowest test loss). Nothing else depends on them.
    """

    classes: tuple[str, ...]
    table: pd.DataFrame
    probabilities: np.ndarray
    networks: tuple[ClipLSTM, ...]
    curves: pd.DataFrame
    chosen_on_test: np.ndarray | None


def leave_one_out(
    features: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: ClipRecipe,
    seeds: Sequence[int],
    *,
    control: Control | None = None,
    device: torch.device | str = "cpu",
    watch_test: bool = True,
) -> ClipStudy:
    """Train an LSTM for each fold and seed by ``recipe``, and ask it about the fold's test clips.

    ``features`` float32 (C, T, F) of ``clips`` (``train.features.clip_features``), or (folds, C, T, F) where
    each fold has its own. ``folds`` as of ``faces.folds.clip_folds``. Scaling and class weights come from a
    fold's training clips; the epoch is that with the lowest loss of its validation clips (of equals the
    first). ``control`` changes what the LSTMs are given: the features, or their differences to the onset,
    after these were taken. All networks are trained in one program.

    Raises DataError as ``require_apart``, and where ``features`` do not belong to ``clips`` and ``folds``;
    and as ``train_clips``.
    """
    labels = fold_labels(clips, classes, folds)
    expected = (len(folds), len(clips))[-(features.ndim - 2) :]
    if features.ndim not in (3, 4) or features.shape[:-2] != expected:
        raise DataError(
            f"features of shape {features.shape} for {len(clips)} clips and {len(folds)} folds; give (clips, "
            "frames, features), or (folds, clips, frames, features)"
        )
    lengths = clips.lengths
    given = features if recipe.input == "features" else difference_to_onset(features, lengths)
    if control is not None:
        given, lengths = control(given)
    if given.ndim == 4:
        given = np.concatenate([given] * len(seeds))
    # Fold by fold within seed: the network of fold f and the s-th seed is number s · folds + f.
    train, valid, test = (
        np.array([np.isin(np.arange(len(clips)), fold[part]) for fold in folds] * len(seeds))
        for part in range(3)
    )
    each = np.repeat(seeds, len(folds))
    settings = {"device": device, "watch": watch_test}
    training = train_clips(
        given, lengths, labels, len(classes), train, valid, each.tolist(), recipe, **settings
    )
    network = training.curve["network"]
    curves = training.curve.assign(fold=network % len(folds), seed=each[network]).drop(columns="network")
    flattered = None
    if training.history is not None:
        counts = test.sum(axis=1)
        # The history is (epochs, networks, clips, classes); the curve goes network by network.
        right = ((training.history.argmax(axis=3) == labels) & test).sum(axis=2) / counts
        said = np.take_along_axis(training.history, labels[None, None, :, None], axis=3)[..., 0]
        loss = -(np.log(np.maximum(said, np.finfo(np.float32).tiny)) * test).sum(axis=2) / counts
        curves = curves.assign(test_accuracy=right.T.ravel())
        best = np.lexsort((loss, -right), axis=0)[0]
        flattered = _of_the_tested(training.history[best, np.arange(len(best))], folds)
    table = fold_table(clips, labels, classes, folds).merge(pd.DataFrame({"seed": seeds}), how="cross")
    by_fold = np.arange(len(each)).reshape(len(seeds), len(folds)).T.ravel()
    return ClipStudy(
        classes,
        table.assign(best_epoch=training.best_epoch[by_fold]),
        _of_the_tested(training.probabilities, folds),
        tuple(training.model.alone(number) for number in by_fold.tolist()),
        curves,
        flattered,
    )


def _of_the_tested(answers: np.ndarray, folds: Sequence[ClipFold]) -> np.ndarray:
    """float32 (S, C, classes): of the ``answers`` (S · folds, C, classes) about each clip those of the
    networks that it tests, NaN where there are none.
    """
    kept = np.full((len(answers) // len(folds), *answers.shape[1:]), np.nan, np.float32)
    for number, (_, _, test) in enumerate(folds):
        kept[:, test] = answers[number :: len(folds), test]
    return kept


def fold_labels(clips: Clips, classes: tuple[str, ...], folds: Sequence[ClipFold]) -> np.ndarray:
    """int64 (C,): the classes of the clips that are on a side of a fold, 0 of the others. Raises DataError
    as ``require_apart``.
    """
    require_apart(clips, folds)
    used = np.unique(np.concatenate([part for fold in folds for part in fold]))
    labels = np.zeros(len(clips), np.int64)
    labels[used] = clips.select(used).labels(classes)
    return labels


def fold_table(
    clips: Clips, labels: np.ndarray, classes: tuple[str, ...], folds: Sequence[ClipFold]
) -> pd.DataFrame:
    """One row per fold with ``fold`` (from 0), ``subject`` (tested; several separated by commas), ``clips``
    (tested) and ``absent``, the classes without a training clip, separated by commas; ``labels`` (C,).
    """
    rows = [
        {
            "fold": number,
            "subject": ", ".join(sorted(set(clips.subjects[test]))),
            "clips": len(test),
            "absent": ", ".join(np.delete(classes, np.unique(labels[train]))),
        }
        for number, (train, _, test) in enumerate(folds)
    ]
    return pd.DataFrame(rows)


def require_apart(clips: Clips, folds: Sequence[ClipFold]) -> None:
    """Raise DataError where somebody is on two sides of a fold, a part of a fold is empty, or a clip is
    tested twice.
    """
    subjects = np.asarray(clips.subjects)
    names = ("learned from", "selected on", "tested")
    for number, fold in enumerate(folds):
        sides = [set(subjects[part]) for part in fold]
        for name, side in zip(names, sides, strict=True):
            if not side:
                raise DataError(f"fold {number}: no clip that is {name}")
        for first, second in ((0, 1), (0, 2), (1, 2)):
            shared = sorted(sides[first] & sides[second])
            if shared:
                raise DataError(
                    f"fold {number}: subject {shared[0]} is both {names[first]} and {names[second]}; divide "
                    "by subject"
                )
    tested = np.bincount(np.concatenate([fold[2] for fold in folds]), minlength=len(subjects))
    if tested.max() > 1:
        raise DataError(
            f"clip {int(tested.argmax())} is tested in {tested.max()} folds; each clip is tested once"
        )
