"""Batches cut from a face set that lies on the device as one tensor, and data augmentation, the papers' and
ours, for a whole batch at once on the batch's device.

A face set of a few ten thousand small grey pictures fits into any device's memory as bytes. So nothing is
read, decoded or copied per picture: a batch is one ``index_select``, one conversion to float and, for
training, one vectorised augmentation, all where the network is.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.data.transforms import CategoryMap
from torch.nn import functional as F

from face_sets.faceset import FaceSet
from ferbook.errors import DataError, ParameterError


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each picture's own transformation is drawn, uniformly (Khorrami et al. 2015, variant
    A).

    ``flip``: probability of a mirror image. ``rotation``: largest angle in degrees, either way. ``window``:
    side of the window that is cut out, as a share of the picture: below 1 enlarges, above 1 shrinks.
    ``shift``: how far the window may move, as a share of the room there is: 1 lets a small window reach the
    picture's edge and a large one keep the whole picture inside; ``move``: how far it may move besides, as a
    share of the picture's side. ``gamma``, ``gain``, ``offset``: grey jitter x^gamma · gain ± offset, clipped
    to [0, 1]. The defaults are the ranges of the authors' code. That code does not clip: it stretches each
    jittered picture to fill [0, 1], which undoes gain and offset.
    """

    flip: float = 0.5
    rotation: float = 5.0
    window: tuple[float, float] = (0.7, 1.4)
    shift: float = 1.0
    move: float = 0.0
    gamma: tuple[float, float] = (0.25, 4.0)
    gain: tuple[float, float] = (0.7, 1.4)
    offset: float = 0.1


_DIM = {"gamma": (0.8, 1.25), "gain": (0.9, 1.1), "offset": 0.05}
AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    # Mirror images and small changes: for trainings too short to make use of the authors' strong ones.
    "light": Augmentation(window=(0.9, 1.1), **_DIM),
    # For pictures of the wild, in which faces are turned, off their place and of different sizes.
    "standard": Augmentation(rotation=12.0, window=(0.88, 1.12), move=0.08, **_DIM),
    "published": Augmentation(),
}
"""By the names that a chapter's parameter takes; ``published`` is variant A of Khorrami et al. 2015."""


def window_matrices(
    mirrored: torch.Tensor, degrees: torch.Tensor, window: torch.Tensor, shift: torch.Tensor, aspect: float
) -> torch.Tensor:
    """Affine matrices (B, 2, 3) from an output pixel to the input pixel it shows, in ``affine_grid``'s
    coordinates.

    ``mirrored`` (B,) bool; ``degrees`` (B,), counter-clockwise turns of the picture as it is seen; ``window``
    (B,) as in ``Augmentation``; ``shift`` (B, 2) of the window's centre, (x, y) in half picture sides;
    ``aspect`` is height/width.
    """
    angle = torch.deg2rad(degrees)
    # Coordinates run from -1 to 1 along either side, so a rotation of an oblong picture must be
    # done in equal pixels and scaled back.
    cos, sin = torch.cos(angle) * window, torch.sin(angle) * window
    mirror = 1 - 2 * mirrored.to(window.dtype)
    row_x = torch.stack((mirror * cos, mirror * -sin * aspect, mirror * shift[:, 0]), dim=1)
    row_y = torch.stack((sin / aspect, cos, shift[:, 1]), dim=1)
    return torch.stack((row_x, row_y), dim=1)


DRAWS = 10
"""Random numbers that a picture is given: two more than its transformation takes, so that networks that are
kept can be trained again from the same ones.
"""


def transformed(
    pictures: torch.Tensor,
    augmentation: Augmentation,
    draws: torch.Tensor,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Pictures (B, 1, H, W), float in [0, 1], each moved and re-lit by its row of ``draws`` (B, ``DRAWS``),
    numbers in [0, 1); same type and device.

    Their ``size`` (height, width) is the one given, or stays; a smaller one is drawn from the same grid, so
    it costs less. Beyond a picture's edge is black, as in Khorrami et al.'s code.
    """
    batch, _, height, width = pictures.shape
    draws = draws.to(pictures.device, pictures.dtype)
    flip, rotation, window, x, y, gamma, gain, offset = draws.unbind(1)[:8]

    def between(draw: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + draw * (high - low)

    side = between(window, *augmentation.window)
    # In half picture sides, as the matrices take it.
    room = (augmentation.shift * (1 - side).abs() + 2 * augmentation.move).unsqueeze(1)
    matrices = window_matrices(
        flip < augmentation.flip,
        between(rotation, -augmentation.rotation, augmentation.rotation),
        side,
        room * (2 * torch.stack((x, y), dim=1) - 1),
        height / width,
    )
    grid = F.affine_grid(matrices, [batch, 1, *(size or (height, width))], align_corners=False)
    samples = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def per_picture(values: torch.Tensor) -> torch.Tensor:
        return values.view(batch, 1, 1, 1)

    grey = samples.pow(per_picture(between(gamma, *augmentation.gamma)))
    grey = grey * per_picture(between(gain, *augmentation.gain))
    grey = grey + per_picture(between(offset, -augmentation.offset, augmentation.offset))
    return grey.clamp(0, 1)


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
    faces: FaceSet,
    classes: tuple[str, ...],
    batch_size: int = 64,
    *,
    labels_of: Callable[[FaceSet], np.ndarray] | None = None,
    targets: np.ndarray | torch.Tensor | None = None,
    device: torch.device | str = "cpu",
    augmentation: Augmentation | None = None,
    seed: int = 0,
) -> DataLoaders:
    """fastai ``DataLoaders`` of the splits ``train`` (shuffled, augmented) and ``valid`` (in order, as it
    is).

    Labels are indices into ``classes``, or what ``labels_of`` gives of either split; those of the training
    pictures may be replaced by ``targets``, float32 (n, C) or int64 (n,) in their order. Raises DataError
    where a split is empty, or holds an emotion that is no class.
    """
    train, valid = faces.split("train"), faces.split("valid")
    for name, part in (("train", train), ("valid", valid)):
        if not len(part):
            raise DataError(f"face set {faces.name!r} has no picture in its split {name!r}")
    # Both at once: a label that there is not is refused in either.
    labels, valid_labels = map(labels_of or (lambda part: part.labels(classes)), (train, valid))
    learned = labels if targets is None else targets
    how = {"augmentation": augmentation, "shuffle": True, "seed": seed}
    loaders = DataLoaders(
        FaceBatches(train.pixels, learned, batch_size, device=device, **how),
        FaceBatches(valid.pixels, valid_labels, batch_size, device=device),
        device=torch.device(device),
    )
    for part in loaders.loaders:
        part.vocab = CategoryMap(list(classes), sort=False)
    return loaders


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
