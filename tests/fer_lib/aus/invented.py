"""Do the tests keep their promise? Simulated data sets in which the truth is known: responses that no action
unit moves, and labels of invented people.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from fer_lib.aus.nulls import decide, permutation_null
from fer_lib.aus.presence import Presence
from fer_lib.names import AssociationMeasure
from fer_lib.stats.classification import proportion
from ferbook.estimate import Estimate

FAMILY_ERROR = 0.05

# Of how many pictures, as a share, a sparse filter answers to.
SPARSE = (0.01, 0.1)

# Emotions that invented people show, besides neutral.
INVENTED_EMOTIONS = 6


@dataclass(frozen=True)
class Noise:
    """Where the variation of a response comes from, in a data set in which no action unit moves it.

    ``subject``, ``sequence``, ``emotion``: standard deviations of an effect drawn anew for each subject,
    sequence and emotion of each filter; ``frame``: that of the frames about them, whose successive values
    correlate by ``correlation`` (AR(1)). ``sparse``: share of the filters that answer to few pictures only
    (``SPARSE``), as trained ones do.
    """

    subject: float = 0.5
    sequence: float = 0.5
    emotion: float = 0.0
    frame: float = 0.7
    correlation: float = 0.6
    sparse: float = 0.25


def null_responses(
    presence: Presence,
    filters: int,
    *,
    seed: int = 0,
    noise: Noise | None = None,
    shifts: np.ndarray | None = None,
) -> np.ndarray:
    """float64 (N, ``filters``): responses of filters that no action unit moves, to the pictures of
    ``presence``; with ``shifts`` (A, ``filters``) those that each unit moves so far before the ReLU.

    Gaussian effects as ``noise`` says, plus a level of each filter from U(-1, 1), through a ReLU; the last
    filters are the sparse ones, with the level at which they answer to their share of pictures. With
    ``noise.emotion`` above 0 the responses go with the emotion, and through it with its units; what then
    holds is only that within an emotion no unit moves them.
    """
    noise = noise or Noise()
    generator = np.random.default_rng(seed)
    subjects, emotions = (pd.factorize(names)[0] for names in (presence.subjects, presence.emotions))
    sequences = pd.MultiIndex.from_arrays((subjects, presence.sequences)).factorize()[0]
    frames = pd.Series(sequences).groupby(sequences).cumcount().to_numpy()
    responses = generator.uniform(-1, 1, filters) + np.zeros((len(presence), 1))
    sources = (noise.subject, subjects), (noise.sequence, sequences), (noise.emotion, emotions)
    for deviation, codes in sources:
        responses += deviation * generator.standard_normal((codes.max() + 1, filters))[codes]
    fresh = np.sqrt(1 - noise.correlation**2)
    last = np.zeros((sequences.max() + 1, filters))
    for frame in range(frames.max() + 1):
        rows = np.flatnonzero(frames == frame)
        shocks = generator.standard_normal((len(rows), filters))
        last[sequences[rows]] = (
            noise.correlation * last[sequences[rows]] + fresh * shocks if frame else shocks
        )
        responses[rows] += noise.frame * last[sequences[rows]]
    for k in range(round(filters * (1 - noise.sparse)), filters):
        responses[:, k] -= np.quantile(responses[:, k], 1 - generator.uniform(*SPARSE))
    if shifts is not None:
        responses += np.nan_to_num(presence.present) @ shifts
    return np.maximum(responses, 0)


def simulated_presence(
    subjects: int,
    *,
    sequences: int = 3,
    frames: int = 4,
    aus: int = 8,
    prevalence: float = 0.3,
    habit: float = 0.0,
    seed: int = 0,
) -> Presence:
    """Labels of invented people: each sequence starts neutral and goes on with one emotion and the units that
    it shows.

    A unit is shown with probability ``prevalence``, more in some emotions and less in others (sd 1 on the
    logit scale). ``habit``: sd on that scale of each subject's own inclination to each unit: above 0, units
    run in people.
    """
    generator = np.random.default_rng(seed)
    blocks = subjects * sequences
    person = np.repeat(np.arange(subjects), sequences)
    emotion = generator.integers(INVENTED_EMOTIONS, size=blocks)
    logit = (
        np.log(prevalence / (1 - prevalence)) + generator.standard_normal((INVENTED_EMOTIONS, aus))[emotion]
    )
    logit = logit + habit * generator.standard_normal((subjects, aus))[person]
    labels = generator.random((blocks, aus)) < expit(logit)
    present = np.repeat(labels, frames, axis=0)
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
    measure: AssociationMeasure,
    *,
    sets: int = 400,
    filters: int = 16,
    permutations: int = 199,
    noise: Noise | None = None,
    seed: int = 0,
    **options: object,
) -> Estimate:
    """In what share of ``sets`` any detector is claimed where there is none: the labels of ``presence``
    beside draws of null responses.

    With the exact (Clopper and Pearson) 95 % interval: the promise is kept where that holds ``FAMILY_ERROR``
    or lies below it. ``options`` (``blocks``, ``within``) go to ``permutation_null``. Raises
    what that and ``decide`` raise.
    """
    errors = 0
    for own in range(seed, seed + sets):
        responses = null_responses(presence, filters, seed=own, noise=noise)
        null = permutation_null(responses, presence, measure, permutations=permutations, seed=own, **options)
        errors += int(decide(null, FAMILY_ERROR).any())
    return proportion(errors, sets, of="simulations")
