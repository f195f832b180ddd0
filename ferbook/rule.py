"""Five answers to a claim, from the estimate that decides it and what matters: the rules that ``claims.yaml``
states. Each takes the first line that fits, with strict inequalities, so that exactly one answer is given.
"""

from typing import Literal, get_args

from ferbook.errors import ParameterError, require_name
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
    _require(matters)
    low, high = _interval(room, "room")
    if low <= 0 and high < matters:
        return "no room"
    if degree.low is None or degree.high is None:
        return "open"
    if degree.high < TRACE:
        return "no"
    if degree.low > MOST:
        return "yes"
    return "in part" if degree.low > 0 else "open"


def difference_answer(difference: Estimate, polarity: Polarity, matters: float) -> RuleAnswer:
    """The answer of a ``difference``, where one within ±``matters`` makes none."""
    _require(matters)
    require_name("polarity", polarity, get_args(Polarity))
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


def _require(matters: float) -> None:
    if not matters > 0:
        raise ParameterError(f"what matters is {matters}: give a number above 0")


def _interval(estimate: Estimate, what: str) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        raise ParameterError(f"a {what} without an interval answers nothing: {estimate.why}")
    return estimate.low, estimate.high
