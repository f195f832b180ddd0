import numpy as np
import pandas as pd

from book.faces.study import label_table, picture_statistics
from fer_lib.faces.faceset import FaceSet


def faces(pixels: np.ndarray, **columns) -> FaceSet:
    table = pd.DataFrame({"subject": list("aabcc"), "emotion": ["anger", "anger", "fear", "fear", "anger"]})
    return FaceSet(
        "toy", pixels, table.assign(dataset="toy", sequence="", frame=0, split="train").assign(**columns)
    )


BLACK = np.zeros((5, 4, 4), np.uint8)


def values(row: pd.Series, *names: str) -> list[float]:
    return [round(row[name].value, 8) for name in names]


def test_picture_statistics_by_hand():
    stripes = np.tile(np.array([0, 100], np.uint8), (5, 4, 2))  # rows of 0 100 0 100
    ramp = np.tile(np.arange(4, dtype=np.uint8)[None, :, None] * 20, (5, 1, 4))  # the same left and right
    found = picture_statistics({"stripes": faces(stripes), "ramp": faces(ramp, subject="")}, 0).data
    assert found.loc["stripes", ["pictures", "people"]].tolist() == [5, 3]
    assert pd.isna(found.loc["ramp", "people"])
    # Equal pictures give every draw the same value: no interval, rather than one of no width.
    stripes, ramp = found.loc["stripes"], found.loc["ramp"]
    assert values(stripes, "grey", "contrast", "sharpness", "symmetry") == [50, 50, 1, -1]
    assert stripes["grey"].low is None and stripes["grey"].why
    assert values(ramp, "grey", "symmetry") == [30, 1]


def test_the_interval_of_a_picture_statistic_is_over_people():
    greys = np.array([0, 0, 100, 200, 200], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    by_person = picture_statistics({"s": faces(greys)}, 0).data.loc["s", "grey"]
    by_picture = picture_statistics({"s": faces(greys, subject="")}, 0).data.loc["s", "grey"]
    # Of three people all draws may be the dark one or the bright one; of five pictures hardly.
    assert (by_person.value, by_person.low, by_person.high) == (100, 0, 200)
    assert by_picture.value == 100 and 0 <= by_picture.low < by_picture.high <= 200
    assert "3 people" in by_person.how and "5 people" in by_picture.how


def test_pictures_are_compared_at_one_size():
    checks = (np.indices((96, 96)).sum(axis=0) % 2 * 200).astype(np.uint8)
    stripes = np.repeat(np.tile(np.array([0, 100], np.uint8), 24), 2)[None, :].repeat(96, axis=0)
    large = np.stack([stripes] * 5)
    found = picture_statistics({"large": faces(large), "fine": faces(np.stack([checks] * 5))}, 0).data
    assert values(found.loc["large"], "grey", "contrast", "sharpness") == [50, 50, 1]
    assert values(found.loc["fine"], "grey", "contrast") == [100, 0], "finer than can be compared"


def test_labels_by_hand():
    shown = ["anger", "fear", "fear", "fear", "anger"]
    votes = pd.DataFrame(
        {"vote_anger": [10, 6, 0, 0, 0], "vote_fear": [0, 4, 5, 10, 0], "vote_unknown": [0, 0, 5, 0, 0]}
    )
    sets = {
        "noisy": faces(BLACK, true_emotion=shown),
        "voted": faces(BLACK, **votes),
        "plain": faces(BLACK),
        "unlabelled": faces(BLACK, true_emotion=shown, emotion=""),
    }
    table = label_table(sets).data
    assert list(table.index) == ["noisy", "voted"]
    # One of five is wrong; the person drawn thrice has one wrong of two at most.
    wrong = table.loc["noisy", "wrong_labels"]
    assert (wrong.value, wrong.low, wrong.high, wrong.unit) == (0.2, 0, 0.5, "share")
    assert table.loc["noisy", ["votes_for_the_label", "unanimous"]].isna().all()
    # 1, .6, .5 and 1 of the votes of the four pictures with any; two of the four unanimous.
    assert table.loc["voted", ["votes_for_the_label", "unanimous"]].tolist() == [0.775, 0.5]
    assert pd.isna(table.loc["voted", "wrong_labels"])


def test_where_no_set_tells_how_wrong_its_labels_are_there_is_no_table():
    assert label_table({"plain": faces(BLACK)}) is None
