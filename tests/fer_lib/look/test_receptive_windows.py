"""Windows against whole pictures: hooks on whole networks, Captum."""

import numpy as np
import pytest
import torch
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from torch import nn

from fer_lib.look import receptive
from fer_lib.look.deconvolution import project
from fer_lib.look.layers import example_calls
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.residual import ResidualBlock

METHODS = ("deconv", "guided", "gradient")
NARROW = {"vgg": {"widths": (3, 4, 5, 6)}, "residual": {"widths": (3, 4, 5)}}


@pytest.fixture(autouse=True)
def exact_maxima(monkeypatch):
    """Random numbers have no ties, and autograd, which they are compared with, tells none apart."""
    monkeypatch.setattr(receptive, "TIED", {})


def network(name: str, size: int = 16) -> Classifier:
    generator = torch.Generator().manual_seed(1)
    model = build_network(name, 3, size, generator=generator, **NARROW.get(name, {}))
    return settled(model, generator)


def settled(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """``model`` with batch normalisations that do something, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            for values, low in ((module.weight, -0.5), (module.bias, -0.5), (module.running_mean, -0.5)):
                values.data.uniform_(low, low + 1.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model


def toy(*modules: nn.Module, seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    model = settled(nn.Sequential(*modules), generator)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.normal_(generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.3, generator=generator)
    return model


def noise(count: int, *size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, *size))


def pairs(rng: np.random.Generator, count: int, pictures: int, maps: tuple[int, int, int]):
    """Random rows, filters and positions, those of the four corners among them."""
    filters, height, width = maps
    positions = np.stack([rng.integers(0, height, count), rng.integers(0, width, count)], axis=1)
    positions[:4] = [[0, 0], [0, width - 1], [height - 1, 0], [height - 1, width - 1]]
    return rng.integers(0, pictures, count), rng.integers(0, filters, count), positions


def maps_of(model: nn.Module, layer: str, pictures: np.ndarray) -> torch.Tensor:
    seen = []
    hook = model.get_submodule(layer).register_forward_hook(lambda m, given, made: seen.append(made))
    with torch.no_grad():
        model.eval()(torch.tensor(pictures, dtype=next(model.parameters()).dtype)[:, None])
    hook.remove()
    return seen[0]


def whole_pictures(model, layer, pictures, rows, filters, positions, method):
    """One pair after the other on whole pictures: autograd, with the rectifiers' gradients changed by
    backward hooks.
    """

    def rectify(module, signals, above):
        if method == "deconv":
            return (above[0].clamp(min=0),)
        return (signals[0].clamp(min=0),) if method == "guided" else None

    seen = {}
    hooks = [m.register_full_backward_hook(rectify) for m in model.modules() if isinstance(m, nn.ReLU)]
    hooks.append(model.get_submodule(layer).register_forward_hook(lambda m, g, made: seen.update(maps=made)))
    first = model.standardise if isinstance(model, Classifier) else None
    dtype = next(model.parameters()).dtype
    maps = []
    for row, filter_, (r, c) in zip(rows, filters, positions, strict=True):
        picture = torch.tensor(pictures[row], dtype=dtype)[None, None]
        if first is not None:
            picture = first(picture)
            model.standardise = nn.Identity()
        picture.requires_grad_()
        model.eval()(picture)
        unit = seen["maps"][0, filter_, r, c]
        (signal,) = torch.autograd.grad(unit, picture, unit.detach().clamp(min=0))
        maps.append(signal[0, 0].numpy())
        if first is not None:
            model.standardise = first
    for hook in hooks:
        hook.remove()
    return np.stack(maps)


def assert_close(found, expected, tolerance):
    assert found.shape == expected.shape
    largest = np.abs(expected).max(axis=(1, 2))
    assert (largest > 0).any()
    off = np.abs(found - expected).max(axis=(1, 2))
    assert (off <= tolerance * largest).all(), off / np.maximum(largest, 1e-30)


# Whole networks, hooks on their rectifiers
# -----------------------------------------------------------------------


CASES = [(name, method) for name in ("zero_bias", "vgg", "residual") for method in METHODS]


@pytest.mark.parametrize(("name", "method"), [*CASES, ("breuer", "deconv"), ("zhu", "deconv")])
def test_windows_hold_what_whole_pictures_hold(name, method):
    model, pictures, rng = network(name).double(), noise(3, 16, 16), np.random.default_rng(3)
    names = [call.name for call in example_calls(model)]
    for layer in (names[1], names[len(names) // 2], names[-2]):
        shape = maps_of(model, layer, pictures).shape[1:]
        rows, filters, positions = pairs(rng, 6, 3, shape)
        found = project(model, layer, pictures, rows, filters, positions=positions, method=method, chunk=5)
        expected = whole_pictures(model, layer, pictures, rows, filters, positions, method)
        assert_close(found.whole(), expected, 1e-6)


POOLINGS = {
    "overlapping": nn.MaxPool2d(3, 2),
    "padded": nn.MaxPool2d(3, 2, padding=1),
    "ceil": nn.MaxPool2d(2, 2, ceil_mode=True),
    "dilated": nn.MaxPool2d(3, 1, padding=1, dilation=2),
    "mean": nn.AvgPool2d(2),
    "mean, ceil": nn.AvgPool2d(2, ceil_mode=True),
    "mean, padding counted": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "mean, padding not counted": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False, ceil_mode=True),
    "adaptive": nn.AdaptiveAvgPool2d(1),
    "convolution": nn.Conv2d(4, 4, 3, 2, padding=2, dilation=2, groups=2),
    "no bias": nn.Conv2d(4, 4, 5, padding=2, bias=False),
    "block": ResidualBlock(4, 4),
    "shrinking block": ResidualBlock(4, 4, 2),
    "without affine": nn.BatchNorm2d(4, affine=False),
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_module_goes_down_as_autograd_says(pooling):
    model = toy(
        nn.Conv2d(1, 4, 3, padding=1),
        POOLINGS[pooling],
        nn.ReLU(),
        nn.Dropout(),
        nn.Conv2d(4, 3, 5, padding=2),
    ).double()
    layer = example_calls(model)[-1].name
    pictures = noise(2, 13, 13)
    maps = model.eval()(torch.tensor(pictures)[:, None])
    rows, filters, positions = pairs(np.random.default_rng(4), 20, 2, maps.shape[1:])
    for method in METHODS:
        model.train()
        found = project(model, layer, pictures, rows, filters, positions=positions, method=method)
        expected = whole_pictures(model, layer, pictures, rows, filters, positions, method)
        assert_close(found.whole(), expected, 1e-6)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_captum_says_the_same():
    generator = torch.Generator().manual_seed(5)
    chain = toy(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3),
        nn.ReLU(),
    )
    block = toy(nn.Conv2d(1, 3, 3), nn.ReLU(), ResidualBlock(3, 4, 2), seed=6)
    oracles = {"deconv": NeuronDeconvolution, "guided": NeuronGuidedBackprop, "gradient": NeuronGradient}
    pictures = torch.rand(2, 1, 13, 13, generator=generator)
    for model in (chain, block):
        layer = example_calls(model)[-1].name
        maps = model.eval()(pictures).detach()
        rows, filters, positions = pairs(np.random.default_rng(7), 8, 2, maps.shape[1:])
        for method, oracle in oracles.items():
            found = project(
                model, layer, pictures[:, 0].numpy(), rows, filters, positions=positions, method=method
            )
            expected = []
            for row, filter_, (r, c) in zip(rows, filters, positions, strict=True):
                picture = pictures[row : row + 1].clone().requires_grad_()
                neuron = (int(filter_), int(r), int(c))
                signal = oracle(model, model.get_submodule(layer)).attribute(picture, neuron)
                expected.append((maps[row, filter_, r, c].clamp(min=0) * signal[0, 0]).detach().numpy())
            assert_close(found.whole(), np.stack(expected), 1e-5)
