"""What learning from a crowd's votes changes against learning from its majority: accuracy and calibration, in tables and words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.learn.soft_labels import LEARNED, SoftLabels
from fer_lib.report.calibration import calibration_metrics, reliability_table
from fer_lib.report.evaluation import RERUN_TOLERANCE
from fer_lib.report.metrics import Metric
from fer_lib.report.tables import number_text

MAJORITY, VOTES = LEARNED.values()

MEASURE_NAMES = {
    "accuracy": "named as the majority does",
    "calibration_error": "calibration error, bins of equal width",
    "calibration_error_mass": "calibration error, bins of equal mass",
    "brier": "Brier score against the majority",
    "brier_votes": "Brier score against the votes",
    "log_loss": "negative log-likelihood of the majority (nats)",
    "log_loss_votes": "negative log-likelihood of the votes (nats)",
}
"""Measure of ``report.calibration`` -> what it is, for readers; of all but the first, less is better."""


def with_votes(sets: Mapping[str, FaceSet]) -> FaceSet | None:
    """The first of ``sets`` whose labels are what most of a crowd voted for; None where there is none.

    FER2013 may come with the votes of FER+, but keeps its own labels: there nobody would learn from a majority.
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


def soft_label_metrics(study: SoftLabels, *, draws: int = 2000, seed: int = 0) -> dict[str, Metric]:
    """``majority_…``, ``votes_…`` and ``votes_…_difference`` of every measure of ``MEASURE_NAMES``: see ``report.calibration.calibration_metrics``."""
    labels, clusters = study.test.labels(study.classes), independent_groups(study.test)
    return calibration_metrics(
        study.probabilities,
        list(study.table["learned"]),
        labels,
        clusters,
        study.shares,
        draws=draws,
        seed=seed,
        tolerance=2 * RERUN_TOLERANCE,
    )


def soft_label_table(metrics: Mapping[str, Mapping]) -> pd.DataFrame:
    """A row per measure for the page: learned from the majority, from the votes, and the difference with its interval, as text; from ``metrics`` as stored."""
    rows = []
    for measure, name in MEASURE_NAMES.items():
        apart = metrics[f"{VOTES}_{measure}_difference"]
        unit = metrics[f"{VOTES}_{measure}"]["unit"]
        rows.append(
            {
                "measure": name,
                **{
                    f"from {learned}": number_text(metrics[f"{learned}_{measure}"]["value"], unit)
                    for learned in (MAJORITY, VOTES)
                },
                "difference": _difference(apart, 100 if unit == "share" else 1),
            }
        )
    return pd.DataFrame(rows)


def _difference(metric: Mapping, scale: int) -> str:
    digits = 1 if scale == 100 else 3
    text = f"{scale * metric['value']:+.{digits}f}"
    if metric["low"] is not None:
        text += f" ({scale * metric['low']:.{digits}f} to {scale * metric['high']:.{digits}f})"
    return text.replace("-", "−") + (" points" if scale == 100 else "")


def reliability(study: SoftLabels, *, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """The bins of ``report.calibration.reliability_table`` for what each network ``learned``, one below the other, for ``figures.reliability_diagram``."""
    labels, clusters = study.test.labels(study.classes), independent_groups(study.test)
    parts = []
    for learned in (MAJORITY, VOTES):
        own = study.probabilities[study.table["learned"].eq(learned).to_numpy()]
        table = reliability_table(own, labels, clusters, draws=draws, seed=seed)
        parts.append(table[table["n"].gt(0)].assign(learned=learned))
    return pd.concat(parts, ignore_index=True)


def soft_label_answer(metrics: Mapping[str, Mapping], name: str) -> str:
    """What the votes of ``name`` changed, in words, from ``metrics`` as stored; empty where they were not learned."""
    if f"{VOTES}_accuracy" not in metrics:
        return ""
    names = ("accuracy", "calibration_error", "brier_votes", "log_loss_votes")
    accuracy, error, brier, loss = (metrics[f"{VOTES}_{measure}_difference"] for measure in names)
    return (
        f"On {name}, learning from votes instead of their majority {_changed(accuracy)} the accuracy ({_difference(accuracy, 100)}), {_changed(error)} the calibration "
        f"error ({_difference(error, 100)}), {_changed(brier)} the Brier score against the votes ({_difference(brier, 1)}), and {_changed(loss)} the negative "
        f"log-likelihood of the votes, which is what is learned ({_difference(loss, 1)}). Of all but the accuracy, less is better."
    )


def _changed(metric: Mapping) -> str:
    if metric["low"] is None or metric["low"] <= 0 <= metric["high"]:
        return "does not clearly change"
    return "raises" if metric["value"] > 0 else "lowers"
