"""NovaEmotions: the csv of votes, the folders, and each way a copy can be broken."""

import pytest
from PIL import Image

from face_sets.readers.novaemotions import read_novaemotions
from ferbook.errors import DataError

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


def test_a_picture_without_a_vote_has_no_emotion(folder):
    Image.new("L", (SIZE, SIZE)).save(folder / "4.png")
    write(folder, [*ROWS, "4.png,p4,0,0,0"])
    faces = read_novaemotions(folder, SIZE)
    assert "4.png" not in faces.table["sequence"].tolist()
    assert faces.left_out["pictures without a vote, or on which two or more emotions have the most"] == 2
