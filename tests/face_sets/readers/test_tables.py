"""Records of csv files, and coding sheets: the header found among notes, what is wrong named by row."""

import datetime
import random
import re

import openpyxl
import pytest

from face_sets.faceset import EMOTIONS
from face_sets.readers import tables
from face_sets.readers.tables import SPELLINGS, cell_text, find_sheet, read_records, read_sheet
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import repack


def test_a_record_may_go_over_several_lines_and_has_the_number_of_its_last(tmp_path):
    file = tmp_path / "votes.csv"
    file.write_bytes('\ufeffa,b\r\n"two\nlines",1\n\u2028x,2\n'.encode())
    assert [*read_records(file)] == [(1, ["a", "b"]), (3, ["two\nlines", "1"]), (4, ["\u2028x", "2"])]
    file.write_bytes(b"a,b\nc,\xff\n")
    with pytest.raises(DataError, match=r"votes\.csv: cannot be read"):
        list(read_records(file))
    file.write_text("a,b\n" + "c" * 200_000)
    with pytest.raises(DataError, match=r"votes\.csv, line 2: not readable as csv"):
        list(read_records(file))


def test_every_spelling_means_one_of_the_emotions():
    assert set(SPELLINGS.values()) == set(EMOTIONS) and all(name == name.lower() for name in SPELLINGS)


COLUMNS = ("Subject", "Filename", "OnsetFrame")


def sheet(path, *rows, title="Sheet1"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(list(row))
    book.save(path / "coding.xlsx")
    return path / "coding.xlsx"


def test_rows_under_notes_with_columns_in_any_order_and_blanks(tmp_path):
    path = sheet(
        tmp_path,
        ["Notes on the coding of the Subject"],
        [None, "Subject"],
        ["subject ", None, "Onset Frame", "Remarks", "file_name"],
        [1, None, 46.0, "x", "EP02_01f"],
        [],
        ["02", None, "7 ", None, 12],
    )
    first, second = read_sheet(path, COLUMNS)
    assert (first.place, second.place) == (f"{path}, row 4", f"{path}, row 6")
    assert [first.text(c) for c in COLUMNS] == ["1", "EP02_01f", "46"]
    assert [second.text(c) for c in COLUMNS] == ["02", "12", "7"]
    assert second.whole("Subject") == 2 and second.whole("OnsetFrame") == 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (6.0, "6"),
        (" 4+7 ", "4+7"),
        (datetime.datetime(2014, 5, 8), "2014-05-08 00:00:00"),
    ],
)
def test_cells_as_text(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize("value", ["x", "-3", "4.5", "²"])
def test_a_number_that_is_none_is_named(tmp_path, value):
    row = read_sheet(sheet(tmp_path, COLUMNS, ["1", "a", value], ["2", "b", "/"]), COLUMNS)[0]
    with pytest.raises(DataError, match=r"coding\.xlsx, row 2: OnsetFrame is .*expected a whole number"):
        row.whole("OnsetFrame")


def test_what_stands_for_nothing_must_be_said(tmp_path):
    row = read_sheet(sheet(tmp_path, COLUMNS, ["1", "a", "/"]), COLUMNS)[0]
    assert row.whole("OnsetFrame", absent=("", "/")) is None
    with pytest.raises(DataError, match="OnsetFrame is '/'"):
        row.whole("OnsetFrame")


def test_the_named_worksheet_or_the_first(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Subject"])
    page = book.create_sheet("MICRO_ONLY")
    page.append(["Subject"])
    page.append([5])
    book.save(tmp_path / "coding.xlsx")
    assert read_sheet(tmp_path / "coding.xlsx", ["Subject"], sheet="MICRO_ONLY")[0].text("Subject") == "5"
    with pytest.raises(DataError, match="no rows"):
        read_sheet(tmp_path / "coding.xlsx", ["Subject"], sheet="OTHER")


@pytest.mark.parametrize("keep", [0, 300, -1])
def test_a_damaged_workbook_is_named(tmp_path, keep):
    path = sheet(tmp_path, COLUMNS, [1, "a", 3])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"coding\.xlsx: not a readable \.xlsx workbook"):
        read_sheet(path, COLUMNS)


@pytest.mark.parametrize("seed", range(12))
def test_any_damaged_byte_is_refused_or_does_not_matter(tmp_path, seed):
    path = sheet(tmp_path, COLUMNS, [1, "a", 3])
    content = bytearray(path.read_bytes())
    draw = random.Random(seed)
    content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    path.write_bytes(content)
    try:
        rows = read_sheet(path, COLUMNS)
    except DataError:
        return
    assert [row.text(c) for row in rows for c in COLUMNS] == ["1", "a", "3"]


def test_the_sheet_is_found_by_its_pattern_beside_what_excel_leaves(tmp_path):
    with pytest.raises(DataError, match=r"CASME2-coding-\*\.xlsx: not found"):
        find_sheet(tmp_path, "CASME2-coding-*.xlsx")
    (tmp_path / "~$CASME2-coding-1.xlsx").write_bytes(b"")
    (tmp_path / "casme2-coding-1.XLSX").write_bytes(b"")
    assert find_sheet(tmp_path, "CASME2-coding-*.xlsx").name == "casme2-coding-1.XLSX"
    (tmp_path / "CASME2-coding-2.xlsx").write_bytes(b"")
    with pytest.raises(DataError, match="two coding sheets; keep the one"):
        find_sheet(tmp_path, "CASME2-coding-*.xlsx")


def test_a_stray_cell_in_the_last_corner_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LAST_ROW", 5000)
    path = sheet(tmp_path, COLUMNS, ["1", "a", 5], ["2", "b"])
    book = openpyxl.load_workbook(path)
    book.active.cell(tables.LAST_ROW, 16_384, "stray")
    book.save(path)
    kept = []
    monkeypatch.setattr(tables, "cell_text", lambda value: kept.append(value) or cell_text(value))
    rows = read_sheet(path, COLUMNS)
    assert [row.place for row in rows] == [f"{path}, row 2", f"{path}, row 3"]
    assert rows[1].text("OnsetFrame") == ""
    assert len(kept) < 100


def test_a_size_that_a_sheet_says_of_itself_is_not_believed(tmp_path):
    path = sheet(tmp_path, COLUMNS, ["1", "a", 5], ["2", "b", 6])
    edited(path, lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:A2"', xml))
    assert [row.text("OnsetFrame") for row in read_sheet(path, COLUMNS)] == ["5", "6"]


def test_rows_beyond_the_last_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LAST_ROW", 5000)
    path = sheet(tmp_path, COLUMNS, ["1", "a", 5])
    edited(path, lambda xml: xml.replace(b'<row r="2"', b'<row r="99999999999"'))
    with pytest.raises(DataError, match=r"coding\.xlsx: rows beyond 5,000"):
        read_sheet(path, COLUMNS)


def edited(path, edit) -> None:
    """Rewrite the worksheet's XML in the workbook at ``path``."""
    name = "xl/worksheets/sheet1.xml"
    repack(path, lambda content: content | {name: edit(content[name])})
