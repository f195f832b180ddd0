"""Coloured cells: what stands where."""

import numpy as np
import pandas as pd
import pytest

from ferbook.page.heat import heat
from ferbook.page.style import FigureError
from tests.made import row_labels

CELLS = pd.DataFrame({"r": list("xxbb"), "c": list("zaza"), "value": [0.1, 0.9, np.nan, 0.5]})
CELLS["text"] = ["10", "90", "", "50"]


def drawn(cells, **given):
    given |= {"rows": "r", "columns": "c", "value": "value", "measured": "%"}
    return heat(cells, alt="Map.", caption="Cells.", **given)


def test_cells_stand_in_the_order_given_with_their_texts_and_shades():
    made = drawn(CELLS, row_names={"x": "x (7)"})
    axes = made.figure.axes[0]
    assert row_labels(axes) == ["x (7)", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z", "a"]
    places = {text.get_position(): text.get_text() for text in axes.texts}
    assert places == {(0.5, 0.5): "10", (1.5, 0.5): "90", (1.5, 1.5): "50", (0.5, 1.5): "–"}
    (mesh,) = axes.collections
    assert mesh.get_clim() == (0, 100)
    assert np.ma.filled(mesh.get_array(), -1).ravel().tolist() == pytest.approx([10, 90, -1, 50])
    assert made.data.equals(CELLS.drop(columns="text"))
    told = {(mark.x, mark.y): mark.text for mark in made.hover}
    first, second = (0, 1), (1, 2)
    upper = {(first, first): "x (7), z: 10", (second, first): "x (7), a: 90"}
    assert told == upper | {(second, second): "b, a: 50"}


def test_a_cell_that_occurs_twice_is_refused():
    with pytest.raises(FigureError, match="occurs twice"):
        drawn(pd.concat([CELLS, CELLS]))
