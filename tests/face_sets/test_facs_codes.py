"""FACS codes: hand-worked cells, and the way back and forth between text and columns."""

import numpy as np
import pandas as pd
import pytest

from face_sets.facs_codes import EITHER, Code, au_columns, codes_from_columns, format_codes, parse_codes
from ferbook.errors import DataError
from tests.face_sets.readers.writers.facs_codes import codes_of, presence_only


@pytest.mark.parametrize(
    ("cell", "codes"),
    [
        ("4+L10", (Code(4), Code(10, "L"))),
        ("1C+2B+R12", (Code(1, level=3), Code(2, level=2), Code(12, "R"))),
        ("4,7;9", (Code(4), Code(7), Code(9))),
        ("au 4 + l12e", (Code(4), Code(12, "L", 5))),
        ("L12B+R12D", (Code(12, "L", 2), Code(12, "R", 4))),
        ("12?", (Code(12, uncertain=True),)),
        ("10L+14AR", (Code(10, "L"), Code(14, "R", 1))),
        ("R12 or R15", (Code(12, "R", uncertain=True), Code(15, "R", uncertain=True))),
        ("4 + L14 OR R14", (Code(4), Code(14, EITHER))),
        ("14 or 14C", (Code(14, level=3),)),
        ("L14C or R14B?", (Code(14, EITHER, 2, uncertain=True),)),
        ("4+?R12A", (Code(4), Code(12, "R", 1, uncertain=True))),
        ("?", None),
        ("", ()),
        ("0", ()),
    ],
)
def test_cells(cell, codes):
    assert parse_codes(cell) == codes


@pytest.mark.parametrize(
    ("cell", "token"),
    [
        ("4+x", "'x' in '4+x'"),
        ("4++7", "'' in '4++7'"),
        ("4F", "'4F'"),
        ("or 4", "'' in 'or 4'"),
        ("100", "'100'"),
        ("-4", "'-4'"),
        ("4+0", "'0' in '4+0'"),
        ("4+?", "'?' in '4+?'"),
        ("²", "'²'"),
        ("4+7+4", "AU4 stands twice in '4+7+4'"),
        ("12+L12", "AU12 stands twice"),
        ("L12+12", "AU12 stands twice"),
        ("L12A+L12B", "AU12 stands twice"),
        ("L12 or R12 + L12", "AU12 stands twice"),
    ],
)
def test_a_bad_code_is_named_with_its_place(cell, token):
    with pytest.raises(DataError) as refusal:
        parse_codes(cell, "coding.xlsx, row 7, Action Units")
    assert str(refusal.value).startswith("coding.xlsx, row 7, Action Units: ")
    assert token in str(refusal.value)


def test_columns_by_hand():
    rows = [parse_codes(cell) for cell in ("4+L10", "1C+R12B+L12D", "", "?", "10?+4A")]
    table = au_columns(rows)
    assert list(table) == [
        *(f"AU{n}{half}" for n in (1, 4, 10, 12) for half in ("", "_left", "_right")),
        "facs",
    ]
    nan = np.nan
    expected = {
        "AU1": [0, 0.6, 0, nan, 0],
        "AU1_right": [0, 0.6, 0, nan, 0],
        "AU4": [1, 0, 0, nan, 0.2],
        "AU10": [1, 0, 0, nan, nan],
        "AU10_left": [1, 0, 0, nan, nan],
        "AU10_right": [0, 0, 0, nan, nan],
        "AU12": [0, 0.8, 0, nan, 0],
        "AU12_left": [0, 0.8, 0, nan, 0],
        "AU12_right": [0, 0.4, 0, nan, 0],
    }
    for column, values in expected.items():
        np.testing.assert_array_equal(table[column], values, err_msg=column)
    assert table["facs"].tolist() == ["4+L10", "1C+R12B+L12D", "", "?", "10?+4A"]


