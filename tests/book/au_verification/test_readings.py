"""Numbers of one network, on answers of four filters."""

import numpy as np
import pytest

from book.au_verification.readings import (
    OF_VERIFIED,
    ON_OTHER_HEADS,
    READINGS,
    agreement_of,
    agreement_share,
    beyond,
    gain_by_unit,
    strongest,
)
from ferbook.errors import DataError
from tests.book.au_verification.toy_networks import answered


def test_what_is_verified_is_held_against_claims_and_causes_paired_at_random():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    found = {name: reading(own).tolist() for name, reading in READINGS.items()}
    # Of three claims two are verified; at random 2 · 1/3 for AU1 and 1 · 1/3 for AU12: one.
    assert gain_by_unit(own)[0] == pytest.approx([1 - 2 / 3, 0, 1 - 1 / 3])
    assert found["verified_gain"] == pytest.approx([1] * 4) and found["kappa"] == pytest.approx([0.5] * 4)
    assert found["verified"] == [2] * 4 and found["distinct_units"] == [2] * 4
    assert found["beyond_chance"] == found["beyond_emotion"] == [3] * 4
    assert found["kappa_raw"] == [1] * 4


def test_where_all_filters_share_one_unit_kappa_is_nought_and_not_undefined():
    assert READINGS["kappa"](answered(["AU12"] * 4, ["AU12"] * 4)).tolist() == [0] * 4
    assert READINGS["kappa"](answered([""] * 4, ["AU12"] * 4)).tolist() == [0] * 4


def test_a_measure_that_names_the_cause_agrees_with_it():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    assert agreement_of("auroc")(own)[0] == 1 and agreement_of("kl")(own)[0] == pytest.approx(0.5)


def test_the_share_of_filters_whose_unit_is_named_rightly_counts_those_with_a_name():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", "AU12"])
    assert agreement_share("kl")(own).tolist() == pytest.approx([2 / 3] * 4)
    assert agreement_share("auroc")(own).tolist() == [1] * 4
    assert agreement_share("kl")(answered([""] * 4, ["AU1"] * 4)).tolist() == [0] * 4


def test_of_the_ten_filters_that_answer_most_those_are_counted_whose_claim_is_the_cause():
    own = answered(["AU1"] * 9 + ["", "AU4", "AU4"], ["AU4"] * 2 + ["AU1"] * 7 + ["", "AU4", "AU4"])
    assert READINGS["strongest_verified"](own).tolist() == [7] * 4
    own.response[:] = own.response[::-1].copy()  # now the last ten, of which one has no claim
    assert READINGS["strongest_verified"](own).tolist() == [9] * 4


def test_beyond_the_untrained_is_a_larger_score_with_the_same_unit():
    own = answered(["AU1", "AU4", "", "AU12"], [""] * 4, score=5)
    rivals = [
        answered(["AU1", "", "", ""], [""] * 4, score=6),
        answered(["AU4", "", "", ""], [""] * 4, score=4),
    ]
    assert beyond(strongest(rivals))(own).tolist() == [2] * 4
    assert beyond(strongest(rivals[1:]))(own).tolist() == [3] * 4
    with pytest.raises(DataError, match="no untrained network"):
        strongest([])


def test_a_unit_that_cannot_be_scored_without_some_people_claims_nothing():
    own = answered(["AU1", "", "", ""], [""] * 4)
    own.strength[1] = -np.inf
    assert beyond(strongest([answered([""] * 4, [""] * 4)]))(own).tolist() == [1, 0, 1, 1]


def test_causes_are_reliable_where_both_halves_of_the_people_agree():
    own = answered(["AU1", "AU1", "AU12", ""], ["AU1", "AU4", "AU12", ""])
    found = {name: reading(own).tolist() for name, reading in READINGS.items()}
    # Of three filters that a unit raises two are steady; of these one claim is right, by luck one half.
    assert found["cause_reliability"] == pytest.approx([2 / 3] * 4)
    assert found["kappa_steady"] == pytest.approx([(1 - 1) / (2 - 1)] * 4) and found["selective"] == [1] * 4
    two = answered(["AU1", "AU4", "AU1", "AU1"], ["AU1", "AU4", "AU4", "AU4"])
    assert READINGS["kappa_steady"](two) == pytest.approx([1] * 4)
    assert READINGS["selective"](answered(["AU4", "AU4"], ["AU1", "AU4"])).tolist() == [0] * 4
    silent = answered([""] * 4, [""] * 4)
    assert READINGS["cause_reliability"](silent).tolist() == [0] * 4


def test_verified_filters_keep_their_unit_where_other_heads_move_them_by_it():
    own = answered(
        ["AU1", "AU1", "AU12", "AU4", ""],
        ["AU1", "AU4", "AU12", "AU4", "AU1"],
        ["AU1", "AU1", "AU4", "AU4", "AU1"],
    )
    readings = OF_VERIFIED | ON_OTHER_HEADS
    found = {name: reading(own).tolist() for name, reading in readings.items()}
    # Verified are filters 0, 2 and 3, of which 0 and 3 keep their unit; paired at random AU1 has 1 · 1/3 of
    # them, AU4 1 · 2/3, AU12 none: one of three.
    assert found["kept"] == pytest.approx([2 / 3] * 4)
    assert found["kept_by_chance"] == pytest.approx([1 / 3] * 4)
    # Of four claims three hold there; by luck AU1 has 2 · 2/4 and AU4 1 · 2/4 of them.
    assert found["kappa"] == pytest.approx([(3 - 1.5) / (4 - 1.5)] * 4)
    assert found["verified_gain"] == pytest.approx([1.5] * 4) and found["distinct_units"] == [2] * 4
    assert found["strongest_verified"] == [3] * 4
    assert found["rank_correlation"] == [0.25] * 4
    none = answered(["AU1"] * 2, ["AU4"] * 2, ["AU1"] * 2)
    assert OF_VERIFIED["kept"](none).tolist() == OF_VERIFIED["kept_by_chance"](none).tolist() == [0] * 4
