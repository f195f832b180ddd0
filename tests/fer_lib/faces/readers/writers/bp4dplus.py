"""Writes what ``fer_lib.faces.readers.bp4dplus`` reads."""

import zipfile
from pathlib import Path

import numpy as np

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.bp4dplus import OCCURRENCE_AUS
from fer_lib.faces.readers.own import encoded
from tests.fer_lib.faces.readers.writers.spontaneous import write_spontaneous


def write_bp4dplus(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``2D+3D/F001.zip`` … and ``AUCoding/``.

    Frames keep their numbers; neither emotions are written nor AUs outside ``OCCURRENCE_AUS``, since the
    layout has no place for them; JPEG changes grey values slightly. How people and tasks are named, and what
    becomes of AUs: see ``write_spontaneous``.
    """
    pictures = folder / "2D+3D"
    pictures.mkdir(parents=True)

    def write(person: str, task: str, frame: int, pixels: np.ndarray) -> None:
        with zipfile.ZipFile(pictures / f"{person}.zip", "a") as archive:
            # One date for all: equal sets give equal archives.
            archive.writestr(zipfile.ZipInfo(f"{person}/{task}/{frame:04d}.jpg"), encoded(pixels, ".jpg"))

    write_spontaneous("bp4dplus", faces, folder / "AUCoding", "frame", OCCURRENCE_AUS, write)
