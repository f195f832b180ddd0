"""Writes what ``fer_lib.faces.readers.bu4dfe`` reads."""

from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.bu4dfe import _LAYOUT
from tests.fer_lib.faces.readers.writers.posed import write_posed


def write_bu4dfe(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``BU_4DFE/F001/Fear/000.jpg`` ….

    The k-th of the sorted subjects becomes ``F00k``, whoever that is; JPEG changes grey values slightly; AUs
    are not written. Of a sequence of more than four pictures the reader keeps four.
    """
    write_posed(_LAYOUT, faces, folder / "BU_4DFE", "F{:03d}".format)
