"""Nearest neighbours of five pictures, by hand."""

import numpy as np
import pytest

from book.faces.study import leak_metrics, nearest
from tests.made import made_faces


def test_nearest_neighbours_of_all_and_of_other_people():
    # Anger 0 and 10 by a, fear 90 by b and 100 by c, anger 200 by c.
    pixels = np.array([0, 10, 90, 100, 200], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    emotions = ["anger", "anger", "fear", "fear", "anger"]
    faces = made_faces(pixels, subject=list("aabcc"), emotion=emotions)
    found = nearest(faces)
    assert found["of_all"].tolist() == [1, 0, 3, 2, 3]
    assert found["of_other_people"].tolist() == [2, 2, 3, 2, 2]
    metrics = leak_metrics(faces, found)
    assert [metrics[name].value for name in ("leaky", "honest", "leak")] == pytest.approx([0.8, 0.4, 40])
    assert metrics["leaky"].unit == "share" and metrics["leak"].low is not None
    alone = nearest(made_faces(pixels, emotion=emotions))
    assert alone["of_all"].equals(alone["of_other_people"]), "without labels each is a separate subject"
