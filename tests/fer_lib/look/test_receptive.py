import pytest
import torch
from torch import nn

from fer_lib.look.layers import example_calls
from fer_lib.look.receptive import ReceptiveField, receptive_field
from fer_lib.nets.build import build_network
from fer_lib.nets.residual import ResidualBlock, Sum
from ferbook.errors import ParameterError


def test_zero_bias_fields_by_hand():
    # 5×5 with padding 2; a 2×2 maximum adds the step to the size; the next 5×5 adds 4 steps and begins 2
    # steps earlier.
    model = build_network("zero_bias", 8, 48)
    expected = {
        "conv1": ReceptiveField(5, 1, -2),
        "relu1": ReceptiveField(5, 1, -2),
        "pool1": ReceptiveField(6, 2, -2),
        "conv2": ReceptiveField(14, 2, -6),
        "pool2": ReceptiveField(16, 4, -6),
        "relu3": ReceptiveField(32, 4, -14),
        "pool3": ReceptiveField(32 + 5 * 4, 24, -14),
    }
    assert {layer: receptive_field(model, layer) for layer in expected} == expected


def test_a_residual_unit_sees_what_its_widest_branch_sees():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), ResidualBlock(2, 3, 2))
    assert receptive_field(model, "1.shortcut.norm") == ReceptiveField(2, 2, 0)
    assert receptive_field(model, "1.norm2") == ReceptiveField(7, 2, -3)
    assert receptive_field(model, "1.relu2") == ReceptiveField(7, 2, -3)


class Fork(nn.Module):
    """The sum of two branches over one map."""

    def __init__(self, one, other):
        super().__init__()
        self.conv, self.one, self.other, self.sum = nn.Conv2d(1, 2, 1), one, other, Sum()

    def forward(self, pictures):
        maps = self.conv(pictures)
        return self.sum(self.one(maps), self.other(maps))


TOYS = {
    "steps": nn.Sequential(
        nn.Conv2d(1, 2, 3, 2, padding=1), nn.MaxPool2d(3, 2, padding=1), nn.Conv2d(2, 2, 2)
    ),
    "means": nn.Sequential(nn.Conv2d(1, 2, 4), nn.AvgPool2d(3, 2, 1), nn.Conv2d(2, 2, 3)),
    "ceil": nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(4, 4, ceil_mode=True)),
    "grouped": nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(), nn.Conv2d(4, 4, 5, padding=2, groups=4)),
    "fork": Fork(nn.Conv2d(2, 2, 5, padding=2), nn.Conv2d(2, 2, 3, padding=1)),
}


def assert_seen(model, layer, size):
    """Not-a-number in pixel (i, i) must reach exactly the units (r, r) that see it."""
    pictures = torch.zeros(size, 1, size, size)
    for i in range(size):
        pictures[i, 0, i, i] = torch.nan
    maps = []
    hook = model.get_submodule(layer).register_forward_hook(lambda m, given, made: maps.append(made))
    with torch.no_grad():
        model.eval()(pictures)
    hook.remove()
    found = maps[0].isnan().any(1).diagonal(dim1=1, dim2=2)  # pixels × units
    field = receptive_field(model, layer)
    first = field.start + torch.arange(found.shape[1]) * field.stride
    pixels = torch.arange(size)[:, None]
    assert torch.equal(found, (pixels >= first) & (pixels < first + field.size)), layer


@pytest.mark.parametrize("name", ["zero_bias", "zhu", "vgg", "residual"])
def test_fields_of_the_networks_are_what_a_bad_pixel_reaches(name):
    narrow = {"vgg": {"widths": (2, 2, 2, 2)}, "residual": {"widths": (2, 2, 2), "depths": (2, 1, 1)}}
    size = 24 if name == "zero_bias" else 32
    model = build_network(name, 3, size, **narrow.get(name, {}))
    model.standardise = nn.Identity()
    for layer in [call.name for call in example_calls(model)][1::3]:
        assert_seen(model, layer, size)


@pytest.mark.parametrize("toy", TOYS)
def test_fields_of_other_modules_are_what_a_bad_pixel_reaches(toy):
    for layer in [call.name for call in example_calls(TOYS[toy])]:
        assert_seen(TOYS[toy], layer, 21)


def test_a_dilated_convolution_by_hand():
    # Pixels -2, 0 and 2 around the unit; a 3×3 of them, dilated too, sees 5 units: 4 pixels more.
    dilated = nn.Conv2d(1, 2, 3, padding=2, dilation=2)
    assert receptive_field(nn.Sequential(dilated), "0") == ReceptiveField(5, 1, -2)
    two = nn.Sequential(dilated, nn.MaxPool2d(3, 2, 1, dilation=2))
    assert receptive_field(two, "1") == ReceptiveField(9, 2, -3)


def test_a_mean_of_whole_maps_sees_the_maps():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(2))
    assert receptive_field(model, "1") == ReceptiveField(31 + 2, 31, 0)  # a black picture of 64 pixels


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (nn.LeakyReLU(), "no rule"),
        (nn.ConvTranspose2d(2, 2, 3), "no rule"),
        (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "otherwise than a plain one"),
        (nn.Conv2d(2, 2, (3, 5)), r"kernel_size \(3, 5\) differs"),
        (nn.Conv2d(2, 2, 3, padding="same"), "padding is 'same'"),
        (nn.AvgPool2d(2, divisor_override=3), "otherwise than a plain one"),
        (nn.BatchNorm2d(2, track_running_stats=False), "otherwise than a plain one"),
        (nn.AdaptiveAvgPool2d(5), "equal squares"),
    ],
)
def test_modules_without_a_rule_are_refused_by_name(module, why):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), module, nn.ReLU())
    with pytest.raises(ParameterError, match=rf"'1', {type(module).__name__}.*{why}.*Conv2d, MaxPool2d"):
        receptive_field(model, "2")
    assert receptive_field(model, "0") == ReceptiveField(1, 1, 0)


def test_a_child_of_a_known_module_may_do_something_else():
    class Gated(nn.ReLU):
        def forward(self, maps):
            return 2 * super().forward(maps)

    with pytest.raises(ParameterError, match="no rule"):
        receptive_field(nn.Sequential(nn.Conv2d(1, 2, 1), Gated()), "1")


def test_branches_of_different_steps_are_refused():
    model = Fork(nn.Conv2d(2, 2, 33, 1), nn.Conv2d(2, 2, 2, 2))
    with pytest.raises(ParameterError, match="step over the maps below by 2 and 1"):
        receptive_field(model, "sum")


def test_unknown_layers_are_listed():
    with pytest.raises(ParameterError, match=r"no layer 'relu9'.*did you mean"):
        receptive_field(build_network("zhu", 3, 16), "relu9")
