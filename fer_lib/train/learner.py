"""Training a network with fastai, silently, with the epoch chosen on the validation split."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import get_args

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
from fastcore.basics import noop
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.names import Optimiser
from fer_lib.nets.classifier import evaluating, own_autocast
from fer_lib.train.batches import AUGMENTATIONS, face_loaders
from fer_lib.train.callbacks import (
    Averaging,
    Curve,
    Epochs,
    Growth,
    Objective,
    Training,
    growing_side,
    rate_of,
)
from fer_lib.train.device import Precision, PrecisionName, choose_precision
from fer_lib.train.losses import build_loss, class_counts, vote_shares
from fer_lib.train.muon import Muon
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import FerError, ParameterError, require_name
from ferbook.steps import steps

MOMENTUM = 0.9
"""As in Khorrami et al. 2015."""


class Diverged(ParameterError):
    """The loss stopped being a finite number."""


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, and have cuDNN choose its algorithms repeatably.

    Two runs give the same weights on the same machine with the same number of threads; another
    processor, thread count or library version adds up in another order and differs in the last digits.
    """
    set_seed(seed, reproducible=True)


def train(
    faces: FaceSet,
    model: nn.Module,
    classes: tuple[str, ...],
    recipe: TrainingRecipe,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
    precision: PrecisionName | Precision = "auto",
    checkpoints: Sequence[int] = (),
) -> Training:
    """Train ``model`` by ``recipe`` on the split ``train`` of ``faces``, and leave it with the weights that
    ``valid`` chose.

    ``model`` takes float pictures (B, 1, H, W) in [0, 1] and gives logits (B, ``len(classes)``). The epoch
    with the highest validation accuracy is kept, of equals the one with the lowest validation loss; with
    ``recipe.averaging`` both are those of the averaged weights. ``seed`` orders and augments the
    batches and draws the dropout: with the same network and seed a machine gives the same weights; the global
    random state is left as it was. The weights after the epochs ``checkpoints`` are kept beside those of the
    best. Nothing is printed, no file is written.

    Raises DataError where a split is empty, holds an emotion outside ``classes``, lacks one of them in
    ``train``, or lacks the votes that the loss needs; ParameterError where the network and the pictures do
    not fit, where the recipe asks for what there is not, where the loss stops being a finite number (the
    model then has its last good weights) and where a GPU's memory is too small.
    """
    with repeatable(recipe, device, seed):
        how = {"precision": precision, "device": device, "seed": seed}
        return fit(recipe_learner(faces, model, classes, recipe, checkpoints=checkpoints, **how), recipe)


