from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from face_sets.describe import au_table, people_table, split_table
from face_sets.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from ferbook.text import MetricError, bounds_text, interval_text, metric_text, number_text

ACCURACY = Estimate(0.9312, 0.9021, 0.9543, n=576, unit="share")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9312, "share", "93.1 %"),
        (1, "share", "100.0 %"),
        (0.0, "share", "0.0 %"),
        (-0.0001, "share", "0.0 %"),
        (1.26, "points", "+1.3"),
        (-0.31, "points", "−0.3"),
        (1728.0, "count", "1,728"),
        (0.44, "seconds", "0.4 s"),
        (119.6, "seconds", "2 min 0 s"),
        (130, "seconds", "2 min 10 s"),
        (3599.6, "seconds", "1 h 00 min"),
        (0.87123, "", "0.871"),
        (9.999, "", "10.0"),
        (1234567.0, "", "1,230,000"),
        (1.2e10, "", "1.20 × 10¹⁰"),
        (0.00012345, "", "1.23 × 10⁻⁴"),
        (-0.0, "", "0"),
        (np.float64(0.25), "share", "25.0 %"),
    ],
)
def test_a_number_by_its_unit(value, unit, text):
    assert plain(number_text(value, unit)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", None, True])
def test_what_is_not_a_finite_number_is_refused(value):
    with pytest.raises(MetricError, match="not a finite number"):
        number_text(value, "share")


def test_a_number_and_its_unit_stay_on_one_line():
    assert " " not in number_text(0.5, "share") + number_text(3900, "seconds") + number_text(70, "seconds")


def test_an_interval_names_its_level_and_bounds_or_why_there_are_none():
    bare = interval_text(Estimate(0.125, why="1 cluster", unit="share"))
    assert bare == "12.5\u00a0% (no interval: 1 cluster)"
    with pytest.raises(MetricError, match="no interval, and nothing says why"):
        interval_text(replace(ACCURACY, low=None, high=None, unit="count"))
    assert plain(interval_text(ACCURACY)) == "93.1 % (95 % interval 90.2–95.4 %)"
    assert plain(interval_text(replace(ACCURACY, level=0.995))).startswith("93.1 % (99.5 % interval")
    assert plain(interval_text(Estimate(0.871, 0.83, 0.9))) == "0.871 (95 % interval 0.830–0.900)"
    assert plain(interval_text(Estimate(0.5, -3.9, 5.0))) == "0.5 (95 % interval −3.9 to 5.0)"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.25, 0.75, "50 % (25–75)"),
        (0.49, 0.54, "50.1 % (49.0–54.0)"),
        (0.5, 0.503, "50.12 % (50.00–50.30)"),
        (0.5012, 0.5012, "50.1 % (50.1–50.1)"),
    ],
)
def test_an_interval_says_how_many_digits_count(low, high, text):
    assert plain(bounds_text(Estimate(0.5012, low, high, unit="share"))) == text
    whole = Estimate(5.012, 10 * low, 10 * high, unit="count")
    assert plain(bounds_text(whole)).startswith("5 ("), "what is counted is whole"


def test_parts_of_a_metric():
    shown = [plain(metric_text(ACCURACY, part)) for part in ("value", "low", "high", "n")]
    assert shown == ["93.1 %", "90.2 %", "95.4 %", "576"]
    with pytest.raises(MetricError, match="not a part"):
        metric_text(ACCURACY, "mean")
    with pytest.raises(MetricError, match="has no n"):
        metric_text(Estimate(1, unit="count"), "n")


def faces(subjects: list[str]) -> FaceSet:
    emotions, splits = ["anger", "anger", "neutral", "neutral", "anger"], ["train"] * 3 + ["test"] * 2
    table = pd.DataFrame({"subject": subjects, "sequence": "", "frame": 0, "emotion": emotions})
    table = table.assign(dataset="toy", split=splits)
    return FaceSet("toy", np.zeros((5, 8, 8), dtype=np.uint8), table)


def test_split_table_by_hand():
    table = split_table(faces(["a", "a", "b", "c", "c"]))
    assert list(table.columns) == ["train", "test", "total"]
    counts = {"pictures": [3, 2, 5], "subjects": [2, 1, 3], "neutral": [1, 1, 2], "anger": [2, 1, 3]}
    assert {name: list(row) for name, row in table.iterrows()} == counts


def test_split_table_does_not_count_subjects_that_are_partly_unknown():
    table = split_table(faces(["a", "a", "", "c", "c"]))
    assert table.loc["subjects", "test"] == 1
    assert table.loc["subjects", ["train", "total"]].isna().all()


def test_split_table_counts_pictures_without_an_emotion():
    labelled = faces(["a", "a", "b", "c", "c"])
    some = labelled.table.assign(emotion=["anger", "", "", "neutral", ""])
    table = split_table(FaceSet("toy", labelled.pixels, some))
    assert list(table.loc["no emotion"]) == [2, 1, 3] and list(table.loc["anger"]) == [1, 0, 1]
    nothing = split_table(FaceSet("toy", labelled.pixels, labelled.table.assign(emotion="")))
    assert list(nothing.index) == ["pictures", "subjects", "no emotion"]


