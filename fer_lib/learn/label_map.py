"""Several face sets brought to one list of classes: what all of them can name, and what has no counterpart.

Every reader has brought its set's names to the one table of emotions, ``faces.faceset.EMOTIONS``, so an emotion is called alike in all
sets, neutral and contempt too: whether they are told apart depends on whether all sets have them. ``repression`` and ``other`` are what
the makers of one set could not name; they mean something else in each set and have no counterpart.
"""

from collections.abc import Mapping

import pandas as pd

from fer_lib.errors import DataError
from fer_lib.faces.faceset import EMOTIONS, LABELS, UNLABELLED, FaceSet


def common_classes(sets: Mapping[str, FaceSet]) -> tuple[str, ...]:
    """The emotions that every one of ``sets`` has, in the order of ``EMOTIONS``.

    Raises DataError, naming each set's own, where a set has fewer than two, or where fewer than two are common to all.
    """
    if not sets:
        raise DataError("no face set to find common classes of")
    own = {name: _emotions(faces) for name, faces in sets.items()}
    for name, emotions in own.items():
        if len(emotions) < 2:
            raise DataError(
                f"face set {name!r} has {_listed(emotions)} only: a network that is to tell emotions apart needs at least two; "
                "leave the set out"
            )
    common = tuple(emotion for emotion in EMOTIONS if all(emotion in emotions for emotions in own.values()))
    if len(common) < 2:
        each = "; ".join(f"{name}: {_listed(emotions)}" for name, emotions in own.items())
        raise DataError(
            f"the face sets have {_listed(common)} in common, and at least two classes are needed ({each}); leave out the "
            "set that has none of the others' emotions"
        )
    return common


def _emotions(faces: FaceSet) -> tuple[str, ...]:
    return tuple(emotion for emotion in faces.classes if emotion in EMOTIONS)


def _listed(emotions: tuple[str, ...]) -> str:
    return ", ".join(emotions) or "no emotion"


def mapped(faces: FaceSet, classes: tuple[str, ...]) -> tuple[FaceSet, dict[str, int]]:
    """The pictures of ``faces`` whose emotion is one of ``classes``; and how many of each other label were left out.

    The label of pictures without an emotion is the empty text. Raises DataError where a class has no training or no test picture, or where
    there is none to validate with: it could not be learned, or nothing could be said of it.
    """
    kept = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    counts = faces.table["emotion"].value_counts()
    dropped = {
        label: int(counts[label])
        for label in (UNLABELLED, *LABELS)
        if label not in classes and label in counts
    }
    require_classes(kept, classes)
    return kept, dropped


def require_classes(
    faces: FaceSet, classes: tuple[str, ...], in_splits: tuple[str, ...] = ("train", "test")
) -> None:
    """Raise DataError, naming class and split, unless ``faces`` has a picture of each of ``classes`` in each of ``in_splits``, and any to validate with."""
    there = pd.crosstab(faces.table["emotion"], faces.table["split"])
    for split in in_splits:
        absent = [name for name in classes if not (split in there and there[split].get(name, 0))]
        if absent:
            raise DataError(
                f"face set {faces.name!r}: no picture of {', '.join(absent)} in its split {split!r}; take more people, or "
                "give the classes without it"
            )
    if "valid" not in there:
        raise DataError(
            f"face set {faces.name!r}: no picture of {', '.join(classes)} in its split 'valid'; take more people"
        )
