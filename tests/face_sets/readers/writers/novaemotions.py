"""Writes what ``face_sets.readers.novaemotions`` reads."""

import csv
from pathlib import Path

import pandas as pd

from face_sets.faceset import EMOTIONS, FaceSet
from face_sets.readers.novaemotions import NOVA_CSV
from face_sets.readers.own import write_picture


def write_novaemotions(faces: FaceSet, folder: Path) -> None:
    """Write ``faces`` to the empty ``folder`` as ``novaemotions.csv`` and png pictures
    ``pictures/0000000.png`` ….

    The csv has a column ``emotion``; the vote columns are those of ``faces``, or one vote for the emotion.
    Names of subjects are kept less the prefix ``novaemotions-``, and the reader puts it before them. Frames
    and action units are lost.
    """
    table = faces.table
    columns = [f"vote_{emotion}" for emotion in EMOTIONS]
    if set(columns) & set(table):
        votes = table[[column for column in columns if column in table]]
    else:
        votes = pd.DataFrame({f"vote_{emotion}": table["emotion"] == emotion for emotion in EMOTIONS})
    with (folder / NOVA_CSV).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "subject", "emotion", *(c.removeprefix("vote_") for c in votes)])
        for row, counts in enumerate(votes.astype(int).to_numpy().tolist()):
            path = f"pictures/{row:07d}.png"
            write_picture(folder / path, faces.pixels[row])
            subject = table["subject"][row].removeprefix("novaemotions-")
            lines.writerow([path, subject, table["emotion"][row], *counts])
