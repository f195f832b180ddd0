"""What is said of projections, network by network: numbers follow from scores, whichever way they fall."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from book.deconvolution.chapter import DeconvolutionParameters
from book.deconvolution.layer_view import view_layer
from book.deconvolution.study import (
    UNTRAINED_NETWORKS,
    NetworkView,
    asked_about,
    beside_untrained,
    check_projections,
    checks_summary,
    checks_table,
    concentration_by_unit,
    high_places,
    localisation_metrics,
    locate,
    require_strangers,
    sanity_metrics,
    strip_values,
    units_of_filters,
    view_metrics,
    view_networks,
)
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network
from fer_lib.stats.two_way import networks_and_people, people_groups
from ferbook.errors import ChapterError
from ferbook.estimate import Estimate
from tests.book.deconvolution.toy_layer import toy_view


def faces_with_masks(people=24, size=24):
    """AU1 moves the upper third of the picture, AU12 the lower; AU9 has a mask, and no picture shows it."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{n}" for n in range(people)],
            "sequence": "",
            "frame": 0,
            "emotion": "fear",
            "split": "test",
            "AU1": [float(n % 2) for n in range(people)],
            "AU9": 0.0,
            "AU12": [float(n % 3 == 0) for n in range(people)],
        }
    )
    masks = np.zeros((people, size, size), np.uint32)
    masks[:, : size // 3] |= 1
    masks[:, size // 3 : size // 2] |= 2
    masks[:, 2 * size // 3 :] |= 4
    pixels = generator.integers(0, 256, (people, size, size), dtype=np.uint8)
    return FaceSet("toy", pixels, table, masks=masks, mask_aus=("AU1", "AU9", "AU12"))


def network(seed):
    return build_network("zero_bias", 2, 24, generator=torch.Generator().manual_seed(seed)).eval()


look = partial(view_layer, layer="relu2", top=3)


@pytest.fixture(scope="module")
def networks():
    trained = [SimpleNamespace(name=f"net {seed}", model=network(seed)) for seed in range(2)]
    return view_networks(trained, [], 2, faces_with_masks(), look, seed=7)


@pytest.fixture(scope="module")
def scored(networks):
    return locate(networks, 5)


def test_all_networks_are_asked_about_the_same_faces(networks):
    assert [(each.name, each.population) for each in networks] == [
        *(("net 0", "trained"), ("net 1", "trained")),
        *(("untrained 7", UNTRAINED_NETWORKS), ("untrained 8", UNTRAINED_NETWORKS)),
    ]
    assert torch.equal(networks[2].model.conv2.weight, network(7).conv2.weight)
    view = networks[0].view
    again = view_networks([SimpleNamespace(name="", model=network(1))], [], 1, view.faces, look, view=view)
    assert again[0].view is view and again[1].view is not view


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


def test_on_other_faces_filters_keep_their_unit_and_none_is_asked_of_a_unit_without_a_region(networks):
    faces = faces_with_masks(people=12)
    without = faces.masks & np.uint32(0b011)  # AU12 moves nothing there
    others = FaceSet("others", faces.pixels, faces.table, masks=without, mask_aus=("AU1", "AU9"))
    there = asked_about(networks, others, look)
    for own, other in zip(networks, there, strict=True):
        assert other.view.faces is others and (other.units == own.units).all() and other.name == own.name
    assert set(locate(networks, 50)["au"]) == {"AU1", "AU12"}
    assert set(locate(there, 50)["au"]) == {"AU1"}


def test_a_filter_s_unit_is_the_one_it_goes_with_within_emotions():
    """AU12 comes with happiness, to which the filter answers; among happy faces AU6 drives it, AU12 does
    not.
    """
    happy, smiles = np.repeat([1, 0], 40), np.repeat([1, 0], 40)
    cheeks = np.concatenate([np.tile([1, 0], 20), np.zeros(40, int)])
    # Of four pictures with AU6 three answer strongly, of four without it one.
    strong = np.concatenate([np.tile([1, 0, 1, 1, 1, 0, 0, 0], 5), np.zeros(40, int)])
    smiles[[0, 1]] = 0
    people = np.array([f"s{n}" for n in range(80)])
    shown = Presence(
        ("AU6", "AU12"), np.stack([cheeks, smiles], axis=1), people, people, np.where(happy, "joy", "rest")
    )
    maxima = (10 * happy + strong)[:, None]
    assert units_of_filters(maxima, shown).tolist() == ["AU6"]
    unknown = Presence(shown.aus, shown.present, people, people, np.full(80, ""))
    assert units_of_filters(maxima, unknown).tolist() == ["AU12"], "the emotion alone would make it that"


def test_maps_are_held_to_the_region_of_the_unit_that_responses_name(networks, scored):
    own = scored[scored["kind"].eq("ours")]
    assert set(own["network"]) == {each.name for each in networks} and set(scored["au"]) <= {"AU1", "AU12"}
    kinds = {"ours", "wrong_au", "other_filter", "field", "field_edges", "edges", "centre", "random"}
    assert set(scored["kind"]) == kinds
    view = networks[1].view
    for row in own[own["network"].eq("net 1")].itertuples():
        assert row.au == networks[1].units[row.filter]
        pair = [
            n for n in view.pairs_of(row.filter) if view.faces.table["subject"][view.rows[n]] == row.subject
        ]
        energy = np.abs(view.projections.whole(pair[0]))
        mask = view.faces.mask(row.au)[view.rows[pair[0]]]
        if energy.any():
            assert row.energy_share == pytest.approx(energy[mask].sum() / energy.sum(), rel=1e-5)


def rows_of(population, network, values, kind="ours", area=0.5):
    """Of four people two pairs each."""
    shares = np.repeat(values, 2) + np.tile([-0.05, 0.05], 4)
    table = pd.DataFrame({"subject": np.repeat(["a", "b", "c", "d"], 2), "energy_share": shares})
    about = {"population": population, "network": network, "kind": kind, "au": "AU1", "filter": 3}
    table["pair"] = range(8)
    return table.assign(area_share=area, pointing_game=shares, iou=shares / 2, **about)


@pytest.fixture
def by_hand():
    return pd.concat(
        [
            rows_of("trained", "one", [0.8, 0.8, 0.6, 0.6]),
            rows_of("trained", "two", [0.9, 0.9, 0.9, 0.9]),
            rows_of("trained", "one", [0.2, 0.3, 0.2, 0.3], "edges"),
            rows_of("trained", "two", [0.3, 0.3, 0.3, 0.3], "edges"),
            rows_of("untrained", "u1", [0.4, 0.4, 0.5, 0.5]),
            rows_of("untrained", "u2", [0.5, 0.5, 0.5, 0.5], area=0.25),
        ],
        ignore_index=True,
    )


def test_the_network_is_what_is_averaged_and_people_are_left_out_for_all_alike(by_hand):
    table = beside_untrained(by_hand).set_index(["measure", "kind"])
    own = table.loc["concentration", "ours"]
    assert own["estimate"].value == pytest.approx((0.7 / 0.5 + 0.9 / 0.5) / 2) and own["networks"] == 2
    null = table.loc["concentration", "untrained"]
    assert null["estimate"].value == pytest.approx((0.45 / 0.5 + 0.5 / 0.25) / 2)
    assert null["gain"].value == pytest.approx(1.6 - 0.95 / 0.75), "the energy of all over the area of all"
    assert table.loc["pointing_game", "edges"]["gain"].value == pytest.approx(0.8 - 0.275)
    # The interval is that of stats.two_way, of each network's value without each group of people.
    groups = people_groups(by_hand["subject"].to_numpy(), 4)
    one, two = (
        [part["energy_share"].mean() / 0.5]
        + [part.loc[groups[part.index] != g, "energy_share"].mean() / 0.5 for g in range(4)]
        for part in (
            by_hand[by_hand["network"].eq(name) & by_hand["kind"].eq("ours")] for name in ("one", "two")
        )
    )
    expected = networks_and_people(np.array([one, two]))
    assert (own["estimate"].low, own["estimate"].high) == pytest.approx((expected.low, expected.high))
    assert "2 networks" in own["estimate"].how and "2 and 2 networks" in null["gain"].how


def test_untrained_networks_are_compared_unit_by_unit():
    """Trained filters go with a hard unit mostly, untrained ones with an easy one: alike in each, no gain."""

    def filters(population, network, hard, easy):
        values = [([0.2] * 4, "AU1")] * hard + [([0.8] * 4, "AU25")] * easy
        parts = [rows_of(population, network, *each[:1]).assign(au=each[1]) for each in values]
        return pd.concat(parts, ignore_index=True).assign(pair=range(8 * len(parts)))

    alone = rows_of("trained", "two", [0.9] * 4).assign(au="AU9", pair=range(100, 108))
    scored = pd.concat(
        [
            *(filters("trained", "one", 3, 1), filters("trained", "two", 2, 2), alone),
            *(filters("untrained", "u1", 1, 3), filters("untrained", "u2", 1, 5)),
        ],
        ignore_index=True,
    )
    table = beside_untrained(scored).set_index(["measure", "kind"])["gain"]
    assert table["pointing_game", "untrained"].value == pytest.approx(0, abs=1e-12)
    better = scored["network"].eq("one") & scored["au"].eq("AU1")
    scored.loc[better, "pointing_game"] += 0.4
    table = beside_untrained(scored).set_index(["measure", "kind"])["gain"]
    # 3 of the 8 filters of shared units.
    assert table["pointing_game", "untrained"].value == pytest.approx(0.4 * 3 / 8)


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


def test_trained_networks_are_compared_with_random_untrained_and_retrained_ones(networks):
    compared = check_projections(networks, 3)
    assert set(compared["check"]) == {"random weights", "untrained", "retrained", "learned"}
    assert set(compared["network"]) == {"net 0", "net 1"}
    assert set(compared["method"]) == {"deconv", "guided", "gradient"}
    found = checks_summary(compared)
    table = found.set_index(["check", "method", "measure"]).sort_index()
    alike, null, gain = (
        compared.query(f"check == '{check}' and method == 'deconv' and measure == 'signed'")
        for check in ("retrained", "untrained", "learned")
    )
    excess = [(part["similarity"] - part["floor"]).to_numpy() for part in (alike, null, gain)]
    np.testing.assert_allclose(excess[0] - excess[1], excess[2])
    assert table.loc[("retrained", "deconv", "signed"), "networks"].item() <= 2
    alone = check_projections([networks[0], networks[2]], 3)
    assert set(alone["check"]) == {"random weights", "untrained"}


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
