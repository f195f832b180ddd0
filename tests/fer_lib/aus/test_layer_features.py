"""Features per layer: equal to a loop over pictures and maps, in one pass, and nothing of the network
changes.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from fer_lib.aus.heads import FEATURES, layer_features, stage_layers
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import maps_of
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.vgg import VGG
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.features import features_of
from ferbook.errors import DataError, ParameterError


def pictures(count=5, size=24):
    pixels = np.random.default_rng(5).integers(0, 256, (count, size, size)).astype(np.uint8)
    table = pd.DataFrame(
        {"dataset": "x", "subject": "", "sequence": "", "frame": 0, "emotion": "", "split": "test"},
        index=range(count),
    )
    return FaceSet("x", pixels, table)


def residual():
    generator = torch.Generator().manual_seed(0)
    return ResidualNet(3, 24, widths=(4, 6, 8), depths=(1, 2, 1), generator=generator)


def test_stages_end_at_the_last_relu_of_each_size():
    assert stage_layers(ZeroBiasCNN(3, 24)) == ("relu1", "relu2", "relu3")
    assert stage_layers(residual()) == ("stage1.0.relu2", "stage2.1.relu2", "stage3.0.relu2")
    vgg = VGG(3, 16, widths=(2, 2, 2, 2))
    assert stage_layers(vgg) == tuple(f"stage{number}.relu2" for number in (1, 2, 3, 4))
    with pytest.raises(ParameterError, match="no feature maps behind a ReLU"):
        stage_layers(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3)))


def test_features_are_those_of_a_loop():
    model, faces = residual(), pictures()
    found = layer_features(model, faces)
    assert list(found) == [*stage_layers(model), FEATURES]
    batch = torch.from_numpy(faces.pixels)[:, None] / 255
    for name in stage_layers(model):
        maps = maps_of(model, name, batch).numpy()
        n, k, height, width = maps.shape
        rows, columns = ((slice(0, -(-side // 2)), slice(side // 2, side)) for side in (height, width))
        wanted = [
            [maps[i, f, row, column].mean() for f in range(k) for row in rows for column in columns]
            for i in range(n)
        ]
        assert found[name].shape == (n, 4 * k) and found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[FEATURES], features_of(model, faces), rtol=1e-4, atol=1e-6)


def test_one_pass_for_all_layers_and_no_trace_left():
    model, faces = residual().train(), pictures()
    passes = []
    hook = model.conv1.register_forward_hook(lambda *_: passes.append(1))
    layer_features(model, faces)
    looked_up = len(passes)
    passes.clear()
    layer_features(model, pictures(70))
    assert len(passes) == looked_up + 1  # finding layers costs a black picture's pass; 70 are two batches
    hook.remove()
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_what_cannot_be_read_is_refused():
    with pytest.raises(DataError, match="no picture"):
        layer_features(residual(), pictures().select(np.zeros(5, bool)))
