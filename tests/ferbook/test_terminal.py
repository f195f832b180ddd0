"""Tables in a terminal's width."""

import io

import pytest
from rich.console import Console

from ferbook.terminal import shortened, table_that_fits

PATH = "/home/somebody/pictures/of a long holiday/by the sea/2024/IMG_0001.jpeg"
PREDICTED = (
    ["picture", "emotion", "probabilities from 0.01", "faces"],
    [[PATH, "happiness", "happiness 0.61, surprise 0.30, neutral 0.09", "largest of 3"]],
)
COMPARED = (
    ["metric", "reference", "smoke", "difference", "intervals"],
    [["structure_and_loss.valid_accuracy", "61.2 % (58.1 to 64.0 %)", "43 %", "−18.2 %", "disjoint"]],
)


def printed(columns, rows, width):
    table, left_out = table_that_fits(columns, rows, width)
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False).print(table)
    return file.getvalue(), left_out


@pytest.mark.parametrize("table", [PREDICTED, COMPARED])
@pytest.mark.parametrize("width", [200, 100, 80, 60, 40])
def test_no_line_is_too_long_and_no_word_is_broken(table, width):
    text, left_out = printed(*table, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    shown = len(table[0]) - len(left_out)
    assert shown >= 2 and table[0][shown:] == left_out
    for cell in [*table[0][1:shown], *table[1][0][1:shown]]:
        assert all(word in text.split() for word in cell.split()), cell


def test_a_path_is_shortened_before_a_column_goes_and_its_end_stays():
    text, left_out = printed(*PREDICTED, 80)
    assert not left_out and "…" in text and "IMG_0001.jpeg" in text
    assert (
        printed(*PREDICTED, 200) == (printed(*PREDICTED, 200)[0], []) and PATH in printed(*PREDICTED, 200)[0]
    )


def test_a_name_stays_whole_while_the_others_fit_and_the_last_columns_go_first():
    text, left_out = printed(*COMPARED, 80)
    assert "structure_and_loss.valid_accuracy" in text and left_out == []
    assert printed(*COMPARED, 60)[1] == ["intervals"] and printed(*COMPARED, 40)[1] == COMPARED[0][3:]


def test_where_even_two_columns_do_not_fit_both_are_shortened():
    text, _ = printed(["name", "told"], [["a" * 50, "b" * 50]], 30)
    assert max(map(len, text.splitlines())) <= 30 and text.count("…") == 2


@pytest.mark.parametrize("width", [1, 2, 9, 10, 11])
def test_the_middle_is_left_out(width):
    short = shortened("0123456789", width)
    assert len(short) == min(width, 10) and short.endswith("9" if width > 1 else "…")