@contextmanager
def repeatable(
    recipe: TrainingRecipe, device: torch.device | str, seed: int, parameter: str = "batch_size"
) -> Iterator[None]:
    """A training inside draws its random numbers from ``seed``, and those around it never notice; a GPU's
    refusal of memory becomes advice about ``recipe.batch_size``, which a chapter calls ``parameter``.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed would seed every GPU, also those whose state is not put back.
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


class FaceLearner(Learner):
    """fastai's ``Learner``. No autocast region of the caller's reaches into what it computes, and none of its
    own stays open where it is interrupted. What it computes in is its attribute ``precision``.
    """

    def one_batch(self, *args: object, **options: object) -> None:
        # Without torch's cache of cast weights, which would outlive a step within a caller's region.
        with own_autocast(self.dls.device.type), ExitStack() as self.regions:
            super().one_batch(*args, **options)


def face_learner(
    faces: FaceSet,
    model: nn.Module,
    classes: tuple[str, ...] = (),
    recipe: TrainingRecipe | None = None,
    *,
    precision: PrecisionName | Precision = "auto",
    device: torch.device | str = "cpu",
    seed: int = 0,
    silent: bool = False,
) -> Learner:
    """A fastai ``Learner`` of ``model`` for the splits ``train`` and ``valid`` of ``faces``, used as any
    other: ``lr_find``, ``fit_one_cycle``, ``validate``, ``get_preds``, ``ClassificationInterpretation``.

    ``classes``: all that ``faces`` shows by default. Of ``recipe`` it has batches, augmentation, loss,
    optimiser, weight decay and rate; the rest (epochs, schedule, clipping, growing pictures, averaging) is
    the caller's, or that of ``train``. Weight decay acts on all parameters, as in Khorrami et al.'s code.
    ``valid_loss`` is the loss that is minimised, of ``centre`` the cross-entropy. Give callbacks such as
    ``SaveModelCallback`` to ``fit``, not to the learner: fastai asks those of the learner in ``validate`` and
    ``get_preds``, too. ``silent``: as of ``learner_of``. Raises as ``train``.
    """
    recipe, classes = recipe or TrainingRecipe(), classes or faces.classes
    require_name("augmentation", recipe.augment, AUGMENTATIONS)
    require_name("optimiser", recipe.optimiser, get_args(Optimiser))
    class_counts(faces, classes)
    targets = torch.from_numpy(vote_shares(faces, classes)) if recipe.loss == "votes" else None
    loaders = face_loaders(
        faces,
        classes,
        recipe.batch_size,
        device=device,
        augmentation=AUGMENTATIONS[recipe.augment],
        seed=seed,
        targets=targets,
    )
    model.to(device)
    _check_fit(model, faces.size, recipe, len(classes), loaders.device)
    loss, callbacks = build_loss(recipe.loss, model, n_classes=len(classes)), []
    loss.y_int = targets is None
    if loss.needs_features:
        callbacks = [Objective(loss, loss := CrossEntropyLossFlat())]
    further = {"metrics": accuracy, "lr": recipe.lr, "wd": recipe.weight_decay}
    further |= {"precision": precision, "silent": silent}
    return learner_of(loaders, model, loss, recipe_optimiser(recipe), callbacks, **further)


def recipe_learner(
    faces: FaceSet,
    model: nn.Module,
    classes: tuple[str, ...],
    recipe: TrainingRecipe,
    *,
    checkpoints: Sequence[int] = (),
    **how: object,
) -> Learner:
    """The fastai ``Learner`` with which ``train`` trains: a ``face_learner`` that is silent and follows all
    of ``recipe``. Arguments, and what it raises, are those of ``train``.
    """
    if recipe.epochs < 1 or not all(1 <= epoch <= recipe.epochs for epoch in checkpoints):
        further = f", and of the epochs {', '.join(map(str, checkpoints))} the weights" if checkpoints else ""
        raise ParameterError(f"epochs = {recipe.epochs}{further}; give at least 1, and none beyond the last")
    options = learner_options(recipe, faces.size[0])
    learner = face_learner(faces, model, classes, recipe, silent=True, **how)
    minimised = learner.objective.minimised if hasattr(learner, "objective") else learner.loss_func
    objective = Objective(minimised)
    learner.remove_cbs([Objective])
    learner.loss_func = objective.validated
    learner.add_cbs([objective, *options, Curve(checkpoints=checkpoints)])
    return learner


def learner_of(
    loaders: DataLoaders,
    model: nn.Module,
    loss: Callable[..., torch.Tensor],
    optimiser: Callable[..., torch.optim.Optimizer],
    callbacks: Sequence[Callback] = (),
    *,
    precision: PrecisionName | Precision = "fp32",
    silent: bool = False,
    **further: object,
) -> FaceLearner:
    """A fastai ``Learner`` of ``model``, on the device of ``loaders``, with a torch ``optimiser`` and weight
    decay on all parameters; a ``silent`` one lacks what prints, and fastai's Recorder, which reads the loss
    in every step. ``further`` arguments as of fastai's.
    """
    choice = choose_precision(precision, loaders.device)
    learner = FaceLearner(
        loaders,
        model,
        loss_func=loss,
        opt_func=partial(OptimWrapper, opt=optimiser),
        wd_bn_bias=True,
        cbs=[*choice.callbacks, *callbacks],
        **further,
    )
    if silent:
        learner.remove_cbs([ProgressCallback, Recorder])
        learner.logger = noop
    learner.precision = choice
    return learner


def recipe_optimiser(recipe: TrainingRecipe) -> Callable[..., torch.optim.Optimizer]:
    """What makes a step of ``recipe``: a torch optimiser that lacks the parameters and the rate."""
    momentum = {"momentum": MOMENTUM, "nesterov": recipe.nesterov}
    return {
        "sgd": partial(torch.optim.SGD, **momentum),
        "muon": partial(Muon, **momentum),
        "adamw": torch.optim.AdamW,
    }[recipe.optimiser]


def learner_options(recipe: TrainingRecipe, side: int) -> list[Callback]:
    """The callbacks of what a recipe may add to a plain training."""
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
    """Raise ParameterError where the network cannot take the pictures, at any size they will have, or answers
    otherwise.
    """
    with evaluating(model):
        start = recipe.start_size or size[0]
        sides = {growing_side(epoch, recipe.epochs, start, size[0]) for epoch in range(recipe.epochs)}
        for height in sorted(sides):
            pictures = torch.zeros(2, 1, height, round(height * size[1] / size[0]), device=device)
            subject = f"network {type(model).__name__} and pictures of {height} × {pictures.shape[3]} pixels"
            try:
                answer = tuple(model(pictures).shape)
            except (FerError, RuntimeError) as fault:
                if isinstance(fault, torch.OutOfMemoryError):
                    raise
                raise ParameterError(f"{subject} do not fit: {fault}") from fault
            if answer != (2, n_classes):
                raise ParameterError(
                    f"{subject} give {answer} for 2 pictures; build it for {n_classes} classes"
                )


def fit(learner: Learner, recipe: TrainingRecipe) -> Training:
    """Train for ``recipe.epochs`` passes, then put the weights of the best validation epoch back into the
    model.

    ``learner`` comes from ``recipe_learner`` with the same recipe, or one of its own that has ``epochs``,
    ``lr`` and ``weight_decay`` too. The optimiser starts afresh with every
    call. An interruption leaves no file, no open autocast region, no hook and no gradient behind; the model
    keeps the weights it had by then.

    Raises Diverged where training diverges, and names epoch, step and learning rate; the model then has
    the weights of the best epoch before, or those it came with.
    """
    model, curve = learner.model, learner.curve
    try:
        with steps("epochs", recipe.epochs) as advance:
            learner.fit(recipe.epochs, recipe.lr, wd=recipe.weight_decay, reset_opt=True, cbs=Epochs(advance))
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
