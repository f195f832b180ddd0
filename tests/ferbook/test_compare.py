"""Two runs side by side."""

import shutil
from fnmatch import fnmatchcase

import pytest

from ferbook.book import chapters
from ferbook.compare import compare_runs, pattern_of, run_rows, runs_named
from ferbook.errors import RunStoreError
from ferbook.outcome import outcome_rows
from ferbook.provenance import provenance, reproduce_command
from ferbook.records import ChapterRecord
from ferbook.request import Request, varied_parameters
from ferbook.store import open_run

METRIC = {"value": 0.9, "low": 0.85, "high": 0.95, "n": 100, "how": "95 % bootstrap", "unit": "share"}


@pytest.fixture(autouse=True)
def runs(example, finish):
    other = METRIC | {"value": 0.7, "low": 0.6, "high": 0.8}
    for name, draws, metric in (("a", "500", METRIC), ("b", "600", other)):
        run = open_run(name)
        request = Request("laptop", {"draws": draws})
        parameters = {key: request.of_chapter(chapter).model_dump() for key, chapter in chapters().items()}
        run.write_record({"request": {"profile": "laptop", "parameters": parameters}, "changed": name})
        finish(run, "means", metrics={"mean": metric, f"only_{name}": {"value": 1}})


def test_parameters_and_metrics_that_differ_are_shown_with_intervals():
    found = compare_runs("a", "b")
    assert found["parameters"] == [{"parameter": "draws", "first": 500, "second": 600}]
    rows = {row["metric"]: row for row in found["metrics"]}
    accuracy = rows["means.mean"]
    assert accuracy["difference"] == pytest.approx(-0.2)
    assert accuracy["difference_shown"].replace("\u00a0", " ") == "−20.0 percentage points"
    assert accuracy["first_shown"].replace("\u00a0", " ") == "90.0 % (85.0–95.0)"
    assert accuracy["intervals"] == "disjoint"
    assert found["alone"] == [["means.only_a"], ["means.only_b"]]
    assert found["equal"] == 0


def test_what_is_equal_is_counted_and_disjoint_intervals_stand_first(finish):
    for name, step in (("a", 0), ("b", 0.2)):
        near = METRIC | {"value": 0.9 + step / 100}
        far = METRIC | {"value": 0.1 + step, "low": 0.1 + step, "high": 0.1 + step}
        finish(open_run(name), "means", metrics={"same": METRIC, "near": near, "far": far})
    found = compare_runs("a", "b")
    assert [row["metric"] for row in found["metrics"]] == ["means.far", "means.near"]
    assert found["equal"] == 1
    assert compare_runs("a", "b", "throws")["metrics"] == []


def test_runs_are_named_by_patterns_each_once_and_in_the_order_of_their_numbers(runs):
    for number in (10, 9):
        shutil.copytree(open_run("a").folder, open_run(f"a-{number}").folder)
    assert [run.name for run in runs_named(["b", "a*", "a"])] == ["b", "a", "a-9", "a-10"]
    with pytest.raises(RunStoreError, match=r"no run's name is like 'c\*'; there are a, a-9, a-10, b"):
        runs_named(["c*"])
    with pytest.raises(RunStoreError, match=r"there is no run 'a-1' \(did you mean 'a-10'\?\)"):
        runs_named(["a", "a-1"])


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["laptop-seed-0", "laptop-seed-10"], "'laptop-seed-*'"),
        (["lab-laptop-seed-0", "wild-laptop-seed-1"], "lab-laptop-seed-0 wild-laptop-seed-1"),
    ],
)
def test_a_pattern_is_what_names_share(names, pattern):
    assert pattern_of(names) == pattern
    assert "'" not in pattern or all(fnmatchcase(name, pattern.strip("'")) for name in names)


def test_what_else_was_not_the_same_is_told(finish):
    for name, version in (("a", "2.0"), ("b", "2.1")):
        for chapter in ("throws", "means"):
            made = {"packages": {"numpy": version}, "data": {"lab": f"lab/{version}"}}
            inputs = {"parameters": {"draws": version}} | (made if chapter == "means" else {})
            finish(open_run(name), chapter, inputs)
    told = "package numpy 2.0 → 2.1; data changed (lab/2.0 → lab/2.1)"
    assert compare_runs("a", "b")["made"] == {"means": told}
    assert compare_runs("a", "b", "throws")["made"] == {}


def test_a_chapter_of_one_run_is_one_line(finish):
    run = open_run("b")
    record = run.record()
    del record["request"]["parameters"]["throws"]
    run.write_record(record)
    finish(open_run("a"), "throws", metrics={"mean": METRIC})
    found = compare_runs("a", "b")
    assert found["alone"][0][0] == "throws"
    assert not [row for row in found["parameters"] if row["parameter"].startswith("throws.")]
    assert not [row for row in found["metrics"] if row["metric"].startswith("throws.")]


def test_parameters_are_those_that_made_the_numbers_whatever_the_run_was_asked_for_since(finish):
    for name, draws in (("a", 500), ("b", 900)):
        finish(open_run(name), "means", {"parameters": {"draws": draws, "seed": 0}}, {"mean": METRIC})
    assert {"parameter": "draws", "first": 500, "second": 900} in compare_runs("a", "b")["parameters"]
    rows, _ = outcome_rows([open_run("a"), open_run("b")], "means")
    assert [row["values"]["draws"] for row in rows] == [500, 900]
    assert "-p draws=900" in reproduce_command(open_run("b"), "means")


def test_what_acts_on_nothing_is_no_difference_and_stands_on_no_page(finish, monkeypatch):
    for name, kept in (("a", 0), ("b", 1)):
        values = {"seed": kept, "draws": (500, 600)[kept], "bootstrap": 4}
        finish(open_run(name), "means", {"parameters": values, "packages": {}})
    drawn = classmethod(lambda cls, values: {"draws": "kept ones are read"} if values["seed"] == 1 else {})
    monkeypatch.setattr(chapters()["means"].parameters, "idle", drawn)
    assert [row["parameter"] for row in compare_runs("a", "b")["parameters"]] == ["seed"]
    assert "`seed=1`, `bootstrap=4`" in (page := provenance(open_run("b"), "means")) and "draws" not in page
    rows = [{"means": {"seed": seed, "draws": draws}} for seed, draws in ((0, 5), (0, 6), (1, 7))]
    assert [row["draws"] for row in varied_parameters(rows)] == [5, 6, None]


def test_runs_are_listed_one_is_equal_to_itself_and_an_absent_one_is_told():
    assert run_rows() == [{"run": name, "profile": "laptop", "changed": name} for name in "ab"]
    found = compare_runs("a", "a")
    assert found["metrics"] == [] and found["equal"] == 2
    with pytest.raises(RunStoreError, match="there is no run 'c'"):
        compare_runs("a", "c")


@pytest.mark.defect("E1")
def test_chapters_that_evaluate_stored_networks_are_named(runs, monkeypatch):
    assert compare_runs("a", "b")["stored"] == {}
    monkeypatch.setattr(ChapterRecord, "stored_networks", frozenset({"emotions 1"}))
    assert compare_runs("a", "b")["stored"] == {"means": "the same stored networks"}
