"""Writes what ``fer_lib.faces.readers.ferplus`` reads."""

from pathlib import Path

import numpy as np

from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.readers.fer2013 import CODES
from fer_lib.faces.readers.ferplus import _VOTERS
from tests.fer_lib.faces.readers.writers.fer2013 import usage_of, write_csv
from tests.fer_lib.faces.readers.writers.votes import write_votes


def write_ferplus(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``fer2013.csv`` and ``fer2013new.csv``.

    As ``write_fer2013``; contempt is allowed. Where ``faces`` has no votes, all ten go to its emotion; where
    it has, the label that is read back is that of the majority rule, not the emotion. The label in
    fer2013.csv is ``fer2013_emotion``, or else the emotion, neutral for contempt, which has no code there;
    ``read_ferplus`` takes no label from it.
    """
    if not any(column.startswith("vote_") for column in faces.table):
        emotion = faces.table["emotion"]
        votes = {f"vote_{name}": np.where(emotion == name, _VOTERS, 0) for name in EMOTIONS}
        faces = FaceSet(faces.name, faces.pixels, faces.table.assign(**votes))
    labels = faces.table.get("fer2013_emotion", faces.table["emotion"])
    codes = [CODES.index(label if label in CODES else "neutral") for label in labels]
    write_csv(faces, folder / "fer2013.csv", codes)
    write_votes(faces, folder / "fer2013new.csv", usage_of(faces))
