"""Training of LSTMs on the features of clips with fastai: one network per fold and seed, all in one program.

Every network is trained on its own clips; weights of zero in the loss leave the others out. The sum of the
losses is minimised by AdamW, which treats each weight by itself, so that each network becomes what it would
have become alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.callback.schedule import ParamScheduler
from fastai.data.core import DataLoaders
from fastai.data.transforms import CategoryMap
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from torch import nn
from torch.nn import functional as F

from face_sets.clips import Clips
from fer_lib.names import Pooling, Schedule
from fer_lib.nets.classifier import evaluating
from fer_lib.nets.lstm import ClipClassifier, ClipLSTM
from fer_lib.train.batches import Batches
from fer_lib.train.callbacks import rate_of
from fer_lib.train.device import Precision
from fer_lib.train.learner import FaceLearner, run_epochs
from fer_lib.train.predict import scaling
from ferbook.errors import DataError, ParameterError

PLAIN = Precision("fp32", channels_last=False)


@dataclass(frozen=True)
class ClipRecipe:
    """How LSTMs are trained on clips: one step of AdamW (Loshchilov & Hutter 2019) per epoch, on all training
    clips at once. Every class that occurs among a network's training clips has the same weight in the loss.

    Parameters
    ----------
    epochs : int
        Number of steps.
    lr : float
        Peak learning rate of ``schedule``.
    schedule : str
        As of ``train.callbacks.rate_of``.
    weight_decay : float
    hidden : int
        Cells of the LSTM.
    dropout : float
        Probability, applied to the pooled state.
    pooling : str
        Which states of the LSTM represent a clip: ``mean``, ``last`` or ``both_ends``.
    components : int
        Only so many features of a frame are used, the first ones.
    """

    epochs: int = 40
    lr: float = 0.003
    schedule: Schedule = "onecycle"
    weight_decay: float = 0.01
    hidden: int = 16
    dropout: float = 0.5
    pooling: Pooling = "mean"
    components: int = 32


@dataclass(frozen=True, eq=False)
class ClipTraining:
    """The result of training M networks for E epochs on C clips.

    Attributes
    ----------
    model : ClipLSTM
        With the weights of each network's best epoch.
    curve : pandas.DataFrame
        One row per network and epoch: ``network`` (from 0), ``epoch`` (from 1), and of the weights after it,
        without dropout, ``train_loss`` and ``valid_loss`` (cross-entropy in nats, weighted as in training).
    best_epoch : (M,) int64 array
        The epoch with the lowest validation loss, the first of equal ones. The recall of two dozen clips
        takes so few values that the highest of many epochs is mostly chance.
    probabilities : (M, C, classes) float32 array
        Of every clip, with the weights of the best epoch.
    history : (E, M, C, classes) float32 array or None
        The same after each epoch; None without ``watch``.
    """

    model: ClipLSTM
    curve: pd.DataFrame
    best_epoch: np.ndarray
    probabilities: np.ndarray
    history: np.ndarray | None


def train_clips(
    features: np.ndarray,
    lengths: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    recipe: ClipRecipe,
    *,
    train: np.ndarray,
    valid: np.ndarray,
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
    watch: bool = False,
) -> ClipTraining:
    """Train one network for each row of ``train`` and ``valid``.

    Each network standardises the features by its training clips and is trained on these; its validation clips
    select the epoch. A clip in neither row of a network has no influence on it. Nothing is printed, no file
    is written, and torch's random state does not change.

    Parameters
    ----------
    features : (C, T, F) or (M, C, T, F) float32 array
        Features of the frames, the same for all networks or one set for each.
    lengths : (C,) int64 array
        Frames of each clip.
    labels : (C,) int64 array
        Indices of the classes.
    n_classes : int
    recipe : ClipRecipe
    train, valid : (M, C) bool array
        The clips of each network.
    seeds : sequence of int
        One for each network.
    device : torch.device or str
    watch : bool
        Whether to return ``history``.

    Returns
    -------
    ClipTraining

    Raises
    ------
    DataError
        A network has no training or validation clip or one in both, or a feature is not finite.
    ParameterError
        The loss is no longer finite.
    """
    _check(features, train, valid)
    features = features[..., : recipe.components]
    sizes = features.shape[-1], n_classes, recipe.hidden, recipe.dropout, recipe.pooling
    model = ClipLSTM(*sizes, seeds=seeds)
    own = features.ndim == 4
    scales = [
        scaling(features[network] if own else features, lengths, mask) for network, mask in enumerate(train)
    ]
    model.standardise_by(*(torch.from_numpy(np.stack(part)) for part in zip(*scales, strict=True)))
    model.to(device)
    weights = class_weights(labels, n_classes, train)[:, labels]
    train_weights, valid_weights = (torch.from_numpy(weights * part).float() for part in (train, valid))
    batch = ClipBatch(features, lengths, labels, device=device)
    curve = ClipCurve(SeparateLosses(valid_weights).to(device), torch.from_numpy(valid).to(device), watch)
    loaders = DataLoaders(batch, batch, device=torch.device(device))
    loss = SeparateLosses(train_weights).to(device)
    callbacks = [curve, ParamScheduler({"lr": rate_of(recipe.schedule, recipe.lr)})]
    learner = FaceLearner(
        loaders, model, loss, torch.optim.AdamW, recipe, callbacks=callbacks, precision=PLAIN
    )
    try:
        run_epochs(learner)
    finally:
        curve.close()
    return curve.training()


def _check(features: np.ndarray, train: np.ndarray, valid: np.ndarray) -> None:
    if not np.isfinite(features).all():
        clip = int(np.argwhere(~np.isfinite(features))[0][-3])
        raise DataError(
            f"the features of clip {clip} are not all finite numbers; look at the network they come from"
        )
    for network, (own, judges) in enumerate(zip(train, valid, strict=True)):
        if not own.any() or not judges.any():
            raise DataError(
                f"network {network}: {int(own.sum())} clips to learn from and {int(judges.sum())} to "
                "select on; at least one of each is needed"
            )
        if (own & judges).any():
            clip = int(np.flatnonzero(own & judges)[0])
            raise DataError(f"network {network}: clip {clip} is both learned from and selected on")


def class_weights(labels: np.ndarray, n_classes: int, train: np.ndarray) -> np.ndarray:
    """Compute how much the error of a clip of each class counts in the loss of each network.

    The weight is N / (K · n_c) if the class has n_c of the network's N training clips, which show K classes;
    over those clips the mean is one. A class without a training clip has the weight 0.

    Parameters
    ----------
    labels : (C,) int array
    n_classes : int
    train : (M, C) bool array
        The training clips of each network.

    Returns
    -------
    (M, n_classes) float64 array
    """
    counts = train.astype(np.float64) @ np.eye(n_classes)[labels]
    present = (counts > 0).sum(axis=1, keepdims=True)
    return np.divide(
        counts.sum(axis=1, keepdims=True), present * counts, out=np.zeros_like(counts), where=counts > 0
    )


def clip_learner(
    features: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...] = (),
    recipe: ClipRecipe | None = None,
    *,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Learner:
    """Make a fastai ``Learner`` of one LSTM that classifies the emotions of ``clips``.

    Use it as any other: ``lr_find``, ``fit_one_cycle``, ``validate``, ``get_preds``,
    ``ClassificationInterpretation``. Every class has the same weight in training and in ``valid_loss``.

    Parameters
    ----------
    features : (C, T, F) float32 array
        Features of the frames, as of ``train.predict.clip_features``.
    clips : Clips
        Trained on the people in the split ``train``, validated on those in ``valid``.
    classes : tuple of str
        Emotions in the order of the output; by default all that ``clips`` show.
    recipe : ClipRecipe, optional
        Its network, weight decay and learning rate are used.
    batch_size : int
    device : torch.device or str
    seed : int
        Of the first weights and of the order of the batches.

    Returns
    -------
    fastai.learner.Learner

    Raises
    ------
    DataError
        A split has no clip, or a feature is not finite.
    """
    recipe, classes = recipe or ClipRecipe(), classes or clips.faces.classes
    split, labels = clips.faces.table["split"].to_numpy(str)[clips.rows[:, 0]], clips.labels(classes)
    train, valid = split == "train", split == "valid"
    _check(features, train[None], valid[None])
    features = features[..., : recipe.components]
    sizes = features.shape[-1], len(classes), recipe.hidden, recipe.dropout, recipe.pooling
    model = ClipClassifier(*sizes, seeds=(seed,))
    model.standardise_by(*map(torch.from_numpy, scaling(features, clips.lengths, train)))
    how = {"device": device, "seed": seed}
    loaders = DataLoaders(
        *(
            ClipBatch(features[rows], clips.lengths[rows], labels[rows], batch_size, shuffle=learns, **how)
            for rows, learns in ((train, True), (valid, False))
        ),
        device=torch.device(device),
    )
    for part in loaders.loaders:
        part.vocab = CategoryMap(list(classes), sort=False)
    (weights,) = class_weights(labels, len(classes), train[None])
    loss = CrossEntropyLossFlat(weight=torch.from_numpy(weights).float().to(device))
    model.to(device)
    return FaceLearner(loaders, model, loss, torch.optim.AdamW, recipe, metrics=accuracy, precision=PLAIN)


class ClipBatch(Batches):
    """Batches ``(features, lengths, labels)`` of clips; without a ``batch_size`` all of them in one.

    ``how``: ``device``, ``shuffle`` and ``seed`` as of ``Batches``.
    """

    n_inp = 2
    # Not the lengths: packing reads them on the CPU.
    held = ("features", "labels")

    def __init__(
        self,
        features: np.ndarray,
        lengths: np.ndarray,
        labels: np.ndarray,
        batch_size: int = 0,
        **how: object,
    ) -> None:
        self.features, self.lengths, self.labels = (
            torch.from_numpy(np.ascontiguousarray(values)) for values in (features, lengths, labels)
        )
        super().__init__(len(labels), batch_size or len(labels), **how)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        if self.bs == self.n and not self.shuffle:
            yield self.features, self.lengths, self.labels  # also where each network has its own features
            return
        order = self.order()
        for rows in (order[cut] for cut in self.cuts()):
            here = rows.to(self.device)
            yield self.features[here], self.lengths[rows], self.labels[here]


class SeparateLosses(nn.Module):
    """The sum over M networks of each one's mean cross-entropy over its clips.

    A network's gradient comes from its own clips only. Called with logits (M, C, classes) and labels (C,).

    Parameters
    ----------
    weights : (M, C) tensor
        Weight of each clip in the loss of each network.
    """

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        total = weights.sum(dim=1, keepdim=True)
        # A network without a weighted clip has a loss of zero.
        self.register_buffer("shares", weights / total.where(total > 0, 1))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.each(logits, labels).sum()

    def each(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of each network, (M,)."""
        targets = labels.expand(len(logits), -1)
        errors = F.cross_entropy(logits.movedim(2, 1), targets, reduction="none")
        return (errors * self.shares).sum(dim=1)


