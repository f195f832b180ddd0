"""Training a network with fastai, silently, with the epoch chosen on the validation split."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler, combined_cos
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.optimizer import SGD
from fastai.torch_core import set_seed
from fastcore.basics import noop
from torch import nn
from torch.nn import functional as F

from fer_lib.errors import DataError, ParameterError
from fer_lib.faces.faceset import FaceSet
from fer_lib.learn.augment import Augmentation
from fer_lib.learn.loaders import batches, face_loaders
from fer_lib.learn.memory import keep_freed_memory
from fer_lib.learn.precision import Precision, Request, choose_precision, leave_autocast

MOMENTUM = 0.9
"""As in Khorrami et al. 2015."""


@dataclass(frozen=True)
class Training:
    """What ``fit`` did. The weights are in the learner's model.

    ``curve``: one row per epoch with ``epoch`` (from 1), ``train_loss`` and ``valid_loss`` (mean cross-entropy per picture, nats;
    the training loss is measured while the weights change, with dropout and augmentation on),
    ``valid_accuracy`` (share) and ``seconds``. ``best_epoch``: the epoch whose weights were kept.
    """

    curve: pd.DataFrame
    best_epoch: int


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, and have cuDNN choose its algorithms repeatably.

    Two runs give the same weights on the same machine with the same number of threads; another
    processor, thread count or library version adds up in another order and differs in the last digits.
    """
    set_seed(seed, reproducible=True)


class Curve(Callback):
    """Keeps the numbers of each epoch, and the weights of the best one in memory.

    Best is the highest validation accuracy; of equals the lowest validation loss, then the earliest. The test split
    is not known here.
    """

    order = 60  # after fastai's Recorder (50), whose validation figures are read

    def before_fit(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_weights: dict[str, torch.Tensor] = {}
        self.diverged_in: int | None = None

    def before_epoch(self) -> None:
        self.started = time.perf_counter()

    def before_train(self) -> None:
        self.summed_loss = torch.zeros((), device=self.dls.device)
        self.seen = 0

    def after_batch(self) -> None:
        if self.training:
            # Added up on the device: reading a value in every step would make a GPU wait.
            self.summed_loss += self.loss.detach() * len(self.y)
            self.seen += len(self.y)

    def after_epoch(self) -> None:
        _, valid_loss, valid_accuracy = self.recorder.log[1:4]
        row = {
            "epoch": self.epoch + 1,
            "train_loss": self.summed_loss.item() / self.seen,
            "valid_loss": float(valid_loss),
            "valid_accuracy": float(valid_accuracy),
            "seconds": time.perf_counter() - self.started,
        }
        if not (math.isfinite(row["train_loss"]) and math.isfinite(row["valid_loss"])):
            self.diverged_in = row["epoch"]
            raise CancelFitException
        self.rows.append(row)
        best = self.rows[self.best_epoch - 1] if self.best_epoch else None
        if best is None or _merit(row) > _merit(best):
            self.best_epoch = row["epoch"]
            self.best_weights = {
                name: value.detach().clone() for name, value in self.model.state_dict().items()
            }


def _merit(row: dict[str, float]) -> tuple[float, float]:
    return row["valid_accuracy"], -row["valid_loss"]


def face_learner(
    faces: FaceSet,
    model: nn.Module,
    classes: tuple[str, ...],
    *,
    batch_size: int = 64,
    augmentation: Augmentation | None = None,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.cross_entropy,
) -> Learner:
    """A fastai ``Learner`` that trains ``model`` on the split ``train`` of ``faces`` and watches ``valid``.

    ``model`` takes float pictures (B, 1, H, W) in [0, 1] and gives logits (B, ``len(classes)``). Optimiser: SGD with momentum 0.9 and
    weight decay added to the gradient, on all parameters, as in the authors' code. ``augmentation`` is used for
    training only. ``seed`` orders and augments the batches; call ``seed_everything`` before building the model to
    fix its weights and dropout too. No progress bar, nothing printed, no file written. The precision in use is
    the learner's attribute ``precision``.

    Raises DataError where a split is empty or holds an emotion outside ``classes``.
    """
    device = torch.device(device)
    if device.type == "cpu":
        keep_freed_memory()
    loaders = face_loaders(faces, classes, batch_size, device=device, augmentation=augmentation, seed=seed)
    model.to(device)
    if not isinstance(precision, Precision):
        precision = choose_precision(model, loaders.train.one_batch(), precision, device)
    learner = Learner(
        loaders,
        model,
        loss_func=loss,
        opt_func=partial(SGD, mom=MOMENTUM, decouple_wd=False),
        metrics=accuracy,
        wd_bn_bias=True,
        cbs=[*precision.callbacks(device), Curve()],
    )
    learner.remove_cb(ProgressCallback)
    learner.logger = noop
    learner.precision = precision
    return learner


def fit(
    learner: Learner,
    epochs: int,
    *,
    lr: float = 0.01,
    schedule: Literal["constant", "onecycle"] = "constant",
    weight_decay: float = 1e-5,
) -> Training:
    """Train for ``epochs`` passes, then put the weights of the best validation epoch back into the model.

    ``schedule``: ``constant`` as published, or ``onecycle``: from ``lr``/25 up to ``lr`` in the first quarter of the steps, then down
    to nearly zero, along cosines. The optimiser starts afresh with every call. An interruption leaves no file,
    no open autocast region and no gradient behind; the model keeps the weights it had by then.

    Raises ParameterError where training diverges or the schedule is unknown.
    """
    if schedule not in ("constant", "onecycle"):
        raise ParameterError(f"schedule {schedule!r}: give constant or onecycle")
    one_cycle = ParamScheduler({"lr": combined_cos(0.25, lr / 25, lr, lr / 1e5)})
    curve = learner.curve
    try:
        learner.fit(
            epochs, lr, wd=weight_decay, cbs=one_cycle if schedule == "onecycle" else None, reset_opt=True
        )
    finally:
        leave_autocast(learner.cbs, learner.dls.device)
        learner.opt = None
        # Contiguous weights, so that the network in memory and the one read back from a file
        # add up in the same order and predict the same digits.
        learner.model.to(memory_format=torch.contiguous_format).eval().zero_grad()
    if curve.diverged_in is not None:
        raise ParameterError(
            f"training diverged in epoch {curve.diverged_in}: the loss is not a finite number; "
            f"give a smaller lr than {lr:g}"
        )
    learner.model.load_state_dict(curve.best_weights)
    return Training(pd.DataFrame(curve.rows), curve.best_epoch)


@torch.no_grad()
def predict(
    model: nn.Module, faces: FaceSet, *, batch_size: int = 256, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Class probabilities of every picture of ``faces``, in order: float32 (N, classes), each row sums to one.

    In float32 and in evaluation mode whatever the network was trained in, without augmentation; the
    network's own mode is restored.
    """
    model.to(device)
    was_training = model.training
    model.eval()
    try:
        logits = [model(pictures) for pictures in batches(faces, batch_size, device=device)]
    finally:
        model.train(was_training)
    if not logits:
        raise DataError(f"face set {faces.name!r} holds no picture to predict")
    return torch.cat(logits).float().softmax(dim=1).cpu().numpy()
