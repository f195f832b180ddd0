"""``face_learner`` makes a fastai ``Learner`` for a face set, and ``fit`` trains it by its recipe: without
output, from a seed, and with the weights of the epoch that the validation split selects.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Protocol, get_args

import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import ParamScheduler
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.learner import Learner, Recorder
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from fastai.optimizer import OptimWrapper
from fastai.torch_core import set_seed
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.names import Optimiser
from fer_lib.nets.classifier import evaluating, own_autocast
from fer_lib.train.batches import AUGMENTATIONS, face_loaders
from fer_lib.train.callbacks import (
    Averaging,
    ClassScore,
    Curve,
    Epochs,
    Growth,
    Objective,
    Training,
    growing_side,
    rate_of,
)
from fer_lib.train.device import Precision, PrecisionName, choose_precision
from fer_lib.train.losses import CentreLoss, build_loss, class_counts, vote_shares
from fer_lib.train.muon import Muon
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import FerError, ParameterError, require_name
from ferbook.steps import steps

# As in Khorrami et al. 2015.
MOMENTUM = 0.9


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, and make cuDNN's algorithms repeatable.

    Two runs give the same weights on the same machine with the same number of threads. Another processor,
    thread count or library version adds in another order and differs in the last digits.
    """
    set_seed(seed, reproducible=True)


