"""Leave subjects out, one by one or in groups: LSTMs on clips, each tested on subjects that it never saw."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

import fer_lib.nets.lstm as clip_networks
import fer_lib.train.clips as clip_training
from book.checkpoints import checkpoint
from face_sets.clips import Clips
from face_sets.folds import TEN, Fold, Protocol
from fer_lib.train import learner
from fer_lib.train.clips import ClipRecipe, train_clips
from fer_lib.train.predict import difference_to_onset, scaling
from ferbook.errors import DataError
from ferbook.parameters import listed
from ferbook.steps import steps

if TYPE_CHECKING:
    from book.micro_expressions.chapter import MicroExpressionsParameters

ClipFold = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Training, validation and test clips, int64 indices."""


CHOICES = ("hidden", "pooling", "components")
"""Fields of a recipe that each fold's validation people choose if several values are given."""

CURVES = ("train_loss", "valid_loss", "test_accuracy")

TRAINED_AT_ONCE = 9000
"""Networks times clips of one training program. With few of them torch's calls take longer than what they
compute; with ten times as many the processor's cache is too small, and a step takes 1.5 times as long.
"""


def clip_recipes(p: "MicroExpressionsParameters") -> list[ClipRecipe]:
    """Return the recipes among which each fold's validation people choose."""
    choices = product(listed(p.hidden), listed(p.pooling), listed(p.components))
    return [
        ClipRecipe(p.epochs, p.lr, "onecycle", p.weight_decay, int(cells), p.dropout, states, int(components))
        for cells, states, components in choices
    ]


