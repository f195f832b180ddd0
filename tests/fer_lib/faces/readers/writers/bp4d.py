"""Writes what ``fer_lib.faces.readers.bp4d`` reads."""

from pathlib import Path

import numpy as np

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.own import write_picture
from tests.fer_lib.faces.readers.writers.spontaneous import write_spontaneous


def write_bp4d(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``Sequences(2D+3D)/F001/T1/0000.jpg`` and ``AUCoding/``.

    Frames keep their numbers; emotions are not written, since the layout has none; JPEG changes grey values
    slightly. How people and tasks are named, and what becomes of AUs: see ``write_spontaneous``.
    """
    pictures = folder / "Sequences(2D+3D)"

    def write(person: str, task: str, frame: int, pixels: np.ndarray) -> None:
        write_picture(pictures / person / task / f"{frame:04d}.jpg", pixels)

    write_spontaneous("bp4d", faces, folder / "AUCoding", "0", range(1, 100), write)
