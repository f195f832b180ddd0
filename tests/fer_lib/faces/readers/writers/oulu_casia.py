"""Writes what ``fer_lib.faces.readers.oulu_casia`` reads."""

from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.oulu_casia import _LAYOUT, _LIGHT
from tests.fer_lib.faces.readers.writers.posed import write_posed


def write_oulu_casia(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``B_OriginalImg/OriginalImg/VL/Strong``.

    The k-th of the sorted subjects becomes ``P00k``; JPEG changes grey values slightly; AUs are not written,
    since the layout has none.
    """
    write_posed(_LAYOUT, faces, folder / "B_OriginalImg" / "OriginalImg" / "VL" / _LIGHT, "P{:03d}".format)
