"""Controls of a trained network: the same structure untrained, trained on shuffled labels, or trained on
action units or identities; and histograms of oriented gradients.

The first two have not learned emotions, so their responses come from the pictures or from the number of
filters: negative controls. A network trained on the units, several at a time, is the positive control of what
filters learn from emotions: structure, recipe, pictures and people are the same, only the labels differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from face_sets.faceset import SPLITS, UNLABELLED, FaceSet
from fer_lib.nets.classifier import Classifier, evaluating
from fer_lib.train.batches import AUGMENTATIONS, batches, face_loaders
from fer_lib.train.callbacks import ClassScore, Training
from fer_lib.train.device import Precision, PrecisionName
from fer_lib.train.learner import FaceLearner, fit, recipe_callbacks, recipe_optimiser
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError, ParameterError


def untrained_network(model: Classifier, seed: int) -> Classifier:
    """Build the architecture of ``model`` with new first weights.

    Parameters
    ----------
    model : Classifier
        Does not change.
    seed : int
        Of the first weights.

    Returns
    -------
    Classifier
        In evaluation mode, on the CPU.

    Raises
    ------
    ParameterError
        ``model`` does not record the arguments of its constructor.
    """
    if not isinstance(model, Classifier):
        raise ParameterError(
            f"{type(model).__name__} does not say how it was built; give a network of "
            "nets.build.build_network"
        )
    generator = torch.Generator().manual_seed(seed)
    return type(model)(**model.arguments, generator=generator).eval()


def with_shuffled_labels(faces: FaceSet, seed: int) -> FaceSet:
    """Permute the emotions, with the votes of the crowd, among the labelled pictures of each split.

    The number of pictures of each emotion in each split does not change, nor do action units and other
    columns. A network trained on these labels memorises single pictures and learns nothing about emotions
    (Zhang et al. 2017, arXiv 1611.03530).

    Parameters
    ----------
    faces : FaceSet
    seed : int
        Of the permutation.

    Returns
    -------
    FaceSet
    """
    table, order = faces.table, np.arange(len(faces))
    labelled = table["emotion"].ne(UNLABELLED)
    generator = np.random.default_rng(seed)
    for split in SPLITS:
        rows = np.flatnonzero(labelled & table["split"].eq(split))
        order[rows] = generator.permutation(rows)
    labels = ["emotion", *(column for column in table if column.startswith("vote_"))]
    return faces.assign(**{column: table[column].to_numpy()[order] for column in labels})


CELL_SIDE = 8

# Side of a cell in pixels, and its bins of orientation, as in Dalal and Triggs 2005.
ORIENTATION_BINS = 9


def hog_responses(faces: FaceSet) -> np.ndarray:
    """Compute histograms of oriented gradients, one channel per cell of 8 × 8 pixels and orientation.

    As in Dalal and Triggs 2005, computed by OpenCV, each cell normalised by itself. Unlike a filter's
    maximum, a channel has a fixed place in the picture, which makes it a strong baseline: faces are aligned.

    Returns
    -------
    (N, cells × 9) float32 array
        At least 0.

    Raises
    ------
    DataError
        A side of the pictures is not a multiple of 8.
    """
    height, width = faces.size
    if height % CELL_SIDE or width % CELL_SIDE:
        raise DataError(
            f"face set {faces.name!r}: pictures of {height} × {width} pixels are not made of cells of "
            f"{CELL_SIDE}; take a multiple of {CELL_SIDE}"
        )
    cell = (CELL_SIDE, CELL_SIDE)
    histogram = cv2.HOGDescriptor((width, height), cell, cell, cell, ORIENTATION_BINS)
    return np.stack([histogram.compute(picture).ravel() for picture in faces.pixels])


class UnitScore(ClassScore):
    """Binary cross-entropy of a pass, and the mean AUROC over units; units that all pictures show, or none,
    are left out.
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
        # A training that diverged: its loss shows it, and this value selects nothing.
        return units_auroc(torch.cat(self.shown).cpu().numpy(), logits) if np.isfinite(logits).all() else 0.0


def units_auroc(shown: np.ndarray, answers: np.ndarray) -> float:
    """Compute the mean AUROC over units.

    Parameters
    ----------
    shown : (N, A) array
        1 where a picture shows the unit, else 0.
    answers : (N, A) array
        Predictions.

    Raises
    ------
    DataError
        No unit is shown by some of the pictures and not by others.
    """
    told = [unit for unit in range(shown.shape[1]) if 0 < shown[:, unit].sum() < len(shown)]
    if not told:
        raise DataError(f"of {len(shown)} pictures, no unit is shown by some and not by others")
    return float(np.mean([roc_auc_score(shown[:, unit], answers[:, unit]) for unit in told]))


