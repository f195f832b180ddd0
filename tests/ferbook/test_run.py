"""Driving runs: who may change one, what emptying leaves, what a chapter that ended silently is told of, and
what several share.
"""

import contextlib
import dataclasses
import json
import shutil
import uuid
from pathlib import Path

import pytest

from ferbook import book
from ferbook import run as ferbook_run
from ferbook.book import chapters, clear_cached_book, find_chapter
from ferbook.errors import BookError, ChapterError, DataError, RunStoreError
from ferbook.inputs import ChapterState
from ferbook.request import Request
from ferbook.run import make_runs, plan_runs, requests_by_run
from ferbook.schedule import finished_file
from ferbook.store import Run, current_run, open_run, write_json
from tests.ferbook.clones import run_one


@pytest.fixture
def stored(run, finish):
    """Give the run a finished chapter made with a seed."""

    def stored(seed):
        request = Request("laptop", {"seed": seed})
        finish(run, "throws")
        asked = {name: request.of_chapter(chapter) for name, chapter in chapters().items()}
        ferbook_run.write_record(run, request, asked)

    return stored


def test_what_hours_went_into_may_be_there_before_the_run_is(run, monkeypatch):
    own = dataclasses.replace(book.suite(), run_folders=("populations",))
    monkeypatch.setattr(ferbook_run, "suite", lambda: own)
    weights = run.folder / "populations" / "one" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    monkeypatch.setattr(ferbook_run, "run_jobs", lambda *_, **__: (0, {}))
    with pytest.raises(ChapterError, match="not up to date: throws"):
        run_one(Request("smoke"), ["throws"], "a")
    assert weights.exists() and run.exists()


def test_a_run_that_is_up_to_date_is_the_current_one_and_a_refused_one_is_not(run, stored, monkeypatch):
    stored(seed=0)
    other = open_run("b")
    shutil.copytree(run.folder, other.folder)
    fresh = [ChapterState("throws", ())]
    monkeypatch.setattr(ferbook_run, "states", lambda *_: fresh)
    for each in (run, other, run):
        assert run_one(None, ["throws"], each.name).states == fresh
        assert current_run() == each
    with pytest.raises(RunStoreError, match="exists with other parameters"):
        run_one(Request("laptop", {"seed": 5}), ["throws"], "b")
    assert current_run() == run


def test_what_is_refused_while_it_is_prepared_is_no_run_and_not_the_current_one(run, stored, monkeypatch):
    stored(seed=0)
    ferbook_run.make_current(run)

    def prepare(_):
        raise DataError("too few people")

    monkeypatch.setattr(ferbook_run, "suite", lambda: dataclasses.replace(book.suite(), prepare=prepare))
    before = run.record_file.read_bytes(), run.results()
    for name in ("b", "a"):
        with pytest.raises(DataError, match="too few people"):
            run_one(Request("laptop", {"seed": 5}), ["throws"], name, update=True)
        assert current_run() == run
    assert not open_run("b").exists() and (run.record_file.read_bytes(), run.results()) == before


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "killed from outside, or the memory ran out"),
        ("OSError: disk full\n[IPKernelApp] WARNING | x\n", "OSError: disk full"),
        (None, ""),
    ],
)
def test_a_chapter_that_left_no_word_is_named_with_its_log(run, log, told):
    if log is not None:
        run.log_file("throws").parent.mkdir(parents=True)
        run.log_file("throws").write_text(log)
    fault = ferbook_run.chapter_failure(run.work, run, list(chapters().values()), "2026-01-01")
    assert fault.startswith(f"chapter 'throws' ended without a result: {told}" if told else "")
    assert bool(fault) == bool(told)


@pytest.fixture
def idle(monkeypatch):
    """Snakemake ends without an error, and has done nothing."""
    monkeypatch.setattr(ferbook_run, "run_jobs", lambda *_, **__: (0, {}))


def test_a_run_killed_before_its_record_had_its_name_goes_on(run, idle):
    run.work.mkdir(parents=True)
    left = run.folder / f".run.yaml.{uuid.uuid4().hex}"
    left.write_text("run: a")
    with contextlib.suppress(ChapterError):
        run_one(Request("smoke"), ["throws"], "a")
    assert run.exists() and not left.exists()


