"""Leakage inside a set, by hand and against every pair; and what two sets share."""

import numpy as np
import pandas as pd
import pytest

from face_sets import leakage
from face_sets.faceset import FaceSet
from face_sets.paths import data_dir
from face_sets.readers.fer2013 import read_fer2013
from face_sets.registry import REGISTRY
from ferbook.errors import DataError
from tests.made import even_pictures, made_faces


def a_set(pictures: list[int], splits: str, emotions: list[str], subjects: list[str]) -> FaceSet:
    """One picture per number: equal numbers are equal pictures. Splits as letters t, v, e (test)."""
    pixels = np.zeros((len(pictures), 2, 3), np.uint8)
    pixels[:, 1, 2] = pictures
    splits = [{"t": "train", "v": "valid", "e": "test"}[s] for s in splits]
    return made_faces(pixels, subject=subjects, emotion=emotions, split=splits)


@pytest.fixture
def seven() -> FaceSet:
    #                rows     0        1       2        3        4       5        6
    emotions = ["anger", "fear", "anger", "anger", "sadness", "fear", "anger"]
    return a_set([5, 5, 8, 5, 8, 9, 9], "ttvvete", emotions, ["a", "b", "c", "a", "c", "d", ""])


def test_groups_number_equal_pictures_by_first_appearance(seven):
    assert leakage.copy_groups(seven).tolist() == [0, 0, 1, 0, 1, 2, 2]


def test_exact_copies_are_outside_the_split_and_equal_a_picture_inside(seven):
    assert np.flatnonzero(leakage.exact_copies(seven)).tolist() == [3, 6]
    assert np.flatnonzero(leakage.exact_copies(seven, inside="valid")).tolist() == [0, 1, 4]
    assert np.flatnonzero(leakage.exact_copies(seven, inside="test")).tolist() == [2, 5]


def test_leakage_table_by_hand(seven):
    table = leakage.leakage_table(seven)
    assert table[["first", "second"]].to_numpy().tolist() == [
        ["train", "valid"],
        ["train", "test"],
        ["valid", "test"],
    ]
    # Subject a is in train and valid, c in valid and test; who is shown in row 6 is not known.
    assert table["subjects_in_common"].astype(object).fillna("?").tolist() == [1, "?", 1]
    # Row 3 copies rows 0 and 1, row 6 copies row 5, row 4 copies row 2.
    assert table["exact_copies"].tolist() == [1, 1, 1]
    # Row 3 (anger) agrees with row 0 but not with row 1 (fear); rows 6 and 4 disagree with their only
    # original.
    assert table["conflicting_labels"].tolist() == [1, 1, 1]


def test_unknown_subjects_are_not_counted_as_none_in_common():
    table = leakage.leakage_table(a_set([1, 2, 3], "tve", ["fear"] * 3, ["", "a", "a"]))
    assert table["subjects_in_common"].isna().tolist() == [True, True, False]
    assert table["subjects_in_common"][2] == 1


def test_an_empty_set_and_an_empty_split():
    assert leakage.exact_copies(a_set([], "", [], [])).tolist() == []
    table = leakage.leakage_table(a_set([1, 1], "tt", ["fear"] * 2, ["a", "b"]))
    assert table["exact_copies"].tolist() == [0, 0, 0]
    assert table["subjects_in_common"].tolist() == [0, 0, 0]


