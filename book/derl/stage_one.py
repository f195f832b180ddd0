"""Stage one of DeRL (Yang, Ciftci and Yin 2018): a generator of neutral faces, trained with fastai against a
discriminator, the second player of the game; and the generators that did not learn to keep a person.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.schedule import ParamScheduler
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from book.derl.pairs import PairSplits, others_targets
from fer_lib.nets.derl import WIDTHS, Discriminator, Generator
from fer_lib.train.batches import Batches, grey
from fer_lib.train.callbacks import Averaging, LossWatch, rate_of
from fer_lib.train.device import Precision, PrecisionName, choose_precision
from fer_lib.train.learner import FaceLearner, repeatable, run_epochs
from ferbook.errors import ParameterError
from ferbook.estimate import Estimate

TERMS = ("generator_loss", "adversarial_loss", "l1", "discriminator_loss", "real_accuracy", "fake_accuracy")
"""What ``Adversary.terms`` holds of a step, in this order."""


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The discriminator's hinge loss (Miyato et al. 2018, arXiv 1802.05957, equation 16) for its logits of
    true and of generated pairs: the mean over patches of max(0, 1 - real) and that of max(0, 1 + fake).

    Halved as by Isola et al. 2017 (section 3.3), which slows it down relative to the generator.
    """
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def generator_loss(fake: torch.Tensor, distance: torch.Tensor, l1: float) -> torch.Tensor:
    """The generator's loss: minus the mean logit of its pairs (Miyato et al., equation 17), and ``l1`` (the
    paper's θ) times the mean absolute ``distance`` of its pictures from the true ones.
    """
    return l1 * distance - fake.mean()


class Adversary(Callback):
    """Trains ``discriminator`` on each batch before the generator, which is the learner's model, and gives
    the generator its loss.

    The conditional game of Isola et al. 2017 with ``discriminator_loss`` and ``generator_loss``; x are the
    expressive faces, y the true neutral ones. Distances are in grey values of [0, 1].

    The discriminator has a separate Adam with ``betas``, at the rate that the learner's optimiser has in
    that step. ``terms``: float32 (6,) on the device, the latest step's losses, and the proportions of patches
    that the discriminator judged rightly before it learned from them.
    """

    order = MixedPrecision.order + 1  # the generated pictures are float32 again

    def __init__(
        self, discriminator: Discriminator, *, betas: tuple[float, float], l1: float, precision: Precision
    ) -> None:
        super().__init__()
        self.discriminator, self.betas, self.l1, self.precision = discriminator, betas, l1, precision

    def before_fit(self) -> None:
        layout = torch.channels_last if self.precision.channels_last else torch.contiguous_format
        self.discriminator.to(self.dls.device, memory_format=layout).train().requires_grad_(True)
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), betas=self.betas, fused=True)

    def _judged(self, neutral: torch.Tensor) -> torch.Tensor:
        with self.precision.autocast(self.dls.device):
            logits = self.discriminator(torch.cat((self.x, neutral), dim=1))
        return logits.float()

    def after_pred(self) -> None:
        if not self.training:
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self.opt.hypers[-1]["lr"]
        real, fake = self._judged(self.y), self._judged(self.pred.detach())
        loss = discriminator_loss(real, fake)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.judgement = (loss.detach(), (real > 0).float().mean(), (fake < 0).float().mean())

    def after_loss(self) -> None:
        if not self.training:
            return
        distance = self.learn.loss_grad
        self.discriminator.requires_grad_(False)  # the generator's gradient needs none of its weights'
        fake = self._judged(self.pred)
        self.discriminator.requires_grad_(True)
        total = generator_loss(fake, distance, self.l1)
        self.learn.loss_grad, self.learn.loss = total, total.detach()
        self.terms = torch.stack((total, -fake.mean(), distance, *self.judgement)).detach()


SILENT = 0.01
"""A discriminator whose mean hinge loss in an epoch is below this is always right and sure of it: the game is
lost. At a coin's toss it is 1."""

PATIENCE = 5
"""So many silent epochs one after the other end a training."""


@dataclass(frozen=True, eq=False)
class GanTraining:
    """What the training of a conditional GAN gave.

    ``generator``: with averaged weights where the recipe has them, in evaluation mode, as
    ``discriminator`` is. ``curve``: one row per epoch with ``epoch`` (from 1); the means per training pair
    ``generator_loss`` (all terms, weighted), ``adversarial_loss``, ``l1`` (grey values of [0, 1], of the
    weights that are trained), ``discriminator_loss`` (half the sum over true and false pairs),
    ``real_accuracy``, ``fake_accuracy`` (proportions of patches classified correctly); ``valid_l1`` where
    there were validation pairs (of the averaged weights); ``seconds`` (training and validation).
    ``precision``: what was computed in.
    """

    generator: Generator
    discriminator: Discriminator
    curve: pd.DataFrame
    precision: Precision


