"""Callbacks of a training: which loss is minimised and which validated, a moving average of the weights,
growing pictures and progress; what a training records, one row per epoch and the weights of the epoch that
validation selects; and learning-rate schedules by name.
"""

import math
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import ClassVar, get_args

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import SchedCos, SchedNo, combined_cos
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fer_lib.names import Schedule
from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.two_way import network_mean
from fer_lib.train.device import Precision
from ferbook.errors import ParameterError, require_name
from ferbook.estimate import Estimate
from ferbook.steps import Advance

# Steps between two checks of the loss, by kind of device (elsewhere 1): each check makes a GPU wait for all
# its work.
LOOKS = {"cuda": 50}


@dataclass(frozen=True)
class Training:
    """The result of a training. The trained weights are in the model.

    Attributes
    ----------
    curve : pandas.DataFrame
        One row per epoch: ``epoch`` (from 1); ``train_loss``, the recipe's loss, mean per picture while the
        weights change, with dropout and augmentation; ``valid_loss``, the mean cross-entropy per picture with
        its one label, in nats, whatever the recipe's loss is; ``valid_accuracy``, a proportion; ``seconds``
        of training and validation. A network with another task has its own loss and criterion here.
    best_epoch : int
        The epoch whose weights the model has.
    precision : Precision
    checkpoints : dict
        Epoch -> weights, of the epochs that the caller named.
    """

    curve: pd.DataFrame
    best_epoch: int
    precision: Precision
    checkpoints: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)

    @property
    def valid_accuracy(self) -> float:
        """Validation accuracy in ``best_epoch``."""
        return float(self.curve.set_index("epoch").loc[self.best_epoch, "valid_accuracy"])


@dataclass(frozen=True)
class Divergence:
    """Where the loss was no longer finite: ``epoch`` and ``step`` within it, from 1, and the learning rate
    ``lr`` of that step.

    ``step`` is 0 if the validation after the epoch showed it.
    """

    epoch: int
    step: int
    lr: float

    def __str__(self) -> str:
        step = f"step {self.step} of" if self.step else "the validation after"
        return f"{step} epoch {self.epoch}, at a learning rate of {self.lr:.3g}"


