"""Counts of small face sets and changes of toy units, worked out by hand."""

import numpy as np
import pytest

from book.faces.study import change_metrics, inventory
from synthetic_faces.studio import Switched
from tests.made import even_pictures, made_faces


def test_counts_of_a_hand_made_set():
    rows = [
        # subject, emotion, split, grey value: equal values are exact copies
        ("A", "anger", "train", 1),
        ("A", "fear", "train", 2),
        ("B", "fear", "train", 3),
        ("B", "anger", "valid", 1),  # a copy with the same label; B is also in train
        ("C", "anger", "test", 3),  # a copy with another label
        ("", "fear", "test", 4),
        ("", "fear", "test", 2),  # a copy without a subject label
    ]
    subject, emotion, split, greys = map(list, zip(*rows, strict=True))
    faces = made_faces(even_pictures(greys), subject=subject, emotion=emotion, split=split)
    found = {name: metric.value for name, metric in inventory(faces).items()}
    counts = {"pictures": 7, "train_pictures": 3, "valid_pictures": 1, "test_pictures": 3, "classes": 2}
    copies = {"copies_valid_in_train": 1, "copies_test_in_train": 2, "copies_conflicting": 1}
    assert found == counts | copies | {"subjects": 3, "subjects_in_two_splits": 1}
    unlabelled = inventory(made_faces(even_pictures([0, 0]), subject=["A", "B"], split=["train", "test"]))
    names = ("classes", "copies_test_in_train", "copies_conflicting")
    assert [unlabelled[name].value for name in names] == [0, 1, 0]


def test_what_units_change_is_a_mean_over_units_and_bytes_wrap_around():
    off, masks = np.full((4, 4), 100, np.uint8), np.zeros((2, 4, 4), bool)
    on = np.stack([off, off])
    on[0, 0] += 50  # all of it in its region, the first two rows
    on[1, 0] -= 8  # not visible, but 248 more as bytes
    on[1, 1:3] += 40
    masks[0, :2], masks[1, 2] = True, True
    found = change_metrics(Switched(("AU1", "AU12"), off, on, masks))
    expected = {"change_inside": (1 + 160 / 352) / 2, "region_share": 0.375, "switched_units": 2}
    # Of eight pixels four; of eight pixels four. The others': none of eight, four of twelve.
    expected |= {"overlap": 0.5, "overlap_of_others": (0 + 4 / 12) / 2}
    expected |= {"changed": 0.5, "changed_wrapped": 0.75}
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(expected, abs=1e-3)
