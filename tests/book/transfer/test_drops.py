"""Scores and drops of studies made by hand, against counting and a bootstrap in a plain loop."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import figures
from book.transfer.drops import NULL, OTHERS, Drops, drops, matrix_metrics, matrix_table
from book.transfer.study import TransferStudy, all_but
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.resampling import bounds, cluster_weights
from fer_lib.train.precision import Precision

CLASSES = ("anger", "fear", "sadness")
PICTURES = {"a": 24, "b": 30}
SEEDS = (0, 1)


def people_of(name, blank):
    """People with three pictures each; two thirds anger, and sadness is rare."""
    rows = range(PICTURES[name])
    emotions = [CLASSES[0 if row % 3 else 1 + (row % 2)] for row in rows]
    return blank(emotions, name, subject=[f"{name}-{row // 3}" for row in rows])


@pytest.fixture
def study(blank) -> TransferStudy:
    """Random answers, right with a probability that is highest at home."""
    generator = np.random.default_rng(7)
    tests = {name: people_of(name, blank) for name in PICTURES}
    skill = {("a", "a"): 0.8, ("b", "a"): 0.5, (all_but("a"), "a"): 0.6, ("a", "b"): 0.4, ("b", "b"): 0.7}
    answers = {}
    for seed in SEEDS:
        for (source, target), share in skill.items():
            labels = tests[target].labels(CLASSES)
            said = np.where(
                generator.random(len(labels)) < share, labels, generator.integers(3, size=len(labels))
            )
            answers[source, target, seed] = np.eye(3, dtype=np.float32)[said]
    return study_of(CLASSES, tests, answers)


def study_of(classes, tests, answers, table=None) -> TransferStudy:
    """What was learned and how does not count."""
    nothing = pd.DataFrame()
    return TransferStudy(
        sets=tuple(tests),
        classes=classes,
        table=nothing if table is None else table,
        answers=answers,
        faces=tests,
        tests=tests,
        dropped={},
        left_out={},
        networks={(source, seed): nn.Identity() for source, _, seed in answers},
        precision=Precision("fp32", False),
    )


def accuracy(study, source, target, rows=None):
    labels = study.tests[target].labels(CLASSES)
    rows = np.arange(len(labels)) if rows is None else rows
    return np.mean([(study.answers[source, target, s].argmax(1) == labels)[rows].mean() for s in SEEDS])


def cells_of(found: Drops) -> pd.DataFrame:
    return found.cells.set_index(["trained_on", "tested_on"])


def test_values_and_drops_are_means_over_the_seeds(study):
    found = drops(study, draws=200)
    assert len(found.cells) == 5
    for cell in found.cells.itertuples():
        source = all_but(cell.tested_on) if cell.trained_on == OTHERS else cell.trained_on
        home, value = (accuracy(study, name, cell.tested_on) for name in (cell.tested_on, source))
        np.testing.assert_allclose(cell.accuracy, value)
        assert cell.pictures == PICTURES[cell.tested_on] and cell.low < value < cell.high
        apart = [cell.difference_low, cell.difference, cell.difference_high]
        if source == cell.tested_on:
            assert np.isnan(apart).all()
        else:
            np.testing.assert_allclose(cell.difference, 100 * (value - home))
            assert apart == sorted(apart)


def test_means_are_over_the_cells_beside_the_diagonal(study):
    means = drops(study, draws=200).means
    at_home = [accuracy(study, name, name) for name in "ab"]
    away = [accuracy(study, "b", "a"), accuracy(study, "a", "b")]
    left = accuracy(study, all_but("a"), "a")
    expected = {
        "in_dataset_accuracy": np.mean(at_home),
        "cross_dataset_accuracy": np.mean(away),
        "transfer_drop": 100 * (np.mean(at_home) - np.mean(away)),
        "left_out_accuracy": left,
        "left_out_drop": 100 * (at_home[0] - left),
    }
    assert {name: mean.value for name, mean in means.items()} == pytest.approx(expected)
    assert all(mean.low < mean.value < mean.high and mean.n == 54 for mean in means.values())


def test_the_draws_are_those_of_a_loop_over_whole_people_and_paired(study):
    found, draws = drops(study, draws=150, seed=5), {}
    for number, target in enumerate("ab"):
        groups = independent_groups(study.tests[target])
        weights = np.concatenate(list(cluster_weights(PICTURES[target] // 3, 150, 5 + number)))
        for source in ("a", "b"):
            draws[source, target] = np.array(
                [
                    accuracy(
                        study, source, target, np.repeat(np.arange(len(groups)), row[groups].astype(int))
                    )
                    for row in weights
                ]
            )
    cells = cells_of(found)
    for (source, target), drawn in draws.items():
        own = cells.loc[(source, target)]
        expected = bounds(drawn, PICTURES[target] // 3, own["accuracy"])
        np.testing.assert_allclose(own[["low", "high"]].astype(float), expected)
    apart = cells.loc[("a", "b")]
    lost = bounds(100 * (draws["a", "b"] - draws["b", "b"]), 10, apart["difference"])
    np.testing.assert_allclose(apart[["difference_low", "difference_high"]].astype(float), lost)
    across = found.means["cross_dataset_accuracy"]
    expected = bounds(np.mean([draws["b", "a"], draws["a", "b"]], axis=0), 8, across.value)
    np.testing.assert_allclose((across.low, across.high), expected)


def test_networks_that_answer_alike_have_no_drop_and_no_interval(study):
    for seed in SEEDS:
        study.answers["b", "a", seed] = study.answers["a", "a", seed]
    cell = cells_of(drops(study, draws=100)).loc[("b", "a")]
    assert cell["difference"] == 0
    assert np.isnan([cell["difference_low"], cell["difference_high"]]).all()


def test_the_order_of_the_pictures_does_not_matter(study):
    order = np.random.default_rng(0).permutation(PICTURES["a"])
    answers = {key: answer[order] if key[1] == "a" else answer for key, answer in study.answers.items()}
    tests = study.tests | {"a": study.tests["a"].select(order)}
    other = replace(study, answers=answers, tests=tests)
    first, second = (drops(given, draws=100).cells[["accuracy", "difference"]] for given in (study, other))
    pd.testing.assert_frame_equal(first, second)


TWO = ("anger", "happiness")
SHARES = {
    ("a", "a"): 0.9,
    ("a", "b"): 0.55,
    ("a", "c"): 0.6,
    ("b", "a"): 0.7,
    ("b", "b"): 0.8,
    ("b", "c"): 0.4,
    ("c", "a"): 0.5,
    ("c", "b"): 0.55,
    ("c", "c"): 0.7,
    (all_but("a"), "a"): 0.8,
    (all_but("b"), "b"): 0.7,
    (all_but("c"), "c"): 0.6,
}
"""Trained on, tested on -> share of right answers. Means: 0.8 on the diagonal, 0.55 off it, 0.7 left out."""


@pytest.fixture
def made_study(blank, answers):
    """60 people with a picture each, two thirds of them happy; answers right as ``SHARES`` says."""

    def made(sets=("a", "b", "c"), seeds=(0,), left_one_out=True) -> TransferStudy:
        tests = {name: blank([TWO[number % 3 > 0] for number in range(60)], name) for name in sets}
        rows, given = [], {}
        for (source, target), share in SHARES.items():
            known = target in sets and (source in sets or (left_one_out and source == all_but(target)))
            for seed in seeds if known else ():
                # Seeds differ by six of sixty pictures.
                own = share + 0.1 * (seed - np.mean(seeds))
                given[source, target, seed] = answers(tests[target], TWO, np.arange(60) < round(own * 60))
                rows.append({"trained_on": source, "tested_on": target, "seed": seed, "accuracy": own})
        return study_of(TWO, tests, given, pd.DataFrame(rows))

    return made


def test_the_matrix_has_every_cell_then_the_joint_networks_and_the_null(made_study):
    study = made_study()
    table = matrix_table(study, drops(study, draws=200))
    assert list(table["trained_on"].unique()) == ["a", "b", "c", OTHERS, NULL]
    cells = table.set_index(["trained_on", "tested_on"])["accuracy"]
    for (source, target), share in SHARES.items():
        assert cells[OTHERS if source == all_but(target) else source, target] == pytest.approx(share)
    assert cells[NULL].tolist() == pytest.approx([2 / 3] * 3)
    of_null = table["trained_on"].eq(NULL)
    bounded = table[~of_null]
    assert (bounded["low"] < bounded["accuracy"]).all() and (bounded["accuracy"] < bounded["high"]).all()
    assert table.loc[of_null, "low"].isna().all()


def test_a_loss_is_below_zero_and_its_bounds_keep_their_order(made_study):
    table = drops(made_study(), draws=200).cells.dropna(subset="difference")
    cells = table.set_index(["trained_on", "tested_on"])["difference"]
    assert cells["b", "a"] == pytest.approx(-20) and cells[OTHERS, "c"] == pytest.approx(-10)
    assert len(table) == 9, "six pairs, and one joint network per set"
    assert (table["difference_low"] < table["difference"]).all()
    assert (table["difference"] < table["difference_high"]).all()


def test_the_metrics_are_means_over_cells(made_study):
    study = made_study()
    metrics = matrix_metrics(study, drops(study, draws=300))
    assert metrics["in_dataset_accuracy"].value == pytest.approx(0.8)
    assert metrics["cross_dataset_accuracy"].value == pytest.approx(0.55)
    assert metrics["transfer_drop"].value == pytest.approx(25)
    assert metrics["transfer_drop"].low < 25 < metrics["transfer_drop"].high
    assert metrics["left_out_accuracy"].value == pytest.approx(0.7)
    assert metrics["left_out_drop"].value == pytest.approx(10)
    assert metrics["commonest_accuracy"].value == pytest.approx(2 / 3)
    assert metrics["trainings"].value == 6 and metrics["sets"].value == 3
    assert "transfer_seed_spread" not in metrics


def test_several_seeds_say_how_far_they_differ(made_study):
    study = made_study(seeds=(0, 1))
    spread = matrix_metrics(study, drops(study, draws=300))["transfer_seed_spread"]
    # Two seeds, 10 points apart in each of 12 cells: variance 50 with one degree of freedom each.
    assert spread.value == pytest.approx(np.sqrt(50)) and "12 degrees of freedom" in spread.why


def test_two_sets_have_no_joint_networks_and_no_row_of_them(made_study):
    study = made_study(("a", "b"), left_one_out=False)
    found = drops(study, draws=100)
    assert OTHERS not in set(matrix_table(study, found)["trained_on"])
    assert "left_out_accuracy" not in matrix_metrics(study, found)


def test_the_figures_show_the_numbers(made_study):
    study = made_study()
    found = drops(study, draws=100)
    drawn = figures.transfer_matrix(study, found)
    assert len(drawn.data) == 15 and "learned from a, on a 90.0 %, on b 55.0 %" in drawn.alt
    assert len(drawn.figure.axes[0].patches) == 3, "one frame per set on the diagonal"
    drawn = figures.transfer_drops(found)
    assert len(drawn.data) == 9 and "tested on a, learned from b −20.0" in drawn.alt
