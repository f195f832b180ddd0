"""Runs from elsewhere: forged with digests written anew, or damaged; each is told in one line, alone."""

import json
import os
import shutil
import subprocess

import nbformat
import pytest

from ferbook import paths
from ferbook.answers import answers_of
from ferbook.book import chapters
from ferbook.build import build_book, mark_run_local
from ferbook.check import todays_notebook
from ferbook.compare import compare_runs, run_rows
from ferbook.environment import held, is_held, start_logged
from ferbook.errors import RunStoreError
from ferbook.inputs import run_states
from ferbook.notebook import read_notebook
from ferbook.progress import at_work
from ferbook.records import read_json
from ferbook.store import DONE, LARGEST_RUN_RECORD, exclusive, file_checksums, open_run, write_json

METRICS = {"throws": {"value": 60, "unit": "count"}}


@pytest.fixture
def runs(run, finish):
    """A run as it should be, ``good``, and one to be forged."""
    good = open_run("good")
    for each in (run, good):
        each.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
        finish(each, "throws", {"parameters": {"seed": 1}}, METRICS)
    return run


def sign(run):
    """Write the digests of the chapter anew."""
    folder = run.result("throws").folder
    done = json.loads((folder / DONE).read_text())
    write_json(folder / DONE, done | {"files": file_checksums(folder)})


def change(run, file, changes):
    path = run.result("throws").folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    if file != DONE:
        sign(run)


def write(run, file, text):
    (run.result("throws").folder / file).write_text(text)
    if file != DONE:
        sign(run)


def piped(run, file):
    path = run.result("throws").folder / file
    path.unlink()
    os.mkfifo(path)


def linked(run):
    folder = run.result("throws").folder
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def linking(run, file):
    (run.result("throws").folder / file).symlink_to("/etc/passwd")


def replaced(run, file):
    (run.result("throws").folder / file).write_text("{}")


DEEP = "[" * 100_000
ENDLESS = float("inf")
# What is told of the chapter -> how it is forged, and with what.
FORGERIES = {
    "deep record": ("record.json: not readable", write, "record.json", DEEP),
    "deep manifest": ("not finished", write, DONE, DEEP),
    "script as device": ("device: holds '<'", change, "record.json", {"device": "<script>"}),
    "signs of a terminal": ("device: holds", change, "record.json", {"device": "\x1b[2J"}),
    "endless seconds": ("seconds: no finite", change, "record.json", {"seconds": ENDLESS}),
    "threads without end": ("threads: ", change, "record.json", {"threads": 10**9}),
    "tolerance in words": ("t, tolerance", change, "record.json", {"tables": {"t": {"tolerance": "all"}}}),
    "inputs as a list": ("inputs: ", change, DONE, {"inputs": []}),
    "code as a list": ("inputs, code", change, DONE, {"inputs": {"code": [1]}}),
    "huge metric": ("throws.value: no finite", change, "metrics.json", {"throws": {"value": 10**400}}),
    "endless n": ("throws.n: no", change, "metrics.json", {"throws": {"value": 1, "n": ENDLESS, "why": "x"}}),
    "metric of text": ("is not a metric", change, "metrics.json", {"throws": "high"}),
    "a pipe for the manifest": ("not finished", piped, DONE),
    "a pipe for metrics": ("no plain file", piped, "metrics.json"),
    "a link for the chapter": ("a link", linked),
    "a link to a file": ("x: a link or a pipe", linking, "x"),
    "metrics changed": ("metrics.json: differs from its checksum", replaced, "metrics.json"),
}


@pytest.mark.defect("R3", "R4", "R5")
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_chapter_is_told_in_a_line_and_costs_its_run_alone(runs, name):
    told, forge, *given = FORGERIES[name]
    forge(runs, *given)
    faults = runs.result("throws").faults()
    assert any(told in fault for fault in faults) and "\n" not in faults[0]
    assert [row["run"] for row in run_rows()] == ["a", "good"]
    (state, _) = run_states(runs)
    assert not state.up_to_date
    with pytest.raises(RunStoreError):
        build_book(runs)