class GanCurve(LossWatch):
    """Keeps the numbers of each epoch; ends a training that is lost.

    It is lost where a loss is not a finite number, and where the discriminator's was below ``SILENT`` in
    ``PATIENCE`` epochs one after the other.
    """

    def before_fit(self) -> None:
        super().before_fit()
        self.silent = 0

    def before_epoch(self) -> None:
        super().before_epoch()
        self.distance = torch.zeros((), device=self.dls.device)
        self.seen = 0

    def after_loss(self) -> None:
        if self.training:
            self.keep(self.adversary.terms, len(self.x))
        else:
            self.distance += self.learn.loss * len(self.x)
            self.seen += len(self.x)

    def after_epoch(self) -> None:
        row = {"epoch": self.epoch + 1} | dict(zip(TERMS, self.mean_losses().tolist(), strict=True))
        if self.seen:
            row["valid_l1"] = self.distance.item() / self.seen
        row["seconds"] = time.perf_counter() - self.started
        self.rows.append(row)
        self.silent = self.silent + 1 if row["discriminator_loss"] < SILENT else 0
        if self.silent == PATIENCE:
            self.end(0, self.lrs[-1])


class PairBatches(Batches):
    """Batches ``(inputs, targets)`` of pairs of pictures, each float32 (B, 1, H, W) in [0, 1].

    ``inputs`` and ``targets`` uint8 (N, H, W) are stored on ``device``. With probability ``flip`` a pair is
    mirrored, both pictures alike. Order and mirroring come from ``generator``, whose state is all that a
    later pass depends on.
    """

    held = ("inputs", "targets")

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        *,
        flip: float = 0.0,
        **settings: object,
    ) -> None:
        # A copy: pictures read from a memory map or a cache may not be writable.
        self.inputs, self.targets, self.flip = torch.tensor(inputs), torch.tensor(targets), flip
        super().__init__(len(inputs), batch_size, **settings)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = self.order().to(self.device)
        mirrored = (torch.rand(self.n, generator=self.generator) < self.flip).to(self.device)
        for cut in self.cuts():
            mirror = mirrored[cut].view(-1, 1, 1, 1)
            pair = (grey(pictures[order[cut]]) for pictures in (self.inputs, self.targets))
            inputs, targets = (torch.where(mirror, part.flip(3), part) for part in pair)
            yield inputs, targets


@dataclass(frozen=True)
class GanRecipe:
    """How a generator of neutral faces is trained.

    ``epochs`` passes over the pairs in batches of ``batch_size``; Adam with ``betas`` at the peak rate ``lr``
    of ``schedule``, for both players. ``l1``: weight of the L1 distance next to the adversarial loss, the
    paper's θ. ``flip``: probability of mirroring a pair. ``ema``: decay of the averaged weights,
    which are what is stored (0: the trained ones). ``widths`` and ``skips``: the generator's.

    Rate, betas, l1 and batches of few pictures are Isola et al.'s (2017); the paper's own values were not
    found.
    """

    weight_decay: ClassVar[float] = 0.0
    epochs: int = 40
    batch_size: int = 32
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Literal["constant", "onecycle", "cosine"] = "constant"
    l1: float = 100.0
    flip: float = 0.5
    ema: float = 0.999
    widths: tuple[int, ...] = WIDTHS
    skips: bool = True


def train_generator(
    inputs: np.ndarray,
    targets: np.ndarray,
    recipe: GanRecipe,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    **further: object,
) -> GanTraining:
    """Train a new ``Generator`` that makes ``targets``, the neutral faces, of ``inputs``, the same people's
    faces; uint8 (N, H, H) each.

    ``seed`` fixes the first weights, the order and the mirroring: with it, a machine gives the same weights;
    torch's global random state is left as it was. ``further`` arguments as of ``gan_learner``. Nothing is
    printed.

    Raises ParameterError for a size that the generator does not take, where a GPU's memory is too small, and
    where a loss stops being a finite number or the discriminator's is near zero for ``PATIENCE`` epochs.
    """
    with repeatable(recipe, device, seed, "gan_batch"):
        learner = gan_learner(inputs, targets, recipe, seed=seed, device=device, **further)
        generator, discriminator = learner.model, learner.adversary.discriminator
        run_epochs(learner)
    if learner.gan_curve.divergence is not None:
        raise ParameterError(_divergence(learner.gan_curve, recipe))
    if recipe.ema:
        generator.load_state_dict(learner.averaging.averaged.state_dict())
    for network in (generator, discriminator):
        # Contiguous, so that the network in memory and the one read back from a file add up in the same
        # order.
        network.to(memory_format=torch.contiguous_format).eval().zero_grad()
    return GanTraining(generator, discriminator, pd.DataFrame(learner.gan_curve.rows), learner.precision)