def test_a_code_on_either_side_is_there_at_its_level_and_no_half_is_known():
    rows = [parse_codes(cell) for cell in ("4 + L14B or R14B", "14C", "L14 or R14?")]
    table = au_columns(rows)
    np.testing.assert_array_equal(table["AU14"], [0.4, 0.6, np.nan])
    np.testing.assert_array_equal(table["AU14_left"], [np.nan, 0.6, np.nan])
    np.testing.assert_array_equal(table["AU14_right"], [np.nan, 0.6, np.nan])
    assert table["facs"].tolist() == ["4+L14B or R14B", "14C", "L14? or R14?"]
    assert codes_of(table) == rows


def test_unscored_presence_can_have_another_intensity_and_halves_can_be_left_out():
    table = au_columns([parse_codes("4+7B")], unscored=0.5, halves=False)
    assert table.to_dict("records") == [{"AU4": 0.5, "AU7": 0.4, "facs": "4+7B"}]


@pytest.mark.parametrize(
    ("intensity", "letter"), [(0.001, "A"), (0.2001, "B"), (0.5, "C"), (0.6, "C"), (0.81, "E")]
)
def test_every_intensity_above_zero_is_written_with_its_letter(intensity, letter):
    for kind in (np.float64, np.float32):
        table = pd.DataFrame({"AU4": np.array([intensity], kind)})
        assert format_codes(codes_from_columns(table)[0]) == f"4{letter}"
        assert format_codes(codes_of(table, letters=False)[0]) == "4"


def test_codes_from_columns_by_hand():
    nan = np.nan
    table = pd.DataFrame(
        {
            "AU10": [0.7, 0.0, nan, nan],
            "AU4": [0.0, 0.0, nan, 0.2],
            "AU12": [0.4, 0.9, nan, 0.5],
            "AU12_left": [0.4, 0.9, nan, nan],
            "AU12_right": [0.0, 0.05, nan, nan],
        }
    )
    assert [format_codes(c) for c in codes_from_columns(table)] == [
        "10D+L12B",
        "L12E+R12A",
        "?",
        "4A+10?+12C",
    ]
    assert [format_codes(c) for c in codes_of(table, letters=False)] == ["10+L12", "12", "?", "4+10?+12"]


def test_a_table_without_au_columns_was_not_coded():
    assert codes_from_columns(pd.DataFrame({"frame": [1, 2]})) == [None, None]


def test_back_and_forth_loses_nothing():
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        if rng.random() < 0.1:
            rows.append(None)
            continue
        codes = []
        for au in sorted(rng.choice(np.arange(1, 100), rng.integers(0, 6), replace=False).tolist()):
            first, second = (int(level) for level in rng.choice(np.arange(1, 6), 2, replace=False))
            codes += {
                0: [Code(au, "", first)],
                1: [Code(au, "L", first)],
                2: [Code(au, "R", first)],
                3: [Code(au, "L", first), Code(au, "R", second)],
                4: [Code(au, "", None, True)],
                5: [Code(au, "R", None, True)],
            }[int(rng.integers(6))]
        rows.append(tuple(codes))
    texts = [format_codes(codes) for codes in rows]
    assert [parse_codes(text) for text in texts] == rows
    table = au_columns(rows)
    assert codes_from_columns(table) == rows
    pd.testing.assert_frame_equal(au_columns(codes_of(table)), table)


def test_a_set_s_own_text_goes_before_its_numbers():
    table = pd.DataFrame({"AU4": [0.5, 0.5], "AU7": [0.0, 0.0], "facs": ["4", None]})
    assert [format_codes(c) for c in codes_of(table)] == ["4", "4C"]
    with pytest.raises(DataError, match="row 0, facs: 'four'"):
        codes_of(table.assign(facs="four"))


@pytest.mark.parametrize(
    ("text", "plain"),
    [("L12B+4C+R12D", "12+4"), ("L12B", "L12"), ("", ""), ("?", "?"), ("12A?", "12?"), ("L12?+R12A", "12")],
)
def test_presence_only(text, plain):
    assert format_codes(presence_only(parse_codes(text))) == plain
    table = pd.DataFrame({"facs": [text]})
    assert format_codes(codes_of(table, letters=False)[0]) == plain
