"""What carries over from one face set to another: each pair between chance and the tested set's own networks,
and how sure that is; and whether networks know when they do not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from book.transfer.study import TransferStudy
from face_sets.faceset import FaceSet
from face_sets.leakage import independent_groups
from fer_lib.stats.classification import calibration_error
from fer_lib.stats.contrasts import (
    POINTS,
    TrainingScores,
    contrast_of_sets,
    difference,
    mean_score,
    score_trainings,
)
from fer_lib.stats.degree import Role, degree_and_room
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one
from ferbook.errors import DataError
from ferbook.estimate import Estimate

PAIR_MEASURES = {"accuracy": "share", "recall": "share", "difference": "", "degree": ""}
"""What ``Drops.cells`` tells of each cell, with its interval; the unit of each."""

WORST = ("worst_pair", "worst_pair_degree", "worst_pair_room")
"""Metrics of the pair with the least degree: its mean recall and its room in points, and the degree."""


@dataclass(frozen=True)
class Drops:
    """A transfer study in numbers, means over the networks that learned one set.

    ``cells``: one row per ``trained_on`` × ``tested_on`` with ``pictures`` tested, the ``people`` they are of
    (or groups of equal pictures, where nobody is named) and ``networks``; for each name of ``PAIR_MEASURES``
    the value, ``<name>_low`` and ``<name>_high``: ``accuracy`` and ``recall``, the mean over the classes
    (shares); ``difference``, the accuracy less that of the networks of the set tested on, in points;
    ``degree``, where ``recall`` lies between chance, 0, and that of those networks, 1. The
    last two are NaN where it is the same network. ``metrics``: ``in_dataset_accuracy`` over the diagonal,
    ``cross_dataset_accuracy`` off it, ``transfer_drop``, by how many points it lies below; with several
    networks a set ``WORST``, and ``transfer_seed_spread``, the standard deviation between networks of one
    cell, in points, over all cells.
    """

    cells: pd.DataFrame
    metrics: dict[str, Estimate]


def drops(study: TransferStudy, *, draws: int, seed: int = 0) -> Drops:
    """Score each network of ``study`` on each set, between chance and the networks of that set.

    The test pictures of a set are resampled by person (or group of equal pictures, where nobody is named),
    the same draw for all networks: what makes a picture hard for all cancels in a difference. Where several
    networks learned a set their variance is in the intervals. Sets are resampled independently of each other.
    """
    cells, home, away, scores, degrees = [], [], [], [], []
    for number, (target, test) in enumerate(study.sets.tests.items()):
        scored = _scored(study, target, test, draws, seed + number)
        scores.append(scored)
        sources, recalls = scored.table["trained_on"], recalls_without(study, target, test)
        people = len(set(independent_groups(test)))
        for source in study.sets.faces:
            row = {"trained_on": source, "tested_on": target, "pictures": len(test), "people": people}
            estimates = _compared(scored, source, target)
            if source != target:
                degree = pair_degree(recalls, source, target, len(study.sets.classes))
                estimates["degree"] = degree["worst_pair_degree"]
                degrees.append(degree)
            cells.append(row | {"networks": int(sources.eq(source).sum())} | _numbers(estimates))
        home.append(scored.weights(sources.eq(target)))
        away.append(scored.weights(~sources.eq(target)))
    contrasts = {
        "in_dataset_accuracy": (home, "share"),
        "cross_dataset_accuracy": (away, "share"),
        "transfer_drop": ([own - other for own, other in zip(home, away, strict=True)], ""),
    }
    networks = [np.zeros(len(scored.table), bool) for scored in scores]  # none without a seed of its own
    settings = {"condition": ["trained_on"], "without_seed": networks, "tolerance": RERUN_TOLERANCE}
    means = {
        name: contrast_of_sets(scores, weights, unit=unit, **settings)
        for name, (weights, unit) in contrasts.items()
    }
    told = [each for each in degrees if each["worst_pair_degree"] is not None]
    worst = min(told, key=lambda each: each["worst_pair_degree"].value, default={})
    worst = worst if all(worst.get(name) for name in WORST) else {}
    return Drops(pd.DataFrame(cells), means | worst | _spread(scores))


def recalls_without(study: TransferStudy, target: str, test: FaceSet) -> dict[str, np.ndarray]:
    """By what was learned from float64 (1 + groups, networks): the mean recall of the classes on ``target``,
    in points, of all pictures of ``test``, then without each group of its people.
    """
    labels, people = test.labels(study.sets.classes), pd.factorize(independent_groups(test))[0]
    groups = min(PEOPLE_GROUPS, people.max() + 1)
    masks = all_but_one(people, groups if groups > 1 else 0)
    recalls: dict[str, list[list[float]]] = {name: [] for name in study.sets.faces}
    for (source, _, asked), answers in study.answers.items():
        if asked == target:
            right = answers.argmax(axis=1) == labels
            own = [np.bincount(labels[m], right[m]) / np.maximum(np.bincount(labels[m]), 1) for m in masks]
            shown = [np.bincount(labels[m]) > 0 for m in masks]
            recalls[source].append([100 * o[s].mean() for o, s in zip(own, shown, strict=True)])
    return {source: np.array(own).T for source, own in recalls.items()}


def pair_degree(
    recalls: Mapping[str, np.ndarray], source: str, target: str, classes: int
) -> dict[str, Estimate | None]:
    """``WORST`` of the pair of networks that learned ``source`` and are tested on ``target``: chance, one in
    so many ``classes``, is the floor, the networks of ``target`` are the ceiling. The degree is None where
    these are no better than chance; of single networks it has no interval, and the others are None.
    """
    chance = 100 / classes
    own, home = recalls[source], recalls[target]
    room = home[0].mean() - chance
    found: dict[str, Estimate | None] = dict.fromkeys(WORST)
    if room <= 0:
        return found
    value = float(own[0].mean())
    found["worst_pair_degree"] = Estimate((value - chance) / room, why="a set has one network")
    if min(own.shape[1], home.shape[1]) < 2 or len(home) < 3:
        return found
    roles = [Role.fixed("chance", chance, len(home) - 1)]
    roles += [Role(name, of[0], of[1:]) for name, of in ((f"learned {source}", own), (target, home))]
    try:
        degree, breadth = degree_and_room(*roles)
    except DataError as fault:  # networks that read another set better than its own do
        found["worst_pair_degree"] = Estimate((value - chance) / room, why=str(fault))
        return found
    raw = Estimate(value, n=degree.n, why="its interval is that of its degree", tolerance=10)
    return dict(zip(WORST, (raw, degree, breadth), strict=True))


def _scored(study: TransferStudy, target: str, test: FaceSet, draws: int, seed: int) -> TrainingScores:
    """All networks on the test pictures of ``target``."""
    labels = test.labels(study.sets.classes)
    answers = {key: answer for key, answer in study.answers.items() if key[2] == target}
    table = pd.DataFrame({"trained_on": [source for source, _, _ in answers]})
    groups = pd.factorize(independent_groups(test))[0]
    probabilities = np.stack([*answers.values()])
    return score_trainings(table, probabilities, labels, groups, ["trained_on"], draws=draws, seed=seed)


def _compared(scored: TrainingScores, source: str, target: str) -> dict[str, Estimate | None]:
    sources = scored.table["trained_on"]
    own = sources.eq(source).to_numpy()
    apart = difference(scored, own, sources.eq(target).to_numpy()) if source != target else None
    recall = mean_score(scored, own, "balanced_accuracy")
    return {"accuracy": mean_score(scored, own), "recall": recall, "difference": apart, "degree": None}


def _numbers(estimates: Mapping[str, Estimate | None]) -> dict[str, float]:
    ends = {"": "value", "_low": "low", "_high": "high"}
    numbers = {
        name + end: getattr(one, of, None) for name, one in estimates.items() for end, of in ends.items()
    }
    return {name: np.nan if number is None else number for name, number in numbers.items()}


def _spread(scores: Sequence[TrainingScores]) -> dict[str, Estimate]:
    freedom = sum(scored.freedom for scored in scores)
    if not freedom:
        return {}
    squares = sum(scored.freedom * scored.spread["accuracy"] ** 2 for scored in scores)
    why = f"pooled over all cells, {freedom} degrees of freedom"
    spread = Estimate(POINTS * np.sqrt(squares / freedom), why=why, tolerance=POINTS * RERUN_TOLERANCE)
    return {"transfer_seed_spread": spread}


def pairs(matrix: Drops) -> pd.DataFrame:
    """The cells of ``matrix`` off the diagonal."""
    return matrix.cells[matrix.cells["trained_on"].ne(matrix.cells["tested_on"])].reset_index(drop=True)


def matrix_metrics(study: TransferStudy, matrix: Drops) -> dict[str, Estimate]:
    """The metrics of ``matrix``; ``sets``, ``classes``, ``networks``, ``pairs``, and
    ``networks_of_each_set``, the fewest.
    """
    counts = {"sets": len(study.sets.tests), "classes": len(study.sets.classes)}
    counts |= {"networks": len(study.networks), "pairs": len(pairs(matrix))}
    counts["networks_of_each_set"] = matrix.cells["networks"].min()
    return {name: Estimate(count, unit="count") for name, count in counts.items()} | matrix.metrics


TransferAnswers = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Probabilities float32 (N, classes), true classes int64 (N,), and whose pictures these are (N,): equal names
for pictures that are not independent.
"""


