"""Dots with intervals: what is drawn where, told by the rows."""

import doctest
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from ferbook.estimate import Estimate
from ferbook.page import forest as forests
from ferbook.page import heat, squares
from ferbook.page.forest import Axis, forest
from ferbook.page.style import BLUE, VERMILION, FigureError
from tests.made import row_labels


def rows(**columns):
    given = {"label": ["a", "b"], "value": [0.5, 0.75], "low": [0.25, np.nan], "high": [0.625, np.nan]}
    return pd.DataFrame(given | columns)


def drawn_of(rows, **given):
    return forest(rows, **{"measured": "of", "alt": "Dots.", "caption": "Dots."} | given)


def dots(axes):
    """(x, y) of each dot; singles are drawn before them."""
    *_, points = (each for each in axes.collections if isinstance(each, PathCollection))
    return [tuple(place) for place in points.get_offsets().tolist()]


def colours(axes):
    *_, points = (each for each in axes.collections if isinstance(each, PathCollection))
    return [to_hex(colour) for colour in points.get_edgecolors()]


def test_a_dot_and_an_interval_for_each_row():
    drawn = drawn_of(rows(main=[True, False]), measured="accuracy")
    (axes,) = drawn.figure.axes
    assert dots(axes) == [(0.5, 0), (0.75, 1)]
    assert colours(axes) == [VERMILION, BLUE]
    (interval,) = (each for each in axes.collections if isinstance(each, LineCollection))
    drawn_intervals = [segment.tolist() for segment in interval.get_segments()]
    assert [[0.25, 0], [0.625, 0]] in drawn_intervals
    assert not [x for segment in drawn_intervals for x, y in segment if y == 1 and np.isfinite(x)], "none"
    assert row_labels(axes) == ["a", "b"]
    assert drawn.alt == "Dots. a 50.0 % (25.0 to 62.5) and b 75.0 %."
    assert list(drawn.data.columns) == ["label", "value", "low", "high", "main"]


def test_a_dot_tells_its_row_its_series_its_value_and_its_interval():
    given = rows(series=["test", "training"], group=["vowels", "vowels"], panel=["one", "two"])
    axis = {"one": Axis(), "two": Axis("points", label="gain")}
    drawn = drawn_of(given, measured="accuracy", axis=axis)
    assert [(mark.x, mark.text) for mark in drawn.hover] == [
        (0.5, "vowels, a, test: 50.0 % (25.0 to 62.5); one, accuracy"),
        (0.75, "vowels, b, training: +0.8; two, gain"),
    ]
    for mark, panel in zip(drawn.hover, drawn.figure.axes, strict=True):
        assert mark.axes is panel and (mark.x, mark.y) in dots(panel)


def test_a_column_of_estimates_is_drawn_and_stored_as_its_numbers():
    estimates = [Estimate(0.5, 0.25, 0.625, how="by hand"), Estimate(0.75, why="one person"), None]
    given = pd.DataFrame({"label": ["a", "b", "c"], "estimate": estimates, "gain": [None, *estimates[:2]]})
    drawn = drawn_of(given, measured="accuracy")
    assert drawn.alt == "Dots. a 50.0 % (25.0 to 62.5) and b 75.0 %.", "of nothing measured nothing is told"
    assert drawn.data.columns.to_list() == ["label", "value", "low", "high", "gain", "gain_low", "gain_high"]
    assert drawn.data["high"].to_list()[0] == 0.625
    assert drawn.data["high"].isna().to_list() == [False, True, True]
    assert drawn.data["gain_low"].to_list()[1] == 0.25


def test_measures_stand_side_by_side_each_with_its_unit_and_null():
    twice = pd.concat([rows(panel="share"), rows(panel="gain").iloc[:1].assign(value=-2.0)])
    drawn = drawn_of(twice, axis={"gain": Axis("points", null=0.0)})
    share, gain = drawn.figure.axes
    assert [axes.get_title(loc="left") for axes in (share, gain)] == ["share", "gain"]
    assert dots(share)[1] == (0.75, 1) and dots(gain)[0] == (-2.0, 0)
    assert "gain: a −2.0 (" in drawn.alt and drawn.alt.endswith("A dashed line marks 0.")


