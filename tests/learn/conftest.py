import numpy as np
import pandas as pd
import pytest
import torch

from fer_lib.faces.faceset import FaceSet

CLASSES = ("neutral", "happiness")


@pytest.fixture(autouse=True)
def one_thread():
    """Pictures of 16 pixels are too small to share: threads would mostly wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def classes() -> tuple[str, ...]:
    return CLASSES


@pytest.fixture
def faces() -> FaceSet:
    """60 noisy pictures of 16 pixels: the happy ones have a lattice of stripes, so a small net can learn them."""
    generator = np.random.default_rng(0)
    happy = np.arange(60) % 2 == 1
    pixels = generator.integers(60, 120, size=(60, 16, 16))
    pixels[happy, :, ::4] += 100
    table = pd.DataFrame(
        {
            "dataset": "stripes",
            "subject": [f"stripes-{i // 2}" for i in range(60)],
            "sequence": "",
            "frame": 0,
            "emotion": np.where(happy, "happiness", "neutral"),
            "split": ["train"] * 30 + ["valid"] * 16 + ["test"] * 14,
        }
    )
    return FaceSet("stripes", pixels.astype(np.uint8), table)
