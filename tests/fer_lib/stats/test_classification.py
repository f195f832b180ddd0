import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from fer_lib.stats import classification
from fer_lib.stats.resampling import bootstrap, expanded_tail
from ferbook.errors import DataError

# Two subjects; worked by hand.
LABELS = np.array([0, 0, 1, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 1, 0, 2])
SUBJECTS = np.array([7, 7, 7, 3, 3, 3])


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """400 pictures of 40 subjects, four classes, about 60 % right."""
    generator = np.random.default_rng(5)
    labels = generator.integers(4, size=400)
    predicted = np.where(generator.random(400) < 0.6, labels, generator.integers(4, size=400))
    return labels, predicted, np.repeat(np.arange(40), 10)


def test_values_worked_by_hand():
    assert classification.accuracy(LABELS, PREDICTED, SUBJECTS).value == pytest.approx(4 / 6)
    # Recalls 1/2, 2/3, 1; F1 of class 0: 2·1/(2+2), of class 1: 2·2/(3+3), of class 2: 1.
    total = classification.confusion_sums(LABELS, PREDICTED, SUBJECTS, 3).sum(axis=0)
    assert classification.balanced_accuracy_of(total) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert classification.macro_f1_of(total) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


def test_confusion_is_counted_per_cluster():
    sums = classification.confusion_sums(LABELS, PREDICTED, SUBJECTS, 3)
    assert sums[0].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 1]]  # subject 3
    assert sums[1].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]  # subject 7
    table = classification.confusion(LABELS, PREDICTED, ("a", "b", "c"))
    assert table.loc["b", "a"] == 1 and table.loc["a", "b"] == 1 and table.to_numpy().sum() == 6


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [
        (classification.accuracy_of, lambda y, p: np.mean(y == p)),
        (classification.balanced_accuracy_of, balanced_accuracy_score),
        (classification.macro_f1_of, lambda y, p: f1_score(y, p, average="macro", zero_division=0)),
    ],
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_interval_equals_a_naive_bootstrap_picture_by_picture(scored, statistic, reference):
    labels, predicted, subjects = (a[:120] for a in scored)
    draws, seed, clusters = 200, 3, 12
    sums = classification.confusion_sums(labels, predicted, subjects, 4)
    tail = expanded_tail(clusters)
    interval = bootstrap(sums, statistic, draws=draws, seed=seed)
    drawn = np.random.default_rng(seed).integers(clusters, size=(draws, clusters))
    values = []
    for row in drawn:
        pictures = np.concatenate([np.flatnonzero(subjects == subject) for subject in row])
        values.append(reference(labels[pictures], predicted[pictures]))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, (tail, 1 - tail))))


def test_accuracy_has_an_interval_over_clusters(scored):
    found = classification.accuracy(*scored, draws=100)
    assert found.value == np.mean(scored[0] == scored[1])
    assert found.low < found.value < found.high and found.n == 400 and found.unit == "share"
    assert "40 clusters" in found.how


def test_no_interval_without_a_reason():
    one = classification.accuracy(LABELS, PREDICTED, np.zeros(6, int))
    assert (one.low, one.high) == (None, None) and one.why == "fewer than two clusters"
    perfect = classification.accuracy(LABELS, LABELS, SUBJECTS)
    assert perfect.value == 1.0 and perfect.low is None and "same value" in perfect.why


def test_a_class_that_does_not_occur_is_left_out():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    total = classification.confusion_sums(labels, predicted, np.arange(4), 4).sum(axis=0)
    assert classification.balanced_accuracy_of(total) == pytest.approx(0.75)
    # Class 2 is predicted but never true: its F1 is 0 and counts; class 3 is neither.
    assert classification.macro_f1_of(total) == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize(
    ("labels", "predicted", "subjects", "says"),
    [
        ([0, 1], [0], [0, 1], "2 labels, 1 predictions"),
        ([], [], [], "no picture"),
        ([0, -1], [0, 1], [0, 1], "picture 1: label -1"),
    ],
)
def test_refuses_what_cannot_be_scored(labels, predicted, subjects, says):
    with pytest.raises(DataError, match=says):
        classification.accuracy(np.array(labels, int), np.array(predicted, int), np.array(subjects, int))
