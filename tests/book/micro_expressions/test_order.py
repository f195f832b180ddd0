"""What the order of the frames is worth: worked by hand on answers that are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions import order
from book.micro_expressions.leave_one_out import ClipStudy
from book.micro_expressions.order import TIMED, UNTIMED, order_gains, require_same_clips, score_orders
from fer_lib.stats.classification import confusion_sums, macro_f1_of
from ferbook.errors import DataError
from tests.fer_lib.stats.toy_contest import LABELS, PEOPLE, wrong_in


def study_of(*wrong):
    """A training for each set of clips that are answered wrongly."""
    answers = np.stack([wrong_in(*clips) for clips in wrong])
    return ClipStudy(("a", "b", "c"), pd.DataFrame(), answers, pd.DataFrame(), None)


def f1(study):
    sums = [confusion_sums(LABELS, own.argmax(1), np.zeros(24, int), 3) for own in study.probabilities]
    return np.mean([macro_f1_of(own.sum(axis=0)[None].astype(float))[0] for own in sums])


STUDIES = {
    (TIMED, True): study_of((0,), (0, 11)),
    (TIMED, False): study_of((0, 11, 20), (1, 4, 9, 20)),
    (UNTIMED, True): study_of((0, 11), (0, 1)),
    (UNTIMED, False): study_of((0, 11, 4), (0, 1)),
}


def test_the_gain_is_that_of_order_and_the_difference_that_of_timing():
    gains = order_gains(score_orders(STUDIES, LABELS, PEOPLE, draws=300))
    timed, untimed = (100 * (f1(STUDIES[t, True]) - f1(STUDIES[t, False])) for t in (TIMED, UNTIMED))
    assert gains["order_gain_timed"].value == pytest.approx(timed)
    assert gains["order_gain_untimed"].value == pytest.approx(untimed)
    difference = gains["order_gain_difference"]
    assert difference.value == pytest.approx(timed - untimed) and timed > untimed
    assert difference.low < difference.value < difference.high and "of the seeds" in difference.how


def test_without_untimed_clips_there_is_one_gain():
    timed = {key: study for key, study in STUDIES.items() if key[0] == TIMED}
    scored = score_orders(timed, LABELS, PEOPLE, draws=100)
    assert set(order_gains(scored)) == {"order_gain_timed"}
    assert order.gain_table(order_gains(scored))["input"].tolist() == [TIMED]


def test_other_clips_are_refused():
    given = {"subjects": np.array(["p", "q"]), "sequences": np.array(["1", "1"])}
    first, same, other = (
        SimpleNamespace(**given, emotions=np.array(emotions), faces=SimpleNamespace(name="micro"))
        for emotions in (("a", "b"), ("a", "b"), ("b", "a"))
    )
    require_same_clips(first, same)
    with pytest.raises(DataError, match="not the same clips"):
        require_same_clips(first, other)
