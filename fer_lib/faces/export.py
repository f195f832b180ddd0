"""A face set written out in the official layout of another: whole, or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path

from fer_lib.faces.faceset import LABELS, FaceSet
from fer_lib.faces.registry import EXPORT_NOTE, REGISTRY, require_layout, set_name, write_layout
from ferbook.errors import DataError, ParameterError
from ferbook.files import whole_folder


def export_faces(faces: FaceSet, layout: str, data_dir: Path) -> Path:
    """Write ``faces`` to the folder ``layout`` below ``data_dir``, in the official layout of that real set.

    Read back with ``FER_DATA`` set to ``data_dir``, the set gives the same labels, people, action units and
    frames, at the layout's resolution. A note in the folder says that these are not the official pictures.
    Returns the folder. Raises ParameterError for an unknown layout, DataError where the folder exists
    already, cannot be written, or ``faces`` lacks what the layout holds; nothing is left behind then.
    """
    folder = export_folder(layout, data_dir)
    if not len(faces):
        raise DataError(f"face set {faces.name!r}: no pictures to write")
    try:
        with whole_folder(folder) as partial:
            write_layout(layout, faces, partial)
            note = {"exported_from": set_name(faces.name), "pictures": len(faces), "checksum": faces.checksum}
            (partial / EXPORT_NOTE).write_text(json.dumps(note, indent=2) + "\n")
    except OSError as fault:
        raise DataError(
            f"{folder}: the faces could not be written ({fault}); make room or choose another folder"
        ) from fault
    return folder


def export_folder(layout: str, data_dir: Path) -> Path:
    """The folder that ``export_faces`` would write; asked before the faces are made, which can take minutes.

    Raises ParameterError for an unknown layout, DataError where the folder exists already.
    """
    require_layout(layout)
    if layout not in REGISTRY:
        raise ParameterError(f"{layout!r} is a set of yours; its layout is called own")
    folder = data_dir / layout
    if folder.exists() or folder.is_symlink():
        raise DataError(f"{folder}: exists already; name another folder, or move it away")
    return folder


def leave_out(faces: FaceSet, emotions: Sequence[str]) -> FaceSet:
    """``faces`` without the sequences that show one of ``emotions``: a layout may have no name for some.

    A sequence goes as a whole, with the neutral pictures that it starts from. Raises ParameterError for an
    emotion that is not one of ``LABELS``.
    """
    unknown = [emotion for emotion in emotions if emotion not in LABELS]
    if unknown:
        raise ParameterError(f"no emotion {unknown[0]!r} to leave out; there are {', '.join(LABELS)}")
    table = faces.table
    shows = table["emotion"].isin(emotions)
    return faces.select(~shows.groupby([table["subject"], table["sequence"]]).transform("any").to_numpy())
