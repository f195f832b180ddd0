"""Whether a method's maps show what caused a neuron's response: scores by a ground truth that only rendered
faces have.

Each face has a **twin**, the same picture without one action unit. The neuron is one of the filter that the
unit activates most (in other people), where its response to the unit is largest. So it is known which skin
the map should cover, what it should lose when the unit is removed, and, by inserting parts of the twin into
the face, how much each part contributes to the response. The scores are ``MAP_SCORES``; N neurons of a
network, pictures of H × W pixels.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import nn

from face_sets.faceset import FaceSet, named_alone
from fer_lib.look.layers import last_conv, standardiser, to_input
from fer_lib.look.localisation import (
    area_share,
    cross_fitted_overlap,
    energy_share,
    pointing_game,
    receptive_fields,
    rival_regions,
)
from fer_lib.look.receptive import Explainer, answers_at, receptive_field
from fer_lib.look.responses import maximal_responses
from fer_lib.look.sanity import correlation
from fer_lib.stats.resampling import mean_of_defined, ratio
from fer_lib.stats.two_way import PEOPLE_GROUPS, networks_and_people, people_groups
from fer_lib.train.controls import untrained_network
from ferbook.errors import DataError
from ferbook.estimate import Estimate

# Neurons that are explained again, after all others: a method that stores something returns other maps.
REPEATED = 4

# Largest difference of a repeated map, relative to the map's largest value.
SAME_MAP = 1e-3

# Parts of a face per side that are inserted from its twin.
TWIN_PARTS = 6

# Fewest parts in which a face and its twin differ for a rank correlation.
FEWEST_PARTS = 4

# Pixels beyond a neuron's field on which its standardised picture depends, see ``nets.zero_bias``.
STANDARDISED = 2

# Largest difference between equal standardised pictures.
ROUNDING = 1e-3


@dataclass(frozen=True)
class MapScore:
    """A score: the mean of the column ``top`` over that of ``under``, if there is one.

    Attributes
    ----------
    about : str
        Description.
    top, under : str
        Columns of ``judge_maps``.
    nothing : str
        The score of a map without information.
    limits : tuple of float
        Range of the score.
    tolerance : float
        Of its estimates.
    """

    about: str
    top: str
    under: str = ""
    nothing: str = "0"
    limits: tuple[float, float] = (-1, 1)
    tolerance: float = 0.0


# Scores of ``judge_maps``: name -> score; more is better for each.
MAP_SCORES = {
    "concentration": MapScore(
        "energy on the skin that the unit moves, over its area",
        "energy_share",
        "area_share",
        "1",
        (0, np.inf),
    ),
    "pointing": MapScore("largest pixel on that skin", "pointing_game", nothing="the area", limits=(0, 1)),
    "iou": MapScore("overlap with that skin", "iou", nothing="the area", limits=(0, 1)),
    "right_unit": MapScore("energy there minus that on as much skin of other units", "right_unit"),
    "contrast": MapScore("of what the map loses without the unit, the share on that skin", "contrast"),
    "correctness": MapScore("rank correlation with what parts of the face make of the answer", "correctness"),
    "sanity": MapScore("1 minus the correlation with the map of random weights", "sanity", limits=(0, 2)),
    "stability": MapScore("correlation with the map where nothing that matters was changed", "stability"),
}


@dataclass(frozen=True, eq=False)
class Twins:
    """N faces with one action unit, and the same faces without it.

    Attributes
    ----------
    on, off : FaceSet
        With the unit (and with masks), and without.
    aus : (N,) array of str
        The units.
    """

    on: FaceSet
    off: FaceSet
    aus: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.on) == len(self.off) == len(self.aus):
            raise DataError(
                f"{len(self.on)} faces, {len(self.off)} twins, {len(self.aus)} units: one of each"
            )

    @cached_property
    def people(self) -> np.ndarray:
        """The person of each face, (N,)."""
        return named_alone(self.on.table["subject"])

    @cached_property
    def regions(self) -> tuple[np.ndarray, np.ndarray]:
        """The skin that each face's unit moves, bool (N, H, W), and as much of that of other units, bool (N,
        A, H, W), see ``look.localisation.rival_regions``. Raises DataError if a unit has no mask.
        """
        for au in np.unique(self.aus):
            self.on.mask(au)
        aus = sorted(self.on.mask_aus, key=lambda au: int(au[2:]))
        bits = np.array([self.on.mask_aus.index(au) for au in aus], np.uint32)
        every = (self.on.masks[:, None] >> bits[:, None, None] & 1).astype(bool)
        own = pd.Index(aus).get_indexer(self.aus)
        return every[np.arange(len(own)), own], rival_regions(every, own)

    @cached_property
    def halves(self) -> np.ndarray:
        """bool (N,): whether a face is of the first half of the people."""
        return people_groups(self.people, 2) == 0


@dataclass(frozen=True, eq=False)
class MapBenchmark:
    """The neurons of one network that a method explains.

    Attributes
    ----------
    name : str
    network, untrained : torch.nn.Module
        The network, and the same with random weights.
    layer : str
    twins : Twins
    rows, filters : (P,) int arrays
        Face and filter of each neuron.
    positions : (P, 2) int array
        Its place in the layer's maps.
    """

    name: str
    network: nn.Module
    untrained: nn.Module
    layer: str
    twins: Twins
    rows: np.ndarray
    filters: np.ndarray
    positions: np.ndarray

    @cached_property
    def fields(self) -> np.ndarray:
        """bool (P, H, W): the receptive field of each neuron."""
        field = receptive_field(self.network, self.layer)
        corners = field.start + self.positions * field.stride
        return receptive_fields(corners, field.size, self.twins.on.size)

    @cached_property
    def disturbed(self) -> np.ndarray:
        """uint8 (P, H, W): the faces, changed where no response depends on it: outside the receptive field is
        another person's picture, and inside each grey level changes by at most one. If the network
        standardises whole pictures, the response depends on the whole picture, and there is no other person.
        """
        field, rng = receptive_field(self.network, self.layer), np.random.default_rng(0)
        corners = field.start + self.positions * field.stride - STANDARDISED
        fields = receptive_fields(corners, field.size + 2 * STANDARDISED, self.twins.on.size)
        own, faces = self.twins.on.pixels[self.rows], self.twins.on.pixels
        others = faces[(self.rows + len(faces) // 2) % len(faces)]
        noisy = (own + rng.integers(-1, 2, fields.shape)).clip(0, 255)
        inside = (self._standardised(each)[self.fields] for each in (own, np.where(fields, own, others)))
        alike = np.allclose(*inside, atol=ROUNDING)
        return (np.where(fields, noisy, others) if alike else noisy).astype(np.uint8)

    def _standardised(self, pictures: np.ndarray) -> np.ndarray:
        """Standardise ``pictures`` uint8 (P, H, W) as the first layer does: float (P, H, W)."""
        with torch.no_grad():
            return standardiser(self.network)(to_input(self.network, pictures))[:, 0].float().cpu().numpy()

    @cached_property
    def parts(self) -> np.ndarray:
        """float64 (P, TWIN_PARTS, TWIN_PARTS): how much the response decreases if this part of the face is
        its twin's; NaN where both are equal or outside the receptive field.
        """
        on, off = (faces.pixels[self.rows] for faces in (self.twins.on, self.twins.off))
        falls = np.full((len(on), TWIN_PARTS, TWIN_PARTS), np.nan)
        whole = answers_at(self.network, self.layer, on, np.arange(len(on)), self.filters, self.positions)
        for row, column, block in _blocks(on.shape[1:]):
            differs = (on != off)[:, *block].any((1, 2)) & self.fields[:, *block].any((1, 2))
            pairs = np.flatnonzero(differs)
            if len(pairs):
                mixed = on[pairs].copy()
                mixed[:, *block] = off[pairs][:, *block]
                at = np.arange(len(pairs)), self.filters[pairs], self.positions[pairs]
                falls[pairs, row, column] = whole[pairs] - answers_at(self.network, self.layer, mixed, *at)
        return falls

    @cached_property
    def awake(self) -> np.ndarray:
        """bool (P,): whether the neuron also responds with random weights."""
        at = self.rows, self.filters, self.positions
        return answers_at(self.untrained, self.layer, self.twins.on.pixels, *at) > 0


def _blocks(size: tuple[int, int]) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """Yield row and column of each part of a picture of ``size``, and its place."""
    ends = [np.linspace(0, side, TWIN_PARTS + 1).astype(int) for side in size]
    for row in range(TWIN_PARTS):
        for column in range(TWIN_PARTS):
            places = zip(ends, (row, column), strict=True)
            yield row, column, tuple(slice(end[at], end[at + 1]) for end, at in places)


def map_benchmark(
    name: str, network: nn.Module, twins: Twins, *, layer: str = "", seed: int = 0
) -> MapBenchmark:
    """Select the neurons of ``network`` that a method explains.

    For each unit, the filter whose maximal response it increases most, relative to the spread over faces
    without it, in the other half of the people. Faces in which the unit does not increase it, or whose
    unit the other half does not show, are left out.

    Parameters
    ----------
    name : str
    network : torch.nn.Module
    twins : Twins
    layer : str
        By default the last convolution's.
    seed : int
        Of the random weights.

    Returns
    -------
    MapBenchmark

    Raises
    ------
    DataError
        No face is left.
    """
    layer = layer or last_conv(network)
    # One twin belongs to all units of a person: it is evaluated once.
    flat = twins.off.pixels.reshape(len(twins.off), -1)
    _, first, again = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    on = maximal_responses(network, twins.on, layer)
    off = maximal_responses(network, twins.off.select(first), layer).maxima[again.ravel()]
    spread = off.std(axis=0)
    gain = (on.maxima - off) / np.where(spread > 0, spread, np.inf)
    filters = np.full(len(twins.aus), -1)
    for half in (twins.halves, ~twins.halves):
        for au in np.unique(twins.aus):
            own = twins.aus == au
            if (own & ~half).any():
                filters[own & half] = gain[own & ~half].mean(axis=0).argmax()
    rows = np.flatnonzero((filters >= 0) & (gain[np.arange(len(filters)), filters] > 0))
    if not len(rows):
        raise DataError(f"{name}: no unit raises the answer of the filter that it is known by")
    filters = filters[rows]
    positions = on.positions[rows, filters].astype(np.int64)
    untrained = untrained_network(network, seed).to(next(network.parameters()).device)
    return MapBenchmark(name, network, untrained, layer, twins, rows, filters, positions)


def checked_maps(method: Explainer, network: nn.Module, layer: str, *inputs: np.ndarray) -> np.ndarray:
    """Compute the maps of a method and check them.

    Parameters
    ----------
    method : callable
        As of ``look.attribution``.
    network : torch.nn.Module
    layer : str
    *inputs : arrays
        Pictures, rows, filters and positions.

    Returns
    -------
    (N, H, W) float32 array

    Raises
    ------
    DataError
        The maps have another shape or are not finite, or the method changed the network or its inputs.
    """
    before = _digest(network, inputs)
    maps = method(network, layer, *inputs)
    expected = (len(inputs[1]), *inputs[0].shape[1:])
    if _digest(network, inputs) != before:
        raise DataError("it changed the network or the pictures that it was given; work on a copy")
    if not isinstance(maps, np.ndarray | torch.Tensor):
        raise DataError(f"it returned {type(maps).__name__}; expected an array {expected}")
    maps = np.asarray(maps.detach().cpu() if isinstance(maps, torch.Tensor) else maps)
    if maps.shape != expected or maps.dtype.kind not in "fiub":
        raise DataError(f"it returned {maps.dtype} {maps.shape}; expected numbers {expected}")
    wrong = np.flatnonzero(~np.isfinite(maps.astype(np.float32)).all(axis=(1, 2)))
    if len(wrong):
        raise DataError(f"map {wrong[0]} of {len(maps)} holds values that are not finite numbers")
    return maps.astype(np.float32)


def _digest(network: nn.Module, arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    for name, module in network.named_modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        digest.update(f"{name} {type(module)} {module.training} {hooks}".encode())
    for each in arrays:
        digest.update(np.ascontiguousarray(each).tobytes())
    return digest.hexdigest()


def judge_maps(method: Explainer, trials: Sequence[MapBenchmark]) -> pd.DataFrame:
    """Score the maps of ``method``.

    A constant map replaces a map that is zero everywhere, so that a method without information gains nothing.

    Parameters
    ----------
    method : callable
        As of ``look.attribution``.
    trials : sequence of MapBenchmark

    Returns
    -------
    pandas.DataFrame
        One row per neuron of every trial: ``network``, ``person``, ``unit``, the columns that ``MAP_SCORES``
        names, and ``seconds``, the time of a map.

    Raises
    ------
    DataError
        As ``checked_maps``, and if a repeated map differs.
    """
    tables, firsts = [], []
    for each in trials:
        firsts.append(_first_maps(method, each))
        tables.append(_judge_benchmark(method, each))
    for each, first in zip(trials, firsts, strict=True):
        again = _first_maps(method, each)
        if np.abs(again - first).max() > SAME_MAP * np.abs(first).max():
            raise DataError(
                "called again with the same neurons it returned other maps; draw from a fixed seed"
            )
    return pd.concat(tables, ignore_index=True)


def _first_maps(method: Explainer, trial: MapBenchmark) -> np.ndarray:
    few = (part[:REPEATED] for part in (trial.rows, trial.filters, trial.positions))
    return checked_maps(method, trial.network, trial.layer, trial.twins.on.pixels, *few)


def _judge_benchmark(method: Explainer, trial: MapBenchmark) -> pd.DataFrame:
    twins, rows, at = trial.twins, trial.rows, (trial.filters, trial.positions)
    begun = time.perf_counter()
    maps = checked_maps(method, trial.network, trial.layer, twins.on.pixels, rows, *at)
    seconds = (time.perf_counter() - begun) / len(maps)
    without = checked_maps(method, trial.network, trial.layer, twins.off.pixels, rows, *at)
    random = checked_maps(method, trial.untrained, trial.layer, twins.on.pixels, rows, *at)
    again = checked_maps(method, trial.network, trial.layer, trial.disturbed, np.arange(len(rows)), *at)
    region, rivals = (each[rows] for each in twins.regions)
    difference = maps - without
    energies = np.where(maps.any(axis=(1, 2), keepdims=True), maps, 1)
    share = energy_share(energies, region)
    present, fields = region.any(axis=(1, 2)), trial.fields
    contrast = energy_share(difference, region)
    pairs = range(len(rows))
    alike = np.array([_likeness(maps[i], random[i], fields[i]) for i in pairs])
    return pd.DataFrame(
        {
            "energy_share": share,
            "area_share": area_share(region),
            "pointing_game": pointing_game(energies, region),
            "iou": cross_fitted_overlap(energies, region, twins.people[rows]),
            "network": trial.name,
            "person": twins.people[rows],
            "unit": twins.aus[rows],
            "right_unit": share - mean_of_defined(energy_share(energies, rivals)),
            "contrast": np.where(present & ~difference.any(axis=(1, 2)), 0, contrast),
            "correctness": [_agreement(energies[i], trial.parts[i]) for i in pairs],
            "sanity": np.where(trial.awake, 1 - np.abs(alike), np.nan),
            "stability": [_likeness(maps[i], again[i], np.ones_like(fields[i])) for i in pairs],
            "seconds": seconds,
        }
    )


def _likeness(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Return the rank correlation of two maps' energies; 1 for equal maps, and for a constant one with
    any.
    """
    one, other = np.abs(one[where]), np.abs(other[where])
    if np.array_equal(one, other) or not (np.ptp(one) and np.ptp(other)):
        return 1.0
    return correlation(rankdata(one), rankdata(other))


