"""Batches cut from a face set that lies on the device as one tensor, and data augmentation of a whole batch
at once on that device.

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
    """Ranges from which the transformation of each picture is drawn, uniformly.

    The defaults are the ranges of the authors' code of Khorrami et al. 2015, variant A. That code does not
    clip: it stretches each jittered picture to fill [0, 1], which undoes gain and offset.

    Parameters
    ----------
    flip : float
        Probability of a mirror image.
    rotation : float
        Largest angle in degrees, either way.
    window : tuple of float
        Side of the window that is cut out, relative to the picture: below 1 enlarges, above 1 shrinks.
    shift : float
        How far the window may move, relative to its largest shift: at 1 a small window reaches the picture's
        edge and a large one keeps the whole picture inside.
    move : float
        How far it may move in addition, relative to the picture's side.
    gamma, gain, offset
        Grey jitter x^gamma · gain ± offset, clipped to [0, 1].
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
# Name -> ranges, by the names that a chapter's parameter takes; ``published`` is variant A of Khorrami et al.
# 2015.
AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    # Mirror images and small changes, for trainings too short for the strong ones of the authors.
    "light": Augmentation(window=(0.9, 1.1), **_DIM),
    # For pictures in the wild, in which faces are turned, off centre and of different sizes.
    "standard": Augmentation(rotation=12.0, window=(0.88, 1.12), move=0.08, **_DIM),
    "published": Augmentation(),
}


def window_matrices(
    mirrored: torch.Tensor, degrees: torch.Tensor, window: torch.Tensor, shift: torch.Tensor, aspect: float
) -> torch.Tensor:
    """Compute affine matrices from an output pixel to the input pixel that it shows.

    Parameters
    ----------
    mirrored : (B,) bool tensor
    degrees : (B,) tensor
        Counter-clockwise rotation of the picture as it is seen.
    window : (B,) tensor
        As of ``Augmentation``.
    shift : (B, 2) tensor
        Shift (x, y) of the window's centre, in half picture sides.
    aspect : float
        Height over width.

    Returns
    -------
    (B, 2, 3) tensor
        In the coordinates of ``torch.nn.functional.affine_grid``.
    """
    angle = torch.deg2rad(degrees)
    # Coordinates run from -1 to 1 along either side, so a rotation of an oblong picture must be
    # done in equal pixels and scaled back.
    cos, sin = torch.cos(angle) * window, torch.sin(angle) * window
    mirror = 1 - 2 * mirrored.to(window.dtype)
    row_x = torch.stack((mirror * cos, mirror * -sin * aspect, mirror * shift[:, 0]), dim=1)
    row_y = torch.stack((sin / aspect, cos, shift[:, 1]), dim=1)
    return torch.stack((row_x, row_y), dim=1)


# Random numbers for each picture: two more than its transformation uses, so that networks can be trained
# again from the same numbers as the stored ones.
DRAWS = 10


def transformed(
    pictures: torch.Tensor,
    augmentation: Augmentation,
    draws: torch.Tensor,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Transform pictures and change their grey levels at random.

    Beyond a picture's edge is black, as in the code of Khorrami et al.

    Parameters
    ----------
    pictures : (B, 1, H, W) tensor
        Grey values in [0, 1].
    augmentation : Augmentation
    draws : (B, ``DRAWS``) tensor
        Numbers in [0, 1), a row for each picture.
    size : tuple of int, optional
        Height and width of the result; by default those of ``pictures``. A smaller one is sampled from the
        same grid, so it costs less.

    Returns
    -------
    (B, 1, height, width) tensor
        Same type and device.
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
    """Batches of pictures, pairs or clips, for fastai's ``DataLoaders`` or a plain loop: the common base
    class.

    A child sets its tensors before it calls this constructor; those named in ``held`` are moved to
    ``device``. All random numbers come from ``generator``, which starts at ``seed``, so no other use of
    random numbers changes the batches.

    Parameters
    ----------
    n : int
        Number of rows.
    batch_size : int
    device : torch.device or str
    shuffle : bool
        Whether every pass is a new permutation. It then leaves out a last batch of one row, in which batch
        normalisation has no variance.
    seed : int
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
        """Move the tensors named in ``held`` to ``device``; return this object."""
        self.device = torch.device(device)
        for name in self.held:
            setattr(self, name, getattr(self, name).to(self.device))
        return self

    def new(self, shuffle: bool = False, **_: object) -> Self:
        """Return the same rows once more, in order, as fastai needs them to predict."""
        twin = copy(self)
        twin.shuffle = shuffle
        return twin

    def __len__(self) -> int:
        whole, rest = divmod(self.n, self.bs)
        return whole + (rest >= (2 if self.shuffle else 1))

    def order(self) -> torch.Tensor:
        """Return int64 (n,), the rows in the order of the next pass."""
        return torch.randperm(self.n, generator=self.generator) if self.shuffle else torch.arange(self.n)

    def cuts(self) -> Iterator[slice]:
        """Yield the place of each batch in the order of a pass."""
        return (slice(start, start + self.bs) for start in range(0, len(self) * self.bs, self.bs))


def grey(pixels: torch.Tensor) -> torch.Tensor:
    """Convert ``pixels``, uint8 (B, H, W), to float32 (B, 1, H, W) in [0, 1]."""
    return pixels.unsqueeze(1).float().div_(255)


class FaceBatches(Batches):
    """Batches ``(pictures, labels)`` of a face set.

    Pictures are float32 (B, 1, H, W) in [0, 1], before the network standardises them. Where ``side`` is set
    they are scaled to that height in pixels. With ``augmentation`` every pass transforms every picture anew.

    Parameters
    ----------
    pixels : (N, H, W) uint8 array
    labels : (N,) int64 or (N, C) float32 array
    batch_size, device, shuffle, seed
        As of ``Batches``.
    augmentation : Augmentation, optional
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
        """As of ``Batches``; without shuffling there is no augmentation either."""
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
    """Make fastai ``DataLoaders`` of the splits ``train`` (shuffled and augmented) and ``valid`` (in order,
    unchanged).

    Parameters
    ----------
    faces : FaceSet
    classes : tuple of str
        Labels are indices into these.
    batch_size : int
    labels_of : callable, optional
        Computes the labels of a split instead.
    targets : (n,) int64 or (n, C) float32 array, optional
        Replaces the labels of the training pictures.
    device, augmentation, seed
        As of ``FaceBatches``.

    Raises
    ------
    DataError
        A split is empty, or has an emotion that is not among ``classes``.
    """
    train, valid = faces.split("train"), faces.split("valid")
    for name, part in (("train", train), ("valid", valid)):
        if not len(part):
            raise DataError(f"face set {faces.name!r} has no picture in its split {name!r}")
    # Both at once: an unknown label is refused in either split.
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
    """Yield pictures in order and unchanged.

    Parameters
    ----------
    pixels : (N, H, W) uint8 array
    batch_size : int
    device : torch.device or str

    Yields
    ------
    (B, 1, H, W) float32 tensor
        In [0, 1], on ``device``.

    Raises
    ------
    ParameterError
        ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ParameterError(f"batch_size {batch_size}: give at least 1")
    for start in range(0, len(pixels), batch_size):
        yield grey(torch.tensor(pixels[start : start + batch_size], device=device))
