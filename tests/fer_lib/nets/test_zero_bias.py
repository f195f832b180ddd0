import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from fer_lib.nets.zero_bias import LocalMeanRemoval, ZeroBiasCNN

LAYERS = ["standardise", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "pool3"]
LAYERS += ["flatten", "dropout", "dense", "relu4", "output"]


def test_parameters_counted_by_hand():
    model = ZeroBiasCNN(8)
    convolutions = 64 * 25 + 128 * 64 * 25 + 256 * 128 * 25
    dense = 1024 * 300 + 300
    assert sum(p.numel() for p in model.parameters()) == convolutions + dense + 300 * 8 + 8
    biased = ZeroBiasCNN(8, bias=True)
    assert sum(p.numel() for p in biased.parameters()) == convolutions + 448 + dense + 300 * 8 + 8


@pytest.mark.parametrize("size", [8, 24, 48, 96])
def test_every_size_ends_in_quadrants(size):
    model = ZeroBiasCNN(7, size=size).eval()
    shapes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    assert model(torch.rand(2, 1, size, size)).shape == (2, 7)
    assert list(shapes) == LAYERS
    assert shapes["conv3"] == (256, size // 4, size // 4)
    assert shapes["pool3"] == (256, 2, 2) and shapes["flatten"] == (1024,) and shapes["dense"] == (300,)


def test_each_quadrant_gives_its_maximum():
    model = ZeroBiasCNN(2, size=48)
    response = torch.arange(144.0).view(1, 1, 12, 12)
    # Rows 0-5 and 6-11 of twelve; the largest is at the lower right of each quarter.
    assert model.pool3(response).flatten().tolist() == [5 * 12 + 5, 5 * 12 + 11, 11 * 12 + 5, 143]


def test_initial_weights_have_the_papers_spread():
    model = ZeroBiasCNN(8, generator=torch.Generator().manual_seed(3))
    k = 0.2 + torch.rand((), generator=torch.Generator().manual_seed(3)).item()
    for layer, fan_in in ((model.conv2, 64 * 25), (model.conv3, 128 * 25), (model.dense, 1024)):
        assert layer.weight.std().item() == pytest.approx(k / fan_in**0.5, rel=0.02)
        assert abs(layer.weight.mean().item()) < 0.02 * k / fan_in**0.5
    assert (model.dense.bias == 1).all() and (model.output.bias == 0).all()
    assert all(layer.bias is None for layer in (model.conv1, model.conv2, model.conv3))


def test_spread_is_drawn_anew_for_every_network_within_its_range():
    spreads = [
        ZeroBiasCNN(2, 8, generator=torch.Generator().manual_seed(seed)).conv3.weight.std().item() * 3200**0.5
        for seed in range(12)
    ]
    assert 0.19 < min(spreads) < 0.5 and 0.9 < max(spreads) < 1.21


def test_a_given_gain_is_the_spread():
    weight = ZeroBiasCNN(2, 8, gain=1.5, generator=torch.Generator().manual_seed(0)).conv3.weight
    assert weight.std().item() * 3200**0.5 == pytest.approx(1.5, rel=0.01)


def test_same_seed_same_network():
    torch.manual_seed(4)
    first = ZeroBiasCNN(3, 8).state_dict()
    torch.manual_seed(4)
    again = ZeroBiasCNN(3, 8).state_dict()
    torch.manual_seed(5)
    other = ZeroBiasCNN(3, 8).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_standardisation_equals_scipys_filter_with_black_around():
    pictures = np.random.default_rng(0).random((3, 20, 16)).astype(np.float32)
    expected = 2 * pictures - uniform_filter(2 * pictures, size=(0, 5, 5), mode="constant")
    found = LocalMeanRemoval()(torch.from_numpy(pictures).unsqueeze(1)).squeeze(1)
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("number", [torch.float32, torch.float64, torch.bfloat16])
def test_every_even_grey_becomes_exactly_zero_inside(number):
    greys = (torch.arange(256) / 255).to(number)
    found = LocalMeanRemoval()(greys[:, None, None, None].expand(256, 1, 9, 9))
    assert (found[..., 2:-2, 2:-2] == 0).all()
    assert found[178, 0, 0, 0].item() == pytest.approx(2 * greys[178].item() * (1 - 9 / 25), rel=0.01)


@pytest.mark.defect("M1")
def test_an_even_ground_around_a_face_is_exactly_zero_and_the_face_is_not():
    pictures = torch.full((1, 1, 16, 16), 97 / 255)
    pictures[..., 6:10, 6:10] = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    found = LocalMeanRemoval()(pictures)[0, 0]
    ground = torch.ones(16, 16, dtype=torch.bool)
    ground[4:12, 4:12] = ground[:2] = ground[-2:] = False
    ground[:, :2] = ground[:, -2:] = False
    assert (found[ground] == 0).all() and (found[6:10, 6:10] != 0).all()


def test_an_even_patch_has_the_gradient_of_the_difference():
    even = torch.full((1, 1, 12, 12), 97 / 255, requires_grad=True)
    (found,) = torch.autograd.grad(LocalMeanRemoval()(even)[0, 0, 6, 6], even)
    assert found[0, 0, 6, 6].item() == pytest.approx(2 * 24 / 25)
    assert found[0, 0, 4, 4].item() == pytest.approx(-2 / 25)


def test_dropout_is_on_the_dense_layers_input_and_only_in_training():
    model = ZeroBiasCNN(2, 8, dropout=0.5)
    seen = []
    model.dense.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model.pool3.register_forward_hook(lambda *_: torch.ones(1, 256, 2, 2))
    model.train()(torch.rand(1, 1, 8, 8))
    model.eval()(torch.rand(1, 1, 8, 8))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0} and (seen[1] == 1).all()
    assert 350 < (seen[0] == 0).sum() < 680
