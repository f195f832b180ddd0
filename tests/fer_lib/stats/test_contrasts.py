"""Contrasts between trainings: hand-worked values, what cancels, and what an interval may not claim."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from fer_lib.stats import contrasts, resampling
from fer_lib.stats.classification import accuracy
from fer_lib.stats.resampling import expanded_tail
from ferbook.errors import DataError


def answers(right: np.ndarray, labels: np.ndarray, n_classes: int = 3) -> np.ndarray:
    """Probabilities (N, classes) of a network that is right where ``right`` says so, and else names the next
    class.
    """
    return np.eye(n_classes)[np.where(right, labels, (labels + 1) % n_classes)]


def trained(skill: dict[tuple[str, str], list[float]], pictures: int = 600, seed: int = 0):
    """A table and probabilities: each training is right on the share ``skill`` of pictures, independently."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(3, size=pictures)
    rows, given = [], []
    for (structure, loss), shares in skill.items():
        for number, share in enumerate(shares):
            rows.append({"structure": structure, "loss": loss, "seed": number})
            given.append(answers(generator.permutation(pictures) < share * pictures, labels))
    return pd.DataFrame(rows), np.stack(given), labels


def scored_of(skill, clusters=None, **settings):
    table, probabilities, labels = trained(skill)
    groups = np.arange(len(labels)) if clusters is None else clusters
    return contrasts.score_trainings(table, probabilities, labels, groups, ["structure", "loss"], **settings)


SKILL = {
    ("small", "cross_entropy"): [0.50, 0.54],
    ("small", "focal"): [0.52, 0.52],
    ("large", "cross_entropy"): [0.70, 0.74],
    ("large", "focal"): [0.72, 0.76],
}


def test_scores_and_the_pooled_spread_of_seeds_by_hand():
    scored = scored_of(SKILL)
    np.testing.assert_allclose(scored.table["accuracy"], np.ravel(list(SKILL.values())), atol=1e-9)
    # Squared deviations 2 · 0.02² in three conditions, none in the other; four degrees of freedom.
    assert scored.freedom == 4
    assert scored.spread["accuracy"] == pytest.approx(np.sqrt(3 * 2 * 0.02**2 / 4))