def face_learner(
    faces: FaceSet,
    model: nn.Module,
    classes: tuple[str, ...] = (),
    recipe: TrainingRecipe | None = None,
    *,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> "FaceLearner":
    """Make a fastai ``Learner`` that trains ``model`` to classify the emotions of ``faces``.

    Use it as any other: ``lr_find``, ``fit_one_cycle``, ``validate``, ``get_preds``,
    ``ClassificationInterpretation``. It has the batches, augmentation, loss, optimiser, weight decay and rate
    of ``recipe``. Epochs, schedule, clipping, growing pictures and averaging act in ``fit`` only.

    Parameters
    ----------
    faces : trained on the split ``train``, validated on ``valid``.
    model : takes float pictures (B, 1, H, W) in [0, 1], gives logits (B, ``len(classes)``).
    classes : emotions in the order of the output; by default all of ``faces``.
    recipe : by default ``TrainingRecipe()``. Its weight decay acts on all parameters, as in Khorrami et al.'s
        code.
    precision : number format, see ``train.device.choose_precision``.
    seed : of the order and augmentation of the batches and, in ``fit``, of the dropout.

    Returns
    -------
    A learner whose ``valid_loss`` is the loss that is minimised; with ``centre`` it is the cross-entropy.
    Give callbacks such as fastai's ``SaveModelCallback`` to the call of ``fit_one_cycle``: callbacks of the
    learner also act in ``validate`` and ``get_preds``.

    Raises
    ------
    DataError
        A split is empty, holds an emotion outside ``classes``, lacks one in ``train``, or lacks the votes
        that the loss needs.
    ParameterError
        Network and pictures do not fit, or the recipe has an unknown name.
    """
    recipe, classes = recipe or TrainingRecipe(), classes or faces.classes
    require_name("augmentation", recipe.augment, AUGMENTATIONS)
    fit_callbacks = recipe_callbacks(recipe, faces.size[0])
    class_counts(faces, classes)
    loaders = face_loaders(
        faces,
        classes,
        recipe.batch_size,
        device=device,
        augmentation=AUGMENTATIONS[recipe.augment],
        seed=seed,
        targets=torch.from_numpy(vote_shares(faces, classes)) if recipe.loss == "votes" else None,
    )
    _check_fit(model.to(device), faces.size, recipe, len(classes), loaders.device)
    loss, callbacks = build_loss(recipe.loss, model, n_classes=len(classes)), []
    if isinstance(loss, CentreLoss):
        callbacks = [Objective(loss, loss := CrossEntropyLossFlat())]
    return FaceLearner(
        loaders,
        model,
        loss,
        recipe_optimiser(recipe),
        recipe,
        callbacks=callbacks,
        fit_callbacks=fit_callbacks,
        metrics=accuracy,
        precision=precision,
        seed=seed,
    )


class Diverged(ParameterError):
    """The loss is no longer finite."""


def fit(
    learner: "FaceLearner", *, score: type[ClassScore] = ClassScore, checkpoints: Sequence[int] = ()
) -> Training:
    """Train the model of ``learner`` by its recipe, and leave it with the weights of its best epoch.

    Best is the epoch with the highest validation ``score``; of equals the one with the lowest validation
    loss. With ``recipe.averaging`` both are those of the averaged weights. The optimiser starts afresh with
    every call. The same network and seed give the same weights on one machine, and the global random state
    does not change. Nothing is printed, and no file is written.

    Parameters
    ----------
    score : what validation measures: of classes, accuracy.
    checkpoints : epochs, from 1, whose weights are returned too.

    Raises
    ------
    Diverged
        The loss is not finite. The message gives epoch, step and learning rate; the model then has the
        weights of the best epoch before, or those it came with.
    ParameterError
        A checkpoint lies beyond the last epoch, or a GPU's memory is too small.
    """
    recipe, model = learner.recipe, learner.model
    if recipe.epochs < 1 or not all(1 <= epoch <= recipe.epochs for epoch in checkpoints):
        further = f", checkpoints = {', '.join(map(str, checkpoints))}" if checkpoints else ""
        raise ParameterError(f"epochs = {recipe.epochs}{further}; give at least 1, and none beyond the last")
    curve = Curve(score, checkpoints)
    with repeatable(recipe, learner.dls.device, learner.seed):
        try:
            run_epochs(learner, [*learner.fit_callbacks, curve])
        finally:
            learner.model, learner.opt = model, None
            for callback in learner.cbs:
                if isinstance(callback, Objective):
                    callback.close()
            # Contiguous weights, so that the network in memory and the one read back from a file
            # add up in the same order and predict the same digits.
            model.to(memory_format=torch.contiguous_format).eval().zero_grad()
    model.load_state_dict(curve.best_weights)
    if curve.divergence is not None:
        weights = f"those of epoch {curve.best_epoch}" if curve.best_epoch else "those it started with"
        raise Diverged(
            f"training diverged in {curve.divergence}: the loss is not a finite number. The network's "
            f"weights are {weights}. Give a smaller lr than {recipe.lr:g} (-p lr={recipe.lr / 3:.1g})"
        )
    return Training(pd.DataFrame(curve.rows), curve.best_epoch, learner.precision, curve.kept)


class BasicRecipe(Protocol):
    """The settings that every training needs."""

    epochs: int
    lr: float
    weight_decay: float


class FaceLearner(Learner):
    """fastai's ``Learner`` with a torch optimiser, which decays all parameters, and a chosen precision.

    The caller's autocast region does not reach into a step, and the learner's own is closed where a step is
    interrupted.

    Parameters
    ----------
    loaders, model, loss : as of fastai; the model lies on the device of ``loaders``.
    optimiser : makes a torch optimiser of parameters.
    recipe : its ``lr`` and ``weight_decay`` are the learner's defaults, its ``epochs`` those of ``fit``.
    callbacks : of every training, search and prediction.
    fit_callbacks : of ``fit`` only.
    seed : of the random numbers that are drawn in ``fit``.
    """

    def __init__(
        self,
        loaders: DataLoaders,
        model: nn.Module,
        loss: Callable[..., torch.Tensor],
        optimiser: Callable[..., torch.optim.Optimizer],
        recipe: BasicRecipe,
        *,
        callbacks: Sequence[Callback] = (),
        fit_callbacks: Sequence[Callback] = (),
        metrics: Callable[..., torch.Tensor] | None = None,
        precision: PrecisionName | Precision = "fp32",
        seed: int = 0,
    ) -> None:
        self.recipe, self.fit_callbacks, self.seed = recipe, fit_callbacks, seed
        self.precision = choose_precision(precision, loaders.device)
        super().__init__(
            loaders,
            model,
            loss_func=loss,
            opt_func=partial(OptimWrapper, opt=optimiser),
            lr=recipe.lr,
            wd=recipe.weight_decay,
            wd_bn_bias=True,
            metrics=metrics,
            cbs=[*self.precision.callbacks, *callbacks],
        )

    def one_batch(self, *args: object, **options: object) -> None:
        # Without torch's cache of cast weights, which would outlive a step within a caller's region.
        with own_autocast(self.dls.device.type), ExitStack() as self.regions:
            super().one_batch(*args, **options)


def recipe_optimiser(recipe: TrainingRecipe) -> Callable[..., torch.optim.Optimizer]:
    """Return a function that makes the torch optimiser of parameters. Raises ParameterError for an unknown
    name.
    """
    require_name("optimiser", recipe.optimiser, get_args(Optimiser))
    momentum = {"momentum": MOMENTUM, "nesterov": recipe.nesterov}
    return {
        "sgd": partial(torch.optim.SGD, **momentum),
        "muon": partial(Muon, **momentum),
        "adamw": torch.optim.AdamW,
    }[recipe.optimiser]


def recipe_callbacks(recipe: TrainingRecipe, side: int) -> list[Callback]:
    """Return the callbacks that ``recipe`` adds to a plain training on pictures of ``side`` pixels."""
    callbacks = [ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr, recipe.warmup)})]
    if recipe.clip:
        callbacks.append(GradientClip(recipe.clip))
    if recipe.start_size:
        callbacks.append(Growth(recipe.start_size, side))
    if recipe.averaging:
        callbacks.append(Averaging(recipe.averaging))
    return callbacks


