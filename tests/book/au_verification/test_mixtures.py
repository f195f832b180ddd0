"""Mixtures of a layer's filters: an orthogonal matrix, and everything else as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from book.au_verification.mixtures import with_mixtures
from fer_lib.look.layers import find_layer, maps_of
from fer_lib.nets.build import build_network


@pytest.mark.parametrize("given", [("zero_bias", "relu3", 256), ("residual", "stage1.0.relu2", 4)])
def test_mixtures_are_an_orthogonal_rotation_that_stands_behind_the_layers_own_channels(given):
    network, layer, filters = given
    options = {"widths": (4, 6), "depths": (1, 1)} if network == "residual" else {}
    model = build_network(network, 3, 16, **options).eval()
    mixed, behind = with_mixtures(model, layer, filters, seed=5)
    assert not isinstance(model.get_submodule(layer), nn.Sequential), "the network itself is left as it is"
    assert find_layer(mixed, behind) is mixed.get_submodule(behind)
    pictures = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    own, both = maps_of(model, layer, pictures), maps_of(mixed, behind, pictures)
    np.testing.assert_array_equal(mixed(pictures).detach(), model(pictures).detach())
    weight = mixed.get_submodule(behind).weight[:, :, 0, 0]
    np.testing.assert_allclose(weight @ weight.T, np.eye(filters), atol=1e-5)
    naive = torch.einsum("kj,bjhw->bkhw", weight, own).clamp(min=0)
    np.testing.assert_array_equal(both[:, :filters], own)
    np.testing.assert_allclose(both[:, filters:], naive, atol=1e-5)
    other = with_mixtures(model, layer, filters, seed=6)[0].get_submodule(behind).weight
    assert not torch.equal(other[:, :, 0, 0], weight)
