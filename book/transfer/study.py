"""Cross-dataset validation: a network trained on one set of faces and tested on all (Breuer & Kimmel 2017,
arXiv:1705.01842).

The sets are brought to one list of classes. Every reader has brought its set's names to the one table of
emotions, ``faces.faceset.EMOTIONS``, so an emotion is called alike in all sets, neutral and contempt too:
whether they are told apart depends on whether all sets have them. ``repression`` and ``other`` are what the
makers of one set could not name; they mean something else in each set and have no counterpart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import EMOTIONS, LABELS, REQUIRED_COLUMNS, SPLITS, UNLABELLED, FaceSet
from fer_lib.faces.shared import known_overlap, require_apart, without_shared
from fer_lib.faces.subsets import at_most, random_rows
from fer_lib.nets.build import build_network
from fer_lib.train.precision import Precision, Request
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe
from fer_lib.train.study import train_structure
from ferbook.errors import DataError
from ferbook.page.tables import Table


def common_classes(sets: Mapping[str, FaceSet]) -> tuple[str, ...]:
    """The emotions that every one of ``sets`` has, in the order of ``EMOTIONS``.

    Raises DataError, naming each set's own, where a set has fewer than two, or where fewer than two are
    common to all.
    """
    own = {name: tuple(e for e in faces.classes if e in EMOTIONS) for name, faces in sets.items()}
    for name, emotions in own.items():
        if len(emotions) < 2:
            raise DataError(
                f"face set {name!r} has {_listed(emotions)} only: a network that is to tell emotions apart "
                "needs at least two; leave the set out"
            )
    common = tuple(emotion for emotion in EMOTIONS if all(emotion in emotions for emotions in own.values()))
    if len(common) < 2:
        each = "; ".join(f"{name}: {_listed(emotions)}" for name, emotions in own.items())
        raise DataError(
            f"the face sets have {_listed(common)} in common, and at least two classes are needed ({each}); "
            "leave out the set that has none of the others' emotions"
        )
    return common


def _listed(emotions: tuple[str, ...]) -> str:
    return ", ".join(emotions) or "no emotion"


def mapped(faces: FaceSet, classes: tuple[str, ...]) -> tuple[FaceSet, dict[str, int]]:
    """The pictures of ``faces`` whose emotion is one of ``classes``; and how many of each other label were
    left out.

    The label of pictures without an emotion is the empty text. Raises DataError where a class has no training
    or no test picture, or where there is none to validate with: it could not be learned, or nothing could be
    said of it.
    """
    kept = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    require_classes(kept, classes)
    counts = faces.table["emotion"].value_counts().drop(list(classes))
    return kept, {label: int(counts[label]) for label in (UNLABELLED, *LABELS) if label in counts}


def require_classes(
    faces: FaceSet, classes: tuple[str, ...], in_splits: tuple[str, ...] = ("train", "test")
) -> None:
    """Raise DataError, naming class and split, unless ``faces`` has a picture of each of ``classes`` in each
    of ``in_splits``, and any to validate with.
    """
    there = pd.crosstab(faces.table["emotion"], faces.table["split"])
    for split in in_splits:
        absent = [name for name in classes if not (split in there and there[split].get(name, 0))]
        if absent:
            raise DataError(
                f"face set {faces.name!r}: no picture of {', '.join(absent)} in its split {split!r}; take "
                "more people, or give the classes without it"
            )
    if "valid" not in there:
        raise DataError(
            f"face set {faces.name!r}: no picture of {', '.join(classes)} in its split 'valid'; take more "
            "people"
        )


LEARNED = ("train", "valid")
"""The splits that a network has seen when it is tested."""

ALL_BUT = "all but "

NUMBERS = {
    "in_dataset_accuracy": "learned from and tested on one set, mean",
    "cross_dataset_accuracy": "tested on another set, mean",
    "transfer_drop": "the first minus the second (points)",
    "left_out_drop": "what is lost by networks of all sets but the tested one (points)",
    "commonest_accuracy": "always the majority class, mean",
    "transfer_seed_spread": "standard deviation between seeds of one cell (points)",
    "tuning_gain": "pre-trained against from scratch, few pictures of one's own (points)",
    "tuning_gain_full": "the same, all of them (points)",
    "factor_all_drop": "all factors switched, change (points)",
    "factor_worst_drop": "the worst single factor, change (points)",
    "majority_calibration_error": "learned from the majority, calibration error",
    "votes_calibration_error": "learned from votes, calibration error",
    "au_auroc_frozen": "action units from the expression network, mean AUROC",
    "au_frozen_over_untrained": "the same, over an untrained network",
    "reverse_units_over_untrained": "expressions from a network of units, over an untrained one (points)",
}
"""The page's main metrics, and what they are."""


