"""Emotion names as data sets write them, and whether a layout has one for each picture of a set."""

from collections.abc import Collection

import numpy as np

from fer_lib.errors import DataError
from fer_lib.faces.faceset import EMOTIONS, UNLABELLED, FaceSet

SPELLINGS = {emotion: emotion for emotion in EMOTIONS} | {
    **{"angry": "anger", "disgusted": "disgust", "fearful": "fear", "scared": "fear"},
    **{"happy": "happiness", "sad": "sadness", "surprised": "surprise"},
}
"""Names of folders and columns, in lower case, and the emotion of ``EMOTIONS`` that each means."""


def require_labels(faces: FaceSet, allowed: Collection[str], layout: str, unlabelled: bool = False) -> None:
    """Raise DataError, naming the row, unless every emotion is among ``allowed`` (or empty, with ``unlabelled``)."""
    emotion = faces.table["emotion"]
    wrong = np.flatnonzero(~emotion.isin([*allowed, UNLABELLED] if unlabelled else [*allowed]))
    if len(wrong):
        raise DataError(
            f"face set {faces.name!r}, row {wrong[0]}: the layout of {layout} has no label for "
            f"{emotion[wrong[0]] or 'an unlabelled picture'!r}; select the pictures of {', '.join(allowed)} first"
        )
