"""Decision rules on p-values whose answers are known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fer_lib.aus.nulls import Null, claimed_units, decide
from ferbook.errors import ParameterError


def null_of(values, permutations=999, scores=None, maxima=None, dead=None):
    """A null of which nothing is known but what is given: scores are the values, and no chance reaches 0."""
    observed = np.asarray(values, float)
    shape = observed.shape
    return Null(
        tuple(f"AU{a + 1}" for a in range(shape[1])),
        observed,
        observed,
        observed if scores is None else np.asarray(scores, float),
        observed if scores is None else np.asarray(scores, float),
        np.zeros(permutations) if maxima is None else np.asarray(maxima, float),
        ~np.isnan(observed) & ~np.broadcast_to(np.reshape(dead or [False], (-1, 1)), shape),
    )


def test_maximum_counts_the_largest_of_each_permutation():
    # 49 of 999 reach 5: (1 + 49) / 1000 = 0.05 survives, and one more does not.
    scores = [[5.0, 4.0], [1.0, 0.0]]
    maxima = np.r_[np.full(49, 5.0), np.full(950, 1.5)]
    null = null_of([[0, 0], [0, 0]], scores=scores, maxima=maxima)
    assert null.p_family[0, 0] == pytest.approx(0.05)
    assert decide(null).tolist() == [[True, True], [False, False]]
    assert null.p_family[0, 1] == pytest.approx(0.05) and null.p_family[1, 0] == 1
    maxima[49] = 5
    null = null_of([[0, 0], [0, 0]], scores=scores, maxima=maxima)
    assert not decide(null).any()


def test_a_claim_is_the_one_of_those_called_with_the_largest_score():
    # AU3 has the largest score but is not called: its unskewed score is small. AU1 has the larger value.
    null = null_of([[0.6, 0.4, 0.9]], scores=[[4.0, 6.0, 9.0]])
    null = replace(null, unskewed=np.array([[4.0, 6.0, 0.0]]), maxima=np.full(999, 1.0))
    assert claimed_units(null).tolist() == [1]


def test_pairs_that_were_not_tested_are_never_called():
    observed = [[0.9, np.nan], [0.0, np.nan]]
    null = null_of(observed, permutations=19, dead=[False, True])
    assert decide(null).tolist() == [[True, False], [False, False]]


def test_too_few_permutations_are_refused_with_the_number_required():
    with pytest.raises(ParameterError, match=r"permutations = 18.*needs at least 19;"):
        decide(null_of([[0, 0]], permutations=18))
    assert decide(null_of([[0, 0]], permutations=19, scores=[[1, 1]])).all()
