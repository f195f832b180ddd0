"""Decision rules: which filters are called detectors of which action unit."""

from typing import Literal, get_args

import numpy as np

from fer_lib.aus.nulls import Null, least_permutations
from ferbook.errors import ParameterError, require_name

Rule = Literal["max_statistic", "argmax"]
"""How it is decided that a filter detects an action unit:

- ``max_statistic``: its unskewed score beats the largest of all pairs in 1 - alpha of the permutations
  (family-wise error);
- ``argmax``: every filter that varies detects the unit with which it is associated most: the papers' way, no
  null at all.
"""


def decide(null: Null, rule: Rule, alpha: float = 0.05) -> np.ndarray:
    """bool (K, A): the pairs of filter and action unit that ``rule`` calls at level ``alpha``.

    Pairs that were not tested (a unit or filter that is too rare, a filter that never varies) are never
    called, except that ``argmax`` asks for no test and names a rare filter's unit, too. Raises ParameterError
    for an unknown rule, for a level outside (0, 1), and where ``null`` has too few permutations to call
    anything: it says how many are needed.
    """
    require_name("rule", rule, get_args(Rule))
    calls = np.zeros(null.tested.shape, bool)
    if rule == "argmax":
        live = np.flatnonzero(~null.dead)
        calls[live, np.nan_to_num(null.observed[live], nan=-np.inf).argmax(1)] = True
        return calls
    least = least_permutations(alpha)
    if null.permutations < least:
        raise ParameterError(
            f"permutations = {null.permutations}: {rule} at level {alpha} needs at least {least}; compute "
            "the null with so many"
        )
    calls[null.tested] = null.p_family[null.tested] <= alpha
    return calls


def claimed_units(null: Null, rule: Rule, alpha: float = 0.05) -> np.ndarray:
    """int (K,): the action unit (index in ``null.aus``) that each filter is said to detect, -1 where none.

    Of the pairs that ``decide`` calls, the one with the largest score of ``null``: units that occur together
    are often called together. Within emotions the score says how strong a pair is within emotions, which the
    value over all pictures does not: there the emotion speaks too. ``argmax``, the papers' way, takes the
    value.
    """
    calls = decide(null, rule, alpha)
    if rule == "argmax":
        return np.where(calls.any(1), calls.argmax(1), -1)
    return np.where(calls.any(1), np.where(calls, null.scores, -np.inf).argmax(1), -1)
