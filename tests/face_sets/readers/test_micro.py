"""CASME II and SAMM: clips written and read back, the faults of the official sheets, and copies that are
broken.
"""

import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image

from face_sets.faceset import FaceSet
from face_sets.readers.micro import SINGLE, UNCODED, read_casme2, read_samm
from face_sets.readers.pictures import Window
from tests.face_sets.readers.made_by_hand import edit_sheet, micro_faces
from tests.face_sets.readers.test_wrong_inputs import APEX, OFFSET, ONSET
from tests.face_sets.readers.writers.every import write_layout
from tests.face_sets.readers.writers.micro import NOTE_ROWS, SAMM_HEADER

SIZE = 24


@pytest.fixture
def casme2(tmp_path):
    return write_layout("casme2", micro_faces(), tmp_path / "casme2")


@pytest.fixture
def samm(tmp_path):
    return write_layout("samm", micro_faces(("anger", "other", "contempt")), tmp_path / "samm")


def test_action_units_at_the_apex_present_in_casme2_and_with_levels_in_samm(tmp_path):
    faces = micro_faces(("happiness", "surprise"))
    back = read_casme2(write_layout("casme2", faces, tmp_path / "casme2"), SIZE)
    texts = back.table.groupby("sequence")["facs"].agg(set)
    assert texts["sub01/EP01_01"] == {"4+7+L12"} and texts["sub01/EP01_02"] == {"4+7"}
    first = back.table[back.table["sequence"] == "sub02/EP01_01"].iloc[0]
    assert [first[c] for c in ("AU4", "AU7", "AU12", "AU12_left", "AU12_right")] == [1, 1, 1, 1, 0]
    # AU15 is never shown, and a code that is not written leaves no column.
    assert back.aus == ("AU4", "AU7", "AU12")
    back = read_samm(write_layout("samm", faces, tmp_path / "samm"), SIZE)
    texts = back.table.groupby("sequence")["facs"].agg(set)
    assert texts["001/001_1_1"] == {"4B+L7A+R7B+L12B"} and texts["001/001_1_2"] == {"4B+L7A+R7B"}
    first = back.table[back.table["sequence"] == "002/002_1_1"].iloc[0]
    units = ("AU4", "AU7", "AU7_left", "AU7_right", "AU12_right")
    assert [first[unit] for unit in units] == [0.4, 0.4, 0.2, 0.4, 0]


def test_the_files_are_those_of_the_official_layouts(casme2, samm):
    assert (casme2 / "Cropped" / "sub03" / "EP01_02" / "reg_img16.jpg").is_file()
    rows = list(openpyxl.load_workbook(casme2 / "CASME2-coding-20140508.xlsx").active.values)
    assert rows[0][:3] == ("Subject", "Filename", None) and rows[1] == (
        *(1, "EP01_01", None, 10, 16, 22, None, "4+7+L12", "happiness"),
    )
    assert (samm / "003" / "003_1_2" / "003_00016.jpg").is_file()
    book = openpyxl.load_workbook(samm / "SAMM_Micro_FACS_Codes_v2.xlsx")
    rows = list(book["MICRO_ONLY"].values)
    assert rows[NOTE_ROWS] == SAMM_HEADER
    assert rows[NOTE_ROWS + 1][:8] == ("001", "001_1_1", 1, 10, 16, 22, 13, "Micro - 1/2")


def test_at_most_sixteen_frames_are_kept_in_the_order_of_their_numbers(tmp_path):
    write_layout("casme2", micro_faces(("happiness",), frames=41), tmp_path)
    table = read_casme2(tmp_path, SIZE).table
    frames = table[table["subject"] == "casme2-sub01"]["frame"].tolist()
    assert len(frames) == 16 and frames == sorted(frames)
    assert {10, 10 + 3 * 20, 10 + 3 * 40} <= set(frames)


def test_frame_nine_comes_before_frame_ten(tmp_path):
    faces = micro_faces(("happiness",), frames=3)
    frame = faces.table["frame"].map({10: 9, 13: 10, 16: 100})
    write_layout("casme2", faces.assign(frame=frame, onset=9, apex=10, offset=100), tmp_path)
    back = read_casme2(tmp_path, SIZE)
    assert back.table["frame"].tolist() == [9, 10, 100] * 3
    assert np.abs(back.pixels.astype(int) - faces.pixels).max() <= 2


def test_a_set_without_action_units_is_written_as_not_coded(tmp_path):
    faces = micro_faces()
    bare = faces.table.drop(columns=[c for c in faces.table if c.startswith("AU")])
    back = read_casme2(write_layout("casme2", FaceSet("micro", faces.pixels, bare), tmp_path), SIZE)
    assert set(back.table["facs"]) == {"?"} and back.aus == ()


def test_samm_below_a_folder_of_its_own(samm):
    (samm / "SAMM").mkdir()
    for person in ("001", "002", "003"):
        (samm / person).rename(samm / "SAMM" / person)
    assert len(read_samm(samm, SIZE)) == 45


def test_the_raw_pictures_are_cut_out_with_one_window_per_clip(casme2, monkeypatch):
    seen = []

    def find(picture):
        seen.append(picture.shape)
        return Window(10.0, 5.0, 24.0)

    monkeypatch.setattr("face_sets.readers.pictures.find_face", find)
    own = read_casme2(casme2, SIZE)
    for path in (casme2 / "Cropped").rglob("*.jpg"):
        frame = np.zeros((40, 60), np.uint8)
        frame[5:29, 10:34] = np.asarray(Image.open(path))
        place = casme2 / "CASME2_RAW_selected" / path.parent.relative_to(casme2 / "Cropped")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(place / path.name.removeprefix("reg_").replace(".jpg", ".png"))
        path.unlink()
    (casme2 / "Cropped").rename(casme2 / "elsewhere")
    raw = read_casme2(casme2, SIZE)
    np.testing.assert_array_equal(raw.pixels, own.pixels)
    assert seen == [(40, 60)] * 9