def test_a_folder_with_files_of_others_is_not_taken_for_a_run(run, idle):
    run.work.mkdir(parents=True)
    for name in (f".run.yaml.{uuid.uuid4().hex}", ".run.yaml.swp"):
        (run.folder / name).touch()
    with pytest.raises(RunStoreError, match=r"holds no run\.yaml"):
        run_one(Request("smoke"), ["throws"], "a")
    assert len(list(run.folder.iterdir())) == 3


def test_a_chapter_that_was_not_made_is_told_though_snakemake_told_of_no_error(run, idle, monkeypatch):
    with pytest.raises(ChapterError, match=r"not up to date: throws \(never ran\)") as fault:
        run_one(Request("smoke"), ["throws"], "a")
    assert str(run.work / "snakemake.log") in str(fault.value)
    lost = {("throws", "a"): "its job 7 is lost"}
    monkeypatch.setattr(ferbook_run, "run_jobs", lambda *_, **__: (0, lost))
    with pytest.raises(ChapterError, match="its job 7 is lost"):
        run_one(Request("smoke"), ["throws"], "a")


def test_what_the_book_refuses_and_a_notebook_that_differs_stop_a_run_before_it_begins(copy, monkeypatch):
    run = open_run("a")
    notebook = copy / "book" / "throws" / "throws.ipynb"
    good = notebook.read_text()
    notebook.write_text(good.replace("sides = 6", "sides = 7"))
    with pytest.raises(BookError, match=r"throws\.ipynb: .* which has sides = 6; make them equal"):
        run_one(Request("smoke"), ["means"], "a")
    notebook.write_text(good)
    refusing = (
        "from ferbook.book import Suite\nfrom ferbook.errors import DataError\n\n\n"
        "def check(parameters):\n    raise DataError(', '.join(parameters))\n\n\nSUITE = Suite(check=check)\n"
    )
    (copy / "book" / "suite.py").write_text(refusing)
    clear_cached_book()
    with pytest.raises(DataError, match=r"^throws, means$"):
        run_one(Request("smoke"), ["means"], "a")
    assert not run.folder.exists()


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
                run.result(name).copy_from(open_run(home).result(name))
            inputs["upstream"] = {name: run.result(name).artifact_digest() for name in chapter.upstream}
            staged = tmp_path / "staged"
            write_json(staged / "record.json", {"seconds": 1.5, "commit": "abc", "figures": {}})
            value = float(inputs["parameters"]["seed"])
            metric = {"value": value, "low": value - 1, "high": value + 1, "how": "x"}
            write_json(staged / "metrics.json", {"mean": metric, "throws": metric})
            run.result(job.kind).commit(staged, inputs)
            finished_file(board, job.kind, job.name).parent.mkdir(parents=True, exist_ok=True)
            finished_file(board, job.kind, job.name).touch()
            done.append((job.kind, job.name))
        return 0, {}

    monkeypatch.setattr(ferbook_run, "run_jobs", start)
    return done, broken


def ran(given, chapter="means", **settings):
    requests = requests_by_run(Request("smoke", given), [chapter])
    return make_runs(requests, [chapter], **settings)[1]


def stale(given, chapter="means"):
    """Run -> what would be executed in it."""
    requests = requests_by_run(Request("smoke", given), [chapter])
    places, todo = plan_runs(requests, [chapter])
    return {each.run.name: [c.name for place, c in todo if place is each] for each in places}


def test_what_does_not_depend_on_what_varies_is_made_once_and_taken_by_all(work):
    done, _ = work
    assert ran({"draws": "100,200,300"}) == {}
    assert done.count(("throws", "smoke-draws-100")) == 1 and len(done) == 4
    assert not any(stale({"draws": "100,200,300"}).values())
    files = [open_run(f"smoke-draws-{n}").result("throws").folder / "metrics.json" for n in (100, 300)]
    assert files[0].samefile(files[1])


