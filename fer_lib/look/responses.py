"""The maximal response of every filter to every picture, the pictures with the largest responses, and the
ranking of filters; and a view of a layer through these pictures, from which the atlas and the figures are
drawn.

A filter's **maximal response** m to a picture is the largest value of its feature map (Khorrami et al. 2015,
section 4; Zhu et al. 2019 call it the map's extremum); its **position** is the place of that value in the
map.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.layers import extrema, find_layer, last_conv, maps_of
from fer_lib.look.receptive import ReceptiveField, receptive_field
from fer_lib.train.batches import batches
from ferbook.errors import DataError


@dataclass(frozen=True)
class Responses:
    """Maximal responses of a ``layer`` with K filters to N pictures.

    Attributes
    ----------
    layer : str
    maxima : (N, K) float32 array
        m of each picture and filter, on the scale of the layer's output.
    positions : (N, K, 2) int16 array
        Row and column of the maximum in the map, the first in reading order of equal ones, so (0, 0) where a
        rectified map is all zero.
    map_size : tuple of int
        Height and width of a map.
    """

    layer: str
    maxima: np.ndarray
    positions: np.ndarray
    map_size: tuple[int, int]


def maximal_responses(
    model: nn.Module,
    faces: FaceSet,
    layer: str,
    *,
    device: torch.device | str | None = None,
    batch_size: int = 32,
    dtype: torch.dtype | None = None,
) -> Responses:
    """Compute the largest value and its place in every feature map of ``layer``, for every picture of
    ``faces``.

    Later layers are not computed. The network is in evaluation mode; afterwards its mode, device and hooks
    are as before, also after an exception.

    Parameters
    ----------
    model : torch.nn.Module
    faces : FaceSet
    layer : str
        Dotted name.
    device : torch.device or str, optional
        By default that of the model.
    batch_size : int
    dtype : torch.dtype, optional
        Type of the computation; by default that of the weights.

    Returns
    -------
    Responses

    Raises
    ------
    ParameterError
        An unknown layer (listing all), or one that is called more than once per pass.
    DataError
        An empty face set, or NaN or infinite responses; names layer, filter and picture.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no picture to evaluate the network on")
    find_layer(model, layer, once=True)
    weight, parts = next(model.parameters()), []
    home = weight.device
    model.to(device or home)
    try:
        for pictures in batches(faces.pixels, batch_size, device=device or home):
            maps = maps_of(model, layer, pictures.to(weight.dtype), dtype)
            values, indices = extrema(maps)
            parts.append((values.float().cpu().numpy(), indices.int().cpu().numpy()))
    finally:
        model.to(home)
    maxima, places = (np.concatenate(part) for part in zip(*parts, strict=True))
    wrong = np.argwhere(~np.isfinite(maxima))
    if len(wrong):
        picture, number = wrong[0]
        raise DataError(
            f"layer {layer!r}, filter {number}: the response to picture {picture} of face set "
            f"{faces.name!r} is {maxima[picture, number]}; expected a finite number; load or train the "
            "network again"
        )
    size = tuple(maps.shape[2:])
    return Responses(layer, maxima, np.stack(np.divmod(places, size[1]), axis=-1).astype(np.int16), size)


def top_pictures(responses: Responses, subjects: np.ndarray | pd.Series, count: int = 9) -> np.ndarray:
    """Find the ``count`` pictures with the largest response of each filter, at most one of each subject.

    Without this limit the nine largest are often frames of one sequence.

    Parameters
    ----------
    responses : Responses
    subjects : (N,) array or pandas.Series
        As in the table of the face set; a picture with an empty subject counts as a separate subject.
    count : int

    Returns
    -------
    (K, ``count``) int64 array
        Indices of pictures, the largest response first, equal ones in the order of the pictures; -1 where
        fewer pictures have a response above zero.
    """
    n, k = responses.maxima.shape
    names = np.asarray(subjects, dtype=object)
    own = np.arange(n)
    codes = np.where(names == "", own + n, pd.factorize(names)[0])
    order = np.argsort(-responses.maxima, axis=0, kind="stable")
    top = np.full((k, count), -1, dtype=np.int64)
    for number in range(k):
        rows = order[:, number]
        rows = rows[responses.maxima[rows, number] > 0]
        firsts = np.unique(codes[rows], return_index=True)[1]
        best = rows[np.sort(firsts)[:count]]
        top[number, : len(best)] = best
    return top


