from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fer_lib.look import judge
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.layers import maps_of, to_input
from fer_lib.nets.build import build_network
from ferbook.errors import DataError
from tests.fer_lib.look.toy_twins import CORNERS, SIDE, faces, network, twins


@pytest.fixture(scope="module")
def trials() -> list[judge.MapBenchmark]:
    shown = twins()
    return [judge.map_benchmark(f"net {seed}", network(seed), shown, seed=9) for seed in (1, 2)]


def means(method, trials) -> dict[str, float]:
    return {name: each.value for name, each in judge.map_estimates(judge.judge_maps(method, trials)).items()}


def regions(aus) -> np.ndarray:
    found = np.zeros((len(aus), SIDE, SIDE))
    for own, au in zip(found, aus, strict=True):
        own[CORNERS[au]] = 1
    return found


def test_who_knows_the_truth_has_all_that_a_map_of_it_can_have(trials):
    trial, shown = trials[0], trials[0].twins

    def oracle(network, layer, pictures, rows, filters, positions):
        """The unit's skin, where the picture shows the unit."""
        aus = shown.aus[rows] if len(pictures) == len(shown.aus) else shown.aus[trial.rows]
        return regions(aus) * np.array([np.ptp(pictures[row]) > 100 for row in rows])[:, None, None]

    found = means(oracle, [trial])
    assert found["concentration"] == pytest.approx(1 / regions(shown.aus[trial.rows]).mean())
    assert [found[name] for name in ("pointing", "iou", "right_unit", "contrast")] == [1, 1, 1, 1]
    assert found["sanity"] == 0 and found["stability"] == 1
    assert found["correctness"] > 0.3


def test_a_method_that_says_nothing_gains_nothing(trials):
    def silent(network, layer, pictures, rows, filters, positions):
        return np.zeros((len(rows), *pictures.shape[1:]))

    found = means(silent, trials)
    assert found["concentration"] == pytest.approx(1)
    assert abs(found["right_unit"]) < 0.01 and found["pointing"] < 0.3
    assert [found[name] for name in ("contrast", "correctness", "sanity")] == [0, 0, 0]


def test_a_gradient_beats_what_knows_nothing(trials):
    ours, edges = (means(EXPLAINERS[name], trials) for name in ("gradient_input", "edges"))
    assert set(ours) == {*judge.MAP_SCORES, "seconds"}
    assert ours["correctness"] > edges["correctness"] and edges["sanity"] == 0 < ours["sanity"]


def test_parts_are_what_whole_networks_say_of_mixed_pictures(trials):
    trial, step = trials[0], SIDE // judge.TWIN_PARTS
    found, shown = trial.parts, trial.twins

    def answer(picture, pair):
        maps = maps_of(trial.network, trial.layer, to_input(trial.network, picture[None]))
        return float(maps[0, trial.filters[pair], *trial.positions[pair]])

    for pair in (0, 1, 5):
        on, off = (each.pixels[trial.rows[pair]] for each in (shown.on, shown.off))
        for row, column in np.ndindex(judge.TWIN_PARTS, judge.TWIN_PARTS):
            place = slice(row * step, (row + 1) * step), slice(column * step, (column + 1) * step)
            if np.isnan(found[pair, row, column]):
                assert (on[place] == off[place]).all() or not trial.fields[pair][place].any()
                continue
            mixed = on.copy()
            mixed[place] = off[place]
            assert found[pair, row, column] == pytest.approx(answer(on, pair) - answer(mixed, pair), abs=1e-4)


def test_a_region_is_the_mask_of_the_faces_own_unit():
    shown = twins()
    own, rivals = shown.regions
    assert (own == regions(shown.aus).astype(bool)).all() and rivals.shape == (len(own), 2, SIDE, SIDE)
    with pytest.raises(DataError, match="no mask of 'AU4'"):
        _ = judge.Twins(shown.on, shown.off, np.where(shown.aus == "AU1", "AU4", shown.aus)).regions


def test_filters_are_chosen_in_other_people():
    shown = twins()
    first, pixels = judge.map_benchmark("net", network(1), shown), shown.on.pixels.copy()
    pixels[shown.halves] = np.random.default_rng(0).integers(0, 256, pixels[shown.halves].shape)
    again = judge.map_benchmark("net", network(1), judge.Twins(faces(pixels), shown.off, shown.aus))

    def chosen(trial):
        return {row: number for row, number in zip(trial.rows, trial.filters, strict=True)}

    both = [row for row in chosen(first).keys() & chosen(again).keys() if shown.halves[row]]
    assert both and all(chosen(first)[row] == chosen(again)[row] for row in both)


