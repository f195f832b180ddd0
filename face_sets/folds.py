"""The published protocols: which pictures are used for training, validation and test, fold by fold.

The data set determines the protocol. Validation pictures are never test pictures of the same fold, and if a
protocol divides people, no person is in two parts of a fold; for the others see ``leak_table``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from face_sets.clips import Clips
from face_sets.faceset import LABELS, SPLITS, UNLABELLED, FaceSet
from face_sets.leakage import copy_groups, people_in_both
from ferbook.errors import DataError, ParameterError

# Folds of the protocols by subject; also the fraction of the people (one tenth) for validation if one person
# is left out.
TEN = 10


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of the labelled pictures (``faces.labelled()``) of the parts of a fold.

    Attributes
    ----------
    train, valid, test : int64 arrays
        Ascending, disjoint.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Protocol:
    """How a classifier is tested on one face set.

    Attributes
    ----------
    name, about
        For readers; the publication of each protocol is named in this file.
    classes
        The emotions to discriminate, in the order of ``LABELS``; pictures of others are in no fold.
    folds
        One or more ``Fold``.
    """

    name: str
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    about: str


@dataclass(frozen=True)
class _Plan:
    """A protocol without pictures. ``divide``: from labelled pictures and a mask of those that count to
    folds.
    """

    name: str
    about: str
    divide: Callable[[FaceSet, np.ndarray], list[Fold]]
    classes: tuple[str, ...] = ()


def protocol_of(faces: FaceSet, classes: tuple[str, ...] | None = None) -> Protocol:
    """Return the published protocol of the data set of ``faces`` (the column ``dataset``).

    A synthetic set has the protocol of the set that it imitates; an unknown set has its own split.

    Parameters
    ----------
    faces
        Pictures of one data set.
    classes
        The emotions to discriminate; None means those of the protocol that occur. CK+ has eight, with neutral
        and contempt; pass ``SIX`` for its six-class protocol.

    Returns
    -------
    Protocol
        ``leak_table`` lists which classes a fold lacks.

    Raises
    ------
    DataError
        Pictures of several data sets or without emotions; fewer than three people, or unnamed ones, where
        people are divided; an empty part of a fold.
    ParameterError
        A class that does not occur, is named twice, or is the only one.
    """
    faces = faces.labelled()
    datasets = sorted(set(faces.table["dataset"]))
    if len(datasets) > 1:
        raise DataError(
            f"face set {faces.name!r} joins pictures of {', '.join(datasets)}; a protocol belongs to one "
            "data set"
        )
    plan = _PLANS.get(datasets[0], _OWN)
    classes = _classes(faces, plan, classes)
    folds = plan.divide(faces, faces.table["emotion"].isin(classes).to_numpy())
    for number, fold in enumerate(folds):
        for part in SPLITS:
            if not len(getattr(fold, part)):
                raise DataError(
                    f"face set {faces.name!r}, fold {number} of {len(folds)} ({plan.name}): no picture of "
                    f"{', '.join(classes)} to {_PURPOSE[part]}; take more people or more classes"
                )
    return Protocol(f"{plan.name}, {len(classes)} classes", classes, tuple(folds), plan.about)


_PURPOSE = {"train": "learn from", "valid": "select on", "test": "test on"}


def _classes(faces: FaceSet, plan: _Plan, names: tuple[str, ...] | None) -> tuple[str, ...]:
    present = faces.classes
    if names is None:
        classes = tuple(e for e in present if e in (plan.classes or LABELS))
    else:
        absent = [emotion for emotion in names if emotion not in present]
        if absent:
            raise ParameterError(
                f"face set {faces.name!r} has no picture of {absent[0]!r}; its emotions are "
                f"{', '.join(present)}"
            )
        if len(set(names)) < len(names):
            raise ParameterError(f"a class is named twice in {', '.join(names)}")
        classes = tuple(e for e in present if e in names)
    if len(classes) < 2:
        raise ParameterError(
            f"face set {faces.name!r}: {', '.join(classes) or 'no class'} to discriminate; at least two are "
            "needed"
        )
    return classes


def fold_faces(faces: FaceSet, protocol: Protocol, number: int) -> FaceSet:
    """Select the pictures of fold ``number`` (from 0), with ``split`` as in the fold.

    Parameters
    ----------
    faces
        The set that ``protocol`` was made of.

    Raises
    ------
    DataError
        A class is absent from the training pictures. It may be absent from the test pictures: see
        ``leak_table``.
    """
    fold = protocol.folds[number]
    labelled = faces.labelled()
    absent = _absent(labelled, protocol.classes, fold.train)
    if absent:
        raise DataError(
            f"face set {faces.name!r}, fold {number} of {protocol.name}: no training picture of "
            f"{', '.join(absent)}; leave the class out, or take more people"
        )
    split = np.full(len(labelled), "", dtype=object)
    for part in SPLITS:
        split[getattr(fold, part)] = part
    rows = np.flatnonzero(split != "")
    return labelled.select(rows).assign(split=split[rows])


def clip_folds(clips: Clips, protocol: Protocol) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Turn the folds of ``protocol``, made of ``clips.faces``, into clips to train, validate and test on.

    Clips of emotions outside the protocol are in no part. A class that only one person shows is absent from
    training while this person is tested: these clips count as errors and are not left out.

    Returns
    -------
    list of tuple
        Three int64 arrays of clip numbers for each fold.

    Raises
    ------
    DataError
        A person is in two parts of a fold.
    """
    labelled = np.flatnonzero((clips.faces.table["emotion"] != UNLABELLED).to_numpy())
    folds = []
    for number, fold in enumerate(protocol.folds):
        sides = [np.isin(clips.rows[:, 0], labelled[getattr(fold, part)]) for part in SPLITS]
        folds.append(tuple(map(np.flatnonzero, sides)))
        for first, second in combinations([set(clips.subjects[side]) for side in sides], 2):
            if first & second:
                raise DataError(
                    f"face set {clips.faces.name!r}, fold {number} of {protocol.name}: clips of "
                    f"{min(first & second)} on two sides"
                )
    return folds


