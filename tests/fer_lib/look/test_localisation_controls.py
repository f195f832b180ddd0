"""Controls know nothing of the filter whose maps they stand beside."""

import numpy as np
import pytest
from scipy import ndimage

from fer_lib.look.localisation import CENTRE_SPREAD, control_maps, receptive_fields

SIZE = (8, 10)


def pairs(count=6, seed=0):
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(count, *SIZE))
    pictures = generator.integers(0, 256, (count, *SIZE), dtype=np.uint8)
    fields = receptive_fields(generator.integers(-3, 7, (count, 2)), 4, SIZE)
    return maps, pictures, np.array([0, 0, 1, 1, 2, 2]), fields


def test_the_controls_that_there_are():
    maps, pictures, filters, fields = pairs()
    without = control_maps(maps, pictures, filters)
    assert set(without) == {"other_filter", "edges", "centre", "random"}
    found = control_maps(maps, pictures, filters, fields=fields)
    assert set(found) == {*without, "field", "field_edges"}
    assert all(control.shape == maps.shape for control in found.values())
    assert set(control_maps(maps, pictures, np.zeros(6, int))) == set(without) - {"other_filter"}


def test_no_control_but_another_filters_map_depends_on_the_maps():
    maps, pictures, filters, fields = pairs()
    one = control_maps(maps, pictures, filters, fields=fields)
    other = control_maps(maps[::-1] * 3, pictures, filters, fields=fields)
    for name in set(one) - {"other_filter"}:
        assert (one[name] == other[name]).all()


def test_another_filters_map_is_one_of_another_filter():
    maps, pictures, filters, _ = pairs()
    drawn = [control_maps(maps, pictures, filters, seed=seed)["other_filter"] for seed in range(20)]
    sources = [[int(np.flatnonzero((maps == one).all(axis=(1, 2)))[0]) for one in draw] for draw in drawn]
    assert all(filters[source] != own for draw in sources for source, own in zip(draw, filters, strict=True))
    # Pair 0 meets every pair of the other filters.
    assert {draw[0] for draw in sources} == {2, 3, 4, 5}


def test_edges_are_those_of_scipy():
    maps, pictures, filters, fields = pairs()
    found = control_maps(maps, pictures, filters, fields=fields)
    for edges, picture in zip(found["edges"], pictures.astype(float), strict=True):
        expected = np.hypot(*(ndimage.sobel(picture, axis, mode="mirror") for axis in (0, 1)))
        assert edges == pytest.approx(expected, rel=1e-5)
    assert (found["field_edges"] == np.where(fields, found["edges"], 0)).all()
    assert (found["field"] == fields).all()


def test_the_centre_prior_is_a_gaussian_in_the_middle():
    maps, pictures, filters, _ = pairs()
    centre = control_maps(maps, pictures, filters)["centre"]
    assert (centre == centre[:, ::-1]).all() and (centre == centre[:, :, ::-1]).all()
    for row, column in np.ndindex(SIZE):
        across = (row - 3.5) / (8 * CENTRE_SPREAD), (column - 4.5) / (10 * CENTRE_SPREAD)
        assert centre[2, row, column] == pytest.approx(np.exp(-(across[0] ** 2 + across[1] ** 2) / 2))


def test_the_seed_decides():
    maps, pictures, filters, _ = pairs()
    noise = [control_maps(maps, pictures, filters, seed=seed)["random"] for seed in (1, 1, 2)]
    assert (noise[0] == noise[1]).all() and (noise[0] != noise[2]).any()


def test_receptive_fields_are_cut_at_the_border():
    found = receptive_fields(np.array([[-1, 2], [6, 8], [9, 0]]), (3, 4), SIZE)
    assert [np.argwhere(field).tolist() for field in found] == [
        [[row, column] for row in (0, 1) for column in (2, 3, 4, 5)],
        [[row, column] for row in (6, 7) for column in (8, 9)],
        [],
    ]
    one, other = (receptive_fields(np.array([[1, 1]]), step, SIZE) for step in (2, (2, 2)))
    assert (one == other).all()