def test_a_disturbed_face_is_somebody_else_s_but_where_the_neuron_looks(trials):
    trial = trials[0]
    disturbed, on = trial.disturbed, trial.twins.on.pixels[trial.rows]
    inside = np.abs(disturbed.astype(int) - on)[trial.fields]
    assert inside.max() == 1 and (disturbed != on)[~trial.fields].any() == (~trial.fields).any()


def test_nobody_else_is_put_where_a_network_standardises_whole_pictures(trials):
    trial = trials[0]
    residual = build_network("residual", 3, SIDE, widths=(4, 8), depths=(1, 1)).eval()
    whole = replace(trial, network=residual, layer="conv1")
    assert not whole.fields.any(axis=0).all(), "it does not look everywhere"
    assert np.abs(whole.disturbed.astype(int) - trial.twins.on.pixels[trial.rows]).max() == 1


BAD = {
    "shape": (lambda maps: maps[:, :-1], r"returned float32 \(4, 23, 24\); expected numbers \(4, 24, 24\)"),
    "list": (lambda maps: maps.tolist(), "returned list; expected an array"),
    "nan": (lambda maps: maps * np.where(np.arange(4) == 2, np.nan, 1)[:, None, None], "map 2 of 4 holds"),
    "text": (lambda maps: maps.astype(str), "expected numbers"),
}


@pytest.mark.parametrize("bad", BAD)
def test_maps_that_are_none_are_refused(bad, trials):
    change, told = BAD[bad]
    with pytest.raises(DataError, match=told):
        judge.judge_maps(lambda *given: change(EXPLAINERS["gradient"](*given)), trials)


def on_weights(network, pictures):
    next(network.parameters()).data += 1


def on_pictures(network, pictures):
    pictures[0] = 0


def on_hooks(network, pictures):
    network.relu1.register_forward_hook(lambda *_: None)


def on_mode(network, pictures):
    network.train()


@pytest.mark.parametrize("harm", [on_weights, on_pictures, on_hooks, on_mode])
def test_what_changes_what_it_was_given_is_refused(harm):
    def method(network, layer, pictures, rows, filters, positions):
        harm(network, pictures)
        return np.ones((len(rows), *pictures.shape[1:]))

    at = np.array([0]), np.array([0]), np.array([[0, 0]])
    with pytest.raises(DataError, match="changed the network or the pictures"):
        judge.checked_maps(method, network(1), "relu3", np.ones((1, SIDE, SIDE), np.uint8), *at)


def test_what_gives_another_map_when_asked_again_is_refused(trials):
    rng = np.random.default_rng(0)

    def drawn(network, layer, pictures, rows, filters, positions):
        return rng.random((len(rows), *pictures.shape[1:]))

    with pytest.raises(DataError, match="other maps; draw from a fixed seed"):
        judge.judge_maps(drawn, trials[:1])


def test_tensors_are_taken_too(trials):
    at = trials[0].rows[:2], trials[0].filters[:2], trials[0].positions[:2]
    pictures = trials[0].twins.on.pixels
    maps = judge.checked_maps(
        lambda *given: torch.ones(2, SIDE, SIDE, requires_grad=True),
        trials[0].network,
        "relu3",
        pictures,
        *at,
    )
    assert maps.dtype == np.float32 and (maps == 1).all()


def test_estimates_are_means_over_networks_and_leave_out_what_nobody_has():
    table = pd.DataFrame(
        {
            "network": ["a"] * 4 + ["b"] * 4,
            "person": ["p", "p", "q", "r"] * 2,
            "energy_share": [0.4, 0.2, 0.2, 0.0, 0.4, 0.4, 0.4, 0.4],
            "area_share": 0.2,
            "pointing_game": [1.0, 0, np.nan, 1, 0, 0, 0, 0],
            "seconds": 0.5,
        }
    ).assign(
        **dict.fromkeys(("iou", "right_unit", "contrast", "correctness", "stability"), 0.25), sanity=np.nan
    )
    found = judge.map_estimates(table)
    assert found["concentration"].value == pytest.approx((0.8 / 0.8 + 1.6 / 0.8) / 2)
    assert found["concentration"].low < 1.5 < found["concentration"].high
    assert "2 networks" in found["concentration"].how and "sanity" not in found
    assert found["pointing"].value == pytest.approx(1 / 3)
    assert found["seconds"].value == 0.5 and not found["seconds"].how
