import numpy as np
import pandas as pd
import pytest

from book.faces.study import mutual_information
from face_sets.faceset import EMOTIONS, LABELS
from synthetic_faces import facs
from synthetic_faces.domains import DOMAINS
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import (
    FREE_INTENSITY,
    FREE_SHARE,
    VARIANTS,
    Spread,
    draw_expression,
    typical_aus,
)
from synthetic_faces.expressions_web import NATURAL
from synthetic_faces.facs import AUS, SIDED, resolve_alternatives
from synthetic_faces.produce import Recipe, picture_rows

CONSTANT = Spread(intensity=(1, 1), jitter=0, drop=0, extra=0, one_sided=0, asymmetry=0)
THAT_MATTER = [f"AU{n}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 27)]


def draws(emotion, number, spread=None):
    return np.array(
        [
            draw_expression(emotion, np.random.default_rng((7, k)), spread or Spread()).intensities
            for k in range(number)
        ]
    )


@pytest.fixture(scope="module", params=["lab", pytest.param("wild", marks=pytest.mark.slow)])
def drawn(request):
    """The AUs of 1,500 faces of each emotion, as posed in a laboratory, and as in pictures on the web."""
    domain, parts = DOMAINS[request.param], []
    for emotion in EMOTIONS if request.param == "lab" else domain.emotions:
        stronger = draws(emotion, 1500, domain.spread).max(axis=2)
        parts.append(pd.DataFrame(stronger, columns=list(AUS)).assign(emotion=emotion, sequence=""))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("by_emotion", "labels"), [(VARIANTS, LABELS), (NATURAL, DOMAINS["wild"].emotions)], ids=["lab", "web"]
)
def test_variants_cover_the_labels_and_their_shares_add_up(by_emotion, labels):
    assert set(by_emotion) == set(labels)
    for variants in by_emotion.values():
        assert sum(v.share for v in variants) == pytest.approx(1)
        for variant in variants:
            assert set(variant.aus) <= set(AUS)
            for probability, intensity in variant.aus.values():
                assert 0 < probability <= 1 and 0 < intensity <= 1


def test_without_spread_a_face_shows_units_of_one_variant_at_their_intensities():
    # What the rules of alternatives may change: lips parted by the jaw, the weaker of opposed corners.
    ruled = [AUS.index(au) for au in ("AU25", *facs.OPPOSED)]
    for emotion in LABELS:
        for face in draws(emotion, 40, CONSTANT):
            stronger = np.delete(face.max(axis=1), ruled)
            variants = [[v.aus.get(au, (0, 0))[1] for au in AUS] for v in VARIANTS[emotion]]
            assert any(
                np.allclose(stronger, np.where(stronger > 0, np.delete(full, ruled), 0)) for full in variants
            )


