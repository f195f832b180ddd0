"""A sweep: what is shared is made once, what is there stays, and what is not is named."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferbook import sweep as ferbook_sweep
from ferbook.book import find_chapter, forget
from ferbook.errors import RunStoreError
from ferbook.outcome import keep_outcome, outcome_table
from ferbook.schedule import finished_file
from ferbook.store import Run, open_run, write_json
from ferbook.sweep import homes_of, jobs_of, new_sweep, places, run_sweep


@pytest.fixture
def work(copy, tmp_path, monkeypatch):
    """Jobs are done at once, but those whose run is in ``broken``; gives what was done, and ``broken``."""
    done, broken = [], set()

    def start(board, jobs, resources, **_):
        (board / "snakemake.log").write_text("")
        for job in jobs:
            files = [finished_file(board, *each) for each in job.needs]
            if job.name in broken or not all(file.exists() for file in files):
                continue
            run, chapter = Run(job.name, Path(job.words[2])), find_chapter(job.kind)
            inputs = json.loads(run.inputs_file(job.kind).read_text())
            for name, home in inputs.pop("shared").items():
                run.result(name).take(open_run(home).result(name))
            inputs["upstream"] = {name: run.result(name).handed_on() for name in chapter.upstream}
            staged = tmp_path / "staged"
            write_json(staged / "record.json", {"seconds": 1.5, "commit": "abc", "figures": {}})
            value = float(inputs["parameters"]["seed"])
            metric = {"value": value, "low": value - 1, "high": value + 1, "how": "x"}
            write_json(staged / "metrics.json", {"mean": metric, "throws": metric})
            run.result(job.kind).commit(staged, inputs)
            finished_file(board, job.kind, job.name).parent.mkdir(parents=True, exist_ok=True)
            finished_file(board, job.kind, job.name).touch()
            done.append((job.kind, job.name))
        return subprocess.Popen(["true"])

    monkeypatch.setattr(ferbook_sweep, "start_jobs", start)
    return done, broken


def ran(given, chapter="means", name=None):
    sweep = new_sweep(chapter, "smoke", given, name)
    return sweep, run_sweep(sweep, watch=lambda *_: None)


def test_what_does_not_depend_on_what_varies_is_made_once_and_taken_by_all(work):
    done, _ = work
    sweep, faults = ran({"draws": "100,200,300"})
    assert faults == {} and done.count(("throws", "smoke-draws-100")) == 1 and len(done) == 4
    assert all(not place.fault for place in places(sweep, sweep.points))
    files = [open_run(f"smoke-draws-{n}").result("throws").folder / "metrics.json" for n in (100, 300)]
    assert files[0].samefile(files[1])


def test_what_depends_on_it_is_made_in_each_run(work):
    ran({"seed": "0..2"})
    assert sorted(work[0]) == [(kind, f"smoke-seed-{n}") for kind in ("means", "throws") for n in range(3)]


def test_a_second_call_has_nothing_to_do_and_a_longer_range_adds_runs(work):
    done, _ = work
    ran({"seed": "0..1"}, "throws")
    del done[:]
    ran({"seed": "0..1"}, "throws")
    assert done == []
    sweep, _ = ran({"seed": "2..3"}, "throws")
    assert sorted(done) == [("throws", "smoke-seed-2"), ("throws", "smoke-seed-3")]
    rows, faults = keep_outcome(sweep.with_earlier())
    assert sorted(row["run"] for row in rows) == ["", *(f"smoke-seed-{n}" for n in range(4))] and not faults
    table = outcome_table(sweep, rows)
    assert list(table["run"])[-1] == "mean of 4 seeds" and table["value"].iloc[-1] == 1.5
    assert "no rule" in table["about"].iloc[-1]
    assert (sweep.folder / "figures" / "outcome.svg").exists()


def test_runs_of_older_code_are_named_and_not_mixed_with_others(work, copy):
    ran({"seed": "0..2"}, "throws")
    study = copy / "book" / "throws" / "study.py"
    study.write_text(study.read_text() + "\nSIDES = 6\n")
    forget()
    sweep, _ = ran({"seed": "1..2"}, "throws")
    rows, faults = keep_outcome(sweep.with_earlier())
    assert {row["run"] for row in rows} == {"", "smoke-seed-1", "smoke-seed-2"}
    assert faults == {"smoke-seed-0": "throws: code changed (book/throws/study.py)"}


def test_a_run_that_fails_is_named_the_others_are_made_and_the_same_call_goes_on(work):
    done, broken = work
    broken.add("smoke-seed-1")
    _, faults = ran({"seed": "0..2"}, "throws")
    assert faults == {"smoke-seed-1": "not made (throws: never ran)"} and len(done) == 2
    broken.clear()
    del done[:]
    assert ran({"seed": "0..2"}, "throws")[1] == {} and done == [("throws", "smoke-seed-1")]


def test_what_the_run_without_it_has_is_taken_too(work):
    done, _ = work
    first = new_sweep("throws", "smoke", {"seed": "0..1"})
    run_sweep(first, watch=lambda *_: None)
    open_run("smoke-seed-0").folder.rename(open_run("smoke").folder)
    text = open_run("smoke").record_file.read_text()
    open_run("smoke").record_file.write_text(text.replace("run: smoke-seed-0", "run: smoke"))
    del done[:]
    ran({"draws": "100,200"})
    assert sorted(done) == [("means", "smoke-draws-100"), ("means", "smoke-draws-200")]


def test_a_point_that_the_run_without_it_is_already_is_taken_whole(work):
    done, _ = work
    ran({"seed": "0..1"})
    open_run("smoke-seed-0").folder.rename(open_run("smoke").folder)
    text = open_run("smoke").record_file.read_text()
    open_run("smoke").record_file.write_text(text.replace("run: smoke-seed-0", "run: smoke"))
    del done[:]
    sweep, faults = ran({"seed": "0..2"})
    assert faults == {} and sorted(done) == [("means", "smoke-seed-2"), ("throws", "smoke-seed-2")]
    assert not any(place.fault for place in places(sweep, sweep.points)) and not keep_outcome(sweep)[1]
    assert set(open_run("smoke-seed-0").record()["chapters"]) == {"means", "throws"}


def test_a_sweep_of_that_name_with_another_request_is_refused(work):
    ran({"seed": "0..1"}, "throws", "mine")
    with pytest.raises(RunStoreError, match="'mine' exists with another fixed; choose another --name"):
        ran({"seed": "0..1", "sides": "8"}, "throws", "mine")
    with pytest.raises(RunStoreError, match="another what varies"):
        ran({"sides": "6,8"}, "throws", "mine")
    with pytest.raises(RunStoreError, match="cannot be called"):
        new_sweep("throws", "smoke", {"seed": "0..1"}, "../x")


def test_asking_what_would_be_done_writes_nothing(work, copy):
    sweep = new_sweep("means", "smoke", {"draws": "100,200"})
    now = places(sweep, sweep.points)
    assert [chapter.name for _, chapter in jobs_of(sweep, now, homes_of(sweep, now))].count("throws") == 1
    assert not (copy / "runs").exists()


def test_a_value_for_one_chapter_wins_over_the_one_that_varies_for_all(work):
    sweep = new_sweep("means", "smoke", {"seed": "0..1", "throws.seed": "7"})
    run_sweep(sweep, watch=lambda *_: None)
    longer = new_sweep("means", "smoke", {"seed": "2..3", "throws.seed": "7"}).with_earlier()
    for each in (sweep, longer):
        for point in each.points:
            seeds = [point.request.of_chapter(find_chapter(name)).seed for name in ("throws", "means")]
            assert seeds == [7, point.values["seed"]]
    assert len(longer.points) == 4


def test_runs_that_have_other_parameters_by_now_are_named_and_made_again_where_asked(work):
    sweep, _ = ran({"seed": "0..1"}, "throws")
    record = open_run("smoke-seed-1").record()
    record["request"]["parameters"]["throws"]["sides"] = 8
    open_run("smoke-seed-1").write_record(record)
    with pytest.raises(RunStoreError, match=r"'smoke-seed-1' exists with other parameters .*--update makes"):
        run_sweep(sweep, watch=lambda *_: None)
    assert run_sweep(sweep, update=True, watch=lambda *_: None) == {}
    assert open_run("smoke-seed-1").record()["request"]["parameters"]["throws"]["sides"] == 6


def test_what_is_refused_leaves_neither_runs_nor_a_record(work, copy, monkeypatch):
    ran({"seed": "0..1"}, "throws", "mine")
    before = (copy / "runs" / "sweeps" / "mine" / "sweep.yaml").read_text()

    def refuse(_):
        raise RunStoreError("no room")

    monkeypatch.setattr(ferbook_sweep, "suite", lambda: SimpleNamespace(check=lambda _: None, prepare=refuse))
    with pytest.raises(RunStoreError, match="no room"):
        ran({"seed": "0..3"}, "throws", "mine")
    assert [open_run(f"smoke-seed-{n}").exists() for n in range(4)] == [True, True, False, False]
    assert (copy / "runs" / "sweeps" / "mine" / "sweep.yaml").read_text() == before


def test_a_run_that_took_a_result_before_something_was_refused_goes_on(work, monkeypatch):
    ran({"seed": "0..1"})
    open_run("smoke-seed-0").folder.rename(open_run("smoke").folder)
    text = open_run("smoke").record_file.read_text()
    open_run("smoke").record_file.write_text(text.replace("run: smoke-seed-0", "run: smoke"))

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            ferbook_sweep, "suite", lambda: SimpleNamespace(check=lambda _: None, prepare=interrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            ran({"seed": "0..2"})
    assert ran({"seed": "0..2"})[1] == {}


def test_a_chapter_that_was_never_started_is_not_blamed_for_an_old_log(work):
    _, broken = work
    ran({"seed": "0..1"}, "throws")
    log = open_run("smoke-seed-1").log_file("throws")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    finished_file(new_sweep("means", "smoke", {"seed": "0..1"}).board, "throws", "smoke-seed-1").unlink(
        missing_ok=True
    )
    broken.add("smoke-seed-1")
    assert ran({"seed": "0..1"})[1] == {"smoke-seed-1": "not made (means: never ran)"}


def test_a_record_that_is_damaged_is_named(work):
    sweep, _ = ran({"seed": "0..1"}, "throws")
    (sweep.folder / "sweep.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(RunStoreError, match=r"sweep\.yaml: "):
        sweep.with_earlier()


def test_where_a_setting_has_one_run_of_very_many_the_figure_shows_it(work):
    _, broken = work
    broken |= {f"smoke-draws-200-seed-{n}" for n in range(1, 34)}
    sweep, faults = ran({"seed": "0..33", "draws": "100,200"})
    rows, absent = keep_outcome(sweep)
    assert len(faults) == 33 and len(absent) == 33
    assert (sweep.folder / "figures" / "outcome.svg").exists()
    assert sum(row["mean_of"] == 34 for row in rows) == 1


def test_taking_a_result_that_is_there_takes_back_a_later_failure(work):
    ran({"seed": "0..1"}, "throws")
    own, other = (open_run(f"smoke-seed-{n}").result("throws") for n in range(2))
    own.take(other)
    own.failed_folder.mkdir()
    own.take(other)
    assert not own.failed_folder.exists()