def rank_filters(responses: Responses, top: np.ndarray) -> pd.DataFrame:
    """Rank filters by their largest response, as Khorrami et al. 2015 selected the ten that they show.

    Parameters
    ----------
    responses : Responses
    top : (K, count) int array
        As of ``top_pictures``.

    Returns
    -------
    pandas.DataFrame
        One row per filter, the strongest first, equal ones by number: ``filter``; ``strongest``, its largest
        response to any picture; ``pictures``, how many top pictures it has; ``mean_top``, its mean response
        to them; ``mean``, that to all pictures; ``share_active``, the proportion of pictures with a response
        above 0; ``selectivity``, the lifetime sparseness (Vinje and Gallant 2000) of the responses r,
        negative ones counted as 0: (1 − mean(r)² / mean(r²)) / (1 − 1/N), which is 0 for equal responses to
        all pictures and 1 for a response to only one. A filter that never responds is last, with 0
        ``pictures``, and NaN for ``mean_top`` and ``selectivity``.
    """
    maxima = responses.maxima.astype(np.float64)
    n, k = maxima.shape
    there = top >= 0
    pictures = there.sum(axis=1)
    driven = np.where(there, maxima[top, np.arange(k)[:, None]], 0).sum(axis=1)
    rectified = maxima.clip(min=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        selectivity = (1 - rectified.mean(axis=0) ** 2 / (rectified**2).mean(axis=0)) / (1 - 1 / n)
        mean_top = driven / pictures
    table = pd.DataFrame(
        {
            "filter": np.arange(k),
            "strongest": maxima.max(axis=0),
            "pictures": pictures,
            "mean_top": mean_top,
            "mean": maxima.mean(axis=0),
            "share_active": (maxima > 0).mean(axis=0),
            "selectivity": selectivity,
        }
    )
    return table.sort_values("strongest", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class LayerView:
    """The K filters of a layer, their responses to N pictures, and P projections of their top pictures.

    Attributes
    ----------
    faces : FaceSet
        N pictures.
    responses : Responses
    top : (K, count) int64 array
        As of ``top_pictures``.
    projections : Projections
        Of these pairs, filter after filter.
    field : ReceptiveField
        Of a neuron.
    """

    faces: FaceSet
    responses: Responses
    top: np.ndarray
    projections: Projections
    field: ReceptiveField

    @cached_property
    def filters(self) -> np.ndarray:
        """int64 (P,): the filter of each pair."""
        return np.nonzero(self.top >= 0)[0]

    @cached_property
    def rows(self) -> np.ndarray:
        """int64 (P,): the picture of each pair, an index into ``faces``."""
        return self.top[self.top >= 0]

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """One row per filter, the strongest first: ``rank_filters``."""
        return rank_filters(self.responses, self.top)

    def pairs_of(self, number: int) -> range:
        """Return the pairs of filter ``number``, its strongest picture first; none if it never responds."""
        return range(*np.searchsorted(self.filters, (number, number + 1)).tolist())

    def sample(self, count: int) -> np.ndarray:
        """Select ``count`` filters that respond, or all if there are fewer, evenly from the strongest to the
        weakest: int64.
        """
        alive = self.ranking.loc[self.ranking["pictures"] > 0, "filter"].to_numpy()
        places = np.linspace(0, len(alive) - 1, min(count, len(alive))).round().astype(int)
        return alive[places]


def view_layer(
    model: nn.Module,
    faces: FaceSet,
    layer: str = "",
    *,
    top: int = 9,
    method: Method = "deconv",
    device: torch.device | str | None = None,
) -> LayerView:
    """Compute the responses of ``model`` to ``faces``, and for each filter the projections of its ``top``
    pictures, each of another person.

    Parameters
    ----------
    model : torch.nn.Module
    faces : FaceSet
    layer : str
        By default the ReLU after the last convolution.
    top : int
    method : str
        As of ``project``.
    device : torch.device or str, optional

    Returns
    -------
    LayerView

    Raises
    ------
    DataError
        No filter responds to any picture; and as ``maximal_responses`` and ``project``.
    """
    layer = layer or last_conv(model)
    responses = maximal_responses(model, faces, layer, device=device)
    top_rows = top_pictures(responses, faces.table["subject"], top)
    filters, rows = np.nonzero(top_rows >= 0)[0], top_rows[top_rows >= 0]
    if not len(rows):
        raise DataError(
            f"no filter of {layer!r} responds to any picture of face set {faces.name!r}; train the network "
            "again"
        )
    distinct, index = np.unique(rows, return_inverse=True)
    at = {"positions": responses.positions[rows, filters].astype(np.int64), "method": method}
    projections = project(model, layer, faces.gather(distinct), index, filters, **at)
    return LayerView(faces, responses, top_rows, projections, receptive_field(model, layer))


def extremum_counts(responses: Responses) -> np.ndarray:
    """Count in how many pictures the maximum of a filter is at each place of its map: int64 (K, h, w);
    pictures without a response are not counted.
    """
    pictures, filters = np.nonzero(responses.maxima > 0)
    counts = np.zeros((responses.maxima.shape[1], *responses.map_size), np.int64)
    np.add.at(counts, (filters, *responses.positions[pictures, filters].T), 1)
    return counts
