"""Whether projections show what a network has learned: the randomisation of weights of Adebayo et al. 2018
(arXiv 1810.03292), and how alike two networks' projections of the same pairs are beyond what any two maps
have in common.

A map that stays the same when the weights are random is made of the picture and not of the network. Guided
backpropagation and deconvolution are known for it: both partly recover the picture, whatever the weights (Nie
et al. 2018, arXiv 1805.07039). All maps are compared at one place, so nothing here says *where* a network
looks.
"""

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import nn

from face_sets.faceset import FaceSet, named_alone
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.layers import maps_of, to_input, way_to
from fer_lib.look.localisation import receptive_fields
from ferbook.errors import ParameterError

LIKENESS_MEASURES = ("absolute", "signed")
"""Spearman's rank correlation of the absolute maps, and of the signed ones: Adebayo et al. 2018 give both."""


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
    inside = receptive_fields(-ours.corners, ours.size, ours.maps.shape[1:])
    blank = ~(ours.maps != 0).any(axis=(1, 2)) | ~(theirs.maps != 0).any(axis=(1, 2))
    nothing = dict.fromkeys(LIKENESS_MEASURES, np.nan)
    rows = []
    for pair, cluster in enumerate(clusters):
        same = floor = nothing
        if not blank[pair]:
            same = _measured(ours.maps[pair], theirs.maps[pair], inside[pair])
            elsewhere = np.flatnonzero(~blank & (pictures != pictures[pair]))
            if len(elsewhere):
                beside = elsewhere[np.searchsorted(elsewhere, pair) % len(elsewhere)]
                floor = _measured(ours.maps[pair], theirs.maps[beside], inside[pair] & inside[beside])
        rows += [(cluster, measure, same[measure], floor[measure]) for measure in LIKENESS_MEASURES]
    return pd.DataFrame(rows, columns=["cluster", "measure", "similarity", "floor"])


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
    return {
        "absolute": correlation(rankdata(abs(one)), rankdata(abs(other))),
        "signed": correlation(rankdata(one), rankdata(other)),
    }


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
    new one, that has seen nothing. ``draws`` networks are drawn: at one ``seed`` the same for every method.

    Compared are the same neurons at the **same place**: a maximum that is looked for anew lies elsewhere, and
    the maps would then differ whatever the method. A neuron that is off in a drawn network says nothing.
    Adebayo et al. 2018 set no limit; here the similarity is set beside its ``floor``, what maps have in
    common without a common picture.

    The rows of ``similarities`` of every step and draw, with ``method``, ``step`` (0 is the trained network
    itself) and ``layer`` (what this step made random besides the earlier ones). Raises what ``project``
    raises.
    """
    pictures, index, filters, subjects = _pairs(faces, rows, filters)
    reference = project(model, layer, pictures, index, filters, method=method)
    convolutions = _convolutions(model, layer, pictures)
    about = {"method": method, "step": 0, "layer": ""}
    tables = [similarities(reference, reference, index, subjects).assign(**about)]
    at = {"positions": reference.positions, "method": method}
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        random = copy.deepcopy(model)
        for step, (convolution, normalisation) in enumerate(convolutions, start=1):
            _randomise(random, convolution, generator)
            if normalisation:
                random.get_submodule(normalisation).reset_parameters()
            maps = project(random, layer, pictures, index, filters, **at)
            about = {"method": method, "step": step, "layer": convolution}
            tables.append(similarities(reference, maps, index, subjects).assign(**about))
    return pd.concat(tables, ignore_index=True)


def similarities_across_networks(
    networks: tuple[nn.Module, nn.Module],
    faces: FaceSet,
    layer: str,
    rows: Sequence[int] | np.ndarray,
    filters: Sequence[int] | np.ndarray,
    *,
    maxima: tuple[np.ndarray, np.ndarray],
    method: Method,
) -> pd.DataFrame:
    """How much the maps of the first of ``networks`` are like those of the other, of the same structure with
    other weights: trained from another seed, it says how alike maps can be that show the same lesson.

    Filters of two networks do not correspond by their number. So each neuron of the first (pairs and places
    as in ``cascading_randomisation``) is compared with one of the other at the same place of the same
    picture: of the filters that are on there, the one whose maximal responses correlate best with those of
    the neuron's filter. ``maxima``: those of both networks, (N, K), to the same N pictures, which need not be
    ``faces``. A pair is NaN where no filter is on whose responses vary.

    The rows of ``similarities`` with ``method``. Raises what ``project`` raises, and ParameterError where the
    two networks' maps do not fit together.
    """
    model, other = networks
    pictures, index, filters, subjects = _pairs(faces, rows, filters)
    ours = project(model, layer, pictures, index, filters, method=method)
    maps = _layer_maps(other, layer, pictures)
    sizes = [_layer_maps(model, layer, pictures[:1]).shape[1:], maps.shape[1:]]
    if sizes[0] != sizes[1]:
        raise ParameterError(
            f"{layer!r} has maps of {sizes[0]} in one network and of {sizes[1]} in the other: give networks "
            "of one structure"
        )
    alike = correlations(maxima[0][:, filters], maxima[1])
    off = maps[index, :, ours.positions[:, 0], ours.positions[:, 1]] <= 0
    alike[off | np.isnan(alike)] = -np.inf
    partners = alike.argmax(axis=1)
    theirs = project(other, layer, pictures, index, partners, positions=ours.positions, method=method)
    theirs.maps[np.isinf(alike.max(axis=1))] = 0  # of no partner, so that it is not compared
    return similarities(ours, theirs, index, subjects).assign(method=method)


def _pairs(
    faces: FaceSet, rows: Sequence[int] | np.ndarray, filters: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each picture once (M, H, W), and of each pair (P,) its picture's index among them, its filter and whose
    it is.
    """
    unique, index = np.unique(rows, return_inverse=True)
    pictures, people = faces.gather(unique), named_alone(faces.table["subject"])
    return pictures, index, np.asarray(filters), people[np.asarray(rows)]


def _layer_maps(model: nn.Module, layer: str, pictures: np.ndarray) -> np.ndarray:
    """float32 (M, K, h, w): the maps of ``layer`` for whole ``pictures`` uint8 (M, H, W)."""
    return maps_of(model, layer, to_input(model, pictures)).float().cpu().numpy()


def _convolutions(model: nn.Module, layer: str, pictures: np.ndarray) -> list[tuple[str, str]]:
    """The convolutions on the way to ``layer``, from it down, each with the batch normalisation behind it (""
    where there is none).
    """
    way = way_to(model, layer, to_input(model, pictures[:1]))
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
    noise = torch.randn(weight.shape, generator=generator)
    weight.copy_(noise.to(weight) * weight.square().mean().sqrt())
    if convolution.bias is not None:
        convolution.bias.zero_()
