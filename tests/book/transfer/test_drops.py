"""Which pairs hold and what is lost: studies made by hand, against counting and the rule of contrasts;
and answers whose confidence and accuracy are known.
"""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import figures
from book.transfer.drops import (
    confidence_metrics,
    drops,
    matrix_metrics,
    pair_degree,
    pairs,
    recalls_without,
    transfer_answers,
)
from book.transfer.study import Sets, TransferStudy
from face_sets.leakage import independent_groups
from fer_lib.stats import resampling
from fer_lib.stats.resampling import bounds
from fer_lib.stats.two_way import people_groups

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
        labels = study.sets.faces[target].labels(TWO)
        said = [study.answers[source, k, target].argmax(1) == labels for k in range(2)]
        recall = np.mean([own[labels == c].mean() for own in said for c in (0, 1)])
        assert cell["recall"] == pytest.approx(recall)
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


def mean_recall(study, source, target, keep=slice(None)):
    labels = study.sets.faces[target].labels(TWO)[keep]
    said = [
        one.argmax(1)[keep] == labels for key, one in study.answers.items() if key[::2] == (source, target)
    ]
    return np.array([np.mean([own[labels == c].mean() for c in (0, 1)]) for own in said])


def test_the_worst_pair_is_the_one_of_least_degree(made):
    study = made(networks=3)
    found = drops(study, draws=100)
    metrics = matrix_metrics(study, found)
    assert (metrics["pairs"].value, metrics["networks_of_each_set"].value) == (6, 3)
    degrees = {
        pair: (mean_recall(study, *pair).mean() - 0.5) / (mean_recall(study, pair[1], pair[1]).mean() - 0.5)
        for pair in SHARES
        if len(set(pair)) == 2
    }
    assert cells_of(found)["degree"].dropna().to_dict() == pytest.approx(degrees)
    worst = min(degrees, key=degrees.get)
    assert metrics["worst_pair_degree"].value == pytest.approx(degrees[worst])
    assert metrics["worst_pair"].value == pytest.approx(100 * mean_recall(study, *worst).mean())
    room = metrics["worst_pair_room"]
    assert room.value == pytest.approx(100 * (mean_recall(study, worst[1], worst[1]).mean() - 0.5))
    assert room.low < room.value < room.high and "10 groups of people" in room.how
    degree = metrics["worst_pair_degree"]
    assert degree.low is None or degree.low < degree.value < degree.high


def test_people_are_left_out_in_groups_and_answers_of_the_others_stay(made):
    study = made(networks=2)
    test = study.sets.tests["a"]
    found = recalls_without(study, "a", test)["b"]
    assert found.shape == (11, 2) and found[0] == pytest.approx(100 * mean_recall(study, "b", "a"))
    people = pd.factorize(independent_groups(test))[0]
    for group, without in enumerate(found[1:]):
        kept = people_groups(people) != group
        assert without == pytest.approx(100 * mean_recall(study, "b", "a", kept))


def test_single_networks_have_a_degree_without_an_interval_and_decide_nothing(made):
    study = made()
    found = drops(study, draws=100)
    metrics = matrix_metrics(study, found)
    assert not any(name.startswith("worst_pair") for name in metrics)
    assert metrics["cross_dataset_accuracy"].value == pytest.approx(np.mean([0.9, 0.6, 0.7, 0.4, 0.5, 0.55]))
    assert metrics["in_dataset_accuracy"].value == pytest.approx(0.8)
    drop = metrics["transfer_drop"]
    assert drop.value == pytest.approx(100 * (0.8 - 3.65 / 6)) and drop.low < drop.value < drop.high
    assert "transfer_seed_spread" not in metrics and "seed variance is not covered" in drop.how
    off = pairs(found)
    assert off["degree"].notna().all() and off["degree_low"].isna().all()