class ClipCurve(Callback):
    """Computes the losses of every network after each epoch, and records the weights and predictions of its
    best one.

    Dropout acts after the recurrence: the states that the next step computes, taken before dropout, are those
    of the weights after the previous step, so only the last epoch needs an extra pass.
    """

    def __init__(self, validated: SeparateLosses, valid: torch.Tensor, watch: bool) -> None:
        super().__init__()
        self.validated, self.valid, self.watch = validated, valid, watch
        self.hook: torch.utils.hooks.RemovableHandle | None = None

    def before_fit(self) -> None:
        self.learn.model.dropout.restart()
        self.rows: list[dict[str, np.ndarray]] = []
        self.seen: list[torch.Tensor] = []
        networks = len(self.valid)
        self.best_epoch = torch.zeros(networks, dtype=torch.int64)
        self.best_loss = torch.full((networks,), torch.inf, dtype=torch.float64)
        self.best_weights = {n: v.detach().clone() for n, v in self.model.state_dict().items()}
        self.best_logits: torch.Tensor | None = None
        self.hook = self.model.lstm.register_forward_hook(self._keep)

    def _keep(self, layer: nn.Module, inputs: tuple, states: torch.Tensor) -> None:
        self.states = states.detach()

    def after_pred(self) -> None:
        if self.epoch:
            self._score(self.epoch)

    def before_validate(self) -> None:
        raise CancelValidException

    def after_fit(self) -> None:
        self.model.eval()
        with evaluating(self.model):
            self.model(self.dls.train.features, self.dls.train.lengths)
            self._score(self.n_epoch)
        self.close()

    def close(self) -> None:
        """Remove the hook; fastai has no event for an interrupted training."""
        if self.hook is not None:
            self.hook.remove()
        self.hook = None

    @torch.no_grad()
    def _score(self, epoch: int) -> None:
        logits = self.model.output(self.states)
        labels = self.dls.train.labels
        train_loss = self.learn.loss_func.each(logits, labels).cpu().double()
        valid_loss = self.validated.each(logits, labels).cpu().double()
        if not torch.isfinite(train_loss).all() or not torch.isfinite(valid_loss).all():
            raise ParameterError(
                f"training diverged in epoch {epoch}: the loss is not a finite number. Give a smaller lr "
                f"than {self.opt.hypers[-1]['lr']:.3g}"
            )
        better = valid_loss < self.best_loss
        self.best_epoch[better], self.best_loss[better] = epoch, valid_loss[better]
        index = better.to(logits.device)
        for name, value in self.model.state_dict().items():
            self.best_weights[name][index] = value[index]
        if self.best_logits is None:
            self.best_logits = logits.clone()
        self.best_logits[index] = logits[index]
        if self.watch:
            self.seen.append(logits.softmax(dim=2).cpu())
        self.rows.append({"train_loss": train_loss, "valid_loss": valid_loss})

    def training(self) -> ClipTraining:
        """Return the result; the model has the weights of each network's best epoch, and is in evaluation
        mode.
        """
        self.model.load_state_dict(self.best_weights)
        self.model.eval().zero_grad()
        epochs, networks = len(self.rows), len(self.valid)
        curve = pd.DataFrame(
            {
                "network": np.repeat(np.arange(networks), epochs),
                "epoch": np.tile(np.arange(1, epochs + 1), networks),
            }
        )
        for name in self.rows[0]:
            curve[name] = torch.stack([row[name] for row in self.rows], dim=1).flatten().numpy()
        return ClipTraining(
            self.model,
            curve,
            self.best_epoch.numpy(),
            self.best_logits.softmax(dim=2).cpu().numpy(),
            torch.stack(self.seen).numpy() if self.watch else None,
        )
