"""The command line's own part: what it prints can be copied, and every failure is one line with its exit
code.
"""

import io
import json
import re
import sys
from importlib.metadata import version
from textwrap import wrap
from types import SimpleNamespace

import pytest

from ferbook import cli, console
from ferbook.book import clear_cached_book, suite
from ferbook.errors import ChapterError, DataError
from ferbook.estimate import Estimate
from ferbook.inputs import ChapterState
from ferbook.store import ChapterResult, Run


@pytest.fixture(autouse=True)
def runs(example, tmp_path, monkeypatch):
    monkeypatch.setattr(console.console, "width", 80)
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (DataError("no csv"), 2, "ferbook: no csv\n"),
        (ChapterError("cell [3] [/b] failed"), 1, "ferbook: cell [3] [/b] failed\n"),
        (OSError(28, "No space left on device", "/a/b"), 2, "ferbook: /a/b: No space left on device\n"),
        (OSError("odd"), 2, "ferbook: odd\n"),
    ],
)
def test_a_failure_is_one_line_with_its_exit_code(monkeypatch, command, fault, code, told):
    def fail():
        raise fault

    monkeypatch.setattr(cli, "command_line", lambda: fail)
    assert command() == (code, "", told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "-p", "draws=x"], "means.draws = 'x' is not allowed: it must be an int, ≥ 100, ≤ 100000"),
        (["run", "-p", "draws"], "expected NAME=VALUE"),
        (["run", "-p", "mens.draws=500"], "no chapter 'mens' (did you mean 'means'?)"),
        (["run", "-p", "throws.draws=500"], "throws has no parameter 'draws'"),
        (["run", "meens"], "did you mean 'means'"),
        (["run", "--profile", "labtop"], "did you mean 'laptop'"),
        (["run", "--run", "../elsewhere"], "run name '../elsewhere' cannot be used"),
        (["run", "-f", "absent.yaml"], "absent.yaml: cannot be read"),
        (["status", "--run", "absent"], "there is no run 'absent'"),
        (["compare", "absent", "other"], "there is no run 'absent'"),
        (["params", "thros"], "did you mean 'throws'"),
        (["run", "-p", "sides="], "sides = '' is not allowed"),
        (["run", "means", "-p", "seed=-1"], "means.seed = '-1' is not allowed"),
        (["run", "means", "-p", "seed=0,1", "--dry-run", "--executor", "none"], "no executor 'none'"),
        (["status", "--all", "--run", "a"], "--all and --run do not go together"),
        (["run", "--cores", "2", "--executor", "slurm"], "--cores and --executor do not go together"),
        (["run", "means", "-p", "seed=0..100"], "101 runs are more than 100; request some of them at a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_line_and_executes_nothing(command, runs, words, told):
    code, out, errors = command(*words)
    assert (code, out) == (2, "") and told in errors and len(errors.strip().splitlines()) == 1
    assert not runs.exists() and not (runs.parent / "elsewhere").exists()


def test_a_number_that_an_option_does_not_take_is_refused(command, runs):
    code, out, errors = command("run", "--cores", "0")
    assert (code, out) == (2, "") and "--cores" in errors and not runs.exists()


def test_claims_are_answered_in_sentences(command, finish, run):
    mean = Estimate(3.5, 3.4, 3.6, how="bootstrap").to_json()
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    finish(run, "means", {}, {"mean": mean, "coins": Estimate(1, why="known").to_json()})
    lines = command("claims", "--run", "a")[1].replace("\u00a0", " ").splitlines()
    assert [line.strip() for line in lines[:3]] == ["run 'a'", "Pearson 1900", "A die beats two coins"]
    assert lines[3].strip().startswith("your run: YES. A throw shows 3.50") and "two coins 1.00" in lines[3]
    (found,) = json.loads(command("claims", "--run", "a", "--json")[1])["claims"]
    assert (found["answer"], found["estimate"], found["commit"]) == ("yes", mean, "abc")
    assert [row["estimate"]["value"] for row in found["controls"]] == [3.5, 1]
    finish(run, "means", {}, {"mean": mean})
    assert "its control was not measured: means.coins" in command("claims", "--run", "a")[1]


@pytest.mark.parametrize("value", ["inf", "nan", "1e200"])
def test_a_value_that_no_record_could_hold_is_refused_and_nothing_is_written(copy, command, value):
    """A float and a text whose author set no bounds."""
    file = copy / "book" / "throws" / "chapter.py"
    text = file.read_text()
    more = "\n    weight: float = 1.0\n    label: str = 'a'\n    seed:"
    assert "\n    seed:" in text
    file.write_text(text.replace("\n    seed:", more, 1))
    clear_cached_book()
    for words, told in ((f"weight={value}", "no finite number"), ("label={a", "holds '{'")):
        code, _, err = command("run", "throws", "--run", "a", "-p", words)
        assert code == 2 and f"throws.{words.partition('=')[0]} = " in err and told in err
        assert err.count("\n") == 1 and not (copy / "runs" / "a").exists()


def test_a_build_says_what_is_out_of_date_or_absent_and_which_file_to_open(monkeypatch, command, tmp_path):
    index = tmp_path / ("long " * 20) / "[e] {c}" / "index.html"
    why = {"throws": "code changed", "means": "never ran", "sums": "data not found (FER_DATA)"}
    states = [ChapterState(name, (reason,)) for name, reason in why.items()]
    there = [ChapterResult(name, tmp_path) for name in ("throws", "sums")]
    monkeypatch.setattr("ferbook.store.Run.results", lambda run: there)
    monkeypatch.setattr("ferbook.build.build_book", lambda run: index)
    monkeypatch.setattr("ferbook.build.built_run", lambda: "")
    monkeypatch.setattr("ferbook.inputs.run_states", lambda run: states)
    assert command("build", "--run", "a")[1] == (
        "note: stale: throws; the book shows what is stored, `ferbook status --run a` says why, "
        "`ferbook run --run a` makes it again\nnote: the run has no means; their pages say how to make "
        f"them\nbook built from run 'a': open {index}\n"
    )
    monkeypatch.setattr("ferbook.build.built_run", lambda: "laptop")
    back = "note: this book replaces that of run 'laptop' at the same address; `ferbook build --run laptop`"
    assert f"{back} brings it back\n" in command("build", "--run", "a")[1]


def test_where_one_is_checked_again_the_others_are_whole_in_lines_that_fit(monkeypatch, command, run):
    run.write_record({"request": {"profile": "laptop", "parameters": {}}, "changed": "now"})
    again = {"chapter": "throws", "executed": True, "faults": [], "state": "executed again, agrees"}
    whole = {"chapter": "means", "executed": False, "faults": [], "state": "stored result whole"}
    monkeypatch.setattr("ferbook.check.check_run", lambda run, names, one: [again, whole] if one else [])
    rest = "the other 1: stored results whole; `ferbook check --run a` executes them again, too"
    told = f"run 'a'\nthrows: executed again, agrees\n{rest}\n"
    assert command("check", "--run", "a", "--one") == (0, told, "")
    again |= {"faults": [f"metric mean, value: 3.5 →{' 4' * 40}"], "state": f"differs in {'words ' * 15}"}
    monkeypatch.setattr(console.console, "_force_terminal", True)
    lines = command("check", "--run", "a", "--one")[1].splitlines()
    assert max(map(len, lines)) <= 80 and " ".join(lines).count(" 4") == 40
    assert [line[:4] for line in lines] == ["run ", "thro", "  wo", "  me", "    ", "the ", "  to"]


def test_a_chapter_is_brought_up_to_date_with_a_profile_before_it_is_checked(monkeypatch, command, run):
    made = []

    def make_runs(requests, names, current):
        made.append(([*requests], names, current))
        return [SimpleNamespace(run=run)], {}

    row = {"chapter": "throws", "executed": True, "faults": [], "state": "agrees"}
    monkeypatch.setattr("ferbook.run.make_runs", make_runs)
    monkeypatch.setattr("ferbook.check.check_run", lambda run, names, one: [row])
    code, out, _ = command("check", "throws", "--profile", "smoke")
    assert (code, made) == (0, [(["smoke"], ["throws"], False)]) and "throws: agrees" in out


def test_listings_are_pure_json_also_where_there_is_nothing(command):
    assert json.loads(command("status", "--all", "--json")[1]) == []
    rows = json.loads(command("params", "throws", "--json")[1])["throws"]
    assert set(suite().profiles) <= set(rows[0])
    for words in (["status", "--json"], ["check", "--json"], ["compare", "a", "b", "--json"]):
        code, out, err = command(*words)
        assert (code, out) == (2, "") and err.startswith("ferbook: there is no run")


def test_what_would_be_executed_is_said_and_nothing_is_written(command, runs):
    words = ("run", "means", "--profile", "smoke", "-p", "draws=100,200", "--dry-run")
    told = "smoke-draws-100: throws, means\nsmoke-draws-200: means\n2 run(s), 3 chapter(s) to be executed\n"
    assert command(*words) == (0, told, "")
    assert not runs.exists()


def test_the_version_is_printed_with_the_commit(monkeypatch, command):
    monkeypatch.setattr(cli, "git_commit", lambda: "abc")
    assert command("--version") == (0, f"fer-lib {version('fer-lib')}, commit abc\n", "")


def test_listings_fit_a_terminal_and_are_whole_in_a_file(monkeypatch, command):
    whole = command("params")[1]
    assert "  sides = 6  (int, ≥ 2, ≤ 100)\n      sides of the die\n" in whole
    assert max(map(len, whole.splitlines())) > 80
    monkeypatch.setattr(console.console, "_force_terminal", True)
    fitted = command("params")[1]
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", fitted).splitlines())) <= 80


def test_before_a_run_starts_the_claims_that_it_may_leave_open_are_named(copy, command, monkeypatch):
    many = "gates: {many: {requires: Many, metric: throws.throws, above: 4}}\n"
    (copy / "claims.yaml").write_text(f"{many}{(copy / 'claims.yaml').read_text()}        gates: [many]\n")
    monkeypatch.setattr("ferbook.run.make_runs", lambda runs, *_, **__: ([], dict.fromkeys(runs, "stopped")))
    for profile, told in (("smoke", True), ("laptop", True), ("reference", False), ("paper", False)):
        code, out, _ = command("run", "--run", "a", "--profile", profile)
        assert code and ("decide these claims: A die beats two coins.\n" in out) is told
    many = ["A claim of some forty-four letters, no more"] * 14
    monkeypatch.setattr("ferbook.answers.left_open", lambda *_: many)
    said = command("run", "--run", "laptop")[1].splitlines()[1]
    assert "; `ferbook claims --run laptop` says which." in said and len(wrap(said, 80)) == 2


def test_one_run_has_nothing_to_be_compared_with(command, runs):
    (runs / "a").mkdir(parents=True)
    asked = {"profile": "smoke", "parameters": {}}
    Run("a", runs / "a").write_record({"request": asked, "changed": "now"})
    code, out, err = command("compare", "a*")
    assert (code, out) == (2, "") and err.startswith("ferbook: 'a' alone: name two runs, or a pattern")


def test_a_terminal_of_few_characters_is_no_failure(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["ferbook", "params", "throws"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    sys.stdout.flush()
    assert not end.value.code
    assert rb"\u2265 2" in written.getvalue()


SUITE = """
import typer

from ferbook.book import Suite


def toss(times: int = 1) -> None:
    print("toss", times)


coins = typer.Typer()
coins.command("flip")(toss)
coins.command("spin")(toss)

SUITE = Suite(
    title="Coins and dice.",
    named_by=("sides",),
    commands={"toss": "added_commands:toss", "coins": "added_commands:coins"},
)
"""


@pytest.fixture
def added(copy, tmp_path, monkeypatch):
    """A book that adds options and commands; what a run is asked for is kept."""
    (copy / "book" / "suite.py").write_text(SUITE)
    (copy / "added_commands.py").write_text(SUITE)
    monkeypatch.syspath_prepend(str(copy))
    clear_cached_book()
    asked = []

    def make_runs(requests, names, **_):
        asked.extend(requests.values())
        raise DataError("stopped")

    monkeypatch.setattr("ferbook.run.make_runs", make_runs)
    return asked


def test_a_book_adds_options_and_commands(added, tmp_path, monkeypatch, command):
    out = command("--help")[1]
    assert "Coins and dice." in out and "toss" in out and "coins" in out
    assert command("toss", "--times", "3")[1] == "toss 3\n"
    assert command("coins", "flip")[1] == "toss 1\n"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert command("run", "--sides", "8")[::2] == (2, "ferbook: stopped\n")
    assert added[-1].overrides == {"sides": "8"}
    twice = command("run", "--sides", "8", "-p", "sides=6")
    assert twice[::2] == (2, "ferbook: sides is given twice\n")
    assert command("run")[0] == 2
    assert added[-1].overrides == {}


def test_a_broken_chapter_is_told_in_one_line(copy, command):
    (copy / "book" / "means" / "chapter.py").write_text("import absent")
    clear_cached_book()
    told = "book/means/chapter.py: ModuleNotFoundError: No module named 'absent'; correct that file"
    assert command("params") == (2, "", f"ferbook: {told}\n")