def _absent(labelled: FaceSet, classes: tuple[str, ...], rows: np.ndarray) -> list[str]:
    present = set(labelled.table["emotion"].to_numpy()[rows])
    return [emotion for emotion in classes if emotion not in present]


def leak_table(faces: FaceSet, protocol: Protocol) -> pd.DataFrame:
    """Count what the parts of each fold share, and list the classes that they lack.

    Parameters
    ----------
    faces, protocol
        The set, and the protocol that was made of it.

    Returns
    -------
    pd.DataFrame
        One row per fold. ``fold`` (from 0); ``train``, ``valid``, ``test``: pictures; ``tested_subjects``,
        ``tested_copies``: people, and test pictures that equal one pixel for pixel, that are also in training
        or validation; ``validated_subjects``, ``validated_copies``: the same of validation and training.
        People are missing (``<NA>``) where a part has no names. ``absent_from_train``, ``absent_from_test``:
        classes, separated by commas.
    """
    labelled = faces.labelled()
    copies = copy_groups(labelled)
    subjects = labelled.table["subject"].to_numpy()
    rows = []
    for number, fold in enumerate(protocol.folds):
        development = np.concatenate([fold.train, fold.valid])
        rows.append(
            {
                "fold": number,
                **{part: len(getattr(fold, part)) for part in SPLITS},
                "tested_subjects": people_in_both(subjects[development], subjects[fold.test]),
                "tested_copies": int(np.isin(copies[fold.test], copies[development]).sum()),
                "validated_subjects": people_in_both(subjects[fold.train], subjects[fold.valid]),
                "validated_copies": int(np.isin(copies[fold.valid], copies[fold.train]).sum()),
                "absent_from_train": ", ".join(_absent(labelled, protocol.classes, fold.train)),
                "absent_from_test": ", ".join(_absent(labelled, protocol.classes, fold.test)),
            }
        )
    return pd.DataFrame(rows).astype({"tested_subjects": "Int64", "validated_subjects": "Int64"})


def _by_index(faces: FaceSet, eligible: np.ndarray) -> list[Fold]:
    """Test person i of the sorted people in fold i modulo ten, and use person i for validation in the fold
    before.

    All people with a labelled picture are numbered, whichever classes are used: in CK+ the published sizes of
    the six-class folds are those of the eight-class ones minus one or two sequences, the contempt, as with
    one numbering for both.
    """
    people, index = _people(faces, np.ones(len(faces), bool))
    count = min(TEN, len(people))
    home = index % count
    return [_fold(eligible, home == k, home == (k + 1) % count) for k in range(count)]


