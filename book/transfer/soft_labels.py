"""Soft labels: one network learns what most of a crowd said, another how the crowd divided; what that changes
of accuracy and calibration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from book.transfer.calibration import calibration_metrics, reliability_table
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import run_study
from fer_lib.train.targets import vote_shares
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

MAJORITY, VOTES = "majority", "votes"

LEARNED = {"cross_entropy": MAJORITY, "votes": VOTES}
"""Loss -> from which labels it learns."""

MEASURE_NAMES = {
    "accuracy": "named as the majority does",
    "calibration_error": "calibration error, bins of equal width",
    "calibration_error_mass": "calibration error, bins of equal mass",
    "brier": "Brier score against the majority",
    "brier_votes": "Brier score against the votes",
    "log_loss": "negative log-likelihood of the majority (nats)",
    "log_loss_votes": "negative log-likelihood of the votes (nats)",
}
"""Measure of ``calibration`` -> what it is, for readers; of all but the first, less is better."""


@dataclass(frozen=True)
class SoftLabels:
    """Networks that learned the same pictures from the crowd's majority and from its votes.

    ``table``: that of ``train.study.Study`` with ``learned`` (``majority`` or ``votes``).
    ``probabilities``: float32 (trainings, N, C) for the test pictures, in the order of the table. ``test``:
    those N pictures; ``shares`` float32 (N, C): how the crowd's votes for ``classes`` divide. Pictures of
    which nobody voted for any of the classes are left out.
    """

    table: pd.DataFrame
    probabilities: np.ndarray
    test: FaceSet
    shares: np.ndarray
    classes: tuple[str, ...]


def learn_soft_labels(
    faces: FaceSet,
    classes: tuple[str, ...],
    network: str,
    recipe: Recipe,
    seeds: Sequence[int],
    **settings: object,
) -> SoftLabels:
    """Train ``network`` by ``recipe``, whose own loss does not count, from each of ``seeds``: on the
    majority, and on the votes (Barsoum et al. 2016).

    The majority is learned with cross-entropy against the picture's ``emotion``, the votes with cross-entropy
    against their shares. Both start from the same weights and see the pictures in the same order; the epoch
    of both is chosen by the accuracy on the validation split's majority. The rest, and ``settings``, are as
    in ``train.study.run_study``.

    ``classes`` as ``voted_classes`` has them. Raises as ``run_study``.
    """
    votes = faces.table[[f"vote_{name}" for name in classes]].to_numpy(np.float64)
    kept = faces.select(votes.sum(axis=1) > 0)
    study = run_study(kept, classes, [network], list(LEARNED), seeds, recipe, **settings)
    table = study.table.assign(learned=study.table["loss"].map(LEARNED))
    shares = vote_shares(kept, classes, split="test")
    return SoftLabels(table, study.probabilities, kept.split("test"), shares, classes)


def with_votes(sets: Mapping[str, FaceSet]) -> FaceSet | None:
    """The first of ``sets`` whose labels are what most of a crowd voted for; None where there is none.

    FER2013 may come with the votes of FER+, but keeps its own labels: there nobody would learn from a
    majority.
    """
    for faces in sets.values():
        names = [column for column in faces.table if column.startswith("vote_")]
        if names:
            votes = faces.table[names].to_numpy(np.float64)
            own = pd.Index(names).get_indexer("vote_" + faces.table["emotion"])
            won = votes[np.arange(len(votes)), own] == votes.max(axis=1)
            if (own >= 0).all() and won.all():
                return faces
    return None


def voted_classes(faces: FaceSet) -> tuple[str, ...]:
    """The emotions of ``faces`` that the crowd could vote for."""
    return tuple(emotion for emotion in faces.classes if f"vote_{emotion}" in faces.table)


def soft_label_metrics(study: SoftLabels, **draws: int) -> dict[str, Estimate]:
    """``majority_…``, ``votes_…`` and ``votes_…_difference`` of every measure of ``MEASURE_NAMES``: see
    ``calibration.calibration_metrics``.
    """
    labels, clusters = study.test.labels(study.classes), independent_groups(study.test)
    return calibration_metrics(
        study.probabilities,
        list(study.table["learned"]),
        labels,
        clusters,
        study.shares,
        tolerance=2 * RERUN_TOLERANCE,
        **draws,
    )


def soft_label_table(metrics: Mapping[str, Estimate]) -> Table:
    """A row per measure for the page, from ``soft_label_metrics``: estimates of what is learned from the
    majority, from the votes, and of the second minus the first.
    """
    rows = []
    for measure, name in MEASURE_NAMES.items():
        votes, apart = metrics[f"{VOTES}_{measure}"], metrics[f"{VOTES}_{measure}_difference"]
        rows.append(
            {
                "measure": name,
                "from the majority": metrics[f"{MAJORITY}_{measure}"],
                "from the votes": votes,
                "difference": replace(apart, unit=votes.unit),
            }
        )
    caption = "Learned from the majority and from the votes; differences with 95 % intervals"
    return Table(pd.DataFrame(rows), caption, tolerance=0.2)


def reliability(study: SoftLabels, **draws: int) -> pd.DataFrame:
    """The bins of ``calibration.reliability_table`` for what each network ``learned``, one below the
    other, for ``figures.reliability_diagram``.
    """
    labels, clusters = study.test.labels(study.classes), independent_groups(study.test)
    parts = []
    for learned in (MAJORITY, VOTES):
        own = study.probabilities[study.table["learned"].eq(learned).to_numpy()]
        table = reliability_table(own, labels, clusters, **draws)
        parts.append(table[table["n"].gt(0)].assign(learned=learned))
    return pd.concat(parts, ignore_index=True)
