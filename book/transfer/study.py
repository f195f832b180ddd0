"""Cross-dataset validation: a network trained on one set of faces and tested on all (Breuer & Kimmel 2017,
arXiv:1705.01842).

The sets are brought to one list of classes. Every reader uses the names of one table of emotions,
``face_sets.faceset.EMOTIONS``, so an emotion has one name in all sets, neutral and contempt too: whether it
is a class depends on whether all sets have it. ``repression`` and ``other`` mean something else in each set
and have no counterpart.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from torch import nn

from book.populations import find_population, require_matched
from book.session import FaceSession
from face_sets.faceset import EMOTIONS, LABELS, SPLITS, UNLABELLED, FaceSet
from face_sets.leakage import known_overlap, require_apart, without_shared
from face_sets.request import FaceRequest
from face_sets.splits import at_most, random_rows
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.device import Precision
from fer_lib.train.predict import predict
from fer_lib.train.record import TrainedNetwork
from fer_lib.train.study import seeds_from, train_structure
from ferbook.errors import DataError
from ferbook.page.tables import Table
from ferbook.parameters import listed


def common_classes(sets: Mapping[str, FaceSet]) -> tuple[str, ...]:
    """The emotions that every one of ``sets`` has, in the order of ``EMOTIONS``.

    Raises DataError, naming each set's own, where a set has fewer than two, or where fewer than two are
    common to all.
    """
    own = {name: tuple(e for e in faces.classes if e in EMOTIONS) for name, faces in sets.items()}
    for name, emotions in own.items():
        if len(emotions) < 2:
            raise DataError(
                f"face set {name!r} has {_listed(emotions)} only: a classifier needs two or more; leave "
                "the set out"
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
    or no test picture, or where there is no validation picture.
    """
    subset = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    require_classes(subset, classes)
    counts = faces.table["emotion"].value_counts().drop(list(classes))
    return subset, {label: int(counts[label]) for label in (UNLABELLED, *LABELS) if label in counts}


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


SEEN_SPLITS = ("train", "valid")
"""Splits that a network has seen before it is tested."""


@dataclass(frozen=True)
class Sets:
    """Face sets made comparable: of one list of ``classes`` and one size, with test pictures that no network
    is trained on.

    ``faces``: each set as it is trained on and tested, of the classes. ``dropped``: set -> label -> how many
    of its pictures have no counterpart in another set (an empty label: no emotion). ``left_out``: set -> how
    many of its test pictures were left out because a network is trained on their people or the same pixels in
    another set; copies within a set are left to its protocol.
    """

    classes: tuple[str, ...]
    faces: dict[str, FaceSet]
    dropped: dict[str, dict[str, int]]
    left_out: dict[str, int]

    @property
    def tests(self) -> dict[str, FaceSet]:
        """The test pictures of each set."""
        return {name: faces.split("test") for name, faces in self.faces.items()}


@dataclass(frozen=True)
class TransferStudy:
    """Networks trained on one of several face sets each, tested on every set.

    ``networks``: (set, k) -> the k-th network trained on it, with an output for each class of ``sets``;
    ``answers``: (trained on, k, tested on) -> float32 (test pictures, classes), probabilities in the order of
    ``sets.tests``.
    """

    sets: Sets
    networks: dict[tuple[str, int], nn.Module]
    answers: dict[tuple[str, int, str], np.ndarray]

    def of(self, name: str) -> list[nn.Module]:
        """The networks trained on the set ``name``."""
        return [network for (own, _), network in self.networks.items() if own == name]


