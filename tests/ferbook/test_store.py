"""The run store: names, atomic commits, locks."""

import dataclasses
import multiprocessing
import os
import shutil
import uuid

import pytest

from ferbook.book import suite
from ferbook.errors import RunStoreError
from ferbook.store import all_runs, current_run, exclusive, make_current, open_run, write_json


@pytest.fixture(autouse=True)
def runs(example, tmp_path):
    return tmp_path / "runs"


def staged(folder, text="{}"):
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(text)
    (folder / "record.json").write_text('{"seconds": 1.5}')
    (folder / "figures").mkdir()
    (folder / "figures" / "curve.csv").write_text("epoch\n1\n")
    return folder


@pytest.fixture
def result(tmp_path):
    """A chapter's result as it is stored."""
    made = open_run("a").result("throws")
    made.folder.parent.mkdir(parents=True)
    made.commit(staged(tmp_path / "s"), {"parameters": {}})
    return made


@pytest.mark.parametrize("name", ["../x", "a/../b", "a/b", "", ".hidden", "a b", "x" * 81, "a..b", "-x"])
def test_a_name_that_leaves_the_store_is_refused(name):
    with pytest.raises(RunStoreError, match="cannot be used"):
        open_run(name)


def test_a_run_that_does_not_exist_is_told(runs):
    with pytest.raises(RunStoreError, match="there is no run 'absent'"):
        open_run("absent").record()


def test_a_committed_chapter_is_whole_and_vouched_for(result):
    assert result.faults() == []
    assert set(result.done()["files"]) == {"metrics.json", "record.json", "figures/curve.csv"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "metrics.json").write_text("2"), "differs from its checksum"),
        (lambda f: (f / "metrics.json").unlink(), "missing"),
        (lambda f: (f / "extra.txt").write_text(""), "not in DONE.json"),
        (lambda f: (f / "DONE.json").unlink(), "not finished"),
        (lambda f: (f / "DONE.json").write_text('{"files": '), "not finished"),
    ],
)
def test_a_changed_result_is_not_believed(result, spoil, told):
    spoil(result.folder)
    assert any(told in fault for fault in result.faults())


def test_a_second_commit_replaces_the_first_and_clears_the_failure(result, tmp_path):
    first = result.done()["files"]
    result.failed_folder.mkdir(parents=True)
    result.commit(staged(tmp_path / "s", "{ }"), {})
    assert result.done()["files"] != first and result.faults() == []
    assert sorted(f.name for f in result.folder.parent.iterdir()) == ["throws"]


def test_a_kill_between_the_two_moves_loses_nothing(result):
    first = result.done()["files"]
    aside, partial = (result.folder.with_name(f".throws.{uuid.uuid4().hex}") for _ in range(2))
    result.folder.rename(aside)
    partial.mkdir()
    result.recover()
    assert result.done()["files"] == first and result.faults() == []
    assert [file.name for file in result.folder.parent.iterdir()] == ["throws"]


def _hold(runs, ready, release):
    os.environ["FER_RUNS"] = runs
    with exclusive(open_run("a")):
        ready.set()
        release.wait()


def test_a_living_holder_is_named_and_a_dead_one_does_not_matter(runs):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(runs), ready, release))
    holder.start()
    ready.wait()
    try:
        told = rf"in use by process {holder.pid} on .* since .*choose another"
        with pytest.raises(RunStoreError, match=told), exclusive(open_run("a")):
            pass
    finally:
        holder.kill()
        holder.join()
    with exclusive(open_run("a")):
        pass


def test_only_folders_with_a_record_are_runs(runs):
    (runs / "not-a-run").mkdir(parents=True)
    run = open_run("b")
    run.write_record({"request": {}})  # whether it is a good one is asked when it is read
    assert [run.name for run in all_runs()] == ["b"]


def test_a_record_that_is_no_record_is_told(runs):
    run = open_run("b")
    run.folder.mkdir(parents=True)
    for content in (
        *("request: [", "- 1", "other: 1", "", "request: 3", "changed: 2026-13-45"),
        "request: {profile: laptop}",
        "request: {profile: laptop, parameters: {means: 3}}\nchanged: 'x'\n",
        "request: {profile: laptop, parameters: {}}\nchanged: 2026-11-20\n",
    ):
        run.record_file.write_text(content)
        with pytest.raises(RunStoreError, match=r"run\.yaml.*; remove .*b, and") as told:
            run.record()
        assert "\n" not in str(told.value)
    run.record_file.write_bytes(b"\xff")
    with pytest.raises(RunStoreError, match=r"run\.yaml"):
        run.record()


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "null", "3", '{"accuracy": 3}', '{"accuracy": {"low": 1}}'),
        '{"accuracy": {"value": "x"}}',
        *('{"accuracy": {"value": NaN}}', '{"accuracy": {"value": 1, "low": -Infinity}}'),
    ],
)
def test_metrics_that_are_none_are_told(runs, tmp_path, content):
    result = open_run("a").result("throws")
    result.folder.mkdir(parents=True)
    (result.folder / "metrics.json").write_text(content)
    with pytest.raises(RunStoreError, match=r"metrics\.json: .*run the chapter again"):
        result.metrics()


def test_a_record_without_what_names_a_run_is_none(runs, monkeypatch):
    named = dataclasses.replace(suite(), named_by=("sides",))
    monkeypatch.setattr("ferbook.store.suite", lambda: named)
    run = open_run("b")
    run.folder.mkdir(parents=True)
    run.record_file.write_text("request: {profile: laptop, parameters: {throws: {seed: 3}}}\nchanged: 'x'\n")
    with pytest.raises(RunStoreError, match=r"run\.yaml.*; remove .*b, and"):
        run.record()


def test_the_current_run_is_the_one_last_made_here_and_no_other(run):
    with pytest.raises(RunStoreError, match=r"no run yet that was made here; `ferbook run` makes one$"):
        current_run()
    committed = open_run("reference")
    committed.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "9999"})
    with pytest.raises(RunStoreError, match=r"or name one with --run: reference$"):
        current_run()
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "1"})
    make_current(run)
    assert current_run() == run, "though the other changed later"
    shutil.rmtree(run.folder)
    with pytest.raises(RunStoreError, match=r"the run 'a', .* is gone"):
        current_run()


def test_what_a_chapter_hands_on_does_not_change_with_its_page(run, finish, tmp_path):
    def artifact_digest(artefact, metrics, **record):
        write_json(tmp_path / "staged-throws" / "artefacts" / "throws.json", artefact)
        finish(run, "throws", metrics=metrics, **record)
        return run.result("throws").artifact_digest()

    first = artifact_digest([1], {"a": {"value": 1}})
    assert artifact_digest([1], {"a": {"value": 2}}, seconds=9.0) == first
    assert artifact_digest([2], {"a": {"value": 1}}) != first