def test_agrees_with_comparing_every_pair():
    rng = np.random.default_rng(0)
    n = 60
    faces = a_set(
        rng.integers(0, 15, n).tolist(),
        "".join(rng.choice(list("tve"), n)),
        rng.choice(["anger", "fear", "neutral"], n, p=[0.6, 0.3, 0.1]).tolist(),
        rng.choice(["a", "b", "c", "d", "e", "f", ""], n).tolist(),
    )
    equal = (faces.pixels[:, None] == faces.pixels[None]).all(axis=(2, 3))
    np.testing.assert_array_equal(
        leakage.copy_groups(faces)[:, None] == leakage.copy_groups(faces)[None], equal
    )
    split, emotion = faces.table["split"].to_numpy(), faces.table["emotion"].to_numpy()
    for inside in ("train", "valid", "test"):
        brute = [split[i] != inside and any(equal[i] & (split == inside)) for i in range(n)]
        assert leakage.exact_copies(faces, inside).tolist() == brute
    for row in leakage.leakage_table(faces).itertuples():
        originals = [
            [j for j in range(n) if split[j] == row.first and equal[i, j]]
            for i in range(n)
            if split[i] == row.second
        ]
        own = emotion[split == row.second]
        assert row.exact_copies == sum(bool(found) for found in originals)
        assert row.conflicting_labels == sum(
            any(emotion[j] != mine for j in found) for found, mine in zip(originals, own, strict=True)
        )
    order = rng.permutation(n)
    pd.testing.assert_frame_equal(leakage.leakage_table(faces.select(order)), leakage.leakage_table(faces))


def test_fer2013_has_its_known_copies():
    """Published with the data: 1,516 groups of 3,369 copies, 57 of them with more than one label, 12 black
    rows.
    """
    folder = data_dir() / "fer2013"
    if not (folder / "fer2013.csv").is_file():
        pytest.skip("the real FER2013 is not at hand: FER_DATA has no fer2013/fer2013.csv")
    faces = read_fer2013(folder)
    counts = leakage.leakage_table(faces).set_index(["first", "second"])["exact_copies"]
    assert counts["train", "valid"] == 280
    assert counts["train", "test"] == 288
    assert leakage.exact_copies(faces).sum() == 568
    assert not leakage.exact_copies(faces)[(faces.table["split"] == "train").to_numpy()].any()
    groups = faces.table.groupby(leakage.copy_groups(faces))["emotion"].agg(["size", "nunique"])
    copied = groups[groups["size"] > 1]
    assert (len(groups), len(copied), copied["size"].sum()) == (34_034, 1_516, 3_369)
    assert (groups["nunique"] > 1).sum() == 57
    assert (faces.pixels.max(axis=(1, 2)) == 0).sum() == 12


def test_independent_groups_are_people_or_else_copies():
    faces = made_faces(even_pictures([1, 1, 2, 3, 1, 1]), subject=["A", "", "A", "", "", "B"])
    groups = leakage.independent_groups(faces)
    assert groups.dtype == np.int64
    assert groups.tolist() == [0, 1, 0, 2, 1, 3], "a copy of a known person's picture is not that person's"


def test_frames_of_nobody_known_are_one_group_with_their_copies():
    faces = made_faces(
        even_pictures([1, 2, 2, 3, 4, 5, 6]),
        dataset=["hand"] * 6 + ["other"],
        subject=["", "", "", "", "A", "", ""],
        sequence=["clip", "clip", "else", "", "clip", "", "else"],
    )
    assert leakage.independent_groups(faces).tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert len(leakage.independent_groups(faces.select(np.zeros(0, int)))) == 0


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        (["a", "b"], ["b", "c"], 1),
        (["a"], ["c"], 0),
        (["a", ""], ["c"], pd.NA),
        (["a", ""], ["a", ""], 1),
        ([""], [""], pd.NA),
        ([""], [], 0),
    ],
)
def test_people_in_both_are_told_where_they_can_be(first, second, count):
    number = leakage.people_in_both(np.array(first, object), np.array(second, object))
    assert number is count if count is pd.NA else number == count


def test_pictures_without_an_emotion_are_counted_too():
    table = pd.DataFrame({"split": ["train", "train", "test", "test"], "emotion": ["", "fear", "", "fear"]})
    table = table.assign(dataset="hand", subject="", sequence="", frame=0)
    pixels = np.stack([np.full((2, 2), grey, np.uint8) for grey in (1, 2, 1, 1)])
    row = (
        leakage.leakage_table(FaceSet("hand", pixels, table))
        .set_index(["first", "second"])
        .loc[("train", "test")]
    )
    # Of two copies of a picture without an emotion one has none either, the other is called fear.
    assert row["exact_copies"] == 2 and row["conflicting_labels"] == 1