def transfer_answers(study: TransferStudy, *, at_home: bool) -> TransferAnswers:
    """What all networks of ``study`` answered about test pictures of the set that each learned
    (``at_home``), or of all other sets.
    """
    parts = []
    for (source, _, target), answers in study.answers.items():
        if (source == target) == at_home:
            test = study.sets.tests[target]
            people = [f"{target} {person}" for person in independent_groups(test)]
            parts.append((answers, test.labels(study.sets.classes), people))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def confidence_metrics(
    home: TransferAnswers, away: TransferAnswers, *, draws: int, seed: int = 0
) -> dict[str, Estimate]:
    """``confidence_home`` and ``confidence_away``: the mean probability of the answer that is given, a share;
    ``calibration_error_home`` and ``calibration_error_away`` (``stats.classification``). Intervals draw
    people; seed variance is not covered.
    """
    metrics, drawing = {}, {"draws": draws, "seed": seed, "tolerance": 2 * RERUN_TOLERANCE}
    for where, (probabilities, labels, people) in (("home", home), ("away", away)):
        confidences = np.column_stack([probabilities.max(axis=1), np.ones(len(labels))])
        sums = cluster_sums(confidences, people)
        metrics[f"confidence_{where}"] = bootstrap(sums, n=len(labels), unit="share", **drawing)
        metrics[f"calibration_error_{where}"] = calibration_error(probabilities, labels, people, **drawing)
    return metrics
