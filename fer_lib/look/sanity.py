"""Whether projections show what a network has learned: the randomisation of weights of Adebayo et al. 2018
(arXiv 1810.03292), and how similar two networks' projections of the same pairs are beyond what any two maps
have in common.

A map that does not change when the weights are random depends on the picture and not on the network. Guided
backpropagation and deconvolution are known for it: both partly recover the picture, whatever the weights (Nie
et al. 2018, arXiv 1805.07039). All maps are compared at one place, so this does not show *where* a network
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

# Spearman's rank correlation of the absolute maps, and of the signed ones: Adebayo et al. 2018 give both.
LIKENESS_MEASURES = ("absolute", "signed")


def similarities(
    ours: Projections, theirs: Projections, pictures: np.ndarray, clusters: np.ndarray
) -> pd.DataFrame:
    """Compare maps of the same places, with a floor: what maps have in common without a common picture.

    The floor compares our map of a pair with theirs of the next pair of another picture: energy concentrates
    in the middle of a receptive field. Only pixels inside the picture are compared.

    Parameters
    ----------
    ours, theirs : Projections
        P maps each.
    pictures : (P,) int array
        The picture of each pair.
    clusters : (P,) array
        Its person.

    Returns
    -------
    pandas.DataFrame
        One row per pair and measure: ``cluster``, ``measure``, ``similarity``, ``floor``. NaN where a map is
        zero everywhere (the neuron is inactive), and for the floor if there is no other picture.
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
    """Compute Pearson's correlation of all values of two arrays of one shape; NaN if one is constant."""
    return float(correlations(one.reshape(-1, 1), other.reshape(-1, 1))[0, 0])


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute Pearson's correlation of each column of ``one`` (N, P) with each of ``other`` (N, K): float64
    (P, K); NaN for constant columns.
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
    """Compare maps with those after the weights are randomised, from ``layer`` down, one convolution after
    the other.

    The layers after ``layer`` have no effect on its maps, so the cascade begins at the layer's own
    convolution and ends at the first, when nothing learned is left. Weights are drawn from a normal
    distribution with the mean square of the trained ones, biases become 0, and batch normalisation is
    re-initialised. At one ``seed`` the drawn networks are the same for every method.

    The same neurons are compared at the **same place**: a new maximum would be elsewhere, and the maps would
    then differ whatever the method. A neuron that is inactive in a drawn network is not compared. Adebayo et
    al. 2018 set no limit; here the similarity is compared with its ``floor``.

    Parameters
    ----------
    model : torch.nn.Module
    faces : FaceSet
    layer : str
    rows, filters : (P,) int arrays
        Pairs of a picture and a filter, each at its maximum in the trained network.
    method : str
        As of ``project``.
    seed : int
    draws : int
        Number of randomised networks.

    Returns
    -------
    pandas.DataFrame
        The rows of ``similarities`` of every step and draw, with ``method``, ``step`` (0 is the trained
        network itself) and ``layer`` (the one randomised in this step).

    Raises
    ------
    ParameterError, DataError
        As ``project``.
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
    """Compare the maps of two networks of one structure with different weights: trained from another seed,
    the second shows how similar maps of the same training can be.

    Filters of two networks do not correspond by their number. So each neuron of the first (pairs and places
    as in ``cascading_randomisation``) is compared with one of the other at the same place of the same
    picture: of the filters that are active there, the one whose maximal responses correlate best with those
    of the neuron's filter.

    Parameters
    ----------
    networks : tuple of torch.nn.Module
    faces, layer, rows, filters, method
        As of ``cascading_randomisation``.
    maxima : tuple of (N, K) arrays
        Maximal responses of both networks to the same N pictures, which need not be ``faces``.

    Returns
    -------
    pandas.DataFrame
        The rows of ``similarities`` with ``method``. NaN if no filter with varying responses is active.

    Raises
    ------
    ParameterError
        The two networks' maps have different sizes; and as ``project``.
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
    theirs.maps[np.isinf(alike.max(axis=1))] = 0  # without a partner it is not compared
    return similarities(ours, theirs, index, subjects).assign(method=method)


def _pairs(
    faces: FaceSet, rows: Sequence[int] | np.ndarray, filters: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return each picture once (M, H, W), and for each pair (P,) its picture's index among them, its filter
    and its person.
    """
    unique, index = np.unique(rows, return_inverse=True)
    pictures, people = faces.gather(unique), named_alone(faces.table["subject"])
    return pictures, index, np.asarray(filters), people[np.asarray(rows)]


def _layer_maps(model: nn.Module, layer: str, pictures: np.ndarray) -> np.ndarray:
    """Return the maps of ``layer`` for whole ``pictures`` uint8 (M, H, W): float32 (M, K, h, w)."""
    return maps_of(model, layer, to_input(model, pictures)).float().cpu().numpy()


def _convolutions(model: nn.Module, layer: str, pictures: np.ndarray) -> list[tuple[str, str]]:
    """List the convolutions on the path to ``layer``, from it down, each with the batch normalisation after
    it ("" if there is none).
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
