"""The command line's own part: what it prints can be copied, and every failure is one line with its exit
code.
"""

import io
import json
import sys
from pathlib import Path

import pytest

from book.profiles import PROFILES
from ferbook import cli, console
from ferbook.book import CHAPTERS
from ferbook.errors import ChapterError, DataError
from ferbook.state import ChapterState
from ferbook.store import ChapterResult


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(console.console, "width", 80)
    return tmp_path / "runs"


def ferbook(monkeypatch, capsys, *words):
    """Run the command line in this process: exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["ferbook", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return end.value.code or 0, captured.out, captured.err


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (DataError("no csv"), 2, "ferbook: no csv\n"),
        (ChapterError("cell [3] [/b] failed"), 1, "ferbook: cell [3] [/b] failed\n"),
        (OSError(28, "No space left on device", "/a/b"), 2, "ferbook: /a/b: No space left on device\n"),
        (OSError("odd"), 2, "ferbook: odd\n"),
    ],
)
def test_a_failure_is_one_line_with_its_exit_code(monkeypatch, capsys, fault, code, told):
    def fail():
        raise fault

    monkeypatch.setattr(cli, "app", fail)
    assert ferbook(monkeypatch, capsys) == (code, "", told)


def finish(monkeypatch, *chapters):
    results = [ChapterResult(name, Path(name)) for name in chapters]
    monkeypatch.setattr("ferbook.store.Run.results", lambda run: results)


def test_a_path_is_neither_broken_nor_read_as_markup(monkeypatch, capsys, tmp_path):
    finish(monkeypatch, *CHAPTERS)
    index = tmp_path / ("long " * 20) / "[e] {c}" / "index.html"
    monkeypatch.setattr("ferbook.build.build_book", lambda run, force: (index, True))
    monkeypatch.setattr("ferbook.state.run_states", lambda run: [])
    _, out, _ = ferbook(monkeypatch, capsys, "build", "--run", "a")
    assert out == f"book built: open {index}\n"


def test_a_book_of_an_outdated_result_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("ferbook.build.build_book", lambda run, force: (tmp_path, True))
    finish(monkeypatch, *CHAPTERS)
    states = [ChapterState("faces", ("library changed",)), ChapterState("training", ())]
    monkeypatch.setattr("ferbook.state.run_states", lambda run: states)
    _, out, _ = ferbook(monkeypatch, capsys, "build", "--run", "a")
    assert out.startswith("note: faces is out of date (library changed); the book shows the stored result")
    assert "`ferbook run --run a`" in out and "training" not in out


def test_a_book_without_some_chapters_names_them_and_calls_none_of_them_out_of_date(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr("ferbook.build.build_book", lambda run, force: (tmp_path, True))
    finish(monkeypatch, *(name for name in CHAPTERS if name != "derl"))
    monkeypatch.setattr("ferbook.state.run_states", lambda run: [ChapterState("derl", ("never ran",))])
    _, out, _ = ferbook(monkeypatch, capsys, "build", "--run", "a")
    assert out.startswith("note: the run has no derl; ") and "out of date" not in out


def test_a_fault_with_brackets_is_shown_as_it_is(monkeypatch, capsys):
    row = {"chapter": "faces", "state": "failed", "faults": ["FAILED a[/b]::Cell [0] " + "x" * 80]}
    monkeypatch.setattr("ferbook.check.check_run", lambda *_, **__: [row])
    monkeypatch.setattr("ferbook.store.latest_run", lambda: None)
    code, out, _ = ferbook(monkeypatch, capsys, "check")
    assert (code, out) == (1, f"faces: failed\n  {row['faults'][0]}\n")


def test_the_name_in_a_table_is_never_broken(capsys):
    name = "laptop-" + "x" * 40
    console.print_table("runs", ["run", "metrics"], [[name, "accuracy [0.1, 0.2] " * 10]])
    told = capsys.readouterr().out
    assert name in told and "[0.1, 0.2]" in " ".join(told.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--run", ""], "run name '' cannot be used"),
        (["status", "--run", ""], "run name '' cannot be used"),
        (["build", "--run", ""], "run name '' cannot be used"),
        (["check", "--run", ""], "run name '' cannot be used"),
        (["run", "--faces", ""], "faces = '' is not allowed"),
        (["status", "--profile", ""], "no profile ''"),
        (["status", "-p", "bogus=1"], "no chapter has a parameter 'bogus'"),
        (["status", "-p", "epochs=0"], "training.epochs = '0' is not allowed"),
        (["check", "--within", "-1"], "--within"),
        (["run", "--cores", "0"], "--cores"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_empty_or_impossible_option_is_refused(monkeypatch, capsys, runs, words, told):
    code, out, err = ferbook(monkeypatch, capsys, *words)
    assert (code, out) == (2, "") and told in err
    assert not runs.exists()


def test_listings_are_pure_json_also_where_there_is_nothing(monkeypatch, capsys):
    assert json.loads(ferbook(monkeypatch, capsys, "runs", "--json")[1]) == []
    assert set(PROFILES) <= set(
        json.loads(ferbook(monkeypatch, capsys, "params", "faces", "--json")[1])["faces"][0]
    )
    for words in (["status", "--json"], ["check", "--json"], ["compare", "a", "b", "--json"]):
        code, out, err = ferbook(monkeypatch, capsys, *words)
        assert (code, out) == (2, "") and err.startswith("ferbook: there is no run")


def test_a_terminal_of_few_characters_is_no_failure(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["ferbook", "params", "faces"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    sys.stdout.flush()
    assert not end.value.code
    assert rb"\u2265 9" in written.getvalue()
