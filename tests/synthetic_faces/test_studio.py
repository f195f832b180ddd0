"""The studio: one person, the units that were asked for, and nothing else."""

import numpy as np
import pytest

from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import typical_aus
from synthetic_faces.studio import Studio


@pytest.fixture(scope="module")
def studio(face_cache) -> Studio:
    return Studio(size=48, cache=face_cache)


def test_nothing_but_the_unit_differs(studio):
    again, smile = studio.shoot(0), studio.shoot(0, {"AU12": 1.0})
    np.testing.assert_array_equal(studio.shoot(0).pixels, again.pixels)
    change = np.abs(smile.pixels.astype(int) - again.pixels)
    # The forehead has no part in a smile; the mouth has.
    assert change[:12].max() <= 8 and change[26:].max() > 40
    assert (studio.shoot(1).pixels != again.pixels).any()


def test_a_pair_of_intensities_moves_half_of_the_face(studio):
    change = np.abs(studio.shoot(0, {"AU12": (1.0, 0.0)}).pixels.astype(int) - studio.shoot(0).pixels)
    # The subject's left is on the right of the picture.
    assert change[:, 24:].sum() > 3 * change[:, :24].sum()


def test_switched_units_lie_where_they_move_the_face(studio):
    switched = studio.switched(0, ("AU1", "AU12", "AU43"))
    assert switched.on.shape == switched.masks.shape == (3, 48, 48)
    change = np.abs(switched.on.astype(int) - switched.off)
    for own, masked in zip(change, switched.masks, strict=True):
        share = (own * masked).sum() / own.sum()
        assert 0.01 < masked.mean() < 0.4 and share > 2 * masked.mean() and share > 0.5


def test_expressions_are_those_pictures(studio):
    expressions = studio.expressions(1, ("neutral", "anger"))
    np.testing.assert_array_equal(expressions[0], studio.shoot(1).pixels)
    np.testing.assert_array_equal(expressions[1], studio.shoot(1, typical_aus("anger")).pixels)


def test_what_the_studio_cannot_show_is_refused(studio):
    with pytest.raises(SettingError, match="no action unit 'AU99'"):
        studio.shoot(0, {"AU99": 1.0})
    with pytest.raises(SettingError, match="synthetic domain"):
        Studio(size=48, domain="zoo")
