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
"""A code is distributed where its best feature explains less than this share of what all of them explain, and
names are right where more than this share of them are."""

IGNORANT_MAPS = ("edges", "field", "field_edges", "centre", "random")
"""Maps that know nothing of the network, or only where the neuron looks."""


@dataclass(frozen=True)
class ScoreQuestion:
    """Whether the ``score`` of a method or a rule lies above ``bound``: by itself, or where ``ahead``, how
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
    ScoreQuestion(
        "sanity",
        "less than half of the map is left with random weights",
        ahead=False,
        bound=0.5,
    ),
)
"""A method is believed of a population where all three are answered with yes."""

IGNORANT_RULES = ("dealt_probe", "random")
"""Rules that know nothing of what a filter answers to: by labels dealt anew, and by chance."""


LABEL_QUESTIONS = (
    ScoreQuestion(
        "kappa", "names are the causes of filters more often than those of rules that know nothing"
    ),
    ScoreQuestion("precision", "more than half of the names are the causes", ahead=False, bound=HALF),
    ScoreQuestion(
        "dose",
        "filters answer more to more of the unit that they are named by, more so than by rules that know "
        "nothing",
    ),
    *(
        ScoreQuestion(score, f"detectors score higher than {decoy}", ahead=False, bound=HALF)
        for score, decoy in {
            "emotion": "filters of the emotion",
            "companion": "filters of the unit that is shown with theirs most",
            "brightness": "filters of a lamp",
            "missing": "themselves by labels of which half are missing",
            "extra": "themselves by labels with as many wrong ones beside",
        }.items()
    ),
)
"""A rule is believed of a population where all of them are answered with yes, over networks and people.

A name's truth is its filter's cause in other people: the unit that raises the answer most, where all change
the picture alike, over a neutral face and over another expression, in another pose and light. With a family
held out neither those who are labelled nor those who say what is true are of it. A score that is the same in
all networks and whoever is left out has no interval; it is answered by its value.

What was known: ``book/labels.csv``, thirteen rules on six people of ``lab`` and five networks of
``published``. There no rule's precision is above .4, every rule is ahead of chance in kappa and dose, all are
ahead of the decoys, ``kl`` and ``ks`` not surely of missing labels, and ``auprc`` falls for wrong ones. So
no more than a guess is left of ``published``; the other networks, the families and the neutral face alone had
not been asked. How often a cause over the neutral face is the cause over all (kappa of causes), and precision
and recall by units that are shown often and seldom, are reported and decide nothing.
"""

CODE_QUESTIONS = {
    "privileged": "the best filter explains more of a unit than the best direction of a random rotation",
    "distributed": "the best filter explains less than half of what all explain",
    "sparse_feature": "the best feature of a sparse autoencoder explains more of a unit than the best filter",
}
"""What is asked about codes, each above 0. The third was asked after the numbers of the first two were known,
and before an autoencoder had been fitted to any network.
"""


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
