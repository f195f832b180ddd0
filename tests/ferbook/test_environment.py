"""Which commit a result names, and that the reference names a clean one."""

import os
import subprocess
import sys

import pytest

from ferbook.book import find_chapter
from ferbook.environment import git_commit, printed_by_failure, uncommitted
from ferbook.errors import RunStoreError
from ferbook.inputs import run_states
from ferbook.request import Request
from ferbook.run import make_runs, write_record
from ferbook.store import open_run


@pytest.fixture
def checkout(copy, monkeypatch):
    """The copied book as a checkout in which everything is committed."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(copy.parent))
    git = ["git", "-C", str(copy), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (copy / "runs").mkdir()
    (copy / "runs" / "kept").write_text("before")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "All"]):
        subprocess.run([*git, *words], check=True)
    return copy


def test_a_commit_is_marked_where_code_differs_from_it_and_not_for_a_run(checkout):
    clean = git_commit()
    (checkout / "runs" / "kept").write_text("after")
    assert git_commit() == clean
    module = checkout / "book" / "means" / "own.py"
    module.write_text("")
    assert (git_commit(), uncommitted()) == (f"{clean}-dirty", ["book/means/own.py"])
    module.unlink()
    (checkout / "book" / "index.md").write_text("# Another")
    assert (git_commit(), uncommitted()) == (f"{clean}-dirty", ["book/index.md"])


def test_the_reference_is_made_of_a_commit_alone(checkout):
    (checkout / "book" / "index.md").write_text("# Another")
    with pytest.raises(RunStoreError, match=r"1 file\(s\) differ from it \(book/index.md\); commit them"):
        make_runs({"reference": Request("reference")}, [])
    assert not open_run("reference").folder.exists()


def test_the_reference_is_made_of_all_its_data(checkout, monkeypatch):
    parameters = type(Request("reference").of_chapter(find_chapter("throws")))
    monkeypatch.setattr(parameters, "data_key", lambda self: {"coins": "absent"})
    with pytest.raises(RunStoreError, match=r"made of all its data, and 'coins' is not here"):
        make_runs({"reference": Request("reference")}, ["throws"])
    assert not open_run("reference").folder.exists()


def test_what_a_command_prints_is_given_where_it_fails(tmp_path):
    for code, lines in ((0, None), (3, ["one"])):
        command = [sys.executable, "-c", f"print('one'); raise SystemExit({code})"]
        assert printed_by_failure(command, tmp_path / "log", dict(os.environ)) == lines
        assert (tmp_path / "log").read_text() == "one\n"


@pytest.mark.parametrize("commit, told", [("abc", ()), ("abc-dirty", ("made of changes that no commit",))])
def test_a_reference_that_was_made_of_changes_says_so(checkout, finish, commit, told):
    for name in ("reference", "mine"):
        finish(open_run(name), "throws", commit=commit)
        write_record(open_run(name), Request(), {})
    reasons = {name: run_states(open_run(name))[0].reasons for name in ("reference", "mine")}
    extra = [reason for reason in reasons["reference"] if reason not in reasons["mine"]]
    assert len(extra) == len(told) and all(map(str.startswith, extra, told))
