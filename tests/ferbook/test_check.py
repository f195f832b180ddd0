"""Checking: what counts as a difference."""

import json
import shutil
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_output

from ferbook import check
from ferbook.book import find_chapter
from ferbook.check import check_run, compare_metrics, compare_shown
from ferbook.errors import ChapterError
from ferbook.estimate import Estimate
from ferbook.notebook import code_cells, read_notebook
from ferbook.store import ChapterResult, open_run, write_json

METRIC = Estimate(0.9, 0.8, 0.95, n=100, tolerance=0.02)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 0.92}, None),
        ({"value": 0.93}, "metric a, value: 0.9 → 0.93 (tolerance 0.02)"),
        ({"n": 101}, "metric a, n: 100 → 101 (tolerance 0)"),
    ],
)
def test_a_metric_may_move_by_its_tolerance(change, told):
    assert compare_metrics({"a": METRIC}, {"a": replace(METRIC, **change)}) == ([told] if told else [])


def test_an_interval_that_is_gone_is_told():
    bare = replace(METRIC, low=None, high=None, why="one person")
    told = [f"metric a, {end} → None (tolerance 0.02)" for end in ("high: 0.95", "low: 0.8")]
    assert compare_metrics({"a": METRIC}, {"a": bare}) == told


def test_missing_and_new_metrics_are_told():
    told = ["metric a: missing when executed again", "metric b: new when executed again"]
    assert compare_metrics({"a": METRIC}, {"b": METRIC}) == told


@pytest.fixture(params=["figures", "tables"])
def shown(request, tmp_path):
    """Write the numbers of a figure or table as stored and as executed again; returns the faults."""
    kind = request.param

    def compare(before, after, tolerance):
        result = ChapterResult("c", tmp_path / "stored")
        for folder, table in ((result.folder, before), (tmp_path / "again", after)):
            (folder / kind).mkdir(parents=True)
            if table is not None:
                pd.DataFrame(table).to_csv(folder / kind / "f.csv", index=False)
        record = {kind: {"f": {"tolerance": tolerance}}}
        (result.folder / "record.json").write_text(json.dumps(record))
        return [fault.removeprefix(f"{kind[:-1]} f") for fault in compare_shown(result, tmp_path / "again")]

    return compare


TABLE = {"epoch": [1, 2], "loss": [0.5, 0.4], "name": ["a", "b"]}


@pytest.mark.parametrize(
    ("after", "tolerance", "told"),
    [
        (TABLE, 0.0, []),
        (TABLE | {"loss": [0.5, 0.41]}, 0.02, []),
        (TABLE | {"loss": [0.5, 0.41]}, {"epoch": 0.02}, ["column loss: 1 of 2 numbers differ, first in"]),
        (TABLE | {"loss": [0.5, 0.41]}, 0.001, ["0.4 → 0.41 (tolerance 0.001)"]),
        (TABLE | {"name": ["a", "c"]}, 1.0, ["column name: 1 of 2"]),
        ({"epoch": [1], "loss": [0.5], "name": ["a"]}, 1.0, ["another table"]),
        (None, 1.0, ["missing when executed again"]),
    ],
)
def test_a_figure_or_table_may_move_by_its_tolerance(shown, after, tolerance, told):
    faults = shown(TABLE, after, tolerance)
    assert len(faults) == len(told)
    for fault, part in zip(faults, told, strict=True):
        assert part in fault


def test_what_is_shown_only_when_executed_again_is_told(tmp_path):
    result = ChapterResult("c", tmp_path)
    (tmp_path / "record.json").write_text("{}")
    (tmp_path / "again" / "tables").mkdir(parents=True)
    (tmp_path / "again" / "tables" / "t.csv").write_text("a\n1\n")
    assert compare_shown(result, tmp_path / "again") == ["table t: new when executed again"]


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (b"a\n1\n", ""),
        (b"", "table t: its CSV is no table (No columns"),
        (b"a," * 1001 + b"a\n", "table t: its CSV is no table (more than 1,000 columns)"),
    ],
)
def test_a_table_whose_record_names_no_tolerance_may_have_any_numbers(tmp_path, stored, told):
    result = ChapterResult("c", tmp_path)
    (tmp_path / "record.json").write_text('{"tables": {"t": {}}}')
    for folder, content in ((tmp_path, stored), (tmp_path / "again", b"a\n2\n")):
        (folder / "tables").mkdir(parents=True)
        (folder / "tables" / "t.csv").write_bytes(content)
    assert " ".join(compare_shown(result, tmp_path / "again")).startswith(told)


