"""Expressions from action units, from answers whose accuracy is known."""

import numpy as np
import pandas as pd
import pytest

from book.transfer.reverse_task import (
    CONDITIONS,
    EXPRESSION,
    HOG,
    SHORT,
    UNIT_ANSWERS,
    UNIT_FEATURES,
    UNTRAINED,
    ReverseTask,
    reverse_metrics,
    reverse_table,
    score_reverse,
)

CLASSES = ("anger", "happiness")
SHARES = {EXPRESSION: 0.9, UNIT_FEATURES: 0.8, UNIT_ANSWERS: 0.75, UNTRAINED: 0.5, HOG: 0.6}


@pytest.fixture(scope="module")
def scored(blank, answers):
    test = blank([CLASSES[number % 2] for number in range(100)])
    given = [answers(test, CLASSES, np.arange(100) < 100 * share) for share in SHARES.values()]
    found = ReverseTask(pd.DataFrame({"condition": list(SHARES), "seed": 0}), np.stack(given), test)
    return score_reverse(found, CLASSES, draws=200)


def test_the_metrics_hold_every_condition_and_two_paired_differences(scored):
    metrics = reverse_metrics(scored)
    for condition, share in SHARES.items():
        assert metrics[f"reverse_accuracy_{SHORT[condition]}"].value == pytest.approx(share)
    assert metrics["reverse_units_over_untrained"].value == pytest.approx(30)
    assert metrics["reverse_units_over_expressions"].value == pytest.approx(-10)
    assert metrics["reverse_units_over_expressions"].high < 0, "paired: the same pictures"


def test_the_table_compares_with_the_expression_network(scored):
    table = reverse_table(scored).data
    assert len(table) == len(CONDITIONS)
    assert table["against the first (points)"].iloc[0] is None
    assert table["against the first (points)"].iloc[1].value == pytest.approx(-10)
    assert table["named rightly"].iloc[0].value == pytest.approx(0.9)
