"""Contact sheets: which pictures stand where."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.faces.describe import contact_sheet
from fer_lib.faces.faceset import FaceSet
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


def test_of_a_sequence_the_last_picture_and_then_the_whole_of_it():
    rows = [("a", "1", frame, emotion) for frame, emotion in ((1, "neutral"), (8, "fear"), (9, "fear"))]
    neutral, fear, clip = greys(contact_sheet(a_set(rows), columns=3))
    assert (neutral, fear, clip) == ([10], [30], [10, 20, 30])


def test_people_may_call_their_sequences_alike():
    faces = a_set([(who, "1", frame, "fear") for who in "abc" for frame in (1, 2)])
    fear, *clips = greys(contact_sheet(faces, columns=3))
    assert sorted(fear) == [20, 40, 60]
    assert sorted(clips) == [[10, 20], [30, 40], [50, 60]]


def test_of_a_clip_the_picture_nearest_to_the_apex():
    faces = a_set([("a", "1", frame, "fear") for frame in (1, 5, 9)])
    faces = FaceSet("toy", faces.pixels, faces.table.assign(apex=4))
    assert greys(contact_sheet(faces, columns=3))[0] == [20]


def test_the_same_seed_gives_the_same_sheet():
    faces = a_set([(f"s{i}", str(i), 0, "fear") for i in range(20)])
    assert (
        contact_sheet(faces, 5, seed=1) == contact_sheet(faces, 5, seed=1) != contact_sheet(faces, 5, seed=2)
    )


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="holds no pictures"):
        contact_sheet(a_set([("a", "1", 0, "fear")]).select(np.array([], int)))
