"""Counts of a face set, against a set small enough to count by hand."""

import numpy as np
import pandas as pd

from book.faces.study import change_metrics, inventory
from fer_lib.faces.faceset import FaceSet


def test_counts_of_a_hand_made_set():
    rows = [
        # subject, emotion, split, grey value: equal values are exact copies
        ("A", "anger", "train", 1),
        ("A", "fear", "train", 2),
        ("B", "fear", "train", 3),
        ("B", "anger", "valid", 1),  # a copy with the same label; B is also in train
        ("C", "anger", "test", 3),  # a copy with another label
        ("", "fear", "test", 4),
        ("", "fear", "test", 2),  # a copy; nobody is known on it
    ]
    table = pd.DataFrame(
        {
            "dataset": "hand",
            "subject": [row[0] for row in rows],
            "sequence": "",
            "frame": 0,
            "emotion": [row[1] for row in rows],
            "split": [row[2] for row in rows],
        }
    )
    pixels = np.stack([np.full((4, 4), row[3], np.uint8) for row in rows])
    found = {name: metric.value for name, metric in inventory(FaceSet("hand", pixels, table)).items()}
    assert found == {
        "pictures": 7,
        "train_pictures": 3,
        "valid_pictures": 1,
        "test_pictures": 3,
        "subjects": 3,
        "subjects_in_two_splits": 1,
        "classes": 2,
        "copies_valid_in_train": 1,
        "copies_test_in_train": 2,
        "copies_conflicting": 1,
    }


def test_a_set_without_emotions_is_counted_too():
    table = pd.DataFrame({"subject": ["A", "B"], "split": ["train", "test"], "emotion": ""})
    table = table.assign(dataset="hand", sequence="", frame=0)
    found = inventory(FaceSet("hand", np.zeros((2, 4, 4), np.uint8), table))
    assert found["classes"].value == 0 and found["copies_test_in_train"].value == 1
    assert found["copies_conflicting"].value == 0


def test_what_units_change_is_a_mean_over_units():
    found = change_metrics(pd.DataFrame({"inside": [0.9, 0.6], "region": [0.1, 0.3]}))
    assert {name: round(metric.value, 9) for name, metric in found.items()} == {
        "change_inside": 0.75,
        "region_share": 0.2,
        "switched_units": 2,
    }
    assert found["change_inside"].n == 2 and found["change_inside"].low is None