def _check_fit(
    model: nn.Module, size: tuple[int, int], recipe: TrainingRecipe, n_classes: int, device: torch.device
) -> None:
    """Raise ParameterError if the network rejects the pictures at a size that they will have, or returns
    another number of logits.
    """
    start = recipe.start_size or size[0]
    sides = {growing_side(epoch, recipe.epochs, start, size[0]) for epoch in range(recipe.epochs)}
    for height in sorted(sides):
        pictures = torch.zeros(2, 1, height, round(height * size[1] / size[0]), device=device)
        subject = f"network {type(model).__name__} and pictures of {height} × {pictures.shape[3]} pixels"
        try:
            with evaluating(model):
                answer = tuple(model(pictures).shape)
        except torch.OutOfMemoryError:
            raise
        except (FerError, RuntimeError) as fault:
            raise ParameterError(f"{subject} do not fit: {fault}") from fault
        if answer != (2, n_classes):
            raise ParameterError(f"{subject} give {answer} for 2 pictures; build it for {n_classes} classes")


def run_epochs(learner: FaceLearner, callbacks: Sequence[Callback] = ()) -> None:
    """Train for ``recipe.epochs`` passes with fastai, without its output and without its Recorder, which
    reads the loss in every step and makes a GPU wait.
    """
    recipe = learner.recipe
    printing = [each for each in learner.cbs if isinstance(each, ProgressCallback | Recorder)]
    with learner.removed_cbs(printing), steps("epochs", recipe.epochs) as advance:
        callbacks = [*callbacks, Epochs(advance)]
        learner.fit(recipe.epochs, recipe.lr, wd=recipe.weight_decay, reset_opt=True, cbs=callbacks)


@contextmanager
def repeatable(
    recipe: TrainingRecipe, device: torch.device | str, seed: int, parameter: str = "batch_size"
) -> Iterator[None]:
    """Draw the random numbers of the block from a seed, and restore the global random state after it.

    Parameters
    ----------
    recipe : TrainingRecipe
    device : torch.device or str
    seed : int
    parameter : str
        The chapter's name of the batch size.

    Raises
    ------
    ParameterError
        The memory of a GPU is too small; recommends a smaller ``recipe.batch_size``.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed would seed every GPU, also those whose state is not restored.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        try:
            yield
        except torch.OutOfMemoryError as fault:
            raise ParameterError(
                f"the GPU's memory does not suffice for {parameter} = {recipe.batch_size}; give a smaller "
                f"one (-p {parameter}={max(2, recipe.batch_size // 2)}) or smaller pictures (-p size=…)"
            ) from fault
