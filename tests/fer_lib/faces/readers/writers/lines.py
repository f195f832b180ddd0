"""Writes what ``fer_lib.faces.readers.lines`` reads."""

from collections.abc import Collection

import numpy as np

from fer_lib.faces.faceset import UNLABELLED, FaceSet
from ferbook.errors import DataError


def require_labels(faces: FaceSet, choices: Collection[str], layout: str, unlabelled: bool = False) -> None:
    """Raise DataError, naming the row, unless every emotion is among ``choices`` (or empty, with
    ``unlabelled``).
    """
    emotion = faces.table["emotion"]
    wrong = np.flatnonzero(~emotion.isin([*choices, UNLABELLED] if unlabelled else [*choices]))
    if len(wrong):
        raise DataError(
            f"face set {faces.name!r}, row {wrong[0]}: the layout of {layout} has no label for "
            f"{emotion[wrong[0]] or 'an unlabelled picture'!r}; select the pictures of {', '.join(choices)} "
            "first"
        )
