"""Stage one of DeRL (Yang, Ciftci and Yin 2018): a generator of neutral faces, trained with fastai against a
discriminator; and the generators that did not learn to keep a person.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler
from fastai.data.core import DataLoaders
from fastai.learner import Learner, Recorder
from fastai.optimizer import OptimWrapper
from fastcore.basics import noop
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from book.derl.adversary import TERMS, Adversary
from book.derl.pairs import Lessons, others_targets
from fer_lib.nets.derl import WIDTHS, Discriminator, Generator
from fer_lib.train.callbacks import Averaging
from fer_lib.train.curve import LOOKS, Divergence
from fer_lib.train.learner import keep_freed_memory
from fer_lib.train.objective import rate_of
from fer_lib.train.precision import Precision, Request, choose_precision, leave_autocast
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate

SILENT = 0.01
"""A discriminator whose mean cross-entropy in an epoch is below this is always right and sure of it: the
generator learns nothing from it. At a coin's toss it is 0.69."""


@dataclass(frozen=True, eq=False)
class GanTraining:
    """What the training of a conditional GAN gave.

    ``generator``: with averaged weights where the recipe asks for them, in evaluation mode, as
    ``discriminator`` is. ``epoch``: the one whose weights the generator has. ``curve``: one row per epoch
    with ``epoch`` (from 1); the means per training pair ``generator_loss`` (all terms, weighted),
    ``adversarial_loss``, ``l1`` (grey values of [0, 1], of the weights that are trained),
    ``discriminator_loss`` (nats, half the sum over true and false pairs), ``real_accuracy``,
    ``fake_accuracy`` (shares of patches judged rightly); ``valid_l1`` where there were validation pairs (of
    the averaged weights); ``seconds`` (training and validation). ``precision``: what was computed in.
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
    """Keeps the numbers of each epoch and the latest good weights of the generator; ends a training that is
    lost.

    It is lost where a loss is not a finite number, and where the discriminator's was below ``SILENT`` in
    ``patience`` epochs one after the other (0: never for that). The weights of an epoch are good where its
    discriminator's loss was not below ``SILENT``.
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


class PairBatches:
    """An iterable of batches ``(inputs, targets)``, each float32 (B, 1, H, W) in [0, 1], for fastai's
    ``DataLoaders`` or a plain loop.

    ``inputs`` and ``targets`` uint8 (N, H, W) are kept on ``device``. With ``shuffle`` every pass is a new
    permutation, and a last batch of one pair, which says nothing to batch normalisation, is left out; with
    probability ``flip`` a pair is mirrored, both pictures alike. Order and mirroring come from ``generator``,
    which starts at ``seed`` and whose state is all that a later pass depends on.
    """

    n_inp = 1

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        *,
        device: torch.device | str = "cpu",
        flip: float = 0.0,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        # A copy: pictures read from a memory map or a cache may not be writable.
        self.inputs, self.targets = torch.tensor(inputs), torch.tensor(targets)
        self.bs, self.flip, self.shuffle = batch_size, flip, shuffle
        self.generator = torch.Generator().manual_seed(seed)
        self.to(device)

    def to(self, device: torch.device | str) -> "PairBatches":
        """Move the pictures to ``device``; returns this object."""
        self.device = torch.device(device)
        self.inputs, self.targets = self.inputs.to(self.device), self.targets.to(self.device)
        return self

    def __len__(self) -> int:
        whole, rest = divmod(len(self.inputs), self.bs)
        return whole + (rest >= 2 if self.shuffle else rest > 0)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        count = len(self.inputs)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        mirrored = torch.rand(count, generator=self.generator) < self.flip
        order, mirrored = order.to(self.device), mirrored.to(self.device)
        for step in range(len(self)):
            places = slice(step * self.bs, (step + 1) * self.bs)
            mirror = mirrored[places].view(-1, 1, 1, 1)
            pair = []
            for pictures in (self.inputs, self.targets):
                values = pictures.index_select(0, order[places]).unsqueeze(1).float().div_(255)
                pair.append(torch.where(mirror, values.flip(3), values) if self.flip else values)
            yield pair[0], pair[1]


def pair_loaders(
    inputs: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    device: torch.device | str = "cpu",
    flip: float = 0.0,
    seed: int = 0,
) -> DataLoaders:
    """fastai ``DataLoaders`` of pairs to learn from (shuffled, mirrored) and of the pairs ``valid`` (in
    order, as they are).

    Without ``valid`` the second has no batch. Raises ParameterError for a batch of fewer than 2 pairs;
    DataError where there are fewer than 2 pairs, or pictures are not uint8 (N, H, W), square and all of one
    size, with as many targets as inputs.
    """
    if batch_size < 2:
        raise ParameterError(f"batch_size {batch_size}: give at least 2")
    valid = (inputs[:0], targets[:0]) if valid is None else valid
    if len(inputs) < 2:
        raise DataError(f"{len(inputs)} pair(s) to train on: at least 2 are needed")
    for name, pictures, others in (("train", inputs, targets), ("valid", *valid)):
        square = pictures.ndim == 3 and pictures.shape[1:] == (inputs.shape[-1],) * 2
        if not (square and pictures.shape == others.shape and pictures.dtype == others.dtype == np.uint8):
            raise DataError(
                f"{name} pairs: inputs are {pictures.dtype} {pictures.shape}, targets {others.dtype} "
                f"{others.shape}; expected "
                "uint8 (N, H, H) for both, as many of the one as of the other and all of one size"
            )
    return DataLoaders(
        PairBatches(inputs, targets, batch_size, device=device, flip=flip, shuffle=True, seed=seed),
        PairBatches(*valid, batch_size, device=device),
        device=torch.device(device),
    )