def gan_learner(
    inputs: np.ndarray,
    targets: np.ndarray,
    recipe: GanRecipe,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    precision: PrecisionName | Precision = "auto",
) -> Learner:
    """The fastai ``Learner`` with which ``train_generator`` trains; its arguments, and what it raises, are
    those of ``train_generator``. The pairs ``valid`` (inputs, targets) are measured after each epoch and
    decide nothing.

    Its model is the generator; the discriminator learns in the callback ``adversary``. First weights are
    drawn from torch's global random state.
    """
    device = torch.device(device)
    options = {"flip": recipe.flip, "shuffle": True, "seed": seed}
    loaders = DataLoaders(
        PairBatches(inputs, targets, recipe.batch_size, device=device, **options),
        PairBatches(*(valid or (inputs[:0], targets[:0])), recipe.batch_size, device=device),
        device=device,
    )
    precision = choose_precision(precision, device)
    return FaceLearner(
        loaders,
        Generator(inputs.shape[1], recipe.widths, recipe.skips).to(device),
        F.l1_loss,
        partial(torch.optim.Adam, betas=recipe.betas, fused=True),
        recipe,
        callbacks=[
            Adversary(Discriminator(inputs.shape[1]), betas=recipe.betas, l1=recipe.l1, precision=precision),
            ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr)}),
            *([Averaging(recipe.ema)] if recipe.ema else []),
            GanCurve(),
        ],
        precision=precision,
    )


def _divergence(curve: GanCurve, recipe: GanRecipe) -> str:
    place = curve.divergence
    if place.step:
        return (
            f"the GAN diverged in {place}: a loss is not a finite number. Give a smaller lr than "
            f"{recipe.lr:g} (-p gan_lr={recipe.lr / 3:.1g})"
        )
    return (
        f"the discriminator's loss was below {SILENT:g} in {curve.silent} epochs up to epoch {place.epoch}: "
        "it tells all generated faces from true ones, and the generator learns nothing from it. Give more "
        f"people, a larger l1 than {recipe.l1:g}, or fewer epochs"
    )


def settle_statistics(
    generator: Generator, pixels: np.ndarray, *, batch_size: int = 64, device: torch.device | str = "cpu"
) -> None:
    """Give the batch normalisation of an untrained ``generator`` the statistics of the pictures ``pixels``,
    uint8 (N, H, W); the weights do not change.

    Without it the maps of random weights shrink from layer to layer, and what is learned from them would say
    more about their scale than about them.
    """
    parts = torch.tensor(pixels).unsqueeze(1).split(batch_size)
    update_bn((part.float() / 255 for part in parts), generator.to(device), device)


@dataclass(frozen=True, eq=False)
class StageOne:
    """What stage one gave from a ``seed``.

    ``generators``: ``trained``; ``untrained``, with its first weights; and where it is required
    ``shuffled``, trained as long on other people's neutral faces. ``curve`` as of ``GanTraining``.
    """

    seed: int
    generators: Mapping[str, Generator]
    curve: pd.DataFrame
    precision: Precision


def learn_stage_one(
    splits: PairSplits,
    recipe: GanRecipe,
    *,
    shuffled: bool,
    seed: int,
    device: torch.device | str = "cpu",
    precision: PrecisionName | Precision = "auto",
) -> StageOne:
    """Train the generator, and with it those that did not learn to keep a person; raises as
    ``train_generator``.
    """
    inputs, targets = splits.train
    how = {"seed": seed, "device": device}
    training = train_generator(inputs, targets, recipe, valid=splits.valid, precision=precision, **how)
    generators = {
        "trained": training.generator,
        "untrained": untrained_generator(splits, recipe, seed, device),
    }
    if shuffled:
        others = targets[others_targets(splits.subjects, seed)]
        generators["shuffled"] = train_generator(
            inputs, others, recipe, precision=training.precision, **how
        ).generator
    return StageOne(seed, generators, training.curve, training.precision)


def untrained_generator(
    splits: PairSplits, recipe: GanRecipe, seed: int, device: torch.device | str = "cpu"
) -> Generator:
    """A generator with its first weights and the statistics of the training pictures, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = Generator(splits.train[0].shape[1], recipe.widths, recipe.skips)
    settle_statistics(untrained, splits.train[0], device=device)
    return untrained.eval()


def gan_metrics(curves: Sequence[pd.DataFrame], splits: PairSplits) -> dict[str, Estimate]:
    """``generator_pairs`` learned from, ``generator_epochs``, and of the last epoch, in the mean of the
    trainings: ``generator_l1`` of the pairs watched (grey levels of 255), ``discriminator_right``, the share
    of patches that it judges rightly.
    """
    last = pd.DataFrame([curve.iloc[-1] for curve in curves])
    right = last[["real_accuracy", "fake_accuracy"]].mean(axis=None)
    mean = {"why": f"after the last epoch, the mean of trainings: {len(curves)}"}
    return {
        "generator_pairs": Estimate(len(splits.train[0]), unit="count"),
        "generator_epochs": Estimate(len(curves[0]), unit="count"),
        "generators": Estimate(len(curves), unit="count"),
        "generator_l1": Estimate(255 * last["valid_l1"].mean(), n=len(splits.valid[0]), tolerance=5, **mean),
        "discriminator_right": Estimate(right, unit="share", tolerance=0.2, **mean),
    }
