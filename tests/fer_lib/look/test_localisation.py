"""Localisation: where a map is cut is chosen on other people."""

import numpy as np
import pytest

from fer_lib.look.localisation import THRESHOLDS, cross_fitted_overlap, overlaps
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
