"""The figures of the chapter on deconvolution: they show the numbers that they were given."""

import io

import numpy as np
import pandas as pd
import pytest

from book.deconvolution import figures
from fer_lib.aus.projections import NetworkView
from ferbook.estimate import Estimate
from tests.fer_lib.look.toy_layer import toy_view


def texts(figure):
    return [text.get_text() for axes in figure.get_axes() for text in axes.texts]


def test_the_worked_example_shows_every_number():
    up = [np.ones((6, 6)), np.ones((4, 4)), np.ones((4, 4)), np.ones((2, 2)), np.full((1, 1, 1, 1), 3.0)]
    down = [np.zeros((6, 6)), np.ones((4, 4)), -3 * np.eye(4), np.ones((2, 2)), np.ones((1, 1))]
    other = np.zeros((6, 6))
    other[0] = 1
    drawn = figures.how_it_works(up, down, {"gradient": other}, np.array([[0, 2], [8, 10]]))
    assert len(texts(drawn.figure)) == len(drawn.data) == 2 * (36 + 16 + 16 + 4 + 1)
    unpooled = drawn.data[drawn.data["panel"].eq("unpooled")].set_index(["row", "column"])["value"]
    assert unpooled[1, 1] == -3 and "−3" in texts(drawn.figure)
    assert "One response of 3" in drawn.caption and "gradient in 6 of 36 pixels" in drawn.caption
    framed = [part for axes in drawn.figure.axes for part in axes.patches if part.get_linewidth() == 1.6]
    assert len(framed) == 4 + 4


def test_one_response_is_framed_and_told():
    region = np.zeros((16, 16), bool)
    region[8:12, 8:12] = True
    drawn = figures.one_response(toy_view(), 2, region, "AU12", 3.58)
    about = drawn.data.iloc[0]
    assert about[["filter", "picture", "row", "column", "size"]].tolist() == [1, 5, 7, 7, 6]
    assert about["area"] == 16 / 256 and "AU12 moves. That region has 3.6 times" in drawn.caption
    (frame,) = drawn.figure.axes[0].patches
    assert frame.get_xy() == (6.5, 6.5) and frame.get_width() == 6


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


def network(name, population):
    return NetworkView(name, population, None, toy_view(), np.array([]))


def test_the_commonest_place_is_the_middle_of_its_receptive_field():
    networks = [
        *(network("one", "trained"), network("two", "trained")),
        *(network("photos", "photographs"), network("start", "untrained")),
    ]
    drawn = figures.extremum_points(networks)
    assert list(drawn.data["network"].unique()) == ["one", "two", "start"], "of other networks later"
    own = drawn.data[drawn.data["network"].eq("one")].set_index("filter")
    assert list(own.index) == [0, 1, 3], "a silent filter has no place"
    # Neuron (3, 3) sees pixels 11 to 16: its middle is 13.5. Around it stand 5 of the 6 extrema of filter 1.
    assert own.loc[1, ["x", "y"]].tolist() == [13.5, 13.5]
    assert own.loc[1, "share"] == pytest.approx(5 / 6) and own.loc[1, "pictures"] == 6
    assert "trained 100.0 % and untrained 100.0 %" in drawn.alt
    curves = drawn.figure.get_axes()[-1].get_lines()
    assert len(curves) == 3


def test_the_strip_has_a_dot_per_network_and_a_mean_per_population(dots_of):
    people = [f"s{n}" for n in range(5)] * 6
    about = {"kind": "ours", "area_share": 0.5, "pointing_game": 0.5, "iou": 0.3, "subject": people}
    scored = pd.DataFrame(
        {
            "network": np.repeat(["a", "b", "c", "d", "e", "f"], 5),
            "population": np.repeat(["trained", "untrained", "photographs"], 10),
            "energy_share": np.random.default_rng(0).uniform(0.4, 0.6, 30),
            **about,
        }
    )

    def singles(drawn):
        return len(dots_of(drawn.figure.get_axes()[0], layer=0))

    drawn = figures.networks_strip(scored, None)
    assert len(drawn.data) == 3 * (6 + 3) and singles(drawn) == 6
    names = [label.get_text() for label in drawn.figure.get_axes()[0].get_yticklabels()]
    assert names == ["trained", "untrained", "by photographs"] and "untrained 0.99" in drawn.caption
    # Beside a reference, as its CSV has it, this run stands in a group of its own.
    many = pd.concat([scored.assign(network=scored["network"] + mark) for mark in ("", "x")])
    file = io.StringIO(figures.networks_strip(many, None).data.to_csv(index=False))
    both = figures.networks_strip(scored, pd.read_csv(file))
    assert len(both.data) == 27 and singles(both) == 12 + 6 and "reference, trained" in both.alt


def estimates_of(kinds):
    rows = [
        {"measure": measure, "kind": kind, "estimate": Estimate(0.1 * place + 0.5, 0.4, 1.4)}
        for measure in ("concentration", "pointing_game", "iou")
        for place, kind in enumerate(kinds)
    ]
    table = pd.DataFrame(rows).assign(gain=Estimate(0.1, 0.0, 0.2), pairs=9, networks=3)
    return table.astype({"gain": object})


def test_localisation_has_a_row_per_kind_and_a_panel_per_measure():
    drawn = figures.localisation_dots(estimates_of(figures.KIND_NAMES))
    assert len(drawn.data) == 3 * 9 and {"low", "gain_low"} < set(drawn.data)
    labels = [label.get_text() for label in drawn.figure.get_axes()[0].get_yticklabels()]
    assert labels[0] == "the filters' own maps" and labels[-1] == "untrained networks"
    assert "the filters' own maps 0.5" in drawn.alt and "noise 1.2" in drawn.alt
    assert len(figures.localisation_dots(estimates_of(("ours", "wrong_au", "edges"))).data) == 9, (
        "controls may be absent"
    )


def checks(*others):
    rows = [
        {"check": "random weights", "method": method, "step": step, "layer": layer, "measure": measure}
        | {"excess": Estimate(value, 0, 1)}
        for method in ("deconv", "gradient")
        for measure in ("absolute", "signed")
        for step, (layer, value) in enumerate((("", 0.9), ("conv2", 0.5), ("conv1", 0.1)))
    ]
    rows += [
        {"check": check, "method": "deconv", "step": 0, "layer": "", "measure": measure}
        | {"excess": Estimate(0.4, 0, 1)}
        for check in others
        for measure in ("absolute", "signed")
    ]
    return pd.DataFrame(rows).assign(similarity=0.9, floor=0.1, n=4, off=0)


def test_a_cascade_goes_down_from_the_trained_network_and_other_networks_stand_below():
    drawn = figures.cascade_dots(checks("untrained", "retrained", "learned"))
    assert len(drawn.data) == 12 + 4 and "learned" not in set(drawn.data["check"])
    own = drawn.data.query("method == 'deconv' and measure == 'signed'")
    assert own["excess"].tolist() == [0.9, 0.5, 0.1, 0.4, 0.4]
    axes = drawn.figure.get_axes()[0]
    labels = ["trained", "+ conv2 random", "+ conv1 random", "untrained network", "retrained network"]
    assert [label.get_text() for label in axes.get_yticklabels()] == labels
    (legend,) = drawn.figure.legends
    assert [name.get_text() for name in legend.get_texts()] == ["deconvolution", "gradient", "limit"]
    assert "random weights, deconvolution 0.10 (absolute)" in drawn.alt
    alone = figures.cascade_dots(checks())
    assert len(alone.figure.get_axes()[0].get_yticklabels()) == 3
