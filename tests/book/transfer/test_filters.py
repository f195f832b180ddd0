"""Filters of Breuer's network against units: on claims and causes that are known."""

import numpy as np
import pytest

from book.transfer.filters import GROUPS, FilterCheck, filter_metrics, filter_table
from fer_lib.aus.verification import verified

AUS = ("AU4", "AU12")


def network(right):
    """Twenty filters, claimed in turn; so many verified, whoever is left out, the others moved by the other
    unit."""
    claims = np.array([AUS[k % 2] for k in range(20)], dtype=object)
    causes = claims.copy()
    causes[right:] = [AUS[1 - k % 2] for k in range(right, 20)]
    return [verified(claims, causes, AUS), *(verified(claims[g::5], causes[g::5], AUS) for g in range(5))]


def test_kappa_is_held_against_untrained_networks():
    found = FilterCheck([network(20), network(18)], [network(10), network(8), network(12)])
    metrics = filter_metrics(found)
    assert metrics["breuer_kappa"].value == pytest.approx(0.9) and metrics["breuer_networks"].value == 2
    over = metrics["breuer_kappa_over_untrained"]
    assert over.value == pytest.approx(0.9) and over.low < 0.9 < over.high
    assert "2 and 3 networks" in over.how
    one = filter_metrics(FilterCheck([network(18)], [network(10)] * 3))["breuer_kappa_over_untrained"]
    assert "one network, whose own luck is not covered" in one.how


def test_networks_without_a_claim_have_a_kappa_of_zero():
    silent = [verified([""] * 4, ["AU4"] * 4, AUS)] * 6
    metrics = filter_metrics(FilterCheck([network(18)], [silent] * 3))
    assert metrics["breuer_kappa_over_untrained"].value == metrics["breuer_kappa"].value == pytest.approx(0.8)
    assert metrics["breuer_units_over_untrained"].value == 2


def test_the_table_has_a_row_per_unit_with_means_over_networks():
    table = filter_table(FilterCheck([network(20), network(18)], [network(10)] * 3)).data.set_index("unit")
    assert table.loc["AU4", ["claimed", "verified"]].tolist() == [10, 9.5]
    assert table.loc["AU12", "expected"] == pytest.approx(5) and "untrained: verified" in table
    assert len(network(3)) == GROUPS + 1
