"""When the units of an expression move: in which order, from the clip's onset over its apex to its offset."""

import numpy as np
import pytest
from scipy.stats import f_oneway

from synthetic_faces.domains import DOMAINS, with_options
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import LABELS
from synthetic_faces.facs import AUS, SIDED
from synthetic_faces.sequences import draw_course, perform, plan
from synthetic_faces.timing import EVENTS, LEAST_AT_APEX, ORDERS, SCHEDULES, shares

MICRO, LAB = DOMAINS["micro"], DOMAINS["lab"]


def shown(timing="by_unit", seed=0):
    """The sequences of ``micro``, and of each all frames of its clip: course and intensities."""
    domain = with_options(MICRO, timing)
    for sequence in plan(domain, 26, seed):
        course = draw_course(domain, seed, sequence)
        yield sequence, course, perform(domain, seed, sequence, course).intensities


def curves(emotion, *units, stays=False, timing="by_unit", seed=0):
    """Shares (201, units) on the left half of the face, from onset to offset, of units shown in full."""
    apex = np.zeros((len(AUS), 2))
    rows = [AUS.index(unit) for unit in units]
    apex[rows] = 1
    phase = np.linspace(0, 2, 201)
    come = shares(timing, emotion, phase, apex, stays=stays, rng=np.random.default_rng(seed))
    assert come.shape == (201, len(AUS), 2) and come.min() >= 0 and come.max() <= 1
    return come[:, rows, 0]


def test_every_expression_has_a_schedule_of_all_units():
    assert set(SCHEDULES) == set(LABELS) - {"neutral"}
    for times, _ in SCHEDULES.values():
        assert times.shape == (len(AUS), 4) and times.min() >= 0 and times[:, 1:].min() > 0
        assert 0.6 < times.sum(axis=1).max() <= 1.0001


def test_the_apex_is_where_most_is_shown_and_shows_all_units():
    for _, course, intensities in shown():
        total = intensities.sum(axis=(1, 2))
        apex = course.frames.index(course.apex)
        assert total[apex] >= 0.999 * total.max()
        ever = intensities.max(axis=0)
        assert (intensities[apex] >= 0.999 * LEAST_AT_APEX * ever).all()
        assert total[0] == total[-1] == 0 and total[1] > 0 and total[-2] > 0


def test_neither_length_nor_apex_of_a_clip_depends_on_what_is_shown():
    together = [course for _, course, _ in shown("together")]
    assert together == [course for _, course, _ in shown("by_unit")]


@pytest.mark.parametrize(
    ("emotion", "early", "late"),
    [
        ("repression", "AU12", "AU15"),
        ("surprise", "AU5", "AU2"),
        ("disgust", "AU9", "AU10"),
        ("happiness", "AU12", "AU25"),
    ],
)
def test_units_come_in_the_order_of_their_sources(emotion, early, late):
    half_way = [(curves(emotion, early, late, seed=seed) >= 0.5).argmax(axis=0) for seed in range(50)]
    assert np.mean([first < then for first, then in half_way]) > 0.9


def test_what_is_felt_is_going_when_what_holds_it_back_is_full():
    left = []
    for seed in range(50):
        felt, pressed = curves("repression", "AU12", "AU14", seed=seed).T
        left.append(felt[pressed.argmax()])
        assert (np.diff(felt[pressed.argmax() :]) < 0.01).all()
    assert np.median(left) < 0.6 and max(left) < 0.95


def test_together_all_units_follow_one_cosine():
    phase = np.linspace(0, 2, 201)
    expected = 0.5 - 0.5 * np.cos(np.pi * phase)
    for units in curves("repression", "AU12", "AU15", timing="together").T:
        np.testing.assert_allclose(units, expected)
    for _, course, intensities in shown("together"):
        apex = intensities[course.frames.index(course.apex)]
        expected = 0.5 - 0.5 * np.cos(np.pi * np.array(course.phase))
        np.testing.assert_allclose(intensities, expected[:, None, None] * apex, atol=1e-12)


