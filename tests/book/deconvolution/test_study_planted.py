"""The control of places: a projection that is the change itself, judged as those of the reference. Whether it
is found to lie where the unit moves the face is what ``claims.yaml`` says of ``region_drawn``.
"""

import numpy as np
import pytest
from torch import nn

from book.deconvolution.layer_view import LayerView
from book.deconvolution.study import NetworkView, beside_untrained, localisation_metrics, locate
from fer_lib.aus.interventions import Interventions, interventions
from fer_lib.look.deconvolution import Projections
from fer_lib.look.receptive import receptive_field
from fer_lib.look.regions import region_aus
from fer_lib.look.responses import Responses
from fer_lib.nets.build import build_network

PEOPLE, NETWORKS = 30, 3


def drawn(
    asked: Interventions, units: list[str], people: np.ndarray, noise: np.random.Generator | None
) -> NetworkView:
    """A network with a filter for each of ``units``, asked about ``people`` (B,) with that unit: its
    projections are the change of the picture, or ``noise``, within the field of a third layer around the
    largest change.
    """
    field = receptive_field(build_network("zero_bias", 7, asked.faces.size[0]), "relu3")
    rows = np.arange(len(asked.faces)).reshape(len(asked.subjects), -1)
    top = np.stack([rows[people, 1 + asked.aus.index(unit)] for unit in units])
    off = np.repeat(asked.off[people][None].astype(np.float32), len(units), axis=0)
    change = np.abs(asked.faces.pixels[top] - off).reshape(-1, *asked.faces.size)
    peak = np.stack(
        np.unravel_index(change.reshape(len(change), -1).argmax(axis=1), asked.faces.size), axis=1
    )
    corners = np.clip(peak - field.size // 2, 0, np.array(asked.faces.size) - field.size)
    shown = change if noise is None else noise.normal(size=change.shape)
    windows = np.stack(
        [
            whole[row : row + field.size, column : column + field.size]
            for whole, (row, column) in zip(shown, corners, strict=True)
        ]
    ).astype(np.float32)
    maxima = np.ones((len(asked.faces), len(units)), np.float32)
    positions = np.zeros((*maxima.shape, 2), np.int16)
    of = np.zeros((len(windows), 2), np.int64)
    projections = Projections(windows, corners, asked.faces.size, np.ones(len(windows), np.float32), of)
    view = LayerView(asked.faces, Responses("relu3", maxima, positions, (12, 12)), top, projections, field)
    name = "planted" if noise is None else "noise"
    number = int(people[0])
    population = "trained" if noise is None else "untrained"
    return NetworkView(f"{name} {number}", population, nn.Identity(), view, np.array(units, dtype=object))


@pytest.mark.slow
def test_claims_says_whether_a_projection_that_is_the_change_is_found_in_its_region(planted_answers):
    asked = interventions(PEOPLE, levels=(1.0,))
    units = [
        au for au in asked.aus if au in region_aus(asked.faces) and asked.valid[:, asked.aus.index(au)].all()
    ]
    parts = np.array_split(np.arange(PEOPLE), NETWORKS)
    networks = [drawn(asked, units, people, None) for people in parts]
    networks += [drawn(asked, units, people, np.random.default_rng(0)) for people in parts]
    metrics = localisation_metrics(beside_untrained(locate(networks, len(units))))
    answers, finds = planted_answers("region_drawn", deconvolution=metrics)
    assert (answers == {"yes"}) is finds
