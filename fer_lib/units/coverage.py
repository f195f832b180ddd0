"""Coverage: how often the intervals of an association hold the truth, in simulations where the truth is known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from fer_lib.resampling import CONFIDENCE
from fer_lib.units.association import MEASURES, Measure, associate, statistic
from fer_lib.units.presence import Presence

BETWEEN = 0.5
"""Share of the variance of a response that lies between subjects."""

POPULATION = 20_000
"""Pictures of the population whose statistic is the truth; their responses are not drawn but the quantiles themselves."""

PREVALENCE = (1.5, 3.5)
"""Beta distribution of the share of a subject's pictures that show the AU; mean 0.3."""

FILTERS = 10
"""Filters, independent of each other given who shows the AU, that answer to one simulated set of pictures."""


def simulated(
    subjects: int, pictures: int, effect: float, filters: int, generator: np.random.Generator
) -> tuple[np.ndarray, Presence]:
    """Responses (subjects · pictures, filters) in [0, 1) and who shows the one AU, with a truth that does not depend on ``subjects``.

    Each subject shows the AU in a share of its own of the pictures (``PREVALENCE``). A response is that of a rectified filter that saturates,
    max(0, 2Φ(z) − 1), with z = subject + picture + ``effect`` · present: normal deviates of total variance 1, ``BETWEEN`` of it between subjects.
    Half of the responses without the AU are 0.
    """
    who = np.repeat(np.arange(subjects), pictures)
    present = generator.random(len(who)) < generator.beta(*PREVALENCE, size=subjects)[who]
    own = generator.normal(scale=BETWEEN**0.5, size=(subjects, filters))[who]
    z = own + generator.normal(scale=(1 - BETWEEN) ** 0.5, size=own.shape) + effect * present[:, None]
    names = who.astype(str)
    return _saturated(z), Presence(("AU1",), present[:, None], names, names, np.full(len(who), ""))


def truth(measure: Measure, effect: float) -> float:
    """What ``measure`` is for pictures without end made as in ``simulated``: its value for a population of exact quantiles."""
    showing = round(POPULATION * PREVALENCE[0] / sum(PREVALENCE))
    parts = [ndtri((np.arange(n) + 0.5) / n) for n in (showing, POPULATION - showing)]
    responses = _saturated(np.concatenate((parts[0] + effect, parts[1])))
    shown = np.arange(POPULATION) < showing
    return float(statistic(responses[:, None], shown[:, None], measure)[0, 0])


def _saturated(z: np.ndarray) -> np.ndarray:
    return np.maximum(2 * ndtr(z) - 1, 0)


def coverage(
    measures: Sequence[Measure] = MEASURES,
    *,
    effects: Sequence[float] = (0.0, 0.5, 1.0),
    subjects: int = 60,
    pictures: int = 8,
    simulations: int = 400,
    draws: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of the 95 % intervals of ``associate`` that hold the truth, one row per measure and effect.

    ``simulations`` associations, of ``FILTERS`` filters with one AU per simulated set, see ``simulated``; ``effects`` in standard deviations of the
    response before it is rectified. Columns: ``measure``, ``effect``, ``truth``, ``coverage``, ``low`` and ``high`` (95 % Wilson interval of the coverage),
    ``simulations``. A distance cannot be below 0, so at effect 0, where the truth is 0, its intervals cannot miss it from below.
    """
    rows = []
    for effect in effects:
        truths = {measure: truth(measure, effect) for measure in measures}
        covered = dict.fromkeys(measures, 0)
        sets = -(-simulations // FILTERS)
        for number in range(sets):
            generator = np.random.default_rng((seed, number))
            maxima, presence = simulated(subjects, pictures, effect, FILTERS, generator)
            for measure in measures:
                found = associate(maxima, presence, measure, draws=draws, seed=number)
                held = (found.low <= truths[measure]) & (truths[measure] <= found.high)
                covered[measure] += int(held.sum())
        for measure in measures:
            interval = binomtest(covered[measure], sets * FILTERS).proportion_ci(CONFIDENCE, method="wilson")
            rows.append(
                {
                    "measure": measure,
                    "effect": effect,
                    "truth": truths[measure],
                    "coverage": covered[measure] / (sets * FILTERS),
                    "low": interval.low,
                    "high": interval.high,
                    "simulations": sets * FILTERS,
                }
            )
    return pd.DataFrame(rows)
