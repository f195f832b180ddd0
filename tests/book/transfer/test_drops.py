"""Scores and drops of a study made by hand, against counting, scikit-learn and a bootstrap in a plain loop."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from book.transfer.drops import drops
from book.transfer.study import TransferStudy, all_but
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.leakage import independent_groups
from fer_lib.stats.resampling import cluster_weights
from fer_lib.train.precision import Precision
from ferbook.errors import ParameterError

CLASSES = ("anger", "fear", "sadness")
PICTURES = {"a": 24, "b": 30}
SEEDS = (0, 1)


def people_of(name):
    """People with three pictures each; two thirds anger, and sadness is rare."""
    count = PICTURES[name]
    table = pd.DataFrame(
        {
            "dataset": name,
            "subject": [f"{name}-{row // 3}" for row in range(count)],
            "sequence": "",
            "frame": 0,
            "emotion": [CLASSES[0 if row % 3 else 1 + (row % 2)] for row in range(count)],
            "split": "test",
        }
    )
    return FaceSet(name, np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2), table)


@pytest.fixture
def study() -> TransferStudy:
    """Random answers, right with a probability that is highest at home."""
    generator = np.random.default_rng(7)
    tests = {name: people_of(name) for name in PICTURES}
    skill = {("a", "a"): 0.8, ("b", "a"): 0.5, (all_but("a"), "a"): 0.6, ("a", "b"): 0.4, ("b", "b"): 0.7}
    answers = {}
    for seed in SEEDS:
        for (source, target), share in skill.items():
            labels = tests[target].labels(CLASSES)
            said = np.where(
                generator.random(len(labels)) < share, labels, generator.integers(3, size=len(labels))
            )
            answers[source, target, seed] = np.eye(3, dtype=np.float32)[said]
    nothing = pd.DataFrame()
    return TransferStudy(
        sets=("a", "b"),
        classes=CLASSES,
        table=nothing,
        answers=answers,
        faces=tests,
        tests=tests,
        dropped=nothing,
        shared=nothing,
        networks={},
        precision=Precision("fp32", channels_last=False),
    )


def accuracy(study, source, target, rows=None):
    labels = study.tests[target].labels(CLASSES)
    rows = np.arange(len(labels)) if rows is None else rows
    return np.mean([(study.answers[source, target, s].argmax(1) == labels)[rows].mean() for s in SEEDS])


def test_values_and_drops_are_means_over_the_seeds(study):
    found = drops(study, draws=200)
    assert len(found.cells) == 5
    for cell in found.cells.itertuples():
        home = accuracy(study, cell.tested_on, cell.tested_on)
        value = accuracy(study, cell.trained_on, cell.tested_on)
        np.testing.assert_allclose([cell.value, cell.in_dataset], [value, home])
        assert (cell.n, cell.clusters) == (PICTURES[cell.tested_on], PICTURES[cell.tested_on] / 3)
        if cell.trained_on == cell.tested_on:
            assert np.isnan([cell.drop, cell.drop_low, cell.drop_high]).all()
        else:
            np.testing.assert_allclose(cell.drop, home - value)
            assert cell.drop_low < cell.drop < cell.drop_high
        assert cell.low < cell.value < cell.high


def test_means_are_over_the_cells_beside_the_diagonal(study):
    means = drops(study, draws=200).means.set_index("mean")
    at_home = [accuracy(study, name, name) for name in "ab"]
    away = [accuracy(study, "b", "a"), accuracy(study, "a", "b")]
    np.testing.assert_allclose(means.loc["in_dataset", "value"], np.mean(at_home))
    np.testing.assert_allclose(means.loc["across", "value"], np.mean(away))
    np.testing.assert_allclose(means.loc["drop", "value"], np.mean(at_home) - np.mean(away))
    left = accuracy(study, all_but("a"), "a")
    np.testing.assert_allclose(means.loc["left_one_out", "value"], left)
    np.testing.assert_allclose(means.loc["left_one_out_drop", "value"], at_home[0] - left)
    assert means["cells"].tolist() == [2, 2, 2, 1, 1]
    assert (means["low"] < means["value"]).all() and (means["value"] < means["high"]).all()


def balanced_accuracy(study, source, target, rows):
    labels = study.tests[target].labels(CLASSES)[rows]
    said = [study.answers[source, target, seed].argmax(1)[rows] for seed in SEEDS]
    return np.mean([np.mean([(one[labels == k] == k).mean() for k in np.unique(labels)]) for one in said])


@pytest.mark.parametrize("score", [accuracy, balanced_accuracy])
def test_the_bootstrap_is_that_of_a_loop_over_whole_people_and_paired(study, score):
    found, draws = drops(study, measure=score.__name__, draws=150, seed=5), {}
    for number, target in enumerate("ab"):
        groups = independent_groups(study.tests[target])
        weights = np.concatenate(list(cluster_weights(PICTURES[target] // 3, 150, 5 + number)))
        for source in ("a", "b"):
            draws[source, target] = [
                score(study, source, target, np.repeat(np.arange(len(groups)), row[groups].astype(int)))
                for row in weights
            ]
    cells = found.cells.set_index(["trained_on", "tested_on"])
    tails = (0.025, 0.975)
    for key, drawn in draws.items():
        np.testing.assert_allclose(cells.loc[key, ["low", "high"]].astype(float), np.quantile(drawn, tails))
    lost = np.quantile(np.subtract(draws["b", "b"], draws["a", "b"]), tails)
    np.testing.assert_allclose(cells.loc[("a", "b"), ["drop_low", "drop_high"]].astype(float), lost)
    across = np.quantile(np.mean([draws["b", "a"], draws["a", "b"]], axis=0), tails)
    np.testing.assert_allclose(
        found.means.set_index("mean").loc["across", ["low", "high"]].astype(float), across
    )


def test_the_mean_over_classes_is_that_of_scikit_learn(study):
    cells = drops(study, measure="balanced_accuracy", draws=100).cells
    for cell in cells.itertuples():
        labels = study.tests[cell.tested_on].labels(CLASSES)
        said = [study.answers[cell.trained_on, cell.tested_on, seed].argmax(1) for seed in SEEDS]
        expected = np.mean([balanced_accuracy_score(labels, one) for one in said])
        np.testing.assert_allclose(cell.value, expected)
        assert abs(cell.value - accuracy(study, cell.trained_on, cell.tested_on)) > 1e-6


def test_networks_that_answer_alike_have_no_drop_and_no_interval(study):
    for seed in SEEDS:
        study.answers["b", "a", seed] = study.answers["a", "a", seed]
    cell = drops(study, draws=100).cells.set_index(["trained_on", "tested_on"]).loc[("b", "a")]
    assert cell["drop"] == 0 and np.isnan([cell["drop_low"], cell["drop_high"]]).all()


def test_the_order_of_the_pictures_does_not_matter(study):
    order = np.random.default_rng(0).permutation(PICTURES["a"])
    answers = {key: answer[order] if key[1] == "a" else answer for key, answer in study.answers.items()}
    tests = study.tests | {"a": study.tests["a"].select(order)}
    other = replace(study, answers=answers, tests=tests)
    first, second = (drops(given, draws=100).cells for given in (study, other))
    pd.testing.assert_frame_equal(
        first.drop(columns=["low", "high", "drop_low", "drop_high"]),
        second.drop(columns=["low", "high", "drop_low", "drop_high"]),
    )


def test_another_measure_is_refused(study):
    with pytest.raises(ParameterError, match="'f1'; give accuracy or balanced_accuracy"):
        drops(study, measure="f1")
