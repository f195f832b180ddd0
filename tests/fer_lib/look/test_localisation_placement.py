"""Measures of where a map lies, against values worked by hand, a naive loop, and what must hold for any
map.
"""

import numpy as np
import pytest

from fer_lib.look.localisation import area_share, energy_share, overlaps, pointing_game
from ferbook.errors import DataError

# Energy 10: 4 and 2 in the second column, 1 in the first, 3 in the third.
MAP = np.array([[[0, -4, 0, 0], [1, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0]]], float)

SECOND_COLUMN = np.zeros((1, 4, 4), bool)
SECOND_COLUMN[0, :, 1] = True

LOCALISATION_MEASURES = (energy_share, pointing_game, overlaps)


def random_pairs(pairs=5, aus=3, size=9, seed=0):
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(pairs, size, size)).astype(np.float32)
    return maps, generator.random((pairs, aus, size, size)) < 0.3


def test_values_worked_by_hand():
    assert energy_share(MAP, SECOND_COLUMN) == pytest.approx([0.6])
    assert area_share(SECOND_COLUMN) == pytest.approx([0.25])
    assert pointing_game(MAP, SECOND_COLUMN).tolist() == [1]
    # From half of 4 on: the pixels of 4, 2 and 3; from three quarters: 4 and 3. The column has four pixels.
    assert overlaps(MAP, SECOND_COLUMN, [0.5, 0.75, 1])[0] == pytest.approx([2 / 5, 1 / 5, 1 / 4])


def test_energy_spread_evenly_has_the_area_share():
    _, regions = random_pairs()
    even = np.full((5, 9, 9), -0.7)
    assert energy_share(even, regions) == pytest.approx(area_share(regions))
    # All pixels tie: the chance that one of them, drawn at random, hits.
    assert pointing_game(even, regions, 0) == pytest.approx(area_share(regions))
    assert overlaps(even, regions, [0.3])[..., 0] == pytest.approx(area_share(regions))


def test_a_naive_loop_gives_the_same():
    maps, regions = random_pairs()
    thresholds = np.array([0.2, 0.5, 0.9])
    share, hit, cut = (
        energy_share(maps, regions),
        pointing_game(maps, regions, 2),
        overlaps(maps, regions, thresholds),
    )
    for p, a in np.ndindex(share.shape):
        energy, region = np.abs(maps[p].astype(float)), regions[p, a]
        assert share[p, a] == pytest.approx(energy[region].sum() / energy.sum())
        place = np.array(np.unravel_index(energy.argmax(), energy.shape))
        nearest = min(np.hypot(*(place - at)) for at in np.argwhere(region))
        assert hit[p, a] == (nearest <= 2)
        for t, threshold in enumerate(thresholds):
            kept = energy >= threshold * energy.max()
            assert cut[p, a, t] == pytest.approx((kept & region).sum() / (kept | region).sum())


def test_the_tolerance_reaches_as_far_as_it_says_and_no_farther():
    point = np.zeros((1, 96, 96))
    point[0, 40, 40] = 1
    for distance, tolerance, hits in ((2, None, 1), (3, None, 0), (3, 3, 1), (1, 0, 0), (1, 0.9, 0)):
        region = np.zeros((1, 96, 96), bool)
        region[0, 40 + distance, 40] = True
        assert pointing_game(point, region, tolerance)[0] == hits, (distance, tolerance)
    corner = np.zeros((1, 96, 96), bool)
    corner[0, 42, 42] = True
    # The distance is √8.
    assert [pointing_game(point, corner, t)[0] for t in (2.8, 2.9)] == [0, 1]


@pytest.mark.parametrize("measure", LOCALISATION_MEASURES)
def test_order_sign_scale_and_shape_do_not_matter(measure):
    maps, regions = random_pairs()
    found = measure(maps, regions)
    order = np.array([3, 1, 4, 0, 2])
    assert measure(maps[order], regions[order]) == pytest.approx(found[order])
    assert measure(maps, regions[:, [2, 0, 1]]) == pytest.approx(found[:, [2, 0, 1]])
    # A power of two, or rounding may move a pixel across a threshold.
    assert measure(-4 * maps, regions) == pytest.approx(found)
    assert measure(maps.transpose(0, 2, 1), regions.transpose(0, 1, 3, 2)) == pytest.approx(found)
    assert measure(maps, regions[:, 1]) == pytest.approx(found[:, 1])


@pytest.mark.parametrize("measure", LOCALISATION_MEASURES)
def test_an_empty_region_and_a_map_of_zeros_are_not_a_number(measure):
    maps, regions = random_pairs()
    maps[1] = 0
    regions[2, 0] = False
    undefined = np.isnan(measure(maps, regions)).reshape(5, 3, -1)
    expected = np.zeros((5, 3), bool)
    expected[1], expected[2, 0] = True, True
    assert (undefined == expected[:, :, None]).all()


@pytest.mark.parametrize("measure", LOCALISATION_MEASURES)
def test_what_does_not_fit_is_refused(measure):
    maps, regions = random_pairs()
    maps[3, 2, 2] = np.nan
    with pytest.raises(DataError, match="the map of pair 3"):
        measure(maps, regions)
