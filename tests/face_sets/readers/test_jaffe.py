"""JAFFE: file names, framing, and each way a copy can be broken."""

import pytest
from PIL import Image

from face_sets.readers.jaffe import read_jaffe
from ferbook.errors import DataError

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


def test_pictures_without_a_face_are_counted(folder):
    Image.new("L", (64, 64), 9).save(folder / "MK.FE1.117.tiff")
    faces = read_jaffe(folder, SIZE)
    assert len(faces) == 4 and faces.left_out == {"pictures in which no face was found": 1}
    with pytest.raises(DataError, match=r"no picture is left \(5 pictures in which no face was found"):
        read_jaffe(folder, 48)
