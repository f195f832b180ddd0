"""What the training of a GAN records, when it is lost, and the weights that were good until then."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from torch import nn

from fer_lib.errors import ParameterError
from fer_lib.learn.adversary import TERMS
from fer_lib.learn.curve import LOOKS, Divergence
from fer_lib.learn.precision import Precision
from fer_lib.models.derl import Discriminator, Generator

SILENT = 0.01
"""A discriminator whose mean cross-entropy in an epoch is below this is always right and sure of it: the generator learns nothing from it.
At a coin's toss it is 0.69."""


@dataclass(frozen=True, eq=False)
class GanTraining:
    """What the training of a conditional GAN gave.

    ``generator``: with averaged weights where the recipe asks for them, in evaluation mode, as ``discriminator`` is. ``epoch``: the one
    whose weights the generator has. ``curve``: one row per epoch with ``epoch`` (from 1); the means per training pair ``generator_loss`` (all terms,
    weighted), ``adversarial_loss``, ``l1`` (grey values of [0, 1], of the weights that are trained), ``discriminator_loss`` (nats, half the sum
    over true and false pairs), ``real_accuracy``, ``fake_accuracy`` (shares of patches judged rightly); ``valid_l1`` where there were validation
    pairs (of the averaged weights); ``seconds`` (training and validation). ``precision``: what was computed in.
    """

    generator: Generator
    discriminator: Discriminator
    curve: pd.DataFrame
    epoch: int
    precision: Precision


class GanDivergence(ParameterError):
    """The training of a GAN was lost. ``training`` has the last good weights and the epochs until then."""

    def __init__(self, message: str, training: GanTraining) -> None:
        super().__init__(message)
        self.training = training


class GanCurve(Callback):
    """Keeps the numbers of each epoch and the latest good weights of the generator; ends a training that is lost.

    It is lost where a loss is not a finite number, and where the discriminator's was below ``SILENT`` in ``patience`` epochs one
    after the other (0: never for that). The weights of an epoch are good where its discriminator's loss was not below ``SILENT``.
    """

    order = 60  # after what changes the losses, and before Averaging takes its network out again

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience

    def before_fit(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.good_epoch, self.good_weights = 0, _copy_of(self.model)
        self.divergence: Divergence | None = None

    def before_epoch(self) -> None:
        self.started = time.perf_counter()
        self.terms: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.looked = 0
        self.distance = torch.zeros((), device=self.dls.device)
        self.seen = 0

    def after_loss(self) -> None:
        if self.training:
            self.terms.append(self.adversary.terms)
            self.sizes.append(len(self.x))
            if len(self.terms) - self.looked >= LOOKS.get(self.dls.device.type, 1):
                self._look()
        else:
            self.distance += self.learn.loss * len(self.x)
            self.seen += len(self.x)

    def before_validate(self) -> None:
        self._look()

    def _look(self) -> None:
        """End the training if a loss since the last look is not finite."""
        if len(self.terms) > self.looked:
            finite = torch.isfinite(torch.stack(self.terms[self.looked :])).all(dim=1).tolist()
            if not all(finite):
                step = self.looked + finite.index(False) + 1
                self.divergence = Divergence(self.epoch + 1, step, self.opt.hypers[-1]["lr"])
                raise CancelFitException
        self.looked = len(self.terms)

    def after_epoch(self) -> None:
        if self.epoch < len(self.rows):  # an epoch that a checkpoint lets the learner pass over
            return
        means = np.average(torch.stack(self.terms).tolist(), axis=0, weights=self.sizes)
        row = {"epoch": self.epoch + 1} | dict(zip(TERMS, means.tolist(), strict=True))
        if self.seen:
            row["valid_l1"] = self.distance.item() / self.seen
        row["seconds"] = time.perf_counter() - self.started
        self.rows.append(row)
        if row["discriminator_loss"] >= SILENT:
            self.good_epoch, self.good_weights = row["epoch"], _copy_of(self.model)
        elif self.patience and row["epoch"] - self.good_epoch >= self.patience:
            self.divergence = Divergence(row["epoch"], 0, self.opt.hypers[-1]["lr"])
            raise CancelFitException


def _copy_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
