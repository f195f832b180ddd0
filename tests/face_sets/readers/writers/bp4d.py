"""Writes what ``face_sets.readers.bp4d`` reads."""

import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from face_sets.faceset import FaceSet
from face_sets.facs_codes import intensity_levels
from face_sets.readers.bp4d import OCCURRENCE_AUS, PERSON, TASK, UNKNOWN
from face_sets.readers.own import encoded, write_picture
from tests.face_sets.readers.writers.sequences import frames_of, named_sequences

# The AUs for which intensities are coded.
_INTENSITY_AUS = (6, 10, 12, 14, 17)


def write_spontaneous(
    name: str,
    faces: FaceSet,
    coding: Path,
    first_cell: str,
    aus: Sequence[int],
    write: Callable[[str, str, int, np.ndarray], None],
) -> None:
    """Write the codes of ``faces`` to the folder ``coding`` and hand each picture to ``write(person, task,
    frame, pixels)``.

    The k-th of the sorted subjects becomes ``F00k`` (unless all are of the set ``name``), the k-th of a
    person's sorted sequences ``Tk`` (unless the table says the ``task``). The header of the occurrence files
    is ``first_cell``, above the frames, and ``aus``; AUs that have no column are not written. Present is
    every intensity above 0; for ``_INTENSITY_AUS`` levels are written as well.
    """
    counts: Counter[str] = Counter()
    levels = _levels(faces.table, aus)
    for person, subject, _, rows in named_sequences(faces, name, PERSON, "F{:03d}".format):
        counts[subject] += 1
        own = faces.table["task"].iloc[rows[0]] if "task" in faces.table.columns else ""
        task = own if TASK.fullmatch(str(own)) else f"T{counts[subject]}"
        for frame, pixels in frames_of(faces, rows):
            write(person, task, frame, pixels)
        codes = levels[rows]
        present = np.where(np.isnan(codes), UNKNOWN, codes > 0).astype(int)
        frames = faces.table["frame"].iloc[rows]
        table = np.column_stack([frames, present]).tolist()
        _write_csv(coding / "AU_OCC" / f"{person}_{task}.csv", [[first_cell, *aus], *table])
        for au in _INTENSITY_AUS:
            level = np.nan_to_num(codes[:, list(aus).index(au)], nan=UNKNOWN).astype(int)
            table = np.column_stack([frames, level]).tolist()
            _write_csv(coding / "AU_INT" / f"AU{au:02d}" / f"{person}_{task}_AU{au:02d}.csv", table)


def _levels(table: pd.DataFrame, aus: Sequence[int]) -> np.ndarray:
    """(N, len(aus)): levels 0 … 5 of the stronger half; NaN where not coded or without a column."""
    levels = np.full((len(table), len(aus)), np.nan)
    for k, au in enumerate(aus):
        if f"AU{au}" in table.columns:
            intensity = table[f"AU{au}"].to_numpy(float, na_value=np.nan)
            levels[:, k] = np.where(np.isnan(intensity), np.nan, intensity_levels(intensity))
    return levels


def _write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def write_bp4d(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``Sequences(2D+3D)/F001/T1/0000.jpg`` and ``AUCoding/``.

    Frames keep their numbers; emotions are not written, since the layout has none; JPEG changes grey values
    slightly. How people and tasks are named, and what becomes of AUs: see ``write_spontaneous``.
    """
    pictures = folder / "Sequences(2D+3D)"

    def write(person: str, task: str, frame: int, pixels: np.ndarray) -> None:
        write_picture(pictures / person / task / f"{frame:04d}.jpg", pixels)

    write_spontaneous("bp4d", faces, folder / "AUCoding", "0", range(1, 100), write)


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
