"""A layer with what drives it: its pairs belong together, and a projection is that of its own picture and
place.
"""

import numpy as np
import pytest
import torch

from fer_lib.look.deconvolution import project
from fer_lib.look.responses import view_layer
from fer_lib.nets.build import build_network
from ferbook.errors import DataError
from tests.fer_lib.look.toy_layer import toy_faces, toy_view


def test_pairs_stand_filter_after_filter():
    view = toy_view()
    assert view.filters.tolist() == [0, 0, 1, 1, 3] and view.rows.tolist() == [1, 0, 5, 4, 5]
    assert [list(view.pairs_of(number)) for number in range(4)] == [[0, 1], [2, 3], [], [4]]
    assert list(view.ranking["filter"]) == [1, 0, 3, 2]


@pytest.mark.parametrize(("count", "filters"), [(1, [1]), (2, [1, 3]), (3, [1, 0, 3]), (9, [1, 0, 3])])
def test_a_sample_spans_the_ranking_and_leaves_out_what_never_responds(count, filters):
    assert toy_view().sample(count).tolist() == filters


@pytest.fixture(scope="module")
def network():
    return build_network("zero_bias", 2, 16, generator=torch.Generator().manual_seed(0)).eval()


def test_a_view_holds_the_projection_of_each_top_picture(network):
    faces = toy_faces()
    view = view_layer(network, faces, top=2)
    assert view.responses.layer == "relu3" and view.top.shape == (256, 2)
    pair = int(view.pairs_of(17)[1])
    own = project(network, "relu3", faces.pixels, [view.top[17, 1]], [17])
    np.testing.assert_allclose(view.projections.maps[pair], own.maps[0], atol=1e-6)
    assert view.projections.corners[pair].tolist() == own.corners[0].tolist()
    # Values that are equal up to rounding are told apart by their place, which costs a few millionths.
    largest = view.responses.maxima[view.top[17, 1], 17]
    assert view.projections.responses[pair] == pytest.approx(largest, rel=1e-4)


def test_another_layer_and_method_can_be_named(network):
    view = view_layer(network, toy_faces(), "relu1", top=1, method="gradient")
    assert len(view.top) == 64 and view.field.size == 5
    pair = view.pairs_of(int(view.filters[0]))[0]
    own = project(network, "relu1", toy_faces().pixels, [view.rows[0]], [view.filters[0]], method="gradient")
    np.testing.assert_allclose(view.projections.maps[pair], own.maps[0], atol=1e-6)


def test_a_layer_that_never_responds_is_told():
    silent = build_network("zero_bias", 2, 16)
    torch.nn.init.zeros_(silent.conv3.weight)
    with pytest.raises(DataError, match="no filter of 'relu3' responds to any picture of face set 'toy'"):
        view_layer(silent, toy_faces())
