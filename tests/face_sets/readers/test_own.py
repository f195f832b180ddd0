"""One's own pictures: what ``faces.csv`` may say, and what is wrong with it is named with its line."""

import numpy as np
import pytest
from PIL import Image

from face_sets.faceset import FaceSet
from face_sets.folds import protocol_of
from face_sets.readers.own import WITHOUT_FACE, missing_pictures, read_own, save_own, write_own
from ferbook.errors import DataError
from tests.face_sets.readers.test_every_reader import face_set
from tests.made import full_disk

ROWS = [f"p{k}.png,{'ABCD'[k // 3]},{('happy', 'Anger', '')[k % 3]},yes" for k in range(12)]
HEADER = "path,subject,emotion,cropped"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    for k in range(12):
        Image.new("L", (24, 20), 20 * k).save(place / f"p{k}.png")
    return place


def read(folder, rows=ROWS, header=HEADER, size=16) -> FaceSet:
    (folder / "faces.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
    return read_own(folder, size)


def test_crops_people_and_emotions_by_hand(folder):
    faces = read(folder)
    assert faces.name == "mine" and faces.size == (16, 16) and faces.left_out == {}
    assert faces.pixels[:, 3, 3].tolist() == [20 * k for k in range(12)]
    assert faces.table["emotion"].tolist() == ["happiness", "anger", ""] * 4
    assert faces.table["subject"].tolist() == [f"mine-{'ABCD'[k // 3]}" for k in range(12)]
    assert (faces.table.groupby("subject")["split"].nunique() == 1).all()
    assert set(faces.table["split"]) == {"train", "valid", "test"}
    assert faces.table["sequence"].tolist() == [f"p{k}.png" for k in range(12)]


def test_a_split_sequences_and_units_are_taken_as_they_are(folder):
    header = "subject,split,path,sequence,frame,emotion,AU4,AU12,cropped"
    rows = [
        f"{'ABC'[k % 3]},{('train', 'valid', 'test')[k % 3]},p{k}.png,s{k // 6},{k},sad,{k / 11:.3f},,YES"
        for k in range(12)
    ]
    faces = read(folder, rows, header)
    assert faces.table["split"].tolist() == ["train", "valid", "test"] * 4
    assert faces.table["sequence"].tolist() == ["s0"] * 6 + ["s1"] * 6
    assert faces.table["frame"].tolist() == list(range(12))
    np.testing.assert_allclose(faces.table["AU4"], np.round(np.arange(12) / 11, 3))
    assert faces.table["AU12"].isna().all() and faces.aus == ("AU4", "AU12")
    assert set(faces.table["split_rule"]) == {"as faces.csv says"}


@pytest.mark.parametrize("who", ["A", ""])
def test_a_person_or_a_sequence_of_nobody_known_is_in_one_split(folder, who):
    rows = [f"p{k}.png,{who},anger,s,{k},{('train', 'train', 'test')[k % 3]}" for k in range(3)]
    told = (
        r"line 4: split test, but the same person is in train \(line 2\); a person may be in one split only"
    )
    with pytest.raises(DataError, match=told):
        read(folder, rows, "path,subject,emotion,sequence,frame,split")


def test_pictures_of_a_sequence_of_nobody_known_are_divided_as_one_person(folder):
    rows = [f"p{k}.png,,{('anger', 'happiness')[k % 2]},s{k // 3},{k},yes" for k in range(12)]
    faces = read(folder, rows, "path,subject,emotion,sequence,frame,cropped")
    assert set(faces.table["split"]) == {"train", "valid", "test"}
    assert (faces.table.groupby("sequence")["split"].nunique() == 1).all()


def test_the_protocol_is_the_split_of_the_set(folder):
    rows = [row + "," + ("train", "test", "valid")[k // 3 % 3] for k, row in enumerate(ROWS)]
    faces = read(folder, rows, HEADER + ",split")
    (fold,) = protocol_of(faces).folds
    assert [len(fold.train), len(fold.valid), len(fold.test)] == [4, 2, 2]


def test_a_text_in_quotes_may_go_over_several_lines(folder):
    rows = ['p0.png,"A\nB",,yes', "p1.png,C\u2028D,,yes", "p2.png,E,angst,yes"]
    with pytest.raises(DataError, match=r"faces\.csv, line 5: emotion 'angst'"):
        read(folder, rows)
    faces = read(folder, [row.replace("angst", "fear") for row in rows])
    assert list(faces.table["subject"]) == ["mine-A B", "mine-C D", "mine-E"]


def test_a_picture_is_the_same_by_another_path(folder):
    (folder / "x").mkdir()
    with pytest.raises(DataError, match=r"line 4: a second picture, after line 2"):
        read(folder, [*ROWS[:2], ROWS[0].replace("p0", "x/../p0")])
    assert read(folder, [ROWS[0].replace("p0", "x/../p0"), *ROWS[1:]]).left_out == {}


def test_faces_are_found_upright_and_those_without_one_are_counted_by_name(folder, rendered_faces):
    face = np.pad(rendered_faces[0], ((60, 90), (80, 40)), "edge")
    for k in range(12):
        Image.fromarray(face).save(folder / f"p{k}.png")
    turned = Image.fromarray(face).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(folder / "p5.png", exif=exif)
    Image.new("L", (90, 90), 128).save(folder / "p1.png")
    Image.new("L", (9, 9)).save(folder / "beside.jpg")
    rows = [row.replace("yes", "no") for row in ROWS]
    faces = read(folder, rows, size=48)
    assert len(faces) == 11
    assert faces.left_out == {WITHOUT_FACE: 1, "pictures that faces.csv does not list": 1}
    assert missing_pictures(folder, faces) == ["p1.png"]
    np.testing.assert_array_equal(faces.pixels[4], faces.pixels[0])
    own = np.asarray(Image.fromarray(rendered_faces[0]).resize((48, 48)), float)
    assert np.corrcoef(faces.pixels[0].ravel(), own.ravel())[0, 1] > 0.8


def test_pictures_of_a_sequence_share_one_window_and_one_shape(folder, rendered_faces):
    face = np.pad(rendered_faces[0], 60, "edge")
    for k in range(12):
        Image.fromarray(np.roll(face, 4 * (k % 3), axis=1)).save(folder / f"p{k}.png")
    rows = [f"{row.replace('yes', '')},s,{k % 3}" for k, row in enumerate(ROWS)]
    faces = read(folder, rows, HEADER + ",sequence,frame", size=48)
    moved = np.abs(faces.pixels[:3, 8:40, 8:40].astype(int) - faces.pixels[0, 8:40, 8:40]).mean(axis=(1, 2))
    assert moved[0] == 0 and moved[2] > moved[1] > 2  # a window found anew would follow the face
    Image.fromarray(face[:-2]).save(folder / "p1.png")
    with pytest.raises(DataError, match=r"line 3: 216 × 214 pixels, but others of its clip are 216 × 216"):
        read(folder, rows, HEADER + ",sequence,frame", size=48)


def test_no_face_anywhere_says_what_to_do(folder):
    with pytest.raises(DataError, match="no face was found in any of its 12 pictures; if they are cropped"):
        read(folder, [row.replace("yes", "no") for row in ROWS])


def test_what_was_read_is_written_again(folder, tmp_path):
    faces = read(folder)
    again = tmp_path / "again" / "mine"
    again.mkdir(parents=True)
    write_own(faces, again)
    back = read_own(again, 16)
    columns = ["subject", "frame", "emotion", "split", "sequence"]
    assert back.table[columns].equals(faces.table[columns])
    np.testing.assert_array_equal(back.pixels, faces.pixels)


def test_an_intensity_may_be_written_as_programs_do(folder):
    texts = ["3e-05", "5E-05", "1e0", ".5", "0.", *[""] * 7]
    faces = read(folder, [f"{row},{text}" for row, text in zip(ROWS, texts, strict=True)], HEADER + ",AU12")
    assert faces.table["AU12"].tolist()[:5] == [3e-5, 5e-5, 1.0, 0.5, 0.0]
    assert faces.table["AU12"].isna().sum() == 7


def test_rendered_faces_are_written_whole_or_not_at_all(tmp_path):
    given = face_set(32)
    noise = np.random.default_rng(0).integers(0, 256, given.pixels.shape, dtype=np.uint8)
    with full_disk(700), pytest.raises(DataError, match="free disk space"):
        save_own(FaceSet("lab", noise, given.table), tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []
    save_own(given, tmp_path / "mine")
    assert read_own(tmp_path / "mine", 32).table["split"].tolist() == given.table["split"].tolist()
    with pytest.raises(DataError, match="mine: exists already"):
        save_own(given, tmp_path / "mine")
