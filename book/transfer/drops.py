"""Which pairs of face sets carry over, what is lost on the way, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from book.transfer.study import TransferStudy, commonest_share
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.contrasts import (
    POINTS,
    TrainingScores,
    contrast,
    contrast_of_sets,
    difference,
    how_many_at_or_below,
    least_of,
    mean_score,
    score_trainings,
)
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate

COMMONEST = "majority-class baseline"
"""In the column ``trained_on``: always naming the commonest class of the test pictures."""

PAIR_MEASURES = {"accuracy": "share", "over_majority": "", "over_chance": "", "difference": ""}
"""What ``Drops.cells`` tells of each cell, with its interval; the unit of each."""


@dataclass(frozen=True)
class Drops:
    """A transfer study in numbers, means over the networks that learned one set.

    ``cells``: one row per ``trained_on`` × ``tested_on`` with ``pictures`` tested and ``networks``; for each
    name of ``PAIR_MEASURES`` the value, ``<name>_low`` and ``<name>_high``: ``accuracy`` (share); in points
    ``over_majority``, the accuracy less that of the commonest class; ``over_chance``, the mean recall of the
    classes less 1/K, that of any answer given unseen; ``difference``, the accuracy less that of the networks
    of the set tested on, NaN where it is the same network. ``means``: ``in_dataset_accuracy`` over the
    diagonal, ``cross_dataset_accuracy`` off it, ``transfer_drop``, how much it lies below, and
    ``ahead_of_commonest``, how much it lies above the commonest class, both in points.
    ``halves``, of each pair off the diagonal, in points: ``over_chance`` less half of that of the set tested
    on. ``spread``: standard deviation between networks of one cell, in points, over all cells.
    """

    cells: pd.DataFrame
    halves: tuple[Estimate, ...]
    means: dict[str, Estimate]
    spread: Estimate | None


def drops(study: TransferStudy, *, draws: int, seed: int = 0) -> Drops:
    """Score each network of ``study`` on each set, against the answers given unseen and against the networks
    of that set.

    The test pictures of a set are resampled by person (or group of equal pictures, where nobody is named),
    the same draw for all networks: what makes a picture hard for all cancels in a difference. Where several
    networks learned a set their luck is in the intervals (``stats.contrasts``). Sets are resampled
    independently of each other.
    """
    cells, halves, home, away, null, scores = [], [], [], [], [], []
    for number, (target, test) in enumerate(study.sets.tests.items()):
        scored = _scored(study, target, test, draws, seed + number)
        scores.append(scored)
        sources = scored.table["trained_on"]
        for source in study.sets.faces:
            cells.append({"trained_on": source, "tested_on": target, "pictures": len(test)})
            cells[-1] |= {"networks": int(sources.eq(source).sum())} | _compared(scored, source, target)
            halves += [_over_half(scored, source, target)] if source != target else []
        home.append(scored.weights(sources.eq(target)))
        away.append(scored.weights(~sources.isin((target, COMMONEST))))
        null.append(scored.weights(sources.eq(COMMONEST)))
    contrasts = {
        "in_dataset_accuracy": (home, "share"),
        "cross_dataset_accuracy": (away, "share"),
        "transfer_drop": ([own - other for own, other in zip(home, away, strict=True)], ""),
        "ahead_of_commonest": ([own - other for own, other in zip(away, null, strict=True)], ""),
    }
    # The commonest class has no luck of its own.
    fixed = {"without_seed": [own > 0 for own in null], "tolerance": RERUN_TOLERANCE}
    means = {
        name: contrast_of_sets(scores, weights, unit=unit, condition=["trained_on"], **fixed)
        for name, (weights, unit) in contrasts.items()
    }
    return Drops(pd.DataFrame(cells), tuple(halves), means, _spread(scores))


def _scored(study: TransferStudy, target: str, test: FaceSet, draws: int, seed: int) -> TrainingScores:
    """All networks on the test pictures of ``target``, and last the commonest class, named ``COMMONEST``."""
    labels = test.labels(study.sets.classes)
    answers = {key: answer for key, answer in study.answers.items() if key[2] == target}
    commonest = np.zeros((len(labels), len(study.sets.classes)), np.float32)
    commonest[:, np.bincount(labels).argmax()] = 1
    table = pd.DataFrame({"trained_on": [*(source for source, _, _ in answers), COMMONEST]})
    probabilities = np.stack([*answers.values(), commonest])
    groups = pd.factorize(independent_groups(test))[0]
    return score_trainings(table, probabilities, labels, groups, ["trained_on"], draws=draws, seed=seed)


def _compared(scored: TrainingScores, source: str, target: str) -> dict[str, float]:
    sources = scored.table["trained_on"]
    own, null = sources.eq(source).to_numpy(), sources.eq(COMMONEST).to_numpy()
    estimates = {
        "accuracy": mean_score(scored, own),
        "over_majority": difference(scored, own, null, without_seed=null),
        # The mean recall of one class always named is 1/K.
        "over_chance": difference(scored, own, null, "balanced_accuracy", without_seed=null),
        "difference": None,
    }
    if source != target:
        estimates["difference"] = difference(scored, own, sources.eq(target).to_numpy())
    ends = {"": "value", "_low": "low", "_high": "high"}
    numbers = {
        name + end: getattr(one, of, None) for name, one in estimates.items() for end, of in ends.items()
    }
    return {name: np.nan if number is None else number for name, number in numbers.items()}


def _over_half(scored: TrainingScores, source: str, target: str) -> Estimate:
    own, home, null = (scored.table["trained_on"].eq(name) for name in (source, target, COMMONEST))
    # 1/K, the mean recall of one class always named, is taken off whole, and half of it given back.
    weights = scored.weights(own) - (scored.weights(home) + scored.weights(null)) / 2
    settings = {"without_seed": null.to_numpy(), "tolerance": RERUN_TOLERANCE}
    return contrast(scored, weights, "balanced_accuracy", unit="", **settings)


def _spread(scores: Sequence[TrainingScores]) -> Estimate | None:
    freedom = sum(scored.freedom for scored in scores)
    if not freedom:
        return None
    squares = sum(scored.freedom * scored.spread["accuracy"] ** 2 for scored in scores)
    why = f"pooled over all cells, {freedom} degrees of freedom"
    return Estimate(POINTS * np.sqrt(squares / freedom), why=why, tolerance=POINTS * RERUN_TOLERANCE)


def pairs(matrix: Drops) -> pd.DataFrame:
    """The cells of ``matrix`` off the diagonal."""
    return matrix.cells[matrix.cells["trained_on"].ne(matrix.cells["tested_on"])].reset_index(drop=True)


def matrix_metrics(study: TransferStudy, matrix: Drops) -> dict[str, Estimate]:
    """The means of ``matrix``; ``sets``, ``classes``, ``networks``, and ``networks_of_each_set``, the fewest;
    ``worst_pair_over_half``, the least of its ``halves``; ``pairs``, and of them
    ``pairs_above_majority`` and ``pairs_above_chance``: those whose whole interval of ``over_majority``, or
    of ``over_chance``, lies above zero, and ``pairs_behind_majority``, those at or below it: bounded by
    those whose interval is, and by those whose interval reaches there;
    ``commonest_accuracy``: mean over the sets of always naming the commonest class; with several networks a
    set ``transfer_seed_spread``.
    """
    off = pairs(matrix)
    nulls = [commonest_share(test.labels(study.sets.classes)) for test in study.sets.tests.values()]
    pictures = sum(len(test) for test in study.sets.tests.values())
    counts = {"sets": len(nulls), "classes": len(study.sets.classes)}
    counts |= {"networks": len(study.networks), "pairs": len(off)}
    counts["networks_of_each_set"] = matrix.cells["networks"].min()
    above = {f"pairs_above_{name}": off[f"over_{name}_low"].gt(0).sum() for name in ("majority", "chance")}
    over = (off[f"over_majority{end}"] for end in ("", "_low", "_high"))
    return {
        **{name: Estimate(count, unit="count") for name, count in counts.items()},
        **{name: Estimate(count, unit="count", tolerance=len(off)) for name, count in above.items()},
        "pairs_behind_majority": how_many_at_or_below(0, *over, of="pairs"),
        "worst_pair_over_half": least_of(matrix.halves, of="pairs"),
        **matrix.means,
        "commonest_accuracy": Estimate(
            np.mean(nulls), n=pictures, why="counted in the pictures that are tested", unit="share"
        ),
        **({"transfer_seed_spread": matrix.spread} if matrix.spread else {}),
    }