def test_equal_values_have_an_axis_that_can_be_read():
    for value, unit, around in ((0.25, "share", 0.01), (0.0, "points", 1)):
        equal = rows(value=[value, value + 1e-17], low=np.nan, high=np.nan)
        (axes,) = drawn_of(equal, axis=Axis(unit)).figure.axes
        assert axes.get_xlim() == pytest.approx((value - around, value + around))


def test_a_title_stays_within_its_panel():
    panels = ["accuracy", "points by which DeRL: all layers is ahead"]
    twice = pd.concat([rows(panel=panel, label=["generator of others' neutrals", "b"]) for panel in panels])
    figure = drawn_of(twice, widths=(1.4, 1)).figure
    figure.canvas.draw()
    assert figure.axes[1].get_title(loc="left").replace("\n", " ") == panels[1]
    assert figure.axes[1]._left_title.get_window_extent().x1 <= figure.bbox.x1


def test_panels_of_other_rows_have_labels_of_their_own():
    apart = pd.concat([rows(panel="left"), rows(panel="right", label=["c", "d"])])
    left, right = drawn_of(apart).figure.axes
    assert [row_labels(axes) for axes in (left, right)] == [["a", "b"], ["c", "d"]]


def test_series_share_a_row_and_groups_have_a_heading():
    four = pd.concat([rows(series="one", group="G"), rows(series="two", group="G", value=[0.1, 0.2])])
    drawn = drawn_of(four)
    (axes,) = drawn.figure.axes
    assert row_labels(axes) == ["G", "a", "b"]
    assert [place for _, place in dots(axes)] == pytest.approx([0.83, 1.83, 1.17, 2.17])
    assert len(set(colours(axes))) == 2
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["one", "two"]


def test_notes_and_single_values_are_drawn_beside_the_dots():
    singles = pd.DataFrame({"label": ["b", "b"], "value": [0.7, 0.8]})
    given = rows(note=["+1", ""])
    (axes,) = drawn_of(given, singles=singles, noted="gain").figure.axes
    assert [text.get_text() for text in axes.texts] == ["+1", "gain"]
    below, _ = (each for each in axes.collections if isinstance(each, PathCollection))
    assert below.get_offsets().tolist() == [[0.7, 1.3], [0.8, 1.3]]


def test_of_many_rows_some_are_named_and_the_range_is_told():
    many = pd.DataFrame({"label": [f"r{n}" for n in range(60)], "value": np.linspace(0, 1, 60)})
    drawn = drawn_of(many.assign(low=np.nan, high=np.nan))
    assert len(drawn.figure.axes[0].get_yticklabels()) == 30
    assert drawn.alt == "Dots. 60 values from 0.0 % to 100.0 %."


def test_what_a_forest_cannot_draw_is_refused():
    with pytest.raises(FigureError, match="lacks low"):
        drawn_of(rows().drop(columns="low"))
    seven = pd.concat(rows(series=f"s{n}") for n in range(7))
    with pytest.raises(FigureError, match="7 series"):
        drawn_of(seven)


@pytest.mark.parametrize("module", [forests, heat, squares])
def test_the_example_is_true(module):
    found = doctest.testmod(module, extraglobs={"pd": pd})
    assert found.attempted and not found.failed


@pytest.mark.slow
def test_another_process_draws_the_same_bytes():
    script = (
        "import hashlib, io, pandas as pd\n"
        "from ferbook.page.forest import Axis, forest\n"
        "rows = pd.DataFrame({'label': ['a', 'b'], 'value': [.5, .7], 'low': [.4, .6], 'high': [.6, .8]})\n"
        "sink = io.BytesIO()\n"
        "forest(rows, measured='m', alt='Dots.', caption='Dots.').figure"
        ".savefig(sink, format='svg', metadata={'Date': None})\n"
        "print(hashlib.sha256(sink.getvalue()).hexdigest())\n"
    )
    answers = {subprocess.check_output([sys.executable, "-c", script]) for _ in range(2)}
    assert len(answers) == 1


def test_panels_below_each_other_are_as_high_as_their_rows():
    made = pd.DataFrame({"label": [*"abcdef", "x"], "value": 1.0, "low": 0.5, "high": 1.5})
    made["panel"] = ["above"] * 6 + ["below"]
    drawn = drawn_of(made, across=1)
    above, below = drawn.figure.axes
    drawn.figure.canvas.draw()
    assert above.get_position().height > 2 * below.get_position().height
