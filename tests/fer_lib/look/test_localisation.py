"""Localisation: where a map is cut is chosen on other people, and rivals of a region."""

import numpy as np
import pytest

from fer_lib.look.localisation import THRESHOLDS, cross_fitted_overlap, overlaps, rival_regions
from ferbook.errors import DataError

SIZE = 12


def study(people=6):
    """Maps, regions (the upper left quarter, or the lower right) and subjects of two pairs a person."""
    corners = np.zeros((2, SIZE, SIZE), bool)
    corners[0, :6, :6] = corners[1, 6:, 6:] = True
    subjects = np.repeat([f"s{i:02}" for i in range(people)], 2)
    maps = np.random.default_rng(0).normal(size=(2 * people, SIZE, SIZE))
    return maps, np.tile(corners, (people, 1, 1)), subjects


def test_the_threshold_is_chosen_on_other_subjects():
    """What happens on a subject's own maps does not move the threshold that those of the same half are cut
    at.
    """
    maps, region, subjects = study()
    for own, other in (both_halves(subjects), both_halves(subjects)[::-1]):
        changed = maps.copy()
        changed[own] = region[own] * 0.06 + 1e-3
        changed[own, 0, 0] = 1
        at = overlaps(maps, region)[other].mean(axis=0).argmax()
        expected = overlaps(changed, region)[own, at]
        np.testing.assert_allclose(cross_fitted_overlap(changed, region, subjects)[own], expected)


def both_halves(subjects):
    """The pairs of the two halves of the people, as they are dealt."""
    names, codes = np.unique(subjects, return_inverse=True)
    first = (np.random.default_rng(0).permutation(len(names)) < len(names) // 2)[codes]
    return np.flatnonzero(first), np.flatnonzero(~first)


def test_the_chosen_threshold_is_the_best_one_of_the_other_half():
    """Energy 1 inside, and outside ever more from subject to subject: above the largest of a half, all its
    maps are cut out rightly.
    """
    _, region, subjects = study()
    outside = (0.11 + 0.15 * np.arange(6))[np.repeat(np.arange(6), 2)]
    maps = np.where(region, 1, outside[:, None, None])
    found = cross_fitted_overlap(maps, region, subjects)
    for own, other in (both_halves(subjects), both_halves(subjects)[::-1]):
        best = np.flatnonzero(outside[other].max() < THRESHOLDS)[0]
        np.testing.assert_allclose(found[own], overlaps(maps, region)[own, best])


def test_empty_regions_and_maps_of_zeros_have_no_overlap():
    maps, region, subjects = study()
    region[0], maps[3] = False, 0
    assert np.flatnonzero(np.isnan(cross_fitted_overlap(maps, region, subjects))).tolist() == [0, 3]


def test_renumbered_pairs_have_the_same_overlap():
    maps, region, subjects = study()
    order = np.random.default_rng(1).permutation(12)
    found = cross_fitted_overlap(maps, region, subjects)
    np.testing.assert_allclose(
        cross_fitted_overlap(maps[order], region[order], subjects[order]), found[order]
    )


def test_what_does_not_fit_is_refused():
    maps, region, subjects = study()
    with pytest.raises(DataError, match="pair 4 has no subject"):
        cross_fitted_overlap(maps, region, np.where(np.arange(12) == 4, "", subjects))
    with pytest.raises(DataError, match=r"1 subject\(s\); at least 2"):
        cross_fitted_overlap(maps, region, np.full(12, "s"))


def test_rivals_are_as_large_as_the_own_region_beside_it_and_on_moving_skin():
    regions = np.zeros((1, 5, 12, 12), bool)
    regions[0, 0, 2:5, 0:4] = True  # 12 pixels: the own one
    regions[0, 1, 2:5, 0:5] = True  # the same skin but for a column
    regions[0, 2, 10, 10] = True  # one pixel, which grows
    regions[0, 3, 4:10, 1:9] = True  # 48 pixels, of which 3 are the own region's, which shrink
    rivals = rival_regions(regions, np.array([0]))[0]
    assert rivals.sum(axis=(1, 2)).tolist() == [0, 0, 12, 12, 0]
    assert not (rivals & regions[0, 0]).any() and not (rivals & ~regions.any(axis=1)[0]).any()
    assert rivals[2][10, 10] and not rivals[2][:6].any(), "those nearest to the pixel"
    rows, columns = np.nonzero(rivals[3])
    assert rows.min() > 4 and rows.max() < 9 and columns.min() > 1 and columns.max() < 8, "its innermost"


def test_no_rival_where_the_moving_skin_does_not_suffice_or_the_own_region_is_hidden():
    regions = np.zeros((2, 2, 6, 6), bool)
    regions[0, 0, :5] = regions[:, 1, 5] = True
    assert not rival_regions(regions, np.array([0, 0])).any()
    assert rival_regions(regions, np.array([1, 1])).sum(axis=(1, 2, 3)).tolist() == [6, 0]