def test_an_empty_text_equals_itself_and_nothing_else(shown, tmp_path):
    table = {"emotion": ["neutral", "anger"], "facs": ["", "4+5"]}
    assert shown(table, table, 0.0) == []
    shutil.rmtree(tmp_path / "stored")
    shutil.rmtree(tmp_path / "again")
    faults = shown(table, table | {"facs": ["1+2", "4+5"]}, 0.0)
    assert faults == [", column facs: 1 of 2 numbers differ, first in row 0: nan → 1+2 (tolerance 0)"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run with a finished chapter that counted on three threads; FER_RUNS and its like are relative."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FER_RUNS", "my-runs")
    monkeypatch.setenv("FER_DATA", "my-data")
    monkeypatch.setenv("FER_CACHE", "my-cache")
    run = open_run("a")
    staged = tmp_path / "staged"
    write_json(staged / "record.json", {"threads": 3, "figures": {}, "seconds": 1.0})
    write_json(staged / "metrics.json", {})
    notebook = read_notebook(find_chapter("faces").notebook)
    for place, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count, cell.outputs = place, [new_output("stream", name="stdout", text="1")]
    nbformat.write(notebook, staged / "faces.ipynb")
    run.folder.mkdir(parents=True)
    run.result("faces").commit(staged, {})
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    return run


def test_the_check_executes_with_the_same_places_and_threads(finished, tmp_path, monkeypatch):
    given = {}

    def pytest_of_nbval(command, log, environment, folder):
        given.update(environment)
        write_json(Path(environment["FER_OUTPUT"]) / "metrics.json", {})

    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setattr(check, "printed_by_failure", pytest_of_nbval)
    (row,) = check_run(finished, ["faces"])
    assert row["executed"] and row["faults"] == []
    places = {name: given[f"FER_{name}"] for name in ("RUNS", "DATA", "CACHE")}
    assert places == {name: str(tmp_path / f"my-{name.lower()}") for name in ("RUNS", "DATA", "CACHE")}
    assert given["FER_THREADS"] == given["OMP_NUM_THREADS"] == "3" and "PYTEST_ADDOPTS" not in given


def test_one_is_the_quickest_and_then_the_next(finished, tmp_path, monkeypatch):
    told, staged = [], tmp_path / "staged"
    for chapter, seconds in (("training", 60.0), ("deconvolution", 6.0)):
        write_json(staged / "record.json", {"threads": 3, "figures": {}, "seconds": seconds})
        write_json(staged / "metrics.json", {})
        (staged / f"{chapter}.ipynb").write_bytes(finished.result("faces").notebook.read_bytes())
        finished.result(chapter).commit(staged, {})

    def execute_again(chapter, result, run, parameters):
        log = run.log_file(f"{chapter.name}.check")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        return [], 0

    monkeypatch.setattr(check, "_execute_again", execute_again)
    monkeypatch.setattr(check, "steps", lambda *a: told.extend(a) or nullcontext(lambda *n: told.append(n)))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    rows = check_run(finished, ["training", "deconvolution"], one=True)
    assert {row["chapter"]: row["executed"] for row in rows} == {"training": False, "deconvolution": True}
    assert rows[0]["state"] == "stored result whole"
    assert told == ["check: chapters", 1, 6.0, (1, 1.0)], "its time, and that all is done"
    turns = [check_run(finished, ["training", "deconvolution"], one=True) for _ in range(2)]
    assert [[row["executed"] for row in rows] for rows in turns] == [[True, False], [False, True]], "in turn"


def test_data_that_are_not_here_are_told_before_anything_executes(finished, tmp_path, monkeypatch):
    write_json(tmp_path / "again" / "record.json", {"figures": {}, "seconds": 1.0})
    (tmp_path / "again" / "faces.ipynb").write_bytes(finished.result("faces").notebook.read_bytes())
    finished.result("faces").commit(tmp_path / "again", {"parameters": {"faces": "fer2013"}})
    monkeypatch.setattr(check, "_execute_again", lambda *_: pytest.fail("it was executed"))
    (row,) = check_run(finished, ["faces"])
    assert not row["executed"] and "my-data/fer2013 not found" in row["faults"][0]


