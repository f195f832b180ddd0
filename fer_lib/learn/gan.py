"""Training a generator of neutral faces against a discriminator (stage 1 of Yang, Ciftci and Yin, CVPR 2018) with fastai."""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler
from fastai.learner import Learner, Recorder
from fastai.optimizer import OptimWrapper
from fastcore.basics import noop
from safetensors.torch import save as tensors_to_bytes
from torch import nn
from torch.nn import functional as F

from fer_lib.errors import ParameterError
from fer_lib.learn.adversary import Adversary
from fer_lib.learn.averaging import Averaging
from fer_lib.learn.gan_checkpoint import GanCheckpoint
from fer_lib.learn.gan_curve import SILENT, GanCurve, GanDivergence, GanTraining
from fer_lib.learn.memory import keep_freed_memory
from fer_lib.learn.pair_loaders import pair_loaders
from fer_lib.learn.precision import Precision, Request, choose_precision, leave_autocast
from fer_lib.learn.schedule import rate_of
from fer_lib.models.derl import WIDTHS, Discriminator, Generator


@dataclass(frozen=True)
class GanRecipe:
    """How a generator of neutral faces is trained.

    ``epochs`` passes over the pairs in batches of ``batch_size``; Adam with ``betas`` at the peak rate ``lr`` of ``schedule``, for both players.
    ``l1``: weight of the L1 distance beside the adversarial loss, the paper's θ. ``perceptual``: weight of a distance in the features of a network, which
    must then be given. ``flip``: probability of mirroring a pair. ``ema``: decay of the averaged weights, which are what is
    kept (0: the trained ones). ``patience``: epochs that the discriminator's loss may be near zero (0: any number). ``widths``: the generator's.

    Rate, betas, l1 and batches of few pictures are Isola et al.'s (2017); the paper's own values were not found.
    """

    epochs: int = 40
    batch_size: int = 32
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Literal["constant", "onecycle", "cosine"] = "constant"
    l1: float = 100.0
    perceptual: float = 0.0
    flip: float = 0.5
    ema: float = 0.999
    patience: int = 5
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, None),
            ("batch_size", 2, None),
            ("l1", 0, None),
            ("perceptual", 0, None),
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

    def to_json(self) -> dict:
        """Plain values, as they stand in a run's record."""
        return asdict(self) | {"betas": list(self.betas), "widths": list(self.widths)}