@dataclass(frozen=True)
class GanRecipe:
    """How a generator of neutral faces is trained.

    ``epochs`` passes over the pairs in batches of ``batch_size``; Adam with ``betas`` at the peak rate ``lr``
    of ``schedule``, for both players. ``l1``: weight of the L1 distance beside the adversarial loss, the
    paper's θ. ``flip``: probability of mirroring a pair. ``ema``: decay of the averaged weights,
    which are what is kept (0: the trained ones). ``patience``: epochs that the discriminator's loss may be near zero (0: any
    number). ``widths``: the generator's.

    Rate, betas, l1 and batches of few pictures are Isola et al.'s (2017); the paper's own values were not
    found.
    """

    epochs: int = 40
    batch_size: int = 32
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Literal["constant", "onecycle", "cosine"] = "constant"
    l1: float = 100.0
    flip: float = 0.5
    ema: float = 0.999
    patience: int = 5
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, None),
            ("batch_size", 2, None),
            ("l1", 0, None),
            ("flip", 0, 1),
            ("patience", 0, None),
        ):
            value = getattr(self, name)
            if not (low <= value and (high is None or value <= high)):
                upper = "" if high is None else f" and at most {high}"
                raise ParameterError(f"{name} {value}: give at least {low}{upper}")
        if self.lr <= 0:
            raise ParameterError(f"lr {self.lr}: give a positive number")
        for name, value in (("ema", self.ema), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise ParameterError(f"{name} {value}: give a number in [0, 1)")
        rate_of(self.schedule, self.lr)


def train_generator(
    inputs: np.ndarray,
    targets: np.ndarray,
    recipe: GanRecipe,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    precision: Request | Precision = "auto",
) -> GanTraining:
    """Train a new ``Generator`` that makes ``targets``, the neutral faces, of ``inputs``, the same people's
    faces; uint8 (N, H, H) each.

    The pairs ``valid`` (inputs, targets) are measured after each epoch and decide nothing. ``seed`` fixes the
    first weights, the order and the mirroring: with it, a machine gives the same weights; torch's global
    random state is left as it was. Nothing is printed.

    Raises DataError for pictures that are no pairs; ParameterError for a size that the generator does not
    take and where a GPU's memory is too small; its child ``GanDivergence``, which has the last good
    weights, where a loss stops being a finite number or the discriminator's is near zero for
    ``recipe.patience`` epochs.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _memory_of(recipe):
        torch.manual_seed(seed)
        learner = gan_learner(
            inputs,
            targets,
            recipe,
            valid=valid,
            seed=seed,
            device=device,
            precision=precision,
        )
        return fit_gan(learner, recipe)


def gan_learner(
    inputs: np.ndarray,
    targets: np.ndarray,
    recipe: GanRecipe,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    precision: Request | Precision = "auto",
) -> Learner:
    """The fastai ``Learner`` with which ``train_generator`` trains; its arguments, and what it raises, are
    those of ``train_generator``.

    Its model is the generator; the discriminator learns in the callback ``adversary``. First weights are
    drawn from torch's global random state.
    """
    device = torch.device(device)
    loaders = pair_loaders(
        inputs, targets, recipe.batch_size, valid=valid, device=device, flip=recipe.flip, seed=seed
    )
    size = inputs.shape[1]
    generator = Generator(size, recipe.widths).to(device)
    discriminator = Discriminator(size)
    if device.type == "cpu":
        keep_freed_memory()
    if not isinstance(precision, Precision):
        precision = _precision(precision, device)
    learner = Learner(
        loaders,
        generator,
        loss_func=F.l1_loss,
        opt_func=partial(OptimWrapper, opt=partial(torch.optim.Adam, betas=recipe.betas, fused=True)),
        cbs=[
            *precision.callbacks(device),
            Adversary(discriminator, betas=recipe.betas, l1=recipe.l1, precision=precision),
            ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr)}),
            *([Averaging(recipe.ema)] if recipe.ema else []),
            GanCurve(recipe.patience),
        ],
    )
    learner.remove_cbs([ProgressCallback, Recorder])
    learner.logger = noop
    learner.precision = precision
    return learner


def fit_gan(learner: Learner, recipe: GanRecipe) -> GanTraining:
    """Train for ``recipe.epochs`` passes; ``learner`` comes from ``gan_learner`` with the same recipe.

    Raises GanDivergence as ``train_generator`` says. An interruption leaves no open autocast region behind.
    """
    generator, curve = learner.model, learner.gan_curve
    try:
        learner.fit(recipe.epochs, recipe.lr, wd=0.0, reset_opt=True)
    finally:
        leave_autocast(learner.cbs, learner.dls.device)
        learner.model, learner.opt = generator, None
        for network in (generator, learner.adversary.discriminator):
            # Contiguous, so that the network in memory and the one read back from a file add up in the same
            # order.
            network.to(memory_format=torch.contiguous_format).eval().zero_grad()
    if curve.divergence is not None:
        epoch, weights = curve.good_epoch, curve.good_weights
    else:
        averaged = learner.averaging.averaged.module if recipe.ema else generator
        epoch, weights = recipe.epochs, averaged.state_dict()
    generator.load_state_dict(weights)
    table = pd.DataFrame(curve.rows)
    training = GanTraining(generator, learner.adversary.discriminator, table, epoch, learner.precision)
    if curve.divergence is not None:
        raise GanDivergence(_divergence(curve, recipe), training)
    return training


def _precision(request: Request, device: torch.device) -> Precision:
    chosen = choose_precision(request, device)
    # Two losses that are scaled in two steps by one scaler do not go together; such GPUs are old and rare.
    return Precision("fp32", channels_last=True) if chosen.name == "fp16" else chosen


def _divergence(curve: GanCurve, recipe: GanRecipe) -> str:
    found = curve.divergence
    kept = f"those of epoch {curve.good_epoch}" if curve.good_epoch else "those it started with"
    if found.step:
        return (
            f"the GAN diverged in step {found.step} of epoch {found.epoch}, at a learning rate of "
            f"{found.lr:.3g}: a loss is not a finite "
            f"number. The generator's weights are {kept}. Give a smaller lr than {recipe.lr:g}"
        )
    return (
        f"the discriminator's loss was below {SILENT:g} in {found.epoch - curve.good_epoch} epochs up to "
        f"epoch {found.epoch}: it tells all generated "
        "faces from true ones, and the generator learns nothing from it. The generator's weights are "
        f"{kept}. Give more people, "
        f"a larger l1 than {recipe.l1:g}, fewer epochs, or a larger patience than {recipe.patience} to go "
        "on all the same"
    )


@contextmanager
def _memory_of(recipe: GanRecipe) -> Iterator[None]:
    """Turn a GPU's refusal of memory into advice."""
    try:
        yield
    except torch.OutOfMemoryError as fault:
        raise ParameterError(
            f"the GPU's memory does not suffice for batches of {recipe.batch_size} pairs; give "
            f"{max(2, recipe.batch_size // 2)}, "
            "or smaller pictures"
        ) from fault


def settle_statistics(
    generator: Generator, pixels: np.ndarray, *, batch_size: int = 64, device: torch.device | str = "cpu"
) -> None:
    """Give the batch normalisation of an untrained ``generator`` the statistics of the pictures ``pixels``,
    uint8 (N, H, W); the weights stay as they are.

    Without it the maps of random weights shrink from layer to layer, and what is learned from them would say
    more about their scale than about them.
    """
    parts = torch.tensor(pixels).unsqueeze(1).split(batch_size)
    update_bn((part.float() / 255 for part in parts), generator.to(device), device)


def null_generators(
    lessons: Lessons,
    recipe: GanRecipe,
    *,
    shuffled: bool,
    seed: int,
    device: torch.device | str,
    precision: Precision,
) -> dict[str, Generator]:
    """The generators that did not learn to keep a person: ``untrained``, with its first weights, and where it
    is asked for ``shuffled``, trained as long on other people's neutral faces.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = Generator(lessons.train[0].shape[1], recipe.widths)
    settle_statistics(untrained, lessons.train[0], device=device)
    found = {"untrained": untrained.eval()}
    if shuffled:
        inputs, targets = lessons.train
        others = targets[others_targets(lessons.subjects, seed)]
        how = {"seed": seed, "device": device, "precision": precision}
        found["shuffled"] = train_generator(inputs, others, recipe, **how).generator
    return found


def gan_metrics(training: GanTraining, lessons: Lessons) -> dict[str, Estimate]:
    """``generator_pairs`` learned from, ``generator_epochs``, and of the last epoch: ``generator_l1`` of the
    pairs watched (grey levels of 255), ``discriminator_right``, the share of patches that it judges rightly.
    """
    last = training.curve.iloc[-1]
    right = (last["real_accuracy"] + last["fake_accuracy"]) / 2
    return {
        "generator_pairs": Estimate(len(lessons.train[0]), unit="count"),
        "generator_epochs": Estimate(training.epoch, unit="count"),
        "generator_l1": Estimate(255 * last["valid_l1"], n=len(lessons.valid[0]), tolerance=5),
        "discriminator_right": Estimate(right, unit="share", tolerance=0.2),
    }
