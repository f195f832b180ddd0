"""Copies of official sets as people have them, and one name in several spellings: read, or refused by a
message that names the file and what to do.
"""

import re
import shutil
import struct
import unicodedata

import numpy as np
import pytest
from PIL import Image

from face_sets.describe import notes
from face_sets.faceset import SPLITS, FaceSet
from face_sets.readers.own import read_own
from face_sets.registry import read_anew
from face_sets.request import FaceRequest
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import edit_sheet
from tests.face_sets.readers.test_every_reader import face_set, size_of
from tests.face_sets.readers.test_wrong_inputs import UNITS, cells
from tests.face_sets.readers.writers.every import write_layout
from tests.made import made_faces


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def copy_of(data, name):
    return write_layout(name, face_set(size_of(name)), data / name)


def read(name) -> FaceSet:
    return read_anew(FaceRequest(name, size=size_of(name)))


def kaggle(folder):
    """``icml_face_data.csv``: other order of columns, blanks in its header."""
    _, *rows = (folder / "fer2013.csv").read_text().splitlines()
    turned = (f"{label},{usage},{pixels}" for label, pixels, usage in (row.split(",") for row in rows))
    text = "\n".join(["emotion, Usage, pixels", *turned]) + "\n"
    (folder / "fer2013.csv").unlink()
    (folder / "icml_face_data.csv").write_text(text)


def a_level_down(folder):
    moved = folder.with_name("moved")
    folder.rename(moved)
    folder.mkdir()
    moved.rename(folder / "archive")


def renamed(old, new):
    def change(folder):
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        next(folder.glob(old)).rename(folder / new)

    return change


READ = {
    "fer2013 by Kaggle's page": ("fer2013", kaggle),
    "fer2013 by Kaggle's page, renamed": (
        "fer2013",
        lambda f: (kaggle(f), renamed("icml_face_data.csv", "fer2013.csv")(f)),
    ),
    "ferplus by Kaggle's page": ("ferplus", kaggle),
    "fer2013 as the archive unpacks": ("fer2013", a_level_down),
    "casme2, updated crops": ("casme2", renamed("Cropped", "Cropped-updated/Cropped")),
    "casme2, original crops": ("casme2", renamed("Cropped", "Cropped_original")),
    "casme2, sheet without a date": ("casme2", renamed("*.xlsx", "CASME2-coding.xlsx")),
    "casme2, a note below the table": ("casme2", cells((9, 1, "Note: coded by two people"))),
    "casme2, full-width sign": ("casme2", cells((2, UNITS, "\uff14"))),
    "jaffe a level down": ("jaffe", a_level_down),
    "ckplus a level down": ("ckplus", a_level_down),
}


@pytest.mark.parametrize("case", READ)
def test_a_copy_as_people_have_it_is_read_as_the_official_one(data, case):
    name, change = READ[case]
    folder = copy_of(data, name)
    before = read(name)
    change(folder)
    after = read(name)
    assert after.checksum == before.checksum and after.left_out == before.left_out


def test_a_full_width_comma_divides_codes_as_a_comma_does(data):
    folder = copy_of(data, "casme2")
    edit_sheet(folder, (2, UNITS, "4\uff0c12"))
    assert read("casme2").table["facs"].iloc[0] == "4+12"


