"""The result in words follows the numbers, whichever way they fall."""

import pytest

from book.micro_expressions.answer import answer, summary_names
from book.micro_expressions.page import RIVALS


def metric(value, low=None, high=None, unit=""):
    why = "" if low is not None else "one cluster"
    return {"value": value, "low": low, "high": high, "unit": unit, "why": why, "n": 9}


@pytest.fixture
def metrics():
    found = {"clips": metric(246, unit="count"), "people": metric(26, unit="count")}
    found |= {"uf1": metric(0.5, 0.4, 0.6, "share"), "selection_gain_uf1": metric(9.0, 5.0, 12.0)}
    for slug in RIVALS:
        if slug != "tuned":
            found |= {
                f"{slug}_uf1": metric(0.3, 0.2, 0.4, "share"),
                f"ahead_of_{slug}": metric(20.0, 9.0, 30.0),
            }
    for name in ("trained", "untrained", "pixels", "flow"):
        found[f"spotting_{name}"] = metric(7.0, 6.0, 8.0)
        found[f"spotting_{name}_both_ends"] = metric(5.0, 4.0, 6.0)
    found |= {"spotting_middle": metric(6.0, 5.0, 7.0), "spotting_random": metric(18.0, 17.0, 19.0)}
    found["spotting_gain_middle_both_ends"] = metric(1.0, 0.2, 2.0)
    found |= {"units_looked_at": metric(6.0, unit="count"), "units_moving": metric(4.0, unit="count")}
    found["units_moving_against"] = metric(1.0, unit="count")
    return found


def behind(metrics, *slugs):
    return metrics | {f"ahead_of_{slug}": metric(-9.0, -15.0, -3.0) for slug in slugs}


def unclear(metrics, *slugs):
    return metrics | {f"ahead_of_{slug}": metric(2.0, -3.0, 6.0) for slug in slugs}


def test_everything_beaten(metrics):
    text = answer(metrics)
    assert "the features say something" in text and "So the order is used" in text
    assert "to have learned expressions helps" in text and "clearly better than “apex features" in text
    assert "9.0 points (95 % interval 5.0 to 12.0)" in text and "better than to answer the middle" in text
    assert "Of 6 units" in text and " 4 raise their filters" in text and "and 1 less" in text


def test_nothing_beaten(metrics):
    text = answer(unclear(metrics, *(slug for slug in RIVALS if slug != "tuned")))
    assert "cannot tell the LSTMs from these" in text and "not when" in text
    assert "has not been shown" in text and "clearly better than none of them" in text


def test_order_matters_only_if_shuffling_costs(metrics):
    assert "That shuffling costs anything has not been shown" in answer(unclear(metrics, "shuffled"))
    assert "So the order is used" in answer(unclear(metrics, "reversed", "apex_only"))


def test_being_worse_is_told(metrics):
    assert "clearly worse than “optical flow, SVM”" in answer(behind(metrics, "optical_flow"))
    assert "worse than to answer the middle" in answer(
        metrics | {"spotting_gain_middle_both_ends": metric(-2.0, -3.0, -1.0)}
    )
    assert "not clearly better or worse" in answer(
        metrics | {"spotting_gain_middle_both_ends": metric(0.0, -1.0, 1.0)}
    )


def test_what_was_not_computed_is_left_out(metrics):
    less = {name: m for name, m in metrics.items() if not name.startswith(("units", "shuffled", "lbp_top"))}
    text = answer(less)
    assert "Does time matter" not in text and "units" not in text and "LBP-TOP" not in text
    assert "UF1, frames shuffled" not in summary_names(less).values() and "uf1" in summary_names(less)
    assert set(summary_names(less)) <= set(less)
