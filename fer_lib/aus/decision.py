"""Decision rules: which filters are called detectors of which action unit."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from scipy.stats import false_discovery_control

from fer_lib.aus.nulls import Null, least_permutations
from ferbook.errors import DataError, ParameterError, require_name

Rule = Literal["max_statistic", "holm", "benjamini_hochberg", "argmax"]
"""How it is decided that a filter detects an action unit:

- ``max_statistic``: its unskewed score beats the largest of all pairs in 1 - alpha of the permutations
  (family-wise error);
- ``holm``: step-down on the pairs' own p-values (family-wise error; takes many permutations);
- ``benjamini_hochberg``: step-up on the pairs' own p-values (false discovery rate: alpha of the *claims* may
  be wrong);
- ``argmax``: every filter that varies detects the unit with which it is associated most: the papers' way, no
  null at all.
"""

RULES: tuple[Rule, ...] = get_args(Rule)


def permutations_needed(null: Null, rule: Rule, alpha: float = 0.05) -> int:
    """The permutations with which ``rule`` can call at least one pair at level ``alpha``; 0 for ``argmax``.

    Holm's smallest p-value must reach alpha / pairs. Benjamini and Hochberg are refused no sooner than the
    maximum, but with P permutations they call nothing unless some pairs / (alpha (1 + P)) of them stand out
    at once: to call a single one they need as many as Holm.
    """
    if rule == "argmax":
        return 0
    return least_permutations(alpha, int(null.tested.sum()) if rule == "holm" else 1)


def decide(null: Null, rule: Rule, alpha: float = 0.05) -> np.ndarray:
    """bool (K, A): the pairs of filter and action unit that ``rule`` calls at level ``alpha``.

    Pairs that were not tested (a unit or filter that is too rare, a filter that never varies) are never
    called, except that ``argmax`` asks for no test and names a rare filter's unit, too. Raises ParameterError
    for an unknown rule, for a level outside (0, 1), and where ``null`` has too few permutations: it says
    how many are needed.
    """
    require_name("rule", rule, RULES)
    needed = permutations_needed(null, rule, alpha)
    if null.permutations < needed:
        pairs = f" over {int(null.tested.sum())} pairs" if rule == "holm" else ""
        raise ParameterError(
            f"permutations = {null.permutations}: {rule} at level {alpha}{pairs} needs at least {needed}; "
            "compute the null with so many, or choose max_statistic, which needs the fewest"
        )
    called = np.zeros(null.tested.shape, bool)
    if rule == "argmax":
        live = np.flatnonzero(~null.dead)
        called[live, np.nan_to_num(null.observed[live], nan=-np.inf).argmax(1)] = True
    elif rule == "max_statistic":
        called[null.tested] = null.p_family[null.tested] <= alpha
    elif rule == "holm":
        called[null.tested] = holm(null.p[null.tested]) <= alpha
    else:
        called[null.tested] = false_discovery_control(null.p[null.tested], method="bh") <= alpha
    return called


def holm(p: np.ndarray) -> np.ndarray:
    """(tests,): p-values adjusted for family-wise error by Holm's step-down procedure (Holm 1979)."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def claims(null: Null, rule: Rule, alpha: float = 0.05) -> np.ndarray:
    """int (K,): the action unit (index in ``null.aus``) that each filter is said to detect, -1 where none.

    Of the pairs that ``decide`` calls, the one with the largest score of ``null``: units that occur together
    are often called together. Within emotions the score says how strong a pair is within emotions, which the
    value over all pictures does not: there the emotion speaks too. ``argmax``, the papers' way, takes the
    value.
    """
    called = decide(null, rule, alpha)
    if rule == "argmax":
        return np.where(called.any(1), called.argmax(1), -1)
    return np.where(called.any(1), np.where(called, null.scores, -np.inf).argmax(1), -1)


def beyond(
    null: Null, rivals: Sequence[Null], rule: Rule = "max_statistic", alpha: float = 0.05
) -> np.ndarray:
    """bool (K,): filters that are claimed for a unit, and go with it more than any filter of ``rivals`` does,
    by the excess over each one's own null.

    ``rivals``: nulls of other networks (untrained ones, say) on the same pictures, as ``null`` over all or
    within emotions. Raises DataError where there is none, or one is of other units: then there is nothing to
    be beyond.
    """
    if not rivals:
        raise DataError("no networks to hold filters against: give the null of one untrained network or more")
    for rival in rivals:
        if (rival.aus, rival.too_few) != (null.aus, null.too_few):
            raise DataError("a rival's null is of other units: compute both on the same pictures")
    bar = np.concatenate([np.where(rival.tested, rival.excess, -np.inf) for rival in rivals]).max(axis=0)
    claimed = claims(null, rule, alpha)
    return (claimed >= 0) & (null.excess[np.arange(len(claimed)), claimed] > bar[claimed])
