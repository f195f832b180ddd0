"""The plan of a set, who shows which emotion, and the frames of each sequence.

All random numbers of a sequence come from streams with the key (seed, person, emotion, repeat): what a person
shows when showing an emotion for the n-th time is the same in sets of any size. Only who shows which emotion
how often, and so which of these sequences exist, depends on the number of people.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from synthetic_faces.capture import Shot, draw_shot
from synthetic_faces.crowd import cast_votes, majority_emotion, mislabel
from synthetic_faces.domains import Domain, sequence_counts
from synthetic_faces.expressions import EMOTIONS, LABELS, draw_expression
from synthetic_faces.facs import resolve_alternatives
from synthetic_faces.people import Stream
from synthetic_faces.timing import events, shares, turns

# From the numbers of a clip's frames, onset to offset, and that of its apex to the selected ones, ascending.
Choice = Callable[[range, int], Iterable[int]]


@dataclass(frozen=True, order=True)
class Sequence:
    """One picture or clip of the plan: person (from 0), index in ``LABELS``, and repeat of this emotion (from
    0).
    """

    subject: int
    label: int
    repeat: int

    @property
    def emotion(self) -> str:
        """The name of the emotion."""
        return LABELS[self.label]


@dataclass(frozen=True)
class Course:
    """The frames of a sequence and the phase of the expression.

    Attributes
    ----------
    frames : tuple of int
        Frame numbers, ascending.
    phase : tuple of float
        Phase in [0, 2] of the expression at each: 0 at the onset, 1 at the apex, 2 at the offset.
    onset, apex, offset : int or None
        Frame numbers of the clip; None for single pictures.
    fps : float or None
        Frames per second.
    """

    frames: tuple[int, ...]
    phase: tuple[float, ...]
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float | None = None


def plan(domain: Domain, subjects: int, seed: int) -> list[Sequence]:
    """Return the sequences of a set, sorted by person, label and repeat.

    The sequences of an emotion are distributed over the people as evenly as possible: no person shows it
    twice before all have shown it once. Who comes first is drawn for each emotion and person. Every person
    has at least one sequence: one who would have none takes one from the person with the most.
    """
    shares = np.zeros((subjects, len(domain.counts)), int)
    for column, (emotion, count) in enumerate(sequence_counts(domain, subjects).items()):
        turns = [
            _rng(domain, seed, Stream.PLAN, who, LABELS.index(emotion)).random() for who in range(subjects)
        ]
        everyone, rest = divmod(count, subjects)
        shares[:, column] = everyone
        shares[np.argsort(turns, kind="stable")[:rest], column] += 1
    for who in np.flatnonzero(shares.sum(axis=1) == 0):
        giver = shares.sum(axis=1).argmax()
        emotion = shares[giver].argmax()
        shares[giver, emotion] -= 1
        shares[who, emotion] += 1
    return sorted(
        Sequence(who, LABELS.index(emotion), repeat)
        for who, row in enumerate(shares.tolist())
        for emotion, times in zip(domain.counts, row, strict=True)
        for repeat in range(times)
    )


def draw_course(domain: Domain, seed: int, sequence: Sequence, choose: Choice | None = None) -> Course:
    """Draw the frames of ``sequence`` and the phase of the expression at each; for a clip those that
    ``choose`` selects (None: all).
    """
    if domain.course == "still":
        return Course((0,), (1.0,))
    rng = _sequence_rng(domain, seed, Stream.COURSE, sequence)
    if domain.course == "rise":
        # CK+: digitised frames 1 … n at video rate; the last one is the apex.
        last = int(rng.integers(9, 41))
        # How much of it all is still to come.
        ahead = np.array([1, *np.cumsum(rng.uniform(0.01, 0.06, 2))[::-1], 0])
        phase = np.arccos(2 * ahead - 1) / math.pi
        return Course((1, last - 2, last - 1, last), tuple(phase.tolist()), 1, last, last, 30.0)
    # CASME II: onset to offset in less than half a second at 200 frames per second.
    fps, length = 200.0, int(rng.integers(36, 100))
    onset = int(rng.integers(20, 200))
    apex = onset + round(length * rng.uniform(0.35, 0.6))
    offset = onset + length
    every = range(onset, offset + 1)
    frames = np.array([*(choose(every, apex) if choose else every)])
    phase = np.interp(frames, [onset, apex, offset], [0, 1, 2])
    return Course(tuple(frames.tolist()), tuple(phase.tolist()), onset, apex, offset, fps)


@dataclass(frozen=True)
class Performance:
    """The expression of a sequence and its labels.

    Attributes
    ----------
    intensities : (frames, len(AUS), 2) array
    labels : tuple of str
        The emotion of each frame in the table.
    votes : tuple of int or None
        (8,): of the crowd for each of ``EMOTIONS``.
    """

    intensities: np.ndarray
    labels: tuple[str, ...]
    votes: tuple[int, ...] | None = None


def perform(domain: Domain, seed: int, sequence: Sequence, course: Course) -> Performance:
    """Draw the AU intensities and the labels of ``sequence`` with its ``course``.

    The person's own neutral face, which may show a weak AU, is present from the first frame to the last. The
    first frame of an expression of ``lab`` is labelled neutral, as in the protocols of CK+.
    """
    rng = _sequence_rng(domain, seed, Stream.EXPRESSION, sequence)
    expression = draw_expression(sequence.emotion, rng, domain.spread)
    apex, rest = expression.intensities, np.zeros_like(expression.intensities)
    if domain.course == "rise":
        rest = draw_expression("neutral", rng, domain.spread).intensities
    rng = _sequence_rng(domain, seed, Stream.TIMING, sequence)
    rising, phase = domain.course == "rise", np.array(course.phase)
    if domain.timing == "in_turn":
        # The strength is drawn, not the expression's own, which would reveal it.
        apex = rng.uniform(*domain.spread.intensity) * events()
        progress = turns(sequence.emotion, phase, rng)
    else:
        progress = shares(domain.timing, sequence.emotion, phase, apex, stays=rising, rng=rng)
    intensities = [resolve_alternatives(np.maximum(rest, share * apex)) for share in progress]
    rng = _sequence_rng(domain, seed, Stream.LABEL, sequence)
    emotion, votes = sequence.emotion, None
    if domain.crowd:
        votes = cast_votes(emotion, expression.strength, domain.crowd, rng)
        emotion = majority_emotion(votes, rng)
    elif domain.mislabelled:
        emotion = mislabel(emotion, domain.mislabelled, domain.emotions, rng)
    labels = [emotion] * len(course.frames)
    if domain.course == "rise":
        labels[0] = EMOTIONS[0]
    return Performance(np.array(intensities), tuple(labels), None if votes is None else tuple(votes.tolist()))


def draw_shots(domain: Domain, seed: int, sequence: Sequence, course: Course) -> list[Shot]:
    """Draw one shot per frame: the same place, light and camera; the head drifts and trembles, the sensor's
    noise is new.

    A frame of a clip does not depend on how many frames are selected.
    """
    first = draw_shot(_sequence_rng(domain, seed, Stream.SHOT, sequence), domain.capture, sequence.emotion)
    if len(course.frames) == 1:
        return [first]
    rng = _sequence_rng(domain, seed, Stream.MOTION, sequence)
    times = (np.array(course.frames) - course.frames[0]) / (course.frames[-1] - course.frames[0])
    # Slowly to somewhere, there and partly back: less than one swing in the sequence.
    ways, phases, swings = rng.standard_normal(5), rng.uniform(0, 1, 5), rng.uniform(0.1, 0.6, 5)
    turn = 2 * math.pi * (np.outer(times, swings) + phases)
    motion = domain.motion * ways * (np.sin(turn) - np.sin(turn[0]))
    places = np.arange(len(times))
    if domain.course == "clip":
        places = np.array(course.frames) - course.onset
    motion += 0.05 * domain.motion * rng.standard_normal((places[-1] + 1, 5))[places]
    return [
        replace(
            first,
            yaw=first.yaw + yaw,
            pitch=first.pitch + pitch,
            roll=first.roll + roll,
            shift=(first.shift[0] + 0.1 * across, first.shift[1] + 0.1 * up),
            frame=place,
        )
        for place, (yaw, pitch, roll, across, up) in zip(places.tolist(), motion.tolist(), strict=True)
    ]


def person_number(domain: Domain, subject: int) -> int:
    """Return the number of the domain's person ``subject`` (from 0) among all people of a seed."""
    return domain.first_person + subject


def _rng(domain: Domain, seed: int, stream: int, subject: int, *rest: int) -> np.random.Generator:
    return np.random.default_rng((stream, seed, person_number(domain, subject), *rest))


def _sequence_rng(domain: Domain, seed: int, stream: int, sequence: Sequence) -> np.random.Generator:
    return _rng(domain, seed, stream, sequence.subject, sequence.label, sequence.repeat)
