"""Counts of a face set, against a set small enough to count by hand."""

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.report.inventory import inventory


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
