"""What papers report."""

import pytest

from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import CERTAINTIES, read_claims
from ferbook.references import reported_table


def reported(chapter):
    return read_claims(paths.claims_file()).reported[chapter].numbers


@pytest.mark.parametrize("chapter", read_claims(paths.claims_file()).reported)
def test_every_number_says_how_sure_it_is_and_unknown_numbers_stay_unknown(chapter):
    assert chapter in chapters()
    shown, letters = reported_table(chapter), {each.certainty for each in reported(chapter)}
    told = {each for each, words in CERTAINTIES.items() if shown.html().count(f"{each}: {words}") == 2}
    assert told == letters, "in the caption, which is the name of the region too, and in no row"
    table = shown.data
    assert len(table) == len(reported(chapter))
    assert (table["accuracy"].isna() == table["how sure"].str.startswith("N")).all()


def test_accuracies_are_shown_with_the_digits_that_the_papers_give():
    shown = reported_table("training").html().replace("\u00a0", " ")
    assert "98.62 %" in shown and "95.1 %" in shown and "95.10" not in shown


@pytest.mark.parametrize(
    ("data", "first", "corrected"),
    [("CK+, 8 classes", 0.964, 0.951), ("CK+, 6 classes", 0.983, 0.957), ("TFD", 0.898, 0.886)],
)
def test_the_corrected_version_stands_below_the_first(data, first, corrected):
    by_version = {each.paper[-1]: each.accuracy for each in reported("training") if each.data == data}
    assert by_version == {"1": first, "3": corrected}


def test_what_users_of_the_code_report_stands_beside_the_claim():
    table = reported_table("structure_and_loss").data.set_index("paper")
    assert table.loc["ResEmoteNet", "users report"] == "60 %, 58 %"
    assert "issues 39" in table.loc["ResEmoteNet", "where"]
