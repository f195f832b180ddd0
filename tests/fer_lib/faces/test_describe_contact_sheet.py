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


def test_of_a_sequence_the_last_picture_or_the_apex_is_shown():
    faces = a_set([(who, "1", frame, "fear") for who in "ab" for frame in (1, 2, 3)])
    assert [sorted(row) for row in greys(contact_sheet(faces, columns=3))] == [[30, 60]]
    assert [sorted(row) for row in greys(contact_sheet(faces.assign(apex=2), columns=3))] == [[20, 50]]


def test_the_same_seed_gives_the_same_sheet():
    faces = a_set([(f"s{i}", str(i), 0, "fear") for i in range(20)])
    assert (
        contact_sheet(faces, 5, seed=1) == contact_sheet(faces, 5, seed=1) != contact_sheet(faces, 5, seed=2)
    )


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="holds no pictures"):
        contact_sheet(a_set([("a", "1", 0, "fear")]).select(np.array([], int)))
