import numpy as np
import pytest

from synthetic_faces import facs
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS, action_weights, resolve_alternatives


def shown(**intensities):
    """AU intensities: a number for both halves of the face, or a (left, right) pair."""
    table = np.zeros((len(AUS), 2))
    for au, value in intensities.items():
        table[AUS.index(au)] = value
    return table


def resolved(**intensities):
    """What stays of some AUs: the stronger half of each that is shown."""
    stronger = resolve_alternatives(shown(**intensities)).max(axis=1)
    return {au: value for au, value in zip(AUS, stronger.tolist(), strict=True) if value > 0}


def test_weights_worked_by_hand(head):
    names = head.action_names.tolist()
    weights = dict(zip(names, action_weights(shown(AU12=(0.5, 0), AU26=0.4, AU25=0.5), names), strict=True))
    assert weights["mouthSmileLeft"] == pytest.approx(0.5 * 0.85)
    assert weights["mouthSmileRight"] == 0
    assert weights["jawOpen"] == pytest.approx(0.4 * 0.45 + 0.5 * 0.2)
    assert weights["mouthLowerDownLeft"] == pytest.approx(0.5 * 0.85)
    assert sum(value > 0 for value in weights.values()) == 6


def test_the_sum_of_two_units_is_clipped_and_an_unsided_action_takes_the_stronger_half(head):
    names = head.action_names.tolist()
    weights = action_weights(shown(AU26=1, AU27=1, AU1=(0.2, 0.6)), names)
    assert weights[names.index("jawOpen")] == 1
    assert weights[names.index("browInnerUp")] == pytest.approx(0.6)


def test_every_unit_moves_actions_that_the_head_has(head):
    names = head.action_names.tolist()
    for au in AUS:
        assert action_weights(shown(**{au: 1.0}), names).sum() > 0
        for action in facs.ACTION_UNITS[au].actions:
            for side in facs.SIDES:
                assert action.format(side=side) in names


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


def test_bad_intensities_are_refused_by_name(head):
    with pytest.raises(SettingError, match="intensit"):
        action_weights(shown(AU1=1.2), head.action_names.tolist())
    with pytest.raises(SettingError, match="intensities must be"):
        action_weights(np.zeros((3, 2)), head.action_names.tolist())