def unit_targets(faces: FaceSet, units: tuple[str, ...]) -> np.ndarray:
    """Return the labels of action units: 1 where a picture shows the unit with an intensity above 0, else 0.

    Returns
    -------
    (N, A) float32 array

    Raises
    ------
    DataError
        A unit is not a column of ``faces``, or was not coded for some picture.
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


@dataclass(frozen=True)
class Task:
    """What a network is trained to predict.

    Attributes
    ----------
    name : str
        For messages, in the plural.
    outputs : tuple of str
        Names of the outputs.
    labels_of : callable
        Returns the labels of a face set.
    loss : torch.nn.Module
        Minimised.
    score : type
        Selects the epoch.
    """

    name: str
    outputs: tuple[str, ...]
    labels_of: Callable[[FaceSet], np.ndarray]
    loss: nn.Module
    score: type[ClassScore]


def unit_task(units: tuple[str, ...]) -> Task:
    """Make the task of predicting ``units``, several at a time: the loss is the mean binary cross-entropy of
    a logit for each unit, and the epoch with the highest mean AUROC on ``valid`` is chosen.

    Training raises DataError as ``unit_targets``.
    """
    return Task("action units", units, partial(unit_targets, units=units), nn.BCEWithLogitsLoss(), UnitScore)


def with_held_out_pictures(faces: FaceSet, seed: int) -> FaceSet:
    """Keep the people of the split ``train``, and make one picture of each the split ``valid``: a network
    that learns identities is selected on new pictures of the same people.

    Parameters
    ----------
    faces : FaceSet
        Pictures with the splits ``train``, ``valid`` and ``test`` by people; only ``train`` is used.
    seed : int
        Draws the held-out picture of each person.

    Raises
    ------
    DataError
        If a person has fewer than two pictures, or a picture has no subject label.
    """
    own = faces.split("train")
    subjects = own.table["subject"]
    counts = subjects.value_counts()
    if "" in counts or counts.min() < 2:
        few = counts.idxmin()
        raise DataError(
            f"face set {faces.name!r}: {few or 'a picture without a subject'} has {counts.min()} picture(s); "
            "identity is learned from two or more pictures of each named person"
        )
    rows = np.random.default_rng(seed).permutation(len(own))
    held_out = pd.Series(rows).groupby(subjects.to_numpy()[rows]).first()
    return own.assign(split=np.where(np.isin(np.arange(len(own)), held_out), "valid", "train"))


def subject_targets(faces: FaceSet, subjects: tuple[str, ...]) -> np.ndarray:
    """Return int64 (N,): the index of each picture's person in ``subjects``."""
    return pd.Index(subjects).get_indexer(faces.table["subject"]).astype(np.int64)


def identity_task(subjects: tuple[str, ...]) -> Task:
    """Make the task of recognising ``subjects`` in pictures as ``with_held_out_pictures`` gives them; the
    epoch is chosen by accuracy on ``valid``.
    """
    labels_of = partial(subject_targets, subjects=subjects)
    return Task("identities", subjects, labels_of, nn.CrossEntropyLoss(), ClassScore)


def train_on(
    task: Task,
    faces: FaceSet,
    model: nn.Module,
    recipe: TrainingRecipe,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
) -> Training:
    """Train ``model`` on another ``task`` than emotions, otherwise as ``train.learner.fit`` does.

    Random numbers are the same too: networks of one seed, trained on emotions and on action units, see the
    same pictures in the same order with the same augmentation.

    Parameters
    ----------
    task : Task
        What ``model`` predicts; it gives a logit for each of ``task.outputs``.
    faces : FaceSet
        Pictures with the splits ``train`` and ``valid``.
    model : torch.nn.Module
        Trained in place.
    recipe : TrainingRecipe
        How to train; its loss must be the default, since the task has its own.
    device, seed, precision
        As of ``train.learner.face_learner``.

    Raises
    ------
    ParameterError
        For a recipe with another loss than cross-entropy, and as ``fit``.
    DataError, Diverged
        As ``face_learner`` and ``fit``.
    """
    if recipe.loss != "cross_entropy":
        raise ParameterError(
            f"loss = {recipe.loss}: {task.name} are trained with their own cross-entropy; leave it out"
        )
    loaders = face_loaders(
        faces,
        task.outputs,
        recipe.batch_size,
        labels_of=task.labels_of,
        device=device,
        augmentation=AUGMENTATIONS[recipe.augment],
        seed=seed,
    )
    learner = FaceLearner(
        loaders,
        model.to(device),
        task.loss,
        recipe_optimiser(recipe),
        recipe,
        fit_callbacks=recipe_callbacks(recipe, faces.size[0]),
        precision=precision,
        seed=seed,
    )
    return fit(learner, score=task.score)


def unit_answers(model: nn.Module, faces: FaceSet, *, device: torch.device | str = "cpu") -> np.ndarray:
    """Predict the action units of every picture.

    Parameters
    ----------
    model : torch.nn.Module
        Gives a logit for each unit. Evaluated in float32 and in evaluation mode.
    faces : FaceSet
    device : torch.device or str

    Returns
    -------
    (N, A) float32 array
        Probabilities.
    """
    with evaluating(model.to(device)):
        answers = [model(part).float().sigmoid() for part in batches(faces.pixels, device=device)]
    return torch.cat(answers).cpu().numpy()
