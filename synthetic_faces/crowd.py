"""Human labels of a face: crowd votes, and wrong labels.

Both follow one table of confusions: the votes of ten FER+ voters for the FER2013 pictures whose majority was
the row's emotion (Barsoum et al. 2016; fer2013new.csv, votes for "unknown" and "no face" left out, rounded).
Wrong labels and a crowd's votes have the errors of people.
"""

from dataclasses import dataclass

import numpy as np

from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import EMOTIONS

VOTERS = 10

# Rows: what most saw; columns: what was voted for; both in the order of EMOTIONS.
_FERPLUS = np.array(
    [
        [0.738, 0.035, 0.026, 0.012, 0.008, 0.034, 0.122, 0.024],
        [0.081, 0.692, 0.014, 0.044, 0.031, 0.031, 0.042, 0.064],
        [0.161, 0.054, 0.591, 0.066, 0.012, 0.026, 0.073, 0.018],
        [0.110, 0.130, 0.056, 0.531, 0.020, 0.023, 0.103, 0.028],
        [0.058, 0.043, 0.007, 0.017, 0.612, 0.017, 0.080, 0.166],
        [0.043, 0.008, 0.004, 0.003, 0.003, 0.906, 0.006, 0.027],
        [0.172, 0.035, 0.016, 0.018, 0.023, 0.016, 0.706, 0.014],
        [0.065, 0.026, 0.003, 0.005, 0.098, 0.037, 0.017, 0.749],
    ]
)
NEUTRAL = EMOTIONS.index("neutral")


def confusions() -> np.ndarray:
    """Return (8, 8): for a face of the row's emotion that is mistaken, the probability of each other one;
    rows sum to 1, the diagonal is 0.
    """
    others = _FERPLUS * (1 - np.eye(len(EMOTIONS)))
    return others / others.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Crowd:
    """A model of voters: all values in [0, 1] but ``agreement``.

    A voter sees the emotion shown with a probability that grows with the strength of the expression, from
    ``faint`` at strength 0 to ``clear`` at 1 (``clear`` always for a neutral face). A voter who does not see
    it votes neutral with probability 1 − strength, or another emotion as in ``confusions``. Voters see the
    same picture: the probabilities of each picture are drawn around these from a Dirichlet distribution of
    concentration ``agreement``; the smaller, the more they agree with each other.
    """

    faint: float = 0.25
    clear: float = 0.9
    agreement: float = 6.0

    def __post_init__(self) -> None:
        if not 0 <= self.faint <= self.clear <= 1:
            raise SettingError(
                f"faint is {self.faint} and clear {self.clear}; it must be 0 <= faint <= clear <= 1"
            )
        if not self.agreement > 0:
            raise SettingError(f"agreement is {self.agreement}; it must be above 0")


def seen_as(emotion: str, strength: float, crowd: Crowd) -> np.ndarray:
    """Return the probability (8,) with which a voter chooses each of ``EMOTIONS`` for a face of ``emotion``.

    ``strength`` in [0, 1] of the expression; without effect for a neutral face.
    """
    index = EMOTIONS.index(emotion)
    neutral = np.eye(len(EMOTIONS))[NEUTRAL]
    if index == NEUTRAL:
        clarity, errors = crowd.clear, confusions()[NEUTRAL]
    else:
        clarity = crowd.faint + (crowd.clear - crowd.faint) * strength
        errors = (1 - strength) * neutral + strength * confusions()[index]
    return clarity * np.eye(len(EMOTIONS))[index] + (1 - clarity) * errors


def cast_votes(emotion: str, strength: float, crowd: Crowd, rng: np.random.Generator) -> np.ndarray:
    """Draw the votes of ``VOTERS`` for each of ``EMOTIONS``, int64 (8,); see ``Crowd`` for the model."""
    chances = seen_as(emotion, strength, crowd)
    # A concentration of 0 would not be a distribution.
    picture = rng.dirichlet(np.maximum(crowd.agreement * chances, 1e-3))
    return rng.multinomial(VOTERS, picture)


def majority_emotion(votes: np.ndarray, rng: np.random.Generator) -> str:
    """Return the emotion with the most of ``votes`` (8,); of equal ones one is drawn."""
    return EMOTIONS[rng.choice(np.flatnonzero(votes == votes.max()))]


def mislabel(emotion: str, rate: float, among: tuple[str, ...], rng: np.random.Generator) -> str:
    """Return ``emotion``, or with probability ``rate`` another of ``among``, drawn as in ``confusions``."""
    wrong = rng.random() < rate
    odds = confusions()[EMOTIONS.index(emotion)] * np.isin(EMOTIONS, among)
    other = EMOTIONS[rng.choice(len(EMOTIONS), p=odds / odds.sum())]
    return other if wrong else emotion
