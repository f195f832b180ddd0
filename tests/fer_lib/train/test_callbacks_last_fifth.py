"""Whether trainings had come to their end."""

import numpy as np
import pandas as pd
import pytest

from fer_lib.train.callbacks import last_fifth


def test_a_loss_that_no_longer_falls_is_flat():
    def curve(losses):
        return pd.DataFrame({"train_loss": losses, "valid_accuracy": 1 - np.array(losses) / 10})

    flat = curve([3, 2, 1, 1, 1, 1, 1, 1, 1, 1])
    falling = curve([9, 8, 7, 6, 5, 4, 3, 2, 1.5, 1])
    assert {name: each.value for name, each in last_fifth([flat]).items()} == {
        "train_loss_fall": 0,
        "valid_rise": 0,
    }
    both = last_fifth([flat, falling])
    assert both["train_loss_fall"].value == pytest.approx((0 + 0.5) / 2) and both["valid_rise"].n == 2
    assert both["valid_rise"].value == pytest.approx((0 + 10) / 2)
