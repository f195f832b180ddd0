import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.layers import PICTURE, example_calls, find_layer, last_conv, trace, way_to
from fer_lib.nets.build import NETWORKS, build_network
from fer_lib.nets.classifier import Classifier
from ferbook.errors import ParameterError

LAST = {
    "zero_bias": "relu3",
    "breuer": "relu3",
    "zhu": "relu3",
    "vgg": "stage4.relu2",
    "residual": "stage3.0.relu2",
}


def layer_names(model):
    """Each once, also where a module works twice."""
    return tuple(dict.fromkeys(call.name for call in example_calls(model)))


def network(name: str) -> Classifier:
    narrow = {"vgg": {"widths": (2, 3, 4, 5)}, "residual": {"widths": (2, 3, 4)}}
    return build_network(name, 3, 16, generator=torch.Generator().manual_seed(0), **narrow.get(name, {}))


class Functional(nn.Module):
    """A convolution, ``between`` as a function, and a maximum as a module."""

    def __init__(self, between):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.between = between
        self.pool = nn.MaxPool2d(2)
        self.after = nn.ReLU()

    def forward(self, pictures):
        return self.after(self.pool(self.between(self.conv(pictures))))


class OneRectifier(nn.Module):
    """Uses one rectifier twice, as torchvision's residual blocks do."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.relu = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.ReLU(inplace=True)

    def forward(self, pictures):
        return self.conv2(self.relu(self.conv2(self.relu(self.conv1(pictures)))))


def test_layers_of_the_zero_bias_network_are_those_of_its_docstring_up_to_the_last_map():
    expected = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "pool3")
    assert layer_names(network("zero_bias")) == expected


def test_layers_of_the_residual_network_stand_in_the_order_in_which_they_work():
    block = ("conv1", "norm1", "relu1", "conv2", "norm2", "sum", "relu2")
    names = layer_names(network("residual"))
    assert names[:10] == ("conv1", "norm1", "relu1", *(f"stage1.0.{part}" for part in block))
    shortcut = [f"stage2.0.shortcut.{part}" for part in ("pool", "conv", "norm")]
    first = names.index("stage2.0.conv1")
    assert list(names[first + 5 : first + 10]) == [*shortcut, "stage2.0.sum", "stage2.0.relu2"]
    assert names[-1] == "pool"


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_all_modules_that_put_out_maps_in_their_order(name):
    model, seen = network(name).eval(), []

    def see(layer, module):
        if not any(module.children()) and not isinstance(module, nn.Sequential):
            module.register_forward_hook(lambda m, given, made: seen.append((layer, made.ndim)))

    for layer, module in model.named_modules():
        see(layer, module)
    model(torch.rand(2, 1, 16, 16))
    assert seen[0] == ("standardise", 4) and seen[-1] == ("output", 2)
    expected = tuple(layer for layer, ndim in seen[1:] if ndim == 4)
    assert layer_names(model) == expected


@pytest.mark.parametrize("name", LAST)
def test_last_layer_of_the_papers_is_the_rectifier_after_the_last_convolution(name):
    model = network(name)
    assert last_conv(model) == LAST[name]
    assert type(find_layer(model, last_conv(model))) is nn.ReLU


def test_a_last_convolution_without_rectifier_is_the_layer_itself():
    assert last_conv(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 3), nn.MaxPool2d(2))) == "2"
    dense = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 62 * 62, 4), nn.ReLU())
    assert last_conv(dense) == "0"  # the rectifier of a dense layer holds no maps


def test_a_head_for_another_size_does_not_hide_the_layers():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    assert layer_names(model) == ("0", "1")


def test_a_network_of_this_library_that_fails_is_not_half_listed():
    model = network("zero_bias")
    model.conv2 = nn.Conv2d(3, 4, 3)
    with pytest.raises(RuntimeError):
        layer_names(model)


def test_unknown_layer_lists_the_layers_and_the_nearest():
    model = network("zero_bias")
    with pytest.raises(ParameterError, match=r"no layer 'relu_3'.*did you mean 'relu3'.*conv1, relu1, pool1"):
        find_layer(model, "relu_3")
    with pytest.raises(ParameterError, match="no layer 'dense' of feature maps"):
        find_layer(model, "dense")  # a module, but one without maps
    with pytest.raises(ParameterError, match="no layer 'stage1'"):
        find_layer(network("vgg"), "stage1")
    assert find_layer(model, "relu3") is model.relu3


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(ParameterError, match="Linear has no convolution"):
        layer_names(nn.Linear(3, 2))


def test_way_follows_both_branches_of_a_residual_block():
    model = network("residual")
    pictures = torch.rand(1, 1, 16, 16)
    way = way_to(model, "stage2.0.sum", pictures)
    names = {call.name: number for number, call in way.items()}
    assert list(way) == sorted(way) and "stage2.0.relu2" not in names
    assert way[names["conv1"]].inputs == (PICTURE,)
    assert way[names["stage2.0.sum"]].inputs == (names["stage2.0.norm2"], names["stage2.0.shortcut.norm"])
    assert way[names["stage2.0.shortcut.pool"]].inputs == way[names["stage2.0.conv1"]].inputs
    # Stage 1 hands its input on as it is: the sum takes the first rectifier's maps.
    assert way[names["stage1.0.sum"]].inputs == (names["stage1.0.norm2"], names["relu1"])
    assert way[names["stage2.0.shortcut.pool"]].given == (1, 2, 8, 8)
    assert way[names["stage2.0.shortcut.pool"]].shape == (1, 2, 4, 4)


@pytest.mark.parametrize("between", [F.relu, torch.relu_, lambda maps: maps + 1, lambda maps: maps[:, :, 1:]])
def test_a_function_on_the_way_is_refused_with_the_module_that_it_feeds(between):
    model = Functional(between)
    with pytest.raises(ParameterError, match=r"'pool' of Functional, on the way to 'after', is given what a"):
        way_to(model, "after", torch.rand(1, 1, 8, 8))
    assert list(way_to(model, "conv", torch.rand(1, 1, 8, 8))) == [0]  # above the layer it does not matter


def test_a_rectifier_in_place_and_used_twice_is_a_call_each_but_no_layer_to_explain():
    model, pictures = OneRectifier(), torch.rand(1, 1, 12, 12)
    assert list(way_to(model, "conv1", pictures)) == [0]
    assert [(call.name, call.inputs) for call in trace(model, pictures)] == [
        ("conv1", (PICTURE,)),
        ("relu", (0,)),
        ("conv2", (1,)),
        ("relu", (2,)),
        ("conv2", (3,)),
    ]
    with pytest.raises(ParameterError, match="layer 'conv2' of OneRectifier works 2 times"):
        way_to(model, "conv2", pictures)


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_looking_leaves_the_network_as_it_was_also_when_it_fails():
    model = network("residual").train()
    model.stage1.eval()
    modes = [module.training for module in model.modules()]
    statistics = model.norm1.running_mean.clone()
    layer_names(model)
    with pytest.raises(ParameterError, match="built for pictures"):
        trace(model, torch.rand(1, 1, 17, 17))
    assert [module.training for module in model.modules()] == modes and not hooks(model)
    assert torch.equal(model.norm1.running_mean, statistics)
    assert model.norm1.num_batches_tracked == 0


def test_layers_are_found_in_inference_mode_and_half_precision():
    model, other = network("zero_bias").bfloat16(), nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    with torch.inference_mode():
        assert last_conv(model) == "relu3" and last_conv(other) == "1"
