"""What is lost where a network is tested on another set than it learned from, and how sure that is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from book.transfer.study import TransferStudy, all_but, commonest_share
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.resampling import RERUN_TOLERANCE, bounds, cluster_sums, interval, resampled_sums
from ferbook.estimate import Estimate

OTHERS = "all others"
"""In the column ``trained_on``: learned from all sets but the one that is tested."""

NULL = "majority-class baseline"
"""In the column ``trained_on``: always naming the commonest class of the test pictures."""


@dataclass(frozen=True)
class Drops:
    """A transfer study in numbers, means over its seeds.

    ``cells``: one row per ``trained_on`` (a set, or ``OTHERS``) × ``tested_on`` with ``accuracy``, ``low``,
    ``high`` (shares); ``pictures`` tested; ``difference`` to the networks of the set tested on, in points, on
    the same pictures, with ``difference_low`` and ``difference_high``: below zero is a loss, NaN where it is
    the same network. ``means`` over the cells: ``in_dataset_accuracy``, of the diagonal;
    ``cross_dataset_accuracy``, off it, and ``transfer_drop``, how much it lies below, in points; where there
    are networks of all sets but one ``left_out_accuracy`` and ``left_out_drop``.
    """

    cells: pd.DataFrame
    means: dict[str, Estimate]


def drops(study: TransferStudy, *, draws: int, seed: int = 0) -> Drops:
    """Score each network of ``study`` on each set, and its drop against the networks of that set.

    The test pictures of a set are resampled by person (or group of equal pictures, where nobody is named),
    the same draw for all networks: what makes a picture hard for all cancels in a drop. Sets are resampled
    independently of each other. Of the seeds the mean is taken in every draw: the intervals cover the luck of
    the pictures, not that of the seeds.
    """
    cells, drawn, people = [], {}, []
    for number, target in enumerate(study.sets):
        asked = {source for source, tested, _ in study.answers if tested == target}
        sources = [source for source in (*study.sets, all_but(target)) if source in asked]
        sums = _right_and_all(study, sources, target)
        people.append(len(sums))
        # The first row is that of all pictures, the others are those of the draws.
        totals = np.concatenate([sums.sum(axis=0)[None], resampled_sums(sums, draws, seed + number)])
        by_network = totals[:, :-1] / totals[:, -1:]
        scores = by_network.reshape(len(totals), len(sources), -1).mean(axis=2)
        home = scores[:, sources.index(target)]
        for source, own in zip(sources, scores.T, strict=True):
            apart = own - home
            drawn[source, target] = own, apart
            learned = OTHERS if source == all_but(target) else source
            accuracy = own[0], *bounds(own[1:], len(sums), own[0])
            lost = POINTS * np.array([apart[0], *bounds(apart[1:], len(sums), apart[0])])
            if source == target:
                lost[:] = np.nan
            cells.append([learned, target, *accuracy, len(study.tests[target]), *lost])
    columns = ["trained_on", "tested_on", "accuracy", "low", "high", "pictures"]
    columns += ["difference", "difference_low", "difference_high"]
    return Drops(pd.DataFrame(cells, columns=columns), _means(study, drawn, min(people)))


def _right_and_all(study: TransferStudy, sources: list[str], target: str) -> np.ndarray:
    """float64 (clusters, sources · seeds + 1): how many pictures of ``target`` each network names rightly,
    seed by seed of each source; last, how many there are.
    """
    test = study.tests[target]
    labels = test.labels(study.classes)
    keys = [key for source in sources for key in study.answers if key[:2] == (source, target)]
    right = [study.answers[key].argmax(axis=1) == labels for key in keys]
    counted = np.column_stack([*right, np.ones(len(labels))])
    return cluster_sums(counted, independent_groups(test))


def _means(
    study: TransferStudy, drawn: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]], people: int
) -> dict[str, Estimate]:
    """``drawn``: of each cell the accuracy and the difference to the set's own networks, of all pictures and
    of the draws; ``people`` of the smallest set, by which the intervals are widened.
    """
    across = [key for key in drawn if key[0] in study.sets and key[0] != key[1]]
    left_out = [key for key in drawn if key[0] not in study.sets]
    wanted = {
        "in_dataset_accuracy": ([(name, name) for name in study.sets], 0),
        "cross_dataset_accuracy": (across, 0),
        "transfer_drop": (across, 1),
        "left_out_accuracy": (left_out, 0),
        "left_out_drop": (left_out, 1),
    }
    means = {}
    for name, (keys, of_drop) in wanted.items():
        if keys:
            own = np.mean([drawn[key][of_drop] for key in keys], axis=0)
            scale, unit = (-POINTS, "") if of_drop else (1, "share")
            means[name] = interval(
                scale * own[0],
                scale * own[1:],
                people,
                of="people in the smallest set",
                besides=", each set by itself; the seeds are not covered",
                n=sum(len(test) for test in study.tests.values()),
                unit=unit,
                tolerance=abs(scale) * RERUN_TOLERANCE,
            )
    return means


def matrix_table(study: TransferStudy, found: Drops) -> pd.DataFrame:
    """One row per cell of the matrix, by what was learned from, in the order of the sets: ``trained_on`` (a
    set, then ``OTHERS`` where there are such networks, then ``NULL``), ``tested_on``, ``accuracy``,
    ``low``, ``high`` (shares; NaN where there is no interval), ``pictures`` tested.
    """
    nulls = [
        [NULL, name, commonest_share(test.labels(study.classes)), len(test)]
        for name, test in study.tests.items()
    ]
    nulls = pd.DataFrame(nulls, columns=["trained_on", "tested_on", "accuracy", "pictures"])
    rows = pd.concat([found.cells, nulls], ignore_index=True)
    order = [*study.sets, OTHERS, NULL]
    rows = rows.sort_values("trained_on", key=lambda names: names.map(order.index), kind="stable")
    return rows[["trained_on", "tested_on", "accuracy", "low", "high", "pictures"]].reset_index(drop=True)


def matrix_metrics(study: TransferStudy, found: Drops) -> dict[str, Estimate]:
    """The means of ``found``; ``sets``, ``classes``, ``trainings``; ``commonest_accuracy``: mean over the
    sets of always naming the commonest class; with several seeds ``transfer_seed_spread``, the standard
    deviation between two trainings of one cell, in points.
    """
    nulls = [commonest_share(test.labels(study.classes)) for test in study.tests.values()]
    pictures = sum(len(test) for test in study.tests.values())
    counts = {"sets": study.sets, "classes": study.classes, "trainings": study.networks}
    metrics = {
        **{name: Estimate(len(counted), unit="count") for name, counted in counts.items()},
        **found.means,
        "commonest_accuracy": Estimate(np.mean(nulls), n=pictures, unit="share"),
    }
    cells = study.table.groupby(["trained_on", "tested_on"])["accuracy"]
    freedom = len(study.table) - cells.ngroups
    if freedom:
        within = ((study.table["accuracy"] - cells.transform("mean")) ** 2).sum()
        metrics["transfer_seed_spread"] = Estimate(
            POINTS * np.sqrt(within / freedom),
            why=f"pooled over all cells, {freedom} degrees of freedom",
            tolerance=POINTS * RERUN_TOLERANCE,
        )
    return metrics
