"""Face sets that a test makes up, a full disk, whether two networks are the same, and a figure's rows."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import nn

from face_sets.faceset import FaceSet


def made_faces(
    pixels: np.ndarray, name: str = "toy", arrays: dict | None = None, **columns: object
) -> FaceSet:
    """``pixels`` uint8 (N, H, W) as the set ``name``, all in the split ``test``, of which only ``columns`` of
    the table are known; ``arrays``: masks, their units and landmarks, as of ``FaceSet``.
    """
    known = {"dataset": name, "subject": "", "sequence": "", "frame": 0, "emotion": "", "split": "test"}
    table = pd.DataFrame(known, index=range(len(pixels))).assign(**columns)
    return FaceSet(name, pixels, table, **arrays or {})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same weights, bit for bit."""
    others = other.state_dict()
    return all(torch.equal(value, others[name]) for name, value in one.state_dict().items())


def row_labels(axes) -> list[str]:
    """The words at the rows of a figure's panel."""
    return [label.get_text() for label in axes.get_yticklabels()]


def even_pictures(greys: list[int], side: int = 4) -> np.ndarray:
    """uint8 (N, side, side): pictures of one grey value each."""
    return np.array(greys, np.uint8)[:, None, None].repeat(side, 1).repeat(side, 2)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can be longer than ``room`` bytes: the kernel refuses a write half-way, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
