"""The figures of the chapter show the numbers that they were given."""

import pandas as pd

from book.truth import codes, figures, maps
from tests.book.truth.toy_judged import judged


def test_the_cells_count_what_is_answered_with_yes(well_drawn):
    answers = maps.map_answers(judged(worse_family="broad-faceunits"))
    drawn = well_drawn(lambda: figures.verdict_cells(answers))
    share = drawn.data.set_index(["method", "asked"])["share"]
    assert share["gradient", "no broad, Face Units"] == 1 and share["deconvolution", "one"] == 0
    assert share["gradient", "no narrow, Face Units"] == 1 / 3, "sanity is left"
    assert list(drawn.data["asked"].unique()) == [
        "one",
        "two",
        "no narrow, Face Units",
        "no broad, Face Units",
    ]
    assert "Methods that are believed of one networks, whichever family is held out: none." in drawn.caption
    assert "held out: gradient." in figures.verdict_cells(maps.map_answers(judged())).caption


def test_scores_are_of_the_first_population(well_drawn):
    table = judged()
    drawn = well_drawn(lambda: figures.score_dots(table))
    own = table[table["population"].eq("one") & table["method"].eq("gradient")]
    shown = drawn.data.set_index(["label", "panel"])["value"]
    assert abs(shown["gradient", "correctness"] - own["correctness"].mean()) < 1e-9
    assert drawn.data["label"].iloc[0] == "gradient"
    assert "(edges in the field)" in set(drawn.data["label"])


def read() -> pd.DataFrame:
    rows = [
        ("one", f"net {net}", f"p{person}", f"f{person % 2}", "AU1", basis, size, 0.1 * size + 0.01 * net)
        for net in range(2)
        for person in range(4)
        for basis in codes.BASES
        for size in (*codes.FEW, codes.ALL)
    ]
    names = ["population", "network", "person", "family", "unit", "basis", "size", "explained"]
    return pd.DataFrame(rows, columns=names)


def test_codes_are_drawn_by_the_number_of_directions(well_drawn):
    drawn = well_drawn(lambda: figures.code_dots(read()))
    shown = drawn.data.set_index(["label", "series"])["value"]
    assert abs(shown["best 4", codes.FILTERS] - 0.405) < 1e-9


def test_a_conclusion_that_one_family_does_not_share_is_open():
    answers = maps.map_answers(judged(worse_family="broad-faceunits"))
    table = figures.conclusions_table({"maps": answers.assign(question=maps.question_names(answers))}).data
    told = table.set_index("question")
    assert told.loc["gradient, sanity", ["each family held out", "all networks"]].tolist() == ["yes", "yes"]
    assert told.loc["gradient, correctness", "each family held out"] == "open"
