"""NovaEmotions: the csv of votes, the folders, and each way a copy can be broken."""

import re

import numpy as np
import pytest
from PIL import Image

from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.readers.novaemotions import read_novaemotions
from ferbook.errors import DataError
from tests.fer_lib.faces.readers.writers.novaemotions import write_novaemotions
from tests.made import made_faces

SIZE = 32
HEADER = "path,subject,angry,happy,neutral"
ROWS = ["a/0.png,p1,5,1,0", "a/1.png,p2,0,3,3", "a/2.png,p3,1,2,0", "3.png,,0,0,9"]


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "novaemotions")


def write(folder, rows=ROWS, header=HEADER, pictures=4):
    (folder / "a").mkdir(parents=True, exist_ok=True)
    for k in range(pictures):
        Image.new("L", (SIZE, SIZE), 50 * k).save(folder / ("3.png" if k == 3 else f"a/{k}.png"))
    (folder / "novaemotions.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_the_votes_decide_and_ties_are_counted(folder):
    Image.new("L", (SIZE, SIZE)).save(folder / "a" / "unlisted.png")
    faces = read_novaemotions(folder, SIZE)
    assert faces.table["sequence"].tolist() == ["a/0.png", "a/2.png", "3.png"]
    assert faces.table["emotion"].tolist() == ["anger", "happiness", "neutral"]
    assert faces.table["subject"].tolist() == ["novaemotions-p1", "novaemotions-p3", ""]
    assert faces.table[["vote_anger", "vote_happiness", "vote_neutral"]].to_numpy().tolist() == [
        [5, 1, 0],
        [1, 2, 0],
        [0, 0, 9],
    ]
    assert faces.pixels[:, 0, 0].tolist() == [0, 100, 150]
    assert set(faces.table["split"]) == {"train", "valid", "test"}
    assert faces.left_out == {
        "pictures without a vote, or on which two or more emotions have the most": 1,
        "pictures that novaemotions.csv does not list": 1,
    }


def test_a_column_of_emotions_settles_ties(folder):
    rows = [f"{row},{emotion}" for row, emotion in zip(ROWS, ("Fear", "happy", "", "sad"), strict=True)]
    write(folder, rows, HEADER + ",emotion")
    faces = read_novaemotions(folder, SIZE)
    assert faces.table["emotion"].tolist() == ["fear", "happiness", "happiness", "sadness"]


def test_pictures_without_a_face_are_counted(folder):
    Image.new("L", (64, 64)).save(folder / "4.png")
    write(folder, [*ROWS, "4.png,p4,9,0,0"])
    assert read_novaemotions(folder, SIZE).left_out["pictures in which no face was found"] == 1
    with pytest.raises(DataError, match=r"no picture is left \(.*4 pictures in which no face was found"):
        read_novaemotions(folder, 16)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a/9.png,p1,1,0,0", "line 6: no picture 'a/9.png'"),
        (",p1,1,0,0", "line 6: no picture ''"),
        ("a/0.png,p1,1,0,0", "line 6: 'a/0.png' stands in line 2 already"),
        ("4.png,p1,1,0", "line 6: 4 fields; expected 5"),
        ("4.png,p1,1,x,0", "line 6: happy votes 'x'"),
        ("4.png,p1,1,-1,0", "line 6: happy votes '-1'"),
        ("4.png,p1,1,0.5,0", "line 6: happy votes '0.5'"),
        ("4.png,p1,1,,0", "line 6: happy votes ''"),
    ],
)
def test_a_bad_row_is_named(folder, row, message):
    Image.new("L", (SIZE, SIZE)).save(folder / "4.png")
    with pytest.raises(DataError, match=re.escape(f"novaemotions.csv, {message}")):
        read_novaemotions(write(folder, [*ROWS, row]), SIZE)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "column 'path' is missing; expected the header path,subject and one column per emotion"),
        ("path,person,angry,happy,neutral", "column 'subject' is missing"),
        ("file,subject,angry,happy,neutral", "column 'path' is missing"),
        ("path,subject,angry,happy,bored", "column 'bored' is no emotion"),
        ("path,subject,angry,anger,neutral", "no emotion, or one column twice"),
        ("path,subject,emotion,emotion,neutral", "no emotion, or one column twice"),
        ("path,subject", "no emotion, or one column twice"),
    ],
)
def test_a_foreign_header_is_refused(folder, header, message):
    with pytest.raises(DataError, match=re.escape(f"novaemotions.csv, line 1: {message}")):
        read_novaemotions(write(folder, header=header), SIZE)


