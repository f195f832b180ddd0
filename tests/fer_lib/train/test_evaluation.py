"""Scores of a test split, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from book.training.study import first_layer, hardest_pictures, start_correlation, training_metrics
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.curve import Training
from fer_lib.train.evaluate import evaluate, majority_share
from fer_lib.train.precision import Precision
from ferbook.errors import DataError

CLASSES = ("anger", "fear")


def face_set(rows):
    """``rows``: subject, emotion, split, grey value."""
    table = pd.DataFrame(
        {
            "dataset": "hand",
            "subject": [row[0] for row in rows],
            "sequence": "",
            "frame": 0,
            "emotion": [row[1] for row in rows],
            "split": [row[2] for row in rows],
        }
    )
    return FaceSet("hand", np.stack([np.full((4, 4), row[3], np.uint8) for row in rows]), table)


FACES = face_set(
    [
        ("A", "fear", "train", 1),
        ("A", "fear", "train", 2),
        ("B", "anger", "train", 3),
        ("C", "anger", "test", 10),
        ("C", "fear", "test", 11),
        ("D", "anger", "test", 12),
        ("D", "anger", "test", 3),  # stands in the training split
    ]
)
ANSWERS = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
"""Named anger, anger, anger, fear; right are the first and the third."""


def test_scores_worked_out_by_hand():
    result = evaluate([(FACES, ANSWERS)], CLASSES, draws=200)
    values = {name: metric.value for name, metric in result.metrics.items()}
    assert values["test_accuracy"] == pytest.approx(2 / 4)
    assert values["test_accuracy_without_copies"] == pytest.approx(2 / 3)
    assert values["balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    assert values["macro_f1"] == pytest.approx((2 * 2 / (3 + 3) + 0) / 2)
    assert values["majority_accuracy"] == pytest.approx(1 / 4), "fear is the commonest of the training split"
    assert result.confusion.to_numpy().tolist() == [[2, 1], [1, 0]]
    assert result.per_class["recall"].tolist() == pytest.approx([2 / 3, 0])


def test_the_interval_resamples_people():
    metric = evaluate([(FACES, ANSWERS)], CLASSES, draws=200).metrics["test_accuracy"]
    assert metric.n == 4 and "2 clusters" in metric.why
    # C and D are both right in one of two: whoever is drawn, the accuracy is 1/2.
    assert metric.low is None and "same value" in metric.why


OTHER_FOLD = face_set(
    [
        ("C", "anger", "train", 10),
        ("A", "fear", "test", 1),
        ("A", "fear", "test", 2),
        ("B", "fear", "test", 10),
    ]
)
"""Everybody is afraid; the last picture equals the one learned from. C, tested in the first fold, is learned
from.
"""


def test_folds_are_pooled_and_their_mean_is_the_protocols():
    wrong = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    result = evaluate([(FACES, ANSWERS), (OTHER_FOLD, wrong)], CLASSES, draws=200)
    values = {name: metric.value for name, metric in result.metrics.items()}
    assert values["test_accuracy"] == pytest.approx((2 + 2) / (4 + 3))
    assert values["protocol_accuracy"] == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert values["test_accuracy_without_copies"] == pytest.approx((2 + 1) / (3 + 2))
    assert values["majority_accuracy"] == pytest.approx((1 + 0) / 7), "each fold has its own commonest class"
    assert result.confusion.to_numpy().sum() == 7 and len(result.faces) == len(result.probabilities) == 7
    people = result.metrics["protocol_accuracy"]
    assert people.n == 7 and "4 clusters" in people.how


def test_the_protocols_interval_weighs_every_fold_alike():
    # One person a fold: all right with one picture, all wrong with nine.
    first = face_set([("X", "fear", "train", 0), ("A", "fear", "test", 1)])
    second = face_set([("X", "fear", "train", 0)] + [("B", "fear", "test", k) for k in range(2, 11)])
    answers = [(first, np.array([[0.0, 1.0]])), (second, np.array([[1.0, 0.0]] * 9))]
    found = evaluate(answers, CLASSES, draws=500).metrics
    assert found["test_accuracy"].value == pytest.approx(1 / 10)
    assert found["protocol_accuracy"].value == pytest.approx(1 / 2)
    assert (found["protocol_accuracy"].low, found["protocol_accuracy"].high) == (0, 1)


def test_the_hardest_pictures_are_those_whose_truth_is_least_believed():
    result = evaluate([(FACES, ANSWERS)], CLASSES, draws=200)
    hardest = hardest_pictures(result, CLASSES, count=2)
    # Picture 1 (fear, believed at 0.2) before picture 3 (anger, believed at 0.4).
    assert hardest["picture"].tolist() == [1, 3] and hardest["rank"].tolist() == [1, 2]
    assert hardest.loc[0, ["true", "predicted"]].tolist() == ["fear", "anger"]
    assert hardest.loc[0, ["p_true", "p_predicted", "loss"]].tolist() == pytest.approx(
        [0.2, 0.8, -np.log(0.2)]
    )


def test_of_a_sequence_only_the_hardest_picture_is_listed():
    clip = FaceSet(FACES.name, FACES.pixels, FACES.table.assign(sequence=FACES.table["subject"]))
    hardest = hardest_pictures(evaluate([(clip, ANSWERS)], CLASSES, draws=200), CLASSES)
    assert hardest["picture"].tolist() == [1, 3], "one of C, one of D"


def test_an_impossible_answer_has_a_finite_loss():
    sure = np.array([[0.0, 1.0]] * 4)
    hardest = hardest_pictures(evaluate([(FACES, sure)], CLASSES, draws=200), CLASSES)
    assert np.isfinite(hardest["loss"]).all() and hardest.loc[0, "p_true"] == 0


def test_the_first_layer_is_a_copy_of_the_first_convolution():
    model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(1, 3, 5), torch.nn.Conv2d(3, 2, 3))
    copied = first_layer(model)
    with torch.no_grad():
        model[1].weight.zero_()
    assert copied.shape == (3, 1, 5, 5) and np.abs(copied).sum() > 0


def test_copies_are_one_group_where_nobody_is_known():
    faces = face_set(
        [("", "fear", "train", 1)] + [("", "anger", "test", grey) for grey in (5, 5, 6)],
    )
    metric = evaluate([(faces, ANSWERS[:3])], CLASSES, draws=200).metrics["test_accuracy"]
    assert "2 clusters" in metric.why


def test_a_test_split_of_copies_only_is_refused():
    faces = face_set([("A", "fear", "train", 1), ("B", "fear", "test", 1)])
    with pytest.raises(DataError, match="also stands in the training split"):
        evaluate([(faces, ANSWERS[:1])], CLASSES)


def test_metrics_of_a_training():
    curve = pd.DataFrame({"epoch": [1, 2, 3], "valid_accuracy": [0.2, 0.6, 0.4]})
    found = training_metrics(
        torch.nn.Linear(3, 2), Training(curve, 2, Precision("fp32", channels_last=False))
    )
    assert {name: metric.value for name, metric in found.items()} == {
        "parameters": 8,
        "epochs": 3,
        "best_epoch": 2,
        "valid_accuracy": 0.6,
    }


def test_the_majority_is_that_of_the_training_split():
    # Fear is the commonest to train on, anger to test on.
    assert majority_share(FACES, CLASSES, "test") == pytest.approx(1 / 4)
    assert majority_share(FACES, CLASSES, "train") == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="no picture in its split 'valid'"):
        majority_share(FACES, CLASSES, "valid")


def test_weights_that_only_grew_are_their_random_start():
    start = np.random.default_rng(0).normal(size=(64, 1, 5, 5))
    assert start_correlation(start, 3 * start + 1).value == pytest.approx(1)
    assert start_correlation(start, -start).value == pytest.approx(-1)
    assert abs(start_correlation(start, start[::-1]).value) < 0.1
