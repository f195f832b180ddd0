"""What the papers report, as the page shows it."""

import pytest

from ferbook.reported import CERTAINTIES, RECOGNITION_CLAIMS, TRANSFER_CLAIMS, claims_table


def test_every_claim_says_how_sure_it_is_and_unknown_numbers_stay_unknown():
    table = claims_table()
    assert len(table) == len(RECOGNITION_CLAIMS)
    assert table["how sure"].str[:2].isin([f"{letter}:" for letter in CERTAINTIES]).all()
    assert (table["accuracy"].isna() == table["how sure"].str.startswith("N")).all()
    shown = table["accuracy"].dropna().str.replace("\u00a0", " ").tolist()
    assert "98.62 %" in shown and "95.1 %" in shown, "the digits that the papers give"


@pytest.mark.parametrize(
    ("faces", "first", "corrected"),
    [("CK+, 8 classes", 0.964, 0.951), ("CK+, 6 classes", 0.983, 0.957), ("TFD", 0.898, 0.886)],
)
def test_the_corrected_version_stands_below_the_first(faces, first, corrected):
    by_version = {claim.paper[-1]: claim.accuracy for claim in RECOGNITION_CLAIMS if claim.faces == faces}
    assert by_version == {"1": first, "3": corrected}


def test_other_claims_come_in_the_same_form():
    table = claims_table(TRANSFER_CLAIMS)
    assert len(table) == len(TRANSFER_CLAIMS)
    assert table["accuracy"].isna().tolist() == [claim.certainty == "N" for claim in TRANSFER_CLAIMS]