@dataclass(frozen=True)
class TransferStudy:
    """Networks trained on each of several face sets, and on all but one, tested on every set.

    ``sets``: their names, in the order given. ``classes``: the emotions told apart. ``table``: one row per
    training × tested set × seed with ``trained_on``, ``tested_on``, ``seed``, ``accuracy`` (share of the test
    pictures). ``faces``: each set as it was learned from and tested: of the classes, with the test pictures
    left out that are not tested. ``answers``: (trained on, tested on, seed) -> float32 (test pictures,
    classes), probabilities in the order of ``tests``, the test pictures of each set. ``networks``: (trained
    on, seed) -> the network, with the weights that validation chose.

    ``dropped``: set -> label -> how many of its pictures have no counterpart in another set (an empty label:
    no emotion). ``left_out``: set -> how many of its test pictures were left out because another set is
    learned from their people or their very pixels; what a set shares with itself is its protocol's matter.
    """

    sets: tuple[str, ...]
    classes: tuple[str, ...]
    table: pd.DataFrame
    answers: dict[tuple[str, str, int], np.ndarray]
    faces: dict[str, FaceSet]
    tests: dict[str, FaceSet]
    dropped: dict[str, dict[str, int]]
    left_out: dict[str, int]
    networks: dict[tuple[str, int], nn.Module]
    precision: Precision


def all_but(name: str) -> str:
    """What a network that was trained on all sets but ``name`` is called in ``trained_on``."""
    return ALL_BUT + name


