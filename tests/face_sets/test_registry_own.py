"""One's own sets by the names of their folders; copies that are sealed; pipes and other letter cases."""

import os

import numpy as np
import pytest
from PIL import Image

from face_sets import registry
from face_sets.request import FaceRequest
from ferbook.errors import DataError, ParameterError

MINE = FaceRequest("mine", size=16)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """FER_DATA with one set ``mine``: a crop of each of six people, and an empty FER_CACHE."""
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    for k in range(6):
        Image.fromarray(np.full((16, 16), 9 * k, np.uint8)).save(folder / f"{k}.png")
    rows = [f"{k}.png,p{k},{('anger', 'fear')[k % 2]},yes" for k in range(6)]
    (folder / "faces.csv").write_text("\n".join(["path,subject,emotion,cropped", *rows]) + "\n")
    return tmp_path / "data"


def test_a_folder_with_a_table_is_a_set_of_its_name(data):
    assert registry.own_sets() == ["mine"]
    faces = registry.open_faces(MINE)
    assert faces.name == "mine" and len(faces) == 6
    assert registry.open_faces(MINE).checksum == faces.checksum == registry.read_anew(MINE).checksum
    assert registry.source_status("mine")["state"] == "found" and not registry.named_source("mine").shareable
    assert [row["name"] for row in registry.list_sources()][-1] == "mine"


@pytest.mark.parametrize("name", ["Mine", "mi-ne", "2mine", "m" * 40, "lab", "fer2013"])
def test_what_cannot_be_a_name_is_no_set(data, name):
    (data / "mine").rename(data / name)
    assert registry.own_sets() == []


def test_a_set_that_is_gone_is_absent_and_refused_with_the_known_ones(data):
    key = registry.fingerprint(MINE)
    assert key != registry.fingerprint(FaceRequest("mine", size=24)) and key == registry.fingerprint(MINE)
    (data / "mine").rename(data / "other")
    assert registry.fingerprint(MINE) == "absent"
    with pytest.raises(ParameterError, match=r"'mine'; the face sets are lab, .*mine/faces\.csv"):
        registry.require_source("mine")


@pytest.mark.defect("D1")
@pytest.mark.parametrize("name", ["3.png", "new.png", "notes.txt"])
def test_a_pipe_is_refused_and_nothing_waits_for_it(data, name):
    place = data / "mine" / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    for ask in (registry.open_faces, registry.read_anew, registry.fingerprint):
        with pytest.raises(DataError, match=rf"{name} is no regular file"):
            ask(MINE)


def test_a_file_of_another_letter_case_is_named_where_it_is_looked_for(data):
    folder = data / "fer2013"
    folder.mkdir()
    (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    (folder / "FER2013new.csv").write_text("")
    assert "there is 'FER2013new.csv': mind the letter case" in registry.source_status("fer2013")["missing"]
    with pytest.raises(DataError, match="mind the letter case"):
        registry.open_faces(FaceRequest("fer2013"))