def comparable(sets: Mapping[str, FaceSet], most: int = 0, most_tested: int = 0) -> Sets:
    """``sets`` with the classes that all of them have (``common_classes``), in the splits that they came
    with. ``most``: training pictures of each set, drawn at random, and a third as many for validation;
    ``most_tested``: test pictures of each; 0 takes all.

    Test pictures whose people or pixels are also in a training or validation split of another set are left
    out, and counted.

    Raises DataError for fewer than two sets, pictures of different sizes, no common classes, a class without
    training or test pictures, data sets that are known to overlap, or a test split of which nothing is left.
    """
    _require_comparable(sets)
    classes = common_classes(sets)
    subsets, dropped = {}, {}
    for name, faces in sets.items():
        subsets[name], dropped[name] = mapped(faces, classes)
    apart = _apart(subsets, classes)
    left_out = {name: len(faces) - len(apart[name]) for name, faces in subsets.items()}
    subsets = {name: at_most(faces, most) for name, faces in apart.items()}
    if most_tested:
        counts = dict.fromkeys(SEEN_SPLITS, max(map(len, subsets.values()))) | {"test": most_tested}
        subsets = {name: faces.select(random_rows(faces, counts, seed=0)) for name, faces in subsets.items()}
    for faces in subsets.values():
        require_classes(faces, classes, in_splits=("train",))
    return Sets(classes, subsets, dropped, left_out)


def trained_sets(
    populations: Sequence[Sequence[TrainedNetwork]],
    opened: Mapping[str, FaceSet],
    requests: Sequence[FaceRequest],
) -> tuple[dict[str, FaceSet], dict[str, Sequence[TrainedNetwork]]]:
    """Of the face sets ``opened``, by name, those that one of ``populations`` was trained on, in its splits;
    and these networks by set. A population without stored networks, or whose faces are not on this machine,
    is left out.

    ``requests``: those that the sets were opened with, the chapter's main one first. Raises DataError, naming
    both, where a population was trained on another version of a set, and where none was trained on the main
    set.
    """
    requested = {request.name: request for request in requests}
    sets, by_set = {}, {}
    for networks in filter(None, populations):
        record = networks[0].record
        name = record.faces.name
        if name not in opened:
            continue
        if record.faces != requested[name]:
            raise DataError(f"{networks[0].name} was trained on {record.faces}, not {requested[name]}")
        sets[name], by_set[name] = record.fold_of(opened[name]), networks
    own = requests[0].name
    if own not in sets:
        raise DataError(
            f"no stored network was trained on {own!r}; there are some for {', '.join(sets) or 'no set'}"
        )
    return sets, by_set


def restricted(
    by_set: Mapping[str, Sequence[TrainedNetwork]], classes: tuple[str, ...]
) -> dict[str, list[Classifier]]:
    """The networks of ``by_set``, by set, restricted to ``classes``, a part of theirs: outputs of other
    classes are removed, features are unchanged.
    """
    return {name: [_restricted(one, classes) for one in networks] for name, networks in by_set.items()}


def _restricted(network: TrainedNetwork, classes: tuple[str, ...]) -> Classifier:
    model = deepcopy(network.model)
    rows = [network.record.classes.index(name) for name in classes]
    model.output = nn.Linear(model.output.in_features, len(rows), device=model.output.weight.device)
    with torch.no_grad():
        model.output.weight.copy_(network.model.output.weight[rows])
        model.output.bias.copy_(network.model.output.bias[rows])
    model.arguments = model.arguments | {"n_classes": len(rows)}
    return model.eval().to(memory_format=torch.channels_last)


def test_networks(
    sets: Sets,
    networks: Mapping[str, Sequence[nn.Module]],
    precision: Precision,
    device: torch.device | str = "cpu",
) -> TransferStudy:
    """Predict the test pictures of every set by ``networks``, given by training set, in the number format
    ``precision``.
    """
    numbered = {(name, k): model for name, own in networks.items() for k, model in enumerate(own)}
    answers = {
        (*key, target): predict(model, test, device=device, dtype=precision.dtype)
        for key, model in numbered.items()
        for target, test in sets.tests.items()
    }
    return TransferStudy(sets, numbered, answers)


def common_sets(
    run: FaceSession, sets: Mapping[str, FaceSet]
) -> tuple[Sets, dict[str, Sequence[TrainedNetwork]]]:
    """``comparable`` of ``sets`` as the parameters of ``run`` say; and by set the stored networks trained on
    it, where the parameters name populations.
    """
    p, by_set = run.params, {}
    if p.population:
        populations = [run.population(name)[: p.seeds] for name in listed(p.population)]
        sets, by_set = trained_sets(populations, sets, p.face_requests)
    return comparable(sets, 0 if by_set else p.most, p.most_tested), by_set


