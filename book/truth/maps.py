"""Tests of attribution methods: the maps of every registered method for every network, and which pass.

Tests and bounds were fixed before any of the chapter's numbers were computed. Known by then was
``book/judge.csv``: thirteen methods on six people of ``lab`` and five networks. It is the reason why contrast
decides nothing here: edges of the picture have the most, since they change where the picture does, whatever
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
    add_people_groups,
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
"""A code is distributed where its best feature explains less than this proportion of what all explain."""

CONTROL_MAPS = ("edges", "field", "field_edges", "centre", "random")
"""Controls: maps that know nothing of the network, or only the neuron's receptive field."""


@dataclass(frozen=True)
class ScoreQuestion:
    """Test whether the ``score`` of a method lies above ``bound``, by itself or, where ``ahead``, as its lead
    over the best control. ``sentence`` says it.
    """

    score: str
    sentence: str
    ahead: bool = True
    bound: float = 0.0


MAP_QUESTIONS = (
    ScoreQuestion(
        "correctness",
        "parts with more of the map change the response more when they are replaced by the twin's, more so "
        "than for any control",
    ),
    ScoreQuestion(
        "right_unit",
        "more of the map lies on the skin of the unit than on as much skin of other units, more so than for "
        "any control",
    ),
    ScoreQuestion(
        "sanity", "the map correlates less than 0.5 with that of random weights", ahead=False, bound=0.5
    ),
)
"""A method passes for a population where all three are answered with yes."""

CODE_QUESTIONS = {
    "privileged": "the best filter explains more of a unit than the best direction of a random rotation",
    "distributed": "the best filter explains less than half of what all explain",
}
"""Questions about codes, each above 0."""


def answer(estimate: Estimate | None, bound: float) -> AnswerKind:
    """Answer ``yes`` where the whole interval lies above ``bound``, ``no`` where it lies below, else
    ``open``; without an estimate or an interval ``open``.
    """
    if estimate is None or estimate.low is None:
        return "open"
    return "yes" if estimate.low > bound else "no" if estimate.high < bound else "open"


def in_all(answers: Collection[AnswerKind]) -> AnswerKind:
    """Return the answer that all ``answers`` agree on, else ``open``."""
    first, *others = set(answers)
    return "open" if others else first


RANDOM_WEIGHTS = "untrained"

WITHOUT_EMOTIONS = ("emotions_shuffled", RANDOM_WEIGHTS)
"""Populations that did not learn emotions: a method that passes for the others need not pass for these."""

OTHER_WEIGHTS = 10_000
"""Added to the seed of sanity's random weights, so that no untrained network is compared with itself."""

SCORE_TOLERANCE = 0.1
"""How far a score may move between processors, which add up in different orders: a weak maximum may change
its place."""

EVERYBODY = ""
"""No family is held out."""


@dataclass(frozen=True, eq=False)
class EvaluatedNetwork:
    """A network with its ``population`` and ``name``."""

    population: str
    name: str
    model: nn.Module


def evaluated_networks(
    populations: Mapping[str, Sequence[TrainedNetwork]], most: int, untrained: int, *, seed: int = 0
) -> list[EvaluatedNetwork]:
    """Take at most ``most`` networks of each population, and so many ``untrained`` ones of the first
    network's structure. Raises ChapterError for a population without a stored network.
    """
    for name, networks in populations.items():
        if not networks:
            raise ChapterError(
                f"no network of the population {name!r} is stored; `ferbook populations train {name}`"
            )
    members = [
        EvaluatedNetwork(name, each.name, each.model)
        for name, networks in populations.items()
        for each in networks[:most]
    ]
    first = members[0].model
    return members + [
        EvaluatedNetwork(RANDOM_WEIGHTS, f"untrained {number}", untrained_network(first, number))
        for number in range(seed, seed + untrained)
    ]


def judged_maps(
    networks: Iterable[EvaluatedNetwork], twins: Twins, methods: Mapping[str, Explainer], *, seed: int = 0
) -> pd.DataFrame:
    """Score every method for every network by ``look.judge.judge_maps``; with the columns ``method``,
    ``population`` and ``family`` (of the person).
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
    """Estimate the ``score`` of a method, or its lead over the best of others.

    Parameters
    ----------
    table : DataFrame
        Rows of one population of ``judged_maps``.
    against : sequence of str
        Methods; the best of them is subtracted network by network.

    Returns
    -------
    Estimate or None
        With an interval over networks and people (``stats.two_way``). None where the score is undefined in
        some network, and for fewer than two people.
    """
    if table["person"].nunique() < 2:
        return None
    rows = add_people_groups(table, "person")
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
    """Estimate what decides ``question`` for a ``method``, see ``map_score``."""
    return map_score(table, method, question.score, CONTROL_MAPS if question.ahead else ())


SAME_SCORE = 1e-3
"""Methods whose scores differ by less, for every neuron, are one method."""


def distinct_methods(table: pd.DataFrame) -> list[str]:
    """List the methods of ``table`` in its order, without those that score as an earlier one does for the
    first population: in a network without biases gradient × input and integrated gradients are one method
    (Ancona et al. 2018, arXiv 1711.06104), and count once.
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
    """Answer ``MAP_QUESTIONS`` by ``population``, ``without`` each family (empty: with all) and by
    ``method``: ``score``, ``estimate`` (None where undefined) and ``answer``.
    """
    methods, rows = [name for name in distinct_methods(table) if name not in CONTROL_MAPS], []
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
    """Name method and score of each row of ``map_answers``."""
    return answers["method"].str.replace("_", " ") + ", " + answers["score"].str.replace("_", " ")


def believed(answers: pd.DataFrame) -> pd.Series:
    """Whether each method passes all questions, in ``answers``, a part of ``map_answers``."""
    return answers["answer"].eq("yes").groupby(answers["method"], sort=False).all()


def map_metrics(table: pd.DataFrame, answers: pd.DataFrame, learners: Sequence[str]) -> dict[str, Estimate]:
    """Count the methods that pass, and estimate the scores of the papers' methods.

    Parameters
    ----------
    table, answers : DataFrame
        From ``judged_maps`` and ``map_answers``.
    learners : sequence of str
        Populations trained on emotions, the page's own first.

    Returns
    -------
    dict of str to Estimate
        Counts; ``believed`` (methods that pass for the first population) and ``believed_in_all`` (for all,
        with every family held out); ``answers`` for the first and ``answers_kept`` (the same with every
        family held out); scores and leads of deconvolution, guided backpropagation and the gradient.
    """
    first = answers[answers["population"].eq(learners[0])]
    everybody = first[first["without"].eq(EVERYBODY)]
    stable = first.groupby(["method", "score"])["answer"].nunique().eq(1)
    own = table[table["population"].eq(learners[0])]
    metrics = {
        "networks": table["network"].nunique(),
        "people": table["person"].nunique(),
        "methods": len(stable) // len(MAP_QUESTIONS),
        "controls": len(CONTROL_MAPS),
        "families": table["family"].nunique(),
        "parts": TWIN_PARTS**2,
        "neurons": len(table) // table["method"].nunique(),
        "believed": int(believed(everybody).sum()),
        "believed_in_all": int(believed(answers[answers["population"].isin(learners)]).sum()),
        "answers": len(stable),
        "answers_kept": int(stable.sum()),
    }
    metrics = {name: Estimate(count, unit="count") for name, count in metrics.items()}
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
