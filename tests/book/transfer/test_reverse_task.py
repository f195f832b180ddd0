"""Expressions from action units, from answers whose accuracy is known."""

import numpy as np
import pandas as pd
import pytest

from book.transfer import reverse_task as reports
from book.transfer.reverse_task import (
    CONDITIONS,
    EXPRESSION,
    HOG,
    UNIT_ANSWERS,
    UNIT_FEATURES,
    UNTRAINED,
    ReverseTask,
)
from fer_lib.faces.faceset import FaceSet

CLASSES = ("anger", "happiness")
N = 100
SHARES = {EXPRESSION: 0.9, UNIT_FEATURES: 0.8, UNIT_ANSWERS: 0.75, UNTRAINED: 0.5, HOG: 0.6}


@pytest.fixture(scope="module")
def scored():
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{number}" for number in range(N)],
            "sequence": "",
            "frame": 0,
            "emotion": [CLASSES[number % 2] for number in range(N)],
            "split": "test",
        }
    )
    test = FaceSet("toy", np.zeros((N, 8, 8), np.uint8), table)
    labels = test.labels(CLASSES)
    answers = [
        np.eye(2, dtype=np.float32)[np.where(np.arange(N) < share * N, labels, 1 - labels)]
        for share in SHARES.values()
    ]
    found = ReverseTask(pd.DataFrame({"condition": list(SHARES), "seed": 0}), np.stack(answers), test)
    return reports.score_reverse(found, CLASSES, draws=200)


def test_the_metrics_hold_every_condition_and_two_paired_differences(scored):
    metrics = reports.reverse_metrics(scored)
    for condition, share in SHARES.items():
        assert metrics[f"reverse_accuracy_{reports.SHORT[condition]}"].value == pytest.approx(share)
    assert metrics["reverse_units_over_untrained"].value == pytest.approx(30)
    assert metrics["reverse_units_over_expressions"].value == pytest.approx(-10)
    assert metrics["reverse_units_over_expressions"].high < 0, "paired: the same pictures"


def test_the_table_compares_with_the_expression_network(scored):
    table = reports.reverse_table(scored)
    assert len(table) == len(CONDITIONS)
    assert pd.isna(table["against the first"].iloc[0])
    assert table["against the first"].iloc[1].startswith("−10.0 points")
    assert table["named rightly"].iloc[0].startswith("90.0\u00a0% (95\u00a0% interval")


def test_the_answer_tells_what_units_and_what_an_untrained_network_give(scored):
    stored = {name: metric.to_json() for name, metric in reports.reverse_metrics(scored).items()}
    told = reports.reverse_answer(stored)
    assert "names 80.0\u00a0% of the expressions" in told
    assert "untrained network 50.0\u00a0% (a difference of 30.0 points" in told and "90.0\u00a0%." in told