def _leave_one_out(faces: FaceSet, eligible: np.ndarray) -> list[Fold]:
    """Test one person, and use the next tenth of the sorted people (at least one; after the last comes the
    first) for validation.
    """
    people, index = _people(faces, eligible)
    further = -(-len(people) // TEN)
    after = [(index - k) % len(people) for k in range(len(people))]
    return [_fold(eligible, ahead == 0, (ahead >= 1) & (ahead <= further)) for ahead in after]


def _official_split(faces: FaceSet, eligible: np.ndarray) -> list[Fold]:
    split = faces.table["split"].to_numpy()
    return [_fold(eligible, split == "test", split == "valid")]


def _official_folds(faces: FaceSet, eligible: np.ndarray) -> list[Fold]:
    """Return TFD's five folds; equal ones, as in another set written in its layout, are used once."""
    columns = dict.fromkeys(tuple(faces.table[f"fold{k}"]) for k in range(1, 6))
    return [_fold(eligible, split == "test", split == "valid") for split in map(np.array, columns)]


def _people(faces: FaceSet, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted people of the ``eligible`` pictures, and int64 (N,) each picture's person as an index
    (-1: none of them).
    """
    subject = faces.table["subject"]
    unknown = np.flatnonzero((subject == "").to_numpy() & eligible)
    if len(unknown):
        raise DataError(
            f"face set {faces.name!r}, row {unknown[0]} of the labelled pictures: no subject; its protocol "
            "divides people"
        )
    people = np.unique(subject.to_numpy()[eligible].astype(str))
    if len(people) < len(SPLITS):
        raise DataError(
            f"face set {faces.name!r}: {len(people)} people cannot be divided into training, validation and "
            "test; at least 3 are needed"
        )
    return people, pd.Index(people).get_indexer(subject).astype(np.int64)


def _fold(eligible: np.ndarray, test: np.ndarray, valid: np.ndarray) -> Fold:
    parts = (eligible & ~test & ~valid, eligible & valid, eligible & test)
    return Fold(*(np.flatnonzero(part).astype(np.int64) for part in parts))


_NUMBERED = (
    "The people, sorted, are numbered from 0; person i is tested in fold i modulo 10, and the next fold is "
    "for validation."
)
# Khorrami, Paine & Huang 2015 (arXiv:1510.02969) and the authors' code.
_CKPLUS = _Plan(
    "ten folds by subject",
    f"Of each labelled sequence the neutral first frame and the last three. {_NUMBERED}",
    _by_index,
)
# Lyons et al. 1998 introduced the set; leaving one subject out is customary.
_JAFFE = _Plan(
    "leave one subject out",
    "Each person is tested once, by a network that never saw that person. The next tenth of the sorted "
    "people, rounded up, is for validation: never the test person, which flatters.",
    _leave_one_out,
)
# Yan et al. 2014 (CASME II): leave one subject out; five classes, as is customary.
_MICRO = replace(_JAFFE, classes=("disgust", "happiness", "surprise", "repression", "other"))
# Goodfellow et al. 2013 (arXiv:1307.0414).
_FER2013 = _Plan(
    "official split",
    "Learned from Training, selected on PublicTest, and PrivateTest tested once. It does not say who is "
    "shown, and has copies of pictures across its parts.",
    _official_split,
)
# Susskind, Anderson & Hinton 2010 (UTML TR 2010-001); used by Khorrami et al. 2015.
_TFD = _Plan(
    "official folds",
    "Training, validation and test pictures of each fold come with the set. It contains pictures of CK+ "
    "and JAFFE: a network of one is not tested on the other.",
    _official_folds,
)
# Subject-independent ten folds, as is customary; the fold of each person is ours, since none is published.
_POSED = replace(_CKPLUS, about=_NUMBERED)
# The division by people with which the set is made; it replaces FER2013.
_WILD = replace(_FER2013, about="Some people are learned from, others selected on, and others tested.")
# The division that comes with the set, or else one by people of our own.
_OWN = _Plan("own split", "Learned from train, selected on valid, and test tested once.", _official_split)
# Davison et al. 2018 (SAMM); the five classes with the most clips, as is customary.
_SAMM = replace(_MICRO, classes=("anger", "contempt", "happiness", "surprise", "other"))
_PLANS: dict[str, _Plan] = {
    **dict.fromkeys(("ckplus", "lab"), _CKPLUS),
    "tfd": _TFD,
    # Barsoum et al. 2016 (arXiv:1608.01041), FER+: the parts of FER2013, with the votes of ten people.
    **dict.fromkeys(("fer2013", "ferplus"), _FER2013),
    **dict.fromkeys(("wild", "game"), _WILD),
    "jaffe": _JAFFE,
    **dict.fromkeys(("casme2", "micro"), _MICRO),
    "samm": _SAMM,
    **dict.fromkeys(("mmi", "oulu_casia", "bu3dfe", "bu4dfe"), _POSED),
}
