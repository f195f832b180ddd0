from copy import deepcopy

import pytest
import torch
from torch import nn

from fer_lib.nets.vgg import VGG
from fer_lib.train.learner import face_learner, fit, seed_everything
from fer_lib.train.muon import DECAY, RATE_SHARE, Muon
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import ParameterError

RATE = 0.1


@pytest.fixture
def network() -> nn.Module:
    """A small network with gradients of some pictures."""
    torch.manual_seed(0)
    network = VGG(3, widths=(4, 6, 8, 10))
    nn.functional.cross_entropy(network(torch.rand(12, 1, 16, 16)), torch.arange(12) % 3).backward()
    return network


def stepped(network: nn.Module, optimiser: type, **options) -> dict[str, torch.Tensor]:
    """How far a step of ``optimiser`` moves each weight of a copy of ``network``, by name."""
    copy = deepcopy(network)
    for own, given in zip(copy.parameters(), network.parameters(), strict=True):
        own.grad = given.grad.clone(memory_format=torch.preserve_format)
    optimiser(copy.parameters(), lr=RATE, momentum=0.9, **options).step()
    before = dict(network.named_parameters())
    return {name: (after - before[name]).detach() for name, after in copy.named_parameters()}


def is_filter(name: str) -> bool:
    return "conv" in name and name != "stage1.conv1.weight"


def test_the_steps_of_filters_between_maps_go_equally_far_in_every_direction(network):
    before = dict(network.named_parameters())
    for weights in before.values():
        if weights.ndim == 4:
            u, strengths, v = torch.linalg.svd(weights.detach().flatten(1), full_matrices=False)
            uneven = torch.logspace(0, -1.5, len(strengths))
            weights.grad = (u * uneven @ v).view(weights.shape)
    for name, step in stepped(network, Muon).items():
        if is_filter(name):
            orthogonal = step + RATE * RATE_SHARE * DECAY * before[name]
            far = torch.linalg.svdvals(orthogonal.flatten(1)) / (RATE * RATE_SHARE)
            assert far.min() > 0.6 and far.max() < 1.3


@pytest.mark.parametrize("quick", [False, True])
def test_bfloat16_is_computed_in_only_where_it_is_quick(network, monkeypatch, quick):
    monkeypatch.setattr("fer_lib.train.muon.computes_in_bf16", lambda: quick)
    steps = stepped(network, Muon)
    monkeypatch.setattr("fer_lib.train.muon.computes_in_bf16", lambda: False)
    exact = stepped(network.double(), Muon)
    for name in filter(is_filter, steps):
        error = (steps[name] - exact[name]).norm() / exact[name].norm()
        assert (1e-3 < error < 0.2) if quick else error < 1e-4


@pytest.mark.parametrize("nesterov", [False, True])
def test_all_other_weights_take_the_steps_of_sgd(network, nesterov):
    options = {"nesterov": nesterov, "weight_decay": 0.01}
    ours, sgd = stepped(network, Muon, **options), stepped(network, torch.optim.SGD, **options)
    for name, step in ours.items():
        assert torch.equal(step, sgd[name]) is not is_filter(name)


def test_where_the_weights_lie_in_memory_does_not_matter(network):
    rows = stepped(network, Muon)
    last = network.to(memory_format=torch.channels_last)
    assert not last.stage2.conv1.weight.is_contiguous()
    for name, step in stepped(last, Muon).items():
        torch.testing.assert_close(step, rows[name])


def test_the_rate_is_that_of_the_first_group_and_momentum_goes_on(network):
    optimiser, filters = Muon(network.parameters(), lr=RATE, momentum=0.9), network.stage2.conv2.weight
    given = filters.grad.clone()

    def moved(gradient):
        before = filters.detach().clone()
        filters.grad = gradient
        optimiser.step()
        return (filters.detach() - before).norm()

    assert moved(given) > 0
    assert moved(torch.zeros_like(given)) > 0, "momentum goes on without a gradient"
    assert moved(None) == 0, "no gradient at all, as of filters that are not learned: nothing moves"
    optimiser.param_groups[0]["lr"] = 0.0
    assert moved(given) == 0


def test_a_network_without_convolutions_between_maps_is_refused():
    with pytest.raises(ParameterError, match="none; take sgd"):
        Muon(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(4, 2)).parameters(), lr=0.1)


def test_a_recipe_may_ask_for_it(striped_faces, classes):
    seed_everything(0)
    recipe = TrainingRecipe(epochs=10, batch_size=10, optimiser="muon", lr=0.1, nesterov=True, augment="none")
    training = fit(face_learner(striped_faces, VGG(2, widths=(4, 4, 4, 4)), classes, recipe))
    assert training.curve["valid_accuracy"].max() > 0.9
