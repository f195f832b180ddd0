"""Cross-dataset accuracy: each pair of face sets between chance and the tested set's own networks, and how
sure that is; and whether confidence falls with accuracy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from book.transfer.study import TransferStudy
from face_sets.faceset import FaceSet
from face_sets.leakage import independent_groups
from fer_lib.stats.classification import calibration_error
from fer_lib.stats.contrasts import POINTS, TrainingScores, contrast_of_sets, mean_score, score_trainings
from fer_lib.stats.degree import Role, degree_and_distance, lowest_of
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from synthetic_faces.versions import VERSIONS


@dataclass(frozen=True)
class PairDegree:
    """How far networks trained on the set ``source`` carry over to the set ``target``.

    Attributes
    ----------
    recall
        Mean recall of the classes on ``target``, in points.
    degree
        0 at chance, 1 at the networks trained on ``target``. None where those are not better than chance;
        without an interval where a set has one network.
    room
        How far those networks lie above chance, in points, with its interval. None where there is none.
    exceeds
        Whether the whole interval of the degree lies above 1: the networks of ``source`` read ``target``
        better than its own networks do.
    """

    source: str
    target: str
    recall: float
    degree: Estimate | None = None
    room: Estimate | None = None
    exceeds: bool = False

    @property
    def uncertain(self) -> str:
        """Why the degree may have any value, naming the pair; empty where it has bounds."""
        if self.exceeds or (self.degree and self.degree.low is not None):
            return ""
        why = self.degree.why if self.degree else f"networks trained on {self.target} do not beat chance"
        return f"{self.source} → {self.target}: {why}"


@dataclass(frozen=True)
class Drops:
    """A transfer study in numbers, means over the networks that were trained on one set.

    ``cells``: one row per ``trained_on`` × ``tested_on`` with ``pictures`` tested, the ``people`` they are of
    (or groups of equal pictures, where no subject is labelled) and ``networks``; ``accuracy`` and ``recall``,
    the mean over the classes (proportions), and ``degree``, where ``recall`` lies between chance, 0, and the
    networks of the set tested on, 1 (NaN for those themselves); each with ``<name>_low`` and ``<name>_high``.
    ``metrics``: ``in_dataset_accuracy`` over the diagonal, ``cross_dataset_accuracy`` off it,
    ``transfer_drop``, by how many points it lies below; those of ``lowest_metrics``; with several networks a
    set ``transfer_seed_spread``, the standard deviation between networks of one cell, in points, over all
    cells.
    """

    cells: pd.DataFrame
    metrics: dict[str, Estimate]


def drops(study: TransferStudy, *, draws: int, seed: int = 0) -> Drops:
    """Score each network of ``study`` on each set, between chance and the networks of that set.

    The test pictures of a set are resampled by person (or group of equal pictures, where no subject is
    labelled), the same draw for all networks: what makes a picture hard for all cancels in a difference.
    Where several networks were trained on a set their variance is in the intervals. Sets are resampled
    independently of each other.
    """
    cells, home, away, scores, degrees = [], [], [], [], []
    for number, (target, test) in enumerate(study.sets.tests.items()):
        scored = _scored(study, target, test, draws, seed + number)
        scores.append(scored)
        sources, recalls = scored.table["trained_on"], recalls_without(study, target, test)
        people = len(set(independent_groups(test)))
        for source in study.sets.faces:
            row = {"trained_on": source, "tested_on": target, "pictures": len(test), "people": people}
            own = sources.eq(source).to_numpy()
            estimates = {"accuracy": mean_score(scored, own)}
            estimates["recall"] = mean_score(scored, own, "balanced_accuracy")
            estimates["degree"] = None
            if source != target:
                degrees.append(pair_degree(recalls, source, target, len(study.sets.classes)))
                estimates["degree"] = degrees[-1].degree
            cells.append(row | {"networks": int(own.sum())} | _numbers(estimates))
        home.append(scored.weights(sources.eq(target)))
        away.append(scored.weights(~sources.eq(target)))
    contrasts = {
        "in_dataset_accuracy": (home, "share"),
        "cross_dataset_accuracy": (away, "share"),
        "transfer_drop": ([own - other for own, other in zip(home, away, strict=True)], ""),
    }
    networks = [np.zeros(len(scored.table), bool) for scored in scores]  # all have a seed
    settings = {"condition": ["trained_on"], "without_seed": networks, "tolerance": RERUN_TOLERANCE}
    means = {
        name: contrast_of_sets(scores, weights, unit=unit, **settings)
        for name, (weights, unit) in contrasts.items()
    }
    return Drops(pd.DataFrame(cells), means | lowest_metrics(degrees) | _spread(scores))


def recalls_without(study: TransferStudy, target: str, test: FaceSet) -> dict[str, np.ndarray]:
    """By training set float64 (1 + groups, networks): the mean recall of the classes on ``target``, in
    points, of all pictures of ``test``, then without each group of its people.
    """
    labels, people = test.labels(study.sets.classes), pd.factorize(independent_groups(test))[0]
    groups = min(PEOPLE_GROUPS, people.max() + 1)
    masks = all_but_one(people, groups if groups > 1 else 0)
    recalls: dict[str, list[list[float]]] = {name: [] for name in study.sets.faces}
    for (source, _, tested_on), answers in study.answers.items():
        if tested_on == target:
            right = answers.argmax(axis=1) == labels
            own = [np.bincount(labels[m], right[m]) / np.maximum(np.bincount(labels[m]), 1) for m in masks]
            shown = [np.bincount(labels[m]) > 0 for m in masks]
            recalls[source].append([100 * o[s].mean() for o, s in zip(own, shown, strict=True)])
    return {source: np.array(own).T for source, own in recalls.items()}


def pair_degree(recalls: Mapping[str, np.ndarray], source: str, target: str, classes: int) -> PairDegree:
    """The degree of the networks trained on ``source`` and tested on ``target``, from ``recalls`` as of
    ``recalls_without``: the floor is chance, one in so many ``classes``, the ceiling the networks of
    ``target``.
    """
    chance = 100 / classes
    own, home = recalls[source], recalls[target]
    room, value = home[0].mean() - chance, float(own[0].mean())
    pair = partial(PairDegree, source, target, value)
    if room <= 0:
        return pair()
    ratio = (value - chance) / room
    if min(own.shape[1], home.shape[1]) < 2 or len(home) < 3:
        return pair(Estimate(ratio, why="one network was trained on each set"))
    roles = [Role.fixed("chance", chance, len(home) - 1)]
    roles += [Role(name, of[0], of[1:]) for name, of in ((f"trained on {source}", own), (target, home))]
    try:
        return pair(*degree_and_distance(*roles))
    except DataError as fault:  # networks that read another set better than its own do
        return pair(Estimate(ratio, why=str(fault)), exceeds=True)


def lowest_degree(pairs: Sequence[PairDegree]) -> Estimate | None:
    """The lowest degree of several ``pairs``, for a claim about every one of them.

    Its interval is that of ``stats.degree.lowest_of``; a pair that exceeds 1 counts among the many and bounds
    nothing. None where no pair has a degree; without an interval where a pair may have any.
    """
    degrees = [each.degree for each in pairs if each.degree]
    if not degrees:
        return None
    value = min(one.value for one in degrees)
    if unknown := [each.uncertain for each in pairs if each.uncertain]:
        return Estimate(value, why=unknown[0])
    if all(one.low is None for one in degrees):
        return Estimate(value, why="every pair lies above 1: no set's own networks are a ceiling")
    return lowest_of(degrees, len(pairs))


def lowest_metrics(pairs: Sequence[PairDegree]) -> dict[str, Estimate]:
    """``worst_pair_degree``, the ``lowest_degree`` of all pairs, left out where there is none, and
    ``worst_rendered_pair_degree``, that of pairs of rendered sets, 0 with its reason where there is none. Of
    the pair with the lowest value ``worst_pair``, its mean recall, and ``worst_pair_room``, both in points,
    where its networks allow an interval.
    """
    rendered = [each for each in pairs if {each.source, each.target} <= {*VERSIONS}]
    none = Estimate(0, why="no pair of rendered sets has a degree")  # a page quotes it
    lowest = {"worst_rendered_pair_degree": lowest_degree(rendered) or none}
    if one := lowest_degree(pairs):
        lowest["worst_pair_degree"] = one
    worst = min((each for each in pairs if each.degree), key=lambda each: each.degree.value, default=None)
    if worst and worst.room:
        about = {"n": worst.room.n, "tolerance": 10, "why": "its interval is that of its degree"}
        lowest |= {"worst_pair": Estimate(worst.recall, **about), "worst_pair_room": worst.room}
    return lowest


def _scored(study: TransferStudy, target: str, test: FaceSet, draws: int, seed: int) -> TrainingScores:
    """All networks on the test pictures of ``target``."""
    labels = test.labels(study.sets.classes)
    answers = {key: answer for key, answer in study.answers.items() if key[2] == target}
    table = pd.DataFrame({"trained_on": [source for source, _, _ in answers]})
    groups = pd.factorize(independent_groups(test))[0]
    probabilities = np.stack([*answers.values()])
    return score_trainings(table, probabilities, labels, groups, ["trained_on"], draws=draws, seed=seed)


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


def matrix_metrics(study: TransferStudy, matrix: Drops) -> dict[str, Estimate]:
    """The metrics of ``matrix``; ``sets``, ``classes``, ``networks``, ``pairs``, and
    ``networks_of_each_set``, the fewest.
    """
    counts = {"sets": len(study.sets.tests), "classes": len(study.sets.classes)}
    counts |= {"networks": len(study.networks), "networks_of_each_set": matrix.cells["networks"].min()}
    counts["pairs"] = int(matrix.cells["trained_on"].ne(matrix.cells["tested_on"]).sum())
    return {name: Estimate(count, unit="count") for name, count in counts.items()} | matrix.metrics


TransferAnswers = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Probabilities float32 (N, classes), true classes int64 (N,), and subjects (N,): equal names for pictures
that are not independent.
"""


def transfer_answers(study: TransferStudy, *, at_home: bool) -> TransferAnswers:
    """Answers of all networks of ``study`` to test pictures of the set that each was trained on
    (``at_home``), or to those of all other sets.
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
    """Confidence and accuracy at ``home`` and ``away``, over all answers together.

    ``confidence_home`` and ``confidence_away``: the mean probability of the predicted class;
    ``accuracy_home`` and ``accuracy_away``, of the same answers; ``calibration_error_home`` and
    ``calibration_error_away`` (``stats.classification``); all proportions. Intervals resample people; seed
    variance is not covered.
    """
    metrics, drawing = {}, {"draws": draws, "seed": seed, "tolerance": 2 * RERUN_TOLERANCE}
    for where, (probabilities, labels, people) in (("home", home), ("away", away)):
        right = probabilities.argmax(axis=1) == labels
        for name, values in (("confidence", probabilities.max(axis=1)), ("accuracy", right)):
            sums = cluster_sums(np.column_stack([values, np.ones(len(labels))]), people)
            metrics[f"{name}_{where}"] = bootstrap(sums, n=len(labels), unit="share", **drawing)
        metrics[f"calibration_error_{where}"] = calibration_error(probabilities, labels, people, **drawing)
    return metrics