def test_lips_part_as_far_as_the_jaw_drops():
    for emotion in ("surprise", "happiness", "fear"):
        for seed in range(5):
            lips, jaw = curves(emotion, "AU25", "AU26", seed=seed).T
            np.testing.assert_allclose(lips, jaw)


def test_one_half_of_a_face_starts_a_little_later():
    apex = np.ones((len(AUS), 2))
    rng = np.random.default_rng(0)
    come = shares("by_unit", "happiness", np.linspace(0, 2, 401), apex, stays=False, rng=rng)
    left, right = (come >= 0.5).argmax(axis=0).T
    assert (left[~SIDED] == right[~SIDED]).all()
    apart = (left - right)[SIDED]
    assert (apart >= 0).all() or (apart <= 0).all()
    assert 0 < np.abs(apart).mean() < 30


def test_a_rise_ends_with_all_units_in_full_and_comes_there_unit_by_unit():
    late = 0
    for sequence in plan(LAB, 118, 0)[:60]:
        course = draw_course(LAB, 0, sequence)
        intensities = perform(LAB, 0, sequence, course).intensities
        together = perform(with_options(LAB, "together"), 0, sequence, course).intensities
        np.testing.assert_allclose(intensities[[0, -1]], together[[0, -1]])
        ratio = intensities[1][intensities[-1] > 0.1] / intensities[-1][intensities[-1] > 0.1]
        assert ratio.min() > 0.4
        late += ratio.max() - ratio.min() > 0.05
    assert late > 20


def test_a_timing_that_is_unknown_or_has_no_sequence_to_act_in_is_refused():
    assert with_options(MICRO, "") is MICRO and with_options(DOMAINS["wild"], "") is DOMAINS["wild"]
    with pytest.raises(SettingError, match="timing is 'slow'; it must be one of by_unit, together"):
        with_options(MICRO, "slow")
    with pytest.raises(SettingError, match="wild has single pictures; leave it out, or take lab, micro"):
        with_options(DOMAINS["wild"], "together")


def test_neither_length_nor_apex_nor_frames_of_a_clip_tell_the_expression():
    rows = [
        (sequence.emotion, course.offset - course.onset, course.apex - course.onset, len(course.frames))
        for seed in range(3)
        for sequence, course, _ in shown(seed=seed)
    ]
    emotions, length, rise, frames = (np.array(column) for column in zip(*rows, strict=True))
    assert (frames == length + 1).all()
    for told in (length, rise / length):
        groups = [told[emotions == emotion] for emotion in MICRO.emotions]
        assert f_oneway(*groups).pvalue > 0.01


def test_in_turn_clips_of_all_classes_show_the_same_but_for_the_order():
    units = [AUS.index(event[0]) for event in EVENTS]
    ever, orders, middles = {}, {}, {}
    for sequence, course, intensities in shown("in_turn"):
        own = intensities[:, units, 0]
        assert (own.max(axis=0) > 0.09).all() and own[0].max() == own[-1].max() == 0
        ever.setdefault(sequence.emotion, []).append(own.max())
        orders.setdefault(sequence.emotion, set()).add(tuple(own.argmax(axis=0).argsort().tolist()))
        middles[sequence.emotion] = own[len(course.frames) // 2].argmax()
        others = np.delete(intensities, [AUS.index(unit) for event in EVENTS for unit in event], axis=1)
        assert not others.any()
    assert orders == {emotion: {order} for emotion, order in ORDERS.items()}
    assert len(set(ORDERS.values())) == len(ORDERS)
    assert f_oneway(*ever.values()).pvalue > 0.01
    assert all(1 <= list(middles.values()).count(event) <= 2 for event in range(len(EVENTS)))


@pytest.mark.parametrize("name", ["lab", "heads"])
def test_what_rises_and_stays_has_no_turns(name):
    with pytest.raises(SettingError, match=f"{name} cannot have"):
        with_options(DOMAINS[name], "in_turn")
