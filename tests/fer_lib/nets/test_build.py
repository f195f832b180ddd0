import subprocess
import sys

import pytest
import torch
from torch import nn

from fer_lib.names import NETWORKS
from fer_lib.nets.build import build_network, forward_macs, network_class
from ferbook.errors import ParameterError


def test_a_network_is_imported_when_it_is_asked_for():
    asked = "import sys, fer_lib.nets.build as b, fer_lib.train.weights; b.network_class('zhu')"
    told = "print(*sorted({'blocks', 'vgg', 'residual', 'derl'} & {m.split('.')[-1] for m in sys.modules}))"
    assert subprocess.check_output([sys.executable, "-c", f"{asked}; {told}"], text=True).split() == [
        "blocks"
    ]


def test_classes_size_dropout_and_options_arrive():
    model = build_network("zero_bias", 6, 16, dropout=0.1, bias=True, gain=0.7)
    assert model.arguments == {"n_classes": 6, "size": 16, "dropout": 0.1, "bias": True, "gain": 0.7}
    assert build_network("residual", 3, 24).arguments["dropout"] == 0.2


@pytest.mark.parametrize(
    ("name", "size", "options", "says"),
    [
        (
            "residal",
            48,
            {},
            r"no network 'residal' \(did you mean 'residual'\?\); the networks are zero_bias, ",
        ),
        ("breuer", 20, {}, "network 'breuer': size 20: give a multiple of 8"),
        ("vgg", 48, {"stem": 2}, "network 'vgg': .*unexpected keyword"),
        ("residual", 48, {"widths": ()}, "network 'residual': "),
        ("zhu", 48, {"dropout": 1.5}, "network 'zhu': dropout 1.5: give a share from 0 to 1"),
        ("residual", 48, {"dropout": float("nan")}, "dropout nan"),
        ("residual", 8, {}, "network 'residual': size 8: give a multiple of 8, at least 16"),
    ],
)
def test_refuses_by_name(name, size, options, says):
    with pytest.raises(ParameterError, match=says):
        build_network(name, 7, size, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_size_of_the_parameters_is_taken_or_refused_when_the_network_is_built(name):
    """Never an error of torch's in the middle of a training."""
    options = {"widths": (2, 2, 2, 2)} if name == "vgg" else {}
    if name == "residual":
        options = {"widths": (2, 2, 2, 2, 2), "depths": (1,) * 5}
    for size in (8, 16, 24, 56):
        try:
            model = build_network(name, 3, size, **options)
        except ParameterError:
            assert size < network_class(name).smallest
            continue
        assert model(torch.rand(2, 1, size, size)).shape == (2, 3)


def test_multiply_adds_counted_by_hand():
    dense = 1024 * 300 + 300 * 8
    convolutions = 64 * 25 * 96**2 + 128 * 64 * 25 * 48**2 + 256 * 128 * 25 * 24**2
    assert forward_macs(build_network("zero_bias", 8, 96), 96) == convolutions + dense


def test_multiply_adds_of_stages_and_shortcuts_counted_by_hand():
    model = build_network("residual", 5, 16, widths=(4, 6), depths=(1, 2))
    stem = 4 * 25 * 8 * 8
    first = 2 * (4 * 4 * 9) * 8 * 8
    halved = (6 * 4 * 9 + 6 * 6 * 9 + 6 * 4) * 4 * 4
    second = 2 * (6 * 6 * 9) * 4 * 4
    assert forward_macs(model, 16) == stem + first + halved + second + 6 * 5
    assert forward_macs(model, 32) == 4 * (stem + first + halved + second) + 6 * 5


def test_counting_leaves_the_network_as_it_was():
    model = build_network("residual", 3, 16, widths=(4,), depths=(1,))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forward_macs(model, 16)
    assert model.training and all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
    with pytest.raises(ParameterError):
        forward_macs(model, 12)
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_grouped_convolutions_count_their_own_inputs_only():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 8, 3, groups=4, padding=1))
    assert forward_macs(model, 8) == (4 + 8 * 9) * 64
