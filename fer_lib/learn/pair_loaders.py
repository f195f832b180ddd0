"""Batches of pairs of pictures that lie on the device: a network's input and the picture that it shall make of it."""

from collections.abc import Iterator

import numpy as np
import torch
from fastai.data.core import DataLoaders

from fer_lib.errors import DataError, ParameterError


class PairBatches:
    """An iterable of batches ``(inputs, targets)``, each float32 (B, 1, H, W) in [0, 1], for fastai's ``DataLoaders`` or a plain loop.

    ``inputs`` and ``targets`` uint8 (N, H, W) are kept on ``device``. With ``shuffle`` every pass is a new permutation, and a last batch of
    one pair, which says nothing to batch normalisation, is left out; with probability ``flip`` a pair is mirrored, both pictures alike.
    Order and mirroring come from ``generator``, which starts at ``seed`` and whose state is all that a later pass depends on.
    """

    n_inp = 1

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        *,
        device: torch.device | str = "cpu",
        flip: float = 0.0,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        # A copy: pictures read from a memory map or a cache may not be writable.
        self.inputs, self.targets = torch.tensor(inputs), torch.tensor(targets)
        self.bs, self.flip, self.shuffle = batch_size, flip, shuffle
        self.generator = torch.Generator().manual_seed(seed)
        self.to(device)

    def to(self, device: torch.device | str) -> "PairBatches":
        """Move the pictures to ``device``; returns this object."""
        self.device = torch.device(device)
        self.inputs, self.targets = self.inputs.to(self.device), self.targets.to(self.device)
        return self

    def __len__(self) -> int:
        whole, rest = divmod(len(self.inputs), self.bs)
        return whole + (rest >= 2 if self.shuffle else rest > 0)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        count = len(self.inputs)
        order = torch.randperm(count, generator=self.generator) if self.shuffle else torch.arange(count)
        mirrored = torch.rand(count, generator=self.generator) < self.flip
        order, mirrored = order.to(self.device), mirrored.to(self.device)
        for step in range(len(self)):
            places = slice(step * self.bs, (step + 1) * self.bs)
            mirror = mirrored[places].view(-1, 1, 1, 1)
            pair = []
            for pictures in (self.inputs, self.targets):
                values = pictures.index_select(0, order[places]).unsqueeze(1).float().div_(255)
                pair.append(torch.where(mirror, values.flip(3), values) if self.flip else values)
            yield pair[0], pair[1]


def pair_loaders(
    inputs: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    device: torch.device | str = "cpu",
    flip: float = 0.0,
    seed: int = 0,
) -> DataLoaders:
    """fastai ``DataLoaders`` of pairs to learn from (shuffled, mirrored) and of the pairs ``valid`` (in order, as they are).

    Without ``valid`` the second has no batch. Raises ParameterError for a batch of fewer than 2 pairs; DataError where there are fewer than 2
    pairs, or pictures are not uint8 (N, H, W), square and all of one size, with as many targets as inputs.
    """
    if batch_size < 2:
        raise ParameterError(f"batch_size {batch_size}: give at least 2")
    valid = (inputs[:0], targets[:0]) if valid is None else valid
    if len(inputs) < 2:
        raise DataError(f"{len(inputs)} pair(s) to train on: at least 2 are needed")
    for name, pictures, others in (("train", inputs, targets), ("valid", *valid)):
        square = pictures.ndim == 3 and pictures.shape[1:] == (inputs.shape[-1],) * 2
        if not (square and pictures.shape == others.shape and pictures.dtype == others.dtype == np.uint8):
            raise DataError(
                f"{name} pairs: inputs are {pictures.dtype} {pictures.shape}, targets {others.dtype} {others.shape}; expected "
                "uint8 (N, H, H) for both, as many of the one as of the other and all of one size"
            )
    return DataLoaders(
        PairBatches(inputs, targets, batch_size, device=device, flip=flip, shuffle=True, seed=seed),
        PairBatches(*valid, batch_size, device=device),
        device=torch.device(device),
    )
