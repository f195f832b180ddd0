"""What is said of projections: tables follow the numbers, whichever way they fall."""

import numpy as np
import pandas as pd
import pytest
import torch
from toy_layer import toy_view

from book.deconvolution import study
from book.deconvolution.layer_view import view_layer
from book.deconvolution.study import (
    beside_untrained,
    check_projections,
    localisation_metrics,
    locate,
    sanity_metrics,
    shown_aus,
    unit_table,
    verdict_table,
    view_metrics,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.localisation import summarise
from fer_lib.nets.build import build_network


def faces_with_masks(people=8, size=24):
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
            "AU12": 0.5,
        }
    )
    masks = np.zeros((people, size, size), np.uint32)
    masks[:, : size // 3] |= 1
    masks[:, size // 3 : size // 2] |= 2
    masks[:, 2 * size // 3 :] |= 4
    pixels = generator.integers(0, 256, (people, size, size), dtype=np.uint8)
    return FaceSet("toy", pixels, table, masks=masks, mask_aus=("AU1", "AU9", "AU12"))


@pytest.fixture(scope="module")
def network():
    return build_network("zero_bias", 2, 24, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def view(network):
    return view_layer(network, faces_with_masks(), "relu2", top=3)


@pytest.fixture(scope="module")
def scored(view):
    return locate(view, 5)


def test_only_units_that_are_shown_and_have_regions_are_located():
    assert shown_aus(faces_with_masks()) == ("AU1", "AU12")
    assert shown_aus(toy_view().faces) == ()
    assert locate(toy_view(), 3) is None


def test_the_sampled_filters_are_scored_beside_every_control(view, scored):
    assert set(scored["filter"]) <= set(view.sample(5)) and set(scored["au"]) <= {"AU1", "AU12"}
    assert {"ours", "wrong_au", "other_filter", "field", "field_edges", "edges", "centre", "random"} == set(
        scored["kind"]
    )
    own = scored[scored["kind"].eq("ours")]
    pair = own.iloc[0]
    number = view.pairs_of(int(pair["filter"]))[0]
    energy = np.abs(view.projections.whole(number))
    mask = faces_with_masks().mask(pair["au"])[view.rows[number]]
    assert pair["energy_share"] == pytest.approx(energy[mask].sum() / energy.sum(), rel=1e-5)


def test_the_untrained_network_is_one_kind_more(scored):
    both = beside_untrained(scored, scored.assign(energy_share=scored["energy_share"] / 2), draws=50)
    kinds = both[both["measure"].eq("energy_share")].set_index("kind")["value"]
    assert len(both) == len(summarise(scored, draws=50)) + 4
    assert kinds["untrained"] == pytest.approx(kinds["ours"] / 2)
    metrics = localisation_metrics(both)
    assert metrics["concentration_untrained"].value == pytest.approx(metrics["concentration"].value / 2)
    assert "concentration_gain_edges" in metrics and "energy_share" not in metrics


def test_the_table_of_units_counts_filters_and_gives_intervals(scored):
    table = unit_table(scored, draws=50).data
    own = scored[scored["kind"].eq("ours")]
    assert list(table.index) == sorted(set(own["au"]), key=lambda au: int(au[2:]))
    for au, row in table.iterrows():
        assert row["pairs"] == (own["au"] == au).sum()
        assert row["filters"] == own.loc[own["au"] == au, "filter"].nunique()
        concentration = row["concentration"]
        assert concentration.low is None or concentration.low < concentration.value < concentration.high


def test_the_checks_judge_every_method(network, view):
    methods = ("deconv", "guided", "gradient")
    cascade, found = check_projections(network, view, 3, shuffled=build_network("zero_bias", 2, 24))
    assert set(cascade["method"]) == set(methods) and cascade["step"].max() == 2
    assert set(zip(found["name"], found["method"], strict=True)) == {
        (name, method) for name in ("random weights", "shuffled labels", "shift") for method in methods
    }
    without = check_projections(network, view, 3)[1]
    assert set(without["name"]) == {"random weights", "shift"}


def test_fewer_pictures_match_the_filters_and_the_pairs_stay_the_same(network, view, monkeypatch):
    seen = []

    def noted(model, other, faces, layer, rows, filters, **how):
        seen.append((faces.gather(np.asarray(rows)), filters))
        return real(model, other, faces, layer, rows, filters, **how)

    real = study.compare_networks
    monkeypatch.setattr(study, "compare_networks", noted)
    monkeypatch.setattr(study, "MATCHED_PICTURES", 4)
    check_projections(network, view, 3, shuffled=network)
    pictures, filters = seen[0]
    assert (pictures == view.faces.gather(view.top[filters, 0])).all()


def verdict(name, method, value, passed, limit=0.1):
    bounds = (np.nan, np.nan) if np.isnan(value) else (value - 0.05, value + 0.05)
    return (name, method, value, *bounds, limit, 0 if np.isnan(value) else 9, passed, "what follows")


@pytest.fixture
def found():
    columns = ["name", "method", "value", "low", "high", "limit", "n", "passed", "meaning"]
    rows = [
        verdict("random weights", "deconv", 0.4, False),
        verdict("random weights", "gradient", -0.02, True),
        verdict("shift", "deconv", 0.99, True, 0.95),
        verdict("shift", "gradient", np.nan, None, 0.95),
    ]
    return pd.DataFrame(rows, columns=columns).astype({"passed": "boolean"})


def test_verdicts_are_told_in_words(found):
    table = verdict_table(found).data
    assert list(table["verdict"]) == ["fails", "passes", "passes", "cannot be told"]
    metrics = sanity_metrics(found)
    wanted = ("random_weights_deconv", "random_weights_gradient", "shift_deconv")
    assert list(table["value"]) == [*map(metrics.get, wanted), None]
    assert list(table["limit"]) == ["≤\u00a00.1", "≤\u00a00.1", "≥\u00a00.95", "≥\u00a00.95"]
    assert list(table["maps"]) == [9, 9, 9, 0]
    assert set(metrics) == {"random_weights_deconv", "random_weights_gradient", "shift_deconv"}
    assert (metrics["shift_deconv"].low, metrics["shift_deconv"].n) == (pytest.approx(0.94), 9)


def places(trained, untrained):
    return pd.DataFrame(
        {"network": ["trained"] * 3 + ["untrained"] * 3, "share": [0, trained, 1, 0, untrained, 1]}
    )


def test_the_view_in_numbers():
    metrics = view_metrics(toy_view(), places(0.6, 0.3))
    values = {name: metric.value for name, metric in metrics.items()}
    assert values == {
        "filters": 4,
        "filters_silent": 1,
        "pairs": 5,
        "receptive_field": 6,
        "place_share": 0.6,
        "place_share_untrained": 0.3,
    }
