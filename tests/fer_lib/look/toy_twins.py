"""Faces with a unit and without, of noise, and networks of them."""

import numpy as np
import pandas as pd
import torch

from face_sets.faceset import FaceSet
from fer_lib.look.judge import Twins
from fer_lib.nets.build import build_network

SIDE, PEOPLE = 24, 6
# Where the two units of these faces act.
CORNERS = {"AU1": (slice(2, 10), slice(2, 10)), "AU12": (slice(14, 22), slice(12, 22))}


def faces(pixels: np.ndarray) -> FaceSet:
    people = [f"p{n // 2}" for n in range(len(pixels))]
    table = pd.DataFrame({"dataset": "toy", "subject": people, "emotion": "neutral", "split": "train"})
    masks = np.zeros(pixels.shape, np.uint32)
    for bit, place in enumerate(CORNERS.values()):
        masks[:, *place] |= 1 << bit
    table = table.assign(sequence=[f"q{n}" for n in range(len(table))], frame=0)
    return FaceSet("toy", pixels, table, masks=masks, mask_aus=tuple(CORNERS))


def twins() -> Twins:
    """Noise, to which a unit adds a checked patch."""
    rng = np.random.default_rng(5)
    off = np.repeat(rng.integers(60, 120, (PEOPLE, SIDE, SIDE)), 2, axis=0)
    on, aus = off.copy(), np.tile(np.array(list(CORNERS), object), PEOPLE)
    checked = np.indices((SIDE, SIDE)).sum(0) % 2 * 120
    for picture, au in zip(on, aus, strict=True):
        picture[CORNERS[au]] += checked[CORNERS[au]]
    return Twins(faces(on.astype(np.uint8)), faces(off.astype(np.uint8)), aus)


def network(seed: int):
    return build_network("zero_bias", 3, SIDE, generator=torch.Generator().manual_seed(seed)).eval()
