"""Decision rules on p-values whose answers are known by hand."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from fer_lib.aus.nulls import Null, Rule, claimed_units, decide
from ferbook.errors import ParameterError


def null_of(exceed, permutations=999, observed=None, scores=None, maxima=None, dead=None, rare=None):
    """A null with the given counts; scores and values default to what falls with them."""
    exceed = np.asarray(exceed)
    shape = exceed.shape
    observed = -exceed.astype(float) if observed is None else np.asarray(observed, float)
    return Null(
        tuple(f"AU{a + 1}" for a in range(shape[1])),
        observed,
        observed,
        observed if scores is None else np.asarray(scores, float),
        observed if scores is None else np.asarray(scores, float),
        exceed,
        np.zeros(permutations) if maxima is None else np.asarray(maxima, float),
        np.zeros(len(exceed), bool) if dead is None else np.asarray(dead),
        np.zeros(len(exceed), bool) if rare is None else np.asarray(rare),
        (),
    )


def test_maximum_counts_the_largest_of_each_permutation():
    # 49 of 999 reach 5: (1 + 49) / 1000 = 0.05 survives, and one more does not.
    scores = [[5.0, 4.0], [1.0, 0.0]]
    maxima = np.r_[np.full(49, 5.0), np.full(950, 1.5)]
    null = null_of([[0, 0], [0, 0]], scores=scores, maxima=maxima)
    assert null.p_family[0, 0] == pytest.approx(0.05)
    assert decide(null, "max_statistic").tolist() == [[True, True], [False, False]]
    assert null.p_family[0, 1] == pytest.approx(0.05) and null.p_family[1, 0] == 1
    maxima[49] = 5
    null = null_of([[0, 0], [0, 0]], scores=scores, maxima=maxima)
    assert not decide(null, "max_statistic").any()


def test_argmax_calls_every_filter_that_varies_and_asks_no_null():
    observed = [[0.1, 0.3, np.nan], [0, 0, np.nan], [0.2, -0.1, np.nan]]
    null = null_of(np.full((3, 3), 5), permutations=5, observed=observed, dead=[False, True, False])
    assert claimed_units(null, "argmax").tolist() == [1, -1, 0]
    assert decide(null, "argmax").sum() == 2


def test_argmax_alone_names_the_unit_of_a_rare_filter():
    null = null_of([[0, 0]], observed=[[0.1, 0.7]], rare=[True])
    assert claimed_units(null, "argmax").tolist() == [1]
    assert claimed_units(null, "max_statistic").tolist() == [-1]


def test_a_claim_is_the_one_of_those_called_with_the_largest_score():
    # AU3 has the largest score but is not called: its unskewed score is small. AU1 has the larger value.
    null = null_of([[0, 0, 900]], observed=[[0.6, 0.4, 0.9]], scores=[[4.0, 6.0, 9.0]])
    null = replace(null, unskewed=np.array([[4.0, 6.0, 0.0]]), maxima=np.full(999, 1.0))
    assert claimed_units(null, "max_statistic").tolist() == [1]
    # The papers' way goes by the value.
    assert claimed_units(null, "argmax").tolist() == [2]


def test_pairs_that_were_not_tested_are_never_called():
    observed = [[0.9, np.nan], [0.0, np.nan]]
    null = null_of([[0, 0], [0, 0]], permutations=19, observed=observed, dead=[False, True])
    for rule in get_args(Rule):
        assert decide(null, rule).tolist() == [[True, False], [False, False]]


def test_too_few_permutations_are_refused_with_the_number_required():
    with pytest.raises(ParameterError, match=r"permutations = 18.*needs at least 19;"):
        decide(null_of([[0, 0]], permutations=18), "max_statistic")
    assert decide(null_of([[0, 0]], permutations=19, scores=[[1, 1]]), "max_statistic").all()
    assert decide(null_of([[0, 0]], permutations=1), "argmax").any()
    with pytest.raises(ParameterError, match="rule"):
        decide(null_of([[0, 0]]), "holm")
