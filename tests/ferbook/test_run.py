"""Driving a run: who may change it, what emptying leaves, and what a chapter that ended silently is
told of.
"""

import contextlib
import dataclasses
import shutil
import subprocess
import uuid

import pytest

from ferbook import book
from ferbook import run as ferbook_run
from ferbook.book import chapters, forget
from ferbook.errors import BookError, ChapterError, DataError, RunStoreError
from ferbook.request import Request
from ferbook.state import ChapterState
from ferbook.store import current_run, open_run


@pytest.fixture
def stored(run, finish):
    """Give the run a finished chapter made with a seed."""

    def stored(seed):
        request = Request("laptop", {"seed": seed})
        finish(run, "throws")
        asked = {name: request.of_chapter(chapter) for name, chapter in chapters().items()}
        ferbook_run.write_record(run, request, asked)

    return stored


def test_a_run_that_changed_while_we_waited_for_it_is_not_overwritten(run, stored, monkeypatch):
    @contextlib.contextmanager
    def after_another(run, wait):
        stored(seed=7)
        yield

    monkeypatch.setattr(ferbook_run, "exclusive", after_another)
    with pytest.raises(RunStoreError, match=r"exists with other parameters \(throws.seed 7 → 0"):
        ferbook_run.run_chapters(Request(), [], "a", wait=True, watch=None)
    assert run.result("throws").done() is not None


def test_a_run_whose_emptying_was_stopped_is_still_a_run(run, stored, tmp_path, monkeypatch):
    stored(seed=0)
    (run.folder / "linked").symlink_to(tmp_path)

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        ferbook_run._empty(run)
    assert run.exists()
    monkeypatch.undo()
    ferbook_run._empty(run)
    assert list(run.folder.iterdir()) == [] and tmp_path.is_dir()


def test_what_hours_went_into_is_no_chapters_and_outlives_them(run, stored, monkeypatch):
    monkeypatch.setattr(
        ferbook_run, "suite", lambda: dataclasses.replace(book.suite(), kept=("populations",))
    )
    weights = run.folder / "populations" / "one" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    monkeypatch.setattr(ferbook_run, "start_jobs", lambda *_, **__: subprocess.Popen(["true"]))
    for replace in (False, True):  # the folder is there before the run is
        with pytest.raises(ChapterError, match="not up to date: throws"):
            ferbook_run.run_chapters(
                Request("smoke"), ["throws"], "a", replace=replace, watch=lambda *_: None
            )
    stored(seed=0)
    ferbook_run._empty(run)
    assert weights.exists() and not run.exists() and not run.result("throws").folder.exists()


def test_a_run_that_is_up_to_date_is_the_current_one_and_a_refused_one_is_not(run, stored, monkeypatch):
    stored(seed=0)
    other = open_run("b")
    shutil.copytree(run.folder, other.folder)
    fresh = [ChapterState("throws", ())]
    monkeypatch.setattr(ferbook_run, "states", lambda *_: fresh)
    for each in (run, other, run):
        assert ferbook_run.run_chapters(None, ["throws"], each.name, watch=None)[1] == fresh
        assert current_run() == each
    ferbook_run.run_chapters(None, ["throws"], "b", current=False, watch=None)
    assert current_run() == run
    with pytest.raises(RunStoreError, match="exists with other parameters"):
        ferbook_run.run_chapters(Request("laptop", {"seed": 5}), ["throws"], "b", watch=None)
    assert current_run() == run


def test_what_is_refused_while_it_is_prepared_is_no_run_and_not_the_current_one(run, stored, monkeypatch):
    stored(seed=0)
    ferbook_run.make_current(run)

    def prepare(_):
        raise DataError("too few people")

    monkeypatch.setattr(ferbook_run, "suite", lambda: dataclasses.replace(book.suite(), prepare=prepare))
    before = run.record_file.read_bytes(), run.results()
    for name, how in (("b", "update"), ("a", "update"), ("a", "replace")):
        with pytest.raises(DataError, match="too few people"):
            ferbook_run.run_chapters(
                Request("laptop", {"seed": 5}), ["throws"], name, **{how: True}, watch=None
            )
        assert current_run() == run
    assert not open_run("b").exists() and (run.record_file.read_bytes(), run.results()) == before


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "chapter 'throws' ended without a result: killed from outside, or the memory ran out"),
        ("[IPKernelApp] WARNING | Parent\n", "chapter 'throws' ended without a result: killed from outside"),
        (
            "OSError: disk full\n[IPKernelApp] WARNING | x\n",
            "chapter 'throws' ended without a result: OSError: disk full",
        ),
        ("ferbook: /a: No space left\n", "chapter 'throws' ended without a result: /a: No space left"),
        (None, "None"),
    ],
)
def test_a_chapter_that_left_no_word_is_named_with_its_log(run, log, told):
    if log is not None:
        run.log_file("throws").parent.mkdir(parents=True)
        run.log_file("throws").write_text(log)
    fault = ferbook_run.chapter_failure(run.work, run, list(chapters().values()), "2026-01-01")
    assert str(fault).startswith(told)


@pytest.fixture
def idle(monkeypatch):
    """Snakemake ends without an error, and has done nothing."""
    monkeypatch.setattr(ferbook_run, "start_jobs", lambda *_, **__: subprocess.Popen(["true"]))


def test_a_run_killed_before_its_record_had_its_name_goes_on(run, idle):
    run.work.mkdir(parents=True)
    left = run.folder / f".run.yaml.{uuid.uuid4().hex}"
    left.write_text("run: a")
    with contextlib.suppress(ChapterError):
        ferbook_run.run_chapters(Request("smoke"), ["throws"], "a", watch=lambda *_: None)
    assert run.exists() and not left.exists()


def test_a_folder_with_files_of_others_is_not_taken_for_a_run(run, idle):
    run.work.mkdir(parents=True)
    for name in (f".run.yaml.{uuid.uuid4().hex}", ".run.yaml.swp"):
        (run.folder / name).touch()
    with pytest.raises(RunStoreError, match=r"holds no run\.yaml"):
        ferbook_run.run_chapters(Request("smoke"), ["throws"], "a", watch=lambda *_: None)
    assert len(list(run.folder.iterdir())) == 3


def test_a_chapter_that_was_not_made_is_told_though_snakemake_told_of_no_error(run, idle):
    with pytest.raises(ChapterError, match=r"not up to date: throws \(never ran\)") as fault:
        ferbook_run.run_chapters(Request("smoke"), ["throws"], "a", watch=lambda *_: None)
    assert str(run.work / "snakemake.log") in str(fault.value)


def test_what_the_book_refuses_and_a_notebook_that_differs_stop_a_run_before_it_begins(copy, monkeypatch):
    run = open_run("a")
    notebook = copy / "book" / "throws" / "throws.ipynb"
    good = notebook.read_text()
    notebook.write_text(good.replace("sides = 6", "sides = 7"))
    with pytest.raises(BookError, match=r"throws\.ipynb: .* which has sides = 6; make them equal"):
        ferbook_run.run_chapters(Request("smoke"), ["means"], "a", watch=None)
    notebook.write_text(good)
    refusing = (
        "from ferbook.book import Suite\nfrom ferbook.errors import DataError\n\n\n"
        "def check(parameters):\n    raise DataError(', '.join(parameters))\n\n\nSUITE = Suite(check=check)\n"
    )
    (copy / "book" / "suite.py").write_text(refusing)
    forget()
    with pytest.raises(DataError, match=r"^throws, means$"):
        ferbook_run.run_chapters(Request("smoke"), ["means"], "a", watch=None)
    assert not run.folder.exists()
