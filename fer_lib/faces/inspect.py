"""Whether a copy of a real set is whole: every picture can be opened, those included that its reader passes
over, and it holds what its publication counts.
"""

import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from fer_lib.faces.faceset import UNLABELLED, FaceSet
from fer_lib.faces.leakage import copy_groups
from fer_lib.faces.readers.pictures import DAMAGE, SUFFIXES, is_litter, read_grey
from ferbook.errors import DataError
from ferbook.steps import steps


def open_every_picture(files: list[Path]) -> int:
    """Open all of ``files`` that are pictures, and test all archives among them; returns how many of both
    there are.

    Readers keep a few pictures of each sequence, and so would not notice that another is damaged. Raises
    DataError that names the first file that cannot be read.
    """
    files = [file for file in files if file.suffix.lower() in (*SUFFIXES, ".zip") and not is_litter(file)]
    with ThreadPoolExecutor() as threads, steps("pictures", len(files)) as advance:
        for _ in threads.map(_open, files):
            advance(1)
    return len(files)


def _open(file: Path) -> None:
    if file.suffix.lower() != ".zip":
        read_grey(file)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.testzip()
    except DAMAGE as fault:
        raise DataError(f"{file}: not a readable zip archive ({fault})") from fault
    if entry:
        raise DataError(f"{file}, {entry}: damaged in the archive")


def published_table(faces: FaceSet, published: Mapping[str, int]) -> list[dict]:
    """One dict per entry of ``published``: ``what``, ``published``, ``found``.

    Entries count ``pictures``, ``subjects``, ``sequences`` or ``labelled sequences``, or name a label:
    ``sequences of anger``, ``pictures of anger`` (a neutral first frame does not make its sequence neutral).
    """
    return [
        {"what": what, "published": count, "found": _count(faces, what)} for what, count in published.items()
    ]


def equal_pictures(faces: FaceSet) -> int:
    """How many pictures equal one before them, pixel for pixel: copies, or files that were written over."""
    return len(faces) - len(set(copy_groups(faces)))


def _count(faces: FaceSet, what: str) -> int:
    table = faces.table
    if what == "subjects":
        return table.loc[table["subject"].ne(""), "subject"].nunique()
    if what == "labelled sequences":
        return _sequences(table[~table["emotion"].isin((UNLABELLED, "neutral"))])
    kind, _, label = what.partition(" of ")
    part = table[table["emotion"].eq(label)] if label else table
    return len(part) if kind == "pictures" else _sequences(part)


def _sequences(table: pd.DataFrame) -> int:
    """How many there are: people's sequences may have the same names."""
    return len(table[["subject", "sequence"]].drop_duplicates())
