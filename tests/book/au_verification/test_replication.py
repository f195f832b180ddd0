"""What other heads say of the same filters, on answers of networks of four."""

import pytest

from book.au_verification.replication import other_heads_metrics, other_heads_table
from tests.book.au_verification.toy_networks import answered

CLAIMED = ["AU1", "AU4", "AU12", ""]
MOVED = ["AU4", "AU12", "AU1", "AU1"]


@pytest.fixture(scope="module")
def found():
    """Trained networks keep two of three units, their mixtures and untrained ones none."""
    networks = [
        answered(CLAIMED, CLAIMED, ["AU1", "AU4", "AU1", ""], group=group, seed=seed)
        if group == "trained"
        else answered(CLAIMED, MOVED, MOVED, group=group, seed=seed)
        for seed in (0, 1)
        for group in ("trained", "random mixtures", "untrained")
    ]
    larger = answered(CLAIMED, CLAIMED, group="published", structure="96 px")
    return other_heads_metrics([*networks, larger])


def test_every_population_that_was_asked_is_told_and_held_against_untrained_networks(found):
    assert found["other_heads_kept"].value == pytest.approx(2 / 3)
    assert found["other_heads_kept"].unit == "share" and found["other_heads_kept"].n == 2
    assert found["other_heads_kept_by_chance"].value == pytest.approx(1 / 3)
    # Claims once each; two hold there, by luck 2/3 of AU1 and 1/3 of AU4.
    assert found["other_heads_kappa"].value == pytest.approx((2 - 1) / (3 - 1))
    assert found["other_heads_untrained_kappa"].value == pytest.approx(-1 / 2)
    assert found["other_heads_kappa_over_untrained"].value == pytest.approx(1)
    assert found["other_heads_kappa_over_mixtures"].value == pytest.approx(1)
    # KL names what is claimed, AUROC what moves the filter here, which is the same.
    assert found["other_heads_kl_agreement_kappa_over_untrained"].value == pytest.approx(1)
    assert found["other_heads_kl_agreement_share"].value == pytest.approx(2 / 3)
    assert "other_heads_untrained_kept" not in found, "it has no verified filter"
    assert not [name for name in found if "published" in name]


def test_where_no_other_heads_were_asked_nothing_is_told():
    networks = [answered(CLAIMED, CLAIMED), answered(CLAIMED, MOVED, group="untrained")]
    assert other_heads_metrics(networks) == {}
    assert other_heads_table({}, {}.get) is None


def test_the_table_shows_this_run_or_else_the_reference_and_says_so(found):
    own, beside = other_heads_table(found, {}.get), other_heads_table({}, found.get)
    assert own.data.index.tolist() == ["trained", "random mixtures", "untrained"]
    assert own.data.loc["trained", "keep their unit"] == found["other_heads_kept"]
    assert own.data.equals(beside.data)
    assert beside.caption.endswith("the run reference") and "reference" not in own.caption
