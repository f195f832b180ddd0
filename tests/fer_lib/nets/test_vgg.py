import pytest
import torch

from fer_lib.nets.vgg import VGG
from ferbook.errors import ParameterError

PAIRS = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
STAGES = sum(9 * before * width + 2 * width for before, width in PAIRS)
"""3×3 filters without biases, and two numbers per map of batch normalisation."""


def test_parameters_counted_by_hand():
    assert sum(p.numel() for p in VGG(7).parameters()) == STAGES + 512 * 7 + 7


def test_parameters_of_the_published_head_counted_by_hand():
    dense = 512 * 4 * 4096 + 4096 + 4096 * 4096 + 4096
    with torch.device("meta"):
        model = VGG(7, dense_units=4096)
    assert sum(p.numel() for p in model.parameters()) == STAGES + dense + 4096 * 7 + 7


def test_forty_pixels_end_in_two_by_two_values_which_the_published_head_takes_as_they_are():
    model, seen = VGG(7, widths=(4, 4, 4, 8), dense_units=16).eval(), {}
    model.stage4.register_forward_hook(lambda _, __, out: seen.update(maps=out))
    model.flatten.register_forward_hook(lambda _, __, out: seen.update(features=out))
    model(torch.rand(3, 1, 40, 40))
    assert seen["maps"].shape == (3, 8, 2, 2)
    assert torch.equal(seen["features"], seen["maps"].flatten(1))


def test_a_stage_is_two_convolutions_with_normalisation_and_a_maximum():
    names = [name for name, _ in VGG(7, widths=(2, 2, 2, 2)).stage3.named_children()]
    assert names == ["conv1", "norm1", "relu1", "conv2", "norm2", "relu2", "pool"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"widths": (64, 128)}, "four positive"),
        ({"widths": (1, 2, 0, 4)}, "four positive"),
        ({"dense_units": -1}, "dense_units -1"),
    ],
)
def test_refuses_impossible_stages(options, says):
    with pytest.raises(ParameterError, match=says):
        VGG(7, **options)
