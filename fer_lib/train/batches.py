"""Batches cut from a face set that lies on the device as one tensor.

A face set of a few ten thousand small grey pictures fits into any device's memory as bytes. So nothing
is read, decoded or copied per picture: a batch is one ``index_select``, one conversion to float
and, for training, one vectorised augmentation, all where the network is.
"""

from collections.abc import Iterator

import numpy as np
import torch
from fastai.data.core import DataLoaders
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from fer_lib.faces.faceset import FaceSet
from fer_lib.train.augment import DRAWS, Augmentation, transformed
from fer_lib.train.parallel import rank_and_processes
from ferbook.errors import DataError, ParameterError


class FaceBatches:
    """An iterable of batches ``(pictures, labels)``, for fastai's ``DataLoaders`` or a plain loop.

    ``pixels`` uint8 (N, H, W) and ``labels``, int64 (N,) or float32 (N, C), are kept on ``device``. A batch's
    pictures are float32 (B, 1, H, W) in [0, 1], before any network's own standardisation; where ``side`` is
    set they are drawn at a height of that many pixels. With ``shuffle`` every pass is a new permutation, with
    ``augmentation`` every picture is drawn anew; both come from a generator of this object's own that starts
    at ``seed``, so nothing else that draws random numbers disturbs them. A shuffled pass leaves out a last
    batch of one picture, which says nothing to batch normalisation.

    Where several processes train together (``train.parallel``), a shuffled pass gives each its share of every
    batch: the order and the transformations are those of one process, ``batch_size`` counts the pictures of
    all.
    """

    n_inp = 1

    def __init__(
        self,
        pixels: np.ndarray | torch.Tensor,
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
        self.rank, self.processes = rank_and_processes() if shuffle else (0, 1)
        if self.processes > 1 and (batch_size % self.processes or batch_size < 2 * self.processes):
            raise ParameterError(
                f"batch_size {batch_size}: {self.processes} processes share it; give a multiple of that "
                "number, at "
                "least twice as large"
            )
        if shuffle and len(pixels) < 2 * self.processes:
            raise DataError(f"{len(pixels)} picture(s) to train on: at least {2 * self.processes} are needed")
        # A copy: a face set read from a memory map or a cache may not be writable.
        self.pixels = torch.tensor(pixels) if isinstance(pixels, np.ndarray) else pixels
        self.labels = torch.as_tensor(labels)
        self.bs = batch_size
        self.augmentation = augmentation
        self.shuffle = shuffle
        self.side: int | None = None
        self.generator = torch.Generator().manual_seed(seed)
        self.to(device)

    def to(self, device: torch.device | str) -> "FaceBatches":
        """Move the pictures and labels to ``device``; returns this object."""
        self.device = torch.device(device)
        self.pixels = self.pixels.to(self.device)
        self.labels = self.labels.to(self.device)
        return self

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.pixels)

    @property
    def dataset(self) -> TensorDataset:
        """The pictures and labels as a torch dataset, unaugmented and in order."""
        return TensorDataset(self.pixels, self.labels)

    def __len__(self) -> int:
        whole, rest = divmod(self.n, self.bs)
        return whole + (rest >= 2 * self.processes if self.shuffle else rest > 0)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(self.n, generator=self.generator) if self.shuffle else torch.arange(self.n)
        order = order.to(self.device)
        for step in range(len(self)):
            rows = order[step * self.bs : (step + 1) * self.bs]
            # The shares of the last batch must be equally large, as the means over them are averaged.
            share = slice(self.rank, len(rows) // self.processes * self.processes, self.processes)
            picked = rows[share]
            pictures = self.pixels.index_select(0, picked).unsqueeze(1).float().div_(255)
            height, width = pictures.shape[2:]
            size = (self.side or height, round((self.side or height) * width / height))
            if self.augmentation is not None:
                draws = torch.rand((len(rows), DRAWS), generator=self.generator)[share]
                pictures = transformed(pictures, self.augmentation, draws, size)
            elif size != (height, width):
                pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
            yield pictures, self.labels.index_select(0, picked)

    def one_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch that the next pass will begin with; looking at it does not change that pass."""
        state = self.generator.get_state()
        try:
            return next(iter(self))
        except StopIteration:
            raise DataError("no picture to make a batch of") from None
        finally:
            self.generator.set_state(state)


def face_loaders(
    faces: FaceSet,
    classes: tuple[str, ...],
    batch_size: int = 64,
    *,
    device: torch.device | str = "cpu",
    augmentation: Augmentation | None = None,
    seed: int = 0,
    targets: np.ndarray | torch.Tensor | None = None,
) -> DataLoaders:
    """fastai ``DataLoaders`` of the splits ``train`` (shuffled, augmented) and ``valid`` (in order, as it
    is).

    Labels are indices into ``classes``; those of the training pictures may be replaced by ``targets``,
    float32 (n, C) or int64 (n,) in their order. Raises DataError where a split is empty or holds another
    emotion.
    """
    train, valid = (training_split(faces, name).labels(classes) for name in ("train", "valid"))
    return target_loaders(
        faces,
        train if targets is None else targets,
        valid,
        batch_size,
        device=device,
        augmentation=augmentation,
        seed=seed,
    )


def target_loaders(
    faces: FaceSet,
    train: np.ndarray | torch.Tensor,
    valid: np.ndarray | torch.Tensor,
    batch_size: int = 64,
    *,
    device: torch.device | str = "cpu",
    augmentation: Augmentation | None = None,
    seed: int = 0,
) -> DataLoaders:
    """As ``face_loaders``, with the targets of the training pictures, ``train``, and of the validation
    pictures, ``valid``, in their order.

    What a target is, is the business of the loss and of the score. Raises DataError where a split is empty.
    """
    learned, validated = (training_split(faces, name).pixels for name in ("train", "valid"))
    return DataLoaders(
        FaceBatches(
            learned,
            train,
            batch_size,
            device=device,
            shuffle=True,
            augmentation=augmentation,
            seed=seed,
        ),
        FaceBatches(validated, valid, batch_size, device=device),
        device=torch.device(device),
    )


def training_split(faces: FaceSet, name: str) -> FaceSet:
    """The split ``name`` of ``faces``, which a training cannot do without: DataError where it is empty."""
    part = faces.split(name)
    if not len(part):
        raise DataError(f"face set {faces.name!r} has no picture in its split {name!r}")
    return part


def batches(
    faces: FaceSet, batch_size: int = 256, *, device: torch.device | str = "cpu"
) -> Iterator[torch.Tensor]:
    """All pictures of ``faces`` in order, as they are: float32 (B, 1, H, W) in [0, 1] on ``device``."""
    rows = np.zeros(len(faces), dtype=np.int64)
    for pictures, _ in FaceBatches(faces.pixels, rows, batch_size, device=device):
        yield pictures
