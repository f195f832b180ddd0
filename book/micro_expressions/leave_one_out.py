"""Leave one subject out: LSTMs on clips, each tested on the person whom it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from face_sets.clips import Clips
from fer_lib.train.clips import ClipRecipe, train_clips
from fer_lib.train.predict import difference_to_onset, scaling
from ferbook.errors import DataError
from ferbook.parameters import listed

if TYPE_CHECKING:
    from book.micro_expressions.chapter import MicroExpressionsParameters

ClipFold = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Clips to learn from, to select on and to test on, int64 indices."""


CHOICES = ("hidden", "pooling", "components")
"""What of a recipe each fold's validation people choose, where several are given."""


def clip_recipes(p: "MicroExpressionsParameters") -> list[ClipRecipe]:
    """Those that the parameters ``p`` of the chapter leave each fold's validation people to choose from."""
    choices = product(listed(p.hidden), listed(p.pooling), listed(p.components))
    return [
        ClipRecipe(p.epochs, p.lr, "onecycle", p.weight_decay, int(cells), p.dropout, states, int(components))
        for cells, states, components in choices
    ]


@dataclass(frozen=True, eq=False)
class ClipTask:
    """C ``clips``, to be named by ``classes`` in ``folds`` (``faces.folds.clip_folds``), each by who never
    saw its subject; for LSTMs also from which of S ``seeds``, by which ``recipes`` and on which ``device``.

    Raises DataError as ``require_folds_apart``.
    """

    clips: Clips
    classes: tuple[str, ...]
    folds: Sequence[ClipFold]
    recipes: Sequence[ClipRecipe] = ()
    seeds: Sequence[int] = (0,)
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        require_folds_apart(self.clips, self.folds)

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 (C,): the classes of the clips that are on a side of a fold, 0 of the others."""
        rows = np.unique(np.concatenate([part for fold in self.folds for part in fold]))
        labels = np.zeros(len(self.clips), np.int64)
        labels[rows] = self.clips.select(rows).labels(self.classes)
        return labels

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per fold with ``fold`` (from 0), ``subject`` (tested; several separated by commas),
        ``clips`` (tested) and ``absent``, the classes without a training clip, separated by commas.
        """
        rows = [
            {
                "fold": number,
                "subject": ", ".join(sorted(set(self.clips.subjects[test]))),
                "clips": len(test),
                "absent": ", ".join(np.delete(self.classes, np.unique(self.labels[train]))),
            }
            for number, (train, _, test) in enumerate(self.folds)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class ClipStudy:
    """A study of S trainings on C clips, every fold in each of them.

    ``table``: one row per fold and training, that of ``ClipTask.table`` with ``training`` (from 0), and what
    the validation loss chose: ``hidden`` cells, ``pooling``, ``components`` and ``best_epoch``. A network is
    never shown a class that is ``absent`` and hardly ever answers it, so those of the tested clips that show
    it count as they fall, mostly wrong.

    ``probabilities`` float32 (S, C, classes): each clip by the networks that never saw its subject; NaN for
    clips that no fold tests. ``curves``: one row per training, fold and epoch of the chosen networks with
    ``train_loss``, ``valid_loss``.

    Only where the test subjects were watched, to show what looking costs: ``test_accuracy`` in ``curves``,
    and ``chosen_on_test``, like ``probabilities``, but of the epoch that answered best about the very subject
    that is tested (of equals the lowest test loss). Nothing else depends on them.
    """

    classes: tuple[str, ...]
    table: pd.DataFrame
    probabilities: np.ndarray
    curves: pd.DataFrame
    chosen_on_test: np.ndarray | None


def fold_features(features: Sequence[np.ndarray], task: ClipTask) -> np.ndarray:
    """float32 (S · folds, C, T, components): what the LSTM of each seed and fold reads of ``features``,
    float32 (C, T, F) of each of several CNNs (``train.predict.clip_features``), which take turns by seed: as
    many components as one of the recipes of ``task`` takes at most.

    The difference to the onset, which takes out who it is and how the light falls; standardised, and turned
    to its principal components, by the frames of the fold's training clips and no other. Zero behind a clip's
    end. Raises DataError where features do not belong to the clips.
    """
    clips, sequences = task.clips, []
    components = max(recipe.components for recipe in task.recipes)
    for own in features[: len(task.seeds)]:
        if own.ndim != 3 or own.shape[:2] != clips.rows.shape:
            raise DataError(f"features of shape {own.shape} for clips of {clips.rows.shape} pictures")
        differences = difference_to_onset(own, clips.lengths)
        sequences.append([_components(differences, clips, train, components) for train, _, _ in task.folds])
    return np.concatenate([sequences[k % len(sequences)] for k in range(len(task.seeds))])


def _components(differences: np.ndarray, clips: Clips, train: np.ndarray, components: int) -> np.ndarray:
    mean, spread = scaling(differences, clips.lengths, train)
    frames = ((differences[train] - mean) / spread)[clips.inside[train]]
    variance, directions = np.linalg.eigh(frames.T @ frames)
    # Nothing is left but rounding where features depend on each other.
    directions = (directions * (variance > 1e-6 * variance[-1]))[:, ::-1][:, :components]
    turned = ((differences - mean) / spread) @ directions
    return np.where(clips.inside[..., None], turned, 0).astype(np.float32)


def leave_one_out(sequences: np.ndarray, task: ClipTask, *, watch_test: bool = False) -> ClipStudy:
    """Train an LSTM for each fold and each of the S seeds of ``task`` by each of its recipes, and ask the one
    that the fold's validation clips choose about its test clips.

    ``sequences`` float32 (S · folds, C, T, F): what each reads, fold by fold within training
    (``fold_features``). Class weights come from a fold's training clips; recipe and epoch are those with the
    lowest loss of its validation clips (of equals the first). All networks of a recipe are trained in one
    program.

    Raises DataError where ``sequences`` do not belong to the task, and as ``train_clips``.
    """
    clips, labels, folds, seeds = task.clips, task.labels, task.folds, task.seeds
    if sequences.shape[:2] != (len(seeds) * len(folds), len(clips)):
        raise DataError(
            f"features of shape {sequences.shape} for {len(seeds)} trainings of {len(folds)} folds on "
            f"{len(clips)} clips; give (trainings · folds, clips, frames, features)"
        )
    train, valid, test = (
        np.array([np.isin(np.arange(len(clips)), fold[part]) for fold in folds] * len(seeds))
        for part in range(3)
    )
    each = np.repeat(seeds, len(folds)).tolist()
    trainings = [
        train_clips(
            sequences,
            clips.lengths,
            labels,
            len(task.classes),
            recipe,
            train=train,
            valid=valid,
            seeds=each,
            device=task.device,
            watch=watch_test,
        )
        for recipe in task.recipes
    ]
    losses = [own.curve.groupby("network")["valid_loss"].min().to_numpy() for own in trainings]
    best = np.argmin(losses, axis=0)
    numbers = np.arange(len(each))
    training, fold = np.divmod(numbers, len(folds))

    def chosen(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack(values)[best, numbers]

    curves = pd.concat(own.curve[best[own.curve["network"]] == k] for k, own in enumerate(trainings))
    curves = curves.sort_values(["network", "epoch"], ignore_index=True)
    of = curves["network"].to_numpy()
    curves = curves.assign(fold=fold[of], training=training[of]).drop(columns="network")
    flattered = None
    if watch_test:
        history = chosen([np.swapaxes(own.history, 0, 1) for own in trainings]).swapaxes(0, 1)
        counts = test.sum(axis=1)
        # The history is (epochs, networks, clips, classes); the curve goes network by network.
        right = ((history.argmax(axis=3) == labels) & test).sum(axis=2) / counts
        shares = np.take_along_axis(history, labels[None, None, :, None], axis=3)[..., 0]
        loss = -(np.log(np.maximum(shares, np.finfo(np.float32).tiny)) * test).sum(axis=2) / counts
        curves = curves.assign(test_accuracy=right.T.ravel())
        first = np.lexsort((loss, -right), axis=0)[0]
        flattered = _of_the_tested(history[first, numbers], folds)
    choices = {
        "fold": fold,
        "training": training,
        **{n: np.array([getattr(r, n) for r in task.recipes])[best] for n in CHOICES},
        "best_epoch": chosen([own.best_epoch for own in trainings]),
    }
    return ClipStudy(
        task.classes,
        pd.DataFrame(choices).merge(task.table, on="fold"),
        _of_the_tested(chosen([own.probabilities for own in trainings]), folds),
        curves,
        flattered,
    )


def _of_the_tested(answers: np.ndarray, folds: Sequence[ClipFold]) -> np.ndarray:
    """float32 (S, C, classes): of the ``answers`` (S · folds, C, classes) about each clip those of the
    networks that it tests, NaN where there are none.
    """
    probabilities = np.full((len(answers) // len(folds), *answers.shape[1:]), np.nan, np.float32)
    for number, (_, _, test) in enumerate(folds):
        probabilities[:, test] = answers[number :: len(folds), test]
    return probabilities


def require_folds_apart(clips: Clips, folds: Sequence[ClipFold]) -> None:
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
    counts = np.bincount(np.concatenate([fold[2] for fold in folds]), minlength=len(subjects))
    if counts.max() > 1:
        raise DataError(
            f"clip {int(counts.argmax())} is tested in {counts.max()} folds; each clip is tested once"
        )