def unit_networks(run: FaceSession) -> list[Classifier]:
    """Networks trained on the action units of the pictures of the chapter's main set, as many as were trained
    on its emotions; none where the parameters name none. Raises DataError, naming the population, where the
    two differ in more than their labels.
    """
    if not (name := run.params.taught_units):
        return []
    require_matched(map(find_population, (listed(run.params.population)[0], name)), but=["labels"])
    return [network.model for network in run.population(name)[: run.params.seeds]]


def networks_of_sets(
    run: FaceSession, sets: Sets, by_set: Mapping[str, Sequence[TrainedNetwork]]
) -> tuple[dict[str, list[nn.Module]], Precision]:
    """The networks of ``by_set``, ``restricted`` to the classes of ``sets``, with the number format of the
    main set's; or, where there are none, networks trained here on each set, from each seed of the parameters
    of ``run``, with the number format of these trainings.

    Only the pictures differ between sets: classes, recipe and initial weights are the same. The epoch is
    chosen on validation pictures of the training set; test pictures choose nothing. Raises what
    ``train.learner.face_learner`` raises, before anything is trained.
    """
    p, precision = run.params, run.precision
    if by_set:
        return restricted(by_set, sets.classes), by_set[p.face_requests[0].name][0].record.precision
    # Before anything is trained: a size that the network does not take.
    build_network(p.network, len(sets.classes), next(iter(sets.faces.values())).size[0], dropout=p.dropout)
    networks: dict[str, list[nn.Module]] = {name: [] for name in sets.faces}
    for seed in seeds_from(p.seed, p.seeds):
        for name, faces in sets.faces.items():
            how = {"dropout": p.dropout, "precision": precision, "device": run.device}
            model, training = train_structure(faces, sets.classes, p.network, p, seed, **how)
            precision = training.precision
            networks[name].append(model)
    return networks, precision


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


def _apart(sets: Mapping[str, FaceSet], classes: tuple[str, ...]) -> dict[str, FaceSet]:
    """The sets without the test pictures that another set is trained on."""
    seen_faces = {
        name: faces.select(faces.table["split"].isin(SEEN_SPLITS).to_numpy()) for name, faces in sets.items()
    }
    apart = {}
    for target, faces in sets.items():
        test = faces.split("test")
        for source, source_faces in seen_faces.items():
            if source != target:
                test, _ = without_shared(source_faces, test)
        absent = [emotion for emotion in classes if emotion not in test.classes]
        if absent:
            others = ", ".join(name for name in sets if name != target)
            raise DataError(
                f"face set {target!r}: without the people and pictures that {others} are trained on, no test "
                f"picture of {', '.join(absent)} is left; leave out the set that shows the same faces"
            )
        apart[target] = FaceSet.concat(target, [seen_faces[target], test])
    return apart


def comparable_table(sets: Sets, absent: Sequence[str] = ()) -> Table:
    """One row per set: ``faces``; pictures in each split; ``in another set``, test pictures left out because
    another set is trained on them or their people; ``no counterpart``, pictures left out for their label, and
    which labels these are. Sets that are ``absent`` from this machine have a row without numbers.
    """
    rows = [
        {
            "faces": name,
            **{split: int(faces.table["split"].eq(split).sum()) for split in SPLITS},
            "in another set": sets.left_out[name],
            "no counterpart": sum(sets.dropped[name].values()),
            "labels left out": ", ".join(label or "without emotion" for label in sets.dropped[name]),
        }
        for name, faces in sets.faces.items()
    ]
    rows += [{"faces": f"{name} (not on this machine)"} for name in absent]
    counts = (*SPLITS, "in another set", "no counterpart")
    caption = f"Pictures of each set by split; classes: {', '.join(sets.classes)}"
    return Table(pd.DataFrame(rows).astype(dict.fromkeys(counts, "Int64")), caption)