def test_where_a_sets_own_networks_guess_no_degree_is_told():
    guessing = {"own": np.full((11, 2), 50.0), "other": np.full((11, 2), 60.0)}
    assert set(pair_degree(guessing, "other", "own", 2).values()) == {None}
    generator = np.random.default_rng(0)
    better = {name: at + generator.normal(0, 0.1, (11, 2)) for name, at in {"own": 60, "other": 90}.items()}
    told = pair_degree(better, "other", "own", 2)
    assert told["worst_pair"] is None and "no ceiling of 'learned other'" in told["worst_pair_degree"].why


def test_changing_the_rule_moves_every_interval_of_the_study(made, monkeypatch):
    study = made(networks=2)

    def widths():
        found = drops(study, draws=300)
        metrics = matrix_metrics(study, found).items()
        cells = pairs(found)
        return {name: one.high - one.low for name, one in metrics if one.low is not None} | {
            (name, row): cells[f"{name}_high"][row] - cells[f"{name}_low"][row]
            for name in ("accuracy", "recall", "difference")
            for row in cells.index
        }

    before = widths()
    monkeypatch.setattr(resampling, "expanded_tail", lambda clusters: 0.25)
    after = widths()
    told = {name for name in after if not str(name).startswith("worst_pair")}
    assert len(told) == 3 + 3 * 6 and all(after[name] < before[name] for name in told)


def test_several_networks_say_how_far_they_differ(made):
    study = made(networks=2)
    spread = matrix_metrics(study, drops(study, draws=300))["transfer_seed_spread"]
    # Two networks, 10 points apart in each of 9 cells: variance 50 with one degree of freedom each.
    assert spread.value == pytest.approx(np.sqrt(50)) and "9 degrees of freedom" in spread.why


def test_the_figure_shows_the_numbers(made):
    study = made(names="ab")
    found = drops(study, draws=100)
    drawn = figures.transfer_pairs(found)
    degree = cells_of(found)["degree"]["b", "a"]
    assert len(drawn.data) == 2 and f"The least degree, {degree:.2f}" in drawn.caption
    assert "learned b and are tested on a" in drawn.caption
    assert "Networks of each set: 1; tested pictures: 60, of 60 people or more. A picture of" in drawn.caption


@pytest.fixture
def study(blank):
    """40 people in each of two sets: always 80 % sure, at home right in 32 of 40, on the other set in 16."""
    faces = {name: blank([TWO[row % 2] for row in range(40)], name) for name in "ab"}
    given = {}
    for source, target in ("aa", "ab", "ba", "bb"):
        labels = faces[target].labels(TWO)
        said = np.where(np.arange(40) < (32 if source == target else 16), labels, 1 - labels)
        given[source, 0, target] = np.where(np.eye(2)[said] > 0, 0.8, 0.2).astype(np.float32)
    return TransferStudy(Sets(TWO, faces, {}, {}), {key[:2]: nn.Identity() for key in given}, given)


def test_networks_are_asked_at_home_and_away_and_people_keep_their_set(study):
    home, away = (transfer_answers(study, at_home=at_home) for at_home in (True, False))
    for (said, labels, people), share in ((home, 0.8), (away, 0.4)):
        assert said.shape == (80, 2) and len(set(people)) == 80
        assert (said.argmax(axis=1) == labels).mean() == pytest.approx(share)


def test_the_error_is_how_much_surer_than_right_they_are(study):
    home, away = (transfer_answers(study, at_home=at_home) for at_home in (True, False))
    found = confidence_metrics(home, away, draws=300, seed=0)
    assert found["confidence_home"].value == found["confidence_away"].value == pytest.approx(0.8)
    assert found["calibration_error_home"].value == pytest.approx(0, abs=1e-6)
    error = found["calibration_error_away"]
    assert error.value == pytest.approx(0.4) and 0.25 < error.low < 0.4 < error.high < 0.55
    drawn = figures.reliability_lines(home, away)
    assert "sets 80.0 % sure and 40.0 % right (80 answers, 80 people). A picture of" in drawn.caption
    assert drawn.data["asked"].tolist() == ["set learned from", "other sets"]
