"""Dots with intervals: what is drawn where, told by the rows."""

import doctest
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from ferbook.estimate import Estimate
from ferbook.page import forest as module
from ferbook.page import heat as heat_module
from ferbook.page.forest import forest
from ferbook.page.heat import heat
from ferbook.page.style import FigureError


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def rows(**columns):
    given = {"label": ["a", "b"], "value": [0.5, 0.75], "low": [0.25, np.nan], "high": [0.625, np.nan]}
    return pd.DataFrame(given | columns)


def dots(axes):
    return [(line.get_marker(), line.get_xdata()[0], line.get_ydata()[0]) for line in axes.get_lines()]


def test_a_dot_and_an_interval_for_each_row():
    drawn = forest(rows(main=[True, False]), measured="accuracy", alt="Dots.", caption="Dots.")
    (axes,) = drawn.figure.axes
    assert dots(axes) == [("D", 0.5, 0), ("o", 0.75, 1)]
    (interval,) = axes.collections
    assert interval.get_segments()[0].tolist() == [[0.25, 0], [0.625, 0]], "the second has none"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert drawn.alt == "Dots. a 50.0 % (25.0 to 62.5) and b 75.0 %."
    assert list(drawn.data.columns) == ["label", "value", "low", "high", "main"]


def test_a_column_of_estimates_is_drawn_and_stored_as_its_numbers():
    estimates = [Estimate(0.5, 0.25, 0.625, how="by hand"), Estimate(0.75, why="one person"), None]
    given = pd.DataFrame({"label": ["a", "b", "c"], "estimate": estimates, "gain": [None, *estimates[:2]]})
    drawn = forest(given, measured="accuracy", alt="Dots.", caption="Dots.")
    assert drawn.alt == "Dots. a 50.0 % (25.0 to 62.5) and b 75.0 %.", "of nothing measured nothing is told"
    assert drawn.data.columns.to_list() == ["label", "value", "low", "high", "gain", "gain_low", "gain_high"]
    assert drawn.data["high"].to_list()[0] == 0.625 and drawn.data["high"].isna().to_list() == [
        False,
        True,
        True,
    ]
    assert drawn.data["gain_low"].to_list()[1] == 0.25


def test_measures_stand_side_by_side_each_with_its_unit_and_null():
    twice = pd.concat([rows(panel="share"), rows(panel="gain").iloc[:1].assign(value=-2.0)])
    drawn = forest(
        twice, measured="of", unit={"gain": "points"}, null={"gain": 0.0}, alt="Dots.", caption="Dots."
    )
    share, gain = drawn.figure.axes
    assert [axes.get_title(loc="left") for axes in (share, gain)] == ["share", "gain"]
    assert dots(share)[1] == ("o", 0.75, 1) and dots(gain)[0] == ("o", -2.0, 0)
    assert "gain: a −2.0 (" in drawn.alt and drawn.alt.endswith("A dashed line marks 0.")


def test_equal_values_have_an_axis_that_can_be_read():
    for value, unit, around in ((0.25, "share", 0.01), (0.0, "points", 1)):
        equal = rows(value=[value, value + 1e-17], low=np.nan, high=np.nan)
        (axes,) = forest(equal, measured="of", unit=unit, alt="Dots.", caption="Dots.").figure.axes
        assert axes.get_xlim() == pytest.approx((value - around, value + around))


def test_a_title_stays_within_its_panel():
    panels = ["accuracy", "points by which DeRL: all layers is ahead"]
    twice = pd.concat([rows(panel=panel, label=["generator of others' neutrals", "b"]) for panel in panels])
    figure = forest(twice, measured="of", widths=(1.4, 1), alt="Dots.", caption="Dots.").figure
    figure.canvas.draw()
    assert figure.axes[1].get_title(loc="left").replace("\n", " ") == panels[1]
    title = figure.axes[1]._left_title.get_window_extent()
    assert title.x1 <= figure.bbox.x1


