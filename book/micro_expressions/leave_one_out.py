"""Leave one subject out: LSTMs on clips, each tested on the person whom it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from fer_lib.faces.clips import Clips
from fer_lib.nets.lstm import ClipLSTM
from fer_lib.train.clips import ClipInput, ClipRecipe, ClipTraining, train_clips
from fer_lib.train.features import difference_to_onset
from ferbook.errors import DataError, ParameterError

ClipFold = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Clips to learn from, to select on and to test on, int64 indices."""

Control = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the features (C, T, F) that an LSTM would be given to others in their place, and their lengths (C,).
"""


@dataclass(frozen=True, eq=False)
class ClipStudy:
    """A study of S seeds on C clips, every fold from every seed.

    ``table``: one row per fold and seed with ``fold`` (from 0), ``subject`` (tested; several separated by
    commas), ``seed``, ``recipe`` (index of the one chosen in ``recipes``), ``best_epoch``, ``valid_loss``, by
    which recipe and epoch were chosen, and ``valid_score`` (mean recall); ``train_clips``, ``valid_clips``,
    ``test_clips``; ``absent``: classes without a training clip, separated by commas: such a network is never
    shown the class and hardly ever answers it, so those of the tested clips that show it count as they fall,
    mostly wrong.

    ``probabilities`` float32 (S, C, classes): each clip by the networks that never saw its subject; NaN for
    clips that no fold tests. ``networks``: one ``ClipLSTM`` per row of ``table``. ``curves``: one row per
    recipe, fold, seed and epoch with ``train_loss``, ``valid_loss``, ``valid_score``.

    Only where the test subjects were watched, to show what looking costs: ``test_accuracy`` in ``curves``,
    and ``chosen_on_test``, like ``probabilities``, but of the recipe and epoch that answered best about the
    very subject that is tested (of equals the lowest test loss). Nothing else depends on them.
    """

    classes: tuple[str, ...]
    recipes: tuple[ClipRecipe, ...]
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
    recipes: Sequence[ClipRecipe],
    seeds: Sequence[int],
    *,
    control: Control | None = None,
    device: torch.device | str = "cpu",
    watch_test: bool = True,
) -> ClipStudy:
    """Train an LSTM for each fold and seed by each of ``recipes``, and ask the one that validation chooses
    about the fold's test clips.

    ``features`` float32 (C, T, F) of ``clips`` (``train.features.clip_features``), or (folds, C, T, F) where
    each fold has its own. ``folds`` as of ``faces.folds.clip_folds``. Scaling and class weights come from a
    fold's training clips; recipe and epoch are chosen by the lowest loss of its validation clips (of equals
    the first). ``control`` changes what each recipe's LSTM is given: the features, or their differences to
    the onset, after these were taken. All networks of a recipe are trained in one program.

    Raises DataError as ``require_apart``, and where ``features`` do not belong to ``clips`` and ``folds``;
    ParameterError for no recipe, no fold, no seed or one twice; and as ``train_clips``.
    """
    recipes, seeds = tuple(recipes), tuple(seeds)
    for name, given in (("recipe", recipes), ("seed", seeds), ("fold", folds)):
        if not len(given):
            raise ParameterError(f"a study of clips needs at least one {name}")
    if len(set(seeds)) < len(seeds):
        raise ParameterError(f"a seed is named twice in {', '.join(map(str, seeds))}")
    require_apart(clips, folds)
    count = len(clips)
    expected = (len(folds), count)[-(features.ndim - 2) :]
    if features.ndim not in (3, 4) or features.shape[:-2] != expected:
        raise DataError(
            f"features of shape {features.shape} for {count} clips and {len(folds)} folds; give (clips, "
            "frames, features), or (folds, clips, frames, features)"
        )
    train, valid, test = (_masks(folds, part, count) for part in range(3))
    used = (train | valid | test).any(axis=0)
    labels = np.zeros(count, np.int64)
    labels[used] = clips.select(used).labels(classes)
    trainings = [
        _trained(
            features, clips, recipe, control, (train, valid), labels, len(classes), seeds, device, watch_test
        )
        for recipe in recipes
    ]
    return _study(trainings, clips, classes, recipes, (train, valid, test), labels, seeds)


def _trained(
    features: np.ndarray,
    clips: Clips,
    recipe: ClipRecipe,
    control: Control | None,
    parts: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
    n_classes: int,
    seeds: tuple[int, ...],
    device: torch.device | str,
    watch: bool,
) -> ClipTraining:
    """Networks fold by fold within seed: the network of fold f and the s-th seed is number s · folds + f."""
    given, lengths = clip_input(features, clips.lengths, recipe.input), clips.lengths
    if control is not None:
        given, lengths = control(given)
    given, lengths = sampled(given, lengths, recipe.frames)
    train, valid = (np.tile(part, (len(seeds), 1)) for part in parts)
    if given.ndim == 4:
        given = np.concatenate([given] * len(seeds))
    each = np.repeat(seeds, len(parts[0])).tolist()
    return train_clips(
        given, lengths, labels, n_classes, train, valid, each, recipe, device=device, watch=watch
    )


def clip_input(features: np.ndarray, lengths: np.ndarray, kind: ClipInput) -> np.ndarray:
    """What an LSTM is given of ``features`` (…, C, T, F): those, their differences to the onset's, or both
    side by side (…, 2F).
    """
    if kind == "features":
        return features
    difference = difference_to_onset(features, lengths)
    return difference if kind == "difference" else np.concatenate([features, difference], axis=-1)


def sampled(features: np.ndarray, lengths: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """``frames`` of each clip's frames, evenly spaced from the first to the last, and their number (C,); 0
    leaves all.

    ``features`` (…, C, T, F). A clip of no more frames keeps its own. Raises ParameterError for fewer than
    two.
    """
    lengths = np.asarray(lengths)
    if frames == 0:
        return features, lengths
    if frames < 2:
        raise ParameterError(f"frames {frames}: give at least 2, or 0 for all")
    kept = np.minimum(lengths, frames)
    steps = np.arange(kept.max())
    share = steps / np.maximum(kept - 1, 1)[:, None]
    places = np.rint(np.minimum(share, 1) * (lengths - 1)[:, None]).astype(np.int64)
    chosen = np.take_along_axis(
        features, places.reshape(*(1,) * (features.ndim - 3), *places.shape, 1), axis=-2
    )
    return chosen * (steps < kept[:, None])[..., None].astype(features.dtype), kept


def _masks(folds: Sequence[ClipFold], part: int, count: int) -> np.ndarray:
    masks = np.zeros((len(folds), count), bool)
    for number, fold in enumerate(folds):
        masks[number, fold[part]] = True
    return masks


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


def _study(
    trainings: list[ClipTraining],
    clips: Clips,
    classes: tuple[str, ...],
    recipes: tuple[ClipRecipe, ...],
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    labels: np.ndarray,
    seeds: tuple[int, ...],
) -> ClipStudy:
    train, _, test = parts
    folds, count = test.shape
    curves = _curves(trainings, folds, seeds, test, labels)
    chosen = _first(curves.sort_values("valid_loss", kind="stable"))
    rows, networks = [], []
    probabilities = np.full((len(seeds), count, len(classes)), np.nan, np.float32)
    for row in chosen.itertuples():
        fold, at = row.fold, seeds.index(row.seed)
        training, network = trainings[row.recipe], at * folds + row.fold
        probabilities[at, test[fold]] = training.probabilities[network, test[fold]]
        networks.append(training.model.alone(network))
        present = set(labels[train[fold]])
        rows.append(
            {
                "fold": fold,
                "subject": ", ".join(sorted(set(np.asarray(clips.subjects)[test[fold]]))),
                "seed": row.seed,
                "recipe": row.recipe,
                "best_epoch": row.epoch,
                "valid_score": row.valid_score,
                "valid_loss": row.valid_loss,
                **{
                    f"{name}_clips": int(part[fold].sum())
                    for name, part in zip(("train", "valid", "test"), parts, strict=True)
                },
                "absent": ", ".join(name for k, name in enumerate(classes) if k not in present),
            }
        )
    flattered = None
    if trainings[0].history is not None:
        flattered = np.full_like(probabilities, np.nan)
        by_test = curves.sort_values(["test_accuracy", "test_loss"], ascending=[False, True], kind="stable")
        for row in _first(by_test).itertuples():
            at = seeds.index(row.seed)
            seen = trainings[row.recipe].history[row.epoch - 1, at * folds + row.fold]
            flattered[at, test[row.fold]] = seen[test[row.fold]]
        curves = curves.drop(columns="test_loss")
    return ClipStudy(classes, recipes, pd.DataFrame(rows), probabilities, tuple(networks), curves, flattered)


def _curves(
    trainings: list[ClipTraining], folds: int, seeds: tuple[int, ...], test: np.ndarray, labels: np.ndarray
) -> pd.DataFrame:
    parts = []
    for number, training in enumerate(trainings):
        curve = training.curve
        part = curve.assign(
            recipe=number,
            fold=curve["network"] % folds,
            seed=np.asarray(seeds)[curve["network"] // folds],
        ).drop(columns="network")
        if training.history is not None:
            tested = np.tile(test, (len(seeds), 1))
            counts = tested.sum(axis=1)
            # The history is (epochs, networks, clips, classes); the curve goes network by network.
            right = ((training.history.argmax(axis=3) == labels) & tested).sum(axis=2) / counts
            said = np.take_along_axis(training.history, labels[None, None, :, None], axis=3)[..., 0]
            loss = -(np.log(np.maximum(said, np.finfo(np.float32).tiny)) * tested).sum(axis=2) / counts
            part = part.assign(test_accuracy=right.T.ravel(), test_loss=loss.T.ravel())
        parts.append(part)
    curves = pd.concat(parts, ignore_index=True)
    first = ["recipe", "fold", "seed", "epoch"]
    return curves[first + [column for column in curves if column not in first]]


def _first(curves: pd.DataFrame) -> pd.DataFrame:
    """The first row of each fold and seed, in the order of these."""
    return curves.groupby(["fold", "seed"], sort=False).head(1).sort_values(["fold", "seed"])
