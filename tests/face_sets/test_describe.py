"""What a face set holds, and whether a copy is whole: contact sheets, counts, and every picture opened."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from face_sets.describe import contact_sheet, equal_pictures, open_every_picture, published_table
from face_sets.faceset import FaceSet
from ferbook.errors import DataError


def a_set(rows: list[tuple], side: int = 4) -> FaceSet:
    """One picture per row (subject, sequence, frame, emotion), all of one grey: 10 times its number."""
    table = pd.DataFrame(rows, columns=["subject", "sequence", "frame", "emotion"])
    pixels = np.stack([np.full((side, side), 10 * (i + 1), np.uint8) for i in range(len(rows))])
    return FaceSet("toy", pixels, table.assign(dataset="toy", split="train"))


def greys(png: bytes) -> list[list[int]]:
    """The grey of each picture, by row of the sheet, of sets whose sides are 4 (doubled to 8)."""
    sheet = np.asarray(Image.open(io.BytesIO(png)))[:, 90:]
    return [[int(v) for v in line[5::10] if v != 255] for line in sheet[5::10]]


def test_a_row_per_emotion_with_other_people_first_and_then_the_unlabelled():
    rows = [("a", "1", 0, "fear"), ("a", "2", 0, "fear"), ("b", "3", 0, "fear")]
    rows += [("a", "4", 0, ""), ("a", "5", 0, "anger")]
    anger, fear, unlabelled = greys(contact_sheet(a_set(rows), columns=3))
    assert (anger, unlabelled) == ([50], [40])
    assert sorted(fear) == [10, 20, 30] and fear[2] in (10, 20)


def test_of_a_sequence_the_last_picture_or_the_apex_is_shown():
    faces = a_set([(who, "1", frame, "fear") for who in "ab" for frame in (1, 2, 3)])
    assert [sorted(row) for row in greys(contact_sheet(faces, columns=3))] == [[30, 60]]
    assert [sorted(row) for row in greys(contact_sheet(faces.assign(apex=2), columns=3))] == [[20, 50]]


def test_the_same_seed_gives_the_same_sheet():
    faces = a_set([(f"s{i}", str(i), 0, "fear") for i in range(20)])
    one, again, other = (contact_sheet(faces, 5, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="holds no pictures"):
        contact_sheet(a_set([("a", "1", 0, "fear")]).select(np.array([], int)))


def test_of_equal_pictures_all_but_the_first_count():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    pixels[[2, 4]], pixels[5] = pixels[0], pixels[1]
    table = pd.DataFrame({"split": ["train"] * 6, "subject": "", "emotion": "fear"})
    faces = FaceSet("set", pixels, table.assign(dataset="set", sequence="", frame=0))
    assert equal_pictures(faces) == 3
    assert equal_pictures(faces.select(np.array([0, 1, 3]))) == 0


def test_each_kind_of_count():
    rows = [("S1", "a", "neutral"), ("S1", "a", "anger"), ("S1", "a", "anger")]
    rows += [("S1", "b", ""), ("S2", "a", "neutral"), ("", "d", "fear")]
    table = pd.DataFrame(rows, columns=["subject", "sequence", "emotion"])
    table = table.assign(dataset="toy", frame=range(6), split="train")
    faces = FaceSet("toy", np.zeros((6, 2, 2), np.uint8), table)
    counted = {
        "pictures": 6,
        "subjects": 2,
        "sequences": 4,
        "labelled sequences": 2,
        "pictures of anger": 2,
        "sequences of anger": 1,
        "sequences of surprise": 0,
    }
    rows = published_table(faces, dict.fromkeys(counted, 9))
    assert {row["what"]: row["found"] for row in rows} == counted
    assert all(row["published"] == 9 for row in rows)


@pytest.fixture
def files(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8))
    for name in ("a.png", "b.JPG", "c.tiff"):
        picture.save(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "T1/0001.png")
    (tmp_path / "._a.png").write_bytes(b"litter")
    (tmp_path / "e.wrl").write_bytes(b"mesh")
    return sorted(tmp_path.iterdir())


def test_pictures_and_archives_are_counted_and_nothing_else(files):
    assert open_every_picture(files) == 4


@pytest.mark.parametrize(
    ("number", "content", "told"),
    [
        (0, lambda old: old[:100], "a.png: not a readable picture"),
        (3, lambda old: old[:100], "d.zip: not a readable zip archive"),
        (3, lambda old: old.replace(b"IDAT", b"XDAT"), "d.zip, T1/0001.png: damaged in the archive"),
    ],
)
def test_what_is_damaged_is_named(files, number, content, told):
    file = [f for f in files if f.suffix in (".png", ".JPG", ".tiff", ".zip") and f.name[0] != "."][number]
    file.write_bytes(content(file.read_bytes()))
    with pytest.raises(DataError) as refusal:
        open_every_picture(files)
    assert told in str(refusal.value)
