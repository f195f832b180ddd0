import numpy as np
import pytest

from synthetic_faces import facs
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS, action_weights, resolve_alternatives
from tests.synthetic_faces.plain_shot import shown


def resolved(**intensities):
    """What stays of some AUs: the stronger half of each that is shown."""
    stronger = resolve_alternatives(shown(**intensities)).max(axis=1)
    return {au: value for au, value in zip(AUS, stronger.tolist(), strict=True) if value > 0}


def by_hand():
    """Three facial actions, and muscles that know AU12 (each half its own), AU26 and AU27 (one jaw)."""
    units = np.zeros((len(AUS), 3, 3), np.float32)
    units[AUS.index("AU12")] = [(0.8, 0, 0), (0, 0.7, 0), (0, 0, 0)]
    units[AUS.index("AU26"), 2, 2] = 0.45
    units[AUS.index("AU27"), 2, 2] = 0.9
    return units, ["smileLeft", "smileRight", "jawOpen"]


def test_weights_worked_by_hand():
    units, names = by_hand()
    np.testing.assert_allclose(
        action_weights(shown(AU12=(0.5, 0.1), AU26=0.4), units, names), (0.4, 0.07, 0.18)
    )
    # What both halves share takes the stronger half's intensity.
    np.testing.assert_allclose(action_weights(shown(AU26=(0.2, 0.6)), units, names), (0, 0, 0.27))


@pytest.mark.parametrize("wrong", [np.nan, -0.1, 1.1])
def test_intensities_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError, match=r"must be .* between 0 and 1"):
        action_weights(shown(AU12=(wrong, 0.1)), *by_hand())


def test_an_action_ends_where_its_target_does_or_a_little_farther():
    units, names = by_hand()
    np.testing.assert_allclose(action_weights(shown(AU26=1, AU27=1), units, names), (0, 0, 1))
    np.testing.assert_allclose(action_weights(shown(AU12=1), 4 * units, names), (2.6, 2.6, 0))


def test_every_unit_is_built_in_both_sets_from_actions_that_the_head_has(head):
    names = head.action_names.tolist()
    for unit in facs.ACTION_UNITS.values():
        for text in (unit.faceunits, unit.makehuman, unit.along):
            actions = {action for build in facs.builds(text) for action in build}
            assert {a.replace("*", side) for a in actions for side in facs.SIDES} <= set(names)
            assert actions or text == ""
        assert unit.faceunits != unit.makehuman
        if unit.sided:
            assert all("*" in action for build in facs.builds(unit.makehuman) for action in build)


def test_of_two_alternatives_the_stronger_stays():
    assert resolved(AU26=0.3, AU27=0.8) == {"AU25": 0.4, "AU27": 0.8}
    assert resolved(AU26=0.8, AU27=0.3) == {"AU25": 0.4, "AU26": 0.8}
    assert resolved(AU24=0.5, AU25=0.4, AU26=0.3) == {"AU24": 0.5}
    assert resolved(AU24=0.5, AU25=0.4, AU26=0.6) == {"AU25": 0.4, "AU26": 0.6}
    assert resolved(AU23=0.5, AU24=0.4, AU28=0.3) == {"AU23": 0.5, "AU24": 0.4}
    assert resolved(AU18=0.5, AU12=0.7, AU20=0.2) == {"AU12": 0.7, "AU20": 0.2}
    assert resolved(AU5=0.2, AU43=0.1) == {"AU5": 0.2}
    # Of equals the first.
    assert resolved(AU5=0.2, AU43=0.2) == {"AU5": 0.2}


def test_lips_part_when_the_jaw_drops():
    assert resolved(AU26=0.6) == {"AU25": 0.3, "AU26": 0.6}
    assert resolved(AU26=0.6, AU25=0.7) == {"AU25": 0.7, "AU26": 0.6}


def test_corners_of_the_lips_are_not_strongly_up_and_down_at_once():
    assert resolved(AU12=0.9, AU15=0.8) == {"AU12": 0.9, "AU15": 0.3}
    assert resolved(AU12=0.5, AU15=0.8) == {"AU12": 0.3, "AU15": 0.8}
    assert resolved(AU12=0.9, AU15=0.2) == {"AU12": 0.9, "AU15": 0.2}
    # Each half for itself.
    halves = resolve_alternatives(shown(AU12=(0.9, 0), AU15=(0, 0.8)))
    np.testing.assert_array_equal(halves, shown(AU12=(0.9, 0), AU15=(0, 0.8)))


def test_resolved_is_resolved_and_the_given_array_stays():
    rng = np.random.default_rng(0)
    for _ in range(200):
        some = rng.random((len(AUS), 2)) * (rng.random((len(AUS), 1)) < 0.4)
        before = some.copy()
        once = resolve_alternatives(some)
        np.testing.assert_array_equal(some, before)
        np.testing.assert_array_equal(resolve_alternatives(once), once)
        for groups in facs.ALTERNATIVES:
            first, second = ([AUS.index(au) for au in group] for group in groups)
            assert once[first].max() == 0 or once[second].max() == 0


def test_intensities_of_another_shape_are_refused():
    with pytest.raises(SettingError, match="intensities must be"):
        action_weights(np.zeros((3, 2)), *by_hand())