class ClassScore:
    """Cross-entropy and correct predictions of a pass, summed on the device: reading them in each step would
    make a GPU wait.

    ``add`` takes a batch; ``loss`` returns the mean loss, ``value`` the ``criterion``, of which more is
    better.
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
    """Copy the present weights and buffers of ``model``: name -> tensor."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class LossWatch(Callback):
    """Records the losses of an epoch's steps on the device, and ends a training whose loss is not finite.

    It replaces fastai's Recorder, which reads the loss after every step. A child calls ``keep`` in each
    training step and adds a row per epoch to ``rows``. ``divergence`` says where a training was ended.
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
        """Record the loss of a step, or its several losses (K,), means over ``pictures``."""
        self.losses.append(losses.detach())
        self.pictures.append(pictures)
        self.lrs.append(self.opt.hypers[-1]["lr"])
        if len(self.losses) - self.looked >= LOOKS.get(self.dls.device.type, 1):
            self.look()

    def before_validate(self) -> None:
        self.look()

    def look(self) -> None:
        """End the training if a loss since the last check is not finite."""
        if len(self.losses) > self.looked:
            finite = [bool(f.all()) for f in torch.isfinite(torch.stack(self.losses[self.looked :])).cpu()]
            if not all(finite):
                step = self.looked + finite.index(False) + 1
                self.end(step, self.lrs[step - 1 - len(self.losses)])
        self.looked = len(self.losses)

    def end(self, step: int, lr: float) -> None:
        """End the training, as diverged in ``step`` of this epoch."""
        self.divergence = Divergence(self.epoch + 1, step, lr)
        raise CancelFitException

    def mean_losses(self) -> np.ndarray:
        """Return the losses of the epoch, means per picture."""
        return np.average(torch.stack(self.losses).tolist(), axis=0, weights=self.pictures)


class Curve(LossWatch):
    """Records the numbers of each epoch, and the weights of the best one in memory.

    Best is the highest validation criterion of ``score`` (accuracy); of equal ones the lowest validation
    loss, then the earliest. The test split is not used. ``kept`` has the weights after each of the epochs
    ``checkpoints``.
    """

    def __init__(self, score: type[ClassScore] = ClassScore, checkpoints: Sequence[int] = ()) -> None:
        super().__init__()
        self.checkpoints, self.score = checkpoints, score
        self.criterion = f"valid_{score.criterion}"

    def before_fit(self) -> None:
        super().before_fit()
        self.best_epoch = 0
        self.best_weights = copy_of_weights(self.model)
        self.kept: dict[int, dict[str, torch.Tensor]] = {}

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

    def _merit(self, row: dict[str, float]) -> tuple[float, float]:
        return row[self.criterion], -row["valid_loss"]


def last_fifth(curves: Sequence[pd.DataFrame]) -> dict[str, Estimate]:
    """Measure how much the last fifth of the epochs still changed: whether longer training would help.

    Parameters
    ----------
    curves : sequence of pandas.DataFrame
        The curves of ``Training``, one per network. A single epoch counts as all change.

    Returns
    -------
    dict of Estimate
        Means over networks: ``train_loss_fall``, the relative decrease of the training loss, a proportion,
        and ``valid_rise``, the increase of the validation accuracy in percentage points.
    """
    falls, rises = [], []
    for curve in curves:
        before = curve.iloc[-1 - max(1, len(curve) // 5)] if len(curve) > 1 else None
        last = curve.iloc[-1]
        falls.append(1.0 if before is None else 1 - last["train_loss"] / before["train_loss"])
        rises.append(POINTS * (last["valid_accuracy"] - (0 if before is None else before["valid_accuracy"])))
    return {"train_loss_fall": network_mean(falls, "share"), "valid_rise": network_mean(rises)}


class Averaging(Callback):
    """Exponential moving average of weights and buffers (the statistics of batch normalisation too), updated
    in every step.

    The decay is the smaller of ``decay`` and (1+n)/(10+n) after n updates, so that a short training does not
    average its random start. From the start of each validation to the end of that epoch the learner's model
    is the averaged one: validation, and whatever stores weights then, sees the average; the optimiser
    continues with the network itself.
    """

    order = 70  # after_epoch comes after that of Curve, which copies the weights that were validated

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def before_fit(self) -> None:
        self.trained: nn.Module = self.learn.model
        self.averaged = deepcopy(self.trained)
        self.updates = 0
        # Looked up once: in each step the lookup would take longer than the averaging.
        pairs = zip(self.averaged.state_dict().values(), self.trained.state_dict().values(), strict=True)
        self.tensors = [(average, value) for average, value in pairs if value.is_floating_point()]

    def after_batch(self) -> None:
        if self.training:
            decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.updates else 0.0
            averages, values = (list(tensors) for tensors in zip(*self.tensors, strict=True))
            get_ema_multi_avg_fn(decay)(averages, values, self.updates)
            self.updates += 1

    def before_validate(self) -> None:
        self.learn.model = self.averaged.eval()

    def after_epoch(self) -> None:
        self.learn.model = self.trained


# Sides are multiples of this, as all networks here require.
STEP = 8


def growing_side(epoch: int, epochs: int, start: int, end: int) -> int:
    """Return the side in pixels in ``epoch`` (from 0) of ``epochs``: linear from ``start`` to ``end``, in
    steps of 8, and ``end`` in the last epoch.
    """
    share = epoch / (epochs - 1) if epochs > 1 else 1.0
    return end if share == 1 else STEP * math.floor((start + share * (end - start)) / STEP + 0.5)


class Growth(Callback):
    """Sets the side of the training pictures before each epoch; validation pictures do not change.

    Raises ParameterError if they would shrink or ``start`` is not a multiple of 8.
    """

    def __init__(self, start: int, end: int) -> None:
        super().__init__()
        if start % STEP or not 0 < start <= end:
            raise ParameterError(
                f"start_size {start}: give a multiple of {STEP} up to the pictures' own side, {end}"
            )
        self.start, self.end = start, end

    def before_epoch(self) -> None:
        self.dls.train.side = growing_side(self.epoch, self.n_epoch, self.start, self.end)


class Epochs(Callback):
    """Reports to ``advance`` (of ``ferbook.steps``), batch by batch, the proportion of an epoch that is done
    and that of the training: where pictures grow, an epoch takes longer the more pixels they have.
    """

    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self.advance = advance

    def before_fit(self) -> None:
        growth = next((each for each in self.learn.cbs if isinstance(each, Growth)), None)
        ends = (growth.start, growth.end) if growth else (STEP, STEP)
        pixels = [growing_side(epoch, self.n_epoch, *ends) ** 2 for epoch in range(self.n_epoch)]
        self.shares = [each / sum(pixels) for each in pixels]

    def after_batch(self) -> None:
        if self.training:
            self.advance(1 / self.n_iter, self.shares[self.epoch] / self.n_iter)


class Objective(Callback):
    """Minimises one loss in training and computes another in validation.

    A loss with ``needs_features`` also receives the input of the network's layer ``output``.
    """

    def __init__(
        self, minimised: Callable[..., torch.Tensor], validated: Callable[..., torch.Tensor]
    ) -> None:
        super().__init__()
        self.minimised, self.validated = minimised, validated
        self.hook: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self) -> None:
        self.learn.loss_func = self.minimised
        if getattr(self.minimised, "needs_features", False):
            self.hook = self.model.output.register_forward_pre_hook(self._keep)
            self.learn.loss_func = self._with_features

    def _keep(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.features = inputs[0]

    def _with_features(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.minimised(logits, labels, self.features)

    def before_validate(self) -> None:
        self.close()
        self.learn.loss_func = self.validated

    def after_fit(self) -> None:
        """A learning-rate search ends within an epoch, before any validation."""
        self.before_validate()

    def close(self) -> None:
        """Remove the hook; fastai has no event for an interrupted training."""
        if self.hook is not None:
            self.hook.remove()
        self.hook = self.features = None


def rate_of(schedule: Schedule, lr: float, warmup: float = 0.25) -> Callable[[float], float]:
    """Return the learning rate as a function of the proportion of steps done.

    Parameters
    ----------
    schedule : str
        ``constant``, as in Khorrami et al. 2015; ``onecycle``, from ``lr``/25 up to ``lr`` in the first part
        ``warmup`` of the steps, then down to nearly zero, along cosines; ``cosine``, from ``lr`` to zero.
    lr : float
        The peak.
    warmup : float
        Proportion of the steps before the peak.

    Raises
    ------
    ParameterError
        For any other name.
    """
    require_name("schedule", schedule, get_args(Schedule))
    match schedule:
        case "constant":
            return SchedNo(lr, lr)
        case "onecycle":
            return combined_cos(warmup, lr / 25, lr, lr / 1e5)
        case "cosine":
            return SchedCos(lr, 0.0)
