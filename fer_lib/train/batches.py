"""Batches cut from a face set that lies on the device as one tensor.

A face set of a few ten thousand small grey pictures fits into any device's memory as bytes. So nothing
is read, decoded or copied per picture: a batch is one ``index_select``, one conversion to float
and, for training, one vectorised augmentation, all where the network is.
"""

from collections.abc import Callable, Iterator
from copy import copy
from typing import ClassVar, Self

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.data.transforms import CategoryMap
from torch.nn import functional as F

from fer_lib.faces.faceset import FaceSet
from fer_lib.train.augment import DRAWS, Augmentation, transformed
from ferbook.errors import DataError, ParameterError


class Batches:
    """What batches of pictures, pairs or clips have in common, for fastai's ``DataLoaders`` or a plain loop.

    ``n`` rows in batches of ``bs``. With ``shuffle`` every pass is a new permutation and leaves out a last
    batch of one row, which says nothing to batch normalisation. Whatever is random comes from
    ``generator``, which starts at ``seed``, so nothing else that draws random numbers disturbs it. The
    tensors that a child names in ``held`` lie on ``device``. A child sets what it holds before it calls this.
    """

    n_inp = 1
    vocab: CategoryMap | None = None
    held: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        device: torch.device | str = "cpu",
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        self.n, self.bs, self.shuffle = n, batch_size, shuffle
        self.generator = torch.Generator().manual_seed(seed)
        self.to(device)

    def to(self, device: torch.device | str) -> Self:
        """Move what is held to ``device``, where batches are from now on; returns this object."""
        self.device = torch.device(device)
        for name in self.held:
            setattr(self, name, getattr(self, name).to(self.device))
        return self

    def new(self, shuffle: bool = False, **_: object) -> Self:
        """The same rows once more, in order, as fastai asks for them to predict."""
        twin = copy(self)
        twin.shuffle = shuffle
        return twin

    def __len__(self) -> int:
        whole, rest = divmod(self.n, self.bs)
        return whole + (rest >= (2 if self.shuffle else 1))

    def order(self) -> torch.Tensor:
        """int64 (n,): the rows in the order of the pass that begins."""
        return torch.randperm(self.n, generator=self.generator) if self.shuffle else torch.arange(self.n)

    def cuts(self) -> Iterator[slice]:
        """Where each batch of a pass lies in its order."""
        return (slice(start, start + self.bs) for start in range(0, len(self) * self.bs, self.bs))


def grey(pixels: torch.Tensor) -> torch.Tensor:
    """float32 (B, 1, H, W) in [0, 1]: the pictures ``pixels``, uint8 (B, H, W)."""
    return pixels.unsqueeze(1).float().div_(255)


class FaceBatches(Batches):
    """Batches ``(pictures, labels)`` of a face set.

    ``pixels`` uint8 (N, H, W) and ``labels``, int64 (N,) or float32 (N, C), are kept on ``device``. A batch's
    pictures are float32 (B, 1, H, W) in [0, 1], before any network's own standardisation; where ``side`` is
    set they are drawn at a height of that many pixels. With ``augmentation`` every picture is drawn anew in
    every pass.
    """

    held = ("pixels", "labels")

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray | torch.Tensor,
        batch_size: int,
        *,
        device: torch.device | str = "cpu",
        augmentation: Augmentation | None = None,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        if batch_size < 1 or (shuffle and batch_size < 2):
            raise ParameterError(f"batch_size {batch_size}: give at least {2 if shuffle else 1}")
        if shuffle and len(pixels) < 2:
            raise DataError(f"{len(pixels)} picture(s) to train on: at least 2 are needed")
        if len(labels) != len(pixels):
            raise DataError(f"{len(labels)} labels of {len(pixels)} pictures: give one of each")
        # A copy: a face set read from a memory map or a cache may not be writable.
        self.pixels, self.labels = torch.tensor(pixels), torch.as_tensor(labels)
        self.augmentation = augmentation
        self.side: int | None = None
        super().__init__(len(pixels), batch_size, device=device, shuffle=shuffle, seed=seed)

    def new(self, shuffle: bool = False, **_: object) -> Self:
        """As of ``Batches``; pictures that are not shuffled are not augmented, either."""
        twin = super().new(shuffle)
        if not shuffle:
            twin.augmentation = twin.side = None
        return twin

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = self.order().to(self.device)
        for cut in self.cuts():
            rows = order[cut]
            pictures = grey(self.pixels.index_select(0, rows))
            height, width = pictures.shape[2:]
            size = (self.side or height, round((self.side or height) * width / height))
            if self.augmentation is not None:
                draws = torch.rand((len(rows), DRAWS), generator=self.generator)
                pictures = transformed(pictures, self.augmentation, draws, size)
            elif size != (height, width):
                pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
            yield pictures, self.labels.index_select(0, rows)


def face_loaders(
    faces: FaceSet, classes: tuple[str, ...], batch_size: int = 64, **further: object
) -> DataLoaders:
    """``split_loaders`` whose labels are indices into ``classes``, and ``further`` arguments as there. Raises
    DataError where a split is empty or holds another emotion.
    """
    loaders = split_loaders(faces, lambda part: part.labels(classes), batch_size, **further)
    for part in loaders.loaders:
        part.vocab = CategoryMap(list(classes), sort=False)
    return loaders


def split_loaders(
    faces: FaceSet,
    labels_of: Callable[[FaceSet], np.ndarray],
    batch_size: int = 64,
    *,
    targets: np.ndarray | torch.Tensor | None = None,
    device: torch.device | str = "cpu",
    augmentation: Augmentation | None = None,
    seed: int = 0,
) -> DataLoaders:
    """fastai ``DataLoaders`` of the splits ``train`` (shuffled, augmented) and ``valid`` (in order, as it
    is), whose labels ``labels_of`` gives; those of the training pictures may be replaced by ``targets``,
    float32 (n, C) or int64 (n,) in their order. Raises DataError where a split is empty.
    """
    train, valid = faces.split("train"), faces.split("valid")
    for name, part in (("train", train), ("valid", valid)):
        if not len(part):
            raise DataError(f"face set {faces.name!r} has no picture in its split {name!r}")
    # Both at once: a label that there is not is refused in either.
    labels, valid_labels = labels_of(train), labels_of(valid)
    learned = labels if targets is None else targets
    how = {"augmentation": augmentation, "shuffle": True, "seed": seed}
    return DataLoaders(
        FaceBatches(train.pixels, learned, batch_size, device=device, **how),
        FaceBatches(valid.pixels, valid_labels, batch_size, device=device),
        device=torch.device(device),
    )


def batches(
    pixels: np.ndarray, batch_size: int = 256, *, device: torch.device | str = "cpu"
) -> Iterator[torch.Tensor]:
    """The pictures ``pixels``, uint8 (N, H, W), in order, as they are: float32 (B, 1, H, W) in [0, 1] on
    ``device``. Raises ParameterError for a ``batch_size`` below 1.
    """
    if batch_size < 1:
        raise ParameterError(f"batch_size {batch_size}: give at least 1")
    for start in range(0, len(pixels), batch_size):
        yield grey(torch.tensor(pixels[start : start + batch_size], device=device))
