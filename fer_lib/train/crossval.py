"""Cross-validation: a network trained and tested on each of several folds of a protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol, fold_faces
from fer_lib.faces.leakage import exact_copies
from fer_lib.nets.build import build_network
from fer_lib.train.curve import Training
from fer_lib.train.device import keep_freed_memory
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision, PrecisionName
from fer_lib.train.predict import TestTime, predict
from fer_lib.train.recipe import TrainingRecipe


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    ``number`` from 0. ``faces`` with the fold's own splits. ``training``: how it went. ``probabilities``
    float32 (N, classes): of the test split, in its order.
    """

    number: int
    faces: FaceSet
    training: Training
    probabilities: np.ndarray


@dataclass(frozen=True)
class CrossValidation:
    """The ``folds`` that ran, and ``model``, the network of the first one."""

    protocol: Protocol
    folds: tuple[FoldResult, ...]
    model: nn.Module

    @property
    def answers(self) -> tuple[tuple[FaceSet, np.ndarray], ...]:
        """Each fold's faces and the probabilities of its test split, as ``train.evaluate.evaluate`` takes
        them.
        """
        return tuple((fold.faces, fold.probabilities) for fold in self.folds)


def cross_validate(
    faces: FaceSet,
    protocol: Protocol,
    network: str,
    recipe: TrainingRecipe,
    *,
    folds: int = 0,
    options: Mapping[str, object] | None = None,
    without_copies: bool = False,
    test_time: TestTime = "none",
    device: torch.device | str = "cpu",
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    checkpoints: Sequence[int] = (),
) -> CrossValidation:
    """Train and test a network of its own on each of the first ``folds`` folds of ``protocol``; 0, or more
    than it has, takes all.

    ``network`` by its name in ``nets.build``, with ``options`` of its constructor; every fold starts from the
    same ``seed``. The epoch is chosen on the fold's validation split. ``precision`` and ``checkpoints`` as of
    ``train.learner.train``. ``without_copies`` removes the training pictures that equal, pixel for pixel, one
    of the validation or test split. What the steps kept of memory goes back to the system.

    Raises what ``fold_faces``, ``build_network`` and ``train`` raise.
    """
    available = len(protocol.folds)
    # All at once, which copies no pictures: a fold that cannot be trained is told before the first one is.
    fold_sets = [fold_faces(faces, protocol, number) for number in range(min(folds or available, available))]
    results: list[FoldResult] = []
    networks: list[nn.Module] = []
    try:
        for number, fold in enumerate(fold_sets):
            if without_copies:
                fold = training_without_copies(fold)
            seed_everything(seed)
            model = build_network(network, len(protocol.classes), faces.size[0], **options or {})
            networks.append(model)
            training = train(
                fold,
                model,
                protocol.classes,
                recipe,
                device=device,
                seed=seed,
                precision=precision,
                checkpoints=checkpoints,
            )
            probabilities = predict(model, fold.split("test"), test_time=test_time, device=device)
            results.append(FoldResult(number, fold, training, probabilities))
    finally:
        keep_freed_memory(False)
    return CrossValidation(protocol, tuple(results), networks[0])


def training_without_copies(faces: FaceSet) -> FaceSet:
    """``faces`` without the training pictures that equal, pixel for pixel, one of the validation or the test
    split.
    """
    copies = exact_copies(faces, inside="test") | exact_copies(faces, inside="valid")
    return faces.select(~(copies & faces.table["split"].eq("train").to_numpy()))
