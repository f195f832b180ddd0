"""A run made again: what agrees, what differs, and what was not the same."""

import json

import pytest

from ferbook.errors import RunStoreError
from ferbook.repeat import repeat_run
from ferbook.store import open_run

MEAN = {"value": 3.5, "low": 3.0, "high": 4.0, "n": 10, "how": "over throws", "tolerance": 0.1}


@pytest.fixture
def pair(run, finish, monkeypatch):
    """Run ``a`` with both chapters finished, and how its copy comes out."""

    def pair(metrics=None, inputs=None, **record):
        done = {"notebook": "", "code": {}, "data": {}, "parameters": {}, "packages": {"numpy": "2.0"}}
        asked = {"profile": "smoke", "parameters": {"throws": {}, "means": {}}}
        groups = []
        for name in ("throws", "means"):
            finish(run, name, done, {"mean": MEAN}, threads=2 if name == "throws" else 3)
        run.write_record({"request": asked, "changed": "now"})

        def run_chapters(request, names, copy, *, threads, current, **_):
            assert not current, "commands that name no run go on taking the one they took"
            groups.append((threads, names))
            for name in names:
                again = {"mean": MEAN | (metrics or {})}
                finish(open_run(copy), name, done | (inputs or {}), again, **{"threads": threads} | record)

        monkeypatch.setattr("ferbook.repeat.run_chapters", run_chapters)
        return repeat_run(run, [], "b", watch=None), groups

    return pair


def test_each_chapter_has_as_many_threads_as_then(pair):
    rows, groups = pair()
    assert groups == [(2, ["throws"]), (3, ["means"])]
    assert [(row["metrics"], row["exact"], row["faults"], row["other"]) for row in rows] == [
        (1, 1, [], [])
    ] * 2


def test_what_moves_within_its_tolerance_is_not_exact_and_no_fault(pair):
    rows, _ = pair({"value": 3.55})
    assert [(row["exact"], row["faults"]) for row in rows] == [(0, [])] * 2


def test_what_differs_and_what_was_not_the_same_are_named(pair):
    rows, _ = pair({"value": 3.9}, {"packages": {"numpy": "2.1"}}, device="an abacus")
    assert rows[0]["faults"] == ["metric mean, value: 3.5 → 3.9 (tolerance 0.1)"]
    assert rows[0]["other"] == ["package numpy 2.0 → 2.1", "device None → an abacus"]


def test_what_cannot_be_compared_is_refused_before_anything_runs(run, finish):
    finish(run, "throws", {}, {"mean": MEAN})
    run.write_record({"request": {"profile": "smoke", "parameters": {"throws": {}}}, "changed": "now"})
    with pytest.raises(RunStoreError, match="no finished means"):
        repeat_run(run, ["means"], "b", watch=None)
    with pytest.raises(RunStoreError, match="is the run itself"):
        repeat_run(run, [], "a", watch=None)
    (run.folder / "throws" / "metrics.json").write_text(json.dumps({}))
    with pytest.raises(RunStoreError, match="differs from its checksum"):
        repeat_run(run, [], "b", watch=None)
