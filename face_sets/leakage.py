"""Leakage: the same subject or the very same picture in two splits; and what two face sets have in common:
people, pictures, or the sources from which they were gathered.

A test on people or pictures of the training is not a test on another set.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from pandas.api.typing import NAType
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from face_sets.faceset import SPLITS, FaceSet
from ferbook.errors import DataError
from synthetic_faces.versions import VERSIONS


def copy_groups(faces: FaceSet) -> np.ndarray:
    """Number the pictures so that equal ones, pixel for pixel, share a number.

    Returns int64 (N,); numbers follow first appearance, from 0.
    """
    return pd.factorize(_contents(faces))[0].astype(np.int64)


def _contents(faces: FaceSet) -> pd.Series:
    return pd.Series([picture.tobytes() for picture in faces.pixels], dtype=object)


def exact_copies(faces: FaceSet, inside: str = "train") -> np.ndarray:
    """Mark pictures outside the split ``inside`` that equal, pixel for pixel, one within it: bool (N,)."""
    group = copy_groups(faces)
    within = (faces.table["split"] == inside).to_numpy()
    return ~within & np.isin(group, group[within])


def independent_groups(faces: FaceSet) -> np.ndarray:
    """Number groups of pictures that depend on each other, for intervals that resample groups.

    A group is a subject. Pictures without a subject label are grouped by exact copies and by sequence.

    Returns
    -------
    np.ndarray
        int64 (N,).
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
    """Count the subjects that are both in ``first`` and in ``second``, at least.

    Returns ``<NA>`` where no common name is known, but one of two parts that are not empty has pictures
    without a subject label.
    """
    people = [set(subjects) for subjects in (first, second)]
    both = (people[0] & people[1]) - {""}
    return pd.NA if not both and all(people) and "" in people[0] | people[1] else len(both)


def leakage_table(faces: FaceSet) -> pd.DataFrame:
    """Count what each pair of splits shares.

    Returns
    -------
    pd.DataFrame
        One row per pair, ``first`` and ``second``. ``subjects_in_common``: as ``people_in_both``.
        ``exact_copies``: pictures of ``second`` that equal one of ``first``. ``conflicting_labels``: those
        whose emotion differs from that of at least one such picture; no emotion counts as one.
    """
    group = copy_groups(faces)
    emotion = pd.factorize(faces.table["emotion"])[0]
    split = faces.table["split"].to_numpy()
    subject = faces.table["subject"].to_numpy()
    rows = []
    for first, second in combinations(SPLITS, 2):
        a, b = split == first, split == second
        copies = b & np.isin(group, group[a])
        # A copy agrees with all its originals only if they have one emotion, the one of the copy.
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


_TFD = "TFD was gathered from other sets, {} among them (Susskind, Anderson & Hinton 2010, UTML TR 2010-001)"

# Data sets (the column ``dataset``) that are known to overlap, and how. Neither names nor bytes reveal it:
# TFD numbers its people in its own way and cuts its pictures again.
OVERLAPS: dict[frozenset[str], str] = {
    frozenset({"tfd", "ckplus"}): _TFD.format("Cohn-Kanade, whose pictures are also in CK+,"),
    frozenset({"tfd", "jaffe"}): _TFD.format("JAFFE"),
    frozenset({"tfd", "mmi"}): _TFD.format("MMI"),
    frozenset({"fer2013", "ferplus"}): (
        "FER+ is the pictures of FER2013 under other labels (Barsoum et al. 2016, arXiv:1608.01041)"
    ),
}


@dataclass(frozen=True)
class Shared:
    """What two sets share.

    Attributes
    ----------
    subjects
        Names of people in both, sorted. Rendered people of another ``face_seed`` have the same names and
        count.
    copies
        Pictures of the second set that equal one of the first; None where their sizes differ.
    known
        What is published about the two data sets (``OVERLAPS``), or empty.
    """

    subjects: tuple[str, ...]
    copies: int | None
    known: str

    @property
    def nothing(self) -> bool:
        """Whether no common person, picture or source is known."""
        return not (self.subjects or self.copies or self.known)


def shared(first: FaceSet, second: FaceSet) -> Shared:
    """Find what ``first`` and ``second`` have in common; pictures without a subject label only as copies."""
    copies = int(_copied(first, second).sum()) if first.size == second.size else None
    return Shared(tuple(sorted(_people(first) & _people(second))), copies, known_overlap(first, second))


def known_overlap(first: FaceSet, second: FaceSet) -> str:
    """Return the text of ``OVERLAPS`` for the data sets in ``first`` and ``second``; empty if there is
    none.
    """
    names = (sorted(set(faces.table["dataset"])) for faces in (first, second))
    return "; ".join(
        OVERLAPS[frozenset(pair)]
        for pair in product(*names)
        if len(set(pair)) == 2 and frozenset(pair) in OVERLAPS
    )


def require_apart(first: FaceSet, second: FaceSet) -> None:
    """Raise DataError if ``first`` and ``second`` have anything in common, with what to do."""
    overlap = shared(first, second)
    if overlap.nothing:
        return
    reasons = [overlap.known] if overlap.known else []
    if overlap.subjects:
        some = ", ".join(overlap.subjects[:3]) + (", …" if len(overlap.subjects) > 3 else "")
        reasons.append(f"{len(overlap.subjects)} people are in both ({some})")
    if overlap.copies:
        reasons.append(f"{overlap.copies:,} pictures of {second.name} equal one of {first.name}")
    raise DataError(
        f"face sets {first.name!r} and {second.name!r} are not apart: {'; '.join(reasons)}. Train and test "
        "within one of them, or leave one of the two out"
    )


def without_shared(train: FaceSet, test: FaceSet) -> tuple[FaceSet, dict[str, int]]:
    """Select the pictures of ``test`` whose people, and which themselves, are not in ``train``.

    What is known only of the data sets (``OVERLAPS``) cannot be found picture by picture: see
    ``require_apart``.

    Returns
    -------
    FaceSet
    dict
        Pictures left out: ``people``, those of a person who is in ``train``; ``copies``, further pictures
        that equal one of ``train``, byte for byte (for sets of one size).
    """
    people = _names(test).isin(_people(train)).to_numpy()
    copies = _copied(train, test) if train.size == test.size else np.zeros(len(test), bool)
    counts = {"people": int(people.sum()), "copies": int((copies & ~people).sum())}
    return test.select(~(people | copies)), counts


def _people(faces: FaceSet) -> set[str]:
    return set(_names(faces)) - {""}


def _names(faces: FaceSet) -> pd.Series:
    """Return the subject of each picture; a rendered person has one name in sets of any number of people."""
    names = faces.table["subject"]
    rendered = faces.table["dataset"].isin(VERSIONS)
    return names.mask(rendered, names.str.replace(r"-S0+(?=\d+$)", "-S", regex=True))


def _copied(first: FaceSet, second: FaceSet) -> np.ndarray:
    """Mark the pictures of ``second`` that equal one of ``first``: bool (len(second),)."""
    return _contents(second).isin(_contents(first)).to_numpy()
