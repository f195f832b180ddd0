"""What a network is to answer (one class per picture, or shares of a crowd's votes), how much each class
weighs, and the loss functions by name, each in float32 whatever the network is trained in.

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

from fer_lib.faces.faceset import FaceSet
from fer_lib.names import Loss
from ferbook.errors import DataError, ParameterError, require_name


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


def balancing_weights(counts: np.ndarray) -> np.ndarray:
    """float32 (C,): N / (C · n_c), with which every class weighs the same; over all pictures the mean weight
    is one.
    """
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def vote_shares(faces: FaceSet, classes: tuple[str, ...], split: str = "train") -> np.ndarray:
    """float32 (n, C): the share of each class in the votes for ``classes`` of each picture of ``split``.

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
    rows = np.flatnonzero(faces.table["split"] == split)
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

    ``smoothing`` mixes each label with the even distribution. With ``class_weights`` (C,) a term of class c
    counts as often as its weight says, and the mean is the one that torch's ``cross_entropy`` takes: the sum
    is divided by the weights of the pictures' labels. A one-hot distribution and its hard label cost the
    same.
    """

    needs_features: ClassVar[bool] = False

    reduction: str = "mean"
    """What fastai sets to ``none`` where it asks for the loss of each picture."""

    y_int: bool = True
    """Whether the labels are class numbers, whose losses fastai's MixUp mixes, and not the numbers."""

    def __init__(
        self, n_classes: int, *, smoothing: float = 0.0, class_weights: Tensor | None = None
    ) -> None:
        super().__init__()
        self.n_classes, self.smoothing = n_classes, smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            hard = not labels.is_floating_point()
            targets = (F.one_hot(labels, self.n_classes) if hard else labels).float()
            terms = self._terms(targets, logits.float().log_softmax(dim=1))
            if self.reduction == "none":
                return terms.sum(1) if self.class_weights is None else terms @ self.class_weights
            if self.class_weights is None:
                return terms.sum(1).mean()
            return (terms @ self.class_weights).sum() / (targets @ self.class_weights).sum()

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
    classes. ``class_weights`` (C,) are the paper's alpha, as in ``CrossEntropy``.
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
    c)/(1 + n) over the n pictures of its class in the batch. No gradient goes through them. ``class_weights``
    concern the cross-entropy only.

    Takes hard labels only: what a picture's own centre is, a distribution does not say (ParameterError).
    """

    needs_features: ClassVar[bool] = True

    weight: float = 0.003
    """Lambda of Wen et al., section 4.1 (remembered, unverified)."""

    rate: float = 0.5
    """Their alpha: how far a centre goes towards the pictures of its class in one step."""

    def __init__(self, n_classes: int, features: int, *, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropy(n_classes, class_weights=class_weights)
        self.register_buffer("centres", torch.zeros(n_classes, features))

    def forward(self, logits: Tensor, labels: Tensor, features: Tensor) -> Tensor:
        if labels.is_floating_point():
            raise ParameterError(
                f"{type(self).__name__} needs one class per picture, not a distribution over the classes: "
                "leave out mixup, or choose another loss"
            )
        with torch.autocast(logits.device.type, enabled=False):
            features = features.float()
            distance = (features - self.centres[labels]).square().sum(1).mean()
            loss = self.cross_entropy(logits, labels) + self.weight * (distance / 2 + self._separation())
            if torch.is_grad_enabled():
                self._move(features.detach(), labels)
        return loss

    def _separation(self) -> Tensor | float:
        """What is added to the half squared distance: nothing here."""
        return 0.0

    @torch.no_grad()
    def _move(self, features: Tensor, labels: Tensor) -> None:
        members = F.one_hot(labels, len(self.centres)).float()
        counts = members.sum(0)[:, None]
        self.centres += self.rate * self._step(members.T @ features - counts * self.centres, counts)

    def _step(self, pull: Tensor, counts: Tensor) -> Tensor:
        return pull / (1 + counts)


class IslandLoss(CentreLoss):
    """The centre loss plus ``separation`` times the sum, over ordered pairs of classes, of their centres'
    cosine plus one.

    Cai et al. 2018 (arXiv 1710.03144), all times ``weight``. The cosines push the centres apart: each moves
    by ``rate`` times the centre loss's step minus ``separation``/(C − 1) times the gradient of its cosines.
    On a network's weights they act through the centres only. A centre at the origin (of a class not yet seen)
    has no direction: its cosines count as zero and it is not pushed.
    """

    weight: float = 0.01
    """Lambda of Cai et al. (remembered, unverified)."""

    separation: float = 10.0
    """Their lambda 1: weight of the centres' cosines beside the centre loss (remembered, unverified)."""

    def _separation(self) -> Tensor:
        pairs = len(self.centres) * (len(self.centres) - 1)
        return self.separation * (_cosines(self.centres).sum() + pairs)

    def _step(self, pull: Tensor, counts: Tensor) -> Tensor:
        cosines = _cosines(self.centres)
        lengths = self.centres.norm(dim=1, keepdim=True)
        directions = F.normalize(self.centres, dim=1)
        # d cos(c_j, c_k) / d c_j, summed over k: the part of the other directions that is across c_j, over
        # its length.
        others = directions.sum(0) - directions
        across = (others - cosines.sum(1, keepdim=True) * directions) / lengths.clamp_min(1e-12)
        push = torch.where(lengths > 0, across, 0.0)
        return super()._step(pull, counts) - self.separation / (len(self.centres) - 1) * push


def _cosines(centres: Tensor) -> Tensor:
    """Cosine of each pair of centres (C, C), with a zero diagonal."""
    directions = F.normalize(centres, dim=1)
    return (directions @ directions.T).fill_diagonal_(0)


def build_loss(
    name: Loss, model: nn.Module, *, n_classes: int, class_weights: Tensor | None = None
) -> nn.Module:
    """The loss called ``name`` for ``model``, on the model's device.

    ``cross_entropy``; ``label_smoothing`` (``SMOOTHING``); ``focal``; ``centre`` and ``island``,
    with centres as wide as the input of ``model.output``; ``votes``: the cross-entropy, to be called with the
    crowd's distribution. ``class_weights`` float (C,), positive.

    Raises ParameterError for an unknown name, and for ``island`` with one class.
    """
    require_name("loss", name, get_args(Loss))
    if name == "island" and n_classes < 2:
        raise ParameterError("loss island: its centres push each other apart, so give two classes or more")
    if name == "focal":
        loss = FocalLoss(n_classes, class_weights=class_weights)
    elif name in ("centre", "island"):
        kind = CentreLoss if name == "centre" else IslandLoss
        loss = kind(n_classes, model.output.in_features, class_weights=class_weights)
    else:
        smoothing = SMOOTHING if name == "label_smoothing" else 0.0
        loss = CrossEntropy(n_classes, smoothing=smoothing, class_weights=class_weights)
    return loss.to(next(model.parameters()).device)
