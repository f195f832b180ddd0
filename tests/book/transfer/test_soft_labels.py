"""Votes against their majority, from networks that are sure and ones that are as sure as they are right."""

import numpy as np
import pandas as pd
import pytest

from book.transfer import figures, soft_labels
from book.transfer.soft_labels import SoftLabels
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.precision import Precision

CLASSES = ("anger", "happiness")
N = 200


def voted() -> FaceSet:
    emotions = [CLASSES[number % 2] for number in range(N)]
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{number}" for number in range(N)],
            "sequence": "",
            "frame": 0,
            "emotion": emotions,
            "split": "test",
            "vote_anger": [8 if e == "anger" else 2 for e in emotions],
            "vote_happiness": [2 if e == "anger" else 8 for e in emotions],
        }
    )
    return FaceSet("game", np.zeros((N, 8, 8), np.uint8), table)


@pytest.fixture(scope="module")
def study() -> SoftLabels:
    """Both are right in four of five pictures; the one says 99 %, the other 80 %."""
    test = voted()
    labels = test.labels(CLASSES)
    said = np.where(np.arange(N) % 10 < 8, labels, 1 - labels)
    given = [np.where(np.eye(2)[said] > 0, sure, 1 - sure) for sure in (0.99, 0.8)]
    table = pd.DataFrame({"learned": ["majority", "votes"], "seed": 0})
    shares = np.where(np.eye(2)[labels] > 0, 0.8, 0.2).astype(np.float32)
    probabilities = np.stack(given).astype(np.float32)
    return SoftLabels(table, probabilities, test, shares, CLASSES, 0, Precision("fp32", False))


@pytest.fixture(scope="module")
def metrics(study) -> dict[str, dict]:
    found = soft_labels.soft_label_metrics(study, draws=200)
    return {name: metric.to_json() for name, metric in found.items()}


def test_every_named_measure_is_there_for_both_and_as_a_difference(metrics):
    for measure in soft_labels.MEASURE_NAMES:
        assert {f"majority_{measure}", f"votes_{measure}", f"votes_{measure}_difference"} <= set(metrics)
    assert metrics["majority_calibration_error"]["value"] == pytest.approx(0.19)
    assert metrics["votes_calibration_error"]["value"] == pytest.approx(0, abs=1e-6)
    assert metrics["votes_accuracy_difference"]["value"] == 0


def test_the_table_gives_shares_in_points_and_scores_as_they_are(metrics):
    table = soft_labels.soft_label_table(metrics).set_index("measure")
    assert table.loc["named as the majority does", "from votes"] == "80.0\u00a0%"
    error = table.loc["calibration error, bins of equal width", "difference"]
    assert error.startswith("−19.0 (") and error.endswith("points")
    brier = table.loc["Brier score against the votes"]
    # Right: 2 (0.99 - 0.8)²; wrong: 2 (0.99 - 0.2)². From votes 0 and 2 (0.8 - 0.2)².
    assert float(brier["from majority"]) == pytest.approx(0.8 * 0.0722 + 0.2 * 1.2482, abs=0.001)
    assert float(brier["from votes"]) == pytest.approx(0.2 * 0.72, abs=0.001)


def test_the_answer_says_what_changed_and_what_did_not(metrics):
    told = soft_labels.soft_label_answer(metrics, "game")
    assert "does not clearly change the accuracy" in told
    assert "lowers the calibration error (−19.0" in told and "lowers the Brier score" in told
    assert soft_labels.soft_label_answer({}, "game") == ""


def test_reliability_leaves_empty_bins_out(study):
    table = soft_labels.reliability(study, draws=100)
    assert table["learned"].tolist() == ["majority", "votes"]
    assert table["confidence"].tolist() == pytest.approx([0.99, 0.8])
    assert table["accuracy"].tolist() == pytest.approx([0.8, 0.8])
    _, data, alt = figures.reliability_diagram(table)
    assert len(data) == 2
    assert "from the majority, the mean confidence is 99.0 % and 80.0 % are right" in alt


def test_the_first_set_with_votes_is_found_and_its_classes():
    plain = voted()
    bare = FaceSet("bare", plain.pixels, plain.table.drop(columns=["vote_anger", "vote_happiness"]))
    assert soft_labels.with_votes({"bare": bare}) is None
    assert soft_labels.with_votes({"bare": bare, "game": plain}) is plain
    assert soft_labels.voted_classes(plain) == CLASSES
    other = plain.assign(emotion=[*plain.table["emotion"][1:], "anger"])
    assert soft_labels.with_votes({"relabelled": other, "game": plain}) is plain, "not the majority's labels"
    partly = FaceSet("game", plain.pixels, plain.table.drop(columns="vote_anger"))
    assert soft_labels.voted_classes(partly) == ("happiness",)
