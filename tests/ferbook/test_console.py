"""Tables in a terminal's width."""

import json

import pytest

from ferbook import console

PATH = "/home/somebody/pictures/of a long holiday/by the sea/2024/IMG_0001.jpeg"
PREDICTED = (
    ["picture", "emotion", "probabilities from 0.01", "faces"],
    [[PATH, "happiness", "happiness 0.61, surprise 0.30, neutral 0.09", "largest of 3"]],
)
COMPARED = (
    ["metric", "reference", "smoke", "difference", "intervals"],
    [["structure_and_loss.valid_accuracy", "61.2 % (58.1 to 64.0 %)", "43 %", "−18.2 %", "disjoint"]],
)
WORDY = (
    ["chapter", "state", "seconds"],
    [["training", "code changed (fer_lib/names.py, fer_lib/nets/build.py); upstream faces ran", "12.0"]],
)


@pytest.fixture
def lines(monkeypatch, capsys):
    """The lines of a table, as they are printed in so many characters."""

    def print_in(table, width):
        monkeypatch.setattr(console.console, "width", width)
        console.print_table("", *table)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return print_in


@pytest.mark.parametrize("table", [PREDICTED, COMPARED, WORDY])
@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 10])
def test_no_cell_is_cut_and_no_column_left_out(lines, table, width):
    text = " ".join(lines(table, width))
    for row in table[1]:
        assert row[0] in text, "a name can be copied as it is"
        assert all(word in text.split() for cell in row for word in cell.split())


@pytest.mark.parametrize("table", [COMPARED, WORDY])
@pytest.mark.parametrize("width", [200, 100, 80])
def test_lines_fit(lines, table, width):
    assert max(map(len, lines(table, width))) <= width


def test_a_long_cell_goes_on_below_itself(lines):
    first, *others = lines(WORDY, 60)[1:]
    assert first.startswith("training  code") and first.endswith("12.0")
    assert others and all(line.startswith(" " * len("training  ")) for line in others)


def test_nothing_is_a_dash(lines):
    assert lines((["parameter", "a", "b"], [["draws", None, 0]]), 80)[1] == "draws      –  0"


def test_what_does_not_fit_beside_a_name_stands_below_it_a_line_each(lines):
    table = (["name", "told", "more"], [["a" * 50, "b" * 50, ""]])
    assert lines(table, 30) == ["a" * 50, f"  told: {'b' * 50}"]


def test_control_characters_are_written_out(capsys):
    console.console.print("a\x1b[2J\u202eb\x9b\r[c]")
    console.print_table("", ["x\x1b"], [["\x1b[2J"]])
    console.print_json({"\u202e": "\x9b2J\x1b"})
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :]) == {"\u202e": "\x9b2J\x1b"} and "\x9b" not in printed
    assert printed.splitlines()[0] == r"a\x1b[2J\u202eb\x9b\r[c]" and "\x1b" not in printed
    console.errors.print("x" * 10**6)
    assert 4000 < len(capsys.readouterr().err) < 4100
