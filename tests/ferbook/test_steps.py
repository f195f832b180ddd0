"""How far a long piece of work has come: in a file, in lines, and never in a notebook."""

import io
import json
import re
import sys
import threading

import pytest
from rich.console import Console

from ferbook import steps as module
from ferbook.steps import STEPS_VARIABLE, steps, steps_text


@pytest.fixture
def clock(monkeypatch):
    """The time that ``steps`` reads, which a test moves on."""
    times = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: times[-1])
    return times


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where the steps are noted."""
    monkeypatch.setenv(STEPS_VARIABLE, str(tmp_path / "training.steps"))
    return tmp_path / "training.steps"


@pytest.fixture
def no_notebook(monkeypatch):
    monkeypatch.delenv(STEPS_VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)


def test_the_file_says_how_far_the_work_is_until_it_ends(clock, file):
    with steps("epochs", 12) as advance:
        advance(0.4)
        assert not file.exists(), "not before half a second is over"
        clock.append(130.0)
        advance(2)
        # 30 s · (12 / 2.4 - 1)
        assert json.loads(file.read_text()) == {"text": "epochs 2.4 of 12", "left": 120}
        with steps("pictures", 2000) as inner:
            clock.append(131.0)
            inner(1000)
            assert json.loads(file.read_text())["text"] == "pictures 1,000 of 2,000"
        assert not file.exists()
        clock.append(160.0)
        advance(3.6)
        assert json.loads(file.read_text()) == {"text": "epochs 6 of 12", "left": 60}
    assert not file.exists()


def test_where_steps_differ_in_length_the_time_left_goes_by_the_share_of_work(clock, file):
    with steps("epochs", 4) as advance:
        clock.append(110.0)
        advance(2, 0.2)  # of growing pictures: half the epochs, a fifth of the work
        assert json.loads(file.read_text()) == {"text": "epochs 2 of 4", "left": 40}


@pytest.mark.parametrize(("seconds", "told"), [(40, "chapters 0 of 9, about 40 s left\n"), (4, "")])
def test_long_work_is_told_before_it_begins(monkeypatch, capsys, seconds, told):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with steps("chapters", 9, seconds):
        assert capsys.readouterr().err == told


def test_on_a_terminal_one_line_fits_and_its_time_left_goes_down(clock, no_notebook, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(module, "Console", lambda **_: terminal)
    with steps("pictures rendered:", 16_652, 600):
        clock.append(160.0)
    lines = re.split(r"\r|\n|\x1b\[\S*?[A-Za-z]", terminal.file.getvalue())
    assert any(line.endswith(" pictures rendered: 0 of 16,652, about 9 min left") for line in lines), lines
    assert max(map(len, lines)) < 80
    with steps("pages", 9):
        pass
    assert " pages 0 of 9\n" in terminal.file.getvalue(), "where nobody knows how long it takes"


def test_work_that_fails_leaves_nothing(clock, file):
    with pytest.raises(KeyError), steps("epochs", 2) as advance:
        clock.append(200.0)
        advance(1)
        raise KeyError
    assert not file.exists()


def test_in_a_log_a_line_is_printed_also_while_no_step_ends(clock, no_notebook, monkeypatch, capsys):
    """The lines come from a thread of their own: here it ticks three times at once."""
    pauses, ticked = [], threading.Event()

    class Ended(threading.Event):
        def wait(self, pause):
            pauses.append(pause)
            clock.append(clock[-1] + pause)
            if len(pauses) > 3:
                ticked.set()
                super().wait()
            return self.is_set()

    monkeypatch.setattr(module, "Event", Ended)
    with steps("pages", 9, 60, lambda: "check: chapter 1 of 9 (faces)"):
        ticked.wait()
    told = capsys.readouterr()
    assert told.out == "" and pauses[:4] == [10.0] * 4
    lefts = [line.removeprefix("check: chapter 1 of 9 (faces), about ") for line in told.err.splitlines()]
    assert lefts == ["60 s left", "50 s left", "40 s left", "30 s left"]


def test_a_notebook_opened_by_hand_keeps_nothing_of_it(clock, monkeypatch, capsys):
    monkeypatch.delenv(STEPS_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with steps("epochs", 2) as advance:
        clock.append(1000.0)
        advance(1)
    assert capsys.readouterr() == ("", "")


def test_a_work_of_nothing_and_one_of_more_than_was_said_are_told_too():
    assert steps_text("epochs", 3, 2) == "epochs 3 of 2"
