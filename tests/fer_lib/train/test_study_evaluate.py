"""Scores of a test split, against values worked out by hand."""

import numpy as np
import pytest

from fer_lib.train.study import majority_share, score_folds
from ferbook.errors import DataError
from tests.made import even_pictures, made_faces

CLASSES = ("anger", "fear")


def face_set(rows):
    """``rows``: subject, emotion, split, grey value."""
    subject, emotion, split, greys = map(list, zip(*rows, strict=True))
    return made_faces(even_pictures(greys), "hand", subject=subject, emotion=emotion, split=split)


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
# Named anger, anger, anger, fear; right are the first and the third.
ANSWERS = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])


def test_scores_worked_out_by_hand():
    result = score_folds([FACES], ANSWERS[None], CLASSES, draws=200)
    values = {name: metric.value for name, metric in result.metrics.items()}
    assert values["test_accuracy_without_copies"] == pytest.approx(2 / 3)
    assert result.confusion.to_numpy().tolist() == [[2, 1], [1, 0]]


def test_the_interval_resamples_people():
    metric = score_folds([FACES], ANSWERS[None], CLASSES, draws=200).metrics["protocol_accuracy"]
    assert metric.n == 4 and "2 clusters" in metric.why
    # C and D are both right in one of two: whoever is drawn, the accuracy is 1/2.
    assert metric.low is None and "same value" in metric.why


# Everybody is afraid; the last picture equals the one learned from. C, tested in the first fold, is learned
# from.
OTHER_FOLD = face_set(
    [
        ("C", "anger", "train", 10),
        ("A", "fear", "test", 1),
        ("A", "fear", "test", 2),
        ("B", "fear", "test", 10),
    ]
)


def test_folds_are_pooled_and_their_mean_is_the_protocols():
    wrong = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    result = score_folds([FACES, OTHER_FOLD], np.concatenate([ANSWERS, wrong])[None], CLASSES, draws=200)
    values = {name: metric.value for name, metric in result.metrics.items()}
    assert values["protocol_accuracy"] == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert values["test_accuracy_without_copies"] == pytest.approx((2 + 1) / (3 + 2))
    assert result.confusion.to_numpy().sum() == 7
    people = result.metrics["protocol_accuracy"]
    assert people.n == 7 and "4 clusters" in people.how


def test_all_answers_are_scored_together():
    once, thrice = (score_folds([FACES], np.stack([ANSWERS] * k), CLASSES, draws=200) for k in (1, 3))
    assert thrice.confusion.equals(3 * once.confusion)
    for name, metric in once.metrics.items():
        again = thrice.metrics[name]
        assert again.value == pytest.approx(metric.value) and again.n == 3 * metric.n
        assert (again.low, again.high) == (metric.low, metric.high), "of the same people"


def test_the_protocols_interval_weighs_every_fold_alike():
    # One person a fold: all right with one picture, all wrong with nine.
    first = face_set([("X", "fear", "train", 0), ("A", "fear", "test", 1)])
    second = face_set([("X", "fear", "train", 0)] + [("B", "fear", "test", k) for k in range(2, 11)])
    answers = np.array([[0.0, 1.0]] + [[1.0, 0.0]] * 9)
    found = score_folds([first, second], answers[None], CLASSES, draws=500).metrics
    assert found["protocol_accuracy"].value == pytest.approx(1 / 2)
    assert (found["protocol_accuracy"].low, found["protocol_accuracy"].high) == (0, 1)


def test_copies_are_one_group_where_nobody_is_known():
    faces = face_set([("", "fear", "train", 1)] + [("", "anger", "test", grey) for grey in (5, 5, 6)])
    metric = score_folds([faces], ANSWERS[None, :3], CLASSES, draws=200).metrics["protocol_accuracy"]
    assert "2 clusters" in metric.why


def test_a_test_split_of_copies_only_is_refused():
    faces = face_set([("A", "fear", "train", 1), ("B", "fear", "test", 1)])
    with pytest.raises(DataError, match="is also in the training split"):
        score_folds([faces], ANSWERS[None, :1], CLASSES)


def test_the_majority_is_that_of_the_training_split():
    # Fear is the commonest to train on, anger to test on.
    assert majority_share(FACES, CLASSES, "test") == pytest.approx(1 / 4)
    assert majority_share(FACES, CLASSES, "train") == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="no picture in its split 'valid'"):
        majority_share(FACES, CLASSES, "valid")
