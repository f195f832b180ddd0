"""The figures of the chapter on deconvolution: they show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book.deconvolution import figures
from fer_lib.aus.projections import NetworkView
from fer_lib.look.judge import map_benchmark
from ferbook.estimate import Estimate
from tests.book.deconvolution.toy_overlaps import BY_PERSON, rows
from tests.fer_lib.look.toy_layer import toy_view
from tests.fer_lib.look.toy_twins import SIDE, network, twins
from tests.made import row_labels


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
    assert "gradient in 6 of 36 pixels" in drawn.caption
    framed = [part for axes in drawn.figure.axes for part in axes.patches if part.get_linewidth() == 1.6]
    assert len(framed) == 4 + 4


@pytest.fixture(scope="module")
def trial():
    return map_benchmark("net 1", network(1), twins(), seed=9)


def test_one_response_is_framed(trial):
    drawn = figures.one_response(trial, 0, np.eye(SIDE), 0.25)
    about = drawn.data.iloc[0]
    assert about["unit"] == trial.twins.aus[trial.rows[0]] and about["filter"] == trial.filters[0]
    assert about["area"] == trial.twins.regions[0][trial.rows[0]].mean()
    assert "0.25" in drawn.caption
    (frame,) = drawn.figure.axes[0].patches
    field = trial.fields[0]
    assert (frame.get_height(), frame.get_width()) == (field.any(axis=1).sum(), field.any(axis=0).sum())


def test_the_strongest_filters_show_their_own_pictures():
    view = toy_view()
    drawn = figures.strongest_filters(view, count=2, pictures=1)
    assert drawn.data[["filter", "place", "picture"]].to_numpy().tolist() == [[1, 1, 5], [0, 1, 1]]
    assert drawn.data[["row", "column"]].to_numpy().tolist() == [[7, 7], [3, 7]]
    sheet = drawn.figure.get_axes()[0].get_images()[0].get_array()
    assert np.abs(sheet[:16, :16] - view.faces.pixels[5].astype(int)).max() <= 5, "in 64 grey levels"
    assert sheet.shape == (33, 16)
    assert "filter 1 fear and filter 0 fear" in drawn.alt
    assert set(figures.strongest_filters(view).data["filter"]) == {0, 1, 3}, "not the silent one"


def viewed(name, population):
    return NetworkView(name, population, None, toy_view())


def test_the_commonest_place_is_the_middle_of_its_receptive_field():
    networks = [*(viewed("one", "trained"), viewed("two", "trained"), viewed("start", "untrained"))]
    drawn = figures.extremum_points(networks)
    assert list(drawn.data["network"].unique()) == ["one", "two", "start"]
    own = drawn.data[drawn.data["network"].eq("one")].set_index("filter")
    assert list(own.index) == [0, 1, 3], "a silent filter has no place"
    # Neuron (3, 3) sees pixels 11 to 16: its middle is 13.5. Around it stand 5 of the 6 extrema of filter 1.
    assert own.loc[1, ["x", "y"]].tolist() == [13.5, 13.5]
    assert own.loc[1, "share"] == pytest.approx(5 / 6) and own.loc[1, "pictures"] == 6
    assert "trained 100.0 % and untrained 100.0 %" in drawn.alt
    assert len(drawn.figure.get_axes()[-1].get_lines()) == 3


def test_the_strip_has_a_dot_per_network_and_a_mean_per_role(dots_of):
    same = pd.concat(
        rows(role, f"{role} {number}", BY_PERSON + lift)
        for lift, role in ((0, "untrained"), (0.1, "units"), (0.05, "trained"))
        for number in range(2)
    )
    drawn = figures.networks_strip(same)
    axes = drawn.figure.get_axes()[0]
    labels = row_labels(axes)
    assert labels == ["untrained", "trained on emotions", "trained on units"]
    assert len(drawn.data) == 3 * 3 and len(dots_of(axes, layer=0)) == 6
    values = zip(labels, ("25", "30", "35"), strict=True)
    assert all(f"{label} {value}" in drawn.caption for label, value in values)


def test_own_maps_are_drawn_between_the_edges_and_the_change():
    found = pd.concat(
        rows("trained", f"net {number}", BY_PERSON + lift, kind)
        for lift, kind in ((0.05, "ours"), (0.3, "change"), (0, "field_edges"), (-0.05, "random"))
        for number in range(2)
    )
    drawn = figures.localisation_dots(found)
    labels = row_labels(drawn.figure.get_axes()[0])
    assert labels == ["noise", "edges in the field", "deconvolution", "the change itself"]
    assert "deconvolution 30.0 %" in drawn.alt and len(drawn.data) == 4 * 3


def checks(*others):
    steps = (("", 0.9), ("conv2", 0.5), ("conv1", 0.1))
    rows = [("random weights", rule, *at) for rule in ("deconv", "gradient") for at in enumerate(steps)]
    rows += [(check, "deconv", 0, ("", 0.4)) for check in others]
    return pd.DataFrame(
        {"check": check, "method": method, "step": step, "layer": layer, "measure": measure}
        | {"excess": Estimate(value, 0, 1), "similarity": 0.9, "floor": 0.1, "n": 4, "off": 0}
        for check, method, step, (layer, value) in rows
        for measure in ("absolute", "signed")
    )


def test_a_cascade_goes_down_from_the_trained_network_and_other_networks_stand_below():
    drawn = figures.cascade_dots(checks("untrained", "retrained", "learned"))
    assert len(drawn.data) == 12 + 4 and "learned" not in set(drawn.data["check"])
    own = drawn.data.query("method == 'deconv' and measure == 'signed'")
    assert own["excess"].tolist() == [0.9, 0.5, 0.1, 0.4, 0.4]
    axes = drawn.figure.get_axes()[0]
    labels = ["trained", "+ conv2 random", "+ conv1 random", "untrained network", "retrained network"]
    assert row_labels(axes) == labels
    told = "; ".join(f"{panel} maps deconvolution 0.10 and gradient 0.10" for panel in ("absolute", "signed"))
    assert told in drawn.caption and told in drawn.alt
