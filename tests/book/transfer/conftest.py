"""Pictures that are nothing but their labels, for what is computed from answers."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from face_sets.faceset import FaceSet
from tests.made import made_faces


def blank_faces(
    emotions: Sequence[str], name: str = "toy", split: str | Sequence[str] = "test", **columns: object
) -> FaceSet:
    """A black picture of each of ``emotions``, of a person each; ``columns`` of the table that differ."""
    people = [f"{name}-{number}" for number in range(len(emotions))]
    known = {"subject": people, "emotion": emotions, "split": split}
    return made_faces(np.zeros((len(emotions), 8, 8), np.uint8), name, **known | columns)


def one_hot_answers(faces: FaceSet, classes: Sequence[str], right: np.ndarray) -> np.ndarray:
    """float32 (N, 2): sure of the true one of two ``classes`` where ``right``, else of the other."""
    labels = faces.labels(tuple(classes))
    return np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]


@pytest.fixture(scope="session")
def blank() -> Callable[..., FaceSet]:
    return blank_faces


@pytest.fixture(scope="session")
def answers() -> Callable[..., np.ndarray]:
    return one_hot_answers
