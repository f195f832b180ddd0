import json

import numpy as np
import pytest

from ferbook.errors import DataError
from ferbook.estimate import UNSAID, Estimate, mean_over_seeds


def test_an_estimate_holds_plain_numbers():
    found = Estimate(np.float64(0.5), np.float32(0.25), np.float64(0.75), np.int64(8), "made", unit="share")
    fields = found.to_json()
    assert json.loads(json.dumps(fields)) == fields
    assert all(type(fields[name]) is float for name in ("value", "low", "high", "level", "tolerance"))
    assert type(fields["n"]) is int and "np.float64" not in repr(found)
    assert Estimate.from_json(json.loads(json.dumps(fields))) == found
    assert Estimate.from_json({"value": 3, "unit": "count"}) == Estimate(3, unit="count")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"value": np.nan}, "finite"),
        ({"value": 0.5, "low": 0.1}, "both bounds"),
        ({"value": 0.5, "low": 0.6, "high": 0.4}, "upside down"),
        ({"value": 0.5, "low": 0.1, "high": 0.9, "why": "one person"}, "says why it has none"),
        ({"value": 0.5}, "0.5 has neither an interval nor a word why"),
        ({"value": 0.5, "why": "one person", "level": 95}, "level"),
        ({"value": 0.5, "why": "one person", "unit": "metres"}, "unit is 'metres'"),
        ({"value": 0.5, "low": 0.1, "high": 0.9, "freedom": 0}, "0.0 degrees of freedom"),
    ],
)
def test_an_estimate_refuses_what_cannot_be(bad, said):
    with pytest.raises(DataError, match=said):
        Estimate(**bad)


def test_what_an_older_run_stored_in_silence_can_be_read():
    old = {"value": 0.5, "low": None, "high": None, "why": "", "unit": "share"}
    assert Estimate.from_json(old) == Estimate(0.5, why=UNSAID, unit="share")


@pytest.mark.parametrize("entry", [None, 0.5, {"low": 1}, {"value": 1, "interval": 95}, {"value": "much"}])
def test_what_is_no_metric_is_told(entry):
    with pytest.raises(DataError, match="is not a metric"):
        Estimate.from_json(entry)


def test_a_row_without_bounds_has_a_reason_instead():
    assert Estimate.bounded(1, 0, 2, how="drawn", n=5) == Estimate(1, 0, 2, 5, "drawn")
    none = Estimate.bounded(1, np.nan, np.nan, how="drawn", n=5)
    assert none == Estimate(1, n=5, why="every draw gives the same value")
    assert Estimate.bounded(1, None, None, how="drawn", why="one person").why == "one person"


def seeds(*values, unit=""):
    return [Estimate(value, value - 1, value + 1, how="x", unit=unit) for value in values]


def test_the_interval_over_seeds_is_students_by_hand():
    mean = mean_over_seeds(seeds(1.0, 2.0, 3.0))
    assert mean.value == 2.0 and mean.n == 3 and mean.freedom == 2
    assert mean.high - 2.0 == pytest.approx(4.302653 / 3**0.5)
    assert mean.high - 2 == pytest.approx(2 - mean.low) and "3 seeds" in mean.how


def test_a_share_over_seeds_ends_at_one_and_equal_values_have_no_interval():
    assert mean_over_seeds(seeds(0.9, 1.0, 0.95, unit="share")).high == 1.0
    for values in ([0.5] * 2, [0.1] * 3, [0.7] * 6):
        assert mean_over_seeds(seeds(*values)).why == "every seed gives the same value"
    assert mean_over_seeds(seeds(0.5)).why == "one seed"
