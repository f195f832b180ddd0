"""People divided, and few pictures drawn."""

import itertools

import numpy as np
import pandas as pd
import pytest

from face_sets import splits
from face_sets.faceset import FaceSet
from face_sets.splits import random_rows, split_people
from ferbook.errors import DataError


def people(counts: dict[str, int], subjects: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    rows = [(f"S{i}", e) for e, n in counts.items() for i in rng.choice(subjects, n, replace=False)]
    return [s for s, _ in rows], [e for _, e in rows]


@pytest.mark.parametrize("seed", range(5))
def test_shares_and_emotions_are_alike_and_nobody_is_in_two(seed):
    counts = {"anger": 45, "contempt": 18, "fear": 25, "surprise": 83}
    subject, emotion = people(counts, 100, seed)
    split = split_people(subject, emotion)
    table = pd.crosstab(np.array(emotion), split)
    for name, n in counts.items():
        assert abs(table.loc[name, "train"] - 0.6 * n) <= 4
        assert abs(table.loc[name, "valid"] - 0.2 * n) <= 3
        assert abs(table.loc[name, "test"] - 0.2 * n) <= 3
    assert pd.Series(split).groupby(subject).nunique().max() == 1
    np.testing.assert_array_equal(split, split_people(subject, emotion))


@pytest.mark.parametrize("subjects", [3, 4, 5, 9])
def test_a_handful_of_people_is_divided_all_the_same(subjects):
    subject = np.repeat([f"S{i}" for i in range(subjects)], 2).tolist()
    split = split_people(subject, [f"e{i % 7}" for i in range(2 * subjects)])
    assert set(split) == {"train", "valid", "test"}
    assert pd.Series(split).groupby(subject).nunique().max() == 1


def test_pictures_of_unknown_people_stand_for_themselves():
    split = split_people([""] * 100, ["anger", "fear"] * 50)
    assert pd.Series(split).value_counts().to_dict() == {"train": 60, "valid": 20, "test": 20}


def test_two_people_are_refused():
    with pytest.raises(DataError, match="2 people cannot be divided"):
        split_people(["a", "b"], ["anger", "fear"])


def test_an_emotion_of_three_people_comes_into_every_split():
    """Not by itself: the shares that are kept alike are those of all emotions together."""
    alone = 0
    for seed in range(20):
        counts = {"anger": 12, "happiness": 11, "sadness": 3, "fear": 2}
        subject, emotion = people(counts, 15, seed)
        split = split_people(subject, emotion)
        assert set(split[np.array(emotion) == "sadness"]) == {"train", "valid", "test"}
        assert set(split[np.array(emotion) == "anger"]) == {"train", "valid", "test"}
        assert pd.Series(split).groupby(subject).nunique().max() == 1
        np.testing.assert_array_equal(split, split_people(subject, emotion))
        plain = splits._named(splits._folds(np.array(subject, dtype=object), emotion, 0), test=0, valid=1)
        rare = set(plain[np.array(emotion) == "sadness"])
        alone += len(rare) == 3
        if len(rare) == 3:
            np.testing.assert_array_equal(split, plain)
    assert 0 < alone < 20


def test_where_an_emotion_cannot_be_everywhere_the_fewest_are_missing():
    """Three people, each of whom is needed in each split."""
    subject, emotion = list("aabbcc"), ["x", "y", "x", "z", "y", "z"]
    split = split_people(subject, emotion)
    assert sorted(set(split)) == ["test", "train", "valid"]
    with pytest.raises(DataError, match="2 people cannot be divided"):
        split_people(["a", "b"], ["anger", "fear"])


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
