"""How well features of networks trained on emotions predict single action units, beyond the emotion.

The emotion alone predicts the units well, since they come with it. So the question is what features *add* to
it, and whether those of an untrained network add as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from face_sets.faceset import FaceSet
from face_sets.splits import split_people
from fer_lib.aus.heads import aurocs_without, drawn_aurocs, enough_people, fit_heads
from fer_lib.aus.presence import Presence, presence
from fer_lib.stats.degree import Role, degree_and_distance
from fer_lib.stats.resampling import RERUN_TOLERANCE, mean_of_defined
from fer_lib.stats.two_way import PEOPLE_GROUPS, networks_and_draws, people_groups
from fer_lib.train.controls import hog_responses, untrained_network
from fer_lib.train.predict import features_of
from ferbook.errors import DataError
from ferbook.estimate import Estimate

READS = ("emotion", "features", "untrained", "HOG", "trained on units")
BY_EMOTION, BY_FEATURES, BY_UNTRAINED, BY_HOG, BY_UNITS = READS
"""What probes read: only the picture's true emotion; the input of the last layer of networks trained on
emotions; the same of untrained networks; histograms of oriented gradients; features of networks trained on
the units of the same pictures."""

PROBE_STRENGTHS = (0.001, 0.01, 0.1)


def with_emotion(inputs: str) -> str:
    """The name of a probe that reads ``inputs`` and the emotion."""
    return f"{inputs} + {BY_EMOTION}"


@dataclass(frozen=True)
class UnitReads:
    """AUROCs of linear probes for action units.

    Attributes
    ----------
    reads
        By what the probes read float64 (networks, A, 1 + draws), as of ``aus.heads.drawn_aurocs``; one
        network where the input is not a network's.
    without
        The same (networks, A, groups) without each group of people.
    aus, too_few
        Units that were scored, and those that too few people show.
    test
        The tested pictures.
    """

    reads: dict[str, np.ndarray]
    without: dict[str, np.ndarray]
    aus: tuple[str, ...]
    too_few: tuple[str, ...]
    test: Presence

    def macro(self, inputs: str) -> np.ndarray:
        """float64 (networks, 1 + draws): the mean AUROC over the units, of all pictures and of each draw."""
        return mean_of_defined(self.reads[inputs], axis=1)


def unseen_people(faces: FaceSet) -> FaceSet:
    """The people of ``faces`` whom no network was trained on (splits ``valid`` and ``test``), in new splits:
    probes are fitted to features of held-out people.
    """
    unseen = faces.select(faces.table["split"].ne("train").to_numpy())
    split = split_people(unseen.table["subject"].to_list(), unseen.table["emotion"].to_list())
    return unseen.assign(split=split)


def enough_for_probes(faces: FaceSet) -> bool:
    """Whether enough people of ``faces`` show some unit to fit probes."""
    return bool(faces.aus) and enough_people(presence(faces), faces.table["split"].to_numpy())


def read_units(
    faces: FaceSet,
    networks: Sequence[nn.Module],
    classes: tuple[str, ...],
    unit_networks: Sequence[nn.Module] = (),
    *,
    draws: int,
    seed: int = 0,
    **how: object,
) -> UnitReads:
    """Fit and test linear probes for the action units of ``faces``, in its splits, on each of ``READS`` with
    and without the emotion (one of ``classes``); on ``BY_UNITS`` where there are ``unit_networks``.

    One untrained network for each of ``networks``, its initial weights drawn from ``seed`` on. Strengths are
    chosen on the validation pictures. ``how``: as of ``train.predict.features_of``. Draws and left-out groups
    are of people, the same for all probes. Raises DataError as ``aus.heads.fit_heads``.
    """
    units, emotions = presence(faces), _shown_emotions(faces, classes)
    device = how.pop("device", "cpu")
    untrained = [untrained_network(model, seed + k).to(device) for k, model in enumerate(networks)]
    models = {BY_FEATURES: networks, BY_UNTRAINED: untrained, BY_UNITS: unit_networks}
    inputs = {
        name: [features_of(model, faces, **how) for model in own] for name, own in models.items() if own
    }
    inputs[BY_HOG] = [hog_responses(faces)]
    features = {BY_EMOTION: [emotions]}
    for name, own in inputs.items():
        features |= {name: own, with_emotion(name): [_joined(each, emotions) for each in own]}
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    test = split == "test"
    tested = units.select(test)
    groups = min(PEOPLE_GROUPS, len(np.unique(tested.subjects)))
    places = people_groups(tested.subjects, groups) if groups > 1 else np.zeros(len(tested.subjects), int)
    reads, without = {}, {}
    for name, own in features.items():
        heads = [fit_heads(each, units, split, strengths=PROBE_STRENGTHS) for each in own]
        pairs = [(head, each[test]) for head, each in zip(heads, own, strict=True)]
        reads[name] = np.stack([drawn_aurocs(*pair, tested, draws=draws) for pair in pairs])
        without[name] = np.stack([aurocs_without(*pair, tested, places) for pair in pairs])
    return UnitReads(reads, without, heads[0].aus, heads[0].too_few, tested)


def _shown_emotions(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    return np.array([faces.table["emotion"].eq(name) for name in classes], np.float32).T


def _joined(features: np.ndarray, emotions: np.ndarray) -> np.ndarray:
    """``features`` (N, F) and ``emotions`` (N, C), the latter repeated to about as many columns: one penalty
    holds for all columns and would else suppress the few of the emotion.
    """
    return np.hstack([features, np.tile(emotions, (1, max(1, features.shape[1] // emotions.shape[1])))])


def auroc_gain(unit_reads: UnitReads, first: str, second: str) -> Estimate:
    """Mean AUROC over the units of probes that read ``first`` minus that of those that read ``second``; with
    an interval over people, and over networks where there are several.
    """
    own, other = unit_reads.macro(first), unit_reads.macro(second)
    gaps = own - (other if len(own) == len(other) else other.mean(axis=0))
    return _over_networks(gaps, unit_reads, (-1, 1))


def mean_auroc(unit_reads: UnitReads, inputs: str) -> Estimate:
    """Mean AUROC over the units of probes that read ``inputs``, with an interval as of ``auroc_gain``."""
    return _over_networks(unit_reads.macro(inputs), unit_reads, (0, 1))


def _over_networks(values: np.ndarray, unit_reads: UnitReads, limits: tuple[float, float]) -> Estimate:
    """The mean over the networks of ``values`` (networks, 1 + draws), with its interval within ``limits``."""
    people = len(np.unique(unit_reads.test.subjects))
    about = {"n": len(unit_reads.test), "tolerance": 2 * RERUN_TOLERANCE, "limits": limits}
    return networks_and_draws(values, people, **about)


ADDED = {
    "au_features_over_emotion": (with_emotion(BY_FEATURES), BY_EMOTION),
    "au_untrained_over_emotion": (with_emotion(BY_UNTRAINED), BY_EMOTION),
    "au_features_over_untrained": (with_emotion(BY_FEATURES), with_emotion(BY_UNTRAINED)),
}
"""Metric -> the two of ``READS`` whose difference it is."""


def unit_metrics(unit_reads: UnitReads) -> dict[str, Estimate]:
    """``au_auroc``, of features and the emotion, and ``au_auroc_<read>``: mean AUROC over the units; the
    differences of ``ADDED``; ``au_scored`` and ``au_too_few``: units; ``au_networks``. Where there are
    networks trained on units: ``au_auroc_degree`` and ``au_auroc_room`` between HOG, the floor, and these,
    the ceiling, all with the emotion, and ``au_networks_of_each_role``.
    """
    short = {"emotion": BY_EMOTION, "frozen": BY_FEATURES, "untrained": BY_UNTRAINED, "hog": BY_HOG}
    counts = {"scored": unit_reads.aus, "too_few": unit_reads.too_few}
    counts |= {"networks": unit_reads.reads[BY_FEATURES]}
    metrics = {
        **{f"au_{name}": Estimate(len(members), unit="count") for name, members in counts.items()},
        "au_auroc": mean_auroc(unit_reads, with_emotion(BY_FEATURES)),
        **{f"au_auroc_{name}": mean_auroc(unit_reads, inputs) for name, inputs in short.items()},
        **{name: auroc_gain(unit_reads, *pair) for name, pair in ADDED.items()},
    }
    roles = [_role(unit_reads, with_emotion(name)) for name in (BY_HOG, BY_FEATURES, BY_UNITS)]
    if None in roles:
        return metrics
    count = min(len(role.values) for role in roles[1:])
    metrics["au_networks_of_each_role"] = Estimate(count, unit="count")
    floor, own, ceiling = (role.values.mean() for role in roles)
    try:
        degree, room = degree_and_distance(*roles)
    except DataError as fault:  # the page prints why there is no degree
        ratio = (own - floor) / (ceiling - floor) if ceiling != floor else 0.0
        return metrics | {"au_auroc_degree": Estimate(ratio, why=str(fault))}
    return metrics | {"au_auroc_degree": degree, "au_auroc_room": room}


def _role(unit_reads: UnitReads, inputs: str) -> Role | None:
    """None where nothing reads ``inputs``, or networks are too few."""
    if inputs not in unit_reads.reads or unit_reads.without[inputs].shape[2] < 2:
        return None
    values, without = unit_reads.macro(inputs)[:, 0], mean_of_defined(unit_reads.without[inputs], axis=1).T
    if inputs == with_emotion(BY_HOG):  # it is no network: no variance of seeds
        values, without = np.repeat(values, 2), np.repeat(without, 2, axis=1)
    return Role(inputs, values, without) if len(values) > 1 else None


MEAN, ADDS = "mean AUROC over units", "added to the emotion"
"""Panels of ``figures.added_dots``."""


def added_table(unit_reads: UnitReads) -> pd.DataFrame:
    """AUROC of each input and what it adds to the emotion, for ``figures.added_dots``: ``panel``, ``read``,
    ``estimate``, ``main`` (features with the emotion).
    """
    rows = [(MEAN, inputs, mean_auroc(unit_reads, inputs)) for inputs in unit_reads.reads]
    rows += [
        (ADDS, with_emotion(r), auroc_gain(unit_reads, with_emotion(r), BY_EMOTION))
        for r in READS
        if with_emotion(r) in unit_reads.reads
    ]
    table = pd.DataFrame(rows, columns=["panel", "read", "estimate"])
    return table.assign(main=table["read"].eq(with_emotion(BY_FEATURES)))
