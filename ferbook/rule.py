"""Five answers to a claim, from the estimate that decides it and what matters: the rules that ``claims.yaml``
states. Each takes the first line that fits, with strict inequalities, so that exactly one answer is given.

And what an interval says beyond its ends: how likely chance alone is, and how small an effect it would show.
The ends are those of the rule that made the interval, of people, of networks or of both. Beyond them chance
fades as Student's t does, with the degrees of freedom that the estimate says. mpmath, which is small, has
its tails: a book is read without SciPy.
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

RuleAnswer = Literal["yes", "in part", "no", "open", "no room"]
"""``in part`` and ``no room`` are of degrees only."""

Polarity = Literal["more", "as_good", "not_worse", "more_than"]

TRACE, MOST = 0.1, 0.5
"""A degree below the first is a trace at most; one above the second is most of the way."""


def degree_answer(degree: Estimate, room: Estimate, matters: float) -> RuleAnswer:
    """The answer of a ``degree`` between floor and ceiling, which are ``room`` apart, in raw units, where
    less than ``matters`` is none.
    """
    low, high = _interval(room, "room")
    if low <= 0 and high < matters:
        return "no room"
    if degree.low is None or degree.high is None:
        return "open"
    if degree.high < TRACE:
        return "no"
    return "yes" if degree.low > MOST else "in part" if degree.low > 0 else "open"


def difference_answer(difference: Estimate, polarity: Polarity, matters: float) -> RuleAnswer:
    """The answer of a ``difference``, where one within ±``matters`` makes none."""
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
    return "yes" if yes else "no" if no else "open"


def _interval(estimate: Estimate, what: str) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        raise ParameterError(f"a {what} without an interval answers nothing: {estimate.why}")
    return estimate.low, estimate.high


POWER = 0.8
"""With this probability the smallest effect is found."""

EQUAL_RUNS = 200
"""Runs, by their places in a normal distribution, of which the share is counted that answer alike."""


def chance_alone(estimate: Estimate, bound: float) -> float | None:
    """p, two-sided, of an estimate so far from ``bound`` or farther if the truth were there: it is below
    1 − level just where the interval does not reach the bound. None where nothing is known of the tails; of
    an interval without length 1 at its value and 0 elsewhere.
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
    """How far from its bound the truth must lie for the whole interval to lie beyond it with the probability
    ``POWER``. None where nothing is known of the tails.
    """
    if estimate.freedom is None:
        return None
    reach, more = (_quantile(estimate.freedom, share) for share in ((1 + estimate.level) / 2, POWER))
    return (1 + more / reach) * (estimate.high - estimate.low) / 2


def same_again(estimate: Estimate, answer: Callable[[Estimate], str]) -> float:
    """The chance that a run as large, of other people and networks, gives the ``answer`` of this one, were
    the truth what this one found: sampling alone moves its interval, whose length stays.
    """
    reach = NormalDist().inv_cdf((1 + estimate.level) / 2)
    if estimate.freedom is not None:
        reach = _quantile(estimate.freedom, (1 + estimate.level) / 2)
    error, first = (estimate.high - estimate.low) / 2 / reach, answer(estimate)
    same = 0
    for run in range(EQUAL_RUNS):
        by = error * NormalDist().inv_cdf((run + 0.5) / EQUAL_RUNS)
        moved = {name: getattr(estimate, name) + by for name in ("value", "low", "high")}
        same += answer(replace(estimate, **moved)) == first
    return same / EQUAL_RUNS


def _beyond(freedom: float, t: float) -> float:
    """The probability that Student's t lies farther from 0 than ``t`` >= 0, on either side."""
    return float(mp.betainc(freedom / 2, 0.5, 0, freedom / (freedom + t * t), regularized=True))


@cache
def _quantile(freedom: float, share: float) -> float:
    """What the ``share``, above a half, of Student's t lies below."""
    start = NormalDist().inv_cdf(share)
    return fp.findroot(lambda t: _beyond(freedom, t) - 2 * (1 - share), (start, 1.1 * start))


def holm(chances: Sequence[float]) -> list[float]:
    """Each p of ``chances`` corrected for all (Holm 1979, Scandinavian Journal of Statistics 6: 65)."""
    chances = np.asarray(chances, float)
    order = np.argsort(chances, kind="stable")
    p_values = np.empty(len(chances))
    p_values[order] = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    return np.minimum(p_values, 1).tolist()