def cross_dataset(
    sets: Mapping[str, FaceSet],
    network: str,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    dropout: float | None = None,
    most: int = 0,
    leave_one_out: bool = True,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> TransferStudy:
    """Train ``network`` on the training pictures of each of the k ``sets``, and test each of these k networks
    on the test pictures of all.

    With ``leave_one_out`` and at least three sets, k more trainings on all sets but one, tested on the one
    (``joined``). Everything else is alike: the classes (``common_classes``), the size of the
    pictures, the recipe, the seed's first weights. The epoch is chosen on validation pictures of the sets
    trained on; what is tested on chooses nothing. ``most``: training pictures taken from each set, drawn at
    random, and a third as many to validate with; 0 takes all.

    Test pictures whose people or whose very pixels are in a split that another set is learned from are left
    out for all networks, and counted.

    Raises DataError for fewer than two sets, pictures of different sizes, no common classes, a class without
    training or test pictures, data sets that are known to overlap, or a test split of which nothing is left;
    and what ``train.learner.train`` raises.
    """
    _require_comparable(sets)
    classes = common_classes(sets)
    kept, dropped = {}, {}
    for name, faces in sets.items():
        kept[name], dropped[name] = mapped(faces, classes)
    apart = _apart(kept, classes)
    left_out = {name: len(faces) - len(apart[name]) for name, faces in kept.items()}
    kept = {name: at_most(faces, most) for name, faces in apart.items()}
    tests = {name: faces.split("test") for name, faces in kept.items()}
    sources = dict(kept)
    if leave_one_out and len(sets) > 2:
        for name in kept:
            others = [faces for other, faces in kept.items() if other != name]
            sources[all_but(name)] = joined(all_but(name), others)
    for faces in sources.values():
        require_classes(faces, classes, in_splits=("train",))
    # Before anything is trained: a size that the network does not take.
    build_network(network, len(classes), next(iter(sources.values())).size[0], dropout=dropout)
    rows, answers, networks = [], {}, {}
    for seed in seeds:
        for source, faces in sources.items():
            model, training = train_structure(
                faces, classes, network, recipe, seed, dropout=dropout, precision=precision, device=device
            )
            precision = training.precision
            networks[source, seed] = model
            for target, test in tests.items():
                if source in tests or source == all_but(target):
                    answer = predict(model, test, device=device)
                    answers[source, target, seed] = answer
                    right = answer.argmax(axis=1) == test.labels(classes)
                    rows.append([source, target, seed, float(right.mean())])
    return TransferStudy(
        tuple(sets),
        classes,
        pd.DataFrame(rows, columns=["trained_on", "tested_on", "seed", "accuracy"]),
        answers,
        kept,
        tests,
        dropped,
        left_out,
        networks,
        precision,
    )


def _require_comparable(sets: Mapping[str, FaceSet]) -> None:
    if len(sets) < 2:
        raise DataError(f"{len(sets)} face set ({', '.join(sets)}): transfer needs at least two")
    if len({faces.size for faces in sets.values()}) > 1:
        sizes = ", ".join(f"{name} {faces.size[0]} × {faces.size[1]}" for name, faces in sets.items())
        raise DataError(
            f"face sets to transfer between must have pictures of one size, not {sizes}; open them at one "
            "size"
        )
    for first, second in combinations(sets.values(), 2):
        if known_overlap(first, second):
            require_apart(first, second)


def _apart(kept: Mapping[str, FaceSet], classes: tuple[str, ...]) -> dict[str, FaceSet]:
    """The sets without the test pictures that another set is learned from."""
    seen = {name: faces.select(faces.table["split"].isin(LEARNED).to_numpy()) for name, faces in kept.items()}
    apart = {}
    for target, faces in kept.items():
        test = faces.split("test")
        for source, learned in seen.items():
            if source != target:
                test, _ = without_shared(learned, test)
        lost = [emotion for emotion in classes if emotion not in test.classes]
        if lost:
            others = ", ".join(name for name in kept if name != target)
            raise DataError(
                f"face set {target!r}: without the people and pictures that {others} are learned from, no "
                f"test picture of {', '.join(lost)} is left; leave out the set that shows the same faces"
            )
        apart[target] = FaceSet.concat(target, [seen[target], test])
    return apart


def joined(name: str, sets: Sequence[FaceSet], seed: int = 0) -> FaceSet:
    """The training and validation pictures of ``sets``, of each set equally many as far as sizes allow.

    In all as many of a split as the largest set has, so that a network learns from more sets and not from
    more pictures. A smaller set gives all it has, and the others share the rest evenly. The pictures are
    drawn at random. Raises DataError for pictures of different sizes.
    """
    counts = {split: even_counts([len(faces.split(split)) for faces in sets]) for split in LEARNED}
    drawn = [
        faces.select(random_rows(faces, {split: counts[split][k] for split in LEARNED}, seed))
        for k, faces in enumerate(sets)
    ]
    # Votes and action units of one set are nothing to another.
    plain = [FaceSet(part.name, part.pixels, part.table[list(REQUIRED_COLUMNS)]) for part in drawn]
    return FaceSet.concat(name, plain)


def even_counts(available: Sequence[int]) -> list[int]:
    """How many to take of each of several supplies: as many in all as the largest holds, as evenly as the
    supplies allow.
    """
    left, counts = max(available), [0] * len(available)
    order = sorted(range(len(available)), key=lambda k: available[k])
    for position, k in enumerate(order):
        counts[k] = min(available[k], left // (len(order) - position))
        left -= counts[k]
    return counts


def commonest_share(labels: np.ndarray) -> float:
    """The share of the commonest of ``labels`` (N,): what always naming it is right in."""
    counts = np.bincount(labels)
    return float(counts.max() / counts.sum())


def set_table(study: TransferStudy, absent: Sequence[str] = ()) -> Table:
    """What was compared, a row per set: ``faces``; pictures learned from (``train``), chosen by (``valid``)
    and tested on (``test``); ``in another set``, test pictures left out for all networks because a set
    learned from shows them or their people; ``no counterpart``, pictures left out for their label, and which
    labels these are. Sets that are ``absent`` from this machine have a row without numbers.
    """
    rows = [
        {
            "faces": name,
            **{split: int(faces.table["split"].eq(split).sum()) for split in SPLITS},
            "in another set": study.left_out[name],
            "no counterpart": sum(study.dropped[name].values()),
            "labels left out": ", ".join(label or "without emotion" for label in study.dropped[name]),
        }
        for name, faces in study.faces.items()
    ]
    rows += [{"faces": f"{name} (not on this machine)"} for name in absent]
    counted = (*SPLITS, "in another set", "no counterpart")
    caption = f"Learned from and tested on; classes: {', '.join(study.classes)}"
    return Table(pd.DataFrame(rows).astype(dict.fromkeys(counted, "Int64")), caption)
