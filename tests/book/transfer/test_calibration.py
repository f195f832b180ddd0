"""Calibration: values worked by hand, scikit-learn, and loops."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from book.transfer.calibration import (
    Luck,
    bin_edges,
    brier_score,
    calibration_error,
    calibration_metrics,
    calibration_scores,
    log_loss,
    luck_of,
    reliability_table,
    score_metric,
)
from fer_lib.stats.resampling import bootstrap, cluster_sums, expanded_tail

SURE = np.array([0.9, 0.8, 0.6, 0.3])
FOUR = np.stack([SURE, 1 - SURE], axis=1)
LABELS = np.array([0, 1, 0, 1])
TRUTH = np.eye(2)[LABELS]


@pytest.fixture
def answers():
    """500 pictures of 25 people with three classes, probabilities that are the truth, and shares of ten
    votes.
    """
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet(np.full(3, 0.8), 500)
    labels = np.array([generator.choice(3, p=p) for p in probabilities])
    shares = np.array([generator.multinomial(10, p) / 10 for p in probabilities])
    return probabilities, labels, np.repeat(np.arange(25), 20), shares


def sharpened(probabilities, power):
    given = probabilities**power
    return given / given.sum(axis=1, keepdims=True)


def test_calibration_error_worked_by_hand():
    # One bin: confidences 0.9, 0.8, 0.6 and 0.7, three of four right.
    assert calibration_error(FOUR, LABELS, bins=1).value == pytest.approx(0)
    # Five: |1 − 0.6|/4 in (0.4, 0.6], 2·|0.5 − 0.75|/4 in (0.6, 0.8], |1 − 0.9|/4 above.
    assert calibration_error(FOUR, LABELS, bins=5).value == pytest.approx(0.1 + 0.125 + 0.025)
    # Two of equal mass, 0.6 and 0.7, 0.8 and 0.9: 2·|1 − 0.65|/4 + 2·|0.5 − 0.85|/4.
    assert calibration_error(FOUR, LABELS, bins=2, binning="mass").value == pytest.approx(0.35)


def test_proper_scores_worked_by_hand():
    assert brier_score(FOUR, TRUTH).value == pytest.approx(2 * (0.01 + 0.64 + 0.16 + 0.09) / 4)
    assert log_loss(FOUR, TRUTH).value == pytest.approx(-np.log(0.9 * 0.2 * 0.6 * 0.7) / 4)
    assert calibration_scores(FOUR, LABELS, TRUTH)["accuracy"].value == 0.75
    half = np.full((4, 2), 0.5)
    assert brier_score(FOUR, half).value == pytest.approx(2 * (0.16 + 0.09 + 0.01 + 0.04) / 4)
    assert log_loss(half, half).value == pytest.approx(np.log(2))


def test_proper_scores_are_scikit_learns(answers):
    probabilities, labels, _, shares = answers
    found = calibration_scores(probabilities, labels, shares)
    expected = sk.brier_score_loss(labels, probabilities, scale_by_half=False)
    assert found["brier"].value == pytest.approx(expected)
    assert found["log_loss"].value == pytest.approx(sk.log_loss(labels, probabilities))
    assert found["accuracy"].value == sk.accuracy_score(labels, probabilities.argmax(axis=1))


def test_scores_against_votes_are_means_over_voters(answers):
    probabilities, _, _, shares = answers
    voters = [np.repeat(np.arange(3), np.round(10 * share).astype(int)) for share in shares]
    surprise = np.mean([-np.log(p[votes]).mean() for p, votes in zip(probabilities, voters, strict=True)])
    assert log_loss(probabilities, shares).value == pytest.approx(surprise)
    distance = np.mean(
        [sum((p[k] - s[k]) ** 2 for k in range(3)) for p, s in zip(probabilities, shares, strict=True)]
    )
    assert brier_score(probabilities, shares).value == pytest.approx(distance)


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_calibration_error_is_that_of_a_loop(answers, binning):
    probabilities, labels, _, _ = answers
    confidence = probabilities.max(axis=1)
    edges = bin_edges(confidence, 7, binning)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = [i for i in range(500) if low < confidence[i] <= high]
        right = [probabilities[i].argmax() == labels[i] for i in inside]
        expected += abs(sum(right) - sum(confidence[i] for i in inside)) / 500
    assert calibration_error(probabilities, labels, bins=7, binning=binning).value == pytest.approx(expected)


def test_bins_of_equal_mass_hold_equally_many(answers):
    confidence = answers[0].max(axis=1)
    counts, _ = np.histogram(confidence, bin_edges(confidence, 8, "mass"))
    assert counts.sum() == 500 and np.ptp(counts) <= 1
    assert bin_edges(np.array([0.5, 1, 1, 1, 1]), 5, "mass").tolist() == [0, 0.9, 1]
    # Of equal confidences there is one bin that holds them, and nothing is lost.
    equal = np.tile([0.75, 0.25], (6, 1))
    assert bin_edges(equal.max(axis=1), binning="mass").tolist() == [0, 0.75, 1]
    assert calibration_error(equal, np.zeros(6, int), binning="mass").value == pytest.approx(0.25)


def test_confidence_on_an_edge_and_certainty_are_counted():
    certain = np.array([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])
    table = reliability_table(certain[None], np.array([0, 0, 1]), np.arange(3), bins=2)
    assert list(table["n"]) == [1, 2] and list(table["accuracy"]) == [1.0, 0.5]


def test_the_truth_is_calibrated_and_no_score_beats_it(answers):
    probabilities, labels, _, shares = answers
    found = {
        power: calibration_scores(sharpened(probabilities, power), labels, shares)
        for power in (0.4, 1.0, 4.0)
    }
    for name in (
        "calibration_error",
        "calibration_error_mass",
        "brier",
        "log_loss",
        "brier_votes",
        "log_loss_votes",
    ):
        values = {power: scores[name].value for power, scores in found.items()}
        assert values[1.0] < min(values[0.4], values[4.0]), name
    assert len({round(scores["accuracy"].value, 9) for scores in found.values()}) == 1
    assert found[4.0]["calibration_error"].value > 0.15


def test_the_diagram_recombines_to_the_error(answers):
    probabilities, labels, clusters, _ = answers
    table = reliability_table(sharpened(probabilities, 3)[None], labels, clusters, bins=12)
    filled = table[table["n"] > 0]
    error = (filled["n"] * (filled["accuracy"] - filled["confidence"]).abs()).sum() / 500
    assert error == pytest.approx(calibration_error(sharpened(probabilities, 3), labels, bins=12).value)
    empty = table[table["n"] == 0]
    # No highest of three probabilities is below a third.
    assert list(empty.index[:4]) == [0, 1, 2, 3] and empty[["confidence", "accuracy", "low"]].isna().all(
        axis=None
    )
    wide = filled[filled["n"] > 40]
    assert ((wide["low"] < wide["accuracy"]) & (wide["accuracy"] < wide["high"])).all()


def test_several_trainings_share_a_diagram(answers):
    probabilities, labels, clusters, _ = answers
    two = np.stack([probabilities, sharpened(probabilities, 3)])
    together = reliability_table(two, labels, clusters, bins=5)
    single = [reliability_table(given[None], labels, clusters, bins=5) for given in two]
    assert list(together["n"]) == list(single[0]["n"] + single[1]["n"])
    again = reliability_table(np.stack([probabilities] * 2), labels, clusters, bins=5)
    # The same answers twice are no further evidence: people are drawn, not answers.
    assert again[["low", "high"]].equals(single[0][["low", "high"]])


def test_intervals_of_means_are_the_bootstraps(answers):
    probabilities, labels, clusters, _ = answers
    score = brier_score(probabilities, np.eye(3)[labels])
    found = score_metric([score], clusters, luck=Luck(), draws=1000, seed=3)
    plain = bootstrap(cluster_sums(score.parts, clusters), score.of, draws=1000, seed=3)
    assert (found.value, found.n, found.unit) == (pytest.approx(score.value), 500, "")
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.002)
    assert found.low < found.value < found.high


def test_chance_that_lengthens_distances_is_not_counted_twice(answers):
    probabilities, labels, clusters, _ = answers
    score = calibration_error(probabilities, labels)
    found = score_metric([score], clusters, luck=Luck())
    plain = bootstrap(cluster_sums(score.parts, clusters), score.of)
    # Of calibrated answers the draws' errors lie above the error itself, which is chance already.
    assert plain.low + plain.high > 2.3 * score.value
    assert 0 <= found.low < found.value < found.high < plain.high


def test_differences_are_paired_and_means_over_trainings(answers):
    probabilities, labels, clusters, shares = answers
    given = np.stack([sharpened(probabilities, power) for power in (3.0, 4.0, 1.0, 1.5)])
    learned = ["majority", "majority", "votes", "votes"]
    found = calibration_metrics(given, learned, labels, clusters, shares)
    assert len(found) == 3 * 7
    scores = [brier_score(p, np.eye(3)[labels]).value for p in given]
    assert found["majority_brier"].value == pytest.approx(np.mean(scores[:2]))
    apart = found["votes_brier_difference"]
    assert apart.value == pytest.approx(np.mean(scores[2:]) - np.mean(scores[:2]))
    single = calibration_metrics(given[::2], learned[::2], labels, clusters, shares)
    apart = single["votes_brier_difference"]
    assert (
        apart.high < 0
        and apart.high - apart.low < single["majority_brier"].high - single["majority_brier"].low
    )
    assert "pooled, 2 degrees" in found["majority_brier"].how
    same = found["votes_accuracy_difference"]
    assert same.value == pytest.approx(0) and same.why.startswith("all draws")
    assert found["votes_accuracy"].unit == "share" and same.unit == ""
    assert {name.removesuffix("_votes") for name in found if name.endswith("_votes")} == {
        f"{name}_{measure}" for name in ("majority", "votes") for measure in ("brier", "log_loss")
    }


def test_the_seeds_widen_an_interval_by_their_spread(answers):
    probabilities, labels, clusters, _ = answers
    scores = [
        brier_score(sharpened(probabilities, power), np.eye(3)[labels]) for power in (1.0, 1.3, 2.0, 2.4)
    ]
    luck = luck_of([scores[:2], scores[2:]])
    values = [score.value for score in scores]
    # Of two values the sum of squares is half the square of their distance.
    assert luck.freedom == 2
    assert luck.spread**2 == pytest.approx(((values[1] - values[0]) ** 2 + (values[3] - values[2]) ** 2) / 4)
    assert luck_of([scores[:1], scores[2:3]]).freedom == 0
    # Where pictures vary little beside the seeds, the interval is that of Student's t.
    wild = Luck(0.1, 5)
    found = score_metric(scores[:2], clusters, scores[2:], luck=wild, draws=20_000)
    half = 0.1 * stats.t.ppf(1 - expanded_tail(len(set(clusters))), 5)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)
    assert found.how.endswith("and of the seeds (pooled, 5 degrees of freedom)")
    plain = score_metric(scores[:2], clusters, scores[2:], luck=Luck())
    assert plain.high - plain.low < 0.5 * half and plain.how.endswith("the seeds are not covered")


def test_one_person_has_no_interval(answers):
    probabilities, labels, _, shares = answers
    found = calibration_metrics(probabilities[None], ["majority"], labels, np.zeros(500), shares)
    assert len(found) == 7
    assert all(metric.low is None and metric.why == "fewer than two clusters" for metric in found.values())


def test_an_impossible_answer_costs_much_but_not_everything():
    assert log_loss(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).value == pytest.approx(12 * np.log(10))
