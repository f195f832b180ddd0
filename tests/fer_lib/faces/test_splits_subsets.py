"""Shares of a set: exact in size, nested, with every class."""

import itertools

import numpy as np
import pandas as pd
import pytest

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.splits import random_rows


@pytest.fixture
def faces() -> FaceSet:
    """120 training pictures, of which sadness is rare, and 60 to test on."""
    emotion = ["anger", "fear", "anger", "fear"] * 30
    emotion[5] = emotion[77] = "sadness"
    emotion += ["anger", "fear", "sadness"] * 20
    table = pd.DataFrame({"dataset": "toy", "subject": "", "sequence": "", "frame": 0, "emotion": emotion})
    table = table.assign(split=["train"] * 120 + ["test"] * 60)
    return FaceSet("toy", np.zeros((len(table), 4, 4), np.uint8), table)


def test_a_smaller_draw_is_part_of_a_larger_one_of_the_same_seed_and_holds_every_class(faces):
    draws = [random_rows(faces, {"train": count, "test": 60}, seed=4) for count in (3, 12, 60, 500)]
    assert [len(rows) for rows in draws] == [63, 72, 120, 180]
    assert all(set(small) <= set(large) for small, large in itertools.pairwise(draws))
    assert all((np.diff(rows) > 0).all() for rows in draws)
    assert set(faces.table["emotion"].iloc[draws[0][:3]]) == {"anger", "fear", "sadness"}
    assert set(random_rows(faces, {"train": 60}, seed=5)) != set(draws[2]) - set(range(120, 180))