def test_a_foreign_emotion_nothing_but_ties_and_nothing_at_all(folder):
    rows = [f"{row},{emotion}" for row, emotion in zip(ROWS, ("", "", "bored", ""), strict=True)]
    with pytest.raises(DataError, match=r"novaemotions\.csv, line 4: emotion 'bored'"):
        read_novaemotions(write(folder, rows, HEADER + ",emotion"), SIZE)
    with pytest.raises(DataError, match="on none of its 1 pictures one emotion has the most votes"):
        read_novaemotions(write(folder, [ROWS[1]]), SIZE)
    with pytest.raises(DataError, match=r"novaemotions\.csv, line 2: no pictures"):
        read_novaemotions(write(folder, []), SIZE)
    (folder / "novaemotions.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"novaemotions\.csv: cannot be read"):
        read_novaemotions(folder, SIZE)


def test_damaged_pictures_and_paths_that_leave_the_folder(tmp_path, folder):
    (folder / "a" / "1.png").write_bytes(b"\x89PNG")
    rows = [ROWS[0], ROWS[2], "a/1.png,p2,9,0,0", ROWS[3]]
    with pytest.raises(DataError, match=r"a/1\.png: not a readable picture"):
        read_novaemotions(write(folder, rows, pictures=1), SIZE)
    Image.new("L", (SIZE, SIZE)).save(tmp_path / "outside.png")
    with pytest.raises(DataError, match=r"outside\.png: a path that leaves"):
        read_novaemotions(write(folder, [*ROWS, "../outside.png,p1,9,0,0"]), SIZE)
    with pytest.raises(DataError, match=r"outside\.png: a path that leaves"):
        read_novaemotions(write(folder, [*ROWS, f"{tmp_path}/outside.png,p1,9,0,0"]), SIZE)
    (folder / "4.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match=r"4\.png: a link that leaves"):
        read_novaemotions(folder, SIZE)
    (folder / "4.png").unlink()
    assert len(read_novaemotions(write(folder), SIZE)) == 3
    (folder / "a" / "round").symlink_to(folder)  # a circle
    with pytest.raises(DataError, match=r"round: a link to"):
        read_novaemotions(folder, SIZE)


def test_folders_named_after_emotions(tmp_path):
    folder = tmp_path / "novaemotions"
    for k, name in enumerate(("anger", "Happy", "surprise")):
        (folder / name).mkdir(parents=True)
        Image.new("L", (SIZE, SIZE), 50 * k).save(folder / name / "p.png")
    (folder / "readme.txt").write_text("")
    faces = read_novaemotions(folder, SIZE)
    assert sorted(zip(faces.table["emotion"], faces.table["sequence"], strict=True)) == [
        ("anger", "anger/p.png"),
        ("happiness", "Happy/p.png"),
        ("surprise", "surprise/p.png"),
    ]
    assert set(faces.table["subject"]) == {""} and not [c for c in faces.table if c.startswith("vote_")]
    (folder / "bored").mkdir()
    with pytest.raises(DataError, match=r"bored: not named after an emotion"):
        read_novaemotions(folder, SIZE)


def test_absent_and_empty(tmp_path):
    with pytest.raises(DataError, match=r"gone: cannot be listed .*; expected a folder"):
        read_novaemotions(tmp_path / "gone", SIZE)
    with pytest.raises(DataError, match=r"novaemotions\.csv: not found, and no folders of pictures"):
        read_novaemotions(tmp_path, SIZE)


def face_set(**columns) -> FaceSet:
    numbers, pixels = range(16), np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE)).astype(np.uint8)
    people, emotions = [f"game-{k % 4}" for k in numbers], [EMOTIONS[k % 8] for k in numbers]
    return made_faces(pixels, "game", subject=people, frame=numbers, emotion=emotions, **columns)


@pytest.mark.parametrize("votes", [{}, {"vote_fear": range(16), "vote_anger": 9}])
def test_what_is_written_is_read_back(tmp_path, votes):
    faces = face_set(**votes)
    write_novaemotions(faces, tmp_path)
    again = read_novaemotions(tmp_path, SIZE)
    np.testing.assert_array_equal(again.pixels, faces.pixels)
    assert again.table["emotion"].tolist() == faces.table["emotion"].tolist()
    assert again.table["subject"].tolist() == [f"novaemotions-{s}" for s in faces.table["subject"]]
    for column in votes:
        assert again.table[column].tolist() == faces.table[column].tolist()
    (tmp_path / "again").mkdir()
    write_novaemotions(again, tmp_path / "again")
    assert read_novaemotions(tmp_path / "again", SIZE).checksum == again.checksum


def test_a_field_without_an_end_is_named_by_its_line(tmp_path):
    folder = write(tmp_path / "novaemotions", [ROWS[0], "x" * 200_000])
    with pytest.raises(DataError, match=r"novaemotions\.csv, line 3: not readable as csv \(field larger"):
        read_novaemotions(folder, SIZE)


def test_a_picture_without_a_vote_has_no_emotion(folder):
    Image.new("L", (SIZE, SIZE)).save(folder / "4.png")
    write(folder, [*ROWS, "4.png,p4,0,0,0"])
    faces = read_novaemotions(folder, SIZE)
    assert "4.png" not in faces.table["sequence"].tolist()
    assert faces.left_out["pictures without a vote, or on which two or more emotions have the most"] == 2
