"""What a training records: one row per epoch, and the weights of the epoch that validation chooses."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from torch import nn
from torch.nn import functional as F

from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.two_way import network_mean
from fer_lib.train.device import Precision
from ferbook.estimate import Estimate

LOOKS = {"cuda": 50}
"""Steps between two looks at the loss by kind of device, elsewhere one: looking makes a GPU wait for all it
has been given.
"""


@dataclass(frozen=True)
class Training:
    """What a training did. The weights are in the model that was given.

    ``curve``: one row per epoch with ``epoch`` (from 1), ``train_loss`` (the recipe's loss, mean per picture,
    while the weights change, with dropout and augmentation on), ``valid_loss`` (mean cross-entropy per
    picture with its one label, in nats, whatever the recipe's loss is), ``valid_accuracy`` (share),
    ``seconds`` (training and validation). ``best_epoch``:
    the epoch whose weights were kept. ``precision``: what was computed in. ``checkpoints``: the weights after
    the epochs that were asked for. Of a network with another task
    than one class per picture, its own loss and criterion.
    """

    curve: pd.DataFrame
    best_epoch: int
    precision: Precision
    checkpoints: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)

    @property
    def valid_accuracy(self) -> float:
        """That of the epoch whose weights were kept."""
        return float(self.curve.set_index("epoch").loc[self.best_epoch, "valid_accuracy"])


@dataclass(frozen=True)
class Divergence:
    """Where the loss stopped being a finite number: ``epoch`` and ``step`` within it from 1, and the rate of
    that step.

    ``step`` is 0 where it was found in the validation after the epoch.
    """

    epoch: int
    step: int
    lr: float

    def __str__(self) -> str:
        step = f"step {self.step} of" if self.step else "the validation after"
        return f"{step} epoch {self.epoch}, at a learning rate of {self.lr:.3g}"


class ClassScore:
    """Cross-entropy and right answers of a pass, added up on the device: reading them in each step would make
    a GPU wait.

    ``add`` takes in a batch; ``loss`` is the mean loss of what was added, ``value`` its ``criterion``, of
    which more is better.
    """

    criterion: ClassVar[str] = "accuracy"

    def __init__(self, device: torch.device) -> None:
        self.total, self.right = torch.zeros(2, device=device).unbind()
        self.seen = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.total = self.total + F.cross_entropy(logits.float(), labels, reduction="sum")
        self.right = self.right + (logits.argmax(1) == labels).sum()
        self.seen += len(labels)

    def loss(self) -> float:
        return self.total.item() / self.seen

    def value(self) -> float:
        return self.right.item() / self.seen


def copy_of_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Name -> value of the weights and buffers that ``model`` has now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class LossWatch(Callback):
    """Keeps the losses of an epoch's steps on the device, and ends a training whose loss is no finite number.

    ``rows``: what a child says of each epoch; ``divergence``: where it ended so. A child calls ``keep`` in
    each training step. It takes the place of fastai's Recorder, which reads the loss after every step.
    """

    order = 60  # after what changes the model or the loss, before Averaging takes its network out again

    def before_fit(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.lrs: list[float] = []
        self.divergence: Divergence | None = None

    def before_epoch(self) -> None:
        self.started = time.perf_counter()
        self.losses: list[torch.Tensor] = []
        self.pictures: list[int] = []
        self.looked = 0

    def keep(self, losses: torch.Tensor, pictures: int) -> None:
        """Take in a step's loss, or its several losses (K,), the mean over so many pictures."""
        self.losses.append(losses.detach())
        self.pictures.append(pictures)
        self.lrs.append(self.opt.hypers[-1]["lr"])
        if len(self.losses) - self.looked >= LOOKS.get(self.dls.device.type, 1):
            self.look()

    def before_validate(self) -> None:
        self.look()

    def look(self) -> None:
        """End the training if a loss since the last look is not finite."""
        if len(self.losses) > self.looked:
            finite = [bool(f.all()) for f in torch.isfinite(torch.stack(self.losses[self.looked :])).cpu()]
            if not all(finite):
                step = self.looked + finite.index(False) + 1
                self.end(step, self.lrs[step - 1 - len(self.losses)])
        self.looked = len(self.losses)

    def end(self, step: int, lr: float) -> None:
        """End the training, as lost in ``step`` of this epoch."""
        self.divergence = Divergence(self.epoch + 1, step, lr)
        raise CancelFitException

    def mean_losses(self) -> np.ndarray:
        """The epoch's losses, the mean per picture."""
        return np.average(torch.stack(self.losses).tolist(), axis=0, weights=self.pictures)


class Curve(LossWatch):
    """Keeps the numbers of each epoch, and the weights of the best one in memory.

    Best is the highest validation criterion of ``score``, accuracy; of equals the lowest validation loss,
    then the earliest. The test split is not known here. Training ends after ``patience`` epochs without a
    higher criterion (0: never). ``kept``: the weights after each of the epochs ``checkpoints``.
    """

    def __init__(
        self,
        patience: int = 0,
        score: type[ClassScore] = ClassScore,
        checkpoints: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.checkpoints = checkpoints
        self.patience, self.score = patience, score
        self.criterion = f"valid_{score.criterion}"

    def before_fit(self) -> None:
        super().before_fit()
        self.best_epoch = 0
        self.best_weights = copy_of_weights(self.model)
        self.kept: dict[int, dict[str, torch.Tensor]] = {}
        self.highest = (0, -1.0)

    def before_validate(self) -> None:
        super().before_validate()
        self.valid = self.score(self.dls.device)

    def after_loss(self) -> None:
        if self.training:
            self.keep(self.learn.loss, len(self.y))

    def after_batch(self) -> None:
        if not self.training:
            self.valid.add(self.pred, self.y)

    def after_epoch(self) -> None:
        row = {
            "epoch": self.epoch + 1,
            "train_loss": float(self.mean_losses()),
            "valid_loss": self.valid.loss(),
            self.criterion: self.valid.value(),
            "seconds": time.perf_counter() - self.started,
        }
        if not math.isfinite(row["valid_loss"]):
            self.end(0, self.lrs[-1])
        best = self.rows[self.best_epoch - 1] if self.best_epoch else None
        self.rows.append(row)
        if best is None or self._merit(row) > self._merit(best):
            self.best_epoch, self.best_weights = row["epoch"], copy_of_weights(self.model)
        if row["epoch"] in self.checkpoints:
            self.kept[row["epoch"]] = copy_of_weights(self.model)
        if row[self.criterion] > self.highest[1]:
            self.highest = (row["epoch"], row[self.criterion])
        if self.patience and row["epoch"] - self.highest[0] >= self.patience:
            raise CancelFitException

    def _merit(self, row: dict[str, float]) -> tuple[float, float]:
        return row[self.criterion], -row["valid_loss"]


def last_fifth(curves: Sequence[pd.DataFrame]) -> dict[str, Estimate]:
    """What the last fifth of the epochs still changed, mean over the networks: ``train_loss_fall``, by which
    share of itself the training loss fell, and ``valid_rise``, by how many points the validation accuracy
    rose. Near 0 longer training would add little. Of a single epoch all is its own. ``curves``: those of
    ``train.curve.Training``.
    """
    falls, rises = [], []
    for curve in curves:
        before = curve.iloc[-1 - max(1, len(curve) // 5)] if len(curve) > 1 else None
        last = curve.iloc[-1]
        falls.append(1.0 if before is None else 1 - last["train_loss"] / before["train_loss"])
        rises.append(POINTS * (last["valid_accuracy"] - (0 if before is None else before["valid_accuracy"])))
    return {"train_loss_fall": network_mean(falls, "share"), "valid_rise": network_mean(rises)}
