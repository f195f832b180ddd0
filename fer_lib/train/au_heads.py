"""Training on action units: one answer per unit and picture, shown or not shown, where a coder said so."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import Classifier, require_classifier
from fer_lib.train.augment import AUGMENTATIONS
from fer_lib.train.batches import target_loaders
from fer_lib.train.curve import ClassScore, Curve, Training
from fer_lib.train.learner import fit, learner_of, repeatable
from fer_lib.train.objective import Objective
from fer_lib.train.precision import Precision, Request
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError, ParameterError

TUNED_SHARE = 0.3
"""The rate at which a trained body learns on, as a share of the rate from scratch. Of 1, 0.3, 0.1 and 0.03
the one with the highest AUROC on validation pictures: residual net, ``lab`` at 32 pixels, five epochs from a
rate of 0.1, a seed that no chapter uses by default."""


class CodedCrossEntropy(nn.Module):
    """Binary cross-entropy in nats, in float32: the sum over a picture's codes, what was not coded left out;
    the mean over a batch.

    ``logits`` float (B, A), the log-odds that a picture shows each of A units; ``targets`` float (B, A): 1
    shown, 0 not shown, NaN not coded; mixed pictures (mixup) have shares between, and NaN where one of the
    two was not coded. ``weights`` float (2, A): how much a code "not shown" (first row) and "shown" counts, a
    mixed one in between. A picture without any code costs nothing.
    """

    def __init__(self, weights: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            coded = ~targets.isnan()
            shown = targets.nan_to_num().float()
            counts = coded.float()
            if self.weights is not None:
                counts = counts * torch.lerp(*self.weights, shown)
            total = F.binary_cross_entropy_with_logits(logits.float(), shown, counts, reduction="sum")
            return total / len(logits)


class UnitScore(ClassScore):
    """Of a pass over pictures with codes: their mean cross-entropy, and the mean AUROC over the units that
    are shown and are not.
    """

    criterion = "auroc"

    def __init__(self, device: torch.device) -> None:
        self.logits: list[Tensor] = []
        self.targets: list[Tensor] = []

    def add(self, logits: Tensor, targets: Tensor) -> None:
        self.logits.append(logits.float())
        self.targets.append(targets)

    def loss(self) -> float:
        return CodedCrossEntropy()(torch.cat(self.logits), torch.cat(self.targets)).item()

    def value(self) -> float:
        logits, targets = torch.cat(self.logits).cpu().numpy(), torch.cat(self.targets).cpu().numpy()
        if not np.isfinite(logits).all():
            return 0.0  # the loss, no finite number either, ends the training
        found = []
        for said, shown in zip(logits.T, targets.T, strict=True):
            coded = ~np.isnan(shown)
            if 0 < shown[coded].sum() < coded.sum():
                found.append(roc_auc_score(shown[coded] == 1, said[coded]))
        return float(np.mean(found))


def balancing_code_weights(present: np.ndarray) -> np.ndarray:
    """float32 (2, A): n / (2 · n_absent) and n / (2 · n_present) of each unit's n codes in ``present`` (N,
    A).

    Each unit's pictures with it count as much as those without, and its mean weight is one: a rare unit is as
    important as a frequent one. Raises DataError for a unit that is never shown, or always.
    """
    counts = np.stack([(present == 0).sum(axis=0), (present == 1).sum(axis=0)])
    wrong = np.flatnonzero(counts.min(axis=0) == 0)
    if len(wrong):
        absent, shown = counts[:, wrong[0]]
        raise DataError(
            f"unit {wrong[0]} of {present.shape[1]} is shown on {shown} training pictures and not on "
            f"{absent}; a network can learn only units that are sometimes shown: leave it out"
        )
    return (counts.sum(axis=0) / (2 * counts)).astype(np.float32)


def train_units(
    faces: FaceSet,
    present: np.ndarray,
    model: Classifier,
    recipe: Recipe,
    *,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Training:
    """Train ``model`` to tell which units a picture shows, on the split ``train``, and leave it with the
    weights that ``valid`` chose.

    ``present`` (N, A): 1 shown, 0 not shown, NaN not coded, of the N pictures of ``faces``; ``model`` gives A
    log-odds per picture. As ``train.learner.train``, but for the loss (``CodedCrossEntropy``, whatever
    ``recipe.loss`` says; with ``recipe.class_weights`` each code weighs what ``balancing_code_weights`` gives
    it by the training pictures) and for the epoch that is kept: that with the highest mean AUROC over the
    units of the validation pictures, of equals the one with the lowest loss. The curve has ``valid_auroc``,
    and in ``valid_loss`` the unweighted loss.

    Raises DataError where a split is empty, a unit is never shown or always on the
    training pictures, or no unit is both on the validation pictures; ParameterError as ``train`` does.
    """
    split = faces.table["split"].to_numpy()
    targets = {name: present[split == name].astype(np.float32) for name in ("train", "valid")}
    shown, coded = (targets["valid"] == 1).any(axis=0), (targets["valid"] == 0).any(axis=0)
    if not (shown & coded).any():
        raise DataError(
            f"face set {faces.name!r}: no unit is shown on some validation pictures and not on others, so "
            "no epoch can be chosen; use a larger face set"
        )
    balanced = torch.from_numpy(balancing_code_weights(targets["train"]))
    weights = balanced if recipe.class_weights else None
    augmentation = AUGMENTATIONS[recipe.augment]
    with repeatable(recipe, device, seed):
        loaders = target_loaders(
            faces, *targets.values(), recipe.batch_size, device=device, augmentation=augmentation, seed=seed
        )
        objective = Objective(CodedCrossEntropy(weights).to(device), CodedCrossEntropy())
        curve = Curve(recipe.patience, score=UnitScore)
        learner = learner_of(
            loaders, model.to(device), recipe, objective, curve, outputs=present.shape[1], precision=precision
        )
        return fit(learner, recipe)


def unit_network(model: Classifier, units: int, *, keep_body: bool, seed: int = 0) -> Classifier:
    """A network of the structure of ``model`` that answers for ``units`` action units; ``model`` stays as it
    is.

    With ``keep_body`` all layers but ``output`` have the weights of ``model``; the others, and otherwise all,
    are drawn with ``seed``. On the CPU. Raises ParameterError for fewer than two units, or where ``model``
    does not record its constructor's ``arguments``.
    """
    require_classifier(model)
    if units < 2:
        raise ParameterError(
            f"{units} action unit: these networks answer at least two questions; use a face set in which "
            "more units are shown by enough people"
        )
    generator = torch.Generator().manual_seed(seed)
    network = type(model)(**{**model.arguments, "n_classes": units}, generator=generator)
    if keep_body:
        body = {name: value for name, value in model.state_dict().items() if not name.startswith("output.")}
        network.load_state_dict(body, strict=False)
    return network


def unit_detector(
    model: Classifier,
    faces: FaceSet,
    present: np.ndarray,
    recipe: Recipe,
    *,
    keep_body: bool,
    seed: int = 0,
    **further: object,
) -> tuple[Classifier, Training]:
    """A network of the structure of ``model``, trained to tell the units of ``present`` (N, A); ``further``
    arguments as of ``train_units``.

    With ``keep_body`` all layers of ``model`` learn on, with a new last one, at ``TUNED_SHARE`` of the rate
    of ``recipe``; else they start from first weights drawn by ``seed``. ``model`` stays as it is.
    """
    if keep_body:
        recipe = replace(recipe, lr=TUNED_SHARE * recipe.lr)
    network = unit_network(model, present.shape[1], keep_body=keep_body, seed=seed)
    return network, train_units(faces, present, network, recipe, seed=seed, **further)
