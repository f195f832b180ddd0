"""Oulu-CASIA, BU-4DFE and BU-3DFE: posed expressions written and read back, and copies that are broken."""

import numpy as np
import pytest
from PIL import Image

from face_sets.faceset import FaceSet
from face_sets.readers.pictures import Window
from face_sets.readers.posed import SHORT, read_bu3dfe, read_bu4dfe, read_oulu_casia
from ferbook.errors import DataError
from tests.face_sets.readers.made_by_hand import by_sequence, posed_faces
from tests.face_sets.readers.writers.every import write_layout

SIZE = 24
LIGHT = "B_OriginalImg/OriginalImg/VL/Strong"


@pytest.fixture
def oulu(tmp_path):
    return write_layout("oulu_casia", posed_faces(), tmp_path / "oulu_casia")


@pytest.fixture
def bu4dfe(tmp_path):
    return write_layout("bu4dfe", posed_faces(), tmp_path / "bu4dfe")


@pytest.fixture
def bu3dfe(tmp_path):
    return write_layout("bu3dfe", posed_faces(), tmp_path / "bu3dfe")


@pytest.mark.parametrize(
    ("read", "name", "who"), [(read_oulu_casia, "oulu_casia", "P"), (read_bu4dfe, "bu4dfe", "F")]
)
def test_written_and_read_back(tmp_path, read, name, who):
    faces = posed_faces(("anger", "disgust", "fear", "happiness", "sadness", "surprise"))
    shuffled = faces.select(np.random.default_rng(1).permutation(len(faces)))
    back = read(write_layout(name, shuffled, tmp_path / name), SIZE)
    old, new = by_sequence(faces), by_sequence(back)
    assert new[["frame", "emotion"]].equals(old[["frame", "emotion"]])
    assert new["subject"].tolist() == list(np.repeat([f"{name}-{who}00{k}" for k in (1, 2, 3)], 24))
    assert new["sequence"].nunique() == 18 and set(new["fps"]) == {25.0}
    assert np.abs(back.pixels[new["row"]].astype(int) - faces.pixels[old["row"]]).max() <= 2
    assert back.left_out == {} and back.aus == ()


def test_the_folders_are_those_of_the_official_layouts(oulu, bu4dfe):
    assert (oulu / LIGHT / "P003" / "Happiness" / "017.jpeg").is_file()
    assert (bu4dfe / "BU_4DFE" / "F003" / "Happy" / "119.jpg").is_file()


def test_the_first_and_the_last_or_middle_three_are_kept(tmp_path):
    faces = posed_faces(frames=range(95, 104))  # 095 … 103: two and three digits
    table = read_oulu_casia(write_layout("oulu_casia", faces, tmp_path / "oulu_casia"), SIZE).table
    assert table["frame"].tolist() == [95, 101, 102, 103] * 6
    assert table["emotion"].tolist()[:4] == ["neutral"] + ["anger"] * 3
    table = read_bu4dfe(write_layout("bu4dfe", faces, tmp_path / "bu4dfe"), SIZE).table
    assert table["frame"].tolist() == [95, 98, 99, 100] * 6


def test_meshes_and_litter_are_passed_over(bu4dfe):
    place = bu4dfe / "BU_4DFE" / "F001"
    (place / "Angry" / "017.wrl").write_bytes(b"x")
    (place / "Angry" / "Thumbs.db").write_bytes(b"x")
    (place / "readme.txt").write_bytes(b"x")
    assert len(read_bu4dfe(bu4dfe, SIZE)) == 24


def test_a_short_sequence_is_left_out_and_counted(oulu):
    (oulu / LIGHT / "P001" / "Anger" / "017.jpeg").unlink()
    (oulu / LIGHT / "P002" / "Fear").mkdir()
    back = read_oulu_casia(oulu, SIZE)
    assert back.left_out == {SHORT: 2} and back.table["sequence"].nunique() == 5


def test_other_light_is_not_read_and_other_folders_are_counted(oulu):
    (oulu / LIGHT).with_name("Weak").mkdir()
    (oulu / LIGHT / "P001" / "Anger" / "change_log.txt").write_bytes(b"x")
    (oulu / LIGHT / "extra").mkdir()
    assert read_oulu_casia(oulu, SIZE).left_out == {"folders that are not named like a person": 1}


