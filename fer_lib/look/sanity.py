"""Whether projections show what a network has learned: sanity checks after Adebayo et al. 2018 (arXiv
1810.03292), and how alike two networks' projections of the same pairs are beyond what any two maps have in
common.

A map that stays the same when the weights are random, or when the network was trained on shuffled labels, is
made of the picture and not of the network. Guided backpropagation and deconvolution are known for it: both
partly recover the picture, whatever the weights (Nie et al. 2018, arXiv 1805.07039). A map that does not move
with the picture shows places and not faces.
"""

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.controls import receptive_fields
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.layers import maps_of, taken_by, way_to
from fer_lib.look.receptive import ReceptiveField, receptive_field
from fer_lib.look.responses import known_subjects, maximal_responses
from fer_lib.stats.resampling import bounds, cluster_sums, ratio, resampled_sums
from ferbook.errors import ParameterError

MEASURES = ("absolute", "signed", "cosine")
"""Spearman's rank correlation of the absolute maps, and of the signed ones (Adebayo et al. 2018 give both),
and the cosine of the absolute maps.
"""


def similarities(
    ours: Projections, theirs: Projections, pictures: np.ndarray, clusters: np.ndarray
) -> pd.DataFrame:
    """One row per pair and measure: ``cluster``, ``measure``, ``similarity`` of ``ours`` and ``theirs``, and
    the ``floor``.

    Both are P maps of the same places. The floor compares our map of a pair with theirs of the next pair of
    another picture: what maps have in common without a common picture, since energy gathers in the middle of
    what a neuron sees. ``pictures`` (P,): which picture a pair is of; ``clusters`` (P,): whose. Only pixels
    inside the picture are compared. NaN where a map is zero throughout (the neuron is off), and for the floor
    where there is no other picture.
    """
    # Which pixels of each map lie inside the picture: those of the picture's window, seen from the map.
    seen = receptive_fields(-ours.corners, ours.size, ours.maps.shape[1:])
    blank = ~(ours.maps != 0).any(axis=(1, 2)) | ~(theirs.maps != 0).any(axis=(1, 2))
    nothing = dict.fromkeys(MEASURES, np.nan)
    rows = []
    for pair, cluster in enumerate(clusters):
        same = floor = nothing
        if not blank[pair]:
            same = _measured(ours.maps[pair], theirs.maps[pair], seen[pair])
            elsewhere = np.flatnonzero(~blank & (pictures != pictures[pair]))
            if len(elsewhere):
                beside = elsewhere[np.searchsorted(elsewhere, pair) % len(elsewhere)]
                floor = _measured(ours.maps[pair], theirs.maps[beside], seen[pair] & seen[beside])
        rows += [(cluster, measure, same[measure], floor[measure]) for measure in MEASURES]
    return pd.DataFrame(rows, columns=["cluster", "measure", "similarity", "floor"])


