"""Face sets of pairs that a test makes up."""

import numpy as np

from face_sets.faceset import FaceSet
from tests.made import made_faces


def at_rest_and_happy(name: str, pixels: np.ndarray) -> FaceSet:
    """Of ``pixels`` two for each person, in one sequence: at rest, and happy."""
    people = len(pixels) // 2
    who = np.repeat(np.arange(people), 2)
    known = {"subject": [f"{name}-{k:02d}" for k in who], "sequence": [f"{k}" for k in who], "split": "train"}
    shown = {"frame": np.tile([0, 1], people), "emotion": np.tile(["neutral", "happiness"], people)}
    return made_faces(pixels, name, **known, **shown)
