import numpy as np
import pytest

from synthetic_faces.capture import GESTURES, Capture, draw_shot
from synthetic_faces.errors import SettingError


def shots(number=400, emotion="neutral", **how):
    capture = Capture(**how)
    return [draw_shot(np.random.default_rng((5, k)), capture, emotion) for k in range(number)]


def test_a_plain_studio_takes_plain_pictures():
    for shot in shots(50):
        assert (shot.rods, shot.strands, shot.caption, shot.scenery) == ((), (), None, 0.0)
        assert (shot.tilt, shot.exposure, shot.contrast, shot.levels) == (0, 0, 1, 0)
        assert (shot.enlargement, shot.quality, shot.offset) == (1, 100, (0, 0))


def test_the_same_numbers_give_the_same_shot():
    capture = Capture(occluders=1, captions=1, scenery=1)
    first, second = (draw_shot(np.random.default_rng(3), capture) for _ in range(2))
    assert first == second
    assert first != draw_shot(np.random.default_rng(4), capture)


def test_shares_and_spreads_are_those_that_were_asked_for():
    some = shots(
        occluders=0.4,
        captions=0.3,
        scenery=0.5,
        tilt=0.2,
        exposure=0.7,
        contrast=0.3,
        crop=0.1,
        zoom=0.1,
        pose=0,
    )
    # Three standard errors of a share of 400 are .075.
    assert np.mean([bool(s.rods or s.strands) for s in some]) == pytest.approx(0.4, abs=0.075)
    assert np.mean([s.caption is not None for s in some]) == pytest.approx(0.3, abs=0.075)
    extreme = [s.scenery > 0 or s.background[0] in (3.0, 0.005) for s in some]
    assert np.mean(extreme) == pytest.approx(0.5, abs=0.075)
    for values, deviation in (
        ([s.tilt for s in some], 0.2),
        ([s.exposure for s in some], 0.7),
        (np.log([s.contrast for s in some]), 0.3),
        (np.log([s.zoom for s in some]), 0.1),
        (np.ravel([s.offset for s in some]), 0.1),
    ):
        assert np.std(values) == pytest.approx(deviation, rel=0.15)
        assert abs(np.mean(values)) < 0.2 * deviation
    assert {s.yaw for s in some} == {0}


def test_ranges_are_kept():
    some = shots(blur=(0.2, 0.4), noise=(0.01, 0.03), enlargement=(1.5, 2), quality=(30, 60), levels=0.5)
    for name, low, high in (
        ("blur", 0.2, 0.4),
        ("noise", 0.01, 0.03),
        ("enlargement", 1.5, 2),
        ("quality", 30, 60),
        ("levels", 0, 0.5),
    ):
        values = np.array([getattr(s, name) for s in some])
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high


def test_a_hand_has_four_fingers_before_the_face():
    hands = [s.rods for s in shots(occluders=1) if len(s.rods) > 1]
    assert len(hands) > 100
    for hand in hands:
        assert len([rod for rod in hand if rod.radius < 0.01]) == 4
        assert all(rod.albedo is None for rod in hand)
        ends = np.array([(rod.start, rod.end) for rod in hand])
        assert np.abs(ends[..., :2]).max() < 0.25
        # From behind a turned cheek to before the nose.
        assert ends[..., 2].min() > -0.03 and ends[..., 2].max() < 0.07


def test_heads_turn_farther_but_never_beyond_a_profile():
    straight, turned = ([abs(s.yaw) for s in shots(pose=1.4, turned=share)] for share in (0, 1))
    assert np.median(turned) == pytest.approx(3.5 * np.median(straight), rel=0.05)
    assert max(turned) < 1.06 < 3.5 * max(straight)


def test_heads_hang_in_the_emotions_and_shares_that_were_asked_for():
    sad, glad = (shots(emotion=e, pose=0, bowed={"sadness": 0.4}) for e in ("sadness", "happiness"))
    down = [s for s in sad if s.pitch < 0]
    assert len(down) / len(sad) == pytest.approx(0.4, abs=0.075)
    assert np.mean([s.gaze[1] < -0.15 and s.lids > 0.09 for s in down]) == pytest.approx(0.75, abs=0.1)
    assert {s.pitch for s in glad} == {0}


def test_hands_go_where_the_emotion_puts_them():
    hands = {"surprise": {"cheeks": 0.3, "brow": 0.2}}
    surprised, glad = (shots(emotion=e, hands=hands) for e in ("surprise", "happiness"))
    assert not any(s.rods for s in glad)
    both = [s.rods for s in surprised if len(s.rods) == 12]
    one = [s.rods for s in surprised if len(s.rods) == 6]
    assert len(both) / 400 == pytest.approx(0.3, abs=0.075)
    assert len(one) / 400 == pytest.approx(0.2, abs=0.075)
    for rods in both:
        left, right = (np.mean([[r.start, r.end] for r in own], axis=(0, 1)) for own in (rods[:6], rods[6:]))
        assert left[0] * right[0] < 0 and left[1] < 0.03 and right[1] < 0.03
    assert all(np.mean([r.end[1] for r in rods[:4]]) > 0.02 for rods in one)


@pytest.mark.parametrize("gesture", GESTURES)
def test_every_gesture_is_before_the_face(gesture):
    for shot in shots(20, hands={"neutral": {gesture: 1.0}}):
        assert len(shot.rods) == (12 if GESTURES[gesture][-1] else 6)
        ends = np.array([(rod.start, rod.end) for rod in shot.rods])
        assert np.abs(ends[..., 0]).max() < 0.16 and ends[..., 1].min() > -0.3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bowed", {"sadness": 1.1}),
        ("hands", {"fear": {"pockets": 0.1}}),
        ("hands", {"fear": {"cheeks": 0.6, "brow": 0.6}}),
        ("hands", {"fear": {"cheeks": -0.1}}),
        ("crop", 0.6),
        ("scenery", 1.1),
        ("exposure", 3),
        ("levels", 1.1),
        ("quality", (50, 101)),
        ("enlargement", (2, 1)),
        ("pose", -1),
        ("window", 0.5),
        ("noise", (-1, 0)),
    ],
)
def test_a_studio_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingError, match=field):
        Capture(**{field: value})