def test_panels_of_other_rows_have_labels_of_their_own():
    apart = pd.concat([rows(panel="left"), rows(panel="right", label=["c", "d"])])
    left, right = forest(apart, measured="of", alt="Dots.", caption="Dots.").figure.axes
    assert [[label.get_text() for label in axes.get_yticklabels()] for axes in (left, right)] == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_series_share_a_row_and_groups_have_a_heading():
    four = pd.concat([rows(series="one", group="G"), rows(series="two", group="G", value=[0.1, 0.2])])
    drawn = forest(four, measured="of", joined=True, alt="Dots.", caption="Dots.")
    (axes,) = drawn.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["G", "a", "b"]
    assert [place for _, _, place in dots(axes)] == [1, 2, 1, 2]
    assert axes.collections[0].get_segments()[1].tolist() == [[0.2, 2], [0.75, 2]], (
        "from one dot to the other"
    )
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["one", "two"]


def test_notes_chance_and_strokes_are_drawn_beside_the_dots():
    strokes = pd.DataFrame({"label": ["b", "b"], "value": [0.7, 0.8]})
    given = rows(note=["+1", ""], null=[0.1, 0.2])
    (axes,) = forest(
        given, measured="of", strokes=strokes, noted="gain", alt="Dots.", caption="Dots."
    ).figure.axes
    assert [text.get_text() for text in axes.texts] == ["+1", "gain"]
    (ticks,) = (line for line in axes.get_lines() if line.get_marker() == "|")
    assert ticks.get_xdata().tolist() == [0.7, 0.8] and set(ticks.get_ydata()) == {1.28}


def test_of_many_rows_some_are_named_and_the_range_is_told():
    many = pd.DataFrame({"label": [f"r{n}" for n in range(60)], "value": np.linspace(0, 1, 60)})
    drawn = forest(many.assign(low=np.nan, high=np.nan), measured="of", alt="Dots.", caption="Dots.")
    assert len(drawn.figure.axes[0].get_yticklabels()) == 30
    assert drawn.alt == "Dots. 60 values from 0.0 % to 100.0 %."


def test_what_a_forest_cannot_draw_is_refused():
    with pytest.raises(FigureError, match="lacks low"):
        forest(rows().drop(columns="low"), measured="of", alt="Dots.", caption="Dots.")
    seven = pd.concat(rows(series=f"s{n}") for n in range(7))
    with pytest.raises(FigureError, match="7 series"):
        forest(seven, measured="of", alt="Dots.", caption="Dots.")


CELLS = pd.DataFrame({"r": ["x", "x", "y", "y"], "c": ["a", "b", "a", "b"], "value": [0.1, 0.9, np.nan, 0.5]})


def test_cells_stand_in_the_order_given_with_texts_and_frames():
    drawn = heat(
        CELLS, rows="r", columns="c", measured="%", framed=[("y", "b")], alt="Heat map.", caption="Cells."
    )
    axes = drawn.figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["10", "90", "–", "50"]
    (frame,) = axes.patches
    assert frame.get_xy() == (1, 1)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert drawn.data.equals(CELLS)


def test_signed_cells_have_one_scale_to_both_sides():
    signed = CELLS.assign(value=[-10.0, 0.5, 3.0, 1.0], text=["−", "", "+", ""])
    drawn = heat(
        signed, rows="r", columns="c", measured="sd", unit="", signed=True, alt="Heat map.", caption="Cells."
    )
    assert drawn.figure.axes[0].collections[0].get_clim() == (-10, 10)
    assert [text.get_text() for text in drawn.figure.axes[0].texts] == ["−", "", "+", ""]
    assert list(drawn.data.columns) == ["r", "c", "value"]


def test_a_cell_that_occurs_twice_is_refused():
    with pytest.raises(FigureError, match="occurs twice"):
        heat(
            pd.concat([CELLS, CELLS]), rows="r", columns="c", measured="%", alt="Heat map.", caption="Cells."
        )


@pytest.mark.parametrize("kit", [module, heat_module])
def test_the_examples_are_true(kit):
    found = doctest.testmod(kit, extraglobs={"pd": pd})
    assert found.attempted and not found.failed


def test_another_process_draws_the_same_bytes():
    script = (
        "import hashlib, io, pandas as pd\n"
        "from ferbook.page.forest import forest\n"
        "rows = pd.DataFrame({'label': ['a', 'b'], 'value': [.5, .7], 'low': [.4, .6], 'high': [.6, .8]})\n"
        "sink = io.BytesIO()\n"
        "forest(rows, measured='m', alt='Dots.', caption='Dots.').figure"
        ".savefig(sink, format='svg', metadata={'Date': None})\n"
        "print(hashlib.sha256(sink.getvalue()).hexdigest())\n"
    )
    answers = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(answers) == 1
