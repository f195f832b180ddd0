"""Published counts beside found ones: each kind of count by hand."""

import numpy as np
import pandas as pd

from fer_lib.faces.describe import published_table
from fer_lib.faces.faceset import FaceSet


def test_each_kind_of_count():
    rows = [("S1", "a", "neutral"), ("S1", "a", "anger"), ("S1", "a", "anger")]
    rows += [("S1", "b", ""), ("S2", "a", "neutral"), ("", "d", "fear")]
    table = pd.DataFrame(rows, columns=["subject", "sequence", "emotion"])
    table = table.assign(dataset="toy", frame=range(6), split="train")
    faces = FaceSet("toy", np.zeros((6, 2, 2), np.uint8), table)
    counted = {
        "pictures": 6,
        "subjects": 2,
        "sequences": 4,
        "labelled sequences": 2,
        "pictures of anger": 2,
        "sequences of anger": 1,
        "sequences of surprise": 0,
    }
    rows = published_table(faces, dict.fromkeys(counted, 9))
    assert {row["what"]: row["found"] for row in rows} == counted
    assert all(row["published"] == 9 for row in rows)