class Cells(HTMLParser):
    """(tag, scope, text) of each cell, and the caption."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.cells: list[list] = []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        if tag in ("th", "td", "caption"):
            self.cells.append([tag, dict(attrs).get("scope"), ""])

    def handle_data(self, data):
        self.cells[-1][2] += data


def test_html_has_caption_scopes_formats_and_dashes():
    numbers = {"n": pd.array([1234, pd.NA], dtype="Int64"), "share": [0.5, float("nan")]}
    table = pd.DataFrame(numbers, index=pd.Index(["a<b", "c"], name="split"))
    cells = Cells(Table(table, "What & why", {"share": "share"}).html()).cells
    heads = [["caption", None, "What & why"], *(["th", "col", name] for name in ("split", "n", "share"))]
    first = [["th", "row", "a<b"], ["td", None, "1,234"], ["td", None, "50.0 %"]]
    second = [["th", "row", "c"], ["td", None, "–"], ["td", None, "–"]]
    assert [[tag, scope, plain(text)] for tag, scope, text in cells] == [*heads, *first, *second]


def test_html_escapes_and_takes_functions():
    table = pd.DataFrame({"name": ["<script>"], "x": [2]})
    markup = Table(table, "t", {"x": lambda x: f"<{x}>"}).html()
    assert "<script>" not in markup
    assert "&lt;2&gt;" in markup


def test_au_table_counts_coded_and_shown_by_hand():
    known = faces(["a", "a", "b", "c", "c"])
    coded = known.table.assign(AU2=[0.5, 0, np.nan, 1, 0.3], AU10=0.0)
    table = au_table(FaceSet("toy", known.pixels, coded))
    assert list(table.index) == ["AU2", "AU10"]
    assert table.loc["AU2", ["coded", "present", "people"]].tolist() == [4, 3, 2]
    assert table.loc["AU2", "intensity"] == pytest.approx(0.6)
    assert table.loc["AU10", "present"] == 0 and np.isnan(table.loc["AU10", "intensity"])
    unknown = au_table(FaceSet("toy", known.pixels, coded.assign(subject="")))
    assert pd.isna(unknown.loc["AU2", "people"])
    assert au_table(known).empty


def test_people_table_counts_pictures_and_sequences_by_hand():
    table = pd.DataFrame({"subject": list("aaabbc"), "sequence": list("112344"), "emotion": "fear"})
    table = table.assign(dataset="toy", frame=range(6), split=["train"] * 5 + ["test"])
    found = people_table(FaceSet("toy", np.zeros((6, 2, 2), np.uint8), table))
    pictures = {"pictures, least": 2, "pictures, median": 2.5, "pictures, most": 3}
    sequences = {f"sequences, {name}": 2 for name in ("least", "median", "most")}
    assert found["train"].to_dict() == {"people": 2} | pictures | sequences
    assert found["test"]["people"] == 1


def column(cells, form=""):
    shown = Table(pd.DataFrame({"name": list("abc")[: len(cells)], "x": cells}), "t", {"x": form}).html()
    return [plain(text) for tag, _, text in Cells(shown).cells if tag == "td"]


def test_numbers_of_a_column_have_the_same_decimals():
    assert column([12.345, -0.5, float("nan")]) == ["12.3", "−0.5", "–"]
    assert column([0.9, 0.0004]) == ["0.900", "4.00 × 10⁻⁴"], "what is not zero is not shown as zero"
    assert column([0.0, 0.0]) == ["0", "0"] and column([-1, 1234]) == ["−1", "1,234"]
    assert column([-0.25, 2.0], "{:.1f}".format) == ["−0.2", "2.0"]
    estimates = [Estimate(0.5, 0.4, 0.6), Estimate(0.1234, 0.1, 0.14), Estimate(2.0, why="one person")]
    assert column(estimates) == ["0.500 (0.400–0.600)", "0.123 (0.100–0.140)", "2.000"]
    unlike = [Estimate(60, 20, 90), Estimate(0.1234, 0.1, 0.14)]
    assert column(unlike) == ["60 (20–90)", "0.123 (0.100–0.140)"], "a column of different things"


def test_a_row_becomes_a_card_and_a_long_table_is_folded():
    data = pd.DataFrame({"name": ["a", "b"], "how_much": [Estimate(1, 0.5, 2), 3]})
    shown = Table(data, "Words & more").html()
    assert '<td role="cell" class="number" data-label="how much">' in shown
    assert '1.00 <span class="bounds">(0.50–2.00)</span>' in shown and "<details" not in shown
    folded = Table(pd.concat([data] * 7, ignore_index=True), "Words & more").html()
    assert folded.startswith('<details class="suite-fold"><summary>Words &amp; more (14 rows)</summary>')
