"""Leakage: the same subject or the very same picture on both sides of a split."""

from itertools import combinations

import numpy as np
import pandas as pd
from pandas.api.typing import NAType
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_lib.faces.faceset import SPLITS, FaceSet


def copy_groups(faces: FaceSet) -> np.ndarray:
    """int64 (N,): equal pictures share a number; numbers follow first appearance, from 0.

    Pictures are compared by their bytes, every pixel of them: the dictionary finds candidates by
    hash and settles each by comparison.
    """
    numbers: dict[bytes, int] = {}
    return np.fromiter(
        (numbers.setdefault(picture.tobytes(), len(numbers)) for picture in faces.pixels),
        np.int64,
        len(faces),
    )


def exact_copies(faces: FaceSet, inside: str = "train") -> np.ndarray:
    """bool (N,): True for pictures outside the split ``inside`` that equal, pixel for pixel, one within."""
    group = copy_groups(faces)
    within = (faces.table["split"] == inside).to_numpy()
    return ~within & np.isin(group, group[within])


def independent_groups(faces: FaceSet) -> np.ndarray:
    """int64 (N,): pictures that are not independent of each other share a code, for intervals that resample
    groups.

    A group is a subject; of pictures that do not say who is on them, those that exact copies and the frames
    of one sequence tie together.
    """
    table, row = faces.table, pd.Series(np.arange(len(faces)))
    unknown = table["subject"] == ""
    ties = (
        row.groupby(table["subject"]).transform("first").where(~unknown, row),
        row.groupby([unknown, copy_groups(faces)]).transform("first").where(unknown, row),
        row.groupby([unknown, table["dataset"], table["sequence"]])
        .transform("first")
        .where(unknown & (table["sequence"] != ""), row),
    )
    pairs = np.tile(row, len(ties)), np.concatenate(ties)
    graph = coo_array((np.ones(len(pairs[0]), bool), pairs), (len(row), len(row)))
    return pd.factorize(connected_components(graph, directed=False)[1])[0].astype(np.int64)


def people_in_both(first: np.ndarray, second: np.ndarray) -> int | NAType:
    """How many of the subjects ``first`` are also among ``second``, at least; missing (``<NA>``) where none
    is known to be, but one of two sides that are not empty has a picture of nobody known.
    """
    people = [set(subjects) for subjects in (first, second)]
    both = (people[0] & people[1]) - {""}
    return pd.NA if not both and all(people) and "" in people[0] | people[1] else len(both)


def leakage_table(faces: FaceSet) -> pd.DataFrame:
    """One row per pair of splits (``first``, ``second``): what the two share.

    ``subjects_in_common``: subjects with pictures in both, as ``people_in_both``. ``exact_copies``: pictures
    of ``second`` that equal a picture of ``first``. ``conflicting_labels``: those of them whose emotion
    differs from that of at least one such picture of ``first``; having none counts as one of its own.
    """
    group = copy_groups(faces)
    emotion = pd.factorize(faces.table["emotion"])[0]
    split = faces.table["split"].to_numpy()
    subject = faces.table["subject"].to_numpy()
    rows = []
    for first, second in combinations(SPLITS, 2):
        a, b = split == first, split == second
        copies = b & np.isin(group, group[a])
        # A copy agrees with all its originals only if they carry one emotion, and it is the copy's own.
        originals = pd.Series(emotion[a]).groupby(group[a]).agg(["min", "max"])
        range_of = originals.reindex(group[copies])
        own = emotion[copies]
        conflicts = (range_of["min"].to_numpy() != own) | (range_of["max"].to_numpy() != own)
        rows.append(
            {
                "first": first,
                "second": second,
                "subjects_in_common": people_in_both(subject[a], subject[b]),
                "exact_copies": int(copies.sum()),
                "conflicting_labels": int(conflicts.sum()),
            }
        )
    return pd.DataFrame(rows).astype({"subjects_in_common": "Int64"})