REFUSED = {
    "fer2013, training pictures alone": (
        "fer2013",
        lambda f: (renamed("fer2013.csv", "train.csv")(f), (f / "test.csv").write_text("pixels\n")),
        r"train\.csv has the training pictures .* icml_face_data\.csv from the same page",
    ),
    "ckplus of Kaggle": (
        "ckplus",
        lambda f: (shutil.rmtree(f), f.mkdir(), (f / "ckextended.csv").write_text("emotion,pixels,Usage\n")),
        r"ckextended\.csv is not CK\+ as released",
    ),
    "ckplus by emotion": (
        "ckplus",
        lambda f: (shutil.rmtree(f), (f / "contempt").mkdir(parents=True)),
        r"folders by emotion .* are not CK\+ as released",
    ),
    "a formula that was never calculated": (
        "casme2",
        cells((2, UNITS, "=4+7")),
        r"coding-20140508\.xlsx, row 2: column H is the formula '=4\+7', which was never calculated; open",
    ),
    "fer2013, folders of pictures": (
        "fer2013",
        lambda f: (shutil.rmtree(f), (f / "train" / "angry").mkdir(parents=True)),
        r"folders of pictures .* are not FER2013 as released",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_copy_that_cannot_be_read_is_named_with_what_to_do(data, case):
    name, change, told = REFUSED[case]
    change(copy_of(data, name))
    with pytest.raises(DataError, match=told):
        read(name)


def test_of_a_video_with_dropped_frames_what_is_there_is_taken_and_the_rest_counted(data):
    folder = copy_of(data, "mmi")
    before = read("mmi")
    video = min(folder.rglob("*.avi"))
    content = bytearray(video.read_bytes())
    for mark, at in ((b"avih", 8 + 16), (b"strh", 8 + 32)):  # the counts of frames in AVI's headers
        place = content.index(mark) + at
        assert struct.unpack_from("<I", content, place) == (4,)
        struct.pack_into("<I", content, place, 54)
    video.write_bytes(content)
    after = read("mmi")
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert after.table.drop(columns="fps").equals(before.table.drop(columns="fps"))
    assert after.left_out == {"frames that videos promise and do not hold": 50}


def pair(data, rows: int = 600) -> FaceSet:
    """FER2013 with the votes of FER+, two of three pictures of one mind, as released."""
    rng = np.random.default_rng(0)
    labels = np.array(["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"])
    emotion, other = labels[rng.integers(7, size=(2, rows))]
    voted = np.where(rng.random(rows) < 0.6, emotion, other)
    columns = {f"vote_{label}": 10 * (voted == label) for label in labels}
    columns |= {"emotion": emotion, "split": np.repeat(SPLITS, [rows - 200, 100, 100])}
    faces = made_faces(rng.integers(0, 256, (rows, 48, 48), np.uint8), "fer2013", **columns)
    for name in ("fer2013", "ferplus"):
        write_layout(name, faces.assign(fer2013_emotion=emotion) if name == "ferplus" else faces, data / name)
    return faces


def shuffled(lines):
    rng = np.random.default_rng(1)
    return [lines[0], *(lines[1 + row] for row in rng.permutation(400)), *lines[401:]]


MIXED = {
    "training rows shuffled": shuffled,
    "training rows sorted by label": lambda lines: [lines[0], *sorted(lines[1:401]), *lines[401:]],
    "one row taken out, one put in": lambda lines: [*lines[:50], *lines[51:401], lines[50], *lines[401:]],
}


@pytest.mark.parametrize("name", ["fer2013", "ferplus"])
@pytest.mark.parametrize("case", MIXED)
def test_votes_of_other_pictures_are_refused(data, name, case):
    pair(data)
    assert len(read(name)) > 300
    csv = data / name / "fer2013.csv"
    csv.write_text("".join(MIXED[case](csv.read_text().splitlines(keepends=True))))
    told = r"lines \d+ to \d+: .* in [123]?\d % .*; rows of one of the two have changed places"
    with pytest.raises(DataError, match=rf"fer2013new\.csv, {told}"):
        read(name)


def own(folder, *rows, header="path,subject,emotion,cropped", encoding="utf-8"):
    folder.mkdir(parents=True)
    for k in range(4):
        Image.fromarray(np.full((16, 16), 50 * k, np.uint8)).save(folder / f"{k}.png")
    (folder / "faces.csv").write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return folder


NFD = unicodedata.normalize("NFD", "Jos\u00e9")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jos\u00e9", NFD), ("Ada Byron", "Ada\u00a0Byron"), ("Ada  Byron ", "Ada Byron"), ("\uff21", "A")],
)
def test_one_person_in_two_spellings_is_one(tmp_path, one, other):
    rows = [f"0.png,{one},anger,yes", f"1.png,{other},fear,yes", "2.png,B,fear,yes", "3.png,C,anger,yes"]
    faces = read_own(own(tmp_path / "mine", *rows), 16)
    assert faces.table["subject"].nunique() == 3
    header = "path,subject,emotion,cropped,split"
    rows = [f"{row},{split}" for row, split in zip(rows, ("train", "test", "valid", "valid"), strict=True)]
    with pytest.raises(DataError, match=r"faces\.csv, line 3: split test, but the same person is in train"):
        read_own(own(tmp_path / "split", *rows, header=header), 16)


def test_people_whose_names_differ_in_letter_case_only_are_said(tmp_path):
    rows = ["0.png,Ada,anger,yes", "1.png,ada,anger,yes", "2.png,B,anger,yes", "3.png,C,anger,yes"]
    faces = read_own(own(tmp_path / "mine", *rows), 16)
    assert "mine-Ada, mine-ada differ in letter case only, and count as 2 people" in notes(faces)
    assert notes(faces.select(faces.table["subject"].ne("mine-ada").to_numpy()))[-1:] != notes(faces)[-1:]


def test_a_file_is_found_by_its_name_in_any_unicode_form_and_by_backslashes(tmp_path):
    rows = ["a\\Jos\u00e9.png,A,anger,yes", "1.png,B,fear,yes", "2.png,C,fear,yes"]
    folder = own(tmp_path / "mine", *rows)
    (folder / "a").mkdir()
    (folder / "0.png").rename(folder / "a" / f"{NFD}.png")
    assert len(read_own(folder, 16)) == 3


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_may_have_semicolons_as_spreadsheets_write_them(tmp_path, separator):
    rows = ["0.png,A,anger,yes", "1.png,B,fear,yes", "2.png,C,fear,yes"]
    rows = [row.replace(",", separator) for row in rows]
    faces = read_own(
        own(tmp_path / "mine", *rows, header=f"path{separator}subject{separator}emotion{separator}cropped"),
        16,
    )
    assert faces.table["emotion"].tolist() == ["anger", "fear", "fear"]


def test_a_table_in_the_encoding_of_a_spreadsheet_is_named_with_line_and_remedy(tmp_path):
    rows = ["0.png,A,anger,yes", "1.png,Zo\u00eb,fear,yes", "2.png,C,fear,yes"]
    folder = own(tmp_path / "mine", *rows, encoding="cp1252")
    told = (
        re.escape(f"{folder / 'faces.csv'}: cannot be read (line 3: not UTF-8 at byte ")
        + r"\d+; save it as CSV in UTF-8"
    )
    with pytest.raises(DataError, match=told):
        read_own(folder, 16)
