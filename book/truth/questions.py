"""What is asked of methods and of codes, and the bounds: written before any of the chapter's numbers were
computed.

What was known by then: ``book/judge.csv``, the thirteen methods on six people of ``lab`` and five networks.
Of it comes that contrast decides nothing here: edges of the picture have most of it, since they change where
the picture does, whatever the network.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ferbook.estimate import Estimate

AnswerKind = Literal["yes", "no", "open"]

HALF = 0.5
"""A code is distributed where its best feature explains less than this share of what all of them explain."""

IGNORANT_MAPS = ("edges", "field", "field_edges", "centre", "random")
"""Maps that know nothing of the network, or only where the neuron looks."""


@dataclass(frozen=True)
class ScoreQuestion:
    """Whether the ``score`` of a method lies above ``bound``: by itself, or where ``ahead``, how
    far it lies above the score of the best that knows nothing. ``sentence`` says it.
    """

    score: str
    sentence: str
    ahead: bool = True
    bound: float = 0.0


MAP_QUESTIONS = (
    ScoreQuestion(
        "correctness",
        "parts with more of the map change the answer more where they are taken from the twin, more so "
        "than in any map that knows nothing of the network",
    ),
    ScoreQuestion(
        "right_unit",
        "more of the map lies on the skin of the unit than on as much skin of other units, more so than of "
        "any such map",
    ),
    ScoreQuestion("sanity", "less than half of the map is left with random weights", ahead=False, bound=0.5),
)
"""A method is believed of a population where all three are answered with yes."""

CODE_QUESTIONS = {
    "privileged": "the best filter explains more of a unit than the best direction of a random rotation",
    "distributed": "the best filter explains less than half of what all explain",
}
"""What is asked about codes, each above 0."""


def answer(estimate: Estimate | None, bound: float) -> AnswerKind:
    """``yes`` where the whole interval lies above ``bound``, ``no`` where it lies below, else ``open``; what
    has no interval, and what could not be computed, is open.
    """
    if estimate is None or estimate.low is None:
        return "open"
    return "yes" if estimate.low > bound else "no" if estimate.high < bound else "open"


def in_all(answers: Collection[AnswerKind]) -> AnswerKind:
    """What is answered alike in every one of ``answers``, else ``open``."""
    first, *others = set(answers)
    return "open" if others else first