@pytest.mark.defect("R2")
def test_no_command_believes_a_number_that_differs_from_its_digest(runs):
    replaced(runs, "metrics.json")
    told = r"a/throws/metrics\.json: differs from its checksum"
    for believe in (lambda: compare_runs("good", "a"), lambda: answers_of(runs, {})):
        with pytest.raises(RunStoreError, match=told):
            believe()


@pytest.mark.defect("R2")
def test_a_number_whose_digest_was_written_anew_is_believed_and_that_is_said(runs):
    change(runs, "metrics.json", {"throws": {"value": 61, "unit": "count"}})
    assert compare_runs("good", "a")["metrics"][0]["second"]["value"] == 61
    page = (paths.ENGINE.parent / "book" / "rerun.md").read_text(encoding="utf-8")
    assert "protect a run against damage, not against forgery" in page


@pytest.mark.defect("R3")
def test_a_run_from_elsewhere_is_shown_only_once_it_is_called_ones_own(runs, finish, tmp_path, toy_book):
    assert compare_runs("good", "a")["equal"] and build_book(runs)
    paths.local_results().unlink()
    told = r"run 'a' comes from elsewhere \(throws was not made here\): .* `ferbook build --run a --mine`"
    assert compare_runs("good", "a")["equal"]
    with pytest.raises(RunStoreError, match=told):
        build_book(runs)
    mark_run_local(runs)
    assert build_book(runs)
    finish(runs, "throws", {"parameters": {"seed": 2}}, METRICS)
    change(runs, DONE, {"finished": "later"})
    with pytest.raises(RunStoreError, match=told):
        build_book(runs)


def test_a_damaged_run_is_not_called_ones_own(runs):
    paths.local_results().unlink()
    replaced(runs, "metrics.json")
    with pytest.raises(RunStoreError, match="differs from its checksum"):
        mark_run_local(runs)
    assert not paths.local_results().exists()


def test_what_git_tracks_is_ones_own_and_without_git_the_reference_is(copy, finish, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(copy.parent))
    results = {}
    for name in ("reference", "theirs"):
        finish(open_run(name), "throws", {}, METRICS, name=name)
        results[name] = open_run(name).result("throws")
    paths.local_results().unlink()
    assert {name: each.is_local() for name, each in results.items()} == {"reference": True, "theirs": False}
    git = ["git", "-C", str(copy), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "runs/theirs"], ["commit", "-qm", "Runs"]):
        subprocess.run([*git, *words], check=True)
    assert {name: each.is_local() for name, each in results.items()} == {"reference": False, "theirs": True}
    change(open_run("theirs"), "record.json", {"device": "other"})
    assert not results["theirs"].is_local()


@pytest.mark.defect("R5")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("- 1", "not the record of a run"),
        (DEEP, "run.yaml"),
        ("a: &a [1]\nb: *a", "holds '\\*'"),
        ("request: {profile: laptop, parameters: {throws: [1]}}\nchanged: x", "request, parameters, throws"),
        ("request: {profile: '<b>', parameters: {}}\nchanged: x", "profile: holds '<'"),
        ("request: {profile: a, parameters: {throws: {seed: 010}}}\nchanged: x", "'010' is no plain number"),
    ],
)
def test_a_record_of_another_form_is_one_line_of_the_list(runs, content, told):
    runs.record_file.write_text(content)
    rows = {row["run"]: row for row in run_rows()}
    assert "fault" in rows["a"] and "fault" not in rows["good"]
    with pytest.raises(RunStoreError, match=told):
        compare_runs("good", "a")


def edit_cell(run, chapter="throws", **changes):
    """Change the last code cell of the executed notebook, and write the digests anew."""
    file = run.result(chapter).notebook
    notebook = read_notebook(file)
    cell = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    cell.update(changes)
    nbformat.write(notebook, file)
    sign(run)
    return cell