def _agreement(energy: np.ndarray, falls: np.ndarray) -> float:
    """Return the rank correlation of the energy in each part of a map with the change of the response without
    that part; 0 for a constant map, NaN if too few parts differ.
    """
    mean = np.full(falls.shape, np.nan)
    for row, column, block in _blocks(energy.shape):
        mean[row, column] = np.abs(energy[block]).mean()
    there = np.isfinite(falls)
    if there.sum() < FEWEST_PARTS or not np.ptp(falls[there]):
        return math.nan
    return correlation(rankdata(mean[there]), rankdata(np.abs(falls[there]))) if np.ptp(mean[there]) else 0.0


def map_estimates(table: pd.DataFrame) -> dict[str, Estimate]:
    """Estimate each of ``MAP_SCORES`` from the table of ``judge_maps``, with its interval over people, and
    over networks if there are several (``stats.two_way``), and ``seconds`` without an interval. A score that
    is undefined for all neurons of some network is left out.
    """
    rows, estimates = add_people_groups(table, "person"), {}
    for name, score in MAP_SCORES.items():
        values = ratio(sums_left_out(rows, score))
        if np.isfinite(values).all():
            estimates[name] = networks_and_people(values, n=len(table), limits=score.limits)
    why = "measured once, on this machine"
    return estimates | {"seconds": Estimate(table["seconds"].mean(), n=len(table), unit="seconds", why=why)}


