"""Which expressions can be read from a network of action units: the table, metrics, and the answer in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.faces.leakage import independent_groups
from fer_lib.report.contrasts import Scored, contrast, difference, score_trainings
from fer_lib.report.evaluation import RERUN_TOLERANCE
from fer_lib.report.metrics import Metric
from fer_lib.report.tables import interval_text
from fer_lib.report.transfer import points_text, share_text
from fer_lib.units.reverse_task import (
    CONDITIONS,
    EXPRESSION,
    HOG,
    UNIT_ANSWERS,
    UNIT_FEATURES,
    UNTRAINED,
    ReverseTask,
)

SHORT = {
    EXPRESSION: "expressions",
    UNIT_FEATURES: "units",
    UNIT_ANSWERS: "unit_answers",
    UNTRAINED: "untrained",
    HOG: "hog",
}
"""Condition -> its name in metrics."""


def score_reverse(
    found: ReverseTask, classes: tuple[str, ...], *, draws: int = 2000, seed: int = 0
) -> Scored:
    """Score what each condition names on the test pictures; the bootstrap draws subjects, or groups of equal pictures."""
    labels, clusters = found.test.labels(classes), independent_groups(found.test)
    return score_trainings(
        found.table, found.probabilities, labels, clusters, ["condition"], draws=draws, seed=seed
    )


def _of(scored: Scored, condition: str) -> np.ndarray:
    return scored.table["condition"].eq(condition).to_numpy()


def reverse_metrics(scored: Scored) -> dict[str, Metric]:
    """``reverse_accuracy_<condition>`` for ``expressions``, ``units``, ``unit_answers``, ``untrained``, ``hog``; ``reverse_units_over_untrained`` and ``reverse_units_over_expressions``, paired, in points."""
    settings = {"tolerance": 2 * RERUN_TOLERANCE}
    metrics = {
        f"reverse_accuracy_{name}": contrast(scored, scored.weights(_of(scored, condition)), **settings)
        for condition, name in SHORT.items()
    }
    for rival in (UNTRAINED, EXPRESSION):
        metrics[f"reverse_units_over_{SHORT[rival]}"] = difference(
            scored, _of(scored, UNIT_FEATURES), _of(scored, rival), **settings
        )
    return metrics


def reverse_table(scored: Scored) -> pd.DataFrame:
    """A row per condition for the page: ``from``, ``named rightly`` with its interval, and the difference to the expression network in points, as text."""
    rows = []
    for condition, about in CONDITIONS.items():
        own = _of(scored, condition)
        right = contrast(scored, scored.weights(own)).to_json()
        apart = None
        if condition != EXPRESSION:
            apart = points_text(difference(scored, own, _of(scored, EXPRESSION)).to_json())
        rows.append(
            {
                "from": f"{condition}: {about}",
                "named rightly": interval_text(right),
                "against the first": apart,
            }
        )
    return pd.DataFrame(rows)


def reverse_answer(metrics: Mapping[str, Mapping]) -> str:
    """What a network of action units knows of expressions, in words, from ``metrics`` as stored."""
    return (
        f"The other way round, a linear head on a network that learned nothing but action units names {share_text(metrics['reverse_accuracy_units'])} of the expressions rightly, "
        f"on an untrained network {share_text(metrics['reverse_accuracy_untrained'])} (a difference of {points_text(metrics['reverse_units_over_untrained'])}); the network that learned expressions names "
        f"{share_text(metrics['reverse_accuracy_expressions'])}."
    )
