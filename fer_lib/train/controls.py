"""What stands beside a trained network: the same structure untrained, trained on shuffled labels, or taught
action units; and features made by hand.

The first two have not learned what an emotion is, so whatever they answer to comes from the pictures, or from
the number of filters: negative controls. One that was taught the units, several at a time, is the positive
control of what filters learn from emotions: structure, recipe, pictures and people are those of ``train``,
only the labels differ.
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
    """The architecture of ``model`` with the first weights that ``seed`` draws, in evaluation mode, on the
    CPU.

    ``model`` is left as it is. Raises ParameterError where it does not record its constructor's
    ``arguments``.
    """
    if not isinstance(model, Classifier):
        raise ParameterError(
            f"{type(model).__name__} does not say how it was built; give a network of "
            "nets.build.build_network"
        )
    generator = torch.Generator().manual_seed(seed)
    return type(model)(**model.arguments, generator=generator).eval()


def with_shuffled_labels(faces: FaceSet, seed: int) -> FaceSet:
    """``faces`` with the emotions of each split, and the crowd's votes with them, dealt out anew among its
    labelled pictures.

    Every split keeps its number of pictures per emotion, pictures keep all the rest, action units among it. A
    network that learns from them learns single pictures by heart and nothing about emotions (Zhang et al.
    2017, arXiv 1611.03530).
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

ORIENTATION_BINS = 9
"""Side of a cell in pixels, and its bins of orientation, as in Dalal and Triggs 2005."""


def hog_responses(faces: FaceSet) -> np.ndarray:
    """float32 (N, cells × 9): histograms of oriented gradients, a channel per cell of 8 × 8 pixels and
    orientation, ≥ 0.

    Dalal and Triggs 2005 as OpenCV computes it, each cell normalised by itself. Unlike a filter's maximum a
    channel is bound to its place, which makes it a strong rival: faces are aligned. Raises DataError where
    a side is not a multiple of 8.
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


@dataclass(frozen=True)
class Task:
    """What a network predicts: its ``name``, the names of its outputs, the labels of a face set, the loss
    that is minimised, and the score that chooses the epoch.
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
    """Keep the people of the split ``train`` and make one picture of each, drawn by ``seed``, the split
    ``valid``: a network that learns who they are is chosen by pictures, not by people.

    Parameters
    ----------
    faces : FaceSet
        Pictures with the splits ``train``, ``valid`` and ``test`` by people; only ``train`` is used.
    seed : int
        Draws the held-out picture of each person.

    Raises
    ------
    DataError
        If a person has fewer than two pictures, or nobody is named.
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
    """int64 (N,): the index of each picture's person in ``subjects``."""
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
    """float32 (N, A): how sure ``model`` is, from 0 to 1, that each picture of ``faces`` shows each of its
    units; in float32 and in evaluation mode.
    """
    with evaluating(model.to(device)):
        answers = [model(part).float().sigmoid() for part in batches(faces.pixels, device=device)]
    return torch.cat(answers).cpu().numpy()
