"""Which pairs carry over: made studies against counting; simulated studies for the rule of the lowest pair;
answers whose confidence and accuracy are known.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from torch import nn

from book.transfer import drops as transfer_drops
from book.transfer import figures
from book.transfer.drops import PairDegree, drops, lowest_degree, lowest_metrics, matrix_metrics, pair_degree
from book.transfer.study import Sets, TransferStudy
from face_sets.leakage import independent_groups
from fer_lib.stats import resampling
from fer_lib.stats.resampling import bounds
from fer_lib.stats.two_way import people_groups
from ferbook.estimate import Estimate

TWO = ("anger", "happiness")
# Trained on, tested on -> accuracy; the commonest class is correct in two thirds.
SHARES = {("a", "a"): 0.9, ("a", "b"): 0.9, ("a", "c"): 0.6}
SHARES |= {("b", "a"): 0.7, ("b", "b"): 0.8, ("b", "c"): 0.4}
SHARES |= {("c", "a"): 0.5, ("c", "b"): 0.55, ("c", "c"): 0.7}


@pytest.fixture
def made(blank, answers):
    """60 people with a picture each, two thirds of them happy; answers correct as ``SHARES`` says."""

    def study(networks=1, names="abc") -> TransferStudy:
        faces = {name: blank([TWO[row % 3 > 0] for row in range(60)], name) for name in names}
        given = {}
        for (source, target), share in SHARES.items():
            for k in range(networks) if {source, target} <= set(names) else ():
                # Networks differ by six of sixty pictures.
                own = round(60 * (share + 0.1 * (k - (networks - 1) / 2)))
                right = np.random.default_rng(k).permutation(60) < own
                given[source, k, target] = answers(faces[target], TWO, right)
        networks_by_set = {key[:2]: nn.Identity() for key in given}
        return TransferStudy(Sets(TWO, faces, {}, {}), networks_by_set, given)

    return study


def cells_of(found):
    return found.cells.set_index(["trained_on", "tested_on"])


def mean_recall(study, source, target, rows=slice(None)):
    labels = study.sets.faces[target].labels(TWO)[rows]
    answers = [own for key, own in study.answers.items() if key[::2] == (source, target)]
    right = [own.argmax(1)[rows] == labels for own in answers]
    return np.array([np.mean([own[labels == c].mean() for c in (0, 1)]) for own in right])


def test_cells_are_means_over_the_networks(made):
    study = made(networks=2)
    cells = cells_of(drops(study, draws=200))
    for pair, share in SHARES.items():
        cell = cells.loc[pair]
        assert cell["accuracy"] == pytest.approx(share) and cell["networks"] == 2
        assert cell["recall"] == pytest.approx(mean_recall(study, *pair).mean())
        assert np.isnan(cell["degree"]) == (pair[0] == pair[1])


def test_the_interval_of_one_network_resamples_people_alone(made):
    study = made()
    cell = cells_of(drops(study, draws=400, seed=3)).loc[("b", "a")]
    test = study.sets.tests["a"]
    right = study.answers["b", 0, "a"].argmax(1) == test.labels(TWO)
    who = np.unique(pd.factorize(independent_groups(test))[0], return_inverse=True)[1]
    drawn = np.random.default_rng(3).integers(60, size=(400, 60))
    expected = bounds(np.bincount(who, weights=right)[drawn].sum(1) / 60, 60, cell["accuracy"])
    np.testing.assert_allclose(cell[["accuracy_low", "accuracy_high"]].astype(float), expected)


def test_several_networks_widen_the_interval_and_have_a_spread(made):
    one, two = (drops(made(networks=n), draws=400) for n in (1, 2))
    wide = [cells_of(own)["accuracy_high"] - cells_of(own)["accuracy_low"] for own in (one, two)]
    assert (wide[1] > wide[0]).mean() > 0.8
    # Two networks, 10 points apart in each of 9 cells: variance 50 with one degree of freedom each.
    assert two.metrics["transfer_seed_spread"].value == pytest.approx(np.sqrt(50))
    assert "transfer_seed_spread" not in one.metrics


def test_every_pair_decides_the_lowest_degree_and_the_recall_is_of_the_lowest_value(made):
    study = made(networks=3)
    found = drops(study, draws=100)
    metrics, cells = matrix_metrics(study, found), cells_of(found)
    assert (metrics["pairs"].value, metrics["networks_of_each_set"].value) == (6, 3)
    homes = {name: mean_recall(study, name, name).mean() - 0.5 for name in "abc"}
    degrees = {p: (mean_recall(study, *p).mean() - 0.5) / homes[p[1]] for p in SHARES if len(set(p)) == 2}
    assert cells["degree"].dropna().to_dict() == pytest.approx(degrees)
    worst = min(degrees, key=degrees.get)
    assert metrics["worst_pair_degree"].value == pytest.approx(degrees[worst])
    assert metrics["worst_pair"].value == pytest.approx(100 * mean_recall(study, *worst).mean())
    room = metrics["worst_pair_room"]
    assert room.value == pytest.approx(100 * homes[worst[1]])
    assert room.low < room.value < room.high and "10 groups of people" in room.how
    assert "no pair of rendered sets" in metrics["worst_rendered_pair_degree"].why


def pair(value, error, source="lab", target="wild", freedom=20, **fields):
    reach = t.isf(0.025, freedom) * error
    degree = Estimate(value, value - reach, value + reach, n=5, how="Fieller's", freedom=freedom)
    return PairDegree(source, target, 30, degree, Estimate(35, 30, 40, n=5), **fields)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_claims_about_every_pair_are_seldom_wrong_where_the_lowest_value_alone_often_is(seed):
    """Old rule: the interval of the pair with the lowest value. New: the lowest of all intervals."""
    generator, studies = np.random.default_rng(seed), 1000
    wide, narrow = np.array([0.3, *[0.02] * 11]), np.full(12, 0.02)
    rates = {}
    # One uncertain pair lies below a half, so that *yes* is wrong; all lie above .1, so that *no* is wrong.
    low = np.array([0.45, *[0.6] * 11])
    for name, truth, errors in (("yes", low, wide), ("no", np.full(12, 0.101), narrow)):
        wrong = []
        for _ in range(studies):
            pairs = [pair(*each) for each in zip(generator.normal(truth, errors), errors, strict=True)]
            single = min((each.degree for each in pairs), key=lambda one: one.value)
            both = single, lowest_degree(pairs)
            wrong.append([one.low > 0.5 if name == "yes" else one.high < 0.1 for one in both])
        rates[name] = np.mean(wrong, axis=0)
    assert rates["yes"][0] > 0.2 and rates["yes"][1] < 0.04
    assert rates["no"][0] > 0.06 and rates["no"][1] < 0.04


def test_the_ends_of_the_lowest_degree_are_worked_by_hand():
    pairs = [pair(0.5, 0.2), pair(0.3, 0.05, "game", freedom=10)]
    lowest = lowest_degree(pairs)
    assert (lowest.value, lowest.n, lowest.freedom) == (0.3, 5, 10)
    assert lowest.low == pytest.approx(0.5 - 0.2 * t.isf(0.025, 20))
    assert lowest.high == pytest.approx(0.3 + 0.05 * t.isf(0.0125, 10))
    # A pair above 1 bounds nothing, but counts among those of which one may be low by chance.
    above = PairDegree("wild", "lab", 80, Estimate(1.2, why="above 1"), exceeds=True)
    more = lowest_degree([*pairs, above])
    assert more.low == lowest.low and more.high == pytest.approx(0.3 + 0.05 * t.isf(0.025 / 3, 10))
    assert lowest_degree([above]).low is None


def test_a_pair_that_may_have_any_degree_leaves_the_claim_undecided():
    unbounded = PairDegree("lab", "game", 20, Estimate(0.9, why="the room is uncertain"))
    for unknown in (unbounded, PairDegree("lab", "game", 20)):
        lowest = lowest_degree([pair(0.5, 0.01), unknown])
        assert (lowest.value, lowest.low) == (0.5, None) and "lab → game" in lowest.why
    assert lowest_degree([PairDegree("lab", "game", 20)]) is None


def test_rendered_sets_have_a_lowest_degree_without_photographs():
    found = lowest_metrics([pair(0.6, 0.01), pair(0.2, 0.01, "game", "fer2013")])
    assert found["worst_pair_degree"].value == 0.2
    assert found["worst_rendered_pair_degree"].value == 0.6


def test_people_are_left_out_in_groups(made):
    study = made(networks=2)
    test = study.sets.tests["a"]
    found = transfer_drops.recalls_without(study, "a", test)["b"]
    assert found.shape == (11, 2) and found[0] == pytest.approx(100 * mean_recall(study, "b", "a"))
    people = pd.factorize(independent_groups(test))[0]
    for group, without in enumerate(found[1:]):
        assert without == pytest.approx(100 * mean_recall(study, "b", "a", people_groups(people) != group))


def test_single_networks_have_a_degree_without_an_interval_which_decides_nothing(made):
    study = made()
    found = drops(study, draws=100)
    metrics = matrix_metrics(study, found)
    assert not {"worst_pair", "worst_pair_room"} & set(metrics)
    lowest = cells_of(found)["degree"].min()
    assert metrics["worst_pair_degree"].value == pytest.approx(lowest)
    assert metrics["worst_pair_degree"].low is None and "one network" in metrics["worst_pair_degree"].why
    assert metrics["cross_dataset_accuracy"].value == pytest.approx(np.mean([0.9, 0.6, 0.7, 0.4, 0.5, 0.55]))
    assert metrics["in_dataset_accuracy"].value == pytest.approx(0.8)
    drop = metrics["transfer_drop"]
    assert drop.value == pytest.approx(100 * (0.8 - 3.65 / 6)) and drop.low < drop.value < drop.high


def test_networks_that_guess_on_their_own_set_or_read_another_better_are_no_ceiling():
    guessing = {"own": np.full((11, 2), 50.0), "other": np.full((11, 2), 60.0)}
    assert pair_degree(guessing, "other", "own", 2) == PairDegree("other", "own", 60.0)
    generator = np.random.default_rng(0)
    better = {name: at + generator.normal(0, 0.1, (11, 2)) for name, at in {"own": 60, "other": 90}.items()}
    found = pair_degree(better, "other", "own", 2)
    assert found.exceeds and found.room is None and "ceiling" in found.degree.why


def test_changing_the_rule_moves_every_interval_of_the_study(made, monkeypatch):
    study = made(networks=2)

    def widths():
        found = drops(study, draws=300)
        cells = found.cells
        return {name: one.high - one.low for name, one in found.metrics.items() if one.low is not None} | {
            (name, row): cells[f"{name}_high"][row] - cells[f"{name}_low"][row]
            for name in ("accuracy", "recall")
            for row in cells.index
        }

    before = widths()
    monkeypatch.setattr(resampling, "expanded_tail", lambda clusters: 0.25)
    after = widths()
    resampled = {name for name in after if not str(name).startswith("worst_pair")}
    assert len(resampled) == 3 + 2 * 9 and all(after[name] < before[name] for name in resampled)


def test_the_figure_names_the_lowest_pair_with_the_numbers_of_its_degree(made):
    study = made(names="ab")
    found = drops(study, draws=100)
    drawn = figures.transfer_pairs(found, 2)
    cells = cells_of(found)
    assert len(drawn.data) == 4
    for number in (f"{cells['degree']['b', 'a']:.2f}", f"{100 * cells['recall']['b', 'a']:.1f} %", "50.0 %"):
        assert number in drawn.caption
    assert "b to a" in drawn.caption and "reaches lowest" not in drawn.caption
    several = drops(made(networks=3), draws=100)
    source, target = cells_of(several)["degree_low"].idxmin()
    assert f"is that from {source} to {target}." in figures.transfer_pairs(several, 2).caption


@pytest.fixture
def study(blank):
    """40 people in each of two sets: always 80 % confident, correct in 32 of 40 at home, in 16 away."""
    faces = {name: blank([TWO[row % 2] for row in range(40)], name) for name in "ab"}
    given = {}
    for source, target in ("aa", "ab", "ba", "bb"):
        labels = faces[target].labels(TWO)
        predicted = np.where(np.arange(40) < (32 if source == target else 16), labels, 1 - labels)
        given[source, 0, target] = np.where(np.eye(2)[predicted] > 0, 0.8, 0.2).astype(np.float32)
    return TransferStudy(Sets(TWO, faces, {}, {}), {key[:2]: nn.Identity() for key in given}, given)


def test_confidence_accuracy_and_calibration_error_are_of_the_same_answers_and_few_are_not_drawn(study):
    home, away = (transfer_drops.transfer_answers(study, at_home=at_home) for at_home in (True, False))
    for probabilities, _, people in (home, away):
        assert probabilities.shape == (80, 2) and len(set(people)) == 80
    found = transfer_drops.confidence_metrics(home, away, draws=300, seed=0)
    assert found["confidence_home"].value == found["confidence_away"].value == pytest.approx(0.8)
    assert (found["accuracy_home"].value, found["accuracy_away"].value) == pytest.approx((0.8, 0.4))
    assert found["calibration_error_home"].value == pytest.approx(0, abs=1e-6)
    error = found["calibration_error_away"]
    assert error.value == pytest.approx(0.4) and 0.25 < error.low < 0.4 < error.high < 0.55
    drawn = figures.reliability_lines(home, away)
    assert "80.0 %, accuracy 40.0 % (80 answers, 80 people)" in drawn.caption
    assert drawn.data["tested_on"].tolist() == ["set trained on", "other sets"]
    many = tuple(np.concatenate([part] * 3) for part in home)
    many[0][0] = 0.6, 0.4  # one of 240 answers, in a bin of its own
    assert figures.reliability_lines(many, away).data["pictures"].tolist() == [239, 80]
