"""Writes what ``fer_lib.faces.readers.votes`` reads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.votes import FERPLUS_HEADER, VOTE_COLUMNS
from ferbook.errors import DataError


def whole_votes(faces: FaceSet, votes: pd.DataFrame, most: int) -> list[list[int]]:
    """The counts ``votes`` of ``faces``, row by row. Raises DataError, naming the row, unless all are whole
    numbers up to ``most``.
    """
    counts = votes.to_numpy(float)
    wrong = np.argwhere((counts % 1 != 0) | (counts > most))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"face set {faces.name!r}, row {row}: {votes.columns[column]} is {counts[row, column]:g}; this "
            f"layout holds whole numbers up to {most}"
        )
    return counts.astype(int).tolist()


def write_votes(faces: FaceSet, path: Path, usage: Sequence[str]) -> None:
    """Write the votes of ``faces`` to ``path`` in the form of fer2013new.csv, with the ``usage`` (N,) of its
    rows.

    A column that the table lacks is written as 0; the picture's name is ``fer`` and the seven-digit row.
    Raises DataError, naming the row, for a count that is not a whole number below 1000.
    """
    columns = [f"vote_{column.lower()}" for column in VOTE_COLUMNS]
    votes = whole_votes(faces, faces.table.reindex(columns=columns, fill_value=0), 999)
    rows = zip(usage, votes, strict=True)
    lines = [
        f"{name},fer{row:07d}.png,{','.join(map(str, counts))}" for row, (name, counts) in enumerate(rows)
    ]
    path.write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n", encoding="ascii")