def test_crops_are_taken_whole(casme2):
    for k, path in enumerate(sorted((casme2 / "Cropped").rglob("*.jpg"))):
        Image.fromarray(np.full((34, 28), k, np.uint8)).save(path)
    back = read_casme2(casme2, SIZE)
    assert [set(np.unique(picture)) for picture in back.pixels] == [{k} for k in range(45)]


@pytest.mark.parametrize("cell", ["", "/"])
def test_an_apex_that_is_not_given_becomes_the_middle(casme2, cell):
    edit_sheet(casme2, (2, APEX, cell or None), (2, OFFSET, 19))
    clip = read_casme2(casme2, SIZE).table.query("sequence == 'sub01/EP01_01'")
    assert clip["frame"].tolist() == [10, 13, 16, 19]
    # The middle is 14, and 13 the nearest picture.
    assert set(clip["apex"]) == {13} and set(clip["corrected"]) == {f"apex {cell!r}, taken as 13"}
    assert (read_casme2(casme2, SIZE).table["corrected"] != "").sum() == 4


@pytest.mark.parametrize(
    ("changes", "span", "corrected"),
    [
        ([(2, APEX, 9)], (10, 16, 22), "apex 9 lies outside the clip, taken as 16"),
        ([(2, APEX, 18)], (10, 19, 22), "apex 18 has no picture, taken as 19"),
        ([(2, OFFSET, 9)], (10, 16, 22), "offset 9 lies before the onset, taken as 22"),
        ([(2, ONSET, 8)], (10, 16, 22), "onset 8 has no picture, taken as 10"),
        (
            [(2, ONSET, 12), (2, APEX, "/")],
            (13, 16, 22),
            "onset 12 has no picture, taken as 13; apex '/', taken as 16",
        ),
        ([(2, ONSET, 16), (2, APEX, 16)], (16, 16, 22), ""),
    ],
)
def test_faults_of_the_sheet_are_mended_and_said(casme2, changes, span, corrected):
    edit_sheet(casme2, *changes)
    clip = read_casme2(casme2, SIZE).table.query("sequence == 'sub01/EP01_01'")
    assert clip["frame"].tolist() == [n for n in (10, 13, 16, 19, 22) if span[0] <= n <= span[2]]
    assert [set(clip[c]) for c in ("onset", "apex", "offset")] == [{n} for n in span]
    assert set(clip["corrected"]) == {corrected}


def test_missing_frames_are_counted(casme2):
    (casme2 / "Cropped" / "sub01" / "EP01_01" / "reg_img13.jpg").unlink()
    table = read_casme2(casme2, SIZE).table
    assert table[table["sequence"] == "sub01/EP01_01"]["frame"].tolist() == [10, 16, 19, 22]
    assert table.groupby("sequence")["missing_frames"].first().tolist() == [9] + [8] * 8


def test_a_clip_of_one_picture_and_one_of_none_are_left_out_and_counted(casme2):
    for k in (13, 16, 19, 22):
        (casme2 / "Cropped" / "sub01" / "EP01_01" / f"reg_img{k}.jpg").unlink()
    for path in (casme2 / "Cropped" / "sub02" / "EP01_03").iterdir():
        path.unlink()
    back = read_casme2(casme2, SIZE)
    assert back.left_out == {SINGLE: 2} and back.table["sequence"].nunique() == 7


def test_pictures_without_a_row_and_foreign_folders_are_counted(casme2):
    (casme2 / "Cropped" / "sub01" / "EP99_01").mkdir()
    (casme2 / "Cropped" / "sub04" / "EP01_01").mkdir(parents=True)
    (casme2 / "Cropped" / "notes").mkdir()
    (casme2 / "Cropped" / "sub01" / ".DS_Store").write_bytes(b"x")
    back = read_casme2(casme2, SIZE)
    assert back.left_out == {UNCODED: 2, "folders that are not named like a subject": 1} and len(back) == 45


def test_notes_of_the_samm_coders(samm):
    row = NOTE_ROWS + 2
    edit_sheet(samm, (row, 9, "R12 or R15"), (row + 1, 9, 4), (row + 2, 9, None), (row, 10, "Others"))
    edit_sheet(samm, (row, 1, 1), (row, 5, 1105))
    table = read_samm(samm, SIZE).table
    clips_ = {name: group.iloc[0] for name, group in table.groupby("sequence")}
    first, second, third = (clips_[f"001/001_1_{k}"] for k in (1, 2, 3))
    assert first["facs"] == "R12?+R15?" and np.isnan(first["AU12"]) and first["AU12_left"] == 0
    assert first["emotion"] == "other"
    assert first["corrected"] == "apex 1105 lies outside the clip, taken as 16"
    assert second["facs"] == "4" and second["AU4"] == 1 and second["AU15"] == 0
    assert third["facs"] == "" and third["AU4"] == 0


def test_the_notes_above_the_header_may_be_gone_and_the_sheet_renamed(samm):
    path = samm / "SAMM_Micro_FACS_Codes_v2.xlsx"
    before = read_samm(samm, SIZE).table
    book = openpyxl.load_workbook(path)
    book.active.delete_rows(1, NOTE_ROWS)
    book.active.title = "Tabelle1"
    book.save(samm / "SAMM_20181215_Micro_FACS_Codes_v2.xlsx")
    path.unlink()
    pd.testing.assert_frame_equal(read_samm(samm, SIZE).table, before)
