"""Counts as squares: as many as are counted, in the looks of their states."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch

from ferbook.page.squares import squares
from ferbook.page.style import BLUE, RULE, FigureError

COUNTS = pd.DataFrame({"confirmed": [3, 0], "assigned": [2, 4], "not assigned": [5, 6]})
COUNTS.index = ["trained", "untrained"]


def drawn(counts):
    return squares(counts, per_row=4, alt="Squares.", caption="Squares.")


def test_each_thing_has_a_square_in_the_look_of_its_state():
    made = drawn(COUNTS)
    for axes, (name, row) in zip(made.figure.axes, COUNTS.iterrows(), strict=True):
        patches = [each for each in axes.patches if isinstance(each, PathPatch)]
        assert [len(each.get_path().vertices) // 5 for each in patches] == row.to_list()
        assert [to_hex(each.get_facecolor()) for each in patches] == [BLUE, "#ffffff", RULE.lower()]
        assert axes.get_title(loc="left").startswith(f"{name}\n{row.iloc[0]} confirmed, {row.iloc[1]} assi")
    assert made.data.to_dict("list") == {"panel": list(COUNTS.index)} | COUNTS.to_dict("list")
    assert [text.get_text() for text in made.figure.legends[0].get_texts()] == list(COUNTS)


@pytest.mark.parametrize("counts", [COUNTS.assign(more=1), COUNTS.iloc[:0], COUNTS - 1, COUNTS / 2])
def test_what_squares_cannot_show_is_refused(counts):
    with pytest.raises(FigureError):
        drawn(counts)
