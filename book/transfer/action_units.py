"""What the features of networks that learned expressions know of single action units, beyond the emotion, and
in which layer.

A head that is told the emotion already knows much of the units: they come with it. So the question is what
features *add* to it, and whether those of an untrained network add as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import adaptive_max_pool2d

from fer_lib.aus.heads import drawn_aurocs, enough_people, fit_heads
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.splits import split_people
from fer_lib.look.handmade import hog_responses
from fer_lib.look.layers import example_picture, find_layer, trace
from fer_lib.stats.resampling import RERUN_TOLERANCE, mean_of_defined
from fer_lib.stats.two_way import networks_and_draws
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import collected, features_of
from ferbook.estimate import Estimate

BY_EMOTION, BY_FEATURES, BY_UNTRAINED, BY_HOG = READS = ("emotion", "features", "untrained", "HOG")
"""What heads read: the picture's true emotion and nothing else; what the last layer of the trained networks
is given; the same of untrained networks; histograms of oriented gradients."""

PROBE_STRENGTHS = (0.001, 0.01, 0.1)

FIELDS = 3
"""Of a layer heads read the largest response of each feature map in each of 3 × 3 equal fields."""


def with_emotion(inputs: str) -> str:
    """What a head is called that reads the emotion beside ``inputs``."""
    return f"{inputs} + {BY_EMOTION}"


@dataclass(frozen=True)
class UnitReads:
    """``reads``: by what the heads read float64 (networks, A, 1 + draws) of the pictures of ``test``
    (``aus.heads.drawn_aurocs``), one network where none reads; ``aus`` that were scored; ``too_few``: the
    others.
    """

    reads: dict[str, np.ndarray]
    aus: tuple[str, ...]
    too_few: tuple[str, ...]
    test: Presence

    def macro(self, inputs: str) -> np.ndarray:
        """float64 (networks, 1 + draws): the mean AUROC over the units, of all pictures and of each draw."""
        return mean_of_defined(self.reads[inputs], axis=1)


def unseen_people(faces: FaceSet) -> FaceSet:
    """The people of ``faces`` whom no network learned from, those of its splits ``valid`` and ``test``,
    divided anew: heads have to be fitted on features as they are of people unseen.
    """
    unseen = faces.select(faces.table["split"].ne("train").to_numpy())
    split = split_people(unseen.table["subject"].to_list(), unseen.table["emotion"].to_list())
    return unseen.assign(split=split)


def can_be_asked(faces: FaceSet) -> bool:
    """Whether enough people of ``faces`` show some unit for heads."""
    return bool(faces.aus) and enough_people(presence(faces), faces.table["split"].to_numpy())


def read_units(
    faces: FaceSet,
    networks: Sequence[nn.Module],
    classes: tuple[str, ...],
    *,
    draws: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> UnitReads:
    """Fit and test linear heads for the action units of ``faces``, in its splits, on each of ``READS`` and on
    each with the emotion (one of ``classes``) beside.

    One untrained network for each of ``networks``, its first weights drawn from ``seed`` on. Strengths are
    chosen on the validation pictures. Networks compute in ``dtype`` (None: the type of their weights). Draws
    are of people, the same for all heads. Raises DataError as ``aus.heads.fit_heads``.
    """
    units, emotions = presence(faces), _shown_emotions(faces, classes)
    inputs = {
        BY_FEATURES: [features_of(model, faces, dtype=dtype) for model in networks],
        BY_UNTRAINED: [features_of(model, faces, dtype=dtype) for model in _blank(networks, seed, device)],
        BY_HOG: [hog_responses(faces)],
    }
    reads = {BY_EMOTION: _read([emotions], faces, units, draws)}
    for name, features in inputs.items():
        reads[name] = _read(features, faces, units, draws)
        beside = [_beside(own, emotions) for own in features]
        reads[with_emotion(name)] = _read(beside, faces, units, draws)
    split = _split(faces)
    heads = fit_heads(emotions, units, split, strengths=PROBE_STRENGTHS)
    return UnitReads(reads, heads.aus, heads.too_few, units.select(split == "test"))


def layers_of(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers that are compared: of each size of feature maps the last ReLU, in their order."""
    calls = trace(model, example_picture(model))
    maps = [call for call in calls if isinstance(call.module, nn.ReLU) and len(call.shape) == 4]
    return tuple({call.shape[2:]: call.name for call in maps}.values())


