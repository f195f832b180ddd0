"""The maximal response of every filter to every picture, the pictures that drive it most, and the filters'
ranking; and a layer looked at through these pictures, which the atlas and the figures are drawn from.

A filter's **maximal response** m to a picture is the largest value of its feature map (Khorrami et al. 2015,
section 4; Zhu et al. 2019 call it the map's extremum); its **position** is where in the map that value
stands.
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
    """What ``maximal_responses`` finds at one ``layer`` with K filters, of N pictures.

    ``maxima`` float32 (N, K): m of each picture and filter, on the scale of the layer's output. ``positions``
    int16 (N, K, 2): row and column of the maximum in the map, the first in reading order of equal ones, so
    (0, 0) where a rectified map is all zero. ``map_size``: height and width of a map.
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
    """The largest value and its place of every feature map of ``layer``, by its dotted name, for every
    picture of ``faces``.

    Only (N, K) values are kept, and nothing behind the layer is computed. The network is asked in evaluation
    mode, on ``device`` (None: where it is), and computes in ``dtype`` (None: the type of its weights);
    afterwards its mode, place and hooks are as they were, also after an exception.

    Raises ParameterError for an unknown layer (listing all), or one that works more than once per pass;
    DataError for an empty face set, and for NaN or infinite responses (it names layer, filter and picture).
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
    """The ``count`` pictures that drive each filter most, strongest first, at most one of each subject: int64
    (K, ``count``).

    ``subjects`` (N,) as in the table of the face set; a picture with an empty subject counts as a subject of
    its own. Without the limit the nine strongest are often frames of one sequence. Equal responses stand in
    the pictures' order; -1 fills up where there are fewer pictures that drive the filter above zero.
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
    """One row per filter, the one with the highest response first, as Khorrami et al. 2015 chose the ten that
    they show.

    ``top`` (K, count) is what ``top_pictures`` gave. Columns: ``filter``; ``strongest``, its largest response
    to any picture; ``pictures``, how many top pictures it has; ``mean_top``, its mean response to them;
    ``mean``, that to all pictures; ``share_active``, the share of pictures with a response above 0;
    ``selectivity``, the lifetime sparseness (Vinje and Gallant 2000) of the responses r, negative ones
    counted as 0: (1 − mean(r)² / mean(r²)) / (1 − 1/N), which is 0 for equal responses to all pictures and 1
    for a response to only one.

    A filter that never responds is listed last, with 0 ``pictures``, and NaN for ``mean_top`` and
    ``selectivity``. Filters of equal strength stand in order of their number.
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

    ``responses`` to all of ``faces``; ``top`` (K, count) as ``look.responses.top_pictures`` gives it;
    ``projections`` of its pairs, filter after filter; ``field``: what a neuron sees.
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
        """One row per filter, the strongest first: ``look.responses.rank_filters``."""
        return rank_filters(self.responses, self.top)

    def pairs_of(self, number: int) -> range:
        """The pairs of filter ``number``, its strongest picture first; empty where it never responds."""
        return range(*np.searchsorted(self.filters, (number, number + 1)).tolist())

    def sample(self, count: int) -> np.ndarray:
        """int64: ``count`` filters that respond, or all where there are fewer, spread evenly from the
        strongest to the weakest.
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
    """Ask ``model`` about all ``faces`` and project for each filter of ``layer`` its ``top`` pictures, each
    of another person.

    Without a ``layer`` the ReLU after the last convolution. Raises what ``maximal_responses`` and
    ``project`` raise, and DataError where no filter responds to any picture.
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
    """int64 (K, h, w): in how many pictures a filter's maximum stands at each place of its map; silent
    pictures are not counted.
    """
    pictures, filters = np.nonzero(responses.maxima > 0)
    counts = np.zeros((responses.maxima.shape[1], *responses.map_size), np.int64)
    np.add.at(counts, (filters, *responses.positions[pictures, filters].T), 1)
    return counts
