"""Numbers of one network, on answers of four filters."""

import pytest

from book.au_verification.readings import READINGS, agreement_share, gain_by_unit, on_other_heads
from tests.book.au_verification.toy_networks import answered


def test_what_is_verified_is_held_against_claims_and_causes_paired_at_random():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    found = {name: reading(own).tolist() for name, reading in READINGS.items()}
    # Of three claims two are verified; at random 2 · 1/3 for AU1 and 1 · 1/3 for AU12: one.
    assert gain_by_unit(own)[0] == pytest.approx([1 - 2 / 3, 0, 1 - 1 / 3])
    assert found["verified_gain"] == pytest.approx([1] * 4) and found["kappa"] == pytest.approx([0.5] * 4)
    assert found["verified"] == [2] * 4 and found["distinct_units"] == [2] * 4
    assert found["beyond_chance"] == found["beyond_emotion"] == [3] * 4


def test_where_all_filters_share_one_unit_kappa_is_nought_and_not_undefined():
    assert READINGS["kappa"](answered(["AU12"] * 4, ["AU12"] * 4)).tolist() == [0] * 4
    assert READINGS["kappa"](answered([""] * 4, ["AU12"] * 4)).tolist() == [0] * 4


def test_the_share_of_filters_whose_unit_is_named_rightly_counts_those_with_a_name():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    assert agreement_share("kl")(own).tolist() == pytest.approx([2 / 3] * 4)
    assert agreement_share("auroc")(own).tolist() == [1] * 4
    assert agreement_share("kl")(answered([""] * 4, ["AU1"] * 4)).tolist() == [0] * 4


def test_the_same_claims_are_held_against_what_moves_the_filters_on_other_heads():
    own = answered(
        ["AU1", "AU1", "AU12", "AU4", ""],
        ["AU1", "AU4", "AU12", "AU4", "AU1"],
        ["AU1", "AU1", "AU4", "AU4", "AU1"],
    )
    # Of four claims three hold there; by luck AU1 has 2 · 2/4 and AU4 1 · 2/4 of them.
    found = on_other_heads(READINGS["kappa"])(own).tolist()
    assert found == pytest.approx([(3 - 1.5) / (4 - 1.5)] * 4)
    assert READINGS["kappa"](own).tolist() != found
