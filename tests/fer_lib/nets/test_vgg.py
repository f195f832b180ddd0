import pytest
import torch

from fer_lib.nets.vgg import VGG
from ferbook.errors import ParameterError

PAIRS = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
STAGES = sum(9 * before * width + 2 * width for before, width in PAIRS)
"""3×3 filters without biases, and two numbers per map of batch normalisation."""


def test_parameters_counted_by_hand():
    assert sum(p.numel() for p in VGG(7).parameters()) == STAGES + 512 * 7 + 7


def test_a_stage_is_two_convolutions_with_normalisation_and_a_maximum():
    names = [name for name, _ in VGG(7, widths=(2, 2, 2, 2)).stage3.named_children()]
    assert names == ["conv1", "norm1", "relu1", "conv2", "norm2", "relu2", "pool"]


def test_half_a_stem_leaves_all_further_maps_as_large():
    shapes = []
    for stem in ("full", "half"):
        network = VGG(7, widths=(2, 3, 4, 5), stem=stem).eval()
        pictures = torch.rand(1, 1, 40, 40)
        for name, layer in network.named_children():
            pictures = layer(pictures)
            if name == "stage1":
                shapes.append(pictures.shape)
        assert network.arguments["stem"] == stem
    assert shapes == [(1, 2, 20, 20)] * 2
    with pytest.raises(ParameterError, match="stem"):
        VGG(7, stem="quarter")