@pytest.mark.defect("R1")
def test_code_that_a_run_brings_along_is_found_and_not_executed(runs):
    cell = edit_cell(runs, source="open('/tmp/harm', 'w')")
    notebook, faults = todays_notebook(chapters()["throws"], runs.result("throws"))
    assert faults == [f"cell {cell.id!r}: the code of the run is not that of this checkout"]
    assert not any("harm" in each.source for each in notebook.cells)


def test_outputs_to_compare_with_come_with_their_counts_without_which_nbval_fails(runs):
    file = runs.result("throws").notebook
    notebook = read_notebook(file)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, cell in enumerate(code, start=1):
        cell.execution_count, cell.outputs = place, [nbformat.v4.new_output("stream", text="1")]
    nbformat.write(notebook, file)
    sign(runs)
    today, faults = todays_notebook(chapters()["throws"], runs.result("throws"))
    counts = [cell.execution_count for cell in today.cells if cell.cell_type == "code" and cell.outputs]
    assert faults == [] and counts == list(range(1, len(code) + 1))


@pytest.mark.defect("R8")
def test_a_name_that_notebooks_opened_by_hand_have_is_reserved(example):
    with pytest.raises(RunStoreError, match="notebooks in JupyterLab"):
        open_run("interactive")


def test_what_is_read_is_what_was_vouched_for(runs):
    folder = runs.result("throws").folder
    assert read_json(folder / "metrics.json") == METRICS
    shutil.copy(folder / "metrics.json", folder / "record.json")
    with pytest.raises(RunStoreError, match=r"record\.json: differs from its checksum"):
        runs.result("throws").record()


@pytest.mark.parametrize("name", ["lock", "logs", "logs/throws.check.log", "staging"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda entry: entry.symlink_to("/nowhere")])
def test_a_working_folder_with_a_link_or_a_pipe_is_refused(runs, name, make):
    entry = runs.folder / ".work" / name
    entry.parent.mkdir(parents=True)
    make(entry)
    for use in (lambda: runs.log_file("throws"), lambda: at_work(runs), lambda: exclusive(runs)):
        with pytest.raises(RunStoreError, match="is a link or a pipe, which no run makes; remove"):
            use()


@pytest.mark.parametrize("make", [os.mkfifo, lambda lock: lock.symlink_to(lock.with_name("a")), "hard link"])
def test_only_a_plain_file_is_a_lock(tmp_path, make):
    lock = tmp_path / "lock"
    (tmp_path / "a").write_text("mine")
    os.link(tmp_path / "a", lock) if make == "hard link" else make(lock)
    assert not is_held(lock)
    with pytest.raises(RunStoreError, match="no lock; remove it"), held(lock):
        pass
    assert (tmp_path / "a").read_text() == "mine"


def test_a_log_is_written_beside_what_a_link_leads_to(tmp_path):
    (tmp_path / "a").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "a")
    assert start_logged(["echo", "printed"], tmp_path / "log", {**os.environ}).wait() == 0
    assert (tmp_path / "a").read_text() == "mine" and (tmp_path / "log").read_text() == "printed\n"


def test_a_note_that_comes_with_a_run_vouches_for_nothing(runs):
    note = paths.local_results()
    (paths.runs_dir() / ".own").write_text(note.read_text())
    note.unlink()
    assert not runs.result("throws").is_local()
    assert not note.is_relative_to(paths.root()) and not note.is_relative_to(paths.runs_dir())


def test_a_record_of_a_run_is_of_a_size_that_is_read_at_once(runs):
    runs.record_file.write_text(f"{runs.record_file.read_text()}more: {'a' * LARGEST_RUN_RECORD}\n")
    with pytest.raises(RunStoreError, match=r"run\.yaml: cannot be read \(larger than"):
        runs.record()
