from collections import Counter
from itertools import groupby
from operator import attrgetter

import numpy as np
import pytest

from face_sets.request import spread_evenly
from synthetic_faces.crowd import VOTERS
from synthetic_faces.domains import DOMAINS, sequence_counts
from synthetic_faces.expressions import EMOTIONS, LABELS
from synthetic_faces.facs import AUS
from synthetic_faces.sequences import Sequence, draw_course, draw_shots, perform, person_number, plan

LAB, WILD, GAME, MICRO, _ = DOMAINS.values()


def taking(most):
    return lambda every, apex: spread_evenly(every, most, apex)


def shown_in(domain, seed, sequence, most=16):
    """How ``sequence`` is performed, with ``most`` frames of a clip."""
    return perform(domain, seed, sequence, draw_course(domain, seed, sequence, taking(most)))


def sequences_of(domain, number, seed=0):
    """The first ``number`` sequences of a set of the domain's own number of people."""
    return plan(domain, domain.subjects, seed)[:number]


@pytest.mark.parametrize("name", DOMAINS)
def test_a_plan_has_the_counts_of_its_domain_and_everybody_in_it(name):
    domain = DOMAINS[name]
    sequences = plan(domain, domain.subjects, seed=0)
    assert Counter(s.emotion for s in sequences) == dict(domain.counts)
    assert {s.subject for s in sequences} == set(range(domain.subjects))
    assert sequences == sorted(sequences) and len(set(sequences)) == len(sequences)
    for _, group in groupby(sequences, attrgetter("subject")):
        own = list(group)
        for label, times in Counter(s.label for s in own).items():
            assert [s.repeat for s in own if s.label == label] == list(range(times))


def test_in_the_lab_nobody_shows_an_emotion_twice():
    seed = 1
    assert all(s.repeat == 0 for s in plan(LAB, 118, seed))
    few = plan(LAB, 9, seed)
    assert Counter(s.emotion for s in few) == sequence_counts(LAB, 9)
    assert {s.subject for s in few} == set(range(9)) and all(s.repeat == 0 for s in few)


def test_seeds_and_people_take_other_turns():
    assert plan(LAB, 118, 0) == plan(LAB, 118, 0) != plan(LAB, 118, 1)
    everyone = groupby(plan(LAB, 118, 0), attrgetter("subject"))
    assert len({tuple(s.label for s in own) for _, own in everyone}) > 30


def test_what_a_person_does_does_not_depend_on_the_number_of_people():
    some = plan(WILD, 20, 3)
    assert set(some) & set(plan(WILD, 60, 3))
    for sequence in some[:10]:
        # Nothing but the domain, the seed and the sequence is asked for.
        first, again = shown_in(WILD, 3, sequence), shown_in(WILD, 3, sequence)
        np.testing.assert_array_equal(first.intensities, again.intensities)
        assert first.labels == again.labels and first.votes == again.votes
    assert not np.array_equal(
        shown_in(WILD, 4, some[0]).intensities, shown_in(WILD, 3, some[0]).intensities
    ) or not np.array_equal(shown_in(WILD, 4, some[1]).intensities, shown_in(WILD, 3, some[1]).intensities)


def test_a_rise_is_the_first_frame_and_the_last_three():
    lasts = set()
    for sequence in sequences_of(LAB, 40):
        course = draw_course(LAB, 0, sequence)
        first, *others = course.frames
        assert first == 1 == course.onset
        assert others == [course.apex - 2, course.apex - 1, course.apex] and course.offset == course.apex
        assert course.phase[0] == 0 and course.phase[3] == 1
        assert 0.75 < course.phase[1] < course.phase[2] < 1
        lasts.add(course.apex)
    assert len(lasts) > 10


def test_a_clip_is_a_micro_expression():
    for sequence in sequences_of(MICRO, 60):
        course = draw_course(MICRO, 0, sequence, taking(16))
        frames, phase = np.array(course.frames), np.array(course.phase)
        assert len(frames) == 16 and (np.diff(frames) > 0).all()
        assert course.fps == 200 and 0.15 < (course.offset - course.onset) / course.fps < 0.5
        assert (frames[0], frames[-1]) == (course.onset, course.offset)
        assert course.onset < course.apex < course.offset and course.apex in course.frames
        assert (phase[0], phase[frames == course.apex], phase[-1]) == (0, 1, 2)
        assert (np.diff(phase) > 0).all()


def test_the_place_of_a_frame_does_not_tell_where_the_apex_is():
    places = Counter()
    for sequence in sequences_of(MICRO, 246):
        course = draw_course(MICRO, 0, sequence, taking(16))
        places[course.frames.index(course.apex)] += 1
        assert course.frames == tuple(spread_evenly(range(course.onset, course.offset + 1), 16, course.apex))
    assert set(places) == {5, 6, 7, 8, 9} and max(places.values()) < 246 / 3