def summary(compared: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """One row per measure of the rows of ``similarities``: means over the pairs that could be compared.

    ``measure``, ``similarity``, ``floor``, ``excess`` = similarity - floor with its 95 % interval ``low`` …
    ``high`` (bootstrap over clusters; NaN where there is none), ``n`` pairs that were compared and ``off``,
    how many could not be. Means over no pair are NaN.
    """
    rows = []
    for measure, own in compared.groupby("measure", sort=False):
        there = own.dropna()
        excess = there["similarity"] - there["floor"]
        low, high = mean_interval(excess.to_numpy(), there["cluster"].to_numpy(), seed=seed)
        means = {"similarity": there["similarity"].mean(), "floor": there["floor"].mean()}
        found = {"excess": excess.mean(), "low": low, "high": high}
        counts = {"n": len(there), "off": len(own) - len(there)}
        rows.append({"measure": measure} | means | found | counts)
    return pd.DataFrame(rows)


def mean_interval(values: np.ndarray, clusters: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of ``values`` (N,), by a bootstrap over ``clusters`` (N,); NaN where there is
    none.
    """
    sums = cluster_sums(np.stack([values, np.ones(len(values))], axis=1), clusters.astype(str))
    return bounds(ratio(resampled_sums(sums, 2000, seed)), len(sums), ratio(sums.sum(axis=0)))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of all values of two arrays of one shape; NaN where one is constant."""
    return float(correlations(one.reshape(-1, 1), other.reshape(-1, 1))[0, 0])


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """float64 (P, K): Pearson's correlation of each column of ``one`` (N, P) with each of ``other`` (N, K);
    NaN for constant columns.
    """
    constant = [np.ptp(values, axis=0) == 0 for values in (one, other)]
    one, other = (values - values.mean(axis=0, dtype=np.float64) for values in (one, other))
    norms = np.linalg.norm(one, axis=0)[:, None] * np.linalg.norm(other, axis=0)
    norms[constant[0][:, None] | constant[1]] = np.nan
    return one.T @ other / norms


def _measured(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> dict[str, float]:
    one, other = one[where].astype(np.float64), other[where].astype(np.float64)
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return {
        "absolute": correlation(rankdata(abs(one)), rankdata(abs(other))),
        "signed": correlation(rankdata(one), rankdata(other)),
        "cosine": float(abs(one) @ abs(other) / norms) if norms else np.nan,
    }


JUDGED = ("absolute", "signed")
"""The measures of ``MEASURES`` that a verdict looks at; the cosine of positive numbers is high for
any two maps.
"""

REMAINDER_LIMIT = 0.1
"""Similarity beyond the floor that may remain: from 0.1 on, Cohen (1988) calls a correlation small, below it
none to speak of.
"""

SHIFT_LIMIT = 0.95
"""Correlation of a map with that of the shifted picture. It is 1 but for rounding where only neighbours are
compared; a standardisation by the whole picture's mean and spread changes a little with what the shift brings
in, and some ReLUs and switches with it."""

STANDARDISATION_REACH = 2
"""Pixels around a receptive field that the zero-bias CNN's standardisation looks at besides (5×5 pixels
around each).
"""


def cascading_randomisation(
    model: nn.Module,
    faces: FaceSet,
    layer: str,
    rows: Sequence[int] | np.ndarray,
    filters: Sequence[int] | np.ndarray,
    *,
    method: Method,
    seed: int = 0,
    draws: int = 3,
) -> pd.DataFrame:
    """How much of the maps is left when the weights are made random, from ``layer`` down, one convolution
    after the other.

    P pairs of a picture (``rows`` of ``faces``) and a filter of ``layer``, each at its maximum in the trained
    network. The layers above ``layer`` have no say in its maps, so the cascade begins at the layer's own
    convolution and ends at the first, when nothing learned is left. Weights are drawn from a normal
    distribution with the mean square of the trained ones, biases become 0, and batch normalisation becomes a
    new one that has seen these pictures. ``draws`` networks are drawn: at one ``seed`` the same for every
    method.

    Compared are the same neurons at the **same place**: a maximum that is looked for anew lies elsewhere, and
    the maps would then differ whatever the method. A neuron that is off in a drawn network says nothing; it
    is counted in ``off``. Adebayo et al. 2018 set no limit; here the similarity is set beside its ``floor``,
    what maps have in common without a common picture.

    One row per step and measure: ``method``, ``step`` (0 is the trained network itself), ``layer`` (what this
    step made random besides the earlier ones), and the columns of ``summary``. The interval
    resamples subjects, not the drawn networks.

    Raises what ``project`` raises.
    """
    pictures, index, filters = _pairs(faces, rows, filters)
    subjects = known_subjects(faces, rows)
    trained = project(model, layer, pictures, index, filters, method=method)
    convolutions = _convolutions(model, layer, pictures)
    found = [[similarities(trained, trained, index, subjects)], *([] for _ in convolutions)]
    at = {"positions": trained.positions, "method": method}
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        random = copy.deepcopy(model)
        for (convolution, normalisation), compared in zip(convolutions, found[1:], strict=True):
            _randomise(random, convolution, generator)
            if normalisation:
                _renormalise(random, convolution, normalisation, pictures)
            maps = project(random, layer, pictures, index, filters, **at)
            compared.append(similarities(trained, maps, index, subjects))
    steps = []
    for step, name in enumerate(["", *(convolution for convolution, _ in convolutions)]):
        means = summary(pd.concat(found[step]), seed=seed)
        steps.append(_labelled(means, method=method, step=step, layer=name))
    return pd.concat(steps, ignore_index=True)


def compare_networks(
    model: nn.Module,
    other: nn.Module,
    faces: FaceSet,
    layer: str,
    rows: Sequence[int] | np.ndarray,
    filters: Sequence[int] | np.ndarray,
    *,
    method: Method,
    seed: int = 0,
) -> pd.DataFrame:
    """How much the maps of ``model`` are like those of ``other``, a network of the same structure that was
    trained on something else.

    With an ``other`` trained on shuffled labels this is the data randomisation test of Adebayo et al. 2018;
    it should have started from other first weights, which the two would else share. Filters of two networks
    do not correspond by their number. So each neuron of ``model`` (pairs and places as in
    ``cascading_randomisation``) is compared with one of ``other`` at the same place of the same picture: of
    the filters that are on there, the one whose maximal responses correlate best with those of the neuron's
    filter. ``off`` counts pairs where none is on.

    One row per measure: ``method`` and the columns of ``summary``. Raises what ``project`` and
    ``maximal_responses`` raise, and ParameterError where the two networks' maps do not fit together.
    """
    pictures, index, filters = _pairs(faces, rows, filters)
    ours = project(model, layer, pictures, index, filters, method=method)
    own, others = (maximal_responses(network, faces, layer) for network in (model, other))
    if own.map_size != others.map_size:
        raise ParameterError(
            f"{layer!r} has maps of {own.map_size} in one network and of {others.map_size} in the other: "
            "give networks of one structure"
        )
    maps = _layer_maps(other, layer, pictures)
    alike = correlations(own.maxima[:, filters], others.maxima)
    off = maps[index, :, ours.positions[:, 0], ours.positions[:, 1]] <= 0
    alike[off | np.isnan(alike)] = -np.inf
    # Where all are off the first stands in: its map is zero, and it is counted as off.
    matched = alike.argmax(axis=1)
    theirs = project(other, layer, pictures, index, matched, positions=ours.positions, method=method)
    means = summary(similarities(ours, theirs, index, known_subjects(faces, rows)), seed=seed)
    return _labelled(means, method=method)


def shift_equivariance(
    model: nn.Module,
    faces: FaceSet,
    layer: str,
    rows: Sequence[int] | np.ndarray,
    filters: Sequence[int] | np.ndarray,
    *,
    method: Method,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether a map moves with the picture: of each picture moved down and right by the layer's stride it
    must be the same map, moved.

    The rows and columns that come in repeat the picture's border. Near the borders a network sees padding
    instead of faces, so each pair's neuron is the strongest of those that see nothing but the picture, before
    and after. ``off`` counts pairs where none of them is on, or where all see more than the picture.

    One row: ``method``, ``shift``, ``correlation`` (Pearson's, of the two signed maps; mean over pairs) with
    its 95 % interval ``low`` … ``high`` (bootstrap over subjects; NaN where there is none), ``n`` and
    ``off``; NaN where n = 0. Raises what ``project`` raises.
    """
    pictures, index, filters = _pairs(faces, rows, filters)
    field = receptive_field(model, layer)
    shift = field.stride
    height, width = pictures.shape[1:]
    moved = np.pad(pictures, ((0, 0), (shift, 0), (shift, 0)), mode="edge")[:, :height, :width]
    maps = _layer_maps(model, layer, pictures)
    within = [
        _sees_only_the_picture(field, shift, *sides)
        for sides in zip(maps.shape[2:], (height, width), strict=True)
    ]
    strengths = np.where(within[0][:, None] & within[1], maps[index, filters], -np.inf)
    usable = strengths.max(axis=(1, 2)) > 0
    places = np.stack(np.divmod(strengths.reshape(len(index), -1).argmax(axis=1), maps.shape[3]), axis=1)
    alike = np.full(len(index), np.nan)
    if usable.any():
        pairs = (index[usable], filters[usable])
        before = project(model, layer, pictures, *pairs, positions=places[usable], method=method)
        after = project(model, layer, moved, *pairs, positions=places[usable] + 1, method=method)
        alike[usable] = [correlation(*two) for two in zip(before.maps, after.maps, strict=True)]
    told = np.isfinite(alike)
    low, high = mean_interval(alike[told], known_subjects(faces, rows)[told], seed=seed)
    mean = alike[told].mean() if told.any() else np.nan
    counts = {"n": int(told.sum()), "off": int((~told).sum())}
    row = {"method": method, "shift": shift, "correlation": mean, "low": low, "high": high}
    return pd.DataFrame([row | counts])


def verdicts(
    cascade: pd.DataFrame | None = None,
    shuffled: pd.DataFrame | None = None,
    shifted: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """All verdicts, one row per check and method, from the checks' tables, those of several methods one below
    the other.

    ``cascade`` of ``cascading_randomisation``: with all weights random, is at most ``REMAINDER_LIMIT`` left
    beyond the floor? ``shuffled`` of ``compare_networks``: does at most as much look the same with the wrong
    labels? Both ask the measure of ``JUDGED`` of which most is left. ``shifted`` of ``shift_equivariance``:
    is the correlation at least ``SHIFT_LIMIT``?

    ``name`` of the check; ``method``; ``value`` with ``low`` and ``high``, its 95 % interval that resamples
    subjects (NaN where there is none); its ``limit``; ``n`` compared maps; ``passed``, missing (NA) where it
    cannot be told; ``meaning``: what follows, in a few words.
    """
    found = []
    if cascade is not None:
        last = cascade[cascade["step"] == cascade["step"].max()]
        bad = "remain when the weights are random"
        found += _remainders(last, "random weights", "need what the network learned", bad)
    if shuffled is not None:
        bad = "remain when the labels are shuffled"
        found += _remainders(shuffled, "shuffled labels", "need the labels that were learned", bad)
    for row in [] if shifted is None else shifted.to_dict("records"):
        passed = bool(row["correlation"] >= SHIFT_LIMIT) if row["n"] else None
        meaning = {
            True: "the maps move with the picture",
            False: "the maps do not move with the picture: they show places, not what is there",
            None: "cannot be told: every neuron that is on sees more than the picture",
        }[passed]
        numbers = (row["correlation"], row["low"], row["high"], SHIFT_LIMIT, row["n"])
        found.append(("shift", row["method"], *numbers, passed, meaning))
    columns = ["name", "method", "value", "low", "high", "limit", "n", "passed", "meaning"]
    return pd.DataFrame(found, columns=columns).astype({"passed": "boolean"})


def _remainders(table: pd.DataFrame, name: str, good: str, bad: str) -> list[tuple]:
    """Rows of ``verdicts``: per method the judged measure of which most is left beyond the floor."""
    found = []
    for method, rows in table[table["measure"].isin(JUDGED)].groupby("method", sort=False):
        worst = rows.sort_values("excess", ascending=False, kind="stable").iloc[0]
        if not worst["n"]:
            passed, meaning = None, "cannot be told: no neuron is on in both networks"
        elif worst["excess"] <= REMAINDER_LIMIT:
            passed, meaning = True, f"the maps {good}"
        else:
            passed, meaning = False, f"{worst['measure']} maps {bad}: they show the picture, not the network"
        numbers = (float(worst[key]) for key in ("excess", "low", "high"))
        found.append((name, method, *numbers, REMAINDER_LIMIT, int(worst["n"]), passed, meaning))
    return found


def _labelled(table: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """``table`` with constant ``columns`` in front."""
    return table.assign(**columns)[[*columns, *table.columns]]


def _pairs(
    faces: FaceSet, rows: Sequence[int] | np.ndarray, filters: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each picture once (M, H, W), the index (P,) of each pair's among them, and the filters (P,)."""
    rows, filters = np.asarray(rows), np.asarray(filters)
    unique, index = np.unique(rows, return_inverse=True)
    return faces.gather(unique), index, filters


def _sees_only_the_picture(field: ReceptiveField, shift: int, neurons: int, side: int) -> np.ndarray:
    """bool (neurons,): which rows (or columns) of a map see nothing beyond the picture of ``side`` pixels,
    nor ``shift`` pixels on.
    """
    first = field.start + field.stride * np.arange(neurons)
    end = first + shift + field.size
    return (first >= STANDARDISATION_REACH) & (end <= side - STANDARDISATION_REACH)


def _layer_maps(model: nn.Module, layer: str, pictures: np.ndarray) -> np.ndarray:
    """float32 (M, K, h, w): the maps of ``layer`` for whole ``pictures`` uint8 (M, H, W)."""
    return maps_of(model, layer, taken_by(model, pictures)).float().cpu().numpy()


def _convolutions(model: nn.Module, layer: str, pictures: np.ndarray) -> list[tuple[str, str]]:
    """The convolutions on the way to ``layer``, from it down, each with the batch normalisation behind it (""
    where there is none).
    """
    way = way_to(model, layer, taken_by(model, pictures[:1]))
    behind = {call.inputs[0]: call.name for call in way.values() if isinstance(call.module, nn.BatchNorm2d)}
    return [
        (way[number].name, behind.get(number, ""))
        for number in sorted(way, reverse=True)
        if isinstance(way[number].module, nn.Conv2d)
    ]


@torch.no_grad()
def _randomise(model: nn.Module, name: str, generator: torch.Generator) -> None:
    convolution = model.get_submodule(name)
    weight = convolution.weight
    # Drawn on the CPU: the same numbers wherever the network is.
    drawn = torch.randn(weight.shape, generator=generator)
    weight.copy_(drawn.to(weight) * weight.square().mean().sqrt())
    if convolution.bias is not None:
        convolution.bias.zero_()


@torch.no_grad()
def _renormalise(model: nn.Module, convolution: str, normalisation: str, pictures: np.ndarray) -> None:
    """Make the batch normalisation a new one that has seen what the ``convolution`` makes of ``pictures``."""
    maps = torch.from_numpy(_layer_maps(model, convolution, pictures))
    module = model.get_submodule(normalisation)
    module.reset_parameters()
    module.running_mean.copy_(maps.mean(dim=(0, 2, 3)))
    module.running_var.copy_(maps.var(dim=(0, 2, 3), correction=0))