def leave_groups_out(protocol: Protocol, groups: int) -> Protocol:
    """Leave out groups of people where ``protocol`` leaves out one person at a time.

    Person i of the sorted people is in group i modulo ``groups``; the next tenth of the groups validates. The
    protocol does not change with 0 groups, and where it has no more folds than that.
    """
    tests = [fold.test for fold in protocol.folds]
    if not 0 < groups < len(tests):
        return protocol
    parts = [np.sort(np.concatenate(tests[group::groups])) for group in range(groups)]
    further = -(-groups // TEN)

    def fold(number: int) -> Fold:
        ahead = [parts[(number + k) % groups] for k in range(groups)]
        valid, train = ahead[1 : further + 1], ahead[further + 1 :]
        return Fold(np.sort(np.concatenate(train)), np.sort(np.concatenate(valid)), ahead[0])

    return replace(protocol, folds=tuple(map(fold, range(groups))))


@dataclass(frozen=True, eq=False)
class ClipTask:
    """C ``clips`` to be classified into ``classes`` in ``folds`` (``face_sets.folds.clip_folds``), subject
    independent; for LSTMs also S ``seeds``, the ``recipes`` and the ``device``.

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
        """int64 (C,): the class of each clip that is on a side of a fold, 0 for the others."""
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
    """S trainings of every fold on C clips.

    Attributes
    ----------
    table : DataFrame
        One row per fold and training: that of ``ClipTask.table`` with ``training`` (from 0) and what the
        validation loss chose: ``hidden`` cells, ``pooling``, ``components``, ``best_epoch``. A network hardly
        ever answers a class that is ``absent`` from its training; such tested clips count, mostly as wrong.
    probabilities : (S, C, classes) float32 array
        By networks that were not trained on the clip's subject; NaN for clips that no fold tests.
    curves : DataFrame
        One row per training, fold and epoch of the chosen networks: ``train_loss``, ``valid_loss``; if the
        tested subjects were watched also ``test_accuracy``, on which nothing else depends.
    chosen_on_test : array or None
        As ``probabilities``, of the epoch with the best answers about the tested subjects themselves (of
        equals the lowest test loss), if they were watched.
    """

    classes: tuple[str, ...]
    table: pd.DataFrame
    probabilities: np.ndarray
    curves: pd.DataFrame
    chosen_on_test: np.ndarray | None


def fold_features(features: Sequence[np.ndarray], task: ClipTask) -> np.ndarray:
    """Return what the LSTM of each seed and fold reads: principal components of differences to the onset.

    The difference to the onset removes identity and light. Scaling and components come from the frames of the
    fold's training clips.

    Parameters
    ----------
    features : sequence of (C, T, F) float32 arrays
        Of each CNN (``train.predict.clip_features``); the seeds take them in turn.
    task : ClipTask
        Its recipes say how many components are needed at most.

    Returns
    -------
    (S · folds, C, T, components) float32 array
        Zero beyond a clip's end.

    Raises
    ------
    DataError
        If features do not belong to the clips.
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
    # Of features that depend on each other only rounding is left.
    directions = (directions * (variance > 1e-6 * variance[-1]))[:, ::-1][:, :components]
    turned = ((differences - mean) / spread) @ directions
    return np.where(clips.inside[..., None], turned, 0).astype(np.float32)


def leave_one_out(sequences: np.ndarray, task: ClipTask, *, watch_test: bool = False) -> ClipStudy:
    """Train the LSTMs of all seeds and folds, and collect what they answer about the clips that they test.

    Class weights come from a fold's training clips. Recipe and epoch are those with the lowest loss of its
    validation clips (of equals the first). Folds are stored as they are finished (``book.checkpoints``).

    Parameters
    ----------
    sequences : (seeds · folds, clips, frames, features) float32 array
        What each LSTM reads, fold by fold within a seed (``fold_features``).
    task : ClipTask
        Clips, folds, recipes and seeds.
    watch_test : bool
        Also record the answers about the tested clips after each epoch, to show what choosing by them costs.

    Returns
    -------
    ClipStudy

    Raises
    ------
    DataError
        If ``sequences`` do not belong to the task, and as ``train_clips``.
    """
    clips, folds, seeds = task.clips, task.folds, task.seeds
    if sequences.shape[:2] != (len(seeds) * len(folds), len(clips)):
        raise DataError(
            f"features of shape {sequences.shape} for {len(seeds)} trainings of {len(folds)} folds on "
            f"{len(clips)} clips; give (trainings · folds, clips, frames, features)"
        )
    by_fold = sequences.reshape(len(seeds), len(folds), *sequences.shape[1:])
    size = max(1, TRAINED_AT_ONCE // (len(seeds) * len(clips)))
    blocks = [range(first, min(first + size, len(folds))) for first in range(0, len(folds), size)]
    parts = []
    with steps("folds", len(folds)) as advance:
        for block in blocks:
            parts.append(
                _trained(by_fold[:, block], replace(task, folds=folds[block[0] : block[-1] + 1]), watch_test)
            )
            advance(len(block))
    found = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

    def of_the_tested(answers: np.ndarray) -> np.ndarray:
        everyone = np.full((len(seeds), len(clips), len(task.classes)), np.nan, np.float32)
        everyone[:, np.concatenate([test for *_, test in folds])] = answers
        return everyone

    names = ["training", "fold"]
    networks = pd.MultiIndex.from_product([range(len(seeds)), range(len(folds))], names=names)
    best = found["recipe"].ravel()
    choices = {name: np.array([getattr(recipe, name) for recipe in task.recipes])[best] for name in CHOICES}
    choices["best_epoch"] = found["best_epoch"].ravel()
    epochs = range(1, found["valid_loss"].shape[2] + 1)
    every = pd.MultiIndex.from_product([*networks.levels, epochs], names=[*names, "epoch"])
    curves = {name: found[name].ravel() for name in CURVES if name in found}
    return ClipStudy(
        task.classes,
        pd.DataFrame(choices, networks).reset_index().merge(task.table, on="fold"),
        of_the_tested(found["answers"]),
        pd.DataFrame(curves, every).reset_index(),
        of_the_tested(found["chosen_on_test"]) if watch_test else None,
    )


def _trained(sequences: np.ndarray, task: ClipTask, watch: bool) -> dict[str, np.ndarray]:
    """``_train`` of a few folds, from the cache folder if they are stored there."""
    inputs = {
        "sequences": sequences,
        "lengths": task.clips.lengths,
        "labels": task.labels,
        "classes": len(task.classes),
        "folds": [[part.tolist() for part in fold] for fold in task.folds],
        "recipes": [asdict(recipe) for recipe in task.recipes],
        "seeds": list(task.seeds),
        "device": torch.device(task.device).type,
        "watch": watch,
    }
    code = [sys.modules[__name__], clip_training, clip_networks, learner]
    return checkpoint("clip_lstms", inputs, code, lambda: _train(sequences, task, watch))


def _train(sequences: np.ndarray, task: ClipTask, watch: bool) -> dict[str, np.ndarray]:
    """Train the LSTMs of S seeds and K folds by each recipe, all of a recipe in one program.

    By name: ``recipe``, ``best_epoch`` (S, K); ``CURVES`` (S, K, E); ``answers`` and ``chosen_on_test``
    (S, tested clips fold by fold, classes).
    """
    clips, labels, folds = task.clips, task.labels, task.folds
    shape = len(task.seeds), len(folds)
    train, valid, test = (
        np.array([np.isin(np.arange(len(clips)), fold[part]) for fold in folds] * shape[0])
        for part in range(3)
    )
    trainings = [
        train_clips(
            sequences.reshape(-1, *sequences.shape[2:]),
            clips.lengths,
            labels,
            len(task.classes),
            recipe,
            train=train,
            valid=valid,
            seeds=np.repeat(task.seeds, len(folds)).tolist(),
            device=task.device,
            watch=watch,
        )
        for recipe in task.recipes
    ]
    numbers = np.arange(len(train))

    def curve(name: str) -> np.ndarray:
        return np.stack([own.curve[name].to_numpy().reshape(len(train), -1) for own in trainings])

    best = curve("valid_loss").min(axis=2).argmin(axis=0)

    def chosen(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack(values)[best, numbers]

    tested = np.concatenate([fold[2] for fold in folds])
    networks = np.arange(shape[0])[:, None] * len(folds) + np.repeat(
        np.arange(len(folds)), [len(f[2]) for f in folds]
    )
    found = {
        "recipe": best.reshape(shape),
        "best_epoch": chosen([own.best_epoch for own in trainings]).reshape(shape),
        "train_loss": chosen(curve("train_loss")).reshape(*shape, -1),
        "valid_loss": chosen(curve("valid_loss")).reshape(*shape, -1),
        "answers": chosen([own.probabilities for own in trainings])[networks, tested],
    }
    if watch:
        history = chosen(
            [own.history.swapaxes(0, 1) for own in trainings]
        )  # (networks, epochs, clips, classes)
        counts, asked = test.sum(axis=1)[:, None], test[:, None]
        right = ((history.argmax(axis=3) == labels) & asked).sum(axis=2) / counts
        shares = np.take_along_axis(history, labels[None, None, :, None], axis=3)[..., 0]
        loss = -(np.log(np.maximum(shares, np.finfo(np.float32).tiny)) * asked).sum(axis=2) / counts
        first = np.lexsort((loss, -right), axis=1)[:, 0]
        found["test_accuracy"] = right.reshape(*shape, -1)
        found["chosen_on_test"] = history[numbers, first][networks, tested]
    return found


def require_folds_apart(clips: Clips, folds: Sequence[ClipFold]) -> None:
    """Raise DataError if a subject is on two sides of a fold, a side is empty, or a clip is tested twice."""
    subjects = np.asarray(clips.subjects)
    names = ("training", "validation", "test")
    for number, fold in enumerate(folds):
        sides = [set(subjects[part]) for part in fold]
        for name, side in zip(names, sides, strict=True):
            if not side:
                raise DataError(f"fold {number}: no {name} clip")
        for first, second in ((0, 1), (0, 2), (1, 2)):
            shared = sorted(sides[first] & sides[second])
            if shared:
                raise DataError(
                    f"fold {number}: subject {shared[0]} is in {names[first]} and {names[second]}; divide by "
                    "subject"
                )
    counts = np.bincount(np.concatenate([fold[2] for fold in folds]), minlength=len(subjects))
    if counts.max() > 1:
        raise DataError(
            f"clip {int(counts.argmax())} is tested in {counts.max()} folds; each clip is tested once"
        )
