"""Shares of a set: exact in size, nested, of few people, with every class."""

import itertools

import numpy as np
import pandas as pd
import pytest

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.subsets import nested_rows, share_of
from ferbook.errors import DataError

CLASSES = ("anger", "fear", "sadness")
TRAINED = 120


@pytest.fixture
def faces() -> FaceSet:
    """30 people with four training pictures each, of which sadness is rare; 30 validation and 30 test
    pictures of others.
    """
    emotion = ["anger", "fear", "anger", "fear"] * 30
    emotion[5] = emotion[77] = "sadness"
    emotion += ["anger", "fear", "sadness"] * 20
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"toy-{i // 4}" for i in range(len(emotion))],
            "sequence": "",
            "frame": np.arange(len(emotion)),
            "emotion": emotion,
            "split": ["train"] * TRAINED + ["valid"] * 30 + ["test"] * 30,
        }
    )
    return FaceSet("toy", np.zeros((len(table), 4, 4), np.uint8), table)


def rows_of(part, split):
    return set(part.table.loc[part.table["split"] == split, "frame"])


def test_shares_have_the_size_asked_for_and_no_test_picture(faces):
    for fraction, trained, valid in ((5, 6, 3), (10, 12, 3), (50, 60, 15), (100, 120, 30)):
        part = share_of(faces, CLASSES, fraction)
        assert (len(rows_of(part, "train")), len(rows_of(part, "valid"))) == (trained, valid)
        assert not rows_of(part, "test")
    # 0.3 of 30 validation pictures, but one of each class; 1.2 of 120, but one of each class.
    part = share_of(faces, CLASSES, 1)
    assert len(rows_of(part, "train")) == len(rows_of(part, "valid")) == 3


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_smaller_share_is_part_of_a_larger_one_of_the_same_draw_only(faces, split):
    shares = [rows_of(share_of(faces, CLASSES, f, draw=4), split) for f in (1, 5, 10, 50, 100)]
    assert all(small <= large for small, large in itertools.pairwise(shares))
    assert shares[3] != rows_of(share_of(faces, CLASSES, 50, draw=5), split)
    assert shares[3] == rows_of(share_of(faces, CLASSES, 50, draw=4), split)


def test_few_pictures_are_of_few_people_but_of_all_classes(faces):
    for draw in range(5):
        part = share_of(faces, CLASSES, 10, draw=draw)
        train = part.table[part.table["split"] == "train"]
        # Twelve pictures: three whole people, and perhaps those of two others who show what is rare.
        assert train["subject"].nunique() <= 5
        assert set(train["emotion"]) == set(CLASSES)


def test_orders_hold_each_row_once_and_keep_people_together(faces):
    order = nested_rows(faces, "train", draw=1)
    assert sorted(order) == list(range(TRAINED))
    rest = faces.table["subject"].to_numpy()[order[3:]]
    assert (rest[1:] != rest[:-1]).sum() + 1 == len(set(rest))
    loose = nested_rows(faces, "train", draw=1, by_person=False)
    assert len(set(faces.table["subject"].to_numpy()[loose[3:15]])) > 5


def test_pictures_of_nobody_known_are_drawn_one_by_one(faces):
    nobody = faces.assign(subject="")
    order = nested_rows(nobody, "train", draw=2)
    assert sorted(order) == list(range(TRAINED))
    neighbours = np.abs(np.diff(order // 4))
    assert (neighbours == 0).mean() < 0.2


def test_a_class_without_a_training_picture_is_named(faces):
    with pytest.raises(DataError, match=r"'toy': no training picture of contempt"):
        share_of(faces, (*CLASSES, "contempt"), 5)


def test_no_more_pictures_to_choose_by_than_to_learn_from(faces):
    split = faces.table["split"].to_numpy()
    few = faces.select(
        (split != "train")
        | (np.arange(len(faces)) % 40 == 5)
        | (np.arange(len(faces)) % 40 == 6)
        | (np.arange(len(faces)) == 7)
    )
    part = share_of(few, CLASSES, 100)
    trained = len(rows_of(part, "train"))
    assert trained < 30 and len(rows_of(part, "valid")) == trained