def set_of(name, subjects, greys, size=4, dataset=None):
    """One even picture per person, of the grey value given."""
    return made_faces(even_pictures(greys, size), name, dataset=dataset or name, subject=subjects)


FIRST = set_of("first", ["a", "b", "", ""], [10, 20, 30, 40])


def test_people_and_copies_are_found_and_left_out():
    second = set_of("second", ["b", "c", "", "c", "b"], [1, 40, 30, 2, 20])
    found = leakage.shared(FIRST, second)
    # Nobody named is not somebody; 40, 30 and 20 are pictures of the first set too.
    assert (found.subjects, found.copies, found.known, found.nothing) == (("b",), 3, "", False)
    kept, counts = leakage.without_shared(FIRST, second)
    assert kept.pixels[:, 0, 0].tolist() == [2]
    assert counts == {"people": 2, "copies": 2}
    told = r"'first' and 'second' are not apart: 1 people .*\(b\); 3 pictures of second"
    with pytest.raises(DataError, match=told):
        leakage.require_apart(FIRST, second)


def test_a_rendered_person_is_known_in_sets_of_any_number_of_people():
    few = set_of("few", ["micro-S001", "micro-S026"], [1, 2], dataset="micro")
    many = set_of("many", ["micro-S0001", "micro-S1000"], [3, 4], dataset="micro")
    assert leakage.shared(few, many).subjects == ("micro-S1",)
    assert leakage.without_shared(few, many)[1] == {"people": 1, "copies": 0}
    # Two people of one's own may well be called so.
    own = set_of("own", ["own-S001"], [3]), set_of("own", ["own-S01"], [4])
    assert leakage.shared(*own).nothing


def test_one_grey_value_makes_another_picture():
    pixels = FIRST.pixels.copy()
    pixels[:, 3, 3] += 1
    other = FaceSet("other", pixels, FIRST.table.assign(subject=""))
    assert leakage.shared(FIRST, other).nothing
    leakage.require_apart(FIRST, other)
    kept, counts = leakage.without_shared(FIRST, other)
    assert len(kept) == 4 and counts == {"people": 0, "copies": 0}


def test_pictures_of_other_sizes_cannot_be_compared_but_people_can():
    larger = set_of("larger", ["a", ""], [10, 30], size=8)
    found = leakage.shared(FIRST, larger)
    assert found.copies is None and found.subjects == ("a",)
    assert leakage.without_shared(FIRST, larger)[1] == {"people": 1, "copies": 0}
    assert leakage.shared(FIRST, set_of("larger", [""], [10], size=8)).nothing


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [("tfd", "ckplus", "Susskind"), ("jaffe", "tfd", "JAFFE"), ("ferplus", "fer2013", "Barsoum")],
)
def test_what_is_published_about_two_sets_is_known_without_names_or_bytes(first, second, said):
    pair = set_of("one", [""], [1], dataset=first), set_of("two", [""], [2], dataset=second)
    assert said in leakage.known_overlap(*pair) and not leakage.shared(*pair).nothing
    with pytest.raises(DataError, match=f"'one' and 'two'.*{said}.*leave one of the two out"):
        leakage.require_apart(*pair)


def test_other_sets_and_a_set_itself_are_not_among_the_published():
    ckplus, jaffe = (set_of(name, [""], [1], dataset=name) for name in ("ckplus", "jaffe"))
    assert leakage.known_overlap(ckplus, jaffe) == leakage.known_overlap(ckplus, ckplus) == ""


def test_the_published_overlaps_are_of_sets_that_can_be_opened():
    assert {name for pair in leakage.OVERLAPS for name in pair} <= set(REGISTRY)
    assert all(len(pair) == 2 for pair in leakage.OVERLAPS)
