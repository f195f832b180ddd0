import numpy as np
import pytest

from book.faces.study import leak_metrics, nearest
from face_sets.faceset import FaceSet
from tests.made import made_faces


def faces(pixels: np.ndarray, **columns) -> FaceSet:
    emotions = ["anger", "anger", "fear", "fear", "anger"]
    known = {"subject": list("aabcc"), "emotion": emotions, "split": "train"}
    return made_faces(pixels, **known | columns)


def test_a_leak_by_hand():
    # Anger 0 and 10 by a, fear 90 by b and 100 by c, anger 200 by c.
    pixels = np.array([0, 10, 90, 100, 200], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    found = nearest(faces(pixels))
    assert found["of_all"].tolist() == [1, 0, 3, 2, 3]
    assert found["of_other_people"].tolist() == [2, 2, 3, 2, 2]
    metrics = leak_metrics(faces(pixels), found)
    assert [metrics[name].value for name in ("leaky", "honest", "leak")] == pytest.approx([0.8, 0.4, 0.4])
    assert metrics["leak"].unit == "share" and metrics["leak"].low is not None
    alone = nearest(faces(pixels, subject=""))
    assert alone["of_all"].equals(alone["of_other_people"]), (
        "a picture of nobody known is a person of its own"
    )
