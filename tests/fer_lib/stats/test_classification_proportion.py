"""The interval of a share of independent trials."""

import pytest

from fer_lib.stats.classification import proportion


def test_exact_interval_by_hand():
    # No error in 10: the upper bound solves (1 - p)^10 = 0.025.
    found = proportion(0, 10, of="simulations")
    assert found.low == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert found.n == 10 and found.how == "95 % binomial interval (exact) over simulations"


def test_wilson_s_interval_by_hand():
    # Centre (p + z²/2n) / (1 + z²/n) with z² = 3.8415: of 5 in 10 it is one half.
    found = proportion(5, 10, "wilson", of="trials")
    reach = 1.959964 * (0.25 / 10 + 3.841459 / 400) ** 0.5 / (1 + 0.3841459)
    assert (found.low, found.high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-6)
