import numpy as np
import pytest

from synthetic_faces.expressions import VARIANTS, Spread, draw_expression
from synthetic_faces.expressions_web import NATURAL
from synthetic_faces.facs import AUS
from synthetic_faces.variants import unit_table


def test_the_seven_classes_of_fer2013_have_variants_whose_shares_add_up():
    assert set(NATURAL) == {"neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise"}
    for variants in NATURAL.values():
        assert sum(v.share for v in variants) == pytest.approx(1)
        for variant in variants:
            assert set(variant.aus) <= set(AUS)
            assert all(0 < p <= 1 and 0 < full <= 1 for p, full in variant.aus.values())


def test_a_table_of_units_is_read_as_number_probability_intensity():
    assert unit_table("4 .97 .95, 26 1 .5") == {"AU4": (0.97, 0.95), "AU26": (1.0, 0.5)}


def test_natural_faces_show_natural_variants_and_the_rest_as_ever():
    def faces(emotion, **how):
        spread = Spread(intensity=(1, 1), jitter=0, drop=0, extra=0, one_sided=0, asymmetry=0, **how)
        return np.array(
            [draw_expression(emotion, np.random.default_rng((3, k)), spread).intensities for k in range(400)]
        )

    # Smiles with parted lips: their share is the variants' probability of AU25.
    parted = (faces("happiness", natural=True)[:, AUS.index("AU25")].max(axis=1) > 0).mean()
    expected = sum(v.share * v.aus.get("AU25", (0, 0))[0] for v in NATURAL["happiness"])
    assert parted == pytest.approx(expected, abs=0.05)
    usual = sum(v.share * v.aus.get("AU25", (0, 0))[0] for v in VARIANTS["happiness"])
    assert expected > usual + 0.1
    # Contempt is no class of FER2013.
    np.testing.assert_array_equal(faces("contempt", natural=True), faces("contempt"))


def test_no_unit_belongs_to_one_emotion_alone():
    for au in {au for variants in NATURAL.values() for v in variants for au in v.aus}:
        shown = [e for e, variants in NATURAL.items() if any(au in v.aus for v in variants)]
        assert len(shown) > 1 or au in {"AU18", "AU22", "AU23", "AU14"}
