"""Claims and causes of filters, counted by hand and against shuffled pairs."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from fer_lib.aus.verification import verified
from ferbook.errors import DataError

AUS = ("AU1", "AU2", "AU4")
CLAIMS = ["AU1", "AU1", "AU1", "AU2", "", "AU2"]
CAUSES = ["AU1", "AU1", "AU2", "AU2", "AU1", ""]


def test_claims_and_causes_by_hand():
    found = verified(CLAIMS, CAUSES, AUS)
    assert found.filters == 5 and found.units == 2
    assert found.claimed.tolist() == [3, 2, 0] and found.caused.tolist() == [2, 2, 0]
    assert found.verified.tolist() == [2, 1, 0]
    assert found.expected.tolist() == [6 / 5, 4 / 5, 0]
    assert found.kappa == pytest.approx(1 / 3)


def test_kappa_is_cohen_s():
    held = [each != "" for each in CLAIMS]
    claims, causes = (np.array(each)[held] for each in (CLAIMS, CAUSES))
    assert verified(CLAIMS, CAUSES, AUS).kappa == pytest.approx(cohen_kappa_score(claims, causes))


def test_what_is_expected_is_the_mean_over_random_pairings():
    generator = np.random.default_rng(0)
    claims, causes = (
        generator.choice([*AUS, "AU9"], 40),
        generator.choice([*AUS, ""], 40, p=[0.6, 0.2, 0.1, 0.1]),
    )
    aus = (*AUS, "AU9")
    found = verified(claims, causes, aus)
    drawn = [verified(claims, generator.permutation(causes), aus) for _ in range(4000)]
    # The largest standard error of a mean count is 0.04.
    np.testing.assert_allclose(np.mean([each.verified for each in drawn], 0), found.expected, atol=0.16)
    assert np.mean([each.kappa for each in drawn]) == pytest.approx(0, abs=0.01)


def test_one_unit_claimed_and_caused_by_all_is_nothing_beyond_chance():
    found = verified(["AU1"] * 5, ["AU1"] * 5, AUS)
    assert found.verified.sum() == found.expected.sum() == 5 and np.isnan(found.kappa)
    nothing = verified([""] * 5, ["AU1"] * 5, AUS)
    assert not nothing.expected.any() and np.isnan(nothing.kappa)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="2 claims and 1 causes"):
        verified(["AU1", ""], ["AU1"], AUS)
    with pytest.raises(DataError, match="name AU12; the units are AU1, AU2, AU4"):
        verified(["AU12"], ["AU1"], AUS)
