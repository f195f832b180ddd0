"""The metrics and tables of projections: each number is that of the rows that it is named after."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.deconvolution.chapter import DeconvolutionParameters
from book.deconvolution.study import (
    checks_table,
    concentration_by_unit,
    high_places,
    localisation_metrics,
    require_strangers,
    sanity_metrics,
    strip_values,
    view_metrics,
)
from fer_lib.aus.projections import NetworkView, beside_untrained
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.request import FaceRequest
from ferbook.errors import ChapterError
from ferbook.estimate import Estimate
from tests.fer_lib.look.toy_layer import rows_by_hand, rows_of, toy_view


@pytest.fixture
def by_hand():
    return rows_by_hand()


def test_who_learned_from_the_strangers_is_refused():
    strangers = DeconvolutionParameters(face_seed=4).strangers_request
    assert strangers.face_seed == 5

    def taught(seed, name="lab"):
        return [SimpleNamespace(name="net", lesson=SimpleNamespace(faces=FaceRequest(name, face_seed=seed)))]

    require_strangers(taught(4) + taught(0) + taught(5, "wild"), strangers)
    with pytest.raises(ChapterError, match=r"'net' learned from the people of lab with face_seed 5.*than 4"):
        require_strangers(taught(5), strangers)


def test_beside_real_faces_the_strangers_are_rendered():
    real = DeconvolutionParameters(faces="fer2013", strangers=30)
    assert [each.name for each in real.face_requests] == ["fer2013", "lab", "heads"]
    assert real.face_requests[1] == real.strangers_request and real.strangers_request.subjects == 30
    wild, heads = DeconvolutionParameters(faces="wild", other_heads=40).face_requests
    assert (wild.name, wild.face_seed) == ("wild", 1)
    assert (heads.name, heads.subjects, heads.face_seed) == ("heads", 40, 1)


def test_undefined_pairs_and_networks_without_any_are_left_out(by_hand):
    gone = by_hand["network"].eq("two") & by_hand["kind"].eq("ours")
    by_hand.loc[gone, ["energy_share", "pointing_game", "iou"]] = np.nan
    by_hand.loc[0, "energy_share"] = np.nan
    row = strip_values(by_hand).query("measure == 'concentration' and network == 'one'").iloc[0]
    kept = by_hand.loc[1:7, "energy_share"].mean()
    assert row["estimate"] == pytest.approx(kept / 0.5)


def test_the_metrics_name_what_is_compared(by_hand):
    metrics = localisation_metrics(beside_untrained(by_hand))
    assert metrics["pointing"].value == pytest.approx(0.8)
    assert metrics["pointing_over_untrained"].value == pytest.approx(0.8 - 0.475)
    assert metrics["iou_over_untrained"].n == 2 and "iou_gain_edges" not in metrics, "a weak rival"
    assert set(localisation_metrics(beside_untrained(by_hand), "x_")) == {f"x_{name}" for name in metrics}


def test_every_network_is_a_dot_beside_the_mean(by_hand):
    values = strip_values(by_hand)
    part = values[values["measure"].eq("iou")].set_index(["population", "network"])["estimate"]
    assert part["trained", "one"] == pytest.approx(0.35) and part["trained", ""].value == pytest.approx(0.4)
    assert part["untrained", "u1"] == pytest.approx(0.225)


def test_the_table_of_units_has_those_of_every_trained_network(by_hand):
    wrong = [rows_of("trained", name, [0.5, 0.5, 0.5, 0.5], kind="wrong_au") for name in ("one", "two")]
    alone = rows_of("trained", "one", [0.5, 0.5, 0.5, 0.5]).assign(au="AU12", filter=5, pair=range(20, 28))
    more = rows_of("trained", "two", [0.9, 0.9, 0.9, 0.9]).assign(filter=7, pair=range(30, 38))
    table = concentration_by_unit(pd.concat([by_hand, *wrong, alone, more], ignore_index=True)).data
    assert list(table.index) == ["AU1"]
    row = table.loc["AU1"]
    # A filter of the first network, two of the second.
    assert row["filters"] == 1.5 and row["people"] == 4
    assert row["concentration"].value == pytest.approx((0.7 + 0.9 + 0.9) / 1.5)
    assert row["over untrained"].value == pytest.approx((0.7 + 0.9 + 0.9) / 1.5 - 0.95 / 0.75)
    assert row["over other regions"].value == pytest.approx((0.2 + 0.4) / 1.0)


def check_rows(check, excess, step=0, method="deconv", n=4):
    rows = [
        {"check": check, "method": method, "step": step, "measure": measure}
        | {"excess": None if value is None else Estimate(value, -1, 1, how="by hand")}
        for measure, value in zip(("absolute", "signed"), excess, strict=True)
    ]
    return pd.DataFrame(rows).assign(networks=3, n=n)


def test_the_likeness_told_is_that_of_which_most_is_left_with_all_weights_random():
    found = pd.concat(
        [
            check_rows("random weights", (1, 1)),
            check_rows("random weights", (0.9, 0.1), step=1),
            check_rows("random weights", (0.2, 0.3), step=2),
            check_rows("untrained", (0.5, 0.35)),
            check_rows("retrained", (0.4, 0.6)),
            check_rows("learned", (-0.1, 0.25)),
            check_rows("random weights", (None, None), step=2, method="gradient", n=0),
        ]
    )
    values = {name: metric.value for name, metric in sanity_metrics(found).items()}
    assert values == {
        "random_weights_deconv": 0.3,
        "untrained_match": 0.35,
        "retrained_ceiling": 0.6,
        "retrained_over_untrained": 0.25,
    }
    table = checks_table(found).data
    assert [row["deconv"].value for _, row in table.iterrows()] == [0.3, 0.35, 0.6, 0.25]
    assert table["gradient"].isna().all()


def test_the_view_in_numbers():
    view = toy_view()
    networks = [
        NetworkView(name, population, None, view, np.array([]))
        for name, population in (("a", "trained"), ("b", "trained"), ("c", "untrained"))
    ]
    places = pd.DataFrame(
        {
            "population": ["trained"] * 4 + ["untrained"] * 2,
            "network": ["a", "a", "b", "b", "c", "c"],
            "share": [0.4, 0.6, 0.7, 0.9, 0.3, 0.3],
        }
    )
    metrics = view_metrics(view, networks, places)
    values = {name: metric.value for name, metric in metrics.items()}
    assert values == {
        "networks": 2,
        "networks_untrained": 1,
        "filters": 4,
        "filters_silent": 1,
        "pairs": 5,
        "receptive_field": 6,
        "height": 16,
        "place_share": pytest.approx(0.65),
        "place_share_untrained": pytest.approx(0.3),
    }
    assert metrics["place_share_untrained"].why == "fewer than two networks"


def test_extrema_that_lie_high_may_draw_further_down():
    view = toy_view()
    landmarks = np.full((6, 68, 2), 4.0, np.float32)
    view = replace(view, faces=FaceSet("toy", view.faces.pixels, view.faces.table, landmarks=landmarks))
    maps = np.zeros_like(view.projections.maps)
    # Filter 0, whose neuron (1, 2) sees rows 3 to 8, draws in the last of them.
    maps[:, -1] = -1
    view = replace(view, projections=replace(view.projections, maps=maps))
    places = pd.DataFrame({"network": ["a"] * 3 + ["b"], "filter": [0, 1, 3, 1], "y": [5.5, 13.5, 9.5, 0.0]})
    found = high_places(NetworkView("a", "trained", None, view, np.array([])), places)
    values = {name: metric.value for name, metric in found.items()}
    # Of the nine extrema seven lie on the border of the map of 4 by 4, which has twelve such places.
    assert values == pytest.approx(
        {
            "high_extrema": 5.5 / 16,
            "high_energy": 8 / 16,
            "brows": 4 / 16,
            "border_extrema": 6 / 9,
            "border_area": 12 / 16,
        }
    )
