"""Trainings compared on one test split: sampling error of pictures and seed variance in one interval; and
several classifiers compared on the same pictures or clips.

A difference between two conditions (structures, losses) can be due to the pictures that happen to be in the
test split, and to the random first weights. Both are imitated together:

* *pictures*: clusters (subjects, or groups of equal pictures) are drawn with replacement, the same draw for
  all trainings, so that whatever makes a picture hard for all cancels in a difference;
* *seeds*: the standard deviation s between trainings of one condition is pooled over all conditions, with d =
  trainings − conditions degrees of freedom; the standard error of a sum of independent trainings with the
  weights w is s · √Σw². ``stats.two_way`` adds it to the draws.

s is measured on the test split and so contains some of the pictures' sampling error, which makes intervals a
little too wide rather than too narrow. With one seed per condition d is 0, and the interval covers the
pictures only; its description says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_lib.stats.classification import accuracy_of, balanced_accuracy_of, confusion_sums, macro_f1_of
from fer_lib.stats.resampling import RERUN_TOLERANCE, cluster_weights
from fer_lib.stats.two_way import StandardError, two_way_interval
from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit

# Name -> function of confusion matrices (draws, classes, classes).
SCORE_MEASURES = {"accuracy": accuracy_of, "macro_f1": macro_f1_of, "balanced_accuracy": balanced_accuracy_of}

# Percentage points in a proportion: differences between accuracies are given in percentage points.
POINTS = 100


@dataclass(frozen=True)
class TrainingScores:
    """Trainings with their scores on one split, and the scores on resampled pictures.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per training, with the columns of ``SCORE_MEASURES`` (proportions) added to those given.
    drawn : dict
        Measure -> float64 (trainings, draws).
    spread : dict
        Measure -> pooled standard deviation between trainings of one condition (proportion).
    freedom : int
        Its degrees of freedom.
    pictures, clusters : int
        Of the split.
    """

    table: pd.DataFrame
    drawn: dict[str, np.ndarray]
    spread: dict[str, float]
    freedom: int
    pictures: int
    clusters: int

    def weights(self, keep: np.ndarray) -> np.ndarray:
        """Return the weights (trainings,) of the mean over the trainings in the mask ``keep``; they sum to
        one.
        """
        return np.asarray(keep, np.float64) / np.sum(keep)


def score_trainings(
    table: pd.DataFrame,
    probabilities: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
    condition: Sequence[str],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> TrainingScores:
    """Score each training by its predictions.

    Parameters
    ----------
    table : pandas.DataFrame
        T trainings.
    probabilities : (T, N, classes) array
    labels : (N,) int array
        True classes.
    clusters : (N,) int array
        Equal for pictures that are not independent.
    condition : sequence of str
        The columns of ``table`` in which trainings of one condition agree; they differ in the seed.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    TrainingScores

    Raises
    ------
    DataError
        Other than T predictions, one that is not a number, and as ``classification.confusion_sums``.
    """
    if len(probabilities) != len(table) or not np.isfinite(probabilities).all():
        raise DataError(
            f"answers {probabilities.shape} of {len(table)} trainings: give one of each, all of them numbers"
        )
    n_classes = probabilities.shape[2]
    sums = [
        confusion_sums(labels, answers.argmax(axis=1), clusters, n_classes).astype(np.float32)
        for answers in probabilities
    ]
    count = len(sums[0])
    totals = np.stack([own.sum(axis=0, dtype=np.float64) for own in sums])
    values = {name: measure(totals) for name, measure in SCORE_MEASURES.items()}
    replicates = {name: np.empty((len(table), draws)) for name in SCORE_MEASURES}
    first = 0
    for part in cluster_weights(count, draws, seed):
        weights, block = part.astype(np.float32), slice(first, first + len(part))
        for row, own in enumerate(sums):
            totals = (weights @ own.reshape(count, -1)).reshape(-1, n_classes, n_classes)
            for name, measure in SCORE_MEASURES.items():
                replicates[name][row, block] = measure(totals.astype(np.float64))
        first = block.stop
    scores = table.assign(**values).reset_index(drop=True)
    spread, freedom = _spread(scores, condition)
    return TrainingScores(scores, replicates, spread, freedom, len(labels), count)


def _spread(table: pd.DataFrame, condition: Sequence[str]) -> tuple[dict[str, float], int]:
    """Return for each measure the standard deviation between trainings of one condition, pooled over all of
    them, and its degrees of freedom.
    """
    groups = table.groupby(list(condition), sort=False, dropna=False)
    freedom = len(table) - groups.ngroups
    within = {name: ((table[name] - groups[name].transform("mean")) ** 2).sum() for name in SCORE_MEASURES}
    return {n: float(np.sqrt(total / freedom)) if freedom else 0.0 for n, total in within.items()}, freedom


def minus(first: TrainingScores, second: TrainingScores, condition: Sequence[str]) -> TrainingScores:
    """Subtract the scores of the same trainings on two sets of pictures.

    Parameters
    ----------
    first, second : TrainingScores
        On the same pictures and draws, or on other people, drawn with another seed; the second is subtracted.
    condition : sequence of str
        As of ``score_trainings``.

    Returns
    -------
    TrainingScores

    Raises
    ------
    ValueError
        The trainings differ.
    """
    about = list(first.table.columns.difference([*SCORE_MEASURES]))
    if not first.table[about].equals(second.table.reindex(columns=about)):
        raise ValueError("the two sets were scored for different trainings")
    gaps = {name: first.table[name] - second.table[name] for name in SCORE_MEASURES}
    table = first.table.assign(**gaps)
    spread, freedom = _spread(table, condition)
    replicates = {name: first.drawn[name] - second.drawn[name] for name in SCORE_MEASURES}
    pictures, clusters = first.pictures + second.pictures, min(first.clusters, second.clusters)
    return TrainingScores(table, replicates, spread, freedom, pictures, clusters)


def contrast(
    scores: TrainingScores,
    weights: np.ndarray,
    measure: str = "accuracy",
    *,
    unit: Unit = "share",
    same_networks: bool = False,
    without_seed: np.ndarray | None = None,
    tolerance: float = 0.0,
) -> Estimate:
    """Compute a weighted sum of the trainings' scores, with a 95 % interval over pictures and seeds.

    An interval always includes its value: percentiles of a small split's macro F1 can miss it.

    Parameters
    ----------
    scores : TrainingScores
    weights : (trainings,) array
        1/S for each of S trainings gives a mean; negative weights are subtracted.
    measure : str
    unit : str
        ``share`` for a mean, empty for a difference in percentage points.
    same_networks : bool
        Two ways to evaluate the same networks are compared: seeds cancel, and the interval covers the
        pictures only.
    without_seed : (trainings,) bool array, optional
        Trainings whose predictions do not depend on the seed, and which add no seed variance.
    tolerance : float
        Of the estimate when the chapter is executed again.

    Returns
    -------
    Estimate
        ``n`` is the number of pictures.
    """
    seeded = np.zeros(len(weights)) if same_networks else _seed_weights(weights, without_seed)
    covers, errors = "; the seeds are not covered", []
    if scores.freedom and seeded.any():
        covers = f" and of the seeds (pooled, {scores.freedom} degrees of freedom)"
        errors = [StandardError(scores.spread[measure] * np.sqrt((seeded**2).sum()), scores.freedom)]
    description = {"of": "clusters", "besides": covers}
    return _mean_contrast(
        (scores,), (weights,), errors, measure, unit=unit, tolerance=tolerance, **description
    )


def contrast_of_sets(
    scores: Sequence[TrainingScores],
    weights: Sequence[np.ndarray],
    measure: str = "accuracy",
    *,
    condition: Sequence[str],
    unit: Unit = "share",
    without_seed: Sequence[np.ndarray],
    tolerance: float = 0.0,
) -> Estimate:
    """Compute the mean of ``contrast`` over sets of pictures of different people.

    The same trainings, in the same order, are scored on each set. A network that is good by chance is so on
    every set, so seed variance is measured in what each network adds to the mean: its standard deviation
    within a condition, pooled over all of them.

    Parameters
    ----------
    scores, weights, without_seed : sequences
        One for each set, as of ``contrast``.
    condition : sequence of str
        As of ``score_trainings``.

    Returns
    -------
    Estimate
        ``n`` is the number of all pictures.

    Raises
    ------
    ValueError
        The sets were scored for different trainings.
    """
    columns = list(condition)
    if any(not each.table[columns].equals(scores[0].table[columns]) for each in scores):
        raise ValueError("the sets were not scored for the same trainings in the same order")
    errors = _seed_errors(scores, weights, without_seed, measure, columns)
    negation = "" if errors else "not "
    covers = f", each set by itself; seed variance is {negation}covered"
    description = {"of": "people in the smallest set", "besides": covers}
    return _mean_contrast(scores, weights, errors, measure, unit=unit, tolerance=tolerance, **description)


def _seed_errors(
    scores: Sequence[TrainingScores],
    weights: Sequence[np.ndarray],
    without_seed: Sequence[np.ndarray],
    measure: str,
    condition: list[str],
) -> list[StandardError]:
    seeded = [_seed_weights(own, fixed) for own, fixed in zip(weights, without_seed, strict=True)]
    parts = [own * each.table[measure] for own, each in zip(seeded, scores, strict=True)]
    added = scores[0].table[condition].assign(part=np.mean(parts, axis=0))[np.any(seeded, axis=0)]
    groups = added.groupby(condition, sort=False)["part"]
    freedom = len(added) - groups.ngroups
    if not freedom:
        return []
    # As if each network were alone in its condition: conditions can have different numbers of networks.
    networks = groups.transform("size")
    within = ((networks * (added["part"] - groups.transform("mean"))) ** 2).sum()
    return [StandardError(float(np.sqrt(within / freedom * (1 / networks**2).sum())), freedom)]


def _seed_weights(weights: np.ndarray, without_seed: np.ndarray | None) -> np.ndarray:
    return np.asarray(weights, float) if without_seed is None else np.where(without_seed, 0, weights)


def _mean_contrast(
    scores: Sequence[TrainingScores],
    weights: Sequence[np.ndarray],
    errors: Sequence[StandardError],
    measure: str,
    *,
    unit: Unit,
    tolerance: float,
    **description: str,
) -> Estimate:
    scale = 1 if unit == "share" else POINTS
    pairs = list(zip(scores, weights, strict=True))
    return two_way_interval(
        scale * float(np.mean([own @ each.table[measure].to_numpy() for each, own in pairs])),
        scale * np.mean([own @ each.drawn[measure] for each, own in pairs], axis=0),
        min(each.clusters for each in scores),
        [StandardError(scale * each.error, each.freedom) for each in errors],
        limits=(0, 1) if unit == "share" else (-np.inf, np.inf),
        n=sum(each.pictures for each in scores),
        unit=unit,
        tolerance=scale * tolerance,
        **description,
    )


def mean_score(
    scores: TrainingScores, keep: np.ndarray, measure: str = "accuracy", **further: object
) -> Estimate:
    """Compute the mean score of some trainings.

    Parameters
    ----------
    scores : TrainingScores
    keep : (trainings,) bool array
    measure, **further
        As of ``contrast``.

    Returns
    -------
    Estimate
        A proportion.
    """
    return contrast(scores, scores.weights(keep), measure, **further)


def difference(
    scores: TrainingScores,
    first: np.ndarray,
    second: np.ndarray,
    measure: str = "accuracy",
    **further: object,
) -> Estimate:
    """Compute the difference between the mean scores of two groups of trainings.

    Parameters
    ----------
    scores : TrainingScores
    first, second : (trainings,) bool arrays
        The second mean is subtracted.
    measure, **further
        As of ``contrast``.

    Returns
    -------
    Estimate
        In percentage points.
    """
    weights = scores.weights(first) - scores.weights(second)
    return contrast(scores, weights, measure, unit="", **further)


OURS, CONTROL, BASELINE, NULL = "ours", "control", "baseline", "null"


@dataclass(frozen=True)
class Contender:
    """A classifier of all cases (pictures or clips), each by a training that excluded its person.

    Attributes
    ----------
    name, kind : str
    probabilities : (S, C, K) array
        Of S trainings for C cases and K classes.
    seeded : bool
        Whether the predictions depend on the seed.
    """

    name: str
    kind: str
    probabilities: np.ndarray
    seeded: bool = True


@dataclass(frozen=True)
class Contest:
    """The trainings of all contenders, scored on the same cases: ``scored`` has the columns ``name``,
    ``kind`` and ``seeded`` in addition to the measures.
    """

    scored: TrainingScores
    names: tuple[str, ...]

    def of(self, name: str) -> np.ndarray:
        """Return the mask (trainings,) of the contender ``name``."""
        return self.scored.table["name"].eq(name).to_numpy()

    def score(self, name: str, measure: str = "macro_f1") -> Estimate:
        """Compute the mean over the trainings of ``name``, with its interval over people, and over seeds if
        it depends on them.
        """
        return mean_score(self.scored, self.of(name), measure, **self._settings)

    def ahead(self, name: str, measure: str = "macro_f1") -> Estimate:
        """Compute the first contender's score minus that of ``name``, in percentage points."""
        return difference(self.scored, self.of(self.names[0]), self.of(name), measure, **self._settings)

    @property
    def _settings(self) -> dict[str, object]:
        without_seed = ~self.scored.table["seeded"].to_numpy(bool)
        return {"without_seed": without_seed, "tolerance": RERUN_TOLERANCE}


