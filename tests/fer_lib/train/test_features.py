"""Features: what the last layer is given, and nothing of the network changes."""

import numpy as np
import pandas as pd
import pytest
import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.features import features_of
from ferbook.errors import DataError


def test_features_are_what_the_last_layer_is_given():
    pixels = np.random.default_rng(5).integers(0, 256, (5, 16, 16)).astype(np.uint8)
    table = pd.DataFrame(
        {"dataset": "x", "subject": "", "sequence": "", "frame": 0, "emotion": "", "split": "test"},
        index=range(5),
    )
    faces = FaceSet("x", pixels, table)
    model = ZeroBiasCNN(3, 16, gain=1.0, generator=torch.Generator().manual_seed(0)).train()
    found = features_of(model, faces, batch_size=2)
    assert found.shape == (5, 300) and model.training and not model.output._forward_pre_hooks
    with torch.no_grad():
        model.eval()
        logits = model(torch.tensor(pixels)[:, None] / 255)
        np.testing.assert_allclose(model.output(torch.tensor(found)), logits, rtol=1e-4, atol=1e-6)
    with pytest.raises(DataError, match="no picture"):
        features_of(model, faces.select(np.zeros(5, bool)))
