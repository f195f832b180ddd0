"""Writes what ``face_sets.readers.fer2013`` reads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from face_sets.faceset import EMOTIONS, FaceSet
from face_sets.readers.fer2013 import CODES, FERPLUS_HEADER, HEADER, SIDE, USAGE, VOTE_COLUMNS
from face_sets.readers.pictures import whole


def usage_of(faces: FaceSet) -> list[str]:
    """FER2013's names of the splits of all pictures: ``Training``, ``PublicTest``, ``PrivateTest``."""
    return faces.table["split"].map({split: name for name, split in USAGE.items()}).tolist()


def write_fer2013(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``fer2013.csv``, and its votes, if any, as
    ``fer2013new.csv``.

    Row i is picture i; pictures of another size than 48 × 48 are resampled. The layout keeps emotion,
    split and votes; who is shown, sequences, frames and action units are lost. ``Image name`` is
    ``fer`` and the seven-digit row.
    """
    write_csv(faces, folder / "fer2013.csv", [CODES.index(e) for e in faces.table["emotion"]])
    if any(column.startswith("vote_") for column in faces.table):
        write_votes(faces, folder / "fer2013new.csv", usage_of(faces))


def write_csv(faces: FaceSet, path: Path, codes: Sequence[int]) -> None:
    """Write the pictures of ``faces`` to ``path`` in the form of fer2013.csv, with the label ``codes``
    (N,).
    """
    pixels = [whole(picture, SIDE) for picture in faces.pixels]
    number = [str(value) for value in range(256)]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(HEADER + "\n")
        for picture, code, usage in zip(pixels, codes, usage_of(faces), strict=True):
            values = " ".join(map(number.__getitem__, picture.tobytes()))
            file.write(f"{code},{values},{usage}\n")


def write_votes(faces: FaceSet, path: Path, usage: Sequence[str]) -> None:
    """Write the votes of ``faces`` to ``path`` in the form of fer2013new.csv, with the ``usage`` (N,) of its
    rows.

    A column that the table lacks is written as 0; the picture's name is ``fer`` and the seven-digit row.
    """
    columns = [f"vote_{column.lower()}" for column in VOTE_COLUMNS]
    votes = faces.table.reindex(columns=columns, fill_value=0).astype(int).to_numpy().tolist()
    rows = zip(usage, votes, strict=True)
    lines = [
        f"{name},fer{row:07d}.png,{','.join(map(str, counts))}" for row, (name, counts) in enumerate(rows)
    ]
    path.write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n", encoding="ascii")


def write_ferplus(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``fer2013.csv`` and ``fer2013new.csv``.

    As ``write_fer2013``; contempt is allowed. Where ``faces`` has no votes, all ten go to its emotion; where
    it has, the label that is read back is that of the majority rule, not the emotion. The label in
    fer2013.csv is ``fer2013_emotion``, or else the emotion, neutral for contempt, which has no code there;
    ``read_ferplus`` takes no label from it.
    """
    if not any(column.startswith("vote_") for column in faces.table):
        emotion = faces.table["emotion"]
        votes = {f"vote_{name}": np.where(emotion == name, 10, 0) for name in EMOTIONS}
        faces = FaceSet(faces.name, faces.pixels, faces.table.assign(**votes))
    labels = faces.table.get("fer2013_emotion", faces.table["emotion"])
    codes = [CODES.index(label if label in CODES else "neutral") for label in labels]
    write_csv(faces, folder / "fer2013.csv", codes)
    write_votes(faces, folder / "fer2013new.csv", usage_of(faces))