def test_every_expression_shows_something_even_where_much_is_dropped():
    for emotion in set(LABELS) - {"neutral"}:
        assert (draws(emotion, 100, Spread(drop=1, extra=0)).max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("emotion", LABELS)
def test_intensities_lie_in_range_and_follow_the_generator(emotion):
    wide = Spread(intensity=(0, 1), jitter=1, drop=0.5, extra=1, one_sided=1, asymmetry=1)
    some = draws(emotion, 60, wide)
    assert some.min() >= 0 and some.max() <= 1
    np.testing.assert_array_equal(some, draws(emotion, 60, wide))
    for face in some:
        np.testing.assert_array_equal(face, resolve_alternatives(face))


def shown_with_each_emotion(drawn):
    return drawn[list(AUS)].gt(0).groupby(drawn["emotion"]).mean().T


def test_no_unit_is_a_function_of_the_emotion(drawn):
    shares = shown_with_each_emotion(drawn)
    assert shares.to_numpy().max() <= 0.92
    # Every AU that matters belongs to two emotions at least, and now and then to a neutral face.
    assert ((shares.loc[THAT_MATTER] >= 0.05).sum(axis=1) >= 2).all()
    assert shares.loc[[au for au in AUS if au != "AU27"], "neutral"].min() > 0
    information = mutual_information(drawn.assign(subject=drawn.index.astype(str)), AUS).loc[THAT_MATTER]
    assert information["adjusted"].max() < 0.8
    # And yet they tell of it: chance alone would give 0.002 bits.
    assert information["information"].min() > 0.02


def test_an_emotion_is_shown_in_many_ways(drawn):
    for _, faces in drawn.groupby("emotion"):
        assert len({tuple(row) for row in faces[list(AUS)].to_numpy() > 0}) > 15


def test_the_leading_units_lead(drawn):
    shares = shown_with_each_emotion(drawn)
    leading = {
        "anger": "AU4",
        "contempt": "AU14",
        "disgust": "AU9",
        "fear": "AU1",
        "happiness": "AU12",
        "sadness": "AU15",
        "surprise": "AU2",
    }
    for emotion in shares.columns.drop("neutral"):
        assert shares.loc[leading[emotion], emotion] > 0.6
    assert shares.loc["AU25", "happiness"] > 0.5 > 0.3 > shares.loc["AU25", "sadness"]


def test_contempt_is_mostly_one_sided_and_joy_seldom():
    def one_sided(emotion, au):
        left, right = draws(emotion, 400)[:, AUS.index(au)].T
        strong, weak = np.maximum(left, right), np.minimum(left, right)
        return (weak < 0.3 * strong)[strong > 0], (left > right)[strong > 0]

    alone, left = one_sided("contempt", "AU14")
    assert 0.75 < alone.mean() < 0.95
    assert 0.4 < left[alone].mean() < 0.6
    assert 0 < one_sided("happiness", "AU12")[0].mean() < 0.05


def test_units_of_the_midline_are_never_lopsided():
    assert SIDED[AUS.index("AU12")] and not SIDED[AUS.index("AU1")]
    assert facs.ACTION_UNITS["AU12"].sided
    for emotion in LABELS:
        some = draws(emotion, 50, Spread(extra=1, one_sided=1))[:, ~SIDED]
        np.testing.assert_array_equal(some[..., 0], some[..., 1])


def test_strength_scales_the_expression():
    weak, strong = (
        draw_expression("fear", np.random.default_rng(3), Spread(intensity=(s, s), extra=0))
        for s in (0.3, 0.9)
    )
    assert (weak.strength, strong.strength) == (0.3, 0.9)
    np.testing.assert_allclose(3 * weak.intensities, strong.intensities)


def test_bad_arguments_are_refused_by_name():
    with pytest.raises(SettingError, match="'joy'"):
        draw_expression("joy", np.random.default_rng(0), Spread())
    for field, value in (("intensity", (0.9, 0.2)), ("jitter", -1), ("drop", 2), ("extra", float("nan"))):
        with pytest.raises(SettingError, match=field):
            Spread(**{field: value})


def test_free_units_are_shown_each_by_itself_whatever_the_emotion():
    free = Spread(free=True)
    happy, angry = (draws(emotion, 3000, free) for emotion in ("happiness", "anger"))
    np.testing.assert_array_equal(happy, angry)
    shown = happy.max(axis=2) > 0
    share, strength = FREE_SHARE, happy.max(axis=2)[shown]
    # Those that no other excludes, parts or limits.
    ruled = {au for groups in facs.ALTERNATIVES for group in groups for au in group} | {"AU25", *facs.OPPOSED}
    alone = [AUS.index(au) for au in AUS if au not in ruled]
    assert len(alone) >= 8
    assert np.allclose(shown[:, alone].mean(axis=0), share, atol=4 * (share * (1 - share) / 3000) ** 0.5)
    assert shown.any(axis=1).all(), "a sequence in which nothing moves has no course"
    between = np.corrcoef(shown[:, alone].T)[np.triu_indices(len(alone), 1)]
    assert np.abs(between).max() < 4.5 / 3000**0.5
    assert strength.min() > 0.1 and strength[strength >= FREE_INTENSITY[0]].mean() == pytest.approx(
        0.625, abs=0.02
    )
    np.testing.assert_array_equal(draws("neutral", 20, free), draws("neutral", 20, Spread()))


def test_a_set_of_free_units_has_the_people_and_the_emotions_of_the_set():
    free, own = (picture_rows(Recipe("lab", 118, 32, units=units)) for units in ("free", ""))
    same = ["subject", "sequence", "frame", "emotion"]
    assert free[same].equals(own[same]) and not free[list(AUS)].equals(own[list(AUS)])
    assert Recipe("lab", 12, 32, units="free").key["units"] == "free"
    with pytest.raises(SettingError, match="units is 'freely'; it must be one of free"):
        Recipe("lab", 12, 32, units="freely")


@pytest.mark.parametrize("emotion", LABELS)
def test_typical_aus_are_known_and_in_range(emotion):
    aus = typical_aus(emotion)
    assert set(aus) <= set(AUS) and (aus or emotion == "neutral")
    assert all(0 < np.max(level) <= 1 for level in aus.values())
    assert any(isinstance(level, tuple) for level in aus.values()) == (emotion == "contempt")


def test_there_is_no_typical_expression_of_an_unknown_emotion():
    with pytest.raises(SettingError, match="no expression of 'joy'"):
        typical_aus("joy")
