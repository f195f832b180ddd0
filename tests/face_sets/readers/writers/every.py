"""Any face set written in the layout of any real one, by the writer that belongs to its reader."""

import importlib
from pathlib import Path

from face_sets.faceset import FaceSet
from face_sets.registry import REGISTRY
from ferbook.files import whole_folder


def write_layout(name: str, faces: FaceSet, folder: Path) -> Path:
    """Write ``faces`` in the layout of ``name`` to ``folder``, which is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    module = REGISTRY[name].module
    place = module if name == "own" else f"tests.face_sets.readers.writers.{module.rpartition('.')[2]}"
    getattr(importlib.import_module(place), f"write_{name}")(faces, folder)
    return folder


def export_faces(faces: FaceSet, layout: str, data: Path) -> Path:
    """As ``write_layout``, to the folder ``layout`` below ``data``; whole or not at all."""
    with whole_folder(data / layout) as partial:
        write_layout(layout, faces, partial)
    return data / layout
