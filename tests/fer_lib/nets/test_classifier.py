"""What all networks keep to, whichever it is."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.names import NETWORKS
from fer_lib.nets.build import build_network, network_class
from fer_lib.nets.classifier import FLOOR, PictureStandardisation, evaluating
from ferbook.errors import ParameterError

# Options that make a network quick to train on a CPU, or certain to learn.
SMALL = {
    "zero_bias": {"gain": 1.4},
    "vgg": {"widths": (16, 16, 32, 32)},
    "residual": {"widths": (16, 32), "depths": (1, 2)},
}

# Two networks with 5×5 filters in numbers that are fixed learn on smaller pictures than the others' 16.
SIDES = {"zero_bias": 8, "breuer": 8}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(name: str, seed: int = 0, dropout: float | None = None) -> nn.Module:
    return build_network(
        name, 4, SIDES.get(name, 16), dropout=dropout, generator=seeded(seed), **SMALL.get(name, {})
    )


def noise(name: str, pictures: int) -> torch.Tensor:
    side = SIDES.get(name, 16)
    return torch.rand(pictures, 1, side, side, generator=seeded(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_learns_64_pictures_of_noise_by_heart(name):
    model, pictures, labels = small(name, dropout=0.0), noise(name, 64), torch.arange(64) % 4
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    right = 0.0
    for step in range(100):
        optimiser.zero_grad()
        F.cross_entropy(model(pictures), labels).backward()
        optimiser.step()
        if step % 10 == 9:
            with torch.no_grad():
                right = (model.eval()(pictures).argmax(1) == labels).float().mean().item()
            model.train()
        if right == 1:
            break
    assert right == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name):
    model = small(name)
    F.cross_entropy(model(noise(name, 8)), torch.arange(8) % 4).backward()
    still = [p for p, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not still


@pytest.mark.parametrize("name", NETWORKS)
def test_every_activation_is_a_module_that_leaves_its_input(name):
    """Hooks see every layer at work, and what they kept of a layer's input is not overwritten."""
    model = small(name).eval()
    seen: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(layer, inputs):
        seen[layer] = (inputs[0], inputs[0].clone())

    leaves = [m for m in model.modules() if not list(m.children())]
    for leaf in leaves:
        leaf.register_forward_pre_hook(keep)
    model(noise(name, 2))
    changed = [layer for layer, (after, before) in seen.items() if not torch.equal(after, before)]
    assert not changed and len(seen) == len(leaves)
    assert any(isinstance(m, nn.ReLU) for m in leaves)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_is_output_and_its_input_are_the_features(name):
    model, features = small(name).eval(), []
    model.output.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    logits = model(noise(name, 3))
    assert list(model.named_children())[-1] == ("output", model.output)
    assert features[0].shape == (3, model.output.in_features)
    assert torch.allclose(F.linear(features[0], model.output.weight, model.output.bias), logits)


@pytest.mark.parametrize("name", NETWORKS)
def test_arguments_build_the_same_network_again(name):
    model = small(name, dropout=0.25)
    again = network_class(name)(**model.arguments)
    assert again.arguments == model.arguments
    again.load_state_dict(model.state_dict())
    pictures = noise(name, 2)
    assert torch.equal(model.eval()(pictures), again.eval()(pictures))
    assert {m.p for m in again.modules() if isinstance(m, nn.Dropout)} <= {0.25, 0.125, 0}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_generator_alone_decides_the_first_weights(name):
    torch.manual_seed(1)
    first = small(name, seed=3).state_dict()
    torch.manual_seed(2)
    again, other = small(name, seed=3).state_dict(), small(name, seed=4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])


@pytest.mark.parametrize(("name", "gain"), [("breuer", 1), ("zhu", 1), ("vgg", 2), ("residual", 2)])
def test_first_weights_have_the_spread_that_relu_needs(name, gain):
    model = build_network(name, 7, 16, generator=seeded())
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = math.prod(layer.weight.shape[1:])
            expected = 0.01 if layer is model.output else math.sqrt(gain / fan_in)
            # Five standard errors of a standard deviation estimated from so many values.
            assert layer.weight.std().item() == pytest.approx(
                expected, rel=5 / math.sqrt(2 * layer.weight.numel())
            )
            assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("name", ["vgg", "residual"])
@pytest.mark.parametrize("shape", [(16, 16), (24, 24), (40, 48)])
def test_networks_without_a_dense_layer_take_every_size(name, shape):
    model = small(name).eval()
    assert model.any_size
    assert model(torch.rand(2, 1, *shape)).shape == (2, 4)


@pytest.mark.parametrize("name", ["vgg", "residual"])
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 1, 16, 20), (2, 3, 16, 16), (2, 16, 16)])
def test_networks_of_any_size_refuse_what_cannot_be_halved(name, shape):
    with pytest.raises(ParameterError, match="multiples of 8, at least 16"):
        small(name)(torch.rand(shape))


@pytest.mark.parametrize("name", ["zero_bias", "breuer", "zhu"])
def test_networks_with_a_dense_layer_refuse_another_size(name):
    model = build_network(name, 4, 16)
    assert not model.any_size
    told = r"built for pictures \(B, 1, 16, 16\) and was given \(2, 1, 24, 24\)"
    with pytest.raises(ParameterError, match=told):
        model(torch.rand(2, 1, 24, 24))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [50, 0])
def test_refuses_impossible_networks(name, size):
    with pytest.raises(ParameterError, match="multiple of 8"):
        network_class(name)(n_classes=7, size=size)


def test_equals_numpys_mean_and_deviation_of_each_picture():
    pictures = np.random.default_rng(0).random((3, 1, 8, 12)).astype(np.float32)
    found = PictureStandardisation()(torch.from_numpy(pictures))
    for picture, standard in zip(pictures, found, strict=True):
        assert np.allclose(standard, (picture - picture.mean()) / (picture.std() + FLOOR), atol=1e-5)


def test_brightness_cancels_and_an_even_picture_becomes_zero():
    picture = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) / 2
    layer = PictureStandardisation()
    assert torch.allclose(layer(picture), layer(picture + 0.3), atol=1e-5)
    assert layer(torch.full((1, 1, 8, 8), 0.7)).abs().max() < 1e-4


def test_channels_lie_side_by_side_only_while_the_network_is_asked():
    model, orders = small("zero_bias"), []
    model.pool1.register_forward_hook(lambda *seen: orders.append(seen[2].stride(1)))
    with pytest.raises(ZeroDivisionError), evaluating(model):
        raise ZeroDivisionError(model(noise("zero_bias", 2)))
    assert len(model(noise("zero_bias", 2))) == 2 and orders == [1, 16]
