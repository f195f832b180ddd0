"""Training a network to tell action units, several at a time: the positive control of what filters learn from
emotions. Structure, recipe, pictures and people are those of ``train``; only the labels differ.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import evaluating
from fer_lib.train.batches import AUGMENTATIONS, batches, split_loaders
from fer_lib.train.callbacks import ClassScore, Curve, Objective, Training
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import fit, learner_of, learner_options, recipe_optimiser, repeatable, silenced
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError, ParameterError


class UnitScore(ClassScore):
    """Binary cross-entropy of a pass, and the mean over units of the AUROC with which its outputs part
    pictures that show the unit from those that do not; units that all pictures show, or none, are left out.
    """

    criterion: ClassVar[str] = "auroc"

    def __init__(self, device: torch.device) -> None:
        self.logits: list[torch.Tensor] = []
        self.shown: list[torch.Tensor] = []

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.logits.append(logits.detach().float())
        self.shown.append(labels)

    def loss(self) -> float:
        return F.binary_cross_entropy_with_logits(torch.cat(self.logits), torch.cat(self.shown)).item()

    def value(self) -> float:
        logits = torch.cat(self.logits).cpu().numpy()
        # A training that diverged: its loss says so, and nothing is chosen by this.
        return units_auroc(torch.cat(self.shown).cpu().numpy(), logits) if np.isfinite(logits).all() else 0.0


def units_auroc(shown: np.ndarray, answers: np.ndarray) -> float:
    """The mean over units of the AUROC of ``answers`` (N, A) for ``shown`` (N, A), 1 where a picture shows
    the unit. Raises DataError where no unit is shown by some of the pictures and not by others.
    """
    told = [unit for unit in range(shown.shape[1]) if 0 < shown[:, unit].sum() < len(shown)]
    if not told:
        raise DataError(f"of {len(shown)} pictures, no unit is shown by some and not by others")
    return float(np.mean([roc_auc_score(shown[:, unit], answers[:, unit]) for unit in told]))


def unit_targets(faces: FaceSet, units: tuple[str, ...]) -> np.ndarray:
    """float32 (N, A): 1 where a picture shows the unit, with any intensity above 0, else 0.

    Raises DataError where a unit is no column of ``faces``, or was not coded of some picture.
    """
    if absent := [unit for unit in units if unit not in faces.aus]:
        raise DataError(
            f"face set {faces.name!r} has no action unit {absent[0]}; it has {', '.join(faces.aus)}"
        )
    intensities = faces.table[list(units)].to_numpy(np.float64, na_value=np.nan)
    if np.isnan(intensities).any():
        row, column = np.argwhere(np.isnan(intensities))[0]
        raise DataError(f"face set {faces.name!r}, row {row}: {units[column]} was not coded")
    return (intensities > 0).astype(np.float32)


def train_on_units(
    faces: FaceSet,
    model: nn.Module,
    units: tuple[str, ...],
    recipe: TrainingRecipe,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    checkpoints: Sequence[int] = (),
) -> Training:
    """``train`` with action units for labels: ``model`` gives a logit for each of ``units``, the loss is
    their mean binary cross-entropy, and the epoch with the highest mean AUROC of ``valid`` is kept.

    Everything else is as ``train`` does it, random numbers too: two networks of one seed, one taught
    emotions and one units, see the same pictures in the same order with the same augmentation.

    Raises as ``train``, DataError as ``unit_targets``, and ParameterError for a recipe that chooses among
    classes: another loss than cross-entropy, class weights, mixup.
    """
    if recipe.loss != "cross_entropy" or recipe.class_weights or recipe.mixup:
        raise ParameterError(
            f"loss = {recipe.loss}, class_weights = {recipe.class_weights}, mixup = {recipe.mixup}: units "
            "are learned by binary cross-entropy; leave these at their defaults"
        )
    how = {"device": device, "augmentation": AUGMENTATIONS[recipe.augment], "seed": seed}
    with repeatable(recipe, device, seed):
        loaders = split_loaders(faces, lambda part: unit_targets(part, units), recipe.batch_size, **how)
        model.to(device)
        loss = nn.BCEWithLogitsLoss()
        curve = Curve(recipe.patience, score=UnitScore, checkpoints=checkpoints)
        callbacks = [Objective(loss, loss), *learner_options(recipe, faces.size[0]), curve]
        learner = learner_of(loaders, model, loss, recipe_optimiser(recipe), callbacks, precision)
        return fit(silenced(learner), recipe)


def unit_answers(model: nn.Module, faces: FaceSet, *, device: torch.device | str = "cpu") -> np.ndarray:
    """float32 (N, A): how sure ``model`` is, from 0 to 1, that each picture of ``faces`` shows each of its
    units; in float32 and in evaluation mode.
    """
    with evaluating(model.to(device)):
        answers = [model(part).float().sigmoid() for part in batches(faces.pixels, device=device)]
    return torch.cat(answers).cpu().numpy()
