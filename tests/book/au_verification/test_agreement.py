"""Agreement of association with causes: shares that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from toy_effects import AUS, effects_of_size

from book.au_verification.agreement import NONE, agreement, causal_argmax, confusable, confusion_table
from fer_lib.aus.association import Association
from fer_lib.aus.interventions import Effects, Interventions
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError


def effects_with(full, people=None, aus=AUS) -> Effects:
    full = np.asarray(full, float)
    # At the lower level another AU is strongest: it must have no say.
    levels = np.stack([full[:, ::-1], full], axis=-1)
    return effects_of_size(full, aus, people=people, each_level=levels)


def association_with(estimate, aus=AUS, dead=None, measure="auroc") -> Association:
    estimate = np.asarray(estimate, float)
    dead = np.zeros(len(estimate), bool) if dead is None else np.array(dead)
    return Association(
        measure,
        aus,
        estimate,
        estimate,
        estimate,
        np.ones(len(estimate)),
        (),
        dead,
    )


FULL = [[3, 1, 0], [0, 2, 1], [-1, -2, -3], [0, 0, 0], [1, 0, 2]]


def test_the_cause_is_what_raises_the_response_most_at_the_highest_level():
    found = effects_with(FULL)
    np.testing.assert_array_equal(causal_argmax(found), [0, 1, NONE, NONE, 2])
    # Indices are those of the AUs asked for.
    np.testing.assert_array_equal(causal_argmax(found, ("AU4", "AU1")), [1, 0, NONE, NONE, 0])


def test_agreement_by_hand():
    named = [[9, 0, 0], [9, 8, 0], [0, 0, 9], [9, 0, 0], [0, 0, 9]]
    found = agreement(effects_with(FULL), association_with(named))
    # AU1, AU1, AU4, AU1, AU4 against AU1, AU2, none, none, AU4.
    assert found.share.n == 5 and found.share.value == pytest.approx(2 / 5)
    # AU1 and AU2 move the same skin.
    assert found.near == pytest.approx(3 / 5)
    # Named: 3/5, 0, 2/5; causes: 1/5 each.
    assert found.chance == pytest.approx((3 * 1 + 2 * 1) / 25)
    assert found.share.low is None and found.share.why == "all draws of the 8 people give the same value"


def test_chance_is_that_of_kappa():
    rng = np.random.default_rng(0)
    full, named = rng.normal(size=(60, 3)) + 3, rng.normal(size=(60, 3))
    found = agreement(effects_with(full), association_with(named))
    kappa = cohen_kappa_score(full.argmax(axis=1), named.argmax(axis=1))
    assert (found.share.value - found.chance) / (1 - found.chance) == pytest.approx(kappa)


def test_dead_filters_and_those_not_asked_for_are_left_out():
    named = [[9, 0, 0], [0, 9, 0], [0, 0, 9], [0, 0, 0], [9, 0, 0]]
    association = association_with(named, dead=[False, False, False, True, False])
    found = agreement(effects_with(FULL), association)
    assert found.share.n == 4 and found.share.value == pytest.approx(2 / 4)
    few = agreement(effects_with(FULL), association, filters=np.array([True, False, False, True, True]))
    assert few.share.n == 2 and few.share.value == pytest.approx(1 / 2)


def test_both_choose_among_the_units_that_both_have():
    # AU9 was not switched, AU4 has too few subjects: neither can win.
    association = association_with([[1, np.nan, 2, 9]] * 5, ("AU1", "AU4", "AU2", "AU9"))
    found = agreement(effects_with(FULL), association)
    # Named AU2 five times; of AU1 and AU2 the causes are 1, 2, none, none, 1. AU1 and AU2 are alike.
    assert (found.share.value, found.near, found.chance) == pytest.approx((1 / 5, 3 / 5, 1 / 5))
    with pytest.raises(DataError, match="AU1; at least two"):
        agreement(effects_with(FULL), association_with([[1.0, 2.0]] * 5, ("AU1", "AU9")))


def test_the_interval_is_over_people_of_the_interventions():
    # One filter: in 5 of 8 people AU1 raises it by 1, in the others AU2 does by 1. Draws differ.
    people = np.zeros((8, 1, 3))
    people[:5, 0, 0], people[5:, 0, 1] = 1, 1
    found = agreement(effects_with(people.mean(axis=0), people), association_with([[1, 0, 0]]), draws=4000)
    assert (found.share.low, found.share.value, found.share.high) == (0, 1, 1)
    assert "8 people" in found.share.how
    rng = np.random.default_rng(1)
    people = rng.normal(1, 2, size=(12, 40, 3))
    found = agreement(effects_with(people.mean(axis=0), people), association_with(people.mean(axis=0)))
    # Draws agree less than the sample does with itself: the interval reaches up to its estimate.
    assert found.share.value == found.share.high == 1 and 0.5 <= found.share.low < 0.95

    # Forty filters whose cause the sample misses by little: draws agree more than the sample does.
    people = np.zeros((9, 40, 3))
    for number in range(40):
        order = rng.permutation(9)
        people[order[:5], number, 0] = people[order[5:], number, 1] = 1
    found = agreement(effects_with(people.mean(axis=0), people), association_with([[0, 1, 0]] * 40))
    assert found.share.value == found.share.low == 0 < found.share.high


def interventions(aus, masks, base) -> Interventions:
    """``base`` faces, each with every AU at one level, and the ``masks`` of all these pictures."""
    table = pd.DataFrame({"subject": "S1", "sequence": "", "frame": 0, "emotion": ""}, range(len(masks)))
    table = table.assign(dataset="lab", split="test")
    faces = FaceSet("lab-staged", np.zeros(masks.shape, np.uint8), table, masks, aus)
    whose, contexts = np.repeat("S1", base), np.arange(base)
    return Interventions(
        faces, aus, (1.0,), whose, contexts, np.ones((base, len(aus)), bool), (1.0,) * len(aus)
    )


def test_confusable_by_hand():
    aus = ("AU1", "AU2", "AU12", "AU15")
    full = [[4, 2, 1, 0], [4, 1, 2, 0], [3, 6, 0, 0], [0, 1, 9, 0], [0, 0, 0, 0]]
    switched = interventions(aus, np.zeros((5, 2, 2), np.uint32), 1)
    table = confusable(effects_with(full, aus=aus), switched)
    assert table["pair"].tolist() == ["AU1, AU2"], "of the other pairs one unit was not switched"
    row = table.iloc[0]
    assert (row["first"], row["second"]) == (2, 1)
    # The other one comes second in filters 0 and 2, not in 1.
    assert row["other is next"] == pytest.approx(2 / 3) and np.isnan(row["shared skin"])
    assert row["correlation"] == pytest.approx(np.corrcoef([4, 4, 3, 0], [2, 1, 6, 1])[0, 1])
    assert "66.7\u00a0%" in confusion_table(table).html()
    others = ("AU12", "AU15")
    assert (
        confusable(
            effects_with([[1, 2]], aus=others), interventions(others, np.zeros((3, 2, 2), np.uint32), 1)
        )
        is None
    )


def test_shared_skin_is_intersection_over_union():
    # Two base faces; on the first AU1 is in three pixels, AU2 in two of which one is AU1's; on the second
    # nothing is seen.
    masks = np.zeros((6, 2, 2), np.uint32)
    masks[1] = [[1, 1], [1, 0]]
    masks[0, 0, 0] = 2
    masks[2, 1, 1] = 2
    aus = ("AU1", "AU2")
    table = confusable(effects_with([[1, 2], [2, 1]], aus=aus), interventions(aus, masks, 2))
    assert table["shared skin"].iloc[0] == pytest.approx(1 / 4)