def train_generator(
    inputs: np.ndarray,
    targets: np.ndarray,
    recipe: GanRecipe,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    precision: Request | Precision = "auto",
    checkpoint: Path | None = None,
    perceptual_network: nn.Module | None = None,
) -> GanTraining:
    """Train a new ``Generator`` that makes ``targets``, the neutral faces, of ``inputs``, the same people's faces; uint8 (N, H, H) each.

    The pairs ``valid`` (inputs, targets) are measured after each epoch and decide nothing. ``seed`` fixes the first weights, the order and the
    mirroring: with it, a machine gives the same weights; torch's global random state is left as it was. With ``checkpoint``, a file whose name ends
    in .safetensors, the state is kept after each epoch; called again with the same arguments, a training that was killed
    goes on from there, in the precision it began in, and ends with the same weights, bit for bit on a CPU; one that was finished is read back. ``perceptual_network``
    maps float pictures (B, 1, H, H) in [0, 1] to features of any shape; a frozen copy of it in evaluation mode is used. Nothing is printed.

    Raises DataError for pictures that are no pairs and for a checkpoint that is damaged or of another training; ParameterError for a size that
    the generator does not take, a perceptual weight without a network and where a GPU's memory is too small; its child ``GanDivergence``,
    which has the last good weights, where a loss stops being a finite number or the discriminator's is near zero for ``recipe.patience`` epochs.
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
            checkpoint=checkpoint,
            perceptual_network=perceptual_network,
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
    checkpoint: Path | None = None,
    perceptual_network: nn.Module | None = None,
) -> Learner:
    """The fastai ``Learner`` with which ``train_generator`` trains; its arguments, and what it raises, are those of ``train_generator``.

    Its model is the generator; the discriminator learns in the callback ``adversary``. First weights are drawn from torch's global random state.
    """
    device = torch.device(device)
    loaders = pair_loaders(
        inputs, targets, recipe.batch_size, valid=valid, device=device, flip=recipe.flip, seed=seed
    )
    if recipe.perceptual and perceptual_network is None:
        raise ParameterError(
            f"perceptual {recipe.perceptual:g}: give the network whose features are compared, or 0"
        )
    size = inputs.shape[1]
    generator = Generator(size, recipe.widths).to(device)
    discriminator = Discriminator(size)
    if perceptual_network is not None:
        perceptual_network = copy.deepcopy(perceptual_network).to(device).eval().requires_grad_(False)
    kept = []
    if checkpoint is not None:
        shown = (inputs, targets, *(valid or ()))
        kept = [GanCheckpoint(checkpoint, _identity(recipe, seed, device, shown, perceptual_network))]
        precision = kept[0].precision_for(precision)
    if device.type == "cpu":
        keep_freed_memory()
    if not isinstance(precision, Precision):
        pictures = next(iter(pair_loaders(inputs, targets, recipe.batch_size, device=device).train))[0]
        precision = _precision(generator, pictures, precision)
    learner = Learner(
        loaders,
        generator,
        loss_func=F.l1_loss,
        opt_func=partial(OptimWrapper, opt=partial(torch.optim.Adam, betas=recipe.betas, fused=True)),
        cbs=[
            *precision.callbacks(device),
            Adversary(
                discriminator,
                betas=recipe.betas,
                l1=recipe.l1,
                precision=precision,
                perceptual=recipe.perceptual,
                perceptual_network=perceptual_network,
            ),
            ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr)}),
            *([Averaging(recipe.ema)] if recipe.ema else []),
            GanCurve(recipe.patience),
            *kept,
        ],
    )
    learner.remove_cbs([ProgressCallback, Recorder])
    learner.logger = noop
    learner.precision = precision
    return learner


def fit_gan(learner: Learner, recipe: GanRecipe) -> GanTraining:
    """Train for ``recipe.epochs`` passes, less those that a checkpoint holds; ``learner`` comes from ``gan_learner`` with the same recipe.

    Raises GanDivergence as ``train_generator`` says. An interruption leaves no open autocast region and no file but the checkpoint behind.
    """
    generator, curve = learner.model, learner.gan_curve
    done = learner.gan_checkpoint.epochs_done if hasattr(learner, "gan_checkpoint") else 0
    try:
        learner.fit(recipe.epochs, recipe.lr, wd=0.0, reset_opt=True, start_epoch=done)
    finally:
        leave_autocast(learner.cbs, learner.dls.device)
        learner.model, learner.opt = generator, None
        for network in (generator, learner.adversary.discriminator):
            # Contiguous, so that the network in memory and the one read back from a file add up in the same order.
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


def _precision(generator: Generator, pictures: torch.Tensor, request: Request) -> Precision:
    # Any loss will do for timing the generator: its pixels count as classes.
    labels = torch.zeros(len(pictures), dtype=torch.int64, device=pictures.device)
    chosen = choose_precision(
        nn.Sequential(generator, nn.Flatten()), (pictures, labels), request, pictures.device
    )
    # Two losses that are scaled in two steps by one scaler do not go together; such GPUs are old and rare.
    return Precision("fp32", channels_last=True) if chosen.name == "fp16" else chosen


def _divergence(curve: GanCurve, recipe: GanRecipe) -> str:
    found = curve.divergence
    kept = f"those of epoch {curve.good_epoch}" if curve.good_epoch else "those it started with"
    if found.step:
        return (
            f"the GAN diverged in step {found.step} of epoch {found.epoch}, at a learning rate of {found.lr:.3g}: a loss is not a finite "
            f"number. The generator's weights are {kept}. Give a smaller lr than {recipe.lr:g}"
        )
    return (
        f"the discriminator's loss was below {SILENT:g} in {found.epoch - curve.good_epoch} epochs up to epoch {found.epoch}: it tells all generated "
        f"faces from true ones, and the generator learns nothing from it. The generator's weights are {kept}. Give more people, "
        f"a larger l1 than {recipe.l1:g}, fewer epochs, or a larger patience than {recipe.patience} to go on all the same"
    )


def _identity(
    recipe: GanRecipe,
    seed: int,
    device: torch.device,
    pictures: tuple[np.ndarray, ...],
    network: nn.Module | None,
) -> dict:
    """Plain values that two trainings share if, and only if, they are one."""
    shown = hashlib.sha256()
    for part in pictures:
        shown.update(f"{part.shape}".encode())
        shown.update(np.ascontiguousarray(part))
    identity = recipe.to_json() | {"seed": seed, "device": device.type, "pictures": shown.hexdigest()}
    if network is not None:
        weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
        identity["perceptual_network"] = hashlib.sha256(tensors_to_bytes(weights)).hexdigest()
    return identity


@contextmanager
def _memory_of(recipe: GanRecipe) -> Iterator[None]:
    """Turn a GPU's refusal of memory into advice."""
    try:
        yield
    except torch.OutOfMemoryError as fault:
        raise ParameterError(
            f"the GPU's memory does not suffice for batches of {recipe.batch_size} pairs; give {max(2, recipe.batch_size // 2)}, "
            "or smaller pictures"
        ) from fault
