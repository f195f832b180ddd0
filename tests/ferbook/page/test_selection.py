"""What choosing the epoch on the test split adds, worked out by hand."""

import pandas as pd
import pytest

from book.training.study import selection_answer
from fer_lib.train.curve import Training
from fer_lib.train.evaluate import selection_gain, selection_table
from fer_lib.train.precision import Precision
from ferbook.errors import DataError


def training(watched, best_epoch):
    curve = pd.DataFrame({"epoch": range(1, len(watched) + 1), "watched_accuracy": watched})
    return Training(curve, best_epoch, Precision("fp32", channels_last=False))


TRAININGS = {"a": training([0.2, 0.5, 0.9, 0.9], 2), "b": training([0.6, 0.4], 1)}


def test_the_gain_is_the_best_minus_the_chosen_epoch():
    table = selection_table(TRAININGS).set_index("training")
    assert table.loc["a"].tolist() == pytest.approx([2, 0.5, 3, 0.9, 0.4]), "of equal epochs the first"
    assert table.loc["b"].tolist() == pytest.approx([1, 0.6, 1, 0.6, 0.0])


def test_the_mean_gain_resamples_trainings():
    gain = selection_gain(selection_table(TRAININGS), draws=500)
    assert (gain.value, gain.n) == (pytest.approx(0.2), 2)
    assert (gain.low, gain.high) == (pytest.approx(0), pytest.approx(0.4)) and "2 trainings" in gain.how
    alone = selection_gain(selection_table({"a": TRAININGS["a"]}))
    assert alone.low is None and alone.why == "fewer than two trainings"


def test_a_training_whose_test_split_was_not_watched_is_named():
    blind = Training(pd.DataFrame({"epoch": [1]}), 1, Precision("fp32", channels_last=False))
    with pytest.raises(DataError, match="'c': its curve has no watched_accuracy"):
        selection_table({"a": TRAININGS["a"], "c": blind})


def test_the_answer_says_how_many_trainings_and_what_they_gain():
    alone = selection_answer(selection_gain(selection_table({"a": TRAININGS["a"]})))
    assert alone.startswith("Over one training ") and "40.0" in alone
    both = selection_answer(selection_gain(selection_table(TRAININGS)))
    assert both.startswith("Over 2 trainings ") and "20.0" in both and "40.0" in both
