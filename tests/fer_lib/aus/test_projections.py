"""What is said of projections, network by network: numbers follow from scores, whichever way they fall."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fer_lib.aus.presence import Presence
from fer_lib.aus.projections import (
    UNTRAINED_NETWORKS,
    asked_about,
    beside_untrained,
    check_projections,
    checks_summary,
    locate,
    units_of_filters,
    view_networks,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layer_view import view_layer
from fer_lib.nets.build import build_network
from fer_lib.stats.two_way import networks_and_people, people_groups
from tests.fer_lib.look.toy_layer import rows_by_hand, rows_of


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


@pytest.fixture
def by_hand():
    return rows_by_hand()


def test_all_networks_are_asked_about_the_same_faces(networks):
    assert [(each.name, each.population) for each in networks] == [
        *(("net 0", "trained"), ("net 1", "trained")),
        *(("untrained 7", UNTRAINED_NETWORKS), ("untrained 8", UNTRAINED_NETWORKS)),
    ]
    assert torch.equal(networks[2].model.conv2.weight, network(7).conv2.weight)
    view = networks[0].view
    again = view_networks([SimpleNamespace(name="", model=network(1))], [], 1, view.faces, look, view=view)
    assert again[0].view is view and again[1].view is not view


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


def test_a_picture_says_nothing_of_a_unit_that_was_not_coded():
    generator, people = np.random.default_rng(0), np.arange(90)
    first, second = (generator.random((2, 90)) < 0.5).astype(float)
    maxima = (first + 0.3 * generator.random(90))[:, None]
    maxima[30:] = 5 * second[30:, None]
    first[30:] = np.nan  # the other unit alone moves it there: taken for absent it would hide the first
    shown = Presence(("AU1", "AU2"), np.stack([first, second], 1), people, people, np.full(90, "joy"))
    assert units_of_filters(maxima, shown).tolist() == ["AU1"]


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
