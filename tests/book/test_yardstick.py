"""Temperatures, and where a response stands among those to the validation pictures."""

import numpy as np
import pytest

from book.yardstick import Yardstick, fitted_temperature, tempered
from ferbook.estimate import Estimate


def test_a_temperature_divides_logits():
    told = np.array([[0.8, 0.2]])
    np.testing.assert_allclose(tempered(told, 1), told)
    np.testing.assert_allclose(tempered(told, 2), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(tempered([[1.0, 0.0]], 1), [[1, 0]], atol=1e-9)


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_the_temperature_is_that_at_which_labels_were_drawn(truth):
    generator = np.random.default_rng(0)
    told = generator.dirichlet(np.full(4, 0.4), 20_000)
    chances = tempered(told, truth).cumsum(axis=1)
    labels = (generator.random((len(told), 1)) > chances).sum(axis=1).clip(max=3)
    assert fitted_temperature(told, labels) == pytest.approx(truth, rel=0.05)


def test_a_network_that_is_always_right_gets_the_lowest_temperature():
    assert fitted_temperature(np.array([[0.9, 0.1]] * 5), np.zeros(5, int)) == pytest.approx(1 / 8, rel=0.01)


def test_a_response_is_placed_among_the_quantiles_and_beyond_the_highest():
    none = Estimate(0, why="made here")
    calibration = {"temperature": 1, "fitted_on": 201, "tested_on": 1, "before": none, "after": none}
    known = {"first": "one", "layer": "relu1", "temperatures": {"one": 1.0}, "calibration": calibration}
    made = Yardstick(quantiles=[np.arange(201) / 10, np.zeros(201)], usual=3, **known)
    np.testing.assert_allclose(made.shares_below(np.array([5.05, 0.0])), [51 / 200, 0])
    np.testing.assert_allclose(made.shares_below(np.array([-1.0, 1.0])), [0, 1])
    # The second filter answered nothing; of the first a thousandth may be rounding.
    np.testing.assert_array_equal(made.beyond(np.array([[20.01, 0.0], [20.1, 0.1], [20.1, 0.0]])), [0, 2, 1])
    assert Yardstick.model_validate_json(made.model_dump_json()) == made