def test_what_nothing_else_needs_is_taken_when_it_was_made(work):
    done, _ = work
    requests = {name: Request("smoke") for name in ("a", "b")}
    assert make_runs(requests, ["throws"])[1] == {} and done == [("throws", "a")]
    assert open_run("b").result("throws").done() == open_run("a").result("throws").done() is not None
    assert set(open_run("b").record()["chapters"]) == {"throws"}


def test_what_depends_on_it_is_made_in_each_run_and_several_are_not_the_current_one(work):
    assert ran({"seed": "0..2"}) == {}
    assert sorted(work[0]) == [(kind, f"smoke-seed-{n}") for kind in ("means", "throws") for n in range(3)]
    with pytest.raises(RunStoreError, match="no run yet"):
        current_run()


def test_a_second_call_has_nothing_to_do_and_a_longer_range_adds_runs(work):
    done, _ = work
    ran({"seed": "0..1"}, "throws")
    del done[:]
    ran({"seed": "0..1"}, "throws")
    assert done == []
    ran({"seed": "0..3"}, "throws")
    assert sorted(done) == [("throws", "smoke-seed-2"), ("throws", "smoke-seed-3")]


def test_a_run_that_fails_is_named_the_others_are_made_and_the_same_call_goes_on(work):
    done, broken = work
    broken.add("smoke-seed-1")
    faults = ran({"seed": "0..2"}, "throws")
    told = "Snakemake ended without an error, but not up to date: throws (never ran)"
    assert faults == {"smoke-seed-1": told} and len(done) == 2
    broken.clear()
    del done[:]
    assert ran({"seed": "0..2"}, "throws") == {} and done == [("throws", "smoke-seed-1")]


def test_what_snakemake_calls_an_error_is_none_where_all_is_there(work, monkeypatch):
    start = ferbook_run.run_jobs
    monkeypatch.setattr(ferbook_run, "run_jobs", lambda *a, **k: start(*a, **k) and (1, {}))
    assert ran({"seed": "0..1"}) == {}


def test_what_was_made_of_other_content_is_not_taken(work, finish):
    """The same inputs came out otherwise: what was made from them there does not fit here."""
    ran({"draws": "100,200"})
    first, second = (open_run(f"smoke-draws-{n}") for n in (100, 200))
    inputs = second.result("throws").done()["inputs"]
    staged = second.work / "staged"
    write_json(staged / "record.json", {"seconds": 1.5, "commit": "abc", "figures": {}})
    write_json(staged / "metrics.json", {})
    write_json(staged / "artefacts" / "other.json", {"other": 1})
    second.result("throws").commit(staged, inputs)
    assert stale({"draws": "100,200"}) == {first.name: [], second.name: ["means"]}


def test_asking_what_would_be_done_writes_nothing(work, copy):
    planned = stale({"draws": "100,200"})
    assert planned == {"smoke-draws-100": ["throws", "means"], "smoke-draws-200": ["means"]}
    assert not (copy / "runs").exists()


def test_runs_that_have_other_parameters_by_now_are_named_and_made_again_where_asked(work):
    ran({"seed": "0..1"}, "throws")
    record = open_run("smoke-seed-1").record()
    record["request"]["parameters"]["throws"]["sides"] = 8
    open_run("smoke-seed-1").write_record(record)
    told = r"'smoke-seed-1' exists with other parameters .*what these change$"
    with pytest.raises(RunStoreError, match=told):
        ran({"seed": "0..1"}, "throws")
    assert ran({"seed": "0..1"}, "throws", update=True) == {}
    assert open_run("smoke-seed-1").record()["request"]["parameters"]["throws"]["sides"] == 6


def test_runs_that_took_a_result_before_something_stopped_go_on(work, monkeypatch):
    ran({"draws": "100"})

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ferbook_run, "run_jobs", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ran({"draws": "100,200"})
    assert open_run("smoke-draws-200").result("throws").done() is not None
    assert ran({"draws": "100,200"}) == {}


def test_taking_a_result_that_is_there_takes_back_a_later_failure(work):
    ran({"seed": "0..1"}, "throws")
    own, other = (open_run(f"smoke-seed-{n}").result("throws") for n in range(2))
    own.copy_from(other)
    own.failed_folder.mkdir()
    own.copy_from(other)
    assert not own.failed_folder.exists()
