"""Calibration, against values worked out by hand."""

import numpy as np
import pytest

from fer_lib.stats.classification import calibration_error, reliability
from ferbook.errors import DataError

SAID = np.array([[0.95, 0.05], [0.95, 0.05], [0.4, 0.6], [0.4, 0.6]])


def test_bins_hold_confidence_and_accuracy():
    table = reliability(SAID, np.array([0, 1, 1, 1]))
    assert table["pictures"].tolist() == [2, 2]
    assert table["confidence"].tolist() == pytest.approx([0.6, 0.95])
    assert table["accuracy"].tolist() == [1.0, 0.5]


def test_the_error_is_the_mean_distance_weighed_by_pictures():
    found = calibration_error(SAID, np.array([0, 1, 1, 1]), np.arange(4), draws=200)
    assert found.value == pytest.approx((2 * 0.4 + 2 * 0.45) / 4)
    assert 0 <= found.low <= found.value <= found.high and found.n == 4


def test_an_honest_network_errs_little_and_a_boastful_one_much():
    generator = np.random.default_rng(0)
    p = generator.uniform(0.5, 1, 4000)
    labels = (generator.random(4000) > p).astype(int)
    honest, boastful = (np.stack([q, 1 - q], axis=1) for q in (p, np.full(4000, 0.99)))
    assert calibration_error(honest, labels, np.arange(4000), draws=100).value < 0.03
    assert calibration_error(boastful, labels, np.arange(4000), draws=100).value == pytest.approx(
        0.24, abs=0.03
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"probabilities \(4, 2\) and 3 labels"):
        reliability(SAID, np.zeros(3, int))


@pytest.mark.parametrize("wrong", [np.nan, 3.0, -0.1])
def test_what_is_no_probability_or_no_class_is_refused(wrong):
    with pytest.raises(DataError, match="no numbers from 0 to 1"):
        reliability(np.where(SAID == 0.6, wrong, SAID), np.zeros(4, int))
    with pytest.raises(DataError, match="none of the 2 classes"):
        reliability(SAID, np.array([0, 1, 1, 2]))