def add_people_groups(rows: pd.DataFrame, people: str) -> pd.DataFrame:
    """Add the column ``group``, in which the person in the column ``people`` is left out; its categories are
    all groups.
    """
    groups = min(PEOPLE_GROUPS, rows[people].nunique())
    own = people_groups(rows[people].to_numpy(), groups) if groups > 1 else np.zeros(len(rows), int)
    return rows.assign(group=pd.Categorical(own, categories=range(groups)))


def sums_left_out(rows: pd.DataFrame, score: MapScore) -> np.ndarray:
    """Compute for each network the two sums whose ratio the ``score`` is, of all people and without each
    ``group``: (R, 1 + G, 2). ``rows`` of ``add_people_groups`` may have a ``weight``; undefined rows are left
    out.
    """
    under = rows[score.under] if score.under else np.ones(len(rows))
    values = np.stack([rows[score.top], under], axis=1).astype(float)
    values[np.isnan(values).any(axis=1)] = 0
    if "weight" in rows:
        values *= rows["weight"].to_numpy()[:, None]
    networks, own = np.unique(rows["network"], return_inverse=True)
    sums = np.zeros((len(networks), len(rows["group"].cat.categories), 2))
    np.add.at(sums, (own, rows["group"].cat.codes), values)
    whole = sums.sum(axis=1, keepdims=True)
    return np.concatenate([whole, whole - sums], axis=1)
