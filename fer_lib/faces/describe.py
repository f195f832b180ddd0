"""What a face set holds, as tables: its splits, its people, its action units."""

import pandas as pd

from fer_lib.faces.faceset import SPLITS, UNLABELLED, FaceSet


def split_table(faces: FaceSet) -> pd.DataFrame:
    """How many pictures and subjects each split holds, and how many pictures of each class.

    Columns: the splits that have pictures, then ``total``. Rows: ``pictures``; ``subjects`` (missing where
    a picture does not say who is on it); one per class in the order of ``faces.classes``; ``no emotion``
    where some have none.
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
    """How often each action unit was coded and seen; one row per AU of ``faces.aus``.

    Columns: ``coded`` and ``present`` (pictures), ``people`` who show it (missing where a set does not know
    its people), ``intensity`` (mean over the pictures that show it, 0 to 1; NaN where none does).
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
    """How many pictures and sequences people have: least, median and most, in each split."""
    table = faces.table[faces.table["subject"].ne("")]
    per_person = table.groupby(["split", "subject"]).agg(
        pictures=("frame", "size"), sequences=("sequence", "nunique")
    )
    counts = {
        split: {
            "people": len(part),
            **{
                f"{what}, {name}": float(getattr(part[what], function)())
                for what in ("pictures", "sequences")
                for name, function in (("least", "min"), ("median", "median"), ("most", "max"))
            },
        }
        for split, part in ((s, per_person[per_person.index.get_level_values(0) == s]) for s in SPLITS)
        if len(part)
    }
    return pd.DataFrame(counts).rename_axis("")


def notes(faces: FaceSet) -> list[str]:
    """What its owner should know, a sentence each: a split without a picture, a class that a split lacks,
    names of people that differ in letter case only.
    """
    table = faces.table[faces.table["emotion"].ne(UNLABELLED)]
    lacks = {
        "train": "no network can learn",
        "valid": "no epoch can be chosen",
        "test": "no accuracy can be told",
    }
    sentences = []
    for split, why in lacks.items():
        shown = set(table.loc[table["split"].eq(split), "emotion"])
        absent = [emotion for emotion in faces.classes if emotion not in shown]
        if not shown:
            sentences.append(f"split {split} has no picture with an emotion: {why}")
        elif absent:
            sentences.append(f"split {split} has no picture of {', '.join(absent)}: {why} of it")
    people = pd.Series(faces.table["subject"].unique())
    for _, same in people.groupby(people.str.casefold()):
        if len(same) > 1:
            names = ", ".join(sorted(same))
            sentences.append(f"{names} differ in letter case only, and count as {len(same)} people")
    return sentences
