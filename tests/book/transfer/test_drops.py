"""Which pairs hold and what is lost: studies made by hand, against counting and the rule of contrasts."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import figures
from book.transfer.drops import drops, matrix_metrics, pairs
from book.transfer.study import Sets, TransferStudy
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats import resampling
from fer_lib.stats.resampling import bounds

TWO = ("anger", "happiness")
SHARES = {
    ("a", "a"): 0.9,
    ("a", "b"): 0.9,
    ("a", "c"): 0.6,
    ("b", "a"): 0.7,
    ("b", "b"): 0.8,
    ("b", "c"): 0.4,
    ("c", "a"): 0.5,
    ("c", "b"): 0.55,
    ("c", "c"): 0.7,
}
"""Learned from, tested on -> share of right answers; the commonest class is right in two thirds."""


@pytest.fixture
def made(blank, answers):
    """60 people with a picture each, two thirds of them happy; answers right as ``SHARES`` says."""

    def study(networks=1, names="abc") -> TransferStudy:
        faces = {name: blank([TWO[row % 3 > 0] for row in range(60)], name) for name in names}
        given = {}
        for (source, target), share in SHARES.items():
            for k in range(networks) if {source, target} <= set(names) else ():
                # Networks differ by six of sixty pictures.
                own = round(60 * (share + 0.1 * (k - (networks - 1) / 2)))
                right = np.random.default_rng(k).permutation(60) < own
                given[source, k, target] = answers(faces[target], TWO, right)
        kept = {key[:2]: nn.Identity() for key in given}
        return TransferStudy(Sets(TWO, faces, {}, {}), kept, given)

    return study


def cells_of(found):
    return found.cells.set_index(["trained_on", "tested_on"])


def test_cells_are_means_over_the_networks(made):
    study = made(networks=2)
    cells = cells_of(drops(study, draws=200))
    for (source, target), share in SHARES.items():
        cell = cells.loc[(source, target)]
        assert cell["accuracy"] == pytest.approx(share) and cell["networks"] == 2
        assert cell["over_majority"] == pytest.approx(100 * (share - 2 / 3))
        labels = study.sets.faces[target].labels(TWO)
        said = [study.answers[source, k, target].argmax(1) == labels for k in range(2)]
        recall = np.mean([own[labels == c].mean() for own in said for c in (0, 1)])
        assert cell["over_chance"] == pytest.approx(100 * (recall - 0.5))
        if source == target:
            assert np.isnan(cell["difference"])
        else:
            assert cell["difference"] == pytest.approx(100 * (share - SHARES[target, target]))
            assert cell["difference_low"] < cell["difference"] < cell["difference_high"]


def test_the_interval_of_one_network_draws_people_alone(made):
    study = made()
    cell = cells_of(drops(study, draws=400, seed=3)).loc[("b", "a")]
    test = study.sets.tests["a"]
    right = study.answers["b", 0, "a"].argmax(1) == test.labels(TWO)
    assert len(set(independent_groups(test))) == 60
    who = np.unique(pd.factorize(independent_groups(test))[0], return_inverse=True)[1]
    drawn = np.random.default_rng(3).integers(60, size=(400, 60))
    expected = bounds(np.bincount(who, weights=right)[drawn].sum(1) / 60, 60, cell["accuracy"])
    np.testing.assert_allclose(cell[["accuracy_low", "accuracy_high"]].astype(float), expected)


def test_several_networks_widen_the_interval(made):
    one, two = (cells_of(drops(made(networks=n), draws=400)) for n in (1, 2))
    wide = [cells["accuracy_high"] - cells["accuracy_low"] for cells in (one, two)]
    assert (wide[1] > wide[0]).mean() > 0.8


def test_pairs_are_counted_one_by_one_and_not_by_their_mean(made):
    study = made()
    found = drops(study, draws=300)
    metrics = matrix_metrics(study, found)
    # Of six pairs one is far above two thirds; the mean over the six is below.
    assert metrics["pairs"].value == 6 and metrics["pairs_above_majority"].value == 1
    behind = metrics["pairs_behind_majority"]
    assert behind.low <= behind.value <= behind.high == 5
    assert metrics["networks_of_each_set"].value == 1
    cells = cells_of(found)["over_chance"]
    kept = [cells[pair] - cells[pair[1], pair[1]] / 2 for pair in SHARES if len(set(pair)) == 2]
    worst = metrics["worst_pair_over_half"]
    assert worst.value == pytest.approx(min(kept)) and worst.low < worst.value < worst.high
    assert metrics["cross_dataset_accuracy"].value == pytest.approx(np.mean([0.9, 0.6, 0.7, 0.4, 0.5, 0.55]))
    assert metrics["in_dataset_accuracy"].value == pytest.approx(0.8)
    drop = metrics["transfer_drop"]
    assert drop.value == pytest.approx(100 * (0.8 - 3.65 / 6)) and drop.low < drop.value < drop.high
    assert metrics["commonest_accuracy"].value == pytest.approx(2 / 3)
    assert metrics["ahead_of_commonest"].value == pytest.approx(100 * (3.65 / 6 - 2 / 3))
    assert "transfer_seed_spread" not in metrics and "networks is not covered" in drop.how
    off = pairs(found)
    assert (off["trained_on"] != off["tested_on"]).all()
    held = off.loc[off["over_majority_low"] > 0, ["trained_on", "tested_on"]]
    assert held.to_numpy().tolist() == [["a", "b"]]


def test_changing_the_rule_moves_every_interval_of_the_study(made, monkeypatch):
    study = made(networks=2)

    def widths():
        found = drops(study, draws=300)
        metrics = matrix_metrics(study, found).items()
        cells = pairs(found)
        return {name: one.high - one.low for name, one in metrics if one.low is not None} | {
            (name, row): cells[f"{name}_high"][row] - cells[f"{name}_low"][row]
            for name in ("accuracy", "over_majority", "over_chance", "difference")
            for row in cells.index
        }

    before = widths()
    monkeypatch.setattr(resampling, "expanded_tail", lambda clusters: 0.25)
    after = widths()
    counted = before.pop("pairs_behind_majority"), after.pop("pairs_behind_majority")
    assert len(after) == 5 + 4 * 6 and all(after[name] < before[name] for name in before)
    assert counted[1] < counted[0]


def test_several_networks_say_how_far_they_differ(made):
    study = made(networks=2)
    spread = matrix_metrics(study, drops(study, draws=300))["transfer_seed_spread"]
    # Two networks, 10 points apart in each of 9 cells: variance 50 with one degree of freedom each.
    assert spread.value == pytest.approx(np.sqrt(50)) and "9 degrees of freedom" in spread.why


def test_the_figure_shows_the_numbers(made):
    study = made(names="ab")
    found = drops(study, draws=100)
    drawn = figures.transfer_pairs(found)
    assert len(drawn.data) == 2 and "tested on a, learned b +3.3" in drawn.alt
    # a to b is 23 points ahead and beyond b's own; b to a is 3 ahead, and 20 behind a's own.
    assert "Left: 1 of 2" in drawn.caption and "Right: 1 of 2" in drawn.caption