def test_draws_in_blocks_give_the_same_scores_in_bounded_memory(monkeypatch):
    """All weights of 4,000 draws of 600 clusters take 9.6 MB in float32, a block of them 160 kB."""
    skill = {("a", "b"): [0.6, 0.7]}
    whole = scored_of(skill, draws=4000)
    monkeypatch.setattr(resampling, "MOST_WEIGHTS", 20_000)
    scored_of(skill, draws=100)  # imports and caches come before the measurement
    tracemalloc.start()
    try:
        blocks = scored_of(skill, draws=4000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000, peak
    for measure, drawn in blocks.drawn.items():
        assert np.array_equal(drawn, whole.drawn[measure])


def test_a_difference_of_means_by_hand_in_points():
    scored = scored_of(SKILL)
    large, small = (scored.table["structure"].eq(name) for name in ("large", "small"))
    found = contrasts.difference(scored, large, small)
    assert found.value == pytest.approx(21.0)
    assert found.low < 21.0 < found.high and found.n == 600
    assert found.how.startswith("95 % expanded percentile bootstrap") and "seeds" in found.how


def test_with_one_training_the_interval_is_that_of_the_plain_bootstrap():
    scored = scored_of({("a", "b"): [0.6]}, draws=4000)
    one = contrasts.contrast(scored, np.ones(1))
    _, probabilities, labels = trained({("a", "b"): [0.6]})
    plain = accuracy(labels, probabilities[0].argmax(axis=1), np.arange(len(labels)), draws=4000)
    assert one.value == plain.value
    assert one.low == pytest.approx(plain.low, abs=0.006) and one.high == pytest.approx(plain.high, abs=0.006)
    assert "the seeds are not covered" in one.how


def test_seeds_widen_the_interval_as_student_says():
    # All pictures in two clusters that are answered alike: their sampling error almost vanishes.
    labels = np.tile([0, 1, 2, 0], 50)
    right = np.tile([True, True, True, False], 50)
    other = np.tile([True, True, False, False], 50)
    table = pd.DataFrame({"structure": "a", "loss": "b", "seed": [0, 1]})
    given = np.stack([answers(right, labels), answers(other, labels)])
    clusters = np.arange(200) // 4
    scored = contrasts.score_trainings(table, given, labels, clusters, ["structure", "loss"], draws=20_000)
    mean = contrasts.contrast(scored, np.full(2, 0.5), unit="")
    # sd of (.75, .50) over √2, times the quantile of Student's t with one degree of freedom.
    half = 100 * 0.1767767 / np.sqrt(2) * t.ppf(1 - expanded_tail(50), 1)
    assert mean.value == pytest.approx(62.5)
    assert (mean.high - mean.low) / 2 == pytest.approx(half, rel=0.1)
    same = contrasts.contrast(scored, np.full(2, 0.5), unit="", same_networks=True)
    assert same.low is None and "same value" in same.why


def test_what_makes_a_picture_hard_for_everybody_cancels_in_a_difference():
    labels = np.random.default_rng(1).integers(3, size=400)
    hard = np.arange(400) < 160
    better = hard & (np.arange(400) >= 8)
    table = pd.DataFrame({"structure": ["a", "b"], "loss": "l", "seed": 0})
    given = np.stack([answers(~hard, labels), answers(~better, labels)])
    scored = contrasts.score_trainings(table, given, labels, np.arange(400), ["structure", "loss"])
    gain = contrasts.contrast(scored, np.array([-1.0, 1.0]), unit="")
    alone = contrasts.contrast(scored, np.array([0.0, 1.0]), unit="")
    assert gain.value == pytest.approx(2.0)
    assert gain.high - gain.low < 0.35 * (alone.high - alone.low)
    assert gain.low > 0


def test_clusters_count_not_pictures():
    clusters = np.arange(600) // 60
    wide, narrow = scored_of({("a", "b"): [0.6]}, clusters), scored_of({("a", "b"): [0.6]})
    assert (wide.clusters, narrow.clusters, wide.pictures) == (10, 600, 600)


def test_one_cluster_has_no_interval_and_says_why():
    scored = scored_of(SKILL, np.zeros(600, int))
    found = contrasts.contrast(scored, np.full(8, 1 / 8))
    assert found.low is None and found.why == "fewer than two clusters"


def test_on_two_sets_of_pictures_the_error_of_both_counts():
    first, second = scored_of({("a", "b"): [0.6, 0.7]}), scored_of({("a", "b"): [0.5, 0.6]})
    gap = contrasts.minus(first, second, ["structure", "loss"])
    assert gap.table["accuracy"].tolist() == pytest.approx(
        (first.table["accuracy"] - second.table["accuracy"]).tolist()
    )
    assert gap.freedom == 1 and gap.pictures == 1200
    # Both seeds gain as much from set to set: their variance cancels, that of the pictures does not.
    assert gap.spread["accuracy"] < 0.3 * first.spread["accuracy"]


def sets_of(
    luck: np.ndarray, counts: list[int], people: np.random.Generator
) -> list[contrasts.TrainingScores]:
    """Networks of as many conditions as ``counts`` has numbers, scored on as many sets: .5, and ``luck``
    (sets, networks).
    """
    table = pd.DataFrame({"learned": np.repeat(np.arange(len(counts)), counts)})
    scores = []
    for own in luck:
        scored = table.assign(**dict.fromkeys(contrasts.SCORE_MEASURES, 0.5 + own))
        drawn = dict.fromkeys(
            contrasts.SCORE_MEASURES, 0.5 + own[:, None] + people.normal(0, 0.002, (len(own), 500))
        )
        scores.append(contrasts.TrainingScores(scored, drawn, {}, 0, 400, 400))
    return scores


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.slow
def test_the_effect_of_a_network_that_it_has_on_every_set_is_covered(common):
    generator, counts, simulations = np.random.default_rng(1), [3, 3, 4, 5], 300
    learned, covered = np.repeat(np.arange(4), counts), 0
    for _ in range(simulations):
        luck = generator.normal(0, 0.03, (4, 15))
        scores = sets_of(luck[[0] * 4] if common else luck, counts, generator)
        others = [scores[0].weights(learned != number) for number in range(4)]
        one = contrasts.contrast_of_sets(
            scores, others, condition=["learned"], without_seed=[np.zeros(15, bool)] * 4
        )
        covered += one.low <= 0.5 <= one.high
    assert covered / simulations == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / simulations))


def test_what_is_common_to_all_sets_cancels_in_a_difference_of_sets():
    generator, counts = np.random.default_rng(2), [3, 3]
    luck, learned = generator.normal(0, 0.03, 6), np.repeat([0, 1], 3)
    scores = sets_of(np.stack([luck, luck]), counts, generator)
    apart = [scores[0].weights(learned == number) - scores[0].weights(learned != number) for number in (0, 1)]
    fixed = {"condition": ["learned"], "without_seed": [np.zeros(6, bool)] * 2, "unit": ""}
    assert contrasts.contrast_of_sets(scores, apart, **fixed).high < 1, "people alone are left"
    mean = [scores[0].weights(learned == number) for number in (0, 1)]
    assert contrasts.contrast_of_sets(scores, mean, **fixed).high > 51
    with pytest.raises(ValueError, match="same trainings"):
        contrasts.contrast_of_sets([scores[0], sets_of(luck[None], [2, 4], generator)[0]], mean, **fixed)


def test_answers_that_are_not_one_for_each_training_are_refused():
    table, probabilities, labels = trained(SKILL, pictures=30)
    about = (labels, np.arange(30), ["structure", "loss"])
    for wrong in (probabilities[1:], np.where(np.arange(3) == 2, np.nan, probabilities)):
        with pytest.raises(DataError, match="of 8 trainings: give one of each, all of them numbers"):
            contrasts.score_trainings(table, wrong, *about)
    one, other = (
        contrasts.score_trainings(rows, probabilities, *about, draws=10) for rows in (table, table.iloc[::-1])
    )
    with pytest.raises(ValueError, match="different trainings"):
        contrasts.minus(one, other, ["structure", "loss"])
