import numpy as np
import pytest

from fer_lib.train.losses import class_counts, vote_shares
from ferbook.errors import DataError


def with_votes(faces, **votes):
    columns = {f"vote_{name}": counts for name, counts in votes.items()}
    return type(faces)("voted", faces.pixels, faces.table.assign(**columns))


def test_counts_are_those_of_the_training_split(faces, classes):
    few = faces.select(np.r_[0:5, 30:60])
    assert class_counts(few, classes).tolist() == [3, 2]
    assert class_counts(few, classes[::-1]).tolist() == [2, 3]


def test_an_absent_class_is_named(faces, classes):
    emotion = faces.table["emotion"].where(faces.table["split"] != "train", "neutral")
    lopsided = type(faces)("lopsided", faces.pixels, faces.table.assign(emotion=emotion))
    with pytest.raises(DataError, match="'lopsided': no picture of happiness in the split 'train'"):
        class_counts(lopsided, classes)


def test_votes_beside_the_classes_do_not_count(faces, classes):
    voted = with_votes(faces, neutral=3, happiness=np.arange(60) % 3, fear=5)
    shares = vote_shares(voted, classes)
    assert shares.dtype == np.float32 and shares.shape == (30, 2)
    assert shares[:3].tolist() == pytest.approx(np.array([[1, 0], [3 / 4, 1 / 4], [3 / 5, 2 / 5]]))


def test_a_picture_without_votes_is_named(faces, classes):
    turned = faces.select(np.arange(60)[::-1])  # the training pictures come last
    silent = (np.arange(60) != 47).astype(int)
    with pytest.raises(DataError, match="'voted', row 47: no vote for any of neutral, happiness"):
        vote_shares(with_votes(turned, neutral=silent, happiness=0, fear=9), classes)


def test_pictures_of_other_splits_need_no_votes(faces, classes):
    voted = with_votes(faces, neutral=(np.arange(60) < 30).astype(int), happiness=0)
    assert vote_shares(voted, classes).tolist() == [[1, 0]] * 30


def test_absent_columns_are_named(faces, classes):
    with pytest.raises(DataError, match="no column vote_happiness;"):
        vote_shares(with_votes(faces, neutral=1), classes)
