"""Does a network know when it does not know? How sure it is of its answers, about the set that it learned and
about others.
"""

import numpy as np

from book.transfer.study import TransferStudy
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.classification import calibration_error
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from ferbook.estimate import Estimate

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
    people; the luck of the networks is not covered.
    """
    metrics, drawing = {}, {"draws": draws, "seed": seed, "tolerance": 2 * RERUN_TOLERANCE}
    for where, (probabilities, labels, people) in (("home", home), ("away", away)):
        confidences = np.column_stack([probabilities.max(axis=1), np.ones(len(labels))])
        sums = cluster_sums(confidences, people)
        metrics[f"confidence_{where}"] = bootstrap(sums, n=len(labels), unit="share", **drawing)
        metrics[f"calibration_error_{where}"] = calibration_error(probabilities, labels, people, **drawing)
    return metrics
