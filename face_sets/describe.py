"""The content of a face set, as tables and on a contact sheet; and whether a copy of a real set is complete:
every picture can be opened, also those that its reader does not use, and the counts are those of its
publication.
"""

import io
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from face_sets.faceset import SPLITS, UNLABELLED, FaceSet
from face_sets.leakage import copy_groups
from face_sets.readers.pictures import DAMAGE, SUFFIXES, is_litter, read_grey
from ferbook.errors import DataError
from ferbook.steps import steps


def split_table(faces: FaceSet) -> pd.DataFrame:
    """Count the pictures and subjects of each split, and the pictures of each class.

    Returns
    -------
    pandas.DataFrame
        Columns: the splits that have pictures, then ``total``. Rows: ``pictures``; ``subjects`` (missing if a
        picture has no subject label); one per class in the order of ``faces.classes``; ``no emotion`` if some
        have none.
    """
    table = faces.table
    classes = {emotion: emotion for emotion in faces.classes}
    if table["emotion"].eq(UNLABELLED).any():
        classes["no emotion"] = UNLABELLED
    columns = {}
    for split in (*SPLITS, "total"):
        part = table if split == "total" else table[table["split"].eq(split)]
        if part.empty:
            continue
        complete = part["subject"].ne("").all()
        counts = part["emotion"].value_counts()
        columns[split] = {
            "pictures": len(part),
            "subjects": part["subject"].nunique() if complete else pd.NA,
            **{name: int(counts.get(emotion, 0)) for name, emotion in classes.items()},
        }
    return pd.DataFrame(columns, dtype="Int64").rename_axis("")


def au_table(faces: FaceSet) -> pd.DataFrame:
    """Count how often each action unit was coded and seen.

    Returns
    -------
    pandas.DataFrame
        One row per AU of ``faces.aus``: ``coded`` and ``present`` (pictures), ``people`` who show it (missing
        if a set does not identify its people), ``intensity`` (mean over the pictures that show it, 0 to 1;
        NaN if none does).
    """
    rows = {}
    for au in faces.aus:
        values = faces.table[au]
        present = values.gt(0)
        people = faces.table.loc[present, "subject"]
        rows[au] = {
            "coded": int(values.notna().sum()),
            "present": int(present.sum()),
            "people": people.nunique() if people.ne("").all() else pd.NA,
            "intensity": values[present].mean(),
        }
    columns = ["coded", "present", "people", "intensity"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("")


def people_table(faces: FaceSet) -> pd.DataFrame:
    """Count the pictures and sequences per person: least, median and most, in each split."""
    table = faces.table[faces.table["subject"].ne("")]
    counts = table.groupby(["split", "subject"]).agg(
        pictures=("frame", "size"), sequences=("sequence", "nunique")
    )
    per_split = counts.groupby("split")
    rows = {"people": per_split.size().astype(float)}
    for what, (name, function) in product(counts, (("least", "min"), ("median", "median"), ("most", "max"))):
        rows[f"{what}, {name}"] = per_split[what].agg(function).astype(float)
    known = [split for split in SPLITS if split in rows["people"].index]
    if not known:
        return pd.DataFrame()
    return pd.DataFrame(rows).T[known].rename_axis("", axis=0).rename_axis(None, axis=1)


def notes(faces: FaceSet) -> list[str]:
    """List problems of a set, a sentence each: a split without a picture, a class that a split lacks, names
    of people that differ only in letter case.
    """
    table = faces.table[faces.table["emotion"].ne(UNLABELLED)]
    lacks = {
        "train": "no network can learn",
        "valid": "no epoch can be chosen",
        "test": "no accuracy can be measured",
    }
    sentences = []
    for split, why in lacks.items():
        shown = set(table.loc[table["split"].eq(split), "emotion"])
        absent = [emotion for emotion in faces.classes if emotion not in shown]
        if not shown:
            sentences.append(f"split {split} has no picture with an emotion: {why}")
        elif absent:
            sentences.append(f"split {split} has no picture of {', '.join(absent)}: {why} of it")
    return sentences + names_in_two_cases(faces)


def names_in_two_cases(faces: FaceSet) -> list[str]:
    """Return a sentence for each group of people whose names differ only in letter case, as ``Ada`` and
    ``ada``.
    """
    people = pd.Series(faces.table["subject"].unique())
    return [
        f"{', '.join(sorted(same))} differ in letter case only, and count as {len(same)} people"
        for _, same in people.groupby(people.str.casefold())
        if len(same) > 1
    ]


def open_every_picture(files: list[Path]) -> int:
    """Open all of ``files`` that are pictures, and test all archives among them; return the number of both.

    Readers use a few pictures of each sequence, and so would not notice that another is damaged. Raises
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
    """Compare the counts of a set with those of its publication: one dict per entry of ``published``, with
    ``what``, ``published``, ``found``.

    Entries count ``pictures``, ``subjects``, ``sequences`` or ``labelled sequences``, or name a label:
    ``sequences of anger``, ``pictures of anger`` (a neutral first frame does not make its sequence neutral).
    """
    return [
        {"what": what, "published": count, "found": _count(faces, what)} for what, count in published.items()
    ]


def equal_pictures(faces: FaceSet) -> int:
    """Count the pictures that equal an earlier one, pixel for pixel: copies, or files that were
    overwritten.
    """
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
    """Count the sequences: those of different people may have the same names."""
    return len(table[["subject", "sequence"]].drop_duplicates())


_TEXT_WIDTH = 90


def contact_sheet(faces: FaceSet, columns: int = 12, seed: int = 0) -> bytes:
    """Draw a contact sheet of each emotion, one row per emotion, with as many people as possible.

    Of a sequence its last picture is used, the strongest if sequences run from neutral to apex; if the table
    has the ``apex``, that one. Pictures below 96 pixels are doubled.

    Parameters
    ----------
    faces : FaceSet
    columns : int
        Pictures in a row.
    seed : int
        Of the selection.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    DataError
        The set has no pictures.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no pictures to show")
    rng = np.random.default_rng(seed)
    rows = {
        emotion or "not labelled": _drawn(faces, emotion, columns, rng) for emotion in (*faces.classes, "")
    }
    rows = {label: indices for label, indices in rows.items() if len(indices)}
    scale = 2 if max(faces.size) < 96 else 1
    height, width = (scale * side for side in faces.size)
    sheet = Image.new("L", (_TEXT_WIDTH + columns * (width + 2), len(rows) * (height + 2)), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for line, (label, indices) in enumerate(rows.items()):
        top = line * (height + 2)
        draw.text((4, top + height // 2 - 8), label, fill=0, font=font)
        for place, picture in enumerate(faces.gather(indices)):
            image = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(image, (_TEXT_WIDTH + place * (width + 2), top))
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _drawn(faces: FaceSet, emotion: str, columns: int, rng: np.random.Generator) -> np.ndarray:
    table = faces.table[faces.table["emotion"].eq(emotion)]
    if "apex" in table:
        table = table[table["apex"].isna() | table["frame"].eq(table["apex"])]
    table = table.groupby(["subject", "sequence"]).tail(1)
    table = table.iloc[rng.permutation(len(table))]
    again = table["subject"].duplicated() & table["subject"].ne("")
    return table.index.to_numpy()[np.argsort(again.to_numpy(), kind="stable")][:columns]
