import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients
from torch import nn

from fer_lib.look.attribution import EXPLAINERS, explainer, in_whole
from fer_lib.look.deconvolution import project
from fer_lib.look.layers import maps_of, to_input
from fer_lib.look.receptive import answers_at
from fer_lib.nets.build import build_network
from ferbook.errors import ParameterError

# Rows, filters and positions of neurons that are on.
PAIRS = np.array([0, 1, 1]), np.array([0, 3, 4]), np.array([[1, 0], [1, 2], [2, 2]])


@pytest.fixture(scope="module")
def small():
    """A network of the first paper with three filters, float64, and two pictures of noise."""
    model = build_network("zero_bias", 3, 16, generator=torch.Generator().manual_seed(1)).double().eval()
    return model, np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8)


def linear(side: int, **weights: float) -> nn.Sequential:
    """One filter of ``side`` that adds pixels up: weights by "row_column"."""
    model = nn.Sequential(nn.Conv2d(1, 1, side, bias=False), nn.ReLU())
    model[0].weight.data.zero_()
    for place, weight in weights.items():
        row, column = map(int, place.removeprefix("at_").split("_"))
        model[0].weight.data[0, 0, row, column] = weight
    return model


def asked(name: str, model: nn.Module, picture: np.ndarray, position=(0, 0), layer="1") -> np.ndarray:
    return EXPLAINERS[name](model, layer, picture[None], np.array([0]), np.array([0]), np.array([position]))[
        0
    ]


@pytest.mark.parametrize("name", EXPLAINERS)
def test_every_method_gives_a_map_a_neuron_and_leaves_all_as_it_was(name, small):
    model, pictures = small
    weights, before = [p.clone() for p in model.parameters()], pictures.copy()
    maps = EXPLAINERS[name](model, "relu3", pictures, *PAIRS)
    assert maps.shape == (3, 16, 16) and np.isfinite(maps).all()
    assert np.array_equal(maps, EXPLAINERS[name](model, "relu3", pictures, *PAIRS))
    assert all(map(torch.equal, weights, model.parameters())) and np.array_equal(pictures, before)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", sorted(set(EXPLAINERS) - {"random"}))
def test_a_neuron_s_map_is_its_own_whoever_is_asked_beside(name, small):
    model, pictures = small
    together = EXPLAINERS[name](model, "relu3", pictures, *PAIRS)
    alone = EXPLAINERS[name](model, "relu3", pictures, *(each[1:2] for each in PAIRS))
    assert np.allclose(together[1], alone[0], atol=1e-6)


@pytest.mark.parametrize("rule", ["deconv", "guided", "gradient"])
def test_the_relu_rules_are_those_of_the_chapter(rule, small):
    model, pictures = small
    rows, filters, positions = PAIRS
    expected = project(model, "relu3", pictures, rows, filters, positions=positions, method=rule).whole()
    assert np.array_equal(EXPLAINERS[rule](model, "relu3", pictures, *PAIRS), expected)


def test_the_methods_of_a_linear_filter_by_hand():
    picture = np.array([[0.5, 0.0, 1.0], [0.0, 0.25, 0.0], [1.0, 0.0, 0.0]])
    model = linear(2, at_0_0=2, at_1_1=-4).double()
    # 2 · 0.5 - 4 · 0.25 = 0 at the left, 0 - 0 at the right, 0 below, and 2 · 0.25 = 0.5 at (1, 1).
    assert answers_at(
        model, "1", picture[None], np.zeros(4, int), np.zeros(4, int), np.argwhere(np.ones((2, 2)))
    ).tolist() == [0, 0, 0, 0.5]
    share = np.zeros((3, 3))
    share[1, 1] = 0.5
    slope = np.zeros((3, 3))
    slope[1, 1], slope[2, 2] = 2, -4
    for name in ("gradient_input", "integrated_gradients"):
        assert np.allclose(asked(name, model, picture, (1, 1)), share)
    assert np.allclose(asked("gradient", model, picture, (1, 1)), 0.5 * slope)
    assert np.allclose(asked("smooth_gradient", linear(2, at_0_0=2), picture, (1, 1)), slope * (slope > 0))


