"""Writes what ``fer_lib.faces.readers.fer2013`` reads."""

from collections.abc import Sequence
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.fer2013 import FERPLUS_HEADER, VOTE_COLUMNS


def write_votes(faces: FaceSet, path: Path, usage: Sequence[str]) -> None:
    """Write the votes of ``faces`` to ``path`` in the form of fer2013new.csv, with the ``usage`` (N,) of its
    rows.

    A column that the table lacks is written as 0; the picture's name is ``fer`` and the seven-digit row.
    """
    columns = [f"vote_{column.lower()}" for column in VOTE_COLUMNS]
    votes = faces.table.reindex(columns=columns, fill_value=0).astype(int).to_numpy().tolist()
    rows = zip(usage, votes, strict=True)
    lines = [
        f"{name},fer{row:07d}.png,{','.join(map(str, counts))}" for row, (name, counts) in enumerate(rows)
    ]
    path.write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n", encoding="ascii")
