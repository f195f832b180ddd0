"""Writes what ``fer_lib.faces.readers.fer2013`` reads."""

from collections.abc import Sequence
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.fer2013 import CODES, HEADER, SIDE, USAGE, resized
from tests.fer_lib.faces.readers.writers.votes import write_votes


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
    pixels = resized(faces, SIDE).pixels
    number = [str(value) for value in range(256)]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(HEADER + "\n")
        for picture, code, usage in zip(pixels, codes, usage_of(faces), strict=True):
            values = " ".join(map(number.__getitem__, picture.tobytes()))
            file.write(f"{code},{values},{usage}\n")
