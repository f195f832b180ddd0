"""What a network is to answer (one class per picture, or shares of a crowd's votes), and the loss functions
by name, each in float32 whatever the network is trained in.

Every loss is a module called ``loss(logits, labels)``, or ``loss(logits, labels, features)`` where its
attribute ``needs_features`` is true, and returns the mean over a batch. ``logits`` float (B, C); ``labels``
either int64 (B,) or a distribution over the classes for each picture, float (B, C) with rows that sum to one
(crowd votes, mixed pictures); ``features`` float (B, D): the input of the network's ``output``.
"""

from typing import ClassVar, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from face_sets.faceset import FaceSet
from fer_lib.names import Loss
from ferbook.errors import DataError, require_name


def class_counts(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """int64 (C,): pictures of each class in the split ``train``. Raises DataError naming a class that is
    absent there.
    """
    counts = np.bincount(faces.split("train").labels(classes), minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        raise DataError(
            f"face set {faces.name!r}: no picture of {', '.join(absent)} in the split 'train', so the "
            "network could not learn it; leave the class out or take a fold that has it"
        )
    return counts


def vote_shares(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """float32 (n, C): the share of each class in the votes for ``classes`` of each training picture.

    From the columns ``vote_<emotion>``; what the crowd said beside ``classes`` is left out. Raises DataError
    where a column is absent, or a picture has no vote for any of the classes (it names the row in ``faces``).
    """
    columns = [f"vote_{name}" for name in classes]
    absent = [name for name in columns if name not in faces.table]
    if absent:
        raise DataError(
            f"face set {faces.name!r} has no column {', '.join(absent)}; the loss 'votes' needs a crowd's "
            "votes, as in game and ferplus"
        )
    rows = np.flatnonzero(faces.table["split"] == "train")
    votes = faces.table[columns].to_numpy(np.float64)[rows]
    total = votes.sum(axis=1, keepdims=True)
    silent = rows[total[:, 0] == 0]
    if len(silent):
        raise DataError(
            f"face set {faces.name!r}, row {silent[0]}: no vote for any of {', '.join(classes)}; leave such "
            "pictures out or choose another loss"
        )
    return (votes / total).astype(np.float32)


SMOOTHING = 0.1
"""Share of a label that is spread evenly over all classes: Szegedy et al. 2016 (arXiv 1512.00567)."""


class CrossEntropy(nn.Module):
    """Cross-entropy in nats against hard labels, smoothed ones, or distributions (Barsoum et al. 2016, arXiv
    1608.01041).

    ``smoothing`` mixes each label with the even distribution. A one-hot distribution and its hard label cost
    the same.
    """

    needs_features: ClassVar[bool] = False

    reduction: str = "mean"
    """What fastai sets to ``none`` where it asks for the loss of each picture."""

    y_int: bool = True
    """Whether the labels are class numbers, whose losses fastai's MixUp mixes, and not the numbers."""

    def __init__(self, n_classes: int, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.n_classes, self.smoothing = n_classes, smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            hard = not labels.is_floating_point()
            targets = (F.one_hot(labels, self.n_classes) if hard else labels).float()
            losses = self._terms(targets, logits.float().log_softmax(dim=1)).sum(1)
            return losses if self.reduction == "none" else losses.mean()

    def activation(self, logits: Tensor) -> Tensor:
        """Probabilities (B, C), as fastai's ``get_preds`` gives them."""
        return logits.softmax(dim=-1)

    def decodes(self, probabilities: Tensor) -> Tensor:
        """The most probable class (B,)."""
        return probabilities.argmax(dim=-1)

    def _terms(self, targets: Tensor, log_p: Tensor) -> Tensor:
        """(B, C): what each class adds to a picture's loss."""
        soft_targets = (1 - self.smoothing) * targets + self.smoothing / self.n_classes
        return -soft_targets * log_p


class FocalLoss(CrossEntropy):
    """Cross-entropy in which a class that is given probability p counts (1 − p)^``focus`` (Lin et al. 2017,
    eq. 4).

    With ``focus`` 0 it is the cross-entropy. For a distribution it is the mean of the losses of the single
    classes.
    """

    focus: float = 2.0
    """Gamma of the paper, whose authors found 2 best (arXiv 1708.02002)."""

    def _terms(self, targets: Tensor, log_p: Tensor) -> Tensor:
        missed = -log_p.expm1()
        return -targets * missed**self.focus * log_p


class CentreLoss(nn.Module):
    """Cross-entropy plus ``weight``/2 times the squared distance of the features to their class's centre (Wen
    et al. 2016, eq. 5).

    Both are means over the batch, where the paper adds up both. ``centres`` (C, D) start at the origin;
    whenever gradients are recorded they move after the loss was taken (eq. 4): each by ``rate`` times Σ(f −
    c)/(1 + n) over the n pictures of its class in the batch. No gradient goes through them. Takes hard labels
    only: what a picture's own centre is, a distribution does not say.
    """

    needs_features: ClassVar[bool] = True

    weight: float = 0.003
    """Lambda of Wen et al., section 4.1 (remembered, unverified)."""

    rate: float = 0.5
    """Their alpha: how far a centre goes towards the pictures of its class in one step."""

    def __init__(self, n_classes: int, features: int) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropy(n_classes)
        self.register_buffer("centres", torch.zeros(n_classes, features))

    def forward(self, logits: Tensor, labels: Tensor, features: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            features = features.float()
            distance = (features - self.centres[labels]).square().sum(1).mean()
            loss = self.cross_entropy(logits, labels) + self.weight * (distance / 2)
            if torch.is_grad_enabled():
                self._move(features.detach(), labels)
        return loss

    @torch.no_grad()
    def _move(self, features: Tensor, labels: Tensor) -> None:
        members = F.one_hot(labels, len(self.centres)).float()
        counts = members.sum(0)[:, None]
        self.centres += self.rate * ((members.T @ features - counts * self.centres) / (1 + counts))


def build_loss(name: Loss, model: nn.Module, *, n_classes: int) -> nn.Module:
    """The loss called ``name`` for ``model``, on the model's device.

    ``cross_entropy``; ``label_smoothing`` (``SMOOTHING``); ``focal``; ``centre``, with centres as
    wide as the input of ``model.output``; ``votes``: the cross-entropy, to be called with the crowd's
    distribution. Raises ParameterError for an unknown name.
    """
    require_name("loss", name, get_args(Loss))
    if name == "focal":
        loss = FocalLoss(n_classes)
    elif name == "centre":
        loss = CentreLoss(n_classes, model.output.in_features)
    else:
        loss = CrossEntropy(n_classes, smoothing=SMOOTHING if name == "label_smoothing" else 0.0)
    return loss.to(next(model.parameters()).device)