def hold_contest(
    contenders: Sequence[Contender],
    labels: np.ndarray,
    subjects: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Contest:
    """Score all ``contenders`` on the same cases; the bootstrap draws the same people for all.

    Parameters
    ----------
    contenders : sequence of Contender
        The first one is compared with the others.
    labels : (C,) int array
        True classes.
    subjects : (C,) array
    draws, seed : int

    Returns
    -------
    Contest

    Raises
    ------
    DataError
        Two contenders have one name, or one that does not depend on the seed was trained twice.
    """
    names = tuple(contender.name for contender in contenders)
    if len(set(names)) < len(names) or not names:
        raise DataError(f"contenders need different names, at least one: {', '.join(names) or 'none'}")
    for contender in contenders:
        if not contender.seeded and len(contender.probabilities) > 1:
            raise DataError(f"{contender.name}: no seed changes it, so give its answers once")
    table = pd.DataFrame(
        [
            {"name": contender.name, "kind": contender.kind, "seeded": contender.seeded, "training": number}
            for contender in contenders
            for number in range(len(contender.probabilities))
        ]
    )
    answers = np.concatenate([contender.probabilities for contender in contenders])
    scores = score_trainings(
        table, answers, labels, pd.factorize(subjects)[0], ["name"], draws=draws, seed=seed
    )
    return Contest(scores, names)


def contest_table(contest: Contest, measure: str = "macro_f1") -> pd.DataFrame:
    """Tabulate a contest, one row per contender, as ``figures.contender_dots`` takes it.

    Returns
    -------
    pandas.DataFrame
        ``kind``, ``name``, ``trainings``; ``score`` (proportion) with ``low`` and ``high``; ``least`` and
        ``most`` of single trainings; ``ahead``: the score of the first minus this one, in percentage points,
        with ``ahead_low`` and ``ahead_high`` (NaN for the first). A missing bound is NaN.
    """
    rows = []
    for name in contest.names:
        own = contest.scored.table[contest.of(name)]
        score = contest.score(name, measure)
        row = {"kind": own["kind"].iloc[0], "name": name, "trainings": len(own)}
        row |= {"score": score.value, "low": score.low, "high": score.high}
        row |= {"least": own[measure].min(), "most": own[measure].max()}
        if name != contest.names[0]:
            gap = contest.ahead(name, measure)
            row |= {"ahead": gap.value, "ahead_low": gap.low, "ahead_high": gap.high}
        rows.append(row)
    columns = ["score", "low", "high", "least", "most", "ahead", "ahead_low", "ahead_high"]
    table = pd.DataFrame(rows, columns=["kind", "name", "trainings", *columns])
    return table.astype(dict.fromkeys(columns, float))
