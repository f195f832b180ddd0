"""Training labels (one class per picture, or a crowd's votes), and loss functions by name.

A loss is called ``loss(logits, labels)``, or ``loss(logits, labels, features)`` where its attribute
``needs_features`` is true, and returns the mean over a batch. ``logits`` float32 (B, C); ``labels`` int64
(B,), or for ``votes`` float (B, C) with rows that sum to one; ``features`` float (B, D): the input of the
network's layer ``output``.
"""

from collections.abc import Callable
from typing import ClassVar, get_args

import numpy as np
import torch
from fastai.losses import CrossEntropyLossFlat, FocalLossFlat
from torch import Tensor, nn
from torch.nn import functional as F

from face_sets.faceset import FaceSet
from fer_lib.names import Loss
from ferbook.errors import DataError, require_name


def class_counts(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """Count the pictures of each class in the split ``train``: int64 (C,). Raises DataError naming a class
    that is absent there.
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
    """Compute the proportion of the votes for each class, of each training picture.

    Parameters
    ----------
    faces : FaceSet
        With the columns ``vote_<emotion>``.
    classes : tuple of str
        Votes for other emotions are left out.

    Returns
    -------
    (n, C) float32 array
        Rows sum to one.

    Raises
    ------
    DataError
        A column is absent, or a picture has no vote for any of the classes; names the row in ``faces``.
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


# Part of a label that is distributed evenly over all classes: Szegedy et al. 2016 (arXiv 1512.00567).
SMOOTHING = 0.1


class CentreLoss(nn.Module):
    """Cross-entropy plus ``weight``/2 times the squared distance of the features to their class's centre.

    Both are means over the batch, where the paper adds up. ``centres`` (C, D) start at the origin. While
    gradients are recorded, each moves after the loss was taken: by ``rate`` times Σ(f − c)/(1 + n) over the n
    pictures of its class in the batch. No gradient goes through them. It takes class numbers only.

    References
    ----------
    Wen et al. 2016, A discriminative feature learning approach for deep face recognition, equations 4 and 5.
    """

    needs_features: ClassVar[bool] = True

    # Lambda of Wen et al., section 4.1 (remembered, unverified).
    weight: float = 0.003

    # Their alpha: how far a centre goes towards the pictures of its class in one step.
    rate: float = 0.5

    def __init__(self, n_classes: int, features: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(n_classes, features))

    def forward(self, logits: Tensor, labels: Tensor, features: Tensor) -> Tensor:
        features = features.float()
        distance = (features - self.centres[labels]).square().sum(1).mean()
        loss = F.cross_entropy(logits.float(), labels) + self.weight * (distance / 2)
        if torch.is_grad_enabled():
            self._move(features.detach(), labels)
        return loss

    @torch.no_grad()
    def _move(self, features: Tensor, labels: Tensor) -> None:
        members = F.one_hot(labels, len(self.centres)).float()
        counts = members.sum(0)[:, None]
        self.centres += self.rate * ((members.T @ features - counts * self.centres) / (1 + counts))


def build_loss(name: Loss, model: nn.Module, *, n_classes: int) -> Callable[..., Tensor]:
    """Make the loss called ``name``.

    ``cross_entropy`` and ``label_smoothing`` (by ``SMOOTHING``) are fastai's ``CrossEntropyLossFlat``,
    ``focal`` its ``FocalLossFlat`` (Lin et al. 2017, arXiv 1708.02002, equation 4) with the focus 2 that its
    authors found best. ``votes`` is the cross-entropy against the distribution of a crowd's votes (Barsoum et
    al. 2016, arXiv 1608.01041). ``centre`` has centres as wide as the input of ``model.output``.

    Parameters
    ----------
    name : str
        One of ``names.Loss``.
    model : torch.nn.Module
        The loss is on its device.
    n_classes : int

    Returns
    -------
    callable
        ``loss(logits, labels)``, or ``loss(logits, labels, features)`` if ``needs_features`` is true.

    Raises
    ------
    ParameterError
        No loss has this name.
    """
    require_name("loss", name, get_args(Loss))
    match name:
        case "label_smoothing":
            return CrossEntropyLossFlat(label_smoothing=SMOOTHING)
        case "focal":
            return FocalLossFlat(gamma=2.0)
        case "centre":
            loss = CentreLoss(n_classes, model.output.in_features)
            return loss.to(next(model.parameters()).device)
        case "votes":
            # Rows of shares are not to be flattened, nor mixed as class numbers by fastai's MixUp.
            loss = CrossEntropyLossFlat(flatten=False)
            loss.y_int = False
            return loss
    return CrossEntropyLossFlat()
