"""The expression network trained on, for each fold of a clip study, on the apex frames of those whom the fold may know."""

from collections.abc import Sequence

import numpy as np
import torch

from fer_lib.errors import DataError
from fer_lib.faces.clips import Clips
from fer_lib.learn.action_units import unit_network
from fer_lib.learn.clip_study import ClipFold, require_apart
from fer_lib.learn.features import clip_features
from fer_lib.learn.learner import train
from fer_lib.learn.precision import Precision, Request
from fer_lib.learn.recipe import Recipe
from fer_lib.models.classifier import Classifier


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
    """float32 (folds, C, T, F): the features of all ``clips`` by a network of each fold's own, as ``leave_one_out`` takes them.

    Each network starts with the body of ``model`` and a new last layer drawn with ``seed``, learns by ``recipe`` to name the emotion of the
    apex frames of its fold's training clips, and keeps the epoch that those of its validation clips choose. Of ``classes`` it learns those
    that its training clips show. It never sees the subject that is tested. ``model`` stays as it is. The features are kept, the
    training is not.

    Raises DataError as ``require_apart`` and where a fold has fewer than two classes to learn from or no validation clip of them; and
    as ``learn.learner.train``.
    """
    require_apart(clips, folds)
    found = []
    for number, fold in enumerate(folds):
        network, precision = _tuned(
            model, clips, classes, fold, number, recipe, precision=precision, device=device, seed=seed
        )
        found.append(clip_features(network, clips))
    return np.stack(found)


def _tuned(
    model: Classifier,
    clips: Clips,
    classes: tuple[str, ...],
    fold: ClipFold,
    number: int,
    recipe: Recipe,
    *,
    precision: Request | Precision,
    device: torch.device | str,
    seed: int,
) -> tuple[Classifier, Precision]:
    shown = set(clips.emotions[fold[0]])
    known = tuple(emotion for emotion in classes if emotion in shown)
    parts = [part[np.isin(clips.emotions[part], known)] for part in fold[:2]]
    if len(known) < 2 or not len(parts[1]):
        raise DataError(
            f"fold {number}: training clips of {', '.join(known) or 'no class'} and {len(parts[1])} validation clips of these; a "
            "network needs two classes to learn from and clips to select on"
        )
    chosen = np.concatenate(parts)
    apices = clips.faces.select(clips.rows[chosen, clips.apex_at[chosen]])
    apices = apices.assign(split=np.repeat(["train", "valid"], [len(part) for part in parts]))
    # A new last layer on the old body is the same thing for classes as for action units.
    network = unit_network(model, len(known), keep_body=True, seed=seed)
    training = train(apices, network, known, recipe, precision=precision, device=device, seed=seed)
    return network, training.precision
