"""Simulated data sets in which the truth is known: responses that no action unit moves, labels of invented people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binomtest

from fer_lib.errors import ParameterError
from fer_lib.resampling import CONFIDENCE
from fer_lib.units.decision import Rule, claims
from fer_lib.units.measures import Measure
from fer_lib.units.nulls import permutation_null
from fer_lib.units.permutations import BlockKind
from fer_lib.units.presence import Presence


@dataclass(frozen=True)
class Noise:
    """Where the variation of a response comes from, in a data set in which no action unit moves it.

    ``subject``, ``sequence``, ``emotion``: standard deviations of an effect drawn anew for each subject, sequence and emotion of each
    filter; ``frame``: that of the frames about them, whose successive values correlate by ``correlation`` (AR(1)).
    """

    subject: float = 0.5
    sequence: float = 0.5
    emotion: float = 0.0
    frame: float = 0.7
    correlation: float = 0.6

    def __post_init__(self) -> None:
        if min(self.subject, self.sequence, self.emotion, self.frame) < 0 or not -1 < self.correlation < 1:
            raise ParameterError(
                f"{self}: standard deviations are at least 0, the correlation lies between -1 and 1"
            )


def null_responses(
    presence: Presence, filters: int, *, seed: int = 0, noise: Noise | None = None
) -> np.ndarray:
    """float64 (N, ``filters``): responses of filters that no action unit moves, to the pictures of ``presence``.

    Gaussian effects as ``noise`` says, plus a level of each filter from U(-1, 1), rectified: some filters fire often, some rarely.
    With ``noise.emotion`` above 0 the responses go with the emotion, and through it with its units; what then holds is only that
    within an emotion no unit moves them.
    """
    noise = noise or Noise()
    generator = np.random.default_rng(seed)
    subjects, sequences, frames = _structure(presence)
    emotions = pd.factorize(presence.emotions)[0]
    responses = generator.uniform(-1, 1, filters) + np.zeros((len(presence), 1))
    for deviation, codes in (
        (noise.subject, subjects),
        (noise.sequence, sequences),
        (noise.emotion, emotions),
    ):
        responses += deviation * generator.standard_normal((codes.max() + 1, filters))[codes]
    fresh = np.sqrt(1 - noise.correlation**2)
    last = np.zeros((sequences.max() + 1, filters))
    for frame in range(frames.max() + 1):
        rows = np.flatnonzero(frames == frame)
        drawn = generator.standard_normal((len(rows), filters))
        last[sequences[rows]] = noise.correlation * last[sequences[rows]] + fresh * drawn if frame else drawn
        responses[rows] += noise.frame * last[sequences[rows]]
    return np.maximum(responses, 0)


def _structure(presence: Presence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) each: subject, sequence, and number of the frame in its sequence, from 0."""
    subjects = pd.factorize(presence.subjects)[0]
    sequences = pd.MultiIndex.from_arrays((subjects, presence.sequences)).factorize()[0]
    return subjects, sequences, pd.Series(sequences).groupby(sequences).cumcount().to_numpy()


def simulated_presence(
    subjects: int,
    *,
    sequences: int = 3,
    frames: int = 4,
    aus: int = 8,
    emotions: int = 6,
    prevalence: float = 0.3,
    habit: float = 0.0,
    seed: int = 0,
) -> Presence:
    """Labels of invented people: each sequence starts neutral and goes on with one emotion and the units that it shows.

    A unit is shown with probability ``prevalence``, more in some emotions and less in others (sd 1 on the logit scale). ``habit``: sd on
    that scale of each subject's own inclination to each unit: above 0, units run in people.
    """
    if min(subjects, sequences, aus, emotions) < 1 or frames < 2 or not 0 < prevalence < 1 or habit < 0:
        raise ParameterError(
            f"subjects {subjects}, sequences {sequences}, frames {frames}, aus {aus}, emotions {emotions}, prevalence {prevalence}, "
            f"habit {habit}: counts are at least 1, frames at least 2, prevalence lies between 0 and 1, habit is at least 0"
        )
    generator = np.random.default_rng(seed)
    blocks = subjects * sequences
    person = np.repeat(np.arange(subjects), sequences)
    emotion = generator.integers(emotions, size=blocks)
    logit = np.log(prevalence / (1 - prevalence)) + generator.standard_normal((emotions, aus))[emotion]
    logit = logit + habit * generator.standard_normal((subjects, aus))[person]
    shown = generator.random((blocks, aus)) < expit(logit)
    present = np.repeat(shown, frames, axis=0)
    present[::frames] = False
    first = np.arange(blocks * frames) % frames == 0
    return Presence(
        tuple(f"AU{a + 1}" for a in range(aus)),
        present,
        np.char.add("person ", np.repeat(person, frames).astype(str)),
        np.char.add("sequence ", np.repeat(np.arange(blocks), frames).astype(str)),
        np.where(first, "neutral", np.char.add("emotion ", np.repeat(emotion, frames).astype(str))),
    )


def family_wise_error(
    presence: Presence,
    measure: Measure,
    *,
    rules: Sequence[Rule] = ("max_statistic", "argmax"),
    sets: int = 400,
    filters: int = 16,
    permutations: int = 199,
    alpha: float = 0.05,
    blocks: BlockKind = "sequence",
    within: np.ndarray | None = None,
    noise: Noise | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How often a rule claims any detector where there is none: the labels of ``presence`` beside ``sets`` draws of null responses.

    One row per rule: ``measure``, ``rule``, ``blocks``, ``sets``, ``errors`` (sets with at least one claim), ``share``, and the exact
    (Clopper and Pearson) 95 % interval ``low``, ``high``; ``claimed``: mean share of filters that are claimed. A rule keeps its
    promise where the interval holds ``alpha`` or lies below it. Raises what ``permutation_null`` and ``decide`` raise.
    """
    if sets < 1:
        raise ParameterError(
            f"sets = {sets}: simulate at least 1 data set, 400 for an interval of 2 % to either side"
        )
    claimed = np.zeros((sets, len(rules)))
    for number in range(sets):
        null = permutation_null(
            null_responses(presence, filters, seed=seed + number, noise=noise),
            presence,
            measure,
            permutations=permutations,
            seed=seed + number,
            within=within,
            blocks=blocks,
        )
        claimed[number] = [(claims(null, rule, alpha) >= 0).mean() for rule in rules]
    return pd.DataFrame(
        [
            {
                "measure": measure,
                "rule": rule,
                "blocks": blocks,
                "sets": sets,
                **error_share(int((column > 0).sum()), sets),
                "claimed": float(column.mean()),
            }
            for rule, column in zip(rules, claimed.T, strict=True)
        ]
    )


def error_share(errors: int, sets: int) -> dict[str, float]:
    """``errors``, their ``share`` of ``sets``, and its exact 95 % interval ``low``, ``high`` (Clopper and Pearson 1934)."""
    interval = binomtest(errors, sets).proportion_ci(CONFIDENCE, method="exact")
    return {
        "errors": errors,
        "share": errors / sets,
        "low": float(interval.low),
        "high": float(interval.high),
    }
