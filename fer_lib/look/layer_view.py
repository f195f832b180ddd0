"""One layer of a network looked at through the pictures that drive its filters: what the atlas and the
figures are drawn from.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.deconvolution import Method, Projections, project
from fer_lib.look.layers import last_conv
from fer_lib.look.receptive import ReceptiveField, receptive_field
from fer_lib.look.responses import Responses, maximal_responses, rank_filters, top_pictures
from ferbook.errors import DataError


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
