"""Tiny face sets without faces, for the readers and writers of clips."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd

from face_sets.faceset import FaceSet


def pictures(count: int, size: int = 24, seed: int = 0) -> np.ndarray:
    """uint8 (count, size, size): smooth pictures, all different, so that JPEG keeps them nearly as they
    are.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    level, across, down = rng.uniform(40, 90, (3, count, 1, 1))
    return (level + across * x + down * y * y).astype(np.uint8)


def move_below(place: Path, target: Path) -> None:
    """Move ``place`` to ``target``, which may lie in a folder of the same name."""
    apart = place.rename(place.with_name("apart"))
    target.parent.mkdir(parents=True, exist_ok=True)
    apart.rename(target)


def edit_sheet(folder: Path, *cells: tuple[int, int, object]) -> None:
    """Set ``cells`` (row, column from 1, value) of the one workbook in ``folder``."""
    (path,) = folder.glob("*.xlsx")
    book = openpyxl.load_workbook(path)
    for row, column, value in cells:
        book.active.cell(row, column).value = value
    book.save(path)


def repack(path: Path, edit: Callable[[dict[str, bytes]], dict[str, bytes] | None]) -> None:
    """Write the archive at ``path`` anew, its entries (name -> content) changed by ``edit``."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries = edit(entries) or entries
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def micro_faces(emotions=("happiness", "disgust", "repression"), people: int = 3, frames: int = 5) -> FaceSet:
    """A clip of each emotion by each of ``people``: frames 10, 13, 16 …, onset, apex and offset among them,
    AUs by halves.
    """
    rows = [
        {
            "dataset": "micro",
            "subject": f"micro-{person:04d}",
            "sequence": f"{k:03d}",
            "frame": 10 + 3 * t,
            "emotion": emotion,
            "split": "train",
            "onset": 10,
            "apex": 10 + 3 * (frames // 2),
            "offset": 10 + 3 * (frames - 1),
            "fps": 200.0,
            # Full at the apex in the middle, none at onset and offset.
            **{
                f"AU{au}{half}": full * (1 - abs(2 * t / (frames - 1) - 1))
                for au, left, right in (
                    (4, 0.3, 0.3),
                    (12, 0.3 * (k == 0), 0.0),
                    (7, 0.1, 0.25),
                    (15, 0.0, 0.0),
                )
                for half, full in (("", max(left, right)), ("_left", left), ("_right", right))
            },
        }
        for person in range(people)
        for k, emotion in enumerate(emotions)
        for t in range(frames)
    ]
    return FaceSet("micro", pictures(len(rows)), pd.DataFrame(rows))


def posed_faces(
    emotions=("anger", "happiness"), people: int = 3, frames=(0, 17, 18, 119), **columns: object
) -> FaceSet:
    """A sequence of each emotion by each of ``people``: the first picture neutral, AUs 6 and 12 rising."""
    rows = [
        {
            "dataset": "lab",
            "subject": f"lab-{person:04d}",
            "sequence": f"{k:03d}",
            "frame": frame,
            "emotion": emotion if t else "neutral",
            "split": "train",
            "AU6": round(min(0.2 * t, 1.0), 1),
            "AU12": min(0.31 * t, 1.0),
            "AU25": float(t == 3),
        }
        for person in range(people)
        for k, emotion in enumerate(emotions)
        for t, frame in enumerate(frames)
    ]
    return FaceSet("lab", pictures(len(rows)), pd.DataFrame(rows).assign(**columns))


def by_sequence(faces: FaceSet) -> pd.DataFrame:
    """The table sorted by subject, sequence and frame, as writers and readers go through it, with ``row`` in
    ``pixels``.
    """
    table = faces.table.assign(row=np.arange(len(faces)))
    return table.sort_values(["subject", "sequence", "frame"]).reset_index(drop=True)
