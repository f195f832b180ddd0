"""Writes what ``fer_lib.faces.readers.bp4d`` reads."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.facs_codes import intensity_levels
from fer_lib.faces.readers.bp4d import _TASK, _UNKNOWN, PERSON
from tests.fer_lib.faces.readers.writers.sequences import frames_of, named_sequences

_INTENSITY_AUS = (6, 10, 12, 14, 17)
"""The AUs for which intensities are coded."""


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
        task = own if _TASK.fullmatch(str(own)) else f"T{counts[subject]}"
        for frame, pixels in frames_of(faces, rows):
            write(person, task, frame, pixels)
        codes = levels[rows]
        present = np.where(np.isnan(codes), _UNKNOWN, codes > 0).astype(int)
        frames = faces.table["frame"].iloc[rows]
        table = np.column_stack([frames, present]).tolist()
        _write_csv(coding / "AU_OCC" / f"{person}_{task}.csv", [[first_cell, *aus], *table])
        for au in _INTENSITY_AUS:
            level = np.nan_to_num(codes[:, list(aus).index(au)], nan=_UNKNOWN).astype(int)
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
