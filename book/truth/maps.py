"""What is asked of methods and of codes; every registered method asked about every network, and which of
them are believed.

Questions and bounds were written before any of the chapter's numbers were computed. What was known by then:
``book/judge.csv``, the thirteen methods on six people of ``lab`` and five networks. Of it comes that contrast
decides nothing here: edges of the picture have most of it, since they change where the picture does, whatever
the network.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from torch import nn

from book.truth.family_faces import family_of
from fer_lib.look.attribution import Explainer
from fer_lib.look.judge import (
    MAP_SCORES,
    TWIN_PARTS,
    Twins,
    in_groups,
    judge_maps,
    map_benchmark,
    sums_left_out,
)
from fer_lib.stats.resampling import ratio
from fer_lib.stats.two_way import networks_and_people
from fer_lib.train.controls import untrained_network
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import ChapterError
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


RANDOM_WEIGHTS = "untrained"

UNTAUGHT = ("emotions_shuffled", RANDOM_WEIGHTS)
"""Populations that did not learn what emotions look like: whoever is believed of the others need not be of
these."""

OTHER_WEIGHTS = 10_000
"""Added to the seed of the random weights that sanity compares with: untrained networks must not meet
themselves."""

SCORE_TOLERANCE = 0.1
"""How far a score may move where another processor adds up in another order: a weak maximum may change its
place."""

EVERYBODY = ""
"""Where no family is held out."""


@dataclass(frozen=True, eq=False)
class AskedNetwork:
    """A network, the ``population`` that it stands for, and its ``name``."""

    population: str
    name: str
    model: nn.Module


def asked_networks(
    populations: Mapping[str, Sequence[TrainedNetwork]], most: int, untrained: int, *, seed: int = 0
) -> list[AskedNetwork]:
    """At most so many (``most``) networks of each of ``populations``, and so many ``untrained`` ones of the
    first network's structure. Raises ChapterError for a population of which none is kept.
    """
    for name, networks in populations.items():
        if not networks:
            raise ChapterError(
                f"no network of the population {name!r} is kept; `ferbook populations train {name}`"
            )
    members = [
        AskedNetwork(name, each.name, each.model)
        for name, networks in populations.items()
        for each in networks[:most]
    ]
    first = members[0].model
    return members + [
        AskedNetwork(RANDOM_WEIGHTS, f"untrained {number}", untrained_network(first, number))
        for number in range(seed, seed + untrained)
    ]


def judged_maps(
    networks: Iterable[AskedNetwork], twins: Twins, methods: Mapping[str, Explainer], *, seed: int = 0
) -> pd.DataFrame:
    """``look.judge.judge_maps`` of each of ``methods`` about each of ``networks``, with the columns
    ``method``, ``population`` and ``family``, of the person.
    """
    tables = []
    for each in networks:
        trial = map_benchmark(each.name, each.model, twins, seed=seed + OTHER_WEIGHTS)
        tables += [
            judge_maps(explain, [trial]).assign(method=name, population=each.population)
            for name, explain in methods.items()
        ]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(family=family_of(table["person"].to_numpy()))


def map_score(table: pd.DataFrame, method: str, score: str, against: Sequence[str] = ()) -> Estimate | None:
    """The ``score`` of a ``method`` in ``table``, the rows of one population of ``judged_maps``; with
    ``against`` how far it lies above that of the best of these methods, network by network.

    The interval is over networks and people (``stats.two_way``). None where the score is not defined in
    every network, and of fewer than two people.
    """
    if table["person"].nunique() < 2:
        return None
    rows = in_groups(table, "person")
    every = {
        name: ratio(sums_left_out(rows[rows["method"].eq(name)], MAP_SCORES[score]))
        for name in (method, *against)
    }
    if not all(np.isfinite(values).all() for values in every.values()):
        return None
    values, limits = every.pop(method), MAP_SCORES[score].limits
    if every:
        values = values - max(every.values(), key=lambda values: values[:, 0].mean())
        limits = limits[0] - limits[1], limits[1] - limits[0]
    pairs = int(table["method"].eq(method).sum())
    return networks_and_people(values, n=pairs, limits=limits, tolerance=SCORE_TOLERANCE)


def question_estimate(table: pd.DataFrame, method: str, question: ScoreQuestion) -> Estimate | None:
    """What ``question`` asks about a ``method``, see ``map_score``."""
    return map_score(table, method, question.score, IGNORANT_MAPS if question.ahead else ())


SAME_SCORE = 1e-3
"""Scores that differ by less, about every neuron, are those of one method."""


def distinct_methods(table: pd.DataFrame) -> list[str]:
    """The methods of ``table``, in its order, without one of which all deciding scores about the first
    population are those of an earlier one: through a network without biases gradient × input and integrated
    gradients are one method (Ancona et al. 2018, arXiv 1711.06104), and count once.
    """
    own = table[table["population"].eq(table["population"].iloc[0])]
    distinct: dict[str, np.ndarray] = {}
    for name, rows in own.groupby("method", sort=False):
        scores = rows[[question.score for question in MAP_QUESTIONS]].to_numpy(np.float64)
        if not any(
            np.allclose(scores, other, rtol=0, atol=SAME_SCORE, equal_nan=True)
            for other in distinct.values()
            if other.shape == scores.shape
        ):
            distinct[name] = scores
    return list(distinct)


def map_answers(table: pd.DataFrame) -> pd.DataFrame:
    """What is answered to ``MAP_QUESTIONS``, by ``population``, with each family held out (``without``; empty
    of everybody) and by ``method``: ``score``, ``estimate`` (None where undefined) and ``answer``.
    """
    methods = [name for name in distinct_methods(table) if name not in IGNORANT_MAPS]
    rows = []
    for population, own in table.groupby("population", sort=False):
        for without in (EVERYBODY, *own["family"].unique()):
            part = own[own["family"].ne(without)]
            for method in methods:
                for question in MAP_QUESTIONS:
                    estimate = question_estimate(part, method, question)
                    verdict = answer(estimate, question.bound)
                    rows.append((population, without, method, question.score, estimate, verdict))
    return pd.DataFrame(rows, columns=["population", "without", "method", "score", "estimate", "answer"])


def question_names(answers: pd.DataFrame) -> pd.Series:
    """Method and score of each row of ``map_answers``, in words."""
    return answers["method"].str.replace("_", " ") + ", " + answers["score"].str.replace("_", " ")


def believed(answers: pd.DataFrame) -> pd.Series:
    """Of each method in ``answers``, a part of ``map_answers``: whether all are yes."""
    return answers["answer"].eq("yes").groupby(answers["method"], sort=False).all()


def map_metrics(table: pd.DataFrame, answers: pd.DataFrame, learners: Sequence[str]) -> dict[str, Estimate]:
    """How many methods are believed of the first of the populations ``learners`` (of emotions), and
    how many of all of these with every family held out; how many answers about the first are the same with
    every family held out; and what is asked about deconvolution, guided backpropagation and the gradient.
    """
    first = answers[answers["population"].eq(learners[0])]
    everybody = first[first["without"].eq(EVERYBODY)]
    stable = first.groupby(["method", "score"])["answer"].nunique().eq(1)
    own = table[table["population"].eq(learners[0])]
    metrics = {
        "networks": Estimate(table["network"].nunique(), unit="count"),
        "people": Estimate(table["person"].nunique(), unit="count"),
        "methods": Estimate(len(stable) // len(MAP_QUESTIONS), unit="count"),
        "controls": Estimate(len(IGNORANT_MAPS), unit="count"),
        "families": Estimate(table["family"].nunique(), unit="count"),
        "parts": Estimate(TWIN_PARTS**2, unit="count"),
        "neurons": Estimate(len(table) // table["method"].nunique(), unit="count"),
        "believed": Estimate(int(believed(everybody).sum()), unit="count"),
        "believed_in_all": Estimate(
            int(believed(answers[answers["population"].isin(learners)]).sum()), unit="count"
        ),
        "answers": Estimate(len(stable), unit="count"),
        "answers_kept": Estimate(int(stable.sum()), unit="count"),
    }
    for method in ("deconv", "guided", "gradient"):
        for question in MAP_QUESTIONS:
            estimate = question_estimate(own, method, question)
            if estimate is not None:
                metrics[f"{method}_{question.score}{'_lead' * question.ahead}"] = estimate
    for score in ("correctness", "right_unit"):
        estimate = map_score(own, "gradient", score, ("deconv",))
        if estimate is not None:
            metrics[f"{score}_over_deconv"] = estimate
    return metrics
