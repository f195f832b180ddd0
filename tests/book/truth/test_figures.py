"""The figures of the chapter show the numbers that they were given."""

import pandas as pd

from book.truth import codes, figures, maps
from tests.book.truth.toy_judged import judged


def test_what_decides_is_drawn_of_methods_and_not_of_controls(well_drawn):
    table = judged()
    table.loc[table["method"].eq("field"), "correctness"] += 0.2
    drawn = well_drawn(lambda: figures.verdict_dots(table))
    assert set(drawn.data["label"]) == {"gradient", "deconvolution", "guided backpropagation"}
    own = table[table["population"].eq("one")].groupby("method")["correctness"].mean()
    shown = drawn.data.set_index(["label", "panel"])["value"]
    assert abs(shown["gradient", "correctness, lead"] - (own["gradient"] - own["field"])) < 1e-9
    assert drawn.caption.endswith("gradient.")
    assert figures.verdict_dots(judged(sane=0.3)).caption.endswith("none.")
    notes = [text.get_text() for axes in drawn.figure.axes for text in axes.texts]
    assert sorted(notes) == ["0 of 3", "0 of 3", "3 of 3", "passed"]


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


def test_codes_of_the_first_population_are_drawn_by_the_number_of_directions(well_drawn):
    other = read().assign(population="two", explained=9.0)
    drawn = well_drawn(lambda: figures.code_dots(pd.concat([read(), other])))
    shown = drawn.data.set_index(["label", "series"])["value"]
    assert abs(shown["best 4", codes.FILTERS] - 0.405) < 1e-9 and "best 4 40.5 %" in drawn.caption


def test_a_conclusion_that_one_family_does_not_share_is_open():
    answers = maps.map_answers(judged(worse_family="broad-faceunits"))
    table = figures.conclusions_table({"maps": answers.assign(question=maps.question_names(answers))}).data
    told = table.set_index("question")
    assert told.loc["gradient, sanity", ["each family held out", "all networks"]].tolist() == ["yes", "yes"]
    assert told.loc["gradient, correctness", "each family held out"] == "open"