def read_layers(
    unit_reads: UnitReads,
    faces: FaceSet,
    networks: Sequence[nn.Module],
    classes: tuple[str, ...],
    *,
    draws: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> UnitReads:
    """As ``read_units``, which ``unit_reads`` comes from, by layer: it has ``BY_EMOTION``, and for each of
    ``layers_of``, called ``layer 1`` and so on, and of ``BY_FEATURES`` the pair of ``layer_reads``.
    """
    units, emotions = presence(faces), _shown_emotions(faces, classes)
    reads = {BY_EMOTION: unit_reads.reads[BY_EMOTION]}
    both = networks, _blank(networks, seed, device)
    for which, models in enumerate(both):
        features = [_by_layer(model, faces, dtype) for model in models]
        for layer in features[0]:
            beside = [_beside(own[layer], emotions) for own in features]
            reads[layer_reads(layer)[which]] = _read(beside, faces, units, draws)
    for own, inputs in zip(layer_reads(BY_FEATURES), (BY_FEATURES, BY_UNTRAINED), strict=True):
        reads[own] = unit_reads.reads[with_emotion(inputs)]
    return replace(unit_reads, reads=reads)


def layer_reads(layer: str) -> tuple[str, str]:
    """What heads are called that read ``layer`` of trained, and of untrained networks, and the emotion."""
    return with_emotion(layer), with_emotion(f"{layer}, {BY_UNTRAINED}")


def _by_layer(model: nn.Module, faces: FaceSet, dtype: torch.dtype | None = None) -> dict[str, np.ndarray]:
    def strongest(_: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return adaptive_max_pool2d(output, FIELDS).flatten(1)

    layers = {f"layer {k}": find_layer(model, name) for k, name in enumerate(layers_of(model), start=1)}
    readouts = {name: (layer, strongest) for name, layer in layers.items()}
    return collected(model, faces, readouts, dtype=dtype)


def _blank(networks: Sequence[nn.Module], seed: int, device: torch.device | str) -> list[nn.Module]:
    return [untrained_network(model, seed + k).to(device) for k, model in enumerate(networks)]


def _shown_emotions(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    return np.array([faces.table["emotion"].eq(name) for name in classes], np.float32).T


def _split(faces: FaceSet) -> np.ndarray:
    return faces.table["split"].to_numpy(dtype=object).astype(str)


def _read(features: Sequence[np.ndarray], faces: FaceSet, units: Presence, draws: int) -> np.ndarray:
    split = _split(faces)
    test = split == "test"
    heads = [fit_heads(own, units, split, strengths=PROBE_STRENGTHS) for own in features]
    pairs = zip(heads, features, strict=True)
    return np.stack([drawn_aurocs(head, own[test], units.select(test), draws=draws) for head, own in pairs])


def _beside(features: np.ndarray, emotions: np.ndarray) -> np.ndarray:
    """``features`` (N, F) and ``emotions`` (N, C), the latter as often as makes about as many columns: one
    penalty holds for all, and would else keep a head from using the few that tell the emotion.
    """
    return np.hstack([features, np.tile(emotions, (1, max(1, features.shape[1] // emotions.shape[1])))])


def auroc_gain(unit_reads: UnitReads, first: str, second: str) -> Estimate:
    """How much higher the mean AUROC over the units is of heads that read ``first`` than of those that read
    ``second``; with its interval over people, and networks where there are several.
    """
    own, other = unit_reads.macro(first), unit_reads.macro(second)
    gaps = own - (other if len(own) == len(other) else other.mean(axis=0))
    return _over_networks(gaps, unit_reads, (-1, 1))


def mean_auroc(unit_reads: UnitReads, inputs: str) -> Estimate:
    """The mean AUROC over the units of heads that read ``inputs``; with its interval as of ``auroc_gain``."""
    return _over_networks(unit_reads.macro(inputs), unit_reads, (0, 1))


def _over_networks(values: np.ndarray, unit_reads: UnitReads, limits: tuple[float, float]) -> Estimate:
    """Of ``values`` (networks, 1 + draws) the mean over the networks, with an interval for both lucks within
    ``limits``.
    """
    people = len(np.unique(unit_reads.test.subjects))
    about = {"n": len(unit_reads.test), "tolerance": 2 * RERUN_TOLERANCE, "limits": limits}
    return networks_and_draws(values, people, **about)


ADDED = {
    "au_features_over_emotion": (with_emotion(BY_FEATURES), BY_EMOTION),
    "au_untrained_over_emotion": (with_emotion(BY_UNTRAINED), BY_EMOTION),
    "au_features_over_untrained": (with_emotion(BY_FEATURES), with_emotion(BY_UNTRAINED)),
    "au_features_over_hog": (with_emotion(BY_FEATURES), with_emotion(BY_HOG)),
    "au_frozen_over_untrained": (BY_FEATURES, BY_UNTRAINED),
    "au_frozen_over_emotion": (BY_FEATURES, BY_EMOTION),
}
"""Metric -> the two reads whose difference it is."""


def unit_metrics(unit_reads: UnitReads) -> dict[str, Estimate]:
    """``au_auroc_<read>``: mean AUROC over the units; the differences of ``ADDED``; ``au_scored`` and
    ``au_too_few``: units; ``au_networks``.
    """
    short = {"emotion": BY_EMOTION, "frozen": BY_FEATURES, "untrained": BY_UNTRAINED, "hog": BY_HOG}
    counts = {"scored": unit_reads.aus, "too_few": unit_reads.too_few}
    counts |= {"networks": unit_reads.reads[BY_FEATURES]}
    return {
        **{f"au_{name}": Estimate(len(members), unit="count") for name, members in counts.items()},
        **{f"au_auroc_{name}": mean_auroc(unit_reads, inputs) for name, inputs in short.items()},
        **{name: auroc_gain(unit_reads, *pair) for name, pair in ADDED.items()},
    }


MEAN, ADDS = "mean AUROC over units", "added to the emotion"
"""Panels of ``figures.added_dots``."""


def added_table(unit_reads: UnitReads) -> pd.DataFrame:
    """What is read and what it adds, for ``figures.added_dots``: ``panel``, ``read``, ``value``, ``low``,
    ``high``, ``main`` (features beside the emotion).
    """
    rows = [(MEAN, inputs, mean_auroc(unit_reads, inputs)) for inputs in unit_reads.reads]
    rows += [
        (ADDS, with_emotion(r), auroc_gain(unit_reads, with_emotion(r), BY_EMOTION))
        for r in READS
        if r != BY_EMOTION
    ]
    table = [(panel, inputs, one.value, one.low, one.high) for panel, inputs, one in rows]
    rows = pd.DataFrame(table, columns=["panel", "read", "value", "low", "high"])
    return rows.assign(main=rows["read"].eq(with_emotion(BY_FEATURES)))


def layer_metrics(unit_reads: UnitReads) -> dict[str, Estimate]:
    """Of ``read_layers``: ``au_last_over_first_layer`` and, by layer, ``au_layer_1_over_untrained``
    …: differences of the mean AUROC over the units, the emotion beside.
    """
    layers = _layers(unit_reads)
    first, last = (layer_reads(layers[place])[0] for place in (0, -1))
    over = {f"au_{name.replace(' ', '_')}_over_untrained": layer_reads(name) for name in layers[:-1]}
    pairs = {"au_last_over_first_layer": (last, first)} | over
    return {name: auroc_gain(unit_reads, *pair) for name, pair in pairs.items()}


def layer_table(unit_reads: UnitReads) -> pd.DataFrame:
    """What heads on each layer add to the emotion, for ``figures.layer_dots``: ``layer``, ``series``
    (``trained``, ``untrained``), ``value``, ``low``, ``high``.
    """
    rows = []
    for layer in _layers(unit_reads):
        for series, inputs in zip(("trained", BY_UNTRAINED), layer_reads(layer), strict=True):
            one = auroc_gain(unit_reads, inputs, BY_EMOTION)
            rows.append((layer, series, one.value, one.low, one.high))
    return pd.DataFrame(rows, columns=["layer", "series", "value", "low", "high"])


def _layers(unit_reads: UnitReads) -> list[str]:
    ends = f", {BY_UNTRAINED} + {BY_EMOTION}"
    return [inputs.removesuffix(ends) for inputs in unit_reads.reads if inputs.endswith(ends)]
