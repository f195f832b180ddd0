"""Rules of answers: from the estimate that decides a claim, and what matters, to one of five words.

``claims.yaml`` states the same rules. Each takes the first line that fits, with strict inequalities, so that
exactly one answer is given. The second half derives p, the minimum detectable effect and the sample that
would decide from the interval alone: its tails are those of Student's t with the degrees of freedom that the
estimate gives. mpmath has these tails, so that a book is read without SciPy.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from mpmath import fp, mp

from ferbook.errors import ParameterError
from ferbook.estimate import Estimate

# ``partly`` and ``controls alike`` are answers of degrees only.
RuleAnswer = Literal["yes", "partly", "no", "undecided", "controls alike"]

Polarity = Literal["more", "as_good", "not_worse", "more_than"]

# A degree below the first is a *no*; one above the second is a *yes*.
TRACE, MOST = 0.1, 0.5


def degree_answer(degree: Estimate, distance: Estimate, matters: float) -> RuleAnswer:
    """Answer a claim by a ``degree``: 0 at the negative, 1 at the positive control.

    Parameters
    ----------
    degree : Estimate
        Without an interval where the distance is too uncertain to divide by.
    distance : Estimate
        Of the positive from the negative control, in raw units.
    matters : float
        The smallest distance of the controls that matters.
    """
    low, high = _interval(distance, "distance of controls")
    if low <= 0 and high < matters:
        return "controls alike"
    if degree.low is None or degree.high is None:
        return "undecided"
    if degree.high < TRACE:
        return "no"
    return "yes" if degree.low > MOST else "partly" if degree.low > 0 else "undecided"


def difference_answer(difference: Estimate, polarity: Polarity, matters: float) -> RuleAnswer:
    """Answer a claim by a ``difference`` of which less than ``matters`` counts as equal."""
    low, high = _interval(difference, "difference")
    equal = -matters < low and high < matters
    match polarity:
        case "more":
            yes, no = low > 0 and not equal, equal or high < 0
        case "as_good":
            yes, no = equal, low > matters or high < -matters
        case "not_worse":
            yes, no = low > -matters, high < -matters
        case "more_than":
            yes, no = low > matters, high < matters
    return "yes" if yes else "no" if no else "undecided"


def _interval(estimate: Estimate, what: str) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        raise ParameterError(f"a {what} without an interval decides nothing: {estimate.why}")
    return estimate.low, estimate.high


# Power at which the minimum detectable effect is given.
POWER = 0.8

# Largest multiple of the sample that is considered.
MOST_TIMES = 100


def chance_alone(estimate: Estimate, bound: float) -> float | None:
    """Return the two-sided p of the estimate if the truth were ``bound``: below 1 − level exactly where the
    interval does not reach the bound. None where the degrees of freedom are unknown; of an interval without
    length 1 at its value and 0 elsewhere.
    """
    if estimate.freedom is None:
        return None
    end = estimate.low if bound < estimate.value else estimate.high
    # An interval may be widened to hold its value, and then has no length on that side.
    length = abs(estimate.value - end) or estimate.high - estimate.low
    if not length:
        return 1.0 if bound == estimate.value else 0.0
    reach = _quantile(estimate.freedom, (1 + estimate.level) / 2)
    return _beyond(estimate.freedom, reach * abs(estimate.value - bound) / length)


def smallest_effect(estimate: Estimate) -> float | None:
    """Return the minimum detectable effect: how far from a bound the truth must lie for the whole interval to
    lie beyond it with probability ``POWER``. None where the degrees of freedom are unknown.
    """
    if estimate.freedom is None:
        return None
    reach, more = (_quantile(estimate.freedom, share) for share in ((1 + estimate.level) / 2, POWER))
    return (1 + more / reach) * (estimate.high - estimate.low) / 2


def sample_factor(estimate: Estimate, answer: Callable[[Estimate], str]) -> float | None:
    """Return how many times as large a sample would decide, if the value stayed and the interval shrank with
    one over the square root of n. None where ``MOST_TIMES`` the sample would not.
    """
    for times in np.geomspace(1, MOST_TIMES, 100):
        low, high = (
            estimate.value + (end - estimate.value) / np.sqrt(times) for end in (estimate.low, estimate.high)
        )
        if answer(replace(estimate, low=low, high=high)) != "undecided":
            return float(times)
    return None


def _beyond(freedom: float, t: float) -> float:
    """Return the two-sided tail probability of Student's t beyond ``t`` >= 0."""
    return float(mp.betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True))


@cache
def _quantile(freedom: float, share: float) -> float:
    """Return the quantile of Student's t below which the proportion ``share``, above a half, lies."""
    start = NormalDist().inv_cdf(share)
    return fp.findroot(lambda t: _beyond(freedom, t) - 2 * (1 - share), (start, 1.1 * start))


def holm(chances: Sequence[float]) -> list[float]:
    """Correct each p of ``chances`` for all of them (Holm 1979, Scandinavian Journal of Statistics 6: 65)."""
    chances = np.asarray(chances, float)
    order = np.argsort(chances, kind="stable")
    p_values = np.empty(len(chances))
    p_values[order] = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    return np.minimum(p_values, 1).tolist()
