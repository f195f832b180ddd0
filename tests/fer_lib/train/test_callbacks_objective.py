import numpy as np
import pytest

from fer_lib.train.callbacks import rate_of


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1]),
        ("onecycle", [0.1 / 25, 0.1, 0.1 * (0.5 + 0.5e-5), 1e-6]),
        ("cosine", [0.1, 0.1 * (1 + np.cos(np.pi / 4)) / 2, 0.1 * (1 - np.cos(3 * np.pi / 8)) / 2, 0]),
    ],
)
def test_rates_by_hand(schedule, rates):
    rate = rate_of(schedule, 0.1)
    found = [rate(done) for done in (0, 0.25, 0.625, 1)]
    assert found == pytest.approx(rates, abs=1e-12)
    assert max(rate(done) for done in np.linspace(0, 1, 101)) == pytest.approx(0.1)
