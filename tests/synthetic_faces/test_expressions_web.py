import numpy as np
import pytest

from synthetic_faces.expressions import VARIANTS, Spread, draw_expression
from synthetic_faces.expressions_web import NATURAL
from synthetic_faces.facs import AUS
from synthetic_faces.variants import Variant, variants


def test_a_row_of_a_table_is_read_as_share_and_number_probability_intensity():
    whole, half = variants(".6: 4 .97 .95, 26 1 .5", ".4 half: 14 1 .9")
    assert whole == Variant(0.6, {"AU4": (0.97, 0.95), "AU26": (1.0, 0.5)})
    assert half == Variant(0.4, {"AU14": (1.0, 0.9)}, one_sided=True)
    assert variants("1:") == (Variant(1.0, {}),)


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
    for au in {au for own in NATURAL.values() for v in own for au in v.aus}:
        shown = [e for e, own in NATURAL.items() if any(au in v.aus for v in own)]
        assert len(shown) > 1 or au in {"AU18", "AU22", "AU23", "AU14"}
