import numpy as np
import pytest

from fer_lib.errors import ParameterError
from fer_lib.faces.faceset import EMOTIONS
from fer_lib.faces.synthetic import facs
from fer_lib.faces.synthetic.facs import AUS, Spread, action_weights, draw_intensities

CONSTANT = Spread(intensity=(1, 1), jitter=0, drop=0, extra=0, asymmetry=0)


def shown(**intensities):
    """AU intensities: a number for both halves of the face, or a (left, right) pair."""
    table = np.zeros((len(AUS), 2))
    for au, value in intensities.items():
        table[AUS.index(au)] = value
    return table


def draws(emotion, number, spread=None):
    return np.array(
        [draw_intensities(emotion, np.random.default_rng(k), spread or Spread()) for k in range(number)]
    )


def test_weights_worked_by_hand(head):
    names = head.action_names.tolist()
    weights = dict(zip(names, action_weights(shown(AU12=(0.5, 0), AU26=0.4, AU25=0.5), names), strict=True))
    assert weights["mouthSmileLeft"] == pytest.approx(0.5 * 0.85)
    assert weights["mouthSmileRight"] == 0
    assert weights["jawOpen"] == pytest.approx(0.4 * 0.45 + 0.5 * 0.12)
    assert weights["mouthLowerDownLeft"] == pytest.approx(0.5 * 0.45)
    assert sum(value > 0 for value in weights.values()) == 6


def test_the_sum_of_two_units_is_clipped_and_an_unsided_action_takes_the_stronger_half(head):
    names = head.action_names.tolist()
    weights = action_weights(shown(AU26=1, AU27=1, AU1=(0.2, 0.6)), names)
    assert weights[names.index("jawOpen")] == 1
    assert weights[names.index("browInnerUp")] == pytest.approx(0.6)


def test_every_unit_moves_actions_that_the_head_has(head):
    names = head.action_names.tolist()
    for au in AUS:
        assert action_weights(shown(**{au: 1.0}), names).sum() > 0
        for action in facs.ACTION_UNITS[au].actions:
            for side in facs.SIDES:
                assert action.format(side=side) in names


def test_variants_cover_the_emotions_and_their_shares_add_up():
    assert tuple(facs.VARIANTS) == EMOTIONS
    for variants in facs.VARIANTS.values():
        assert sum(v.share for v in variants) == pytest.approx(1)
        for variant in variants:
            assert set(variant.intensities) <= set(AUS)
            assert all(0 < value <= 1 for value in variant.intensities.values())


def test_without_spread_a_picture_shows_exactly_one_variant():
    for emotion in EMOTIONS:
        full = [{au: v.intensities.get(au, 0) for au in AUS} for v in facs.VARIANTS[emotion]]
        for drawn in draws(emotion, 20, CONSTANT).max(axis=2):
            assert any(np.allclose(drawn, list(variant.values())) for variant in full)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_intensities_lie_in_range_and_follow_the_generator(emotion):
    wide = Spread(intensity=(0, 1), jitter=1, drop=0.5, extra=1, asymmetry=1)
    some = draws(emotion, 100, wide)
    assert some.min() >= 0 and some.max() <= 1
    np.testing.assert_array_equal(some, draws(emotion, 100, wide))


def test_units_do_not_follow_from_the_emotion():
    present = {e: draws(e, 400).max(axis=2) > 0.1 for e in EMOTIONS}
    rate = {e: dict(zip(AUS, present[e].mean(axis=0), strict=True)) for e in EMOTIONS}
    # Every emotion is shown in several ways, and a neutral face shows a weak unit now and then.
    for emotion in EMOTIONS:
        assert len({row.tobytes() for row in present[emotion]}) > 5
    assert 0.04 < (present["neutral"].any(axis=1)).mean() < 0.2
    assert 0.7 < rate["happiness"]["AU6"] < 0.95
    assert rate["happiness"]["AU12"] > 0.9 > 0.4 > rate["contempt"]["AU10"] > 0.05
    # And most units occur with several emotions.
    for au in ("AU1", "AU4", "AU5", "AU12", "AU25"):
        assert sum(rate[e][au] > 0.25 for e in EMOTIONS) >= 2


def test_contempt_is_one_sided_and_joy_is_not():
    left, right = draws("contempt", 200)[:, AUS.index("AU14")].T
    strong, weak = np.maximum(left, right), np.minimum(left, right)
    assert (weak <= 0.2 * strong + 1e-9).all()
    assert 0.4 < (left > right).mean() < 0.6
    left, right = draws("happiness", 200)[:, AUS.index("AU12")].T
    assert (np.minimum(left, right) >= 0.85 * np.maximum(left, right) - 1e-9).all()


def test_units_of_the_midline_are_never_lopsided():
    sided = np.array([unit.sided for unit in facs.ACTION_UNITS.values()])
    assert sided[AUS.index("AU12")] and not sided[AUS.index("AU1")]
    for emotion in set(EMOTIONS) - {"contempt"}:
        some = draws(emotion, 50, Spread(extra=1))[:, ~sided]
        np.testing.assert_array_equal(some[..., 0], some[..., 1])


def test_bad_arguments_are_refused_by_name(head):
    with pytest.raises(ParameterError, match="'joy'"):
        draw_intensities("joy", np.random.default_rng(0), Spread())
    with pytest.raises(ParameterError, match="intensit"):
        action_weights(shown(AU1=1.2), head.action_names.tolist())
    with pytest.raises(ParameterError, match="intensities must be"):
        action_weights(np.zeros((3, 2)), head.action_names.tolist())
    for field, value in (("intensity", (0.9, 0.2)), ("jitter", -1), ("drop", 2), ("extra", float("nan"))):
        with pytest.raises(ParameterError, match=field):
            Spread(**{field: value})
