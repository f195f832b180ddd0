"""What a synthetic expression shows, as FACS codes."""

from book.faces.figures import typical_codes
from face_sets.faceset import LABELS
from face_sets.facs_codes import parse_codes
from synthetic_faces.expressions import typical_aus


def test_typical_codes_are_the_typical_units():
    assert typical_codes("neutral") == ""
    assert typical_codes("surprise") == "1+2+5+25+26"
    assert typical_codes("contempt") == "L14"
    for emotion in LABELS:
        assert {f"AU{code.au}" for code in parse_codes(typical_codes(emotion))} == set(typical_aus(emotion))