def test_a_run_of_some_chapters_is_checked_in_these(finished, monkeypatch):
    monkeypatch.setattr(check, "_check_chapter", lambda chapter, *_: {"chapter": chapter.name})
    everything = [row["chapter"] for row in check_run(finished, [])]
    asked = {"profile": "laptop", "parameters": {key: {"faces": "lab"} for key in ("faces", "training")}}
    finished.write_record({"request": asked, "changed": "now"})
    assert [row["chapter"] for row in check_run(finished, [])] == ["faces", "training"] != everything
    assert [row["chapter"] for row in check_run(finished, ["derl"])] == ["derl"]


@pytest.mark.parametrize(("cores", "meet"), [(6, True), (5, False)])
def test_chapters_run_side_by_side_as_their_threads_leave_room(finished, monkeypatch, cores, meet):
    both = threading.Barrier(2)
    monkeypatch.setattr(check, "_check_chapter", lambda *_: {"met": both.wait(timeout=10 if meet else 0.1)})
    monkeypatch.setattr(check.os, "cpu_count", lambda: cores)  # of three threads each was made
    if meet:
        assert {row["met"] for row in check_run(finished, ["faces", "training"])} == {0, 1}
    else:
        with pytest.raises(threading.BrokenBarrierError):
            check_run(finished, ["faces", "training"])


@pytest.mark.slow
def test_a_compared_cell_is_silenced_by_its_last_semicolon_as_ipython_silences_it(toy_clone):
    """Nbval's kernel keeps no history, in which IPython looks for it."""
    lasts = ["1;", "1;  # nothing is shown", "2  # shown;", "!true \\(\n4;\n# and this"]
    cells = [f"print(1)\n{last}" for last in lasts]
    toy_clone.write_chapter("throws", *cells)
    file = toy_clone.root / "book" / "throws" / "throws.ipynb"
    content = json.loads(file.read_text())
    for cell in content["cells"][-len(cells) :]:
        cell["metadata"]["tags"] = ["nbval-check-output"]
    file.write_text(json.dumps(content))
    run = open_run("a")
    write_json(run.inputs_file("throws"), {"parameters": {}})
    toy_clone.ferbook("_execute", "throws", str(run.folder))
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    assert "throws: executed again, agrees" in toy_clone.ferbook("check", "throws", "--run", "a")


FAILED = "FAILED throws.ipynb::ipynb::Cell 3"
FULL = "OSError: [Errno 28] No space left on device"
RAISED = ["Cell 3: Cell execution caused an exception", f"E   {FULL}", FAILED]


@pytest.mark.parametrize(
    ("printed", "free", "told"),
    [
        (RAISED, 2**40, r"OSError: \[Errno 28\] No space left on device"),
        (["INTERNALERROR> x", FULL], 2**40, "No space left"),
        ([], 0, "no space left on the device"),
    ],
)
def test_what_kept_nbval_from_comparing_is_named(tmp_path, monkeypatch, printed, free, told):
    monkeypatch.setattr(check, "disk_usage", lambda place: SimpleNamespace(free=free))
    with pytest.raises(ChapterError, match=told):
        check._differences(printed, tmp_path)
    assert check._differences(["Cell outputs differ: ValueError: 1", FAILED], tmp_path) == [FAILED]


def test_a_check_that_could_not_compare_says_so_and_a_long_fault_is_cut(finished, monkeypatch):
    def full(*_):
        raise ChapterError("no space left on the device")

    monkeypatch.setattr(check, "_execute_again", full)
    (row,) = check_run(finished, ["faces"])
    assert (row["state"], row["executed"]) == ("failed: it could not be executed again", False)
    monkeypatch.setattr(check, "_execute_again", lambda *_: (["x" * 3_000_000], 0))
    (row,) = check_run(finished, ["faces"])
    assert row["executed"] and len(row["faults"][0]) == check.LONGEST_FAULT


def test_what_a_killed_check_left_is_removed_by_the_next_one(finished, monkeypatch):
    left = finished.work / "staging" / "faces.check" / "old"
    left.mkdir(parents=True)

    def nbval(command, log, environment, folder):
        assert not left.exists() and Path(environment["FER_OUTPUT"]).is_relative_to(finished.work)
        write_json(Path(environment["FER_OUTPUT"]) / "metrics.json", {})

    monkeypatch.setattr(check, "printed_by_failure", nbval)
    check_run(finished, ["faces"])
    assert not left.parent.exists()