def test_a_frame_of_a_clip_is_the_same_however_many_are_taken():
    for sequence in sequences_of(MICRO, 10):
        course, *others = (
            draw_course(MICRO, 0, sequence, choose) for choose in (None, taking(16), taking(3))
        )
        every = perform(MICRO, 0, sequence, course)
        assert course.frames == tuple(range(course.onset, course.offset + 1))
        assert others[1].frames == (course.onset, course.apex, course.offset)
        shots = draw_shots(MICRO, 0, sequence, course)
        for few in others:
            places = [course.frames.index(frame) for frame in few.frames]
            shown = perform(MICRO, 0, sequence, few).intensities
            np.testing.assert_array_equal(shown, every.intensities[places])
            assert draw_shots(MICRO, 0, sequence, few) == [shots[place] for place in places]


def test_a_still_is_one_frame():
    course = draw_course(WILD, 0, sequences_of(WILD, 1)[0])
    assert course.frames == (0,) and course.phase == (1.0,) and course.fps is None


def test_a_rise_begins_with_a_neutral_face_that_stays():
    weak = 0
    for sequence in sequences_of(LAB, 120):
        performance = shown_in(LAB, 0, sequence)
        assert performance.labels == ("neutral", *[sequence.emotion] * 3) and performance.votes is None
        rest, *rise = performance.intensities
        assert rest.max() <= 0.4
        weak += rest.max() > 0
        assert (rise[2].max(axis=1) > rest.max(axis=1)).any()
        # Each AU grows or was there before, but where an alternative takes its place.
        grown = np.diff(performance.intensities[1:], axis=0)
        assert (grown >= -1e-9).mean() > 0.99
    assert 0 < weak < 60


def test_a_micro_expression_is_weak_and_gone_in_the_end():
    apexes = []
    for sequence in sequences_of(MICRO, 246):
        shown = shown_in(MICRO, 0, sequence).intensities
        assert shown.shape == (16, len(AUS), 2)
        assert shown[0].max() == shown[-1].max() == 0
        apexes.append(shown.max())
    assert min(apexes) > 0.03 and np.median(apexes) > 0.1
    # A rare AU at random may be up to 0.4; jitter makes of 0.35 a little more.
    assert max(apexes) < 0.5


def test_labels_of_wild_are_wrong_at_the_known_rate():
    wrong = []
    for sequence in sequences_of(WILD, 2500):
        (label,) = shown_in(WILD, 0, sequence).labels
        assert label in WILD.emotions
        wrong.append(label != sequence.emotion)
    # Three standard errors of 2,500 pictures.
    assert np.mean(wrong) == pytest.approx(WILD.mislabelled, abs=0.018)


def test_votes_of_game_sum_to_ten_and_the_majority_is_the_label():
    agree, shares = [], []
    for sequence in sequences_of(GAME, 1500):
        performance = shown_in(GAME, 0, sequence)
        votes = np.array(performance.votes)
        assert votes.sum() == VOTERS and votes.min() >= 0
        assert votes[EMOTIONS.index(performance.labels[0])] == votes.max()
        agree.append(performance.labels[0] == sequence.emotion)
        shares.append(votes / VOTERS)
    assert 0.75 < np.mean(agree) < 0.95
    shares = np.array(shares)
    bits = -np.where(shares > 0, shares * np.log2(np.where(shares > 0, shares, 1)), 0).sum(axis=1)
    # FER+ over FER2013's 35,887 pictures, without "unknown" and "no face": 0.770 and 0.768 bits.
    assert shares.max(axis=1).mean() == pytest.approx(0.77, abs=0.03)
    assert bits.mean() == pytest.approx(0.77, abs=0.08)


def test_only_the_head_moves_within_a_sequence():
    for domain in (LAB, MICRO):
        for sequence in sequences_of(domain, 20):
            course = draw_course(domain, 0, sequence)
            shots = draw_shots(domain, 0, sequence, course)
            assert len(shots) == len(course.frames)
            moving = {"yaw", "pitch", "roll", "shift", "frame"}
            for name in set(vars(shots[0])) - moving:
                assert len({getattr(shot, name) for shot in shots}) == 1, name
            # The clip's noise follows the frame number, that of a rise the place.
            numbers = np.array(course.frames) - course.onset if domain is MICRO else np.arange(4)
            assert [shot.frame for shot in shots] == numbers.tolist()
            yaw = np.array([shot.yaw for shot in shots])
            assert 0 < np.abs(yaw - yaw[0]).max() < 8 * domain.motion
    assert person_number(MICRO, 2) != person_number(LAB, 2)


def test_every_label_has_its_own_stream():
    numbers = {
        draw_course(MICRO, 0, Sequence(0, LABELS.index(e), r), taking(16)).frames
        for e in MICRO.emotions
        for r in range(3)
    }
    assert len(numbers) == 15
