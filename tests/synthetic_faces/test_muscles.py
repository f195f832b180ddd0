import numpy as np
import pytest

from synthetic_faces.facs import AUS
from synthetic_faces.muscles import ALONG_LIMITS, STRENGTH_LIMITS, draw_muscles


def people(head, makehuman, number=40):
    names = head.action_names.tolist()
    return [draw_muscles(names, makehuman, np.random.default_rng(k)) for k in range(number)]


def of(head, muscles, au, action):
    """(3,): how ``au`` moves ``action``, on the left half, the right half and both."""
    return muscles.units[AUS.index(au), :, head.action_names.tolist().index(action)]


def test_the_share_of_makehuman_is_the_one_that_was_asked_for(head):
    ends = ("mouthFrownLeft", "mouth-depression-Left")
    for share, (present, absent) in enumerate((ends, ends[::-1])):
        for muscles in people(head, (share, share), 5):
            assert of(head, muscles, "AU15", present)[0] > 0.5
            assert of(head, muscles, "AU15", absent)[0] == 0
    mixed = people(head, (0, 1))
    shares = [of(head, m, "AU15", "mouth-depression-Left")[0] for m in mixed]
    assert min(shares) < 0.1 < 0.8 < max(shares)


def test_people_differ_in_strength_evenness_and_tissue_within_their_limits(head):
    everybody = people(head, (0, 0))
    smile = np.array([of(head, m, "AU12", "mouthSmileLeft")[0] for m in everybody])
    right = np.array([of(head, m, "AU12", "mouthSmileRight")[1] for m in everybody])
    strength = (smile + right) / 2 / 0.9
    least, most = STRENGTH_LIMITS
    assert least - 1e-6 <= strength.min() < 0.9 < 1.1 < strength.max() <= most + 1e-6
    assert 0.03 < np.std(smile / right) < 0.4
    along = np.array([of(head, m, "AU12", "cheekSquintLeft")[0] for m in everybody]) / smile / (0.3 / 0.9)
    assert ALONG_LIMITS[0] - 1e-6 <= along.min() < 0.4 < 1.2 < along.max() <= ALONG_LIMITS[1] + 1e-6
    assert np.ptp([m.wrinkling for m in everybody]) > 0.5


def test_lids_close_all_the_way_in_one_way(head):
    for muscles in people(head, (0, 1)):
        lids = [of(head, muscles, "AU43", f"{name}Left")[0] for name in ("eyeBlink", "eye-closure-")]
        assert sorted(lids) == [0, 1]


def test_some_part_their_lips_by_the_jaw_and_others_by_a_lip(head):
    for makehuman in ((0, 0), (1, 1)):
        weights = np.array([m.units[AUS.index("AU25")].sum(axis=0) for m in people(head, makehuman)])
        actions = weights[:, weights.max(axis=0) > 0]
        # Nobody's way is everybody's: every action is strong in some and next to nothing in others.
        assert (np.quantile(actions, 0.2, axis=0) < 0.5 * actions.max(axis=0)).all()


def test_the_same_numbers_give_the_same_muscles(head):
    names = head.action_names.tolist()
    once, again = (draw_muscles(names, (0, 1), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(once.units, again.units)
    np.testing.assert_array_equal(once.wrinkling, again.wrinkling)


@pytest.mark.parametrize("au", AUS)
def test_a_unit_moves_the_skin_alike_far_in_both_sets(au, head):
    """So that an intensity means the same: within a factor of four of one another, in the mean of people."""

    def moved(makehuman):
        lengths = []
        for muscles in people(head, makehuman, 6):
            shift = head.express(np.zeros_like(head.template), muscles.units[AUS.index(au)].sum(axis=0))
            lengths.append(np.sqrt((shift[head.region("inside-mouth") < 0.5] ** 2).sum(axis=1)).sum())
        return np.mean(lengths)

    assert 1 / 4 < moved((0, 0)) / moved((1, 1)) < 4
