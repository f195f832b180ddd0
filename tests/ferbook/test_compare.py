"""Two runs side by side."""

import pytest

from ferbook import compare
from ferbook.book import Suite, chapters
from ferbook.compare import compare_runs, run_rows
from ferbook.errors import RunStoreError
from ferbook.request import Request
from ferbook.store import open_run

METRIC = {"value": 0.9, "low": 0.85, "high": 0.95, "n": 100, "how": "95 % bootstrap", "unit": "share"}


@pytest.fixture(autouse=True)
def runs(example, finish):
    for name, draws, metric in (
        ("a", "500", METRIC),
        ("b", "600", METRIC | {"value": 0.7, "low": 0.6, "high": 0.8}),
    ):
        run = open_run(name)
        request = Request("laptop", {"draws": draws})
        parameters = {key: request.of_chapter(chapter).model_dump() for key, chapter in chapters().items()}
        run.write_record({"request": {"profile": "laptop", "parameters": parameters}, "changed": name})
        finish(run, "means", metrics={"mean": metric, f"only_{name}": {"value": 1}})


def test_parameters_and_metrics_that_differ_are_shown_with_intervals():
    found = compare_runs("a", "b")
    assert found["parameters"] == [{"parameter": "means.draws", "first": 500, "second": 600}]
    rows = {row["metric"]: row for row in found["metrics"]}
    accuracy = rows["means.mean"]
    assert accuracy["difference"] == pytest.approx(-0.2)
    assert accuracy["difference_shown"].replace("\u00a0", " ") == "−20.0 %"
    assert accuracy["first_shown"].replace("\u00a0", " ") == "90.0 % (85.0–95.0)"
    assert accuracy["intervals"] == "disjoint"
    assert rows["means.only_a"]["second_shown"] == "absent"
    assert rows["means.only_a"]["difference"] is None


def test_other_versions_of_the_data_are_told(monkeypatch, finish):
    told = Suite(seen=lambda made: made["saw"])
    monkeypatch.setattr(compare, "suite", lambda: told)
    for name, saw in (("a", ["lab/1", "wild/2"]), ("b", ["lab/2", "wild/2"])):
        finish(open_run(name), "means", saw=saw)
        finish(open_run(name), "throws", saw=["wild/2"])
    assert compare_runs("a", "b")["data"] == [
        {"chapter": "means", "first": "lab/1, wild/2", "second": "lab/2, wild/2"}
    ]


def test_a_chapter_of_one_run_is_one_line(finish):
    run = open_run("b")
    record = run.record()
    del record["request"]["parameters"]["throws"]
    run.write_record(record)
    finish(open_run("a"), "throws", metrics={"mean": METRIC})
    found = compare_runs("a", "b")
    assert {"parameter": "throws", "first": "asked for", "second": "absent"} in found["parameters"]
    assert not [row for row in found["parameters"] if row["parameter"].startswith("throws.")]
    assert not [row for row in found["metrics"] if row["metric"].startswith("throws.")]


def test_overlapping_intervals_are_told():
    found = compare_runs("a", "a")
    assert found["metrics"][0]["intervals"] == "overlap"
    assert found["metrics"][0]["difference_shown"] == "0"


def test_runs_are_listed_with_their_key_metrics():
    rows = run_rows()
    assert [row["run"] for row in rows] == ["a", "b"]
    assert rows[0]["metrics"]["means.mean"]["value"] == 0.9
    assert any("90.0" in text for text in rows[0]["shown"])


def test_an_absent_run_is_told():
    with pytest.raises(RunStoreError, match="there is no run 'c'"):
        compare_runs("a", "c")
