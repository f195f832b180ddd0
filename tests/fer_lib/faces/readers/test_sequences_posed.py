"""Oulu-CASIA, BU-4DFE and BU-3DFE: posed expressions written and read back, and copies that are broken."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.bu3dfe import read_bu3dfe
from fer_lib.faces.readers.bu4dfe import read_bu4dfe
from fer_lib.faces.readers.oulu_casia import read_oulu_casia
from fer_lib.faces.readers.pictures import Window
from fer_lib.faces.readers.sequences import SHORT
from ferbook.errors import DataError
from tests.fer_lib.faces.readers.made_by_hand import by_sequence, posed_faces, written
from tests.fer_lib.faces.readers.writers.bu3dfe import write_bu3dfe
from tests.fer_lib.faces.readers.writers.bu4dfe import write_bu4dfe
from tests.fer_lib.faces.readers.writers.oulu_casia import write_oulu_casia

SIZE = 24
OULU = (write_oulu_casia, read_oulu_casia, "oulu_casia", ("P001", "P002", "P003"))
BU4DFE = (write_bu4dfe, read_bu4dfe, "bu4dfe", ("F001", "F002", "F003"))
LIGHT = "B_OriginalImg/OriginalImg/VL/Strong"


@pytest.fixture
def oulu(tmp_path):
    return written(tmp_path / "oulu_casia", posed_faces(), write_oulu_casia)


@pytest.fixture
def bu4dfe(tmp_path):
    return written(tmp_path / "bu4dfe", posed_faces(), write_bu4dfe)


@pytest.fixture
def bu3dfe(tmp_path):
    return written(tmp_path / "bu3dfe", posed_faces(), write_bu3dfe)


@pytest.mark.parametrize("layout", [OULU, BU4DFE])
def test_written_and_read_back(tmp_path, layout):
    write, read, name, people = layout
    faces = posed_faces(("anger", "disgust", "fear", "happiness", "sadness", "surprise"))
    shuffled = faces.select(np.random.default_rng(1).permutation(len(faces)))
    back = read(written(tmp_path / name, shuffled, write), SIZE)
    old, new = by_sequence(faces), by_sequence(back)
    assert new[["frame", "emotion"]].equals(old[["frame", "emotion"]])
    assert new["subject"].tolist() == list(np.repeat([f"{name}-{p}" for p in people], 24))
    assert new["sequence"].nunique() == 18 and set(new["fps"]) == {25.0}
    assert np.abs(back.pixels[new["row"]].astype(int) - faces.pixels[old["row"]]).max() <= 2
    assert back.left_out == {} and back.aus == ()
    again = read(written(tmp_path / "again", back, write), SIZE)
    pd.testing.assert_frame_equal(by_sequence(again), by_sequence(back))


def test_the_folders_are_those_of_the_official_layouts(oulu, bu4dfe):
    assert (oulu / LIGHT / "P003" / "Happiness" / "017.jpeg").is_file()
    assert (bu4dfe / "BU_4DFE" / "F003" / "Happy" / "119.jpg").is_file()


def test_the_first_and_the_last_or_middle_three_are_kept(tmp_path):
    faces = posed_faces(frames=range(95, 104))  # 095 … 103: two and three digits
    table = read_oulu_casia(written(tmp_path / "oulu_casia", faces, write_oulu_casia), SIZE).table
    assert table["frame"].tolist() == [95, 101, 102, 103] * 6
    assert table["emotion"].tolist()[:4] == ["neutral"] + ["anger"] * 3
    table = read_bu4dfe(written(tmp_path / "bu4dfe", faces, write_bu4dfe), SIZE).table
    assert table["frame"].tolist() == [95, 98, 99, 100] * 6


def test_frames_are_ordered_as_numbers_not_as_text(bu4dfe):
    place = bu4dfe / "BU_4DFE" / "F001" / "Angry"
    for old, new in (("017.jpg", "9.jpg"), ("018.jpg", "10.jpg")):
        (place / old).rename(place / new)
    assert read_bu4dfe(bu4dfe, SIZE).table["frame"].tolist()[:4] == [0, 9, 10, 119]


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

    monkeypatch.setattr("fer_lib.faces.readers.pictures.find_face", find)
    for path in (oulu / LIGHT).rglob("*.jpeg"):
        frame = np.zeros((60, 80), np.uint8)
        frame[10:34, 30:54] = np.asarray(Image.open(path))
        Image.fromarray(frame).save(path.with_suffix(".png"))
        path.unlink()
    np.testing.assert_array_equal(read_oulu_casia(oulu, SIZE).pixels, faces.pixels)
    assert seen == [(60, 80)] * 6


def rename(folder, old, new):
    (folder / old).rename(folder / new)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            lambda f: rename(f, "P001/Anger", "P001/Bored"),
            "P001/Bored: not the folder of an emotion; expected Anger",
        ),
        (lambda f: (f / "P001" / "anger").mkdir(), "a second folder of anger, beside"),
        (lambda f: rename(f, "P002", "p0001"), "a second folder of P001, beside"),
        (
            lambda f: rename(f, "P001/Anger/017.jpeg", "P001/Anger/peak.jpeg"),
            "peak.jpeg: not named like 000.jpeg",
        ),
        (
            lambda f: rename(f, "P001/Anger/017.jpeg", "P001/Anger/18.jpeg"),
            "a second picture of frame 18, beside",
        ),
        (lambda f: (f / "P001" / "Anger" / "017.jpeg").write_bytes(b"x"), "017.jpeg: not a readable picture"),
        (
            lambda f: (f / "P001" / "Anger" / "017.jpeg").write_bytes(
                (f / "P001" / "Anger" / "018.jpeg").read_bytes()[:200]
            ),
            "017.jpeg: not a readable picture",
        ),
        (
            lambda f: Image.new("L", (30, 24)).save(f / "P001" / "Anger" / "018.jpeg"),
            "others of its clip are",
        ),
        (lambda f: [rename(f, f"P00{k}", f"X{k}") for k in (1, 2, 3)], "no folders of people (P001)"),
        (lambda f: f.rename(f.with_name("Dark")), "VL/Strong: cannot be listed"),
        (lambda f: f.parent.rename(f.parent.with_name("NI")), "no folder VL or VL_Acropped there"),
    ],
)
def test_a_broken_copy_of_oulu_casia_is_named(oulu, harm, message):
    try:
        harm(oulu / LIGHT)
    except FileExistsError:
        pytest.skip("this file system does not tell Anger from anger")
    with pytest.raises(DataError) as refusal:
        read_oulu_casia(oulu, SIZE)
    assert message in str(refusal.value) and str(oulu) in str(refusal.value)


def test_a_person_in_two_archives_of_bu4dfe_is_refused(bu4dfe):
    (bu4dfe / "BU_4DFE").rename(bu4dfe / "part1")
    (bu4dfe / "part2" / "F004").mkdir(parents=True)
    (bu4dfe / "part1" / "F003").rename(bu4dfe / "part2" / "F003")
    assert read_bu4dfe(bu4dfe, SIZE).table["subject"].nunique() == 3
    (bu4dfe / "part1" / "F003").mkdir()
    with pytest.raises(DataError, match=r"part2/F003: a second folder of F003, beside .*part1/F003"):
        read_bu4dfe(bu4dfe, SIZE)


def test_bu3dfe_is_written_without_loss_and_read_back(tmp_path):
    faces = posed_faces(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), frames=(0, 1, 2, 3))
    # One neutral picture and three of each expression, as the release has one and four.
    faces = faces.select(((faces.table["sequence"] == "000") | (faces.table["frame"] > 0)).to_numpy())
    back = read_bu3dfe(written(tmp_path / "bu3dfe", faces, write_bu3dfe), SIZE)
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
    again = read_bu3dfe(written(tmp_path / "again", FaceSet("b", back.pixels, table), write_bu3dfe), SIZE)
    assert again.table.drop(columns="split").equals(table.drop(columns="split"))


def test_more_pictures_than_the_release_has_are_counted_on(bu3dfe):
    table = read_bu3dfe(bu3dfe, SIZE).table
    assert table[table["emotion"] == "neutral"].groupby("subject")["level"].agg(list).tolist() == [[0, 1]] * 3


def test_bu3dfe_below_other_folders_beside_meshes(bu3dfe):
    (bu3dfe / "Subjects" / "BU_3DFE - 1").mkdir(parents=True)
    (bu3dfe / "Subjects" / "BU_3DFE - 2").mkdir()
    for part, person in ((1, "F0001"), (1, "F0002"), (2, "F0003")):
        (bu3dfe / person).rename(bu3dfe / "Subjects" / f"BU_3DFE - {part}" / person)
    place = bu3dfe / "Subjects" / "BU_3DFE - 2" / "F0003"
    (place / "F0003_AN01WH_F3D.wrl").write_bytes(b"x")
    (place / "F0003_AN01WH_F3D.bmp").write_bytes(b"another kind of picture")
    assert len(read_bu3dfe(bu3dfe, SIZE)) == 24
    (bu3dfe / "Subjects" / "BU_3DFE - 1" / "f0003").mkdir()
    with pytest.raises(DataError, match="a second folder of F"):
        read_bu3dfe(bu3dfe, SIZE)


def test_in_bu3dfe_the_face_is_found_in_each_picture(bu3dfe, monkeypatch):
    for path in bu3dfe.rglob("*.bmp"):
        Image.fromarray(np.full((60, 80), 9, np.uint8)).save(path)
    Image.fromarray(np.full((60, 80), 8, np.uint8)).save(bu3dfe / "F0001" / "F0001_AN01WH_F2D.bmp")
    monkeypatch.setattr(
        "fer_lib.faces.readers.pictures.find_face",
        lambda p: Window(1.0, 2.0, 30.0) if p[0, 0] == 9 else None,
    )
    back = read_bu3dfe(bu3dfe, SIZE)
    assert back.left_out == {"pictures in which no face was found": 1} and len(back) == 23


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("F0001_AN01WH.bmp", None),
        ("F0001_XX01WH_F2D.bmp", "expression XX; expected NE, AN"),
        ("F0001_AN00WH_F2D.bmp", "level 00 of anger; expected 01 to 04"),
        ("F0001_AN01XX_F2D.bmp", "ancestry XX; expected WH, AE"),
        ("F0002_AN01WH_F2D.bmp", "a picture of F0002 in the folder of F0001"),
        ("F0001_AN1WH_F2D.bmp", "not named like F0001_AN01WH_F2D.bmp"),
        ("f0001_an02wh_f2d.bmp", "a second picture of F0001_AN02WH"),
    ],
)
def test_a_name_that_cannot_be_is_named(bu3dfe, new, message):
    (bu3dfe / "F0001" / "F0001_AN01WH_F2D.bmp").rename(bu3dfe / "F0001" / new)
    if message is None:  # another kind of picture
        assert len(read_bu3dfe(bu3dfe, SIZE)) == 23
        return
    with pytest.raises(DataError) as refusal:
        read_bu3dfe(bu3dfe, SIZE)
    assert message in str(refusal.value)
