"""The interval of a share of independent trials."""

import pytest

from fer_lib.stats.classification import proportion


def test_exact_interval_by_hand():
    # No error in 10: the upper bound solves (1 - p)^10 = 0.025.
    found = proportion(0, 10, of="simulations")
    assert found.low == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert found.n == 10 and found.how == "95 % binomial interval (exact) over simulations"