@pytest.mark.parametrize("above", ["PreProcess_Img/PreProcess_Img", "PreProcessImg", "."])
def test_face_crops_are_taken_whole_where_there_are_no_original_pictures(oulu, above):
    place = oulu / above / "VL_Acropped" / "Strong"
    place.parent.mkdir(parents=True, exist_ok=True)
    (oulu / LIGHT).rename(place)
    for path in place.rglob("*.jpeg"):
        Image.fromarray(np.full((30, 26), 77, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"VL/Strong|no folders of people"):
        read_oulu_casia(oulu, SIZE)  # the empty VL beside it is not taken for nothing
    (oulu / LIGHT).parent.rmdir()
    back = read_oulu_casia(oulu, SIZE)
    assert len(back) == 24 and set(np.unique(back.pixels)) == {77}


def test_original_pictures_are_cut_out_with_one_window_per_sequence(oulu, monkeypatch):
    faces = read_oulu_casia(oulu, SIZE)
    seen = []

    def find(picture):
        seen.append(picture.shape)
        return Window(30.0, 10.0, 24.0)

    monkeypatch.setattr("face_sets.readers.pictures.find_face", find)
    for path in (oulu / LIGHT).rglob("*.jpeg"):
        frame = np.zeros((60, 80), np.uint8)
        frame[10:34, 30:54] = np.asarray(Image.open(path))
        Image.fromarray(frame).save(path.with_suffix(".png"))
        path.unlink()
    np.testing.assert_array_equal(read_oulu_casia(oulu, SIZE).pixels, faces.pixels)
    assert seen == [(60, 80)] * 6


def test_bu3dfe_is_written_without_loss_and_read_back(tmp_path):
    faces = posed_faces(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), frames=(0, 1, 2, 3))
    # One neutral picture and three of each expression, as the release has one and four.
    faces = faces.select(((faces.table["sequence"] == "000") | (faces.table["frame"] > 0)).to_numpy())
    back = read_bu3dfe(write_layout("bu3dfe", faces, tmp_path / "bu3dfe"), SIZE)
    # Sorted by name, the expressions come as AN DI FE HA NE SA SU, where they were made in the order of the
    # alphabet.
    old = by_sequence(faces).sort_values(["subject", "emotion", "frame"], kind="stable")
    new = by_sequence(back).sort_values(["subject", "emotion", "level"], kind="stable")
    assert new["emotion"].tolist() == old["emotion"].tolist()
    np.testing.assert_array_equal(back.pixels[new["row"]], faces.pixels[old["row"]])
    assert set(new["subject"]) == {"bu3dfe-F0001", "bu3dfe-F0002", "bu3dfe-F0003"}
    one = new[new["subject"] == "bu3dfe-F0002"].set_index("sequence")
    assert one.loc["F0002_NE00WH", "level"] == 0 and one.loc["F0002_SU03WH", "emotion"] == "surprise"
    assert set(new["frame"]) == {0} and set(new["ancestry"]) == {"WH"} and len(one) == 19
    table = back.table.assign(ancestry="BL", sequence=back.table["sequence"].str.replace("WH", "BL"))
    again = read_bu3dfe(write_layout("bu3dfe", FaceSet("b", back.pixels, table), tmp_path / "b"), SIZE)
    assert again.table.drop(columns="split").equals(table.drop(columns="split"))


def test_bu3dfe_below_other_folders_beside_meshes(bu3dfe):
    (bu3dfe / "Subjects" / "BU_3DFE - 1").mkdir(parents=True)
    (bu3dfe / "Subjects" / "BU_3DFE - 2").mkdir()
    for part, person in ((1, "F0001"), (1, "F0002"), (2, "F0003")):
        (bu3dfe / person).rename(bu3dfe / "Subjects" / f"BU_3DFE - {part}" / person)
    place = bu3dfe / "Subjects" / "BU_3DFE - 2" / "F0003"
    (place / "F0003_AN01WH_F3D.wrl").write_bytes(b"x")
    (place / "F0003_AN01WH_F3D.bmp").write_bytes(b"another kind of picture")
    assert len(read_bu3dfe(bu3dfe, SIZE)) == 24


def test_in_bu3dfe_the_face_is_found_in_each_picture(bu3dfe, monkeypatch):
    for path in bu3dfe.rglob("*.bmp"):
        Image.fromarray(np.full((60, 80), 9, np.uint8)).save(path)
    Image.fromarray(np.full((60, 80), 8, np.uint8)).save(bu3dfe / "F0001" / "F0001_AN01WH_F2D.bmp")
    monkeypatch.setattr(
        "face_sets.readers.pictures.find_face", lambda p: Window(1.0, 2.0, 30.0) if p[0, 0] == 9 else None
    )
    back = read_bu3dfe(bu3dfe, SIZE)
    assert back.left_out == {"pictures in which no face was found": 1} and len(back) == 23
