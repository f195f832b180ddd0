"""JAFFE: file names, framing, and each way a copy can be broken."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.jaffe import JAFFE_CODES, read_jaffe
from ferbook.errors import DataError
from tests.fer_lib.faces.readers.writers.jaffe import write_jaffe

SIZE = 32
NAMES = ("KA.AN1.39", "KA.NE2.27", "KL.SU1.158", "YM.HA3.54")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "jaffe"
    place.mkdir()
    for k, name in enumerate(NAMES):
        Image.new("L", (SIZE, SIZE), 50 * k).save(place / f"{name}.tiff")
    return place


def test_names_say_who_shows_what(folder):
    (folder / "README").write_text("about")
    (folder / ".DS_Store").write_bytes(b"x")
    faces = read_jaffe(folder, SIZE)
    assert faces.table["subject"].tolist() == ["jaffe-KA", "jaffe-KA", "jaffe-KL", "jaffe-YM"]
    assert faces.table["emotion"].tolist() == ["anger", "neutral", "surprise", "happiness"]
    assert faces.table["sequence"].tolist() == list(NAMES) and set(faces.table["frame"]) == {0}
    assert faces.pixels[:, 0, 0].tolist() == [0, 50, 100, 150]
    assert (faces.table.groupby("subject")["split"].nunique() == 1).all() and faces.left_out == {}


@pytest.mark.parametrize("inner", ["jaffe", "jaffedbase"])
def test_converted_copies_and_a_folder_more(tmp_path, folder, inner):
    place = tmp_path / "copy" / inner
    place.mkdir(parents=True)
    for k, (name, suffix) in enumerate(zip(NAMES, ("tiff.bmp", "png", "TIFF", "bmp"), strict=True)):
        Image.new("RGB", (SIZE, SIZE), (50 * k,) * 3).save(place / f"{name}.{suffix}")
    assert read_jaffe(tmp_path / "copy", SIZE).checksum == read_jaffe(folder, SIZE).checksum


def test_pictures_without_a_face_are_counted(folder):
    Image.new("L", (64, 64), 9).save(folder / "MK.FE1.117.tiff")
    faces = read_jaffe(folder, SIZE)
    assert len(faces) == 4 and faces.left_out == {"pictures in which no face was found": 1}
    with pytest.raises(DataError, match=r"no picture is left \(5 pictures in which no face was found"):
        read_jaffe(folder, 48)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("KM.FE1.11.tiff", b"II*\x00\x08\x00", "KM.FE1.11.tiff: not a readable picture"),
        (
            "KM.XX1.11.tiff",
            b"",
            "KM.XX1.11.tiff: not named like KA.AN1.39.tiff, with an expression among AN, DI",
        ),
        ("KM-FE1.tiff", b"", "KM-FE1.tiff: not named like"),
        ("KMX.FE1.11.tiff", b"", "KMX.FE1.11.tiff: not named like"),
        ("KA.AN1.39.jpg", b"", "KA.AN1.39.tiff: a second picture named KA.AN1.39"),
        ("ka.an1.39.tiff", b"", "ka.an1.39.tiff: a second picture named ka.an1.39"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_bad_files_are_named(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(message)):
        read_jaffe(folder, SIZE)


def test_an_empty_folder_says_what_is_expected(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"empty: no pictures in it; expected files such as KA\.AN1\.39\.tiff"
    ):
        read_jaffe(tmp_path / "empty", SIZE)


SHOWN = tuple(JAFFE_CODES.values())


def face_set(subjects, emotions=SHOWN) -> FaceSet:
    rows = [{"subject": s, "emotion": e} for s in subjects for e in (*emotions, emotions[0])]
    table = pd.DataFrame(rows).assign(dataset="lab", sequence="s", frame=range(len(rows)), split="train")
    pixels = np.random.default_rng(0).integers(0, 256, (len(rows), SIZE, SIZE)).astype(np.uint8)
    return FaceSet("lab", pixels, table)


def test_what_is_written_is_read_back(tmp_path):
    faces = face_set(("lab-9", "lab-1", "lab-5"))
    for place in ("first", "again"):
        (tmp_path / place).mkdir()
    write_jaffe(faces, tmp_path / "first")
    again = read_jaffe(tmp_path / "first", SIZE)
    # The running number is the row that was written, so it leads back.
    back = np.argsort([int(name.split(".")[2]) for name in again.table["sequence"]])
    again = again.select(back)
    np.testing.assert_array_equal(again.pixels, faces.pixels)
    assert again.table["emotion"].tolist() == faces.table["emotion"].tolist()
    ids = {"lab-1": "jaffe-AA", "lab-5": "jaffe-AB", "lab-9": "jaffe-AC"}
    assert again.table["subject"].tolist() == [ids[s] for s in faces.table["subject"]]
    assert again.table["sequence"].tolist()[:8:7] == ["AC.AN1.1", "AC.AN2.8"]
    write_jaffe(again, tmp_path / "again")
    assert read_jaffe(tmp_path / "again", SIZE).checksum == read_jaffe(tmp_path / "first", SIZE).checksum
