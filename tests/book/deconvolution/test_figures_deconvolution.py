"""The figures of the chapter on deconvolution: they show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from toy_layer import FIELD, toy_view

from book.deconvolution import figures
from book.deconvolution.worked_example import worked_example
from fer_lib.look.localisation import KINDS


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(figure):
    return [text.get_text() for axes in figure.get_axes() for text in axes.texts]


def test_the_worked_example_shows_every_number():
    drawn = figures.how_it_works(worked_example())
    data = drawn.data
    assert (
        len(texts(drawn.figure)) == len(data) == 36 + 16 + 16 + 4 + 1 + 36 + 16 + 16 + 4 + 1 + 9 + 4 + 36 + 36
    )
    unpooled = data[data["panel"].eq("unpooled")].set_index(["row", "column"])["value"]
    assert unpooled[1, 3] == -3 and "−3" in texts(drawn.figure)
    assert all(words in drawn.alt for words in ("answers 3", "(1 of them)", "6 and 12 of 36 pixels"))


def test_every_filter_is_a_dot_and_the_strongest_are_named():
    drawn = figures.filter_strengths(toy_view())
    assert list(drawn.data["filter"]) == [1, 0, 3, 2]
    assert sorted(texts(drawn.figure)) == ["0", "1", "2", "3"]
    assert "1 of the filters never responds" in drawn.alt and "0.00 to 8.00" in drawn.alt


def test_the_strongest_filters_show_their_own_pictures():
    view = toy_view()
    drawn = figures.strongest_filters(view, count=2, pictures=1)
    assert drawn.data[["filter", "place", "picture"]].to_numpy().tolist() == [[1, 1, 5], [0, 1, 1]]
    assert drawn.data[["row", "column"]].to_numpy().tolist() == [[7, 7], [3, 7]]
    sheet = drawn.figure.get_axes()[0].get_images()[0].get_array()
    assert np.abs(sheet[:16, :16] - view.faces.pixels[5].astype(int)).max() <= 5, "in 64 grey levels"
    assert sheet.shape == (33, 16)
    assert "filter 1 fear and filter 0 fear" in drawn.alt


def test_silent_filters_are_not_among_the_strongest():
    assert set(figures.strongest_filters(toy_view()).data["filter"]) == {0, 1, 3}


def test_the_commonest_place_is_the_middle_of_its_receptive_field():
    view = toy_view()
    networks = {"trained": view.responses, "untrained": view.responses}
    drawn = figures.extremum_points(view.faces, networks, FIELD)
    own = drawn.data[drawn.data["network"].eq("trained")].set_index("filter")
    assert list(own.index) == [0, 1, 3], "a silent filter has no place"
    # Neuron (3, 3) sees pixels 11 to 16: its middle is 13.5. Around it stand 5 of the 6 extrema of filter 1.
    assert own.loc[1, ["x", "y"]].tolist() == [13.5, 13.5]
    assert own.loc[1, "share"] == pytest.approx(5 / 6) and own.loc[1, "pictures"] == 6
    assert "trained 100.0 % and untrained 100.0 %" in drawn.alt


def summary(kinds=KINDS):
    rows = [
        {"measure": measure, "kind": kind, "value": 0.1 * place + 0.5, "low": 0.4, "high": 1.4}
        for measure in ("energy_share", "concentration", "pointing_game", "iou")
        for place, kind in enumerate(kinds)
    ]
    table = pd.DataFrame(rows).assign(gain=np.nan, gain_low=np.nan, gain_high=np.nan)
    return table.assign(n=9, undefined=0, subjects=3)


def test_localisation_has_a_row_per_kind_and_a_panel_per_measure():
    drawn = figures.localisation_dots(summary((*KINDS, "untrained")))
    assert len(drawn.data) == 3 * 9 and "energy_share" not in set(drawn.data["measure"])
    labels = [label.get_text() for label in drawn.figure.get_axes()[0].get_yticklabels()]
    assert labels[0] == "the filters' own maps" and labels[-1] == "own maps, untrained network"
    assert "the filters' own maps 0.5 (0.4 to 1.4)" in drawn.alt and "noise 1.2" in drawn.alt
    assert len(figures.localisation_dots(summary(KINDS[:3])).data) == 9, "controls may be absent"


def cascade():
    rows = [
        {"method": method, "step": step, "layer": layer, "measure": measure, "excess": value}
        for method in ("deconv", "gradient")
        for measure in ("absolute", "signed", "cosine")
        for step, (layer, value) in enumerate((("", 0.9), ("conv2", 0.5), ("conv1", 0.1)))
    ]
    return pd.DataFrame(rows).assign(similarity=0.9, floor=0.1, low=0.0, high=1.0, n=4, off=0)


def test_a_cascade_is_a_line_per_method_and_judged_measure():
    drawn = figures.cascade_lines(cascade())
    assert set(drawn.data["measure"]) == {"absolute", "signed"} and len(drawn.data) == 12
    lines = [line for line in drawn.figure.get_axes()[0].get_lines() if len(line.get_xdata()) == 3]
    assert [line.get_ydata().tolist() for line in lines] == [[0.9, 0.5, 0.1]] * 2
    ticks = [label.get_text() for label in drawn.figure.get_axes()[0].get_xticklabels()]
    assert ticks == ["trained", "+ conv2", "+ conv1"]
    assert "deconv 0.10 (absolute)" in drawn.alt
