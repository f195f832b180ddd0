import numpy as np
import pytest

from synthetic_faces.creases import PATTERNS, SHALLOW, draw_lines, laid
from synthetic_faces.render import WRINKLES

KINDS = list(PATTERNS)


def depths(**given):
    return dict.fromkeys(KINDS, (0.0, 0.0)) | given


def test_every_wrinkle_has_lines_and_every_line_a_wrinkle():
    assert set(PATTERNS) == set(WRINKLES)


def test_people_have_lines_of_their_own_and_always_the_same():
    people = [draw_lines(np.random.default_rng(k)) for k in range(20)]
    np.testing.assert_array_equal(people[3], draw_lines(np.random.default_rng(3)))
    assert len({len(lines) for lines in people}) > 3
    for lines in people:
        # Whoever they are, each wrinkle shows on both halves.
        for kind in range(len(KINDS)):
            sides = set(lines[lines[:, 0] == kind, 1])
            assert sides >= {0, 1} or 2 in sides
        assert ((lines[:, 2] > 0.3) & (lines[:, 2] <= 1)).all()
        left, right = (lines[lines[:, 1] == side] for side in (0, 1))
        assert (left[:, 3] > 0).all() and (right[:, 3] < 0).all()
        # The halves of a face are alike: within 5 mm.
        assert np.abs(left[:, 3] + right[:, 3]).max() < 0.005
        assert np.abs(left[:, 4] - right[:, 4]).max() < 0.005


def test_only_creases_that_can_be_seen_are_laid():
    lines = draw_lines(np.random.default_rng(0))
    assert len(laid(lines, depths())) == 0
    assert len(laid(lines, depths(dimple=(SHALLOW / 2, SHALLOW / 2)))) == 0
    place, _, shape = laid(lines, depths(dimple=(0.5, 0.0)))
    row = lines[(lines[:, 0] == KINDS.index("dimple")) & (lines[:, 1] == 0)][0]
    assert place == pytest.approx(row[[3, 4, 6]])
    assert shape == pytest.approx([row[8], 0.5 * row[2], row[9]])
    both = laid(lines, depths(chin=(1.0, 0.5)))
    row = lines[lines[:, 0] == KINDS.index("chin")][0]
    assert both[2, 1] == pytest.approx(0.75 * row[2])
