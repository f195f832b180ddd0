"""Checking: what counts as a difference."""

import json

import pandas as pd
import pytest

from fer_lib.suite.check import compare_figures, compare_metrics
from fer_lib.suite.store import ChapterResult

METRIC = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 100, "tolerance": 0.02}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 0.92}, None),
        ({"value": 0.93}, "metric a, value: 0.9 → 0.93 (tolerance 0.02)"),
        ({"low": 0.7}, "metric a, low: 0.8 → 0.7 (tolerance 0.02)"),
        ({"low": None}, "metric a, low: 0.8 → None (tolerance 0.02)"),
        ({"n": 101}, "metric a, n: 100 → 101 (tolerance 0)"),
    ],
)
def test_a_metric_may_move_by_its_tolerance(change, told):
    assert compare_metrics({"a": METRIC}, {"a": METRIC | change}) == ([told] if told else [])


def test_missing_and_new_metrics_are_told():
    assert compare_metrics({"a": METRIC}, {"b": METRIC}) == [
        "metric a: missing when executed again",
        "metric b: new when executed again",
    ]


@pytest.fixture
def figure(tmp_path):
    """Write a figure's numbers as stored and as executed again; returns the faults."""

    def compare(before, after, tolerance):
        result = ChapterResult("c", tmp_path / "stored")
        for folder, table in ((result.folder, before), (tmp_path / "again", after)):
            (folder / "figures").mkdir(parents=True)
            if table is not None:
                pd.DataFrame(table).to_csv(folder / "figures" / "f.csv", index=False)
        record = {"figures": {"f": {"alt": "x", "tolerance": tolerance}}}
        (result.folder / "record.json").write_text(json.dumps(record))
        return compare_figures(result, tmp_path / "again")

    return compare


TABLE = {"epoch": [1, 2], "loss": [0.5, 0.4], "name": ["a", "b"]}


@pytest.mark.parametrize(
    ("after", "tolerance", "told"),
    [
        (TABLE, 0.0, []),
        (TABLE | {"loss": [0.5, 0.41]}, 0.02, []),
        (TABLE | {"loss": [0.5, 0.41]}, {"loss": 0.02}, []),
        (
            TABLE | {"loss": [0.5, 0.41]},
            {"epoch": 0.02},
            ["column loss: 1 of 2 numbers differ, first in row 1"],
        ),
        (TABLE | {"loss": [0.5, 0.41]}, 0.001, ["0.4 → 0.41 (tolerance 0.001)"]),
        (TABLE | {"name": ["a", "c"]}, 1.0, ["column name: 1 of 2"]),
        ({"epoch": [1], "loss": [0.5], "name": ["a"]}, 1.0, ["another table"]),
        (TABLE | {"extra": [1, 2]}, 1.0, ["another table"]),
        (None, 1.0, ["missing when executed again"]),
    ],
)
def test_a_figure_may_move_by_its_tolerance(figure, after, tolerance, told):
    faults = figure(TABLE, after, tolerance)
    assert len(faults) == len(told)
    for fault, part in zip(faults, told, strict=True):
        assert part in fault