def test_integrated_gradients_add_up_to_the_answer(small):
    _, pictures = small
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU())
    model[0].bias.data.fill_(0.3)
    model[3].bias.data.fill_(1.0)
    maps = EXPLAINERS["integrated_gradients"](model, "4", pictures, *PAIRS)
    black = answers_at(model, "4", np.zeros_like(pictures), *PAIRS)
    answered = answers_at(model, "4", pictures, *PAIRS)
    assert (answered > 0).all() and (answered != black).all()
    assert np.allclose(maps.sum((1, 2)), answered - black, atol=0.05 * np.abs(answered - black).max())


def test_answers_are_those_of_the_whole_network(small):
    model, pictures = small
    rows, filters, positions = PAIRS
    maps = maps_of(model, "relu3", to_input(model, pictures))[rows, filters, *positions.T].numpy()
    assert np.allclose(answers_at(model, "relu3", pictures, *PAIRS), maps, atol=1e-6)


def test_occlusion_of_a_network_of_one_pixel_finds_it():
    model = linear(12, at_7_4=3)
    found = asked("occlusion", model, np.ones((14, 14), np.float32), (1, 2))
    # Squares of 3 × 3 in steps of one: each pixel's mean is over the nine that hide it.
    expected = np.zeros((14, 14))
    expected[6:11, 4:9] = 3 * np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]) / 9
    assert np.allclose(found, expected)


def test_grad_cam_by_hand():
    # Two maps: the picture, and its negative, which is off; the second layer adds 2 · first + 5 · second.
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False), nn.ReLU()
    )
    model[0].weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    model[2].weight.data = torch.tensor([2.0, 5.0]).reshape(1, 2, 1, 1)
    picture = np.array([[0.5, 1.0], [0.0, 0.25]], np.float32)
    # The mean slope of the first map is 2/4, of the second 5/4, where it is all zero.
    assert np.allclose(asked("grad_cam", model, picture, layer="3"), picture * 2 / 4)
    with pytest.raises(ParameterError, match="no rectified maps lie below '1'"):
        asked("grad_cam", model, picture)


def test_controls_know_nothing_of_the_network(small):
    model, pictures = small
    other = build_network("zero_bias", 3, 16, generator=torch.Generator().manual_seed(2)).double().eval()
    for name in ("edges", "field", "field_edges", "centre", "random"):
        maps = (EXPLAINERS[name](each, "relu3", pictures, *PAIRS) for each in (model, other))
        assert np.array_equal(*maps)


def test_a_name_is_registered_once():
    with pytest.raises(ParameterError, match="'edges' is registered already"):
        explainer("edges")(lambda *_: None)


def test_captum_s_methods_agree_with_ours(small):
    model, pictures = small
    for theirs, ours in {
        InputXGradient: "gradient_input",
        IntegratedGradients: "integrated_gradients",
    }.items():

        @in_whole
        def attributed(neurons, inputs, at, theirs=theirs):
            return theirs(neurons).attribute(inputs, additional_forward_args=at)

        found = attributed(model, "relu3", pictures, *PAIRS)
        expected = EXPLAINERS[ours](model, "relu3", pictures, *PAIRS)
        assert expected.any() and np.allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def relevance_by(composite):
    """Layer-wise relevance by a composite of Zennit."""

    @in_whole
    def explain(neurons, inputs, at):
        with composite().context(neurons) as model:
            answers = model(inputs, *at)
            return torch.autograd.grad(answers, inputs, answers.detach())[0]

    return explain


def test_zennit_s_rules_agree_with_ours(small):
    from zennit.composites import DeconvNet, EpsilonPlus, GuidedBackprop  # here: 2 s, it brings a compiler

    model, pictures = small
    for theirs, ours in {GuidedBackprop: "guided", DeconvNet: "deconv"}.items():
        found = relevance_by(theirs)(model, "relu3", pictures, *PAIRS)
        expected = EXPLAINERS[ours](model, "relu3", pictures, *PAIRS)
        assert expected.any() and np.allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    found = relevance_by(EpsilonPlus)(model, "relu3", pictures, *PAIRS)
    assert np.isfinite(found).all() and found.any()
